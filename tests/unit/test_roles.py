"""Each process does what its role says, and says who does the rest."""

import asyncio
from typing import Any

import pytest

from image_search.question import Search
from image_search.roles import (
    NoSearches,
    NotOfThisRole,
    board_of,
    check_at_start,
    health_of,
    refuse_retry,
    searches_of,
)
from image_search.search import Searcher
from image_search.settings import Settings, StartupError
from image_search.status import Equipment
from image_search.store_errors import StoreUnavailable
from image_search.turns import SearchTurns
from tests.unit.memory_store import MemoryStore

REQUEST: Any = None
EMBEDDER: Any = None


def settings_of(role: str, **more: str) -> Settings:
    values: dict[str, Any] = {"role": role, **more}
    return Settings(**values)


@pytest.mark.parametrize("role", ["all", "index"])
def test_who_indexes_may_have_all_of_it_embedded(role: str) -> None:
    """A store of its own is enough."""
    check_at_start(settings_of(role))


def test_who_searches_needs_a_server() -> None:
    """The embedded store is one process's alone."""
    with pytest.raises(StartupError, match="needs QDRANT_URL"):
        check_at_start(settings_of("search"))
    check_at_start(settings_of("search", qdrant_url="http://qdrant:6334"))


def test_who_indexes_answers_no_search() -> None:
    """It says who does, and is healthy as long as its store is."""
    store = MemoryStore()
    settings = settings_of("index")
    searches = searches_of(settings, Searcher(EMBEDDER, store))
    with pytest.raises(NotOfThisRole, match="ROLE=search"):
        asyncio.run(searches.search(REQUEST, Search(q="cat")))

    async def ask_health() -> None:
        await health_of(settings, searches, store)(REQUEST)

    asyncio.run(ask_health())
    store.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        asyncio.run(ask_health())


@pytest.mark.parametrize("role", ["all", "search"])
def test_who_searches_is_healthy_by_a_search(role: str) -> None:
    """Which is answered like any other."""
    store = MemoryStore()
    settings = settings_of(role)
    searches = searches_of(settings, Searcher(EMBEDDER, store))
    assert isinstance(searches, SearchTurns)
    asked = []

    class Searches(NoSearches):
        async def search(self, _: Any, query: Search, photo: Any = None) -> Any:
            asked.append(query)

    async def ask_health() -> None:
        await health_of(settings, Searches(searches.searcher), store)(REQUEST)

    asyncio.run(ask_health())
    assert [query.q for query in asked] == ["photo"]


def test_who_searches_tries_nothing_again() -> None:
    """Photos that were skipped are an indexer's."""
    with pytest.raises(NotOfThisRole, match="ROLE=index"):
        refuse_retry()


@pytest.mark.parametrize(
    ("role", "photos", "waiting"),
    [("all", 4, 1), ("index", 3, 1), ("search", 3, 0)],
)
def test_each_tells_of_what_is_its_own(
    role: str, photos: int, waiting: int
) -> None:
    """Who indexes counts what waits in its places; who only indexes tells of these alone."""
    store = MemoryStore()
    for name in ("one/a.jpg", "one/b.jpg", "two/c.jpg"):
        store.put(name)
    settings = settings_of(
        role, image_dir="one=/x", qdrant_url="http://qdrant:6334"
    )
    board = board_of(settings, store, Equipment("", "", "", ""))
    if role != "search":
        seen = {f"one/{name}.jpg": [0.0, 1.0] for name in "abd"}
        board.progress_of("one").photos = seen
    now = asyncio.run(board.refresh())
    assert (now.photos, now.waiting) == (photos, waiting)
    assert (board.unfinished() == "2 of 3") is (role != "search")
