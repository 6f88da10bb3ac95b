"""A long picture, of a chat say, is read in pieces: whole it would be too small."""

from collections.abc import Iterable
from typing import NamedTuple

from image_search.text_lines import TextLine

LONG = 2.5  # times as long as wide
STEP = 1.5  # times as long as wide: a piece, to which comes
OVERLAP = (
    0.15  # of the width at each end: what is cut through there is whole here
)
MOST_PIECES = 24


class Piece(NamedTuple):
    """A part of an image, and what of it no other piece has."""

    box: tuple[int, int, int, int]  # left, top, right, bottom, in pixels
    begin: float  # of its own part, along the longer side, 0 to 1
    end: float

    def own_lines(
        self, lines: Iterable[TextLine], size: tuple[int, int]
    ) -> list[TextLine]:
        """Lines of this piece by their place in an image of some size.

        Those alone that have their middle in its own part.
        """
        found = []
        for line in lines:
            box = self._moved(line.box, size)
            along = box[::2] if size[0] > size[1] else box[1::2]
            if self.begin <= sum(along) / 4 < self.end:
                found.append(line._replace(box=box))
        return found

    def _moved(
        self, box: tuple[float, ...], size: tuple[int, int]
    ) -> tuple[float, ...]:
        left, top, right, bottom = self.box
        if self.box == (0, 0, *size):
            return box
        width, height = size
        xs = [(left + x * (right - left)) / width for x in box[::2]]
        ys = [(top + y * (bottom - top)) / height for y in box[1::2]]
        corners = zip(xs, ys, strict=True)
        return tuple(round(one, 5) for corner in corners for one in corner)


def cut_in_pieces(width: int, height: int) -> list[Piece]:
    """All of an image of that size: one piece, or several if it is long."""
    short, long = sorted((width, height))
    if not is_long(width, height):
        return [Piece((0, 0, width, height), 0, 2)]
    step = max(STEP * short, long / MOST_PIECES)
    overlap = OVERLAP * short
    pieces = []
    begin = 0.0
    while begin < long:
        end = begin + step
        is_last = end + overlap >= long
        low = int(max(0, begin - overlap))
        high = int(min(long, end + overlap))
        box = (0, low, width, high)
        if width > height:
            box = (low, 0, high, height)
        # The last has what is left.
        own = begin / long, 2 if is_last else end / long
        pieces.append(Piece(box, *own))
        if is_last:
            break
        begin = end
    return pieces


def is_long(width: int, height: int) -> bool:
    """Whether a small copy of such an image shows nothing of its letters."""
    return max(width, height) > LONG * min(width, height)
