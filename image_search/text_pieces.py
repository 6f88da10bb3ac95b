"""A long picture, of a chat say, is read in pieces: whole it would be too small.

A wide one is not cut, since its lines would be cut through: it is looked at larger.
"""

from collections.abc import Iterable
from typing import NamedTuple

from image_search.text_lines import TextLine

LONG = 2.5  # times as long as wide
STEP = 1.5  # times as long as wide: a piece, to which comes
OVERLAP = (
    0.15  # of the width at each end: what is cut through there is whole here
)
MOST_PIECES = 24
MOST_STRETCHED = 6.0


class Piece(NamedTuple):
    """A part of an image, and what of it no other piece has."""

    box: tuple[int, int, int, int]  # left, top, right, bottom, in pixels
    begin: float  # of its own part, from the top, 0 to 1
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
            if self.begin <= sum(box[1::2]) / 4 < self.end:
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
    if height <= LONG * width:
        return [Piece((0, 0, width, height), 0, 2)]
    step = max(STEP * width, height / MOST_PIECES)
    overlap = OVERLAP * width
    pieces = []
    begin = 0.0
    while begin < height:
        end = begin + step
        is_last = end + overlap >= height
        top = int(max(0, begin - overlap))
        bottom = int(min(height, end + overlap))
        # The last has what is left.
        own = begin / height, 2 if is_last else end / height
        pieces.append(Piece((0, top, width, bottom), *own))
        if is_last:
            break
        begin = end
    return pieces


def stretch(width: int, height: int) -> float:
    """How many times as large as others a wide image is looked at."""
    return min(MOST_STRETCHED, max(1.0, width / (LONG * max(1, height))))


def is_long(width: int, height: int) -> bool:
    """Whether a small copy of such an image shows nothing of its letters."""
    return max(width, height) > LONG * min(width, height)
