"""How many photos are under way at a time: as many as fit into memory together.

CocoIndex reads a file whole, hands a copy of it to Python, and that one to a worker.
Its own limit of bytes counts a file only once it has been read, so that as many
files as there are rows lie in memory before it holds any back. So the rows are
chosen by the sizes of the files that a pass may read.
"""

import heapq
from collections.abc import Iterable
from pathlib import Path

# For a CPU, and more than enough.
USUAL_ROWS = 128
LEAST_ROWS = 16  # that photos of ordinary size have
# Two batches of a GPU are in its process, and a third is decoded meanwhile.
ROWS_OF_A_GPU = 3 * 256
MOST_GPUS = 8  # in one machine
MOST_ROWS = ROWS_OF_A_GPU * MOST_GPUS
# Of files under way. A larger one is under way alone.
MOST_BYTES = 256 * 2**20
# Photos above this size would keep others waiting: they have a pass of their own.
LARGE = MOST_BYTES // LEAST_ROWS
# What a row holds beside its file: what the model looks at of an image of 224
# pixels, and a thumbnail.
ROW_BYTES = 2**18
# For CocoIndex's limit, should files grow meanwhile. It must exceed any file by some
# bytes a row: two of which each takes all there is would wait for each other for ever.
INFLIGHT_BYTES = MOST_BYTES + 2**23
NVIDIA_GPUS = Path("/proc/driver/nvidia/gpus")


def rows_for(images: int) -> int:
    """How many rows feed devices that hold so many images in their batches.

    Half as many are decoded, or stored, meanwhile. A power of two: CocoIndex's flow is
    opened anew for another number.
    """
    rows = USUAL_ROWS
    while rows < 3 * images // 2 and 2 * rows <= MOST_ROWS:
        rows *= 2
    return rows


def rows_of_machine(gpus: Path = NVIDIA_GPUS) -> int:
    """The most rows of all places together, by what the system tells of its GPUs.

    PyTorch, which knows all of them, would take seconds to ask.
    """
    number = len([*gpus.glob("*")])
    return max(USUAL_ROWS, ROWS_OF_A_GPU * min(number, MOST_GPUS))


def rows_in_flight(sizes: Iterable[float], most: int = USUAL_ROWS) -> int:
    """How many of these files, in bytes, fit into MOST_BYTES whichever they are.

    `most`: a power of two. Above USUAL_ROWS what a row holds beside its file counts as
    well. Above LEAST_ROWS it is a power of two: CocoIndex's flow is opened anew for
    another number.
    """
    total, fitting = 0.0, most
    for number, size in enumerate(heapq.nlargest(most, sizes)):
        total += size if number < USUAL_ROWS else size + ROW_BYTES
        if total > MOST_BYTES:
            fitting = max(1, number)
            break
    if fitting < LEAST_ROWS:
        return fitting
    return 1 << fitting.bit_length() - 1
