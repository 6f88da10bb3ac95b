"""How far several places are is told as of one."""

from datetime import datetime

from image_search.progress import Progress, merge


def test_one_place_is_its_own_sum() -> None:
    """What the index of the only place writes is what is told."""
    only = Progress(photos={"a.jpg": [0, 1]})
    assert merge([only]) is only


def test_places_add_up() -> None:
    """Photos, numbers and reasons of all; ready when each is; said once what all say."""
    early, late = datetime(2024, 1, 1), datetime(2025, 1, 1)
    family = Progress(
        photos={"family/a.jpg": [0, 1]},
        skipped={"family/x.jpg": "it is cut off"},
        left_out=1,
        not_read={"jxl": 2},
        is_ready=True,
        points=1,
        passes=3,
        last_change=early,
        notices=["the same"],
        last_error="the store is away",
    )
    work = Progress(
        photos={"work/b.jpg": [0, 1], "work/c.jpg": [0, 1]},
        left_out=2,
        not_read={"jxl": 1, "psd": 1},
        points_before=1,
        pass_began=7.0,
        passes=1,
        last_change=late,
        notices=["the same", "another"],
        last_error="the store is away",
    )
    both = merge([family, work])
    assert {*both.photos} == {"family/a.jpg", "work/b.jpg", "work/c.jpg"}
    assert both.skipped == family.skipped
    assert (both.left_out, both.passes) == (3, 4)
    assert both.not_read == {"jxl": 3, "psd": 1}
    assert not both.is_ready
    # Only where photos wait is something under way.
    assert (both.points_before, both.pass_began) == (2, 7.0)
    assert both.last_change == late
    assert both.notices == ["the same", "another"]
    assert both.last_error == "the store is away"


def test_nothing_looked_at_is_not_ready() -> None:
    """Before any place was looked at there is no telling."""
    assert not merge([]).is_ready
