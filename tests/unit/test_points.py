"""Where a photo stands among the newest is one number, and hardly ever the same for two."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_search.points import point_id, sort_key

TIMES = st.datetimes(max_value=datetime(9999, 12, 31)).map(
    lambda time: time.replace(microsecond=0)
)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1)


@given(TIMES, NAMES, NAMES)
def test_a_later_photo_has_a_larger_key(
    time: datetime, one: str, other: str
) -> None:
    """Whatever the names, the time decides, to the second, and Qdrant can hold the number."""
    later = time + timedelta(seconds=1)
    keys = sort_key(time.isoformat(), one), sort_key(later.isoformat(), other)
    assert 0 <= keys[0] < keys[1] < 2**63


@pytest.mark.parametrize(
    "name", ["IMG_{:04}.jpg", "trip/{}.jpg", "2024-05-01 12.30 ({}).png", "{}"]
)
def test_a_burst_is_in_its_order(name: str) -> None:
    """Of photos of one second the one with the higher number is the newer."""
    keys = [
        sort_key("2024-05-01T12:30:00", name.format(number))
        for number in range(1000)
    ]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "name", ["{:06}.jpg", "{:06x}q.jpg", "folder {0}/IMG_0001.jpg"]
)
def test_few_photos_of_one_time_have_one_key(name: str) -> None:
    """Of 100,000 photos of one second hardly a handful share their place."""
    counts: dict[int, int] = {}
    for number in range(100_000):
        key = sort_key("2024-05-01T12:30:00", name.format(number))
        counts[key] = counts.get(key, 0) + 1
    assert max(counts.values()) < 200


def test_an_id_goes_by_the_name() -> None:
    """A photo that changes keeps its point, and two photos never share one."""
    assert point_id("a.jpg") == point_id("a.jpg") != point_id("b/a.jpg")
