"""One question finds what is seen, what is named and what is written, in an order that can be told."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from qdrant_client import models

from image_search.clip import Embedding, l2_normalize
from image_search.hits import Hit, SearchResponse
from image_search.points import point_id
from image_search.question import Search
from image_search.search import Searcher
from image_search.search_errors import NotIndexedYet
from image_search.server_store import ServerStore
from image_search.store import Query, Store
from image_search.store_errors import StoreRefuses
from tests.qdrant_standin import QdrantStandIn
from tests.unit.memory_store import MemoryStore, payload_of
from tests.unit.test_store import edge_store, server_store

DIMENSION = 24
# So many photos of nothing in particular, called plain/000.jpg and so on.
PLAIN = 40
DOGS = [f"album/{letter}.jpg" for letter in "abcdef"]
TEXTS = {
    "scans/one.jpg": "ACME Ltd\nInvoice 4711\nTotal 12,50",
    "scans/two.jpg": "ACME Ltd\nInvoice 4712\nTotal 99,00",
    "scans/three.jpg": "1nvo1ce no. 0815\nTotal 3,10",
    "signs/a.jpg": "EXIT ONLY\nno parking",
    "signs/b.jpg": "only by the other exit",
    "signs/c.jpg": "Beware of the dog",
    "signs/d.jpg": "Café Zürich, Bahnhofstraße 7",
    "signs/e.jpg": "Привет, мир",
}
DETAILS = {
    "described/a.jpg": {"title": "Grandma's birthday", "keywords": ["cake"]},
    "described/b.jpg": {"description": "Ferry to Stromboli at dawn"},
}
NAMED = [
    "camera/IMG_4006.jpg",
    "camera/IMG_4007.jpg",
    "camera/DSC_00815.jpg",
    "2024/summer/x.jpg",
    "2024/winter/x.jpg",
    "trips/SwissAlps/y.jpg",
    "trips/Müllers Hütte.jpg",
    "broken/IMG_9999.jpg",
]
EVERYTHING = [*DOGS, *TEXTS, *DETAILS, *NAMED]
EVERYTHING += [f"plain/{number:03}.jpg" for number in range(PLAIN)]


def axis(number: int) -> Embedding:
    return l2_normalize(np.eye(DIMENSION)[number])


class FakeEmbedder:
    """Sees dogs on a beach, and finds all other words like nothing in particular."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_query(self, text: str) -> Embedding:
        self.asked.append(text)
        return axis(0) if "dog" in text else axis(1)

    def knows_query(self, text: str) -> bool:
        return True


def vector_of(name: str) -> Embedding:
    if name in DOGS:
        near = 1.0 - DOGS.index(name) / 10
        return l2_normalize(near * axis(0) + axis(2))
    chance = np.random.default_rng(EVERYTHING.index(name))
    return l2_normalize(chance.standard_normal(DIMENSION))


def payload(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"details": DETAILS.get(name, {})}
    if name in TEXTS:
        facts["text"] = TEXTS[name]
    if name.startswith("broken"):
        facts["error"] = "it is empty"
    return payload_of(name, **facts)


def vectors(name: str) -> Embedding | None:
    return None if name.startswith("broken") else vector_of(name)


def fill_server(server: QdrantStandIn, names: list[str]) -> None:
    points = []
    for name in names:
        vector = vectors(name)
        given: Any = {} if vector is None else {"embedding": vector.tolist()}
        id = str(point_id(name))
        points.append(
            models.PointStruct(id=id, vector=given, payload=payload(name))
        )
    with server.turn:
        server.qdrant.upsert("photos", points)


