"""A Qdrant server that is lost, away, or somebody else's: it is said, and heals by itself."""

import random
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from qdrant_client import models

from image_search.points import PAYLOAD_INDEXES
from tests.harness import App, NewApp, Postgres, eventually, names
from tests.qdrant_standin import QdrantStandIn

FEW = ("cat.png", "coffee.png", "rocket.jpg")
COLLECTION = "image_search"
THEIR_SHAPE = {
    "theirs": models.VectorParams(size=4, distance=models.Distance.DOT)
}
SOON = 30


class Served(NamedTuple):
    """An app with short polls, and the server on which its points lie."""

    app: App
    qdrant: QdrantStandIn

    def is_whole(self) -> bool:
        """Whether each photo is found once, and nothing is wrong."""
        return (
            self.app.get("/search").is_success
            and sorted(self.app.photos()) == sorted(FEW)
            and self.app.status()["last_error"] is None
        )

    def leaves_it_alone(self) -> bool:
        return "left alone" in (self.app.status()["last_error"] or "")


@pytest.fixture(scope="module")
def served(new_app: NewApp) -> Iterator[Served]:
    """Each test leaves it as it was."""
    qdrant = QdrantStandIn()
    app = new_app(*FEW, QDRANT_URL=qdrant.url, REFRESH_SECONDS="1").start()
    app.finds(*FEW)
    yield Served(app, qdrant)
    app.stop()
    qdrant.stop()


def test_a_lost_collection_fills_itself_again(served: Served) -> None:
    """Deleted or emptied while the app runs or rests, a collection is made and filled anew."""
    app, qdrant = served
    table = app.data / "vectors.sqlite-wal"  # each embedding is written there
    made = table.stat()
    qdrant.refused.add("Create")
    qdrant.qdrant.delete_collection(COLLECTION)
    eventually(lambda: "is gone" in (app.status()["last_error"] or ""), SOON)
    health = app.get("/health")
    assert health.status_code == 503
    said = (
        f"Qdrant at {qdrant.url} can't answer: the collection image_search is gone and"
        " is being filled again."
    )
    assert health.json()["detail"] == said
    qdrant.refused.clear()
    eventually(served.is_whole, SOON)
    everything = models.FilterSelector(filter=models.Filter())
    qdrant.qdrant.delete(COLLECTION, everything)
    eventually(served.is_whole, SOON)
    now = table.stat()
    assert (now.st_size, now.st_mtime_ns) == (made.st_size, made.st_mtime_ns)
    app.stop()
    qdrant.qdrant.delete_collection(COLLECTION)
    qdrant.indexes.clear()
    app.start()
    eventually(served.is_whole, SOON)
    assert qdrant.indexes == PAYLOAD_INDEXES
    assert names(app.search("cat"))[0] == "cat.png"


def test_a_collection_of_somebody_elses_is_left_alone(served: Served) -> None:
    """Recreated by others in another shape, while the app runs: said in the status, not touched."""
    app, qdrant = served
    theirs = models.PointStruct(id=1, vector={"theirs": [1.0] * 4})
    with qdrant.turn:
        qdrant.qdrant.delete_collection(COLLECTION)
        qdrant.qdrant.create_collection(COLLECTION, vectors_config=THEIR_SHAPE)
        qdrant.qdrant.upsert(COLLECTION, [theirs])
    eventually(lambda: app.get("/health").status_code == 503, SOON)
    eventually(served.leaves_it_alone, SOON)
    app.add("flower.jpg", "new.jpg")
    eventually(served.leaves_it_alone, SOON)
    assert qdrant.qdrant.count(COLLECTION).count == 1
    shape = qdrant.qdrant.get_collection(COLLECTION).config.params.vectors
    assert shape == THEIR_SHAPE
    (app.img / "new.jpg").unlink()
    qdrant.qdrant.delete_collection(COLLECTION)
    eventually(served.is_whole, SOON)


def test_points_of_somebody_elses_are_left_alone(served: Served) -> None:
    """Whatever others put beside our photos: searches and indexing go on, and it is said."""
    app, qdrant = served
    shape = qdrant.qdrant.get_collection(COLLECTION).config.params.vectors
    [ours, _] = qdrant.qdrant.scroll(COLLECTION, with_vectors=True)
    vector: Any = ours[0].vector
    payloads = [{"no": 1}, {"filename": "theirs.jpg"}, ours[0].payload]
    theirs = [
        models.PointStruct(id=number, vector=vector, payload=payload)
        for number, payload in enumerate(payloads)
    ]
    cat = names(app.search("cat"))
    with qdrant.turn:
        qdrant.qdrant.upsert(COLLECTION, theirs)
    assert names(app.search("cat")) == cat
    assert sorted(app.photos()) == sorted(FEW)
    alike = app.get("/search", like="cat.png")
    assert len(alike.json()["results"]) == len(FEW) - 1
    status = app.status()
    [said] = status["notices"]
    assert said.startswith("3 points in the collection image_search are not")
    assert (status["photos"], status["last_error"]) == (len(FEW), None)
    app.add("flower.jpg", "new.jpg")
    app.finds(*FEW, "new.jpg", within=SOON)
    eventually(lambda: app.status()["state"] == "ready", SOON)

    # Lost, and made anew by others: ours are filled again beside theirs.
    with qdrant.turn:
        qdrant.qdrant.delete_collection(COLLECTION)
        qdrant.qdrant.create_collection(COLLECTION, vectors_config=shape)
        qdrant.qdrant.upsert(COLLECTION, theirs)
    for asked in ({"q": "cat"}, {}):
        answer = app.get("/search", **asked)  # never an empty answer meanwhile
        assert answer.status_code == 503 or answer.json()["results"]
    app.finds(*FEW, "new.jpg", within=SOON)
    kept = qdrant.qdrant.retrieve(COLLECTION, [0, 1, 2])
    assert [one.payload for one in kept] == payloads
    (app.img / "new.jpg").unlink()
    app.finds(*FEW, within=SOON)
    qdrant.qdrant.delete(COLLECTION, models.PointIdsList(points=[0, 1, 2]))
    eventually(served.is_whole, SOON)
    assert app.status()["notices"] == []


