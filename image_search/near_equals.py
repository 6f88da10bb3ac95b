"""All groups of photos of an index that are nearly the same.

A search folds what is nearly equal among its results; here all
photos are compared with all others, by the same rule. That is
done by their layouts first, which say most and are small:
100,000 take 27 MB and 50 s of one core, while as many
searches for each photo's neighbours would take ten minutes, and
miss those of a burst that is longer than such an answer. The
few pairs that are left are asked for their vectors.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from image_search.filters import READABLE
from image_search.folding import LEAST_COSINE, Layouts, say_the_same
from image_search.pieces import in_pieces
from image_search.store import Store

PAIRS = 4_000_000  # that are compared at once, in 50 MB
ASKED_AT_ONCE = 200  # vectors
Group = list[str]


class BrokenOff(Exception):
    """Nobody waits for the groups any more."""


@dataclass
class Picture:
    """What is in one file, or in several that are equal byte for byte."""

    thumbhash: str | None
    width: int
    height: int
    taken: datetime
    text: str | None  # the words on it
    names: list[str] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """The largest come first, and of those the oldest."""
        return -self.width * self.height, self.taken, min(self.names)


def find_groups(
    store: Store,
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Group]:
    """The names of photos that are nearly equal, the newest group first.

    A group begins with its largest photo, and the others are nearly equal to
    that, as in `folding.fold`. `tell` hears how many pictures were compared, of
    how many. Raises BrokenOff once it `is_over`, and StoreError.
    """
    pictures = _pictures(store, is_over)
    layouts = Layouts.of(
        [(one.thumbhash, one.width, one.height) for one in pictures]
    )
    leaders = np.arange(len(pictures))
    is_led = np.zeros(len(pictures), np.bool_)
    # What can't be told from others folds by its digest alone.
    places = np.flatnonzero(layouts.can_be_told())
    at_once = max(1, PAIRS // max(1, len(places)))
    for start in range(0, len(places), at_once):
        _check(is_over)
        tell(start, len(places))
        rows = places[start : start + at_once]
        rows = rows[~is_led[rows]]
        rest = places[start:]
        rest = rest[~is_led[rest]]
        here, there = layouts.some(rows).pairs(layouts.some(rest))
        pairs = zip(rows[here].tolist(), rest[there].tolist(), strict=True)
        followers = [(one, other) for one, other in pairs if one < other]
        for leader, each in itertools.groupby(followers, lambda pair: pair[0]):
            text = pictures[leader].text
            left = [
                other
                for _, other in each
                if not is_led[other]
                and say_the_same(text, pictures[other].text)
            ]
            if is_led[leader] or not left:
                continue
            _check(is_over)
            near = _nearest(store, pictures, leader, left)
            is_led[near] = True
            leaders[near] = leader
    return _groups(pictures, leaders.tolist())


def _pictures(store: Store, is_over: Callable[[], bool]) -> list[Picture]:
    """All that can be read, by their rank."""
    found: dict[str, Picture] = {}
    for point in store.every(READABLE):
        _check(is_over)
        one: Any = point.payload
        picture = found.setdefault(
            one.sha256,
            Picture(one.thumbhash, one.width, one.height, one.taken, one.text),
        )
        picture.names.append(one.filename)
    return sorted(found.values(), key=lambda picture: picture.rank)


def _nearest(
    store: Store, pictures: list[Picture], leader: int, others: list[int]
) -> list[int]:
    """Those that the model finds alike, too."""
    first = pictures[leader].names[0]
    its = store.vectors_of([first]).get(first)
    if its is None:
        return []  # it was deleted meanwhile
    near = []
    for some in in_pieces(others, ASKED_AT_ONCE):
        names = {pictures[other].names[0]: other for other in some}
        for name, vector in store.vectors_of([*names]).items():
            if float(its @ vector) >= LEAST_COSINE:
                near.append(names[name])
    return near


def _groups(pictures: list[Picture], leaders: Iterable[int]) -> list[Group]:
    """Of several photos each; the names of equal files are in order."""
    names: dict[int, Group] = {}
    for place, leader in enumerate(leaders):
        names.setdefault(leader, []).extend(sorted(pictures[place].names))
    groups = [
        (pictures[leader].taken, group)
        for leader, group in names.items()
        if len(group) > 1
    ]
    groups.sort(key=lambda one: one[1][0])
    groups.sort(key=lambda one: one[0], reverse=True)
    return [group for _, group in groups]


def _check(is_over: Callable[[], bool]) -> None:
    if is_over():
        raise BrokenOff
