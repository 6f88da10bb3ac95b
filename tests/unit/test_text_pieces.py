"""Long pictures are read in pieces, and each line of them once."""

import pytest

from image_search.text_lines import TextLine
from image_search.text_pieces import cut_in_pieces


@pytest.mark.parametrize("size", [(4000, 3000), (1080, 1920), (100, 100)])
def test_a_photo_is_one_piece(size: tuple[int, int]) -> None:
    """All of it, and its lines stay where they are."""
    [piece] = cut_in_pieces(*size)
    assert piece.box == (0, 0, *size)
    line = TextLine("a", (0, 0.9, 1, 0.9, 1, 1, 0, 1), 1)
    assert piece.own_lines([line], size) == [line]


@pytest.mark.parametrize("size", [(1080, 15000), (15000, 1080), (10, 60000)])
def test_each_line_of_a_long_picture_is_read_once(
    size: tuple[int, int],
) -> None:
    """Whole in one piece at least, and taken from one piece alone."""
    width, height = size
    short, long = sorted(size)
    thick = 0.04 * short  # of a line, in pixels
    pieces = cut_in_pieces(*size)
    assert 1 < len(pieces) <= 25
    for middle in [thick, long / 3, long / 2, 0.777 * long, long - thick]:
        found = []
        for piece in pieces:
            left, top, right, bottom = piece.box
            begin, end = (left, right) if width > height else (top, bottom)
            low = (middle - thick / 2 - begin) / (end - begin)
            high = (middle + thick / 2 - begin) / (end - begin)
            if high < 0 or low > 1:
                continue  # nothing of it is in this one
            box: tuple[float, ...] = (0, low, 1, low, 1, high, 0, high)
            if width > height:
                box = (low, 0, high, 0, high, 1, low, 1)
            own = piece.own_lines([TextLine("a line", box, 1)], size)
            if own:
                assert low >= 0
                assert high <= 1
            found += own
        [line] = found
        along = line.box[::2] if width > height else line.box[1::2]
        assert sum(along) / 4 == pytest.approx(middle / long, abs=1e-3)