def test_strict_mode_is_no_obstacle(served: Served) -> None:
    """Switched on while the app runs, and there when it starts: all goes on."""
    app, qdrant = served
    qdrant.strict = models.StrictModeConfig(
        enabled=True,
        max_query_limit=10,
        search_allow_exact=False,
        unindexed_filtering_retrieve=False,
        max_payload_index_count=100,
    )
    app.add("flower.jpg", "trips/new.jpg")
    app.finds(*FEW, "trips/new.jpg", within=SOON)
    app.stop()
    app.start()
    for asked in (
        {"q": "cat", "sort": "newest"},
        {"like": "cat.png"},
        {"folder": "trips"},
        {"q": "cat", "minus": "dog", "offset": 2},
    ):
        answer = app.get("/search", **asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["results"], asked
    (app.img / "trips" / "new.jpg").unlink()
    eventually(served.is_whole, SOON)
    qdrant.strict = None


def test_qdrant_may_start_later(new_app: NewApp) -> None:
    """The app waits a while for a Qdrant that isn't there yet, and then goes on."""
    qdrant = QdrantStandIn()
    qdrant.stop()
    app = new_app(*FEW, QDRANT_URL=qdrant.url)
    app.begin()
    eventually(lambda: app.programs("postgres"))
    qdrant.start()
    eventually(lambda: app.get("/health").status_code == 200)
    app.finds(*FEW)
    app.stop()
    qdrant.stop()


def test_any_node_of_a_cluster_may_be_away(
    new_app: NewApp, postgres_url: str
) -> None:
    """The collection is as the settings say; each node in turn is stopped, and all goes on."""
    first = QdrantStandIn()
    nodes = [first, QdrantStandIn(beside=first), QdrantStandIn(beside=first)]
    app = new_app(
        *FEW,
        QDRANT_URL=",".join(node.url for node in nodes),
        QDRANT_SHARDS="3",
        QDRANT_REPLICAS="2",
        QDRANT_ON_DISK="true",
        COCOINDEX_DATABASE_URL=postgres_url,
        REFRESH_SECONDS="1",
    ).start()
    app.finds(*FEW)
    made = first.made[COLLECTION]
    assert (made.shard_number, made.replication_factor) == (3, 2)
    assert made.quantization_config.HasField("scalar")
    assert made.vectors_config.params_map.map["embedding"].on_disk
    added = []
    for number, node in enumerate(nodes):
        node.stop()
        assert names(app.search("cat"))[0] == "cat.png"
        added.append(f"{number}.jpg")
        app.add("motorcycle.jpg", added[-1], alike=False)
        app.finds(*FEW, *added, within=SOON)
        if node is first:
            assert node.url in " ".join(app.status()["notices"])
        assert app.get("/health").status_code == 200
        node.start()
    # Before it was set up as after: the state goes by the first address.
    app.stop()
    first.stop()
    app.start().finds(*FEW, *added, within=SOON)
    assert "RpcError" not in app.log.read_text()
    app.stop()
    for node in nodes:
        node.stop()


def test_servers_come_and_go(
    new_app: NewApp, postgres_server: Postgres, postgres_url: str
) -> None:
    """Qdrant and Postgres each stopped twenty times at any moment: honest 503s, nothing lost."""
    qdrant = QdrantStandIn()
    app = new_app(
        *FEW,
        QDRANT_URL=qdrant.url,
        COCOINDEX_DATABASE_URL=postgres_url,
        REFRESH_SECONDS="1",
    ).start()
    app.finds(*FEW)
    moments = random.Random(20)
    away = {
        f"Qdrant at {qdrant.url} can't be reached: {reason}."
        for reason in ("connection refused", "it closed the connection")
    }
    added = []
    for number in range(20):
        added.append(f"{number}.jpg")
        app.add("motorcycle.jpg", added[-1], alike=False)
        # Somewhere in the work on that photo.
        threading.Event().wait(moments.uniform(0, 0.5))
        qdrant.stop()
        if number % 2:
            postgres_server.stop()
            postgres_server.start()
        answer = app.get("/search", q="cat")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["detail"] in away
        assert app.get("/health").status_code == 503
        qdrant.start()
        if not number % 2:
            threading.Event().wait(moments.uniform(0, 0.5))
            postgres_server.stop()
            postgres_server.start()
    app.finds(*FEW, *added)
    app.stop()
    qdrant.stop()
    log = app.log.read_text()
    assert "Indexing waits: Qdrant at" in log
    assert "RpcError" not in log
    assert "UNAVAILABLE" not in log
