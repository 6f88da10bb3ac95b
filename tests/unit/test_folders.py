"""The folders over HTTP: in order, limited, and never none where they may still come."""

from types import SimpleNamespace
from typing import Any

import pytest

from image_search.folders import folders
from image_search.search_errors import NotIndexedYet
from image_search.store_errors import StoreUnavailable
from tests.unit.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put("a.jpg", taken="2019-02-03T00:00:00")
    store.put("Trip 10/b.jpg", taken="2021-02-03T00:00:00")
    store.put("Trip 9/Café/c.jpg")
    store.put("Trip 9/d.jpg")
    store.put("broken/e.jpg", error="it is empty", taken="1999-01-01T00:00:00")
    return store


def asked(store: MemoryStore, so_far: str | None = None) -> Any:
    """A request of an app with this store."""
    board = SimpleNamespace(store=store, unfinished=lambda: so_far)
    state = SimpleNamespace(status_board=board)
    return SimpleNamespace(app=SimpleNamespace(state=state))


def test_folders_come_as_people_sort_them(store: MemoryStore) -> None:
    """By name and number, each above what lies in it, with counts and the range of time."""
    found = folders(asked(store))
    assert [(one.folder, one.photos) for one in found.folders] == [
        ("Trip 9", 2),
        ("Trip 9/Café", 1),
        ("Trip 10", 1),
    ]
    assert found.total == 3
    assert found.oldest is not None
    assert found.newest is not None
    assert (found.oldest.year, found.newest.year) == (2019, 2022)


def test_folders_are_found_by_words(store: MemoryStore) -> None:
    """All words have to begin a word of the path; `limit` and `offset` leave `total`."""
    for q, number in (("trip", 3), ("cafe", 1), ("tri 9", 2), ("caf x", 0)):
        found = folders(asked(store), q)
        assert (len(found.folders), found.total) == (number, number)
    page = folders(asked(store), limit=1, offset=1)
    assert [one.folder for one in page.folders] == ["Trip 9/Café"]
    assert page.total == 3


def test_none_is_no_answer_while_photos_wait() -> None:
    """No folder is an answer only once all photos are indexed; a store may be away."""
    store = MemoryStore()
    with pytest.raises(NotIndexedYet, match="0 of 9 so far"):
        folders(asked(store, "0 of 9"))
    found = folders(asked(store))
    assert (found.folders, found.oldest, found.newest) == ([], None, None)
    store.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        folders(asked(store))
