"""What is under way is bounded by its bytes, not only by how many photos it is."""

from hypothesis import given
from hypothesis import strategies as st

from image_search.in_flight import (
    INFLIGHT_BYTES,
    LARGE,
    LEAST_ROWS,
    MOST_BYTES,
    MOST_ROWS,
    rows_in_flight,
)
from image_search.sources import MAX_FILE_BYTES

SIZES = st.lists(st.integers(0, MAX_FILE_BYTES), max_size=200)


@given(SIZES)
def test_whichever_are_under_way_fit(sizes: list[int]) -> None:
    """Any so many of the files fit together; one that is too large for that is alone."""
    rows = rows_in_flight(sizes)
    assert 1 <= rows <= MOST_ROWS
    largest = sorted(sizes, reverse=True)
    assert rows == 1 or sum(largest[:rows]) <= MOST_BYTES
    # And hardly fewer than can be.
    more = rows + 1 if rows < LEAST_ROWS else 2 * rows
    assert rows == MOST_ROWS or sum(largest[:more]) > MOST_BYTES


def test_photos_of_ordinary_size_are_held_back_by_none() -> None:
    """What is not large has so many under way, whichever photos it is; small ones all."""
    assert rows_in_flight([LARGE] * 100) == LEAST_ROWS
    assert rows_in_flight([MOST_BYTES // MOST_ROWS] * 200) == MOST_ROWS
    assert rows_in_flight([]) == MOST_ROWS


def test_no_file_takes_all_that_cocoindex_lets_in() -> None:
    """Its limit leaves room for every row beside the largest file, or two would wait for ever."""
    details = 2**10  # of a row, beside its content
    assert MOST_ROWS * details < INFLIGHT_BYTES - MAX_FILE_BYTES
