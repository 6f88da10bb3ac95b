"""What stays is never looked at by the garbage collector; what comes and goes still is."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_search.clip import DualEncoder, load_tower
from image_search.garbage import all_stays


class Node:
    """One that refers to itself: only the collector finds that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the collector of the tests as it was."""
    yield
    gc.enable()
    gc.unfreeze()


def test_what_is_made_meanwhile_is_not_looked_at() -> None:
    """Not even when the collector is asked to; what is made later is."""
    with all_stays():
        assert not gc.isenabled()
        kept = Node()
    assert gc.isenabled()
    reference = weakref.ref(kept)
    assert kept not in gc.get_objects()
    del kept
    gc.collect()
    assert reference()
    other = weakref.ref(Node())
    gc.collect()
    assert other() is None


def test_it_looks_again_after_a_failure() -> None:
    """Loading that fails leaves it at work."""
    with pytest.raises(ValueError, match="no model"), all_stays():
        raise ValueError("no model")
    assert gc.isenabled()


def test_a_model_stays(tiny_clip: Path) -> None:
    """Once it is loaded the collector has nothing of it to look at."""
    load_tower.cache_clear()
    tower = load_tower(DualEncoder("tiny", tiny_clip).on("cpu"), "text")
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    looked_at = {id(one) for one in gc.get_objects()}
    assert not looked_at & {id(layer) for layer in tower.model.modules()}
