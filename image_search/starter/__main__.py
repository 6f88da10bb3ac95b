"""The command line: `python -m image_search.starter OUTDIR`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from image_search.starter.ingredients import MissingPackage, check_packages


def main() -> None:
    """Build the model, or end with one sentence that says why not."""
    parser = argparse.ArgumentParser(
        prog="python -m image_search.starter",
        description="Build the starter model, offline.",
    )
    parser.add_argument(
        "outdir",
        type=Path,
        help="the model's folder; an older model is replaced",
    )
    outdir: Path = parser.parse_args().outdir.resolve()
    if not is_replaceable(outdir):
        sys.exit(
            f"{outdir} holds something other than a model, so it is not"
            " replaced."
        )
    try:
        check_packages()
    except MissingPackage as error:
        sys.exit(str(error))

    started = time.monotonic()
    # Costly: PyTorch and transformers come with it.
    from image_search.starter.dual_encoder import write_model

    replace_folder(outdir, write_model)
    seconds = time.monotonic() - started
    size = sum(file.stat().st_size for file in outdir.iterdir())
    megabytes = size / 1e6
    print(f"{outdir}: {megabytes:.0f} MB, built in {seconds:.0f} s")


def is_replaceable(folder: Path) -> bool:
    """Whether a folder is missing, empty, or holds a model."""
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    is_model = (folder / "model.safetensors").is_file()
    return is_model or not any(folder.iterdir())


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a new folder, and put it in an older one's place.

    It is written in a temporary folder beside the older one, and renamed into
    place when it is whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent
    ) as workshop:
        built = Path(workshop, "built")
        write(built)
        if folder.exists():
            # It goes away with the workshop.
            folder.rename(Path(workshop, "replaced"))
        built.rename(folder)


if __name__ == "__main__":
    main()
