"""What a place has in the index is its own: no other place's photos count."""

from image_search.filters import UNREADABLE
from image_search.place_points import PlacePoints
from tests.unit.memory_store import MemoryStore


def test_a_place_counts_its_own_photos() -> None:
    """By the first folder of their names; without a name all photos are the place's."""
    store = MemoryStore()
    store.put("family/a.jpg")
    store.put("family/deep/b.jpg", error="it is cut off")
    store.put("work/family/c.jpg")
    family, whole = PlacePoints(store, "family"), PlacePoints(store, "")
    assert (family.count(), whole.count()) == (2, 3)
    assert family.count(UNREADABLE) == 1
    assert family.names(UNREADABLE, 10) == {"family/deep/b.jpg"}
    assert PlacePoints(store, "work").names(UNREADABLE, 10) == set()