@pytest.fixture(scope="module", params=["edge", "server", "memory"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Each kind of store, with the same photos."""
    match request.param:
        case "edge":
            with edge_store(tmp_path_factory.mktemp("words")) as embedded:
                points: dict[uuid.UUID, dict[str, Any] | None] = {
                    point_id(name): payload(name) | {"embedding": vectors(name)}
                    for name in EVERYTHING
                }
                embedded.write(points)
                yield embedded
        case "server":
            server = QdrantStandIn()
            remote = server_store(server)
            remote.check()
            fill_server(server, EVERYTHING)
            yield remote
            remote.close()
            server.stop()
        case _:
            memory = MemoryStore()
            for name in EVERYTHING:
                memory.points[name] = payload(name), vectors(name)
            yield memory


@pytest.fixture
def embedder() -> Any:
    return FakeEmbedder()


@pytest.fixture
def searcher(embedder: Any, store: Store) -> Searcher:
    searcher = Searcher(embedder, store)
    searcher.remarks.indexed = len(EVERYTHING) - 1
    return searcher


def names(found: SearchResponse) -> list[str]:
    return [hit.filename for hit in found.results]


def ask(searcher: Searcher, q: str, **more: Any) -> SearchResponse:
    return searcher.search(Search.model_validate({"q": q, **more}))


def first(searcher: Searcher, q: str, **more: Any) -> Hit:
    return ask(searcher, q, **more).results[0]


# --- What comes first ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "name", "why"),
    [
        ("invoice 4711", "scans/one.jpg", "text"),
        ("INVOICE, 4711!", "scans/one.jpg", "text"),
        ("invoice 0815", "scans/three.jpg", "text"),  # one word was misread
        ("4712", "scans/two.jpg", "text"),
        ("total 99,00", "scans/two.jpg", "text"),
        ('"exit only"', "signs/a.jpg", "text"),
        ("exit only", "signs/a.jpg", "text"),
        ("“exit only” parking", "signs/a.jpg", "text"),
        ("zurich cafe", "signs/d.jpg", "text"),
        ("BAHNHOFSTRASSE 7", "signs/d.jpg", "text"),
        ("привет мир", "signs/e.jpg", "text"),
        ("stromboli", "described/b.jpg", "description"),
        ("birthday cake", "described/a.jpg", "description"),
        ("IMG_4006", "camera/IMG_4006.jpg", "name"),
        ("img 4006", "camera/IMG_4006.jpg", "name"),
        ("4006", "camera/IMG_4006.jpg", "name"),
        ("IMG_4006.jpg", "camera/IMG_4006.jpg", "name"),
        ("camera/IMG_4006.jpg", "camera/IMG_4006.jpg", "name"),
        ("2024/summer", "2024/summer/x.jpg", "name"),
        ("summer 2024", "2024/summer/x.jpg", "name"),
        ("SwissAlps", "trips/SwissAlps/y.jpg", "name"),
        ("swissalps", "trips/SwissAlps/y.jpg", "name"),
        ("swiss alps", "trips/SwissAlps/y.jpg", "name"),
        ("swissa", "trips/SwissAlps/y.jpg", "name"),
        ("mullers hutte", "trips/Müllers Hütte.jpg", "name"),
        ("a dog on the beach", DOGS[0], "meaning"),
    ],
)
def test_the_right_one_comes_first(
    searcher: Searcher, q: str, name: str, why: str
) -> None:
    """Whether it is called so, has it written on it, or shows it; and it is said which."""
    hit = first(searcher, q)
    assert (hit.filename, hit.why and hit.why[0]) == (name, why)


def test_what_is_seen_is_not_spoilt_by_signs(searcher: Searcher) -> None:
    """A sign with one of the words comes after all photos that show what was asked."""
    found = names(ask(searcher, "a dog on the beach", limit=len(DOGS)))
    assert found == DOGS


def test_a_word_that_may_mean_something_is_looked_for_both_ways(
    searcher: Searcher,
) -> None:
    """A sign with the very word is among the first ones, and so is what shows it."""
    found = names(ask(searcher, "dog", limit=4))
    assert {"signs/c.jpg", DOGS[0], DOGS[1]} <= {*found}


def test_a_phrase_alone_finds_nothing_else(searcher: Searcher) -> None:
    """In quotes, and with nothing beside it, only what has it is found."""
    found = ask(searcher, '"exit only"')
    assert names(found) == ["signs/a.jpg"]
    assert (found.total, found.more, found.fits) == (1, False, True)
    nowhere = ask(searcher, '"only exit"')
    assert (names(nowhere), nowhere.total) == ([], 0)


def test_a_phrase_with_more_beside_it_comes_first(searcher: Searcher) -> None:
    """All others follow then, each once."""
    found = ask(searcher, '"exit only" dog', limit=100)
    assert names(found)[0] == "signs/a.jpg"
    assert sorted(names(found)) == sorted({*EVERYTHING} - {NAMED[-1]})


# --- What is told ----------------------------------------------------------------------


def test_a_hit_says_why_it_was_found(searcher: Searcher) -> None:
    """By kind the words that match; a photo that only looks so has none."""
    text = first(searcher, "invoice 4711")
    assert text.matches == {"text": ["invoice", "4711"]}
    name = first(searcher, "IMG_4006")
    assert name.matches == {"name": ["img", "4006"]}
    seen = first(searcher, "a dog on the beach")
    assert (seen.why, seen.matches) == (["meaning"], {})
    newest = searcher.search(Search())
    assert {(hit.why, hit.matches) for hit in newest.results} == {(None, None)}


def test_a_score_stays_a_cosine(searcher: Searcher) -> None:
    """Whatever a photo was found by, its score says how it looks."""
    for q in ("invoice 4711", "dog", "IMG_4006", "a dog on the beach"):
        for hit in ask(searcher, q, limit=100).results:
            asked = FakeEmbedder().embed_query(q)
            cosine = float(asked @ vector_of(hit.filename))
            assert hit.score == pytest.approx(cosine, abs=0.02)


def test_what_was_found_by_words_is_never_below_a_floor(
    searcher: Searcher,
) -> None:
    """Neither below the cutoff, nor below what nonsense reaches."""
    searcher.remarks.floor.score = 0.99
    for cutoff in (0.0, 0.9, 1.0):
        for q in ("invoice 4711", "swissa", "IMG_4006"):
            found = ask(searcher, q, cutoff=cutoff)
            assert found.fits is True
            assert found.results[0].is_by_words
    assert ask(searcher, "a lemon").fits is False
    strict = ask(searcher, "a dog at IMG_4006", cutoff=0.99, limit=1)
    assert strict.results[0].is_by_words
    assert strict.total == 2  # and the best dog


# --- Where it is looked ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "q", "found"),
    [
        ("name", "IMG_4006", ["camera/IMG_4006.jpg"]),
        ("name", "invoice 4711", []),
        ("name", "IMG_9999", []),  # it can't be read
        ("name,text", "4711", ["scans/one.jpg"]),
        ("text", "4006", []),
        ("description", "stromboli", ["described/b.jpg"]),
        ("text", "img", []),
        ("text", "invoice 4711", ["scans/one.jpg"]),
        ("name", "img", ["camera/IMG_4006.jpg", "camera/IMG_4007.jpg"]),
        ("name", "!!!", []),
    ],
)
def test_in_narrows(
    searcher: Searcher,
    embedder: FakeEmbedder,
    where: str,
    q: str,
    found: list[str],
) -> None:
    """Only what is there is found then, and no model is asked but for the meaning."""
    for sort in ("score", "newest", "oldest"):
        answer = ask(searcher, q, sort=sort, **{"in": where})
        assert sorted(names(answer)) == found
        assert (answer.total, answer.more) == (len(found), False)
        for hit in answer.results:
            assert hit.score is None
            assert hit.why
    assert embedder.asked == []


def test_some_of_the_words_are_enough_where_none_has_all(
    searcher: Searcher,
) -> None:
    """A word that was misread hides no photo, if the others are rare."""
    found = ask(searcher, "invoice 0815", **{"in": "text"})
    assert names(found) == ["scans/three.jpg"]
    assert found.results[0].matches == {"text": ["0815"]}


def test_the_meaning_alone_reads_nothing(searcher: Searcher) -> None:
    """With `in=meaning` neither names nor signs count."""
    found = ask(searcher, "dog IMG_4006", **{"in": "meaning"})
    assert names(found)[: len(DOGS)] == DOGS
    assert {tuple(hit.why or ()) for hit in found.results} == {("meaning",)}


@pytest.mark.parametrize("wrong", ["", "words", "name,", "name;text"])
def test_there_are_four_ways_to_look(wrong: str) -> None:
    """Another is refused, and it is said what may be written."""
    with pytest.raises(ValidationError, match="write some of meaning, name"):
        Search.model_validate({"q": "x", "in": wrong})


# --- It goes with all else -------------------------------------------------------------

QUESTIONS: list[dict[str, Any]] = [
    {"q": "dog"},
    {"q": "invoice total"},
    {"q": "IMG_4006"},
    {"q": "plain"},
    {"q": '"exit only" dog'},
    {"q": "dog", "cutoff": 0.5},
    {"q": "invoice 4711", "cutoff": 0.9},
    {"q": "invoice 4711", "sort": "newest"},
    {"q": "plain jpg", "in": "name"},
    {"q": "plain jpg", "in": "name", "sort": "oldest"},
    {"q": "dog", "like": ["signs/a.jpg"]},
    {"q": "invoice", "minus": ["dog"], "unlike": ["scans/one.jpg"]},
    {"q": "x", "folder": "2024"},
]


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
@pytest.mark.parametrize("limit", [7])
def test_pages_join_up(
    searcher: Searcher, asked: dict[str, Any], limit: int
) -> None:
    """Pages of any length make up the whole, each photo once; `around` has its page."""
    whole = names(
        searcher.search(Search.model_validate(asked | {"limit": 100}))
    )
    assert len(whole) == len({*whole}) > 0
    pages: list[str] = []
    more, offset = True, 0
    while more and not pages[len(whole) :]:
        page = {"limit": limit, "offset": offset}
        answer = searcher.search(Search.model_validate(asked | page))
        pages += names(answer)
        more = answer.more and not answer.below_cutoff
        offset = answer.next_offset
    assert pages == whole
    for name in (whole[0], whole[len(whole) // 2], whole[-1]):
        there = {"limit": limit, "around": name}
        assert name in names(
            searcher.search(Search.model_validate(asked | there))
        )


def test_a_total_counts_all_pages(searcher: Searcher) -> None:
    """Of a search by words alone those that have them; of any other all photos."""
    assert ask(searcher, "plain", limit=1, **{"in": "name"}).total == PLAIN
    everything = ask(searcher, "invoice 4711", limit=1)
    assert everything.total == everything.searched == len(EVERYTHING) - 1


def test_filters_hold_for_words(searcher: Searcher) -> None:
    """What lies elsewhere is not found, however it is called."""
    found = ask(searcher, "IMG_4006", folder="signs")
    assert {name.split("/")[0] for name in names(found)} == {"signs"}
    left_out = ask(searcher, "IMG_4006", unlike=["camera/IMG_4006.jpg"])
    assert "camera/IMG_4006.jpg" not in names(left_out)


def test_equal_photos_fold_with_words(searcher: Searcher) -> None:
    """A page of groups begins with what has the words, too."""
    found = ask(searcher, "invoice 4711", fold=True, limit=3)
    assert names(found)[0] == "scans/one.jpg"
    assert len(found.results) == 3


def test_a_phrase_that_many_have_brings_all_of_them_first(
    embedder: Any,
) -> None:
    """They come page by page, each once, before any other photo."""
    many = [f"red roof/{number:03}.jpg" for number in range(230)]
    others = [f"other/{number:03}.jpg" for number in range(30)]
    memory = MemoryStore()
    for at, name in enumerate((*others, *many)):
        memory.put(name, axis(at % 7))
    searcher = Searcher(embedder, memory)
    pages: list[str] = []
    for offset in (0, 100, 200):
        pages += names(ask(searcher, "red roof", limit=100, offset=offset))
    assert sorted(pages[: len(many)]) == many
    assert sorted(pages) == sorted((*others, *many))


# --- Where it can't be answered --------------------------------------------------------


class CountingStore(MemoryStore):
    """Notes how many queries it is asked, each time that it is asked several at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        self.asked.append(len(queries))
        return super().query_all(queries)


@pytest.mark.parametrize(
    ("q", "asked"),
    [
        ("a boat in the harbour", [3]),  # boat, the, harbour
        ("lemons", [1]),
        ("lemons 4711", [2, 1]),  # the number, beside names
        ("exit only", [2, 2]),
    ],
)
def test_words_that_stand_nowhere_cost_little(
    embedder: Any, q: str, asked: list[int]
) -> None:
    """The store is asked for all words at once, or a phrase, only where it has each of them."""
    memory = CountingStore()
    for name in TEXTS:
        memory.points[name] = payload(name), vectors(name)
    Searcher(embedder, memory).search(Search(q=q))
    assert memory.asked[: len(asked)] == asked


def test_nothing_found_is_not_told_while_photos_are_indexed(
    store: Store, embedder: Any
) -> None:
    """The phrase may be on one that is still to come."""
    searcher = Searcher(embedder, store, lambda: "3 of 9")
    with pytest.raises(NotIndexedYet, match="3 of 9"):
        ask(searcher, '"no such phrase"')


def test_words_that_are_not_read_yet_are_no_empty_answer(
    store: Store, embedder: Any
) -> None:
    """Where only words count, and may be on a photo that nobody has read yet."""
    searcher = Searcher(embedder, store, unread=lambda: "3 of 9")
    for asked in ({}, {"in": "text"}, {"in": "text,description"}):
        with pytest.raises(NotIndexedYet, match=r"words .*3 of 9 so far"):
            ask(searcher, '"no such phrase"', **asked)
    assert ask(searcher, "nosuchname", **{"in": "name"}).results == []
    assert ask(searcher, "a dog", folder="nowhere").results == []


def test_an_owners_limits_leave_the_meaning(embedder: Any) -> None:
    """Where strict mode lets no words be asked for, what is seen is still found."""
    server = QdrantStandIn()
    remote: ServerStore = server_store(server)
    remote.check()
    fill_server(server, EVERYTHING)
    server.strict = models.StrictModeConfig(
        enabled=True, search_max_batchsize=1
    )
    searcher = Searcher(embedder, remote)
    assert first(searcher, "a dog on the beach").filename == DOGS[0]
    with pytest.raises(StoreRefuses, match="search_max_batchsize"):
        ask(searcher, "swiss alps", **{"in": "name"})
    remote.close()
    server.stop()


def test_a_collection_gets_its_indexes_later(embedder: Any) -> None:
    """One that another version made, in strict mode, is searched by words as well."""
    server = QdrantStandIn()
    remote: ServerStore = server_store(server)
    remote.check()
    fill_server(server, EVERYTHING)
    for field in [*server.texts]:
        del server.indexes[field], server.texts[field]
    server.strict = models.StrictModeConfig(
        enabled=True, unindexed_filtering_retrieve=False
    )
    remote.check()
    searcher = Searcher(embedder, remote)
    assert first(searcher, "invoice 4711").filename == "scans/one.jpg"
    assert first(searcher, "swissa").filename == "trips/SwissAlps/y.jpg"
    remote.close()
    server.stop()
