"""A minute of `make soak`: faults at random, and every search is answered rightly or honestly."""

from tests import soak


def test_a_minute_of_everything() -> None:
    """Changes, searches and faults at once: no wrong answer, nothing lost, nothing left over."""
    assert soak.main(minutes=1) == 0
