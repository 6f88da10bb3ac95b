"""How the cost of a collection grows with its photos: `python -m tests.bench.growth 10000 100000`.

Vectors of 768 numbers in clusters of 50, and payloads as of a camera's photos, in the embedded store;
at TEST_QDRANT_URL, where that is set, on a Qdrant server. Prints a table in Markdown with a column
for each size. A million takes some 4 GB of memory, 3 GB of disk, and ten minutes.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.material import FOLDER
from tests.harness import PHOTOS, ROOT, environment

MEGABYTE = 1e6
SERVER = os.environ.get("TEST_QDRANT_URL", "")
WHERE = FOLDER / "growth"


def run(step: str, size: int, **settings: str) -> dict[str, Any]:
    """Do a step in a new process, and have what it found."""
    places: dict[str, str | Path] = {
        "DATA_DIR": WHERE / str(size), "IMAGE_DIR": PHOTOS, "QDRANT_URL": SERVER,
        "QDRANT_API_KEY": os.environ.get("TEST_QDRANT_API_KEY", ""),
        "QDRANT_COLLECTION": f"growth_{size}",
    }  # fmt: skip
    env = environment(**places, **settings)
    print(f"{time.strftime('%H:%M:%S')} {size:,}: {step}", file=sys.stderr)
    output = subprocess.check_output(
        [sys.executable, "-m", "tests.bench.collection", step, str(size)],
        cwd=ROOT, env=env, text=True,
    )  # fmt: skip
    return dict(json.loads(output.splitlines()[-1]))


def megabytes_on_disk(folder: Path) -> float:
    used = subprocess.check_output(
        ["du", "--block-size=1", "--summarize", folder]
    )
    return int(used.split()[0]) / MEGABYTE


def grow(size: int) -> dict[str, Any]:
    """All figures of a size."""
    shutil.rmtree(WHERE / str(size), ignore_errors=True)
    (WHERE / str(size)).mkdir(parents=True)
    try:
        found = run("fill", size)
        if not SERVER:
            found["disk"] = megabytes_on_disk(WHERE / str(size))
        found |= run("measure", size) | run("index_names", size)
        return found | run(
            "read_names", size, ROLE="search" if SERVER else "all"
        )
    finally:
        shutil.rmtree(WHERE / str(size))


def both(pair: list[float]) -> str:
    return " / ".join(f"{one:.1f}" for one in pair)


ROWS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "nearest": ("the nearest 24, ms: p50 / p95", both),
    "recall": ("of the true 24", "{:.1%}".format),
    "year": ("the same in a year of 25", both),
    "june": ("in a month of 300", both),
    "camera": ("of a camera of four", both),
    "nowhere": ("in a folder that is not there", both),
    "newest": ("the newest 24", both),
    "count": ("all are counted", both),
    "count year": ("those of a year are counted", both),
    "folders": ("all folders with their counts", both),
    "opened": ("opened, s", "{:.2f}".format),
    "written": ("written, photos/s", "{:,.0f}".format),
    "memory": ("memory of the process that asks, MB", "{:,.0f}".format),
    "disk": ("disk, MB", "{:,.0f}".format),
    "names": ("the index of names is made, s", "{:.1f}".format),
    "names memory": ("its memory, MB", "{:,.0f}".format),
    "name": ("a photo is found by its name, ms", both),
    "read": (
        "all names are read by a process that only searches, s",
        "{:.1f}".format,
    ),
}


def main(sizes: list[int]) -> None:
    """Measure collections of these sizes."""
    columns = [grow(size) for size in sizes]
    print(f"| photos | {' | '.join(f'{size:,}' for size in sizes)} |")
    print(f"|---|{'--:|' * len(sizes)}")
    for name, (title, show) in ROWS.items():
        cells = [show(one[name]) if name in one else "" for one in columns]
        if any(cells):
            print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:] or ("10000", "100000")])
