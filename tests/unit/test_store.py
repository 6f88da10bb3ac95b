"""Points go in and come out the same way, whatever engine holds them; each fault has its name."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cocoindex.op import TargetStateCompatibility
from qdrant_client import models

from image_search.around import NotAmong, rank_by_score, rank_by_time
from image_search.clip import Embedding, l2_normalize
from image_search.edge_store import EdgeStore
from image_search.edge_target import Points, QdrantEdge, QdrantEdgeConnector
from image_search.engines import open_store
from image_search.filters import (
    DAMAGED,
    EVERYTHING,
    READABLE,
    UNREADABLE,
    Circle,
    Condition,
    Filter,
    lies_in,
)
from image_search.months import count_months
from image_search.points import PAYLOAD_INDEXES, Payload
from image_search.search import CANDIDATES
from image_search.server_store import ServerStore
from image_search.settings import Settings, StartupError
from image_search.state import EmbeddedStores
from image_search.store import Point, Query, Store
from image_search.store_errors import (
    CollectionMissing,
    ForeignPoint,
    StoreRefuses,
    StoreUnavailable,
)
from tests.qdrant_standin import QdrantStandIn
from tests.unit.memory_store import MemoryStore, id_of, payload_of

DIMENSION = 24
ROUNDING = 0.01  # the embedded store keeps a byte of each number


def made_in(lat: float, lon: float, camera: str) -> dict[str, Any]:
    """The details of a photo that was taken there."""
    return {"camera": camera, "place": {"lat": lat, "lon": lon}}


TWINS = [f"twins/{number}.jpg" for number in range(9)]
BROKEN = ["broken/a.jpg", "broken/b.jpg"]
PAYLOADS = {
    payload["filename"]: payload
    for payload in (
        payload_of(
            "cat.jpg",
            taken="2024-05-01T12:00:00",
            width=640,
            height=480,
            details=made_in(-17.0, 179.9, "Canon EOS 5D"),
        ),
        payload_of(
            "trips/rome/a.jpg",
            taken="2019-05-01T12:00:00",
            details=made_in(41.9, 12.5, "Canon EOS 5D"),
        ),
        payload_of(
            "trips/rome/b.jpg",
            taken="2021-05-01T12:00:00",
            details=made_in(41.99, 12.5, "Canon EOS 5D Mark II"),
        ),
        payload_of(
            "trips/rome 2/c.jpg",
            taken="2020-05-01T12:00:00",
            details=made_in(89.99, 0.0, "Apple iPhone 7"),
        ),
        *(payload_of(name) for name in TWINS),
        payload_of(BROKEN[0], error="it is truncated", width=0, height=0),
        payload_of(BROKEN[1], error="it is empty", width=0, height=0),
    )
}
A_FEW = ["cat.jpg", "trips/rome/a.jpg", *BROKEN]
FINE = {*PAYLOADS} - {*BROKEN}
PAYLOADS["trips/rome/b.jpg"]["damaged"] = True
PAYLOADS["trips/rome/a.jpg"]["damaged"] = False  # others don't say, as before


def make_vectors() -> dict[str, Embedding]:
    """A vector for each photo that can be read; that of the twins is one."""
    chance = np.random.default_rng(0)
    vectors = {
        name: l2_normalize(chance.standard_normal(DIMENSION))
        for name in sorted(FINE)
    }
    return vectors | dict.fromkeys(TWINS, vectors[TWINS[0]])


VECTORS = make_vectors()


def names(points: Sequence[Point]) -> list[str]:
    return [point.payload.filename for point in points]


class CountingEdgeStore(EdgeStore):
    """Counts its queries."""

    queries = 0

    def _query(self, *args: Any, **options: Any) -> Sequence[Any]:
        self.queries += 1
        return super()._query(*args, **options)


@contextlib.contextmanager
def edge_store(folder: Path) -> Iterator[CountingEdgeStore]:
    """An embedded store in a folder, as one process has it."""
    stores = EmbeddedStores(Settings(data_dir=folder))
    shard = folder / "edge" / "photos"
    store = CountingEdgeStore(shard, "photos", "a model", DIMENSION, stores)
    yield store
    store.close()
    stores.close()


def server_store(
    server: QdrantStandIn, dimension: int = DIMENSION
) -> ServerStore:
    return ServerStore(server.url, server.api_key, "photos", dimension)


def write_to_edge(store: EdgeStore, filenames: Sequence[str]) -> None:
    store.write(
        {
            id_of(name): PAYLOADS[name] | {"embedding": VECTORS.get(name)}
            for name in filenames
        }
    )


def write_to_server(server: QdrantStandIn, filenames: Sequence[str]) -> None:
    points = []
    for name in filenames:
        vector: Any = {}
        if name in VECTORS:
            vector = {"embedding": VECTORS[name].tolist()}
        id = str(id_of(name))
        payload = PAYLOADS[name]
        points.append(models.PointStruct(id=id, vector=vector, payload=payload))
    with server.turn:
        server.qdrant.upsert("photos", points)


@pytest.fixture
def on_server(server: QdrantStandIn) -> Iterator[ServerStore]:
    """A store on that server, set up, with a few photos."""
    store = server_store(server)
    store.check()
    write_to_server(server, A_FEW)
    server.calls.clear()
    yield store
    store.close()


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeStore]:
    with edge_store(tmp_path) as store:
        yield store


# --- The contract that each store keeps ---------------------------------------------


@pytest.fixture(scope="module", params=["edge", "server", "memory"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Each kind of store with the same photos; also the one that other tests stand on."""
    match request.param:
        case "edge":
            with edge_store(tmp_path_factory.mktemp("edge")) as embedded:
                write_to_edge(embedded, [*PAYLOADS])
                yield embedded
        case "server":
            server = QdrantStandIn()
            remote = server_store(server)
            remote.check()
            write_to_server(server, [*PAYLOADS])
            yield remote
            remote.close()
            server.stop()
        case _:
            memory = MemoryStore()
            for name, payload in PAYLOADS.items():
                memory.points[name] = payload, VECTORS.get(name)
            yield memory


