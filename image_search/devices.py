"""Which devices compute vectors: all GPUs, or those that CLIP_DEVICES names."""

from collections.abc import Sequence

from image_search.settings import StartupError

ALL_CUDA = "cuda"


def choose_devices(
    asked: Sequence[str], here: Sequence[str]
) -> tuple[str, ...]:
    """The devices to use, of those that are here, the quickest first.

    `asked`: by name, `cuda` for every CUDA device; nothing: all of these, or the
    quickest other one. Raises StartupError for one that is not here.
    """
    cuda = [one for one in here if one.startswith(ALL_CUDA)]
    if not asked:
        return tuple(cuda or here[:1])
    chosen: list[str] = []
    for name in asked:
        named = cuda if name == ALL_CUDA else [name]
        if not named or named[0] not in here:
            raise StartupError(
                f"CLIP_DEVICES={','.join(asked)}: PyTorch finds no {name} on this"
                f" machine. Choose of what there is: {', '.join(here)}."
            )
        chosen += [one for one in named if one not in chosen]
    return tuple(chosen)
