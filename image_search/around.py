"""Where a photo stands among the results of a search: how many come before it.

So that whoever was sent a link to it can turn to its neighbours, however far down
it is, and the page need not load all that comes before.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from image_search.filters import Condition, Filter
from image_search.store import Point, Store

# An engine counts the photos that are newer than one, but can't say how many score
# more: so many are looked through, first, and at the most.
NEAR = 1000
FARTHEST = 10_000
# Of one time: looked through at once.
AT_ONE_TIME = 100

# So many points after an offset, in some order.
Ask = Callable[[int, int], Sequence[Point]]


class NotAmong(Exception):
    """A photo is none of the results, as far as they were looked through."""


def not_among(filename: str) -> str:
    """The sentence that says so."""
    return f"{filename} is not among the results of this search."


def offset_around(rank: int, limit: int) -> int:
    """Where a page of so many results begins that has one in its middle."""
    return max(0, rank - limit // 2)


def rank_by_score(filename: str, ask: Ask) -> int:
    """How many results come before a photo, best first; raises NotAmong."""
    for depth in (NEAR, FARTHEST):
        found = ask(depth, 0)
        for rank, point in enumerate(found):
            if point.payload.filename == filename:
                return rank
        if len(found) < depth:
            raise NotAmong(not_among(filename))
    raise NotAmong(
        f"{filename} is not among the first {FARTHEST:,} results of this search."
    )


def rank_by_time(filename: str, store: Store, where: Filter, ask: Ask) -> int:
    """How many photos come before one, newest first; raises NotAmong, StoreError."""
    unknown = NotAmong(not_among(filename))
    points = store.points_of(filename)
    if not points:
        raise unknown
    [point] = points
    field = store.order()
    rank = store.count(_before(point, field, where))
    while found := ask(AT_ONE_TIME, rank):
        for other in found:
            if other.payload.filename == filename:
                return rank
            if getattr(other.payload, field) < getattr(point.payload, field):
                raise unknown
            rank += 1
    raise unknown


def _before(point: Point, field: str, where: Filter) -> Filter:
    """What is newer than a photo; some that hardly are may be missing."""
    key = point.payload.sort_key
    if field == "sort_key" and key is not None:
        newer = Condition(field, above=_next_float(key))
    else:
        newer = Condition(field, above=point.payload.taken.isoformat())
    return replace(where, must=(*where.must, newer))


def _next_float(key: int) -> float:
    """The first number from a key on that Qdrant's ranges, of floats, can say."""
    number = float(key)
    return number if int(number) >= key else math.nextafter(number, math.inf)