@pytest.fixture(params=["edge", "server", "strict server", "memory"])
def writable(
    request: pytest.FixtureRequest, tmp_path: Path, server: QdrantStandIn
) -> Iterator[Store]:
    """Each kind of store, for one test alone."""
    match request.param:
        case "edge":
            with edge_store(tmp_path) as embedded:
                write_to_edge(embedded, [*PAYLOADS])
                yield embedded
        case "memory":
            memory = MemoryStore()
            for name, payload in PAYLOADS.items():
                memory.points[name] = {**payload}, VECTORS.get(name)
            yield memory
        case _:
            remote = server_store(server)
            remote.check()
            write_to_server(server, [*PAYLOADS])
            if request.param != "server":
                server.strict = models.StrictModeConfig(
                    enabled=True,
                    unindexed_filtering_retrieve=False,
                    unindexed_filtering_update=False,
                )
            yield remote
            remote.close()


def test_points_are_given_more_fields(writable: Store) -> None:
    """By filters, several at a time; all else stays, and only a record has what is much."""
    given = {"text": "EXIT", "text_boxes": [[0.5] * 8], "text_read": 3}
    given["text_confidences"] = [0.25]
    cat, other = (
        Filter((Condition("sha256", equals=PAYLOADS[name]["sha256"]),))
        for name in ("cat.jpg", "trips/rome/a.jpg")
    )
    nothing = Filter((Condition("sha256", equals="of no photo"),))
    is_read = Filter((Condition("text_read", equals=3),))
    is_unread = Filter(must_not=is_read.must)
    writable.set_payloads([(cat, given), (nothing, given)])
    assert names(writable.search(None, 100, is_read)) == ["cat.jpg"]
    assert writable.count(is_unread) == len(PAYLOADS) - 1
    writable.set_payloads([(cat, {"text": ""}), (other, {"text_read": 3})])
    assert writable.count(is_read) == 2
    point = writable.record_of("cat.jpg")
    assert point is not None
    assert point.payload.model_dump() == (
        Payload.model_validate(PAYLOADS["cat.jpg"]).model_dump()
        | given
        | {"text": ""}
    )
    [hit] = writable.points_of("cat.jpg")
    assert (hit.payload.text, hit.payload.text_boxes) == ("", [])
    assert writable.record_of("no.jpg") is None


def test_the_nearest_come_first(store: Store) -> None:
    """Every photo with a vector is found, by its cosine, the nearest first."""
    asked = l2_normalize(np.ones(DIMENSION))
    found = store.search(asked, 100)
    cosines = {name: float(vector @ asked) for name, vector in VECTORS.items()}
    assert set(names(found)) == FINE
    assert [point.score for point in found] == sorted(
        (point.score for point in found), reverse=True
    )
    for point in found:
        cosine = cosines[point.payload.filename]
        assert point.score == pytest.approx(cosine, abs=ROUNDING)


def test_a_photo_finds_itself(store: Store) -> None:
    """A photo's own vector has the cosine 1 with it, and comes with all that is known of it."""
    [point] = store.search(VECTORS["cat.jpg"], 1)
    assert point.payload == Payload.model_validate(PAYLOADS["cat.jpg"])
    assert point.score == pytest.approx(1, abs=ROUNDING)
    assert str(point.id) == str(id_of("cat.jpg"))


def test_vectors_come_only_when_asked_for(store: Store) -> None:
    """With `with_vectors` a point has its vector of unit length, and else none."""
    [without] = store.search(VECTORS["cat.jpg"], 1)
    assert without.vector is None
    [point] = store.points_of("cat.jpg", with_vectors=True)
    assert point.vector is not None
    assert point.vector.dtype == np.float32
    assert point.vector == pytest.approx(VECTORS["cat.jpg"], abs=ROUNDING)


@pytest.mark.parametrize("with_vectors", [False, True])
@pytest.mark.parametrize("where", [EVERYTHING, READABLE])
def test_all_are_told_one_by_one(
    store: Store, where: Filter, *, with_vectors: bool
) -> None:
    """Each photo that a filter lets through comes once, as a search would give it."""
    found = sorted(
        store.every(where, with_vectors=with_vectors),
        key=lambda point: point.payload.filename,
    )
    assert len(found) == store.count(where)
    for point in found:
        name = point.payload.filename
        assert point.payload == Payload.model_validate(PAYLOADS[name])
        if not with_vectors or name not in VECTORS:
            assert point.vector is None
        else:
            assert point.vector == pytest.approx(VECTORS[name], abs=ROUNDING)


def test_photos_vectors_are_known_by_name(store: Store) -> None:
    """Each photo that is asked for has its own, and no other comes with them."""
    for wanted in ([], ["trips/rome/a.jpg"], [*FINE]):
        found = store.vectors_of(wanted)
        assert {*found} == {*wanted}
        for name, vector in found.items():
            assert vector == pytest.approx(VECTORS[name], abs=ROUNDING)


def test_a_photo_may_have_no_vector(store: Store) -> None:
    """Of one that is not there, or that can't be read, there is none."""
    others = ["cat.jpg", "trips/rome/a.jpg"]
    found = store.vectors_of([others[0], "no.jpg", "", *BROKEN, others[1]])
    assert {*found} == {*others}


