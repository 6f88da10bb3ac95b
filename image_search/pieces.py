"""What comes one by one, some at a time."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_pieces(items: Iterable[T], number: int) -> Iterator[list[T]]:
    """So many at a time; the last may be fewer.

    It is `itertools.batched`, which Python 3.11 has not.
    """
    rest = iter(items)
    while some := [*itertools.islice(rest, number)]:
        yield some
