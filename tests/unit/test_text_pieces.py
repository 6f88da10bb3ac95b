"""Long pictures are read in pieces, and each line of them once."""

import pytest

from image_search.text_lines import TextLine
from image_search.text_pieces import MOST_STRETCHED, cut_in_pieces, stretch


@pytest.mark.parametrize(
    "size",
    [(4000, 3000), (1080, 1920), (100, 100), (900, 340), (15000, 1080)],
)
def test_a_photo_is_one_piece(size: tuple[int, int]) -> None:
    """All of it, and its lines stay where they are; a wide one is not cut through them."""
    [piece] = cut_in_pieces(*size)
    assert piece.box == (0, 0, *size)
    line = TextLine("a", (0, 0.9, 1, 0.9, 1, 1, 0, 1), 1)
    assert piece.own_lines([line], size) == [line]


@pytest.mark.parametrize("size", [(1080, 15000), (400, 1100), (10, 60000)])
def test_each_line_of_a_long_picture_is_read_once(
    size: tuple[int, int],
) -> None:
    """Whole in one piece at least, and taken from one piece alone."""
    width, height = size
    thick = 0.04 * width  # of a line, in pixels
    pieces = cut_in_pieces(*size)
    assert 1 < len(pieces) <= 25
    shares = [thick, height / 3, height / 2, 0.777 * height, height - thick]
    for middle in shares:
        found = []
        for piece in pieces:
            _, top, _, bottom = piece.box
            low = (middle - thick / 2 - top) / (bottom - top)
            high = (middle + thick / 2 - top) / (bottom - top)
            if high < 0 or low > 1:
                continue  # nothing of it is in this one
            box: tuple[float, ...] = (0, low, 1, low, 1, high, 0, high)
            own = piece.own_lines([TextLine("a line", box, 1)], size)
            if own:
                assert low >= 0
                assert high <= 1
            found += own
        [line] = found
        at = sum(line.box[1::2]) / 4
        assert at == pytest.approx(middle / height, abs=1e-3)


def test_a_wide_picture_is_looked_at_larger() -> None:
    """So that its letters are as large as another one's, up to a limit."""
    assert stretch(4000, 3000) == stretch(1000, 8000) == 1
    assert stretch(10000, 1000) == 4
    assert stretch(90000, 10) == MOST_STRETCHED