def test_photos_may_be_left_out_by_name(store: Store) -> None:
    """Whatever is asked, those that are named are not found."""
    named = ("cat.jpg", *TWINS)
    others = Filter(must_not=(Condition("filename", any_of=named),))
    for vector in (VECTORS["cat.jpg"], None):
        found = store.search(vector, 100, replace(others, must=READABLE.must))
        assert {*names(found)} == FINE - {*named}


@pytest.mark.parametrize("limit", range(1, len(FINE) + 2))
def test_ties_are_in_the_order_of_names(store: Store, limit: int) -> None:
    """Equal photos come by name, however few are asked for, so that pages join up."""
    whole = store.search(VECTORS[TWINS[0]], 100)
    assert names(whole)[: len(TWINS)] == TWINS
    assert names(store.search(VECTORS[TWINS[0]], limit)) == names(whole)[:limit]


@pytest.mark.parametrize("limit", range(1, len(FINE) + 2))
def test_without_a_vector_the_newest_come_first(
    store: Store, limit: int
) -> None:
    """Photos come by time, of one second the higher number first; pages join up."""
    newest_first = [
        "cat.jpg", *TWINS[::-1], "trips/rome/b.jpg", "trips/rome 2/c.jpg", "trips/rome/a.jpg",
    ]  # fmt: skip
    assert names(store.search(None, limit, READABLE)) == newest_first[:limit]
    pages = []
    for offset in range(0, len(FINE) + 1, limit):
        pages += names(store.search(None, limit, READABLE, offset=offset))
    assert pages == newest_first


@pytest.mark.parametrize("limit", range(1, len(FINE) + 2))
def test_the_oldest_may_come_first(store: Store, limit: int) -> None:
    """They come as the newest do, from the other end; pages join up."""
    newest_first = names(store.search(None, 100, READABLE))
    pages = []
    for offset in range(0, len(FINE) + 1, limit):
        pages += names(
            store.search(
                None, limit, READABLE, offset=offset, oldest_first=True
            )
        )
    assert pages == newest_first[::-1]


def test_months_are_counted_in_any_store(store: Store) -> None:
    """All photos that can be read are in one; a filter leaves out what it does in a search."""
    found = count_months(store, READABLE)
    assert {one.month: one.photos for one in found} == {
        "2024-05": 1,
        "2022-02": len(TWINS),
        "2021-05": 1,
        "2020-05": 1,
        "2019-05": 1,
    }
    of_rome = Filter((ROME, *READABLE.must))
    assert [one.month for one in count_months(store, of_rome)] == [
        "2021-05",
        "2019-05",
    ]


@pytest.mark.parametrize("asked", [None, VECTORS["cat.jpg"]])
def test_an_order_of_any_kind_may_have_vectors(
    store: Store, asked: Embedding | None
) -> None:
    """Each point has its own then, also on a page far down."""
    for offset in (0, 5):
        found = store.search(
            asked, 4, READABLE, offset=offset, with_vectors=True
        )
        assert len(found) == 4
        for point in found:
            expected = VECTORS[point.payload.filename]
            assert point.vector == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("limit", [1, 4, 12])
def test_pages_of_the_nearest_join_up(store: Store, limit: int) -> None:
    """Pages of any length make up the whole, ties and all, and nothing lies beyond."""
    for asked in (VECTORS[TWINS[0]], l2_normalize(np.ones(DIMENSION))):
        pages = []
        for offset in range(0, len(FINE) + limit, limit):
            pages += names(store.search(asked, limit, offset=offset))
        assert pages == names(store.search(asked, 100))


@pytest.mark.parametrize(
    "where",
    [READABLE, Filter((*READABLE.must, Condition("folders", equals="twins")))],
)
def test_a_photo_has_its_place_in_the_order_of_time(
    store: Store, where: Filter
) -> None:
    """How many are newer is what a list of all says, for each, also of one time."""
    whole = names(store.search(None, 100, where))

    def ask(count: int, start: int) -> list[Point]:
        return store.search(None, count, where, offset=start)

    for rank, name in enumerate(whole):
        assert rank_by_time(name, store, where, ask) == rank
    for name in {*FINE} - {*whole} | {"no.jpg", BROKEN[0]}:
        with pytest.raises(NotAmong, match=name):
            rank_by_time(name, store, where, ask)


def test_a_photo_has_its_place_among_the_nearest(store: Store) -> None:
    """How many fit better is what a list of all says; what has no vector has no place."""
    asked = l2_normalize(np.ones(DIMENSION))

    def ask(count: int, start: int) -> list[Point]:
        return store.search(asked, count, offset=start)

    for rank, name in enumerate(names(store.search(asked, 100))):
        assert rank_by_score(name, ask) == rank
    with pytest.raises(NotAmong, match=BROKEN[0]):
        rank_by_score(BROKEN[0], ask)


def test_folders_are_counted_with_all_below(store: Store) -> None:
    """Each folder has the photos in it and below it, but for those that can't be read."""
    assert store.folders() == {
        "trips": 3,
        "trips/rome": 2,
        "trips/rome 2": 1,
        "twins": len(TWINS),
    }


def test_the_near_are_counted(store: Store) -> None:
    """As many are counted as a search would find with that score, and no more."""
    asked = l2_normalize(np.ones(DIMENSION))
    scores = [point.score for point in store.search(asked, 100)]
    for score in (scores[3], scores[-1]):
        number = sum(other >= score for other in scores)
        assert store.count_near(score, Query(100, vector=asked)) == number
        assert store.count_near(score, Query(2, vector=asked)) == 2


