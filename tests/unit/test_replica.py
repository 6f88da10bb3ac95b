"""What a process that only searches knows follows the collection."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from image_search.filters import EVERYTHING, Filter
from image_search.remarks import Remarks
from image_search.replica import Replica
from image_search.settings import StartupError
from image_search.status import Equipment, StatusBoard
from image_search.status_fields import Status
from image_search.store_errors import CollectionMissing, StoreRefuses
from tests.unit.memory_store import MemoryStore
from tests.unit.test_floor import ChanceEmbedder

NOTHING_YET = "there is no collection yet"


class SharedStore(MemoryStore):
    """One that others fill; it can be read as a whole."""

    reads = 0
    refusal: Exception | None = None

    def check(self, *, is_set_up: bool = True) -> None:
        for failure in (self.refusal, self.failure):
            if failure:
                raise failure

    def count(self, where: Filter = EVERYTHING) -> int:
        if self.failure:
            raise self.failure
        return super().count(where)

    def names_and_digests(self) -> Iterator[tuple[str, str]]:
        self.reads += 1
        for name, (payload, _) in self.points.items():
            yield name, payload["sha256"]


@pytest.fixture
def store() -> SharedStore:
    return SharedStore()


@pytest.fixture
def replica(store: SharedStore) -> Replica:
    embedder: Any = ChanceEmbedder()
    board = StatusBoard(store, Equipment("", "", "", ""))
    return Replica(store, Remarks(embedder, store), board)


def put(store: SharedStore, *names: str) -> None:
    embedder: Any = ChanceEmbedder()
    for name in names:
        store.put(name, embedder.embed_query(name))


def look(replica: Replica) -> Status:
    asyncio.run(replica.look())
    return asyncio.run(replica.board.refresh())


def test_what_is_counted_is_told(replica: Replica, store: SharedStore) -> None:
    """Photos of the store; what only an indexer knows is not made up."""
    put(store, "a.jpg", "b.jpg")
    store.put("c.jpg", error="it is cut off")
    now = look(replica)
    assert (now.state, now.photos, now.indexed) == ("ready", 3, 2)
    assert (now.waiting, now.skipped, now.places) == (0, 1, [])
    assert replica.board.unfinished() is None
    assert replica.remarks.indexed == 2


def test_of_nothing_it_is_not_said_that_this_is_all(
    replica: Replica, store: SharedStore
) -> None:
    """An empty collection is one that is still to be filled."""
    asyncio.run(replica.start())
    assert look(replica).state == "indexing"
    assert replica.board.unfinished() == "0"
    put(store, "a.jpg")
    assert look(replica).state == "ready"
    assert replica.board.unfinished() is None


def test_what_is_not_there_yet_is_waited_for(
    replica: Replica, store: SharedStore
) -> None:
    """It is said, and forgotten once it is there."""
    store.failure = CollectionMissing(NOTHING_YET)
    asyncio.run(replica.start())
    assert look(replica).last_error == NOTHING_YET
    store.failure = None
    put(store, "a.jpg")
    assert look(replica).last_error is None


@pytest.mark.parametrize(
    "failure", [StartupError("another model"), StoreRefuses("another key")]
)
def test_what_will_not_pass_is_said_at_the_start(
    replica: Replica, store: SharedStore, failure: Exception
) -> None:
    """It does not start; while it runs it says so, and goes on once that has passed."""
    store.refusal = failure
    with pytest.raises(StartupError, match=r"another (model|key)"):
        asyncio.run(replica.start())
    assert "another" in (look(replica).last_error or "")
    store.refusal = None
    assert look(replica).last_error is None


def test_names_are_followed(replica: Replica, store: SharedStore) -> None:
    """Photos that came, went or were replaced are known, and a page hears of each change."""
    put(store, "beach.jpg", "cat.jpg")
    replica.read(2)
    assert replica.remarks.names.find("beach", 9) == ["beach.jpg"]
    assert replica.progress.last_change is None
    replica.read(2)
    assert replica.progress.last_change is None
    del store.points["beach.jpg"]
    put(store, "desert.jpg")
    replica.read(2)
    assert replica.remarks.names.find("beach", 9) == []
    assert replica.remarks.names.find("desert", 9) == ["desert.jpg"]
    before = replica.progress.last_change
    assert before is not None
    store.put("cat.jpg", store.points["cat.jpg"][1], sha256="another")
    replica.read(2)
    assert replica.progress.last_change != before


def test_names_are_read_when_their_number_changes(
    replica: Replica, store: SharedStore
) -> None:
    """And not at each look: a large collection takes a while to read."""

    async def run() -> None:
        for _ in range(3):
            await replica._read_if_due(1)
        assert store.reads == 1
        replica._earliest = 0.0
        await replica._read_if_due(2)
        assert store.reads == 2
        replica._latest = 0.0
        await replica._read_if_due(2)
        assert store.reads == 3

    put(store, "a.jpg")
    asyncio.run(run())
