"""What is under way is bounded by its bytes, not only by how many photos it is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_search.in_flight import (
    INFLIGHT_BYTES,
    LARGE,
    LEAST_ROWS,
    MOST_BYTES,
    MOST_ROWS,
    ROW_BYTES,
    USUAL_ROWS,
    rows_for,
    rows_in_flight,
    rows_of_machine,
)
from image_search.sources import MAX_FILE_BYTES

SIZES = st.lists(st.integers(0, MAX_FILE_BYTES), max_size=200)


@given(SIZES)
def test_whichever_are_under_way_fit(sizes: list[int]) -> None:
    """Any so many of the files fit together; one that is too large for that is alone."""
    rows = rows_in_flight(sizes)
    assert 1 <= rows <= USUAL_ROWS
    largest = sorted(sizes, reverse=True)
    assert rows == 1 or sum(largest[:rows]) <= MOST_BYTES
    # And hardly fewer than can be.
    more = rows + 1 if rows < LEAST_ROWS else 2 * rows
    assert rows == USUAL_ROWS or sum(largest[:more]) > MOST_BYTES


@given(
    st.lists(st.integers(0, 2**21), min_size=500, max_size=500),
    st.sampled_from([USUAL_ROWS, 256, 1024, 4096]),
)
def test_more_rows_take_no_more_memory(sizes: list[int], most: int) -> None:
    """However many devices there are, the files fit, with what further rows hold beside them."""
    rows = rows_in_flight(sizes, most)
    assert rows <= most
    largest = sorted(sizes, reverse=True)[:rows]
    beside = max(0, len(largest) - USUAL_ROWS) * ROW_BYTES
    assert sum(largest) + beside <= MOST_BYTES
    assert rows >= rows_in_flight(sizes)


def test_photos_of_ordinary_size_are_held_back_by_none() -> None:
    """What is not large has so many under way, whichever photos it is; small ones all."""
    assert rows_in_flight([LARGE] * 100) == LEAST_ROWS
    assert rows_in_flight([MOST_BYTES // USUAL_ROWS] * 200) == USUAL_ROWS
    assert rows_in_flight([]) == USUAL_ROWS
    assert rows_in_flight([100_000] * 5000, 512) == 512


@pytest.mark.parametrize(
    ("images", "rows"),
    # Two batches of each device: of a CPU; of one GPU with 64 or 256; of eight with 64.
    [(0, 128), (2, 128), (128, 256), (512, 1024), (1024, 2048)],
)
def test_rows_feed_all_devices(images: int, rows: int) -> None:
    """There are enough for what the devices hold, and half as many to be decoded meanwhile."""
    assert rows_for(images) == rows
    assert rows >= 3 * images // 2
    assert rows_for(10**9) <= MOST_ROWS


def test_the_machines_gpus_bound_all_places_together(tmp_path: Path) -> None:
    """What CocoIndex has under way of all places is enough for the GPUs that the system lists."""
    assert rows_of_machine(tmp_path / "none") == USUAL_ROWS
    rows = []
    for number in range(10):
        (tmp_path / f"0000:{number}").mkdir()
        rows.append(rows_of_machine(tmp_path))
    assert rows == sorted(rows)
    assert rows[0] > USUAL_ROWS
    assert rows[-1] == MOST_ROWS


def test_no_file_takes_all_that_cocoindex_lets_in() -> None:
    """Its limit leaves room for every row beside the largest file, or two would wait for ever."""
    details = 2**10  # of a row, beside its content
    assert MOST_ROWS * details < INFLIGHT_BYTES - MAX_FILE_BYTES