def taken(at_least: str | None = None, before: str | None = None) -> Filter:
    return Filter((Condition("taken", at_least=at_least, before=before),))


def within(lat: float, lon: float, km: float) -> Condition:
    circle = Circle(lat, lon, 1000 * km)
    return Condition("details.place", within=circle)


def by(camera: str) -> Condition:
    return Condition("details.camera", equals=camera)


ROME = Condition("folders", equals="trips/rome")
OF_TRIPS = {"trips/rome/a.jpg", "trips/rome/b.jpg", "trips/rome 2/c.jpg"}
FILTERS: list[tuple[Filter, set[str]]] = [
    (EVERYTHING, {*PAYLOADS}),
    (READABLE, FINE),
    (UNREADABLE, {*BROKEN}),
    (DAMAGED, {"trips/rome/b.jpg"}),
    (Filter((Condition("error", equals="it is empty"),)), {"broken/b.jpg"}),
    (Filter((Condition("filename", equals="cat.jpg"),)), {"cat.jpg"}),
    (Filter((Condition("filename", equals="cat"),)), set()),
    (
        Filter((Condition("filename", any_of=("cat.jpg", "no.jpg", *BROKEN)),)),
        {"cat.jpg", *BROKEN},
    ),
    (Filter((Condition("folders", equals="trips"),)), OF_TRIPS),
    (Filter((Condition("folders", equals="trip"),)), set()),
    (Filter((Condition("folders", equals="rome"),)), set()),
    (Filter((ROME,)), {"trips/rome/a.jpg", "trips/rome/b.jpg"}),
    (Filter((Condition("folders", is_empty=True),)), {"cat.jpg"}),
    (Filter(must_not=(Condition("folders", is_empty=True),)), {*PAYLOADS} - {"cat.jpg"}),
    (Filter((Condition("sha256", equals="cat.jpg's"),)), {"cat.jpg"}),
    (taken(at_least="2024-05-01T12:00:00"), {"cat.jpg"}),
    (taken(at_least="2024-05-01T12:00:01"), set()),
    (taken(before="2020-05-01T12:00:00"), {"trips/rome/a.jpg"}),
    (taken(before="2020-05-01T12:00:01"), {"trips/rome/a.jpg", "trips/rome 2/c.jpg"}),
    (
        taken("2020-05-01T12:00:00", "2022-01-01T00:00:00"),
        {"trips/rome/b.jpg", "trips/rome 2/c.jpg"},
    ),
    (
        Filter((ROME, *READABLE.must), (Condition("filename", equals="trips/rome/a.jpg"),)),
        {"trips/rome/b.jpg"},
    ),
    (Filter((by("Canon EOS 5D"),)), {"cat.jpg", "trips/rome/a.jpg"}),
    (Filter((by("Canon"),)), set()),
    (Filter((ROME, by("Canon EOS 5D"))), {"trips/rome/a.jpg"}),
    (Filter((within(41.9, 12.5, 1),)), {"trips/rome/a.jpg"}),
    (Filter((within(41.9, 12.5, 9.9),)), {"trips/rome/a.jpg"}),
    (Filter((within(41.9, 12.5, 10.1),)), {"trips/rome/a.jpg", "trips/rome/b.jpg"}),
    (Filter((within(41.9, 12.5, 10.1), by("Canon EOS 5D"))), {"trips/rome/a.jpg"}),
    # Beyond the date line, beyond a pole, and everywhere.
    (Filter((within(-17, -179.9, 30),)), {"cat.jpg"}),
    (Filter((within(90, 180, 5),)), {"trips/rome 2/c.jpg"}),
    (Filter((within(0, 0, 20_040),)), {"cat.jpg", *OF_TRIPS}),
    (
        Filter(must_not=(ROME, Condition("folders", equals="twins"))),
        {"cat.jpg", "trips/rome 2/c.jpg", *BROKEN},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("where", "expected"), FILTERS)
def test_a_filter_lets_through_what_it_says(
    store: Store, where: Filter, expected: set[str]
) -> None:
    """Searched, listed and counted are those photos; without a vector none can be near."""
    asked = l2_normalize(np.ones(DIMENSION))
    assert set(names(store.search(None, 100, where))) == expected
    assert set(names(store.search(asked, 100, where))) == expected & FINE
    assert store.count(where) == len(expected)


def test_photos_are_known_by_name(store: Store) -> None:
    """A photo in the index has its point, its digest and its vector; any other has none."""
    [point] = store.points_of("trips/rome/a.jpg", with_vectors=True)
    assert point.vector == pytest.approx(
        VECTORS["trips/rome/a.jpg"], abs=ROUNDING
    )
    assert store.digest_of("trips/rome/a.jpg") == "trips/rome/a.jpg's"
    # What can't be read comes to no decoder.
    for filename in ("no.jpg", "", "trips/rome", *BROKEN):
        assert store.points_of(filename) == []
        assert store.digest_of(filename) is None


def test_a_check_changes_nothing_that_is_whole(store: Store) -> None:
    """To check a store that has all it needs leaves its photos as they are."""
    store.check()
    store.check_at_start(is_set_up=True)
    assert store.count() == len(PAYLOADS)
    store.find_out(PAYLOADS)
    assert store.count() == len(PAYLOADS)
    assert store.notice() is None


def test_every_field_is_searched_by() -> None:
    """There is an index for each field that is filtered or put in order by."""
    told = {"taken_from", "details", "thumbhash"}  # to whom a photo is shown
    told |= {"text_boxes", "text_confidences"}
    some = {"folders", "name_words", "name_starts"}
    some |= {field for field in PAYLOAD_INDEXES if "details." in field}
    assert set(PAYLOAD_INDEXES) == {*Payload.model_fields} - told | some


@pytest.mark.parametrize(
    ("url", "kind"), [(None, EdgeStore), ("http://qdrant", ServerStore)]
)
def test_the_settings_choose_the_store(
    tmp_path: Path, url: Any, kind: type[Store]
) -> None:
    """With QDRANT_URL it is the server's, else the embedded one; nothing is opened yet."""
    settings = Settings(data_dir=tmp_path / "data", qdrant_url=url)
    store = open_store(settings, "a model", DIMENSION)
    assert type(store) is kind
    store.close()
    assert not settings.data_dir.exists()


# --- Qdrant Edge --------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CountingEdgeStore]:
    """An embedded store of 6,000 photos with random vectors."""
    with edge_store(tmp_path_factory.mktemp("deep")) as store:
        points: dict[uuid.UUID, dict[str, Any] | None] = {}
        for number, vector in enumerate(deep_vectors()):
            name = f"{number}.jpg"
            points[id_of(name)] = payload_of(name) | {"embedding": vector}
        store.write(points)
        yield store


def deep_vectors() -> list[Embedding]:
    vectors = np.random.default_rng(0).standard_normal((6000, DIMENSION))
    return [l2_normalize(vector) for vector in vectors]


@pytest.fixture(scope="module")
def whole(deep: CountingEdgeStore) -> list[str]:
    """All photos of the deep store, in the order of a search for ones."""
    return names(deep.search(l2_normalize(np.ones(DIMENSION)), 6001))


def test_deep_pages_are_right(whole: list[str]) -> None:
    """Asked for all, each photo comes once, and the first are the nearest."""
    assert len(set(whole)) == len(whole) == 6000
    nearest = np.argsort(
        np.array(deep_vectors()) @ -l2_normalize(np.ones(DIMENSION))
    )[:24]
    assert len({f"{number}.jpg" for number in nearest} & {*whole[:24]}) >= 23


@pytest.mark.parametrize(
    "depth", [1, 24, 398, 399, 400, 401, 1022, 1023, 1024, 1025, 2500, 6000]
)
def test_deep_pages_join_up(
    deep: CountingEdgeStore, whole: list[str], depth: int
) -> None:
    """However far one asks on, what was found before keeps its place, and each comes once."""
    asked = l2_normalize(np.ones(DIMENSION))
    assert names(deep.search(asked, depth)) == whole[:depth]


def test_a_search_of_the_nearest_is_one_query(deep: CountingEdgeStore) -> None:
    """Up to the thousand that sort=newest puts in order, a search asks the engine once."""
    asked = l2_normalize(np.ones(DIMENSION))
    for depth in (1, 25, CANDIDATES):
        deep.queries = 0
        assert len(deep.search(asked, depth)) == depth
        assert deep.queries == 1


def test_edge_has_its_payload_indexes(edge: EdgeStore) -> None:
    """A shard is made with an index for each field that is searched by."""
    assert set(edge.shard().info().payload_schema) == set(PAYLOAD_INDEXES)


def test_points_outlive_the_process(tmp_path: Path) -> None:
    """What was written is there when the shard is opened again."""
    with edge_store(tmp_path) as first:
        write_to_edge(first, ["cat.jpg"])
    with edge_store(tmp_path) as second:
        assert names(second.search(None, 9)) == ["cat.jpg"]


def test_a_broken_shard_is_made_anew(
    edge: EdgeStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A shard that can't be opened is said to be so, and is empty then."""
    write_to_edge(edge, ["cat.jpg"])
    edge.close()
    for file in edge.folder.rglob("*"):
        if file.is_file():
            file.write_bytes(b"{broken" * 1000)
    assert edge.count() == 0
    assert "The embedded store is made anew" in caplog.text
    write_to_edge(edge, ["cat.jpg"])
    assert edge.count() == 1


def test_a_shard_has_one_process(tmp_path: Path, edge: EdgeStore) -> None:
    """A shard in use elsewhere is refused when it is asked, not when it is named."""
    edge.shard()
    with edge_store(tmp_path) as second:
        for ask in (second.count, second.reset, second.shard):
            with pytest.raises(StartupError, match="in use"):
                ask()


def test_what_cocoindex_writes_is_found(edge: EdgeStore) -> None:
    """Points that it changes and deletes are changed and deleted, a setup empties the shard."""
    spec = QdrantEdgeConnector.prepare(edge.target())
    written: Points = {
        id_of(name): PAYLOADS[name] | {"embedding": VECTORS.get(name)}
        for name in ("cat.jpg", "trips/rome/a.jpg", *BROKEN)
    }
    asyncio.run(QdrantEdgeConnector.mutate((spec, written)))
    assert (edge.count(), edge.count(UNREADABLE)) == (4, 2)
    cat = payload_of("cat.jpg", sha256="new") | {
        "embedding": VECTORS["cat.jpg"]
    }
    changes: list[tuple[QdrantEdge, Points]] = [
        (spec, {id_of("cat.jpg"): cat, id_of(BROKEN[0]): None}),
        (spec, {id_of(BROKEN[1]): None}),
    ]
    asyncio.run(QdrantEdgeConnector.mutate(*changes))
    assert edge.count() == 2
    assert edge.digest_of("cat.jpg") == "new"
    key = QdrantEdgeConnector.get_persistent_key(spec)
    QdrantEdgeConnector.apply_setup_change(key, spec, spec)
    assert edge.count() == 0


def test_a_point_that_nobody_else_knows_of_goes(edge: EdgeStore) -> None:
    """After a loss of power: of a photo that is gone, while those of other places stay."""
    few = [*A_FEW, "trips/rome/b.jpg"]
    edge.write(
        {
            id_of(name): PAYLOADS[name] | {"embedding": VECTORS.get(name)}
            for name in few
        }
    )
    edge.find_out({"trips/rome/a.jpg"}, lies_in("trips"))
    assert {one.payload.filename for one in edge.every()} == {*A_FEW}


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        (QdrantEdge("photos", "a model", DIMENSION), True),
        (QdrantEdge("photos", "another model", DIMENSION), False),
        (QdrantEdge("photos", "a model", 2 * DIMENSION), False),
    ],
)
def test_another_model_needs_another_shard(
    edge: EdgeStore, other: QdrantEdge, *, fits: bool
) -> None:
    """CocoIndex is told to set the target up anew where its vectors are of another space."""
    found = QdrantEdgeConnector.check_state_compatibility(edge.target(), other)
    assert (found is TargetStateCompatibility.COMPATIBLE) == fits


