"""A collection is made as the settings say, whoever makes it; and is searched to match."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from image_search.server_layout import Layout, quantization_of
from image_search.server_store import ServerStore
from tests.qdrant_standin import QdrantStandIn
from tests.unit.memory_store import id_of, payload_of

PLAIN_VECTOR = models.VectorParams(size=4, distance=models.Distance.COSINE)
LARGE = Layout(shards=6, replicas=2, on_disk=True)
VECTOR = np.array([1, 0, 0, 0], np.float32)

StoreWith = Callable[..., ServerStore]


@pytest.fixture
def store_with(server: QdrantStandIn) -> Iterator[StoreWith]:
    """Makes a store with some settings; all are closed in the end."""
    with contextlib.ExitStack() as stack:

        def make(layout: Layout, api_key: str | None = None) -> ServerStore:
            store = ServerStore(server.url, api_key, "photos", 4, layout)
            stack.callback(store.close)
            return store

        yield make


@pytest.fixture
def store(store_with: StoreWith) -> ServerStore:
    return store_with(LARGE)


def config_of(store: ServerStore) -> models.CollectionConfig:
    return store.qdrant.ask(lambda one: one.get_collection("photos")).config


def make_as_cocoindex_does(store: ServerStore) -> None:
    """Through what CocoIndex is given for its server, and plainly."""
    url = store.url_for_cocoindex
    client = QdrantClient(
        url,
        grpc_port=urlsplit(url).port or 0,
        prefer_grpc=True,
        check_compatibility=False,
    )
    client.create_collection("photos", {"embedding": PLAIN_VECTOR})
    client.close()


def test_whoever_makes_it_makes_the_same(
    server: QdrantStandIn, store_with: StoreWith
) -> None:
    """CocoIndex's setup, and a check that finds it lost: each number reaches Qdrant.

    CocoIndex gets the server by reference: no API key comes into its database. It takes
    one server a process, so that no other test may ask for a target.
    """
    store = store_with(LARGE, "a key")
    target = store.target(is_set_up=False)
    assert target.collection_name == "photos"
    assert "a key" not in repr(target)
    make_as_cocoindex_does(store)
    config = config_of(store)
    assert config.params.shard_number == 6
    assert config.params.replication_factor == 2
    assert config.params.write_consistency_factor == 1
    assert config.params.on_disk_payload
    assert config.hnsw_config.on_disk
    vectors: Any = config.params.vectors
    assert vectors["embedding"].on_disk
    quantization: Any = config.quantization_config
    assert quantization.scalar.type == models.ScalarType.INT8
    assert quantization.scalar.always_ram
    server.qdrant.delete_collection("photos")
    server.made.clear()
    store.check()
    assert config_of(store) == config
    assert store.notice() is None


@pytest.mark.parametrize(
    ("layout", "kind"),
    [
        (Layout(), None),
        (Layout(quantization="int8"), "int8"),
        (Layout(quantization="binary"), "binary"),
        (Layout(on_disk=True), "int8"),
        (Layout(quantization="none", on_disk=True), None),
    ],
)
def test_quantisation_costs_no_recall(
    server: QdrantStandIn,
    store_with: StoreWith,
    layout: Layout,
    kind: str | None,
) -> None:
    """The best are compared by their whole vectors, more of them than are asked for."""
    store = store_with(layout)
    store.check()
    assert quantization_of(config_of(store)) == kind
    store.search(None, 3)
    assert server.params == [None]
    for limit, offset in ((3, 0), (24, 24), (900, 100)):
        store.search(VECTOR, limit, offset=offset)
        params = server.params[-1]
        if kind is None:
            assert params is None
            continue
        assert params is not None
        assert params.quantization is not None
        assert params.quantization.rescore
        # A search asks for one more at each end.
        depth = max(0, offset - 1) + server.limits[-1]
        candidates = (params.quantization.oversampling or 0) * depth
        assert candidates >= 2 * depth
        assert candidates > 199


@pytest.mark.parametrize("is_known", [True, False])
def test_a_strict_mode_bounds_the_oversampling(
    server: QdrantStandIn, store: ServerStore, *, is_known: bool
) -> None:
    """What a collection's owner allows is kept within, even if set while the app runs."""
    store.check()
    server.strict = models.StrictModeConfig(
        enabled=True, search_max_oversampling=1.5
    )
    if is_known:
        store.check()
    assert store.search(VECTOR, 3) == []
    params = server.params[-1]
    assert params is not None
    assert params.quantization is not None
    assert params.quantization.oversampling == 1.5


def test_what_exists_is_left_as_it_is(
    server: QdrantStandIn, store_with: StoreWith, store: ServerStore
) -> None:
    """Made with other numbers, it is used; what differs is said, and what to do."""
    store_with(Layout(shards=2)).check()
    made = server.made["photos"]
    store.check()
    assert server.made["photos"] is made
    said = store.notice() or ""
    for part in (
        "The collection photos was made otherwise than the settings say",
        "it has 2 and not QDRANT_SHARDS=6",
        "it has 1 and not QDRANT_REPLICAS=2",
        "its quantisation is none and not QDRANT_QUANTIZATION=int8",
        "its vectors lie in memory and not on the disk (QDRANT_ON_DISK)",
        "Set QDRANT_COLLECTION to a new name",
    ):
        assert part in said
    point = models.PointStruct(
        id=str(id_of("a.jpg")),
        vector={"embedding": VECTOR.tolist()},
        payload=payload_of("a.jpg"),
    )
    server.qdrant.upsert("photos", [point])
    assert len(store.search(VECTOR, 1)) == store.count() == 1


def test_what_nobody_set_is_nothing_to_say(store_with: StoreWith) -> None:
    """Without these settings a collection of any making is as good as another."""
    store_with(LARGE).check()
    store = store_with(Layout())
    store.check()
    assert store.notice() is None
