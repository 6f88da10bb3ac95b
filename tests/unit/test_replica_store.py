"""A collection is read without being touched, once it is there and of this model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from image_search.filters import READABLE
from image_search.points import PAYLOAD_INDEXES
from image_search.replica_store import ReplicaStore
from image_search.server_layout import Layout
from image_search.server_store import ServerStore
from image_search.settings import StartupError
from image_search.store import Query
from image_search.store_errors import CollectionMissing, StoreRefuses
from tests.qdrant_standin import WRITES, QdrantStandIn
from tests.unit.memory_store import id_of, payload_of

OURS, THEIRS = Layout(model="/a@123456789abc"), Layout(model="/b@abcabcabcabc")
NAMES = "a.jpg", "trips/b.jpg"


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    server = QdrantStandIn("a writer's", "a reader's")
    yield server
    server.stop()


@pytest.fixture
def replica(server: QdrantStandIn) -> Iterator[ReplicaStore]:
    store = ReplicaStore(server.url, "a reader's", "photos", 4, OURS)
    yield store
    store.close()


def fill(server: QdrantStandIn, layout: Layout = OURS) -> None:
    """What an indexer does."""
    store = ServerStore(server.url, "a writer's", "photos", 4, layout)
    store.check()
    store.close()
    points = [
        models.PointStruct(
            id=str(id_of(name)),
            vector={"embedding": np.eye(4)[number].tolist()},
            payload=payload_of(name),
        )
        for number, name in enumerate(NAMES)
    ]
    unreadable = models.PointStruct(
        id=str(id_of("c.jpg")),
        vector={},
        payload=payload_of("c.jpg", error="x"),
    )
    with server.turn:
        server.qdrant.upsert("photos", [*points, unreadable])


def test_a_collection_that_is_to_come_is_waited_for(
    server: QdrantStandIn, replica: ReplicaStore
) -> None:
    """Until an indexer has made it each answer says who makes it; then all is well."""
    asks: list[Any] = [
        replica.check,
        replica.count,
        lambda: replica.search(None, 1),
    ]
    for ask in asks:
        with pytest.raises(CollectionMissing, match="ROLE=index"):
            ask()
    fill(server)
    replica.check()
    assert replica.count() == 3
    found = replica.search(np.eye(4, dtype=np.float32)[1], 1)
    assert found[0].payload.filename == "trips/b.jpg"


def test_nothing_is_written(
    server: QdrantStandIn, replica: ReplicaStore
) -> None:
    """A key that may only read is enough."""
    fill(server)
    server.calls.clear()
    replica.check()
    replica.search(None, 10)
    assert replica.folders() == {"trips": 1}
    assert {*replica.names_and_digests()} == {
        (one, f"{one}'s") for one in NAMES
    }
    assert replica.count(READABLE) == 2
    assert not {*server.calls} & WRITES
    assert {*server.indexes} == {*PAYLOAD_INDEXES}


def test_another_model_is_never_compared(
    server: QdrantStandIn, replica: ReplicaStore
) -> None:
    """Refused at the start, and while it runs: vectors of one length may be of two models."""
    fill(server)
    replica.check()
    with server.turn:
        server.qdrant.delete_collection("photos")
    with pytest.raises(CollectionMissing):
        replica.check()
    fill(server, THEIRS)
    with pytest.raises(StartupError, match="has vectors of /b"):
        replica.check()
    with pytest.raises(StoreRefuses, match="has vectors of /b"):
        replica.search(np.eye(4, dtype=np.float32)[1], 1)
    with pytest.raises(StoreRefuses, match="has vectors of /b"):
        replica.query_all([Query(1)])
    with server.turn:
        server.qdrant.delete_collection("photos")
    fill(server)
    replica.check()
    assert len(replica.search(None, 10)) == 3


def test_an_indexer_with_another_model_is_refused(
    server: QdrantStandIn,
) -> None:
    """Neither may it write its vectors beside those of the first."""
    fill(server)
    other = ServerStore(server.url, "a writer's", "photos", 4, THEIRS)
    with pytest.raises(StartupError, match="set CLIP_MODEL to that one"):
        other.check()
    other.close()


def test_a_collection_of_a_version_before_is_marked(
    server: QdrantStandIn, replica: ReplicaStore
) -> None:
    """One that tells no model is searched, and told its model by the next indexer."""
    fill(server, Layout())
    replica.check()
    fill(server, OURS)
    fill(server, OURS)
    metadata = server.qdrant.get_collection("photos").config.metadata
    assert metadata == {"image_search_model": OURS.model}