# --- A Qdrant server ----------------------------------------------------------------


def test_a_search_on_a_server_is_one_query(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """However deep, with a vector or without, a search is one call; and so is a count."""
    on_server.search(None, 1)  # it sees that no point lacks a sort key
    server.calls.clear()
    for vector in (VECTORS["cat.jpg"], None):
        for depth in (1, 2500):
            on_server.search(vector, depth, READABLE, offset=depth)
            assert server.calls == ["query_points"]
            server.calls.clear()
    on_server.vectors_of(["cat.jpg"])
    on_server.digest_of("cat.jpg")
    assert server.calls == ["query_points", "query_points"]
    server.calls.clear()
    on_server.count(UNREADABLE)
    assert server.calls == ["count_points"]


def test_a_server_gives_as_many_as_are_asked_for(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """A server's own limits of a page are not taken for the end."""
    vector: Any = {"embedding": VECTORS["cat.jpg"].tolist()}
    points = []
    for number in range(300):
        name = f"{number}.jpg"
        id, payload = str(id_of(name)), payload_of(name)
        points.append(models.PointStruct(id=id, vector=vector, payload=payload))
    server.qdrant.upsert("photos", points)
    for asked in (VECTORS["cat.jpg"], None):
        assert len(on_server.search(asked, 250)) == 250
        assert len(on_server.search(asked, 400, READABLE)) == 302


def test_a_lost_collection_is_made_anew(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """Once CocoIndex has set it up, a check makes a lost collection again, with its indexes."""
    server.qdrant.delete_collection("photos")
    server.indexes.clear()
    for ask in (on_server.count, lambda: on_server.search(None, 1)):
        with pytest.raises(CollectionMissing, match="photos is gone"):
            ask()
    on_server.check()
    assert on_server.count() == 0
    assert server.indexes == PAYLOAD_INDEXES
    [shape] = [server.qdrant.get_collection("photos").config.params.vectors]
    expected = models.VectorParams(
        size=DIMENSION, distance=models.Distance.COSINE
    )
    assert shape == {"embedding": expected}


def test_before_the_setup_nothing_is_made(server: QdrantStandIn) -> None:
    """What CocoIndex is about to make is not made for it."""
    store = server_store(server)
    store.check(is_set_up=False)
    assert not server.qdrant.collection_exists("photos")
    assert server.indexes == {}
    store.close()


def test_a_server_that_is_away_is_unavailable(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """A stopped server is told from an empty one; when it is back, all goes on."""
    server.stop()
    for ask in (
        on_server.count,
        on_server.check,
        lambda: on_server.search(VECTORS["cat.jpg"], 1),
        lambda: on_server.digest_of("cat.jpg"),
    ):
        with pytest.raises(StoreUnavailable, match="refused") as away:
            ask()
        assert not isinstance(away.value, CollectionMissing)
    server.start()
    on_server.check_at_start(is_set_up=True)
    assert on_server.digest_of("cat.jpg")


def test_a_key_that_is_refused_is_said() -> None:
    """No key, a wrong one, one that may only read: each has its sentence, none is shown."""
    server = QdrantStandIn(api_key="a key", read_only_key="a reader's")
    for key, said in (
        (None, "asks for a key: set QDRANT_API_KEY"),
        ("no key", "QDRANT_API_KEY is not a key of its"),
        (
            "a reader's",
            "may only read: set QDRANT_API_KEY to one that may write",
        ),
    ):
        store = ServerStore(server.url, key, "photos", DIMENSION)
        with pytest.raises(StoreRefuses, match=said) as refused:
            store.check()
        assert f"Qdrant at {server.url}" in str(refused.value)
        with pytest.raises(StartupError, match=said):
            store.check_at_start(is_set_up=True)
        if key:
            assert key not in f"{refused.value} {refused.value.details}"
        store.close()
    right = server_store(server)
    right.check()
    # One that may only read is found out also where nothing is to be made.
    reader = ServerStore(server.url, "a reader's", "photos", DIMENSION)
    assert reader.count() == right.count() == 0
    with pytest.raises(StoreRefuses, match="may only read"):
        reader.check()
    for store in (reader, right):
        store.close()
    server.stop()


# --- A collection that was there before ---------------------------------------------

OURS = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
LARGER = OURS.model_copy(update={"size": 99})
DOT = OURS.model_copy(update={"distance": models.Distance.DOT})


@pytest.mark.parametrize(
    ("shape", "difference"),
    [
        ({"theirs": OURS}, "no vector of the name embedding .it has theirs."),
        ({"embedding": LARGER}, "99 numbers a vector, CLIP_MODEL has 24"),
        ({"embedding": DOT}, "distance is Dot, and has to be Cosine"),
        (OURS, "its vector has no name, and needs the name embedding"),
    ],
)
@pytest.mark.parametrize("is_set_up", [True, False])
def test_a_collection_of_another_shape_is_left_alone(
    server: QdrantStandIn, shape: Any, difference: str, *, is_set_up: bool
) -> None:
    """Another vector, or another distance: it is somebody else's, and what differs is said."""
    server.qdrant.create_collection("photos", vectors_config=shape)
    store = server_store(server)
    with pytest.raises(StartupError, match=difference) as refused:
        store.check(is_set_up=is_set_up)
    assert "left alone" in str(refused.value)
    assert "QDRANT_COLLECTION" in str(refused.value)
    assert server.qdrant.get_collection("photos").config.params.vectors == shape
    assert server.indexes == {}
    store.close()


def test_an_empty_collection_of_our_shape_is_taken(
    server: QdrantStandIn,
) -> None:
    """Made by a person, it gets its indexes, and stays what it is otherwise."""
    shape = {"embedding": OURS.model_copy(update={"on_disk": True})}
    server.qdrant.create_collection("photos", vectors_config=shape)
    # With nothing in it a payload that has no index yet is no obstacle.
    server.strict = models.StrictModeConfig(
        enabled=True, unindexed_filtering_retrieve=False
    )
    store = server_store(server)
    for _ in range(2):
        store.check(is_set_up=False)
    assert server.indexes == PAYLOAD_INDEXES
    assert server.qdrant.get_collection("photos").config.params.vectors == shape
    store.close()


def test_points_that_cocoindex_knows_nothing_of_are_left_alone(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """A collection with points is not taken: it is said how many, and whose they are."""
    put_theirs(server, {1: {"no": 1}, 2: {}})
    with pytest.raises(
        StartupError, match="6 points, 2 of them not this app's"
    ):
        on_server.check(is_set_up=False)
    server.qdrant.delete("photos", models.PointIdsList(points=[1, 2]))
    with pytest.raises(
        StartupError, match="4 points, of which CocoIndex's data"
    ):
        on_server.check(is_set_up=False)
    assert on_server.count() == 4
    assert "create_field_index" not in server.calls


# --- Somebody else's points -----------------------------------------------------------

CAT = PAYLOADS["cat.jpg"]
ALIEN: dict[str, dict[str, Any]] = {
    "another payload": {"no": 1},
    "no payload": {},
    "a part of ours": {"filename": "theirs.jpg", "sha256": "theirs"},
    "all but the digest": {name: CAT[name] for name in CAT if name != "sha256"},
    "all but the height": {name: CAT[name] for name in CAT if name != "height"},
    "numbers for texts": CAT | {"filename": 5, "sha256": 6},
    "texts for numbers": CAT | {"width": "4", "height": "3", "sort_key": "x"},
    "no date": CAT | {"taken": "yesterday"},
    "an error of another type": CAT | {"error": 4},
    "the same as ours": CAT,
    "as ours, of a photo of theirs": payload_of("theirs.jpg"),
}


def put_theirs(
    server: QdrantStandIn,
    payloads: dict[Any, dict[str, Any]],
    vector: Any = None,
) -> None:
    points = [
        models.PointStruct(id=id, vector=vector or {}, payload=payload)
        for id, payload in payloads.items()
    ]
    with server.turn:
        server.qdrant.upsert("photos", points)


@pytest.mark.parametrize("payload", ALIEN.values(), ids=ALIEN)
@pytest.mark.parametrize("their_id", [7, str(uuid.UUID(int=7))])
@pytest.mark.parametrize("has_vector", [True, False])
def test_points_of_somebody_elses_are_never_met(
    server: QdrantStandIn,
    on_server: ServerStore,
    payload: dict[str, Any],
    their_id: Any,
    *,
    has_vector: bool,
) -> None:
    """Whatever is theirs, searches and counts are of our photos; it is told, and stays."""
    cat = VECTORS["cat.jpg"]
    before = [names(on_server.search(vector, 9)) for vector in (cat, None)]
    known = on_server.vectors_of(["cat.jpg"])["cat.jpg"]
    vector = {"embedding": cat.tolist()} if has_vector else {}
    put_theirs(server, {their_id: payload}, vector)
    on_server.find_out(A_FEW)
    assert (on_server.count(), on_server.count(UNREADABLE)) == (4, 2)
    after = [names(on_server.search(vector, 9)) for vector in (cat, None)]
    assert after == before
    assert (on_server.vectors_of(["cat.jpg"])["cat.jpg"] == known).all()
    assert on_server.notice() == (
        "1 point in the collection photos is not this app's: it is left alone."
    )
    [theirs] = server.qdrant.retrieve("photos", [their_id])
    assert theirs.payload == payload


def test_a_search_finds_out_by_itself(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """A point that looks like one of ours is left out by the first search that meets it."""
    cat = VECTORS["cat.jpg"]
    expected = names(on_server.search(cat, 9))
    many = dict.fromkeys(range(30), CAT)
    put_theirs(server, many, {"embedding": cat.tolist()})
    for limit in (1, 3, 9):
        assert names(on_server.search(cat, limit)) == expected[:limit]
    on_server.find_out(A_FEW)
    assert on_server.count() == 4
    assert on_server.notice() == (
        "30 points in the collection photos are not this app's: they are left alone."
    )


def test_what_is_theirs_is_no_obstacle_to_what_is_ours(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """Once CocoIndex has set it up, a check of a collection with their points passes."""
    put_theirs(server, {1: {"no": 1}})
    on_server.check()
    assert server.qdrant.count("photos").count == 5


def test_edge_has_no_points_of_somebody_elses(edge: EdgeStore) -> None:
    """In the embedded store a point that can't be understood is an error, and said."""
    edge.write({uuid.uuid4(): {"embedding": VECTORS["cat.jpg"], "no": 1}})
    with pytest.raises(ForeignPoint, match="did not make"):
        edge.search(VECTORS["cat.jpg"], 9)


# --- Strict mode ------------------------------------------------------------------------


def many_photos(server: QdrantStandIn, number: int) -> list[str]:
    """Photos of one second on the server, and their order as the newest."""
    chance = np.random.default_rng(1)
    points = []
    photos = [f"many/{one:05}.jpg" for one in range(number)]
    for name in photos:
        vector: Any = {"embedding": chance.standard_normal(DIMENSION).tolist()}
        id, payload = str(id_of(name)), payload_of(name)
        points.append(models.PointStruct(id=id, vector=vector, payload=payload))
    server.qdrant.upsert("photos", points)
    return photos[::-1]


STRICT = models.StrictModeConfig(
    enabled=True,
    max_query_limit=50,
    search_allow_exact=False,
    unindexed_filtering_retrieve=False,
    max_payload_index_count=100,
)


@pytest.mark.parametrize("is_known", [True, False])
def test_strict_mode_changes_no_answer(
    server: QdrantStandIn, on_server: ServerStore, *, is_known: bool
) -> None:
    """Exact counts refused, limits of a question, filters by indexes alone: all is found."""
    newest = many_photos(server, 170)
    of_many = Filter((Condition("folders", equals="many"),))
    asked = VECTORS["cat.jpg"]
    expected = names(on_server.search(asked, 172))
    if is_known:
        server.strict = STRICT
        on_server.check()
    server.strict = STRICT  # or set since the last check
    assert names(on_server.search(asked, 172)) == expected
    assert names(on_server.search(asked, 20, offset=100)) == expected[100:120]
    assert names(on_server.search(None, 170, of_many)) == newest
    assert (
        names(on_server.search(None, 60, of_many, offset=100))
        == newest[100:160]
    )
    assert on_server.count(of_many) == 170
    assert on_server.count() == 174
    assert on_server.notice() is None
    on_server.find_out(A_FEW)


def test_a_strict_mode_in_the_way_is_said(server: QdrantStandIn) -> None:
    """Where nothing helps it is said which setting is in the way of which collection."""
    server.strict = models.StrictModeConfig(
        enabled=True, max_payload_index_count=3
    )
    store = server_store(server)
    with pytest.raises(StartupError, match=r"photos .*max_payload_index_count"):
        store.check_at_start(is_set_up=True)
    # What has its indexes needs no more of them.
    server.strict = None
    store.check()
    server.strict = models.StrictModeConfig(
        enabled=True, max_payload_index_count=3
    )
    store.check()
    store.close()


# --- Photos of one time -----------------------------------------------------------------


def test_photos_of_one_time_cost_a_page(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """However many share their second, a page of the newest is one question for a page."""
    newest = many_photos(server, 400)
    of_many = Filter((Condition("folders", equals="many"),))
    on_server.search(None, 1)
    server.calls.clear()
    server.limits.clear()
    for offset in (0, 100, 375):
        found = on_server.search(None, 25, of_many, offset=offset)
        assert names(found) == newest[offset : offset + 25]
    assert server.calls == ["query_points"] * 3
    assert max(server.limits) <= 27


def without_keys(
    payloads: dict[str, dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """As an earlier version wrote them."""
    return {
        name: {
            field: payload[field] for field in payload if field != "sort_key"
        }
        for name, payload in payloads.items()
    }


@pytest.mark.parametrize("engine", ["edge", "server", "memory"])
def test_points_without_a_sort_key_are_in_order(
    engine: str, edge: EdgeStore, server: QdrantStandIn
) -> None:
    """Points of an earlier version are the newest by their time, until all have a key."""
    old = without_keys(PAYLOADS)
    store: Store = edge
    if engine == "edge":
        for name in PAYLOADS:
            vector = {"embedding": VECTORS.get(name)}
            edge.write({id_of(name): old[name] | vector})
    elif engine == "server":
        store = server_store(server)
        store.check()
        put_theirs(server, {str(id_of(name)): old[name] for name in old})
    else:
        memory = MemoryStore()
        memory.points = {name: (old[name], None) for name in old}
        store = memory
    by_name = [
        "cat.jpg", *TWINS, "trips/rome/b.jpg", "trips/rome 2/c.jpg", "trips/rome/a.jpg",
    ]  # fmt: skip
    for offset in (0, 3):
        found = store.search(None, 5, READABLE, offset=offset)
        assert names(found) == by_name[offset : offset + 5]
    for rank, name in enumerate(by_name):

        def ask(count: int, start: int) -> list[Point]:
            return store.search(None, count, READABLE, offset=start)

        assert rank_by_time(name, store, READABLE, ask) == rank
    if engine == "edge":
        write_to_edge(edge, [*PAYLOADS])
    elif engine == "server":
        write_to_server(server, [*PAYLOADS])
    else:
        memory.points = {name: (PAYLOADS[name], None) for name in PAYLOADS}
    assert names(store.search(None, 3, READABLE)) == ["cat.jpg", *TWINS[:-3:-1]]
    store.close()


def test_folders_are_counted_where_exact_searches_are_refused(
    server: QdrantStandIn, on_server: ServerStore
) -> None:
    """A server whose owner allows no exact counts is asked for the points themselves."""
    server.strict = models.StrictModeConfig(
        enabled=True, search_allow_exact=False
    )
    assert on_server.folders() == {"trips": 1, "trips/rome": 1}
