"""How many photos are under way at a time: as many as fit into memory together.

CocoIndex reads a file whole, hands a copy of it to Python, and that one to a worker.
Its own limit of bytes counts a file only once it has been read, so that as many
files as there are rows lie in memory before it holds any back. So the rows are
chosen by the sizes of the files that a pass may read.
"""

import heapq
from collections.abc import Iterable

MOST_ROWS = (
    128  # two batches of a GPU: one is decoded while the other is embedded
)
LEAST_ROWS = 16  # that photos of ordinary size have
# Of files under way. A larger one is under way alone.
MOST_BYTES = 256 * 2**20
# Photos above this size would keep others waiting: they have a pass of their own.
LARGE = MOST_BYTES // LEAST_ROWS
# For CocoIndex's limit, should files grow meanwhile. It must exceed any file by some
# bytes a row: two of which each takes all there is would wait for each other for ever.
INFLIGHT_BYTES = MOST_BYTES + 2**20


def rows_in_flight(sizes: Iterable[float]) -> int:
    """How many of these files, in bytes, fit into MOST_BYTES whichever they are.

    Above LEAST_ROWS it is a power of two: CocoIndex's flow is opened anew for another
    number.
    """
    total, fitting = 0.0, MOST_ROWS
    for number, size in enumerate(heapq.nlargest(MOST_ROWS, sizes)):
        total += size
        if total > MOST_BYTES:
            fitting = max(1, number)
            break
    if fitting < LEAST_ROWS:
        return fitting
    return 1 << fitting.bit_length() - 1
