"""What is asked becomes one vector and one query; what is answered is right, page by page."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError
from qdrant_client import models

from image_search.around import FARTHEST
from image_search.clip import Embedding, l2_normalize
from image_search.hits import SearchResponse
from image_search.question import Search
from image_search.reasons import PhotoError
from image_search.search import CANDIDATES, Searcher
from image_search.search_errors import (
    NotAmongResults,
    NothingLeft,
    NotIndexedYet,
    UnknownPhoto,
)
from image_search.server_store import ServerStore
from image_search.store_errors import StoreUnavailable
from tests.qdrant_standin import QdrantStandIn
from tests.unit.memory_store import MemoryStore, id_of, payload_of

DIMENSION = 24


def axis(number: int) -> Embedding:
    """A unit vector at a right angle to all others of its kind."""
    return l2_normalize(np.eye(DIMENSION)[number])


class FakeEmbedder:
    """Knows the vectors of some words, and of one photo that is sent."""

    WORDS: ClassVar = {
        "plus": l2_normalize(np.ones(DIMENSION)),
        "less": l2_normalize(np.arange(DIMENSION)[::-1]),
        "x": axis(0),
    }
    SENT = b"a photo"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_query(self, text: str) -> Embedding:
        self.asked.append(text)
        return self.WORDS[text]

    def embed_upload(self, content: bytes) -> Embedding:
        if content != self.SENT:
            raise PhotoError("it is no image of a known format")
        self.asked.append("a photo")
        return axis(2)


@pytest.fixture
def embedder() -> Any:
    return FakeEmbedder()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def searcher(embedder: Any, store: MemoryStore) -> Searcher:
    return Searcher(embedder, store)


def names(found: SearchResponse) -> list[str]:
    return [hit.filename for hit in found.results]


# --- What can be asked --------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"q": ""},
        {"q": " \n"},
        {"q": "a" * 1001},
        {"minus": [""]},
        {"minus": ["a"] * 11},
        {"like": ["a.jpg"] * 51},
        {"unlike": ["a.jpg"] * 51},
        {"limit": 0},
        {"limit": 101},
        {"offset": -1},
        {"offset": 100_001},
        {"cutoff": -0.1},
        {"cutoff": 1.1},
        {"sort": "largest"},
        {"after": "yesterday"},
        {"after": ""},
        {"after": "24"},
        {"after": "2024-02-30"},
        {"before": "2024-05-01T12:00:00Z"},  # photos have local time
        {"near": ""},
        {"near": "Rome"},
        {"near": "41.9,12.5"},
        {"near": "41.9,12.5,10,20"},
        {"near": "90.1,12.5,10"},
        {"near": "-90.1,12.5,10"},
        {"near": "41.9,180.1,10"},
        {"near": "41.9,-180.1,10"},
        {"near": "41.9,12.5,0"},
        {"near": "41.9,12.5,-1"},
        {"near": "nan,12.5,10"},
        {"near": "41.9,nan,10"},
        {"near": "41.9,12.5,nan"},
        {"near": "inf,12.5,10"},
        {"query": "cat"},  # misspelled
    ],
)
def test_a_wrong_query_is_refused(wrong: dict[str, Any]) -> None:
    """What can't be meant is refused by the name of its parameter, never left out."""
    with pytest.raises(ValidationError) as refused:
        Search.model_validate(wrong)
    assert refused.value.errors()[0]["loc"][0] == next(iter(wrong))


def test_a_wrong_place_is_told_how_to_write_it() -> None:
    """The sentence has an example, and what each of the three may be."""
    with pytest.raises(
        ValidationError, match=r"such as 41\.9,12\.5,10"
    ) as told:
        Search.model_validate({"near": "Rome"})
    assert "-90 to 90" in str(told.value)


@pytest.mark.parametrize(
    "near", ["90,180,1", "-90,-180,0.1", " 0, 0, 1e9", "41.9,12.5,inf"]
)
def test_a_place_may_lie_at_the_edge(near: str) -> None:
    """Poles and the date line are places, and a circle may hold all of the earth."""
    assert Search.model_validate({"near": near}).near == near


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024", datetime(2024, 1, 1)),
        ("2024-05", datetime(2024, 5, 1)),
        ("2024-05-02", datetime(2024, 5, 2)),
        ("2024-05-02T12:30", datetime(2024, 5, 2, 12, 30)),
        ("2024-05-02 12:30:59", datetime(2024, 5, 2, 12, 30, 59)),
    ],
)
def test_a_date_may_be_short(text: str, moment: datetime) -> None:
    """A year or a month stands for its beginning."""
    search = Search.model_validate({"after": text, "before": text})
    assert search.after == search.before == moment


# --- How it becomes one vector ------------------------------------------------------


def test_nothing_asked_is_no_vector(
    searcher: Searcher, embedder: FakeEmbedder
) -> None:
    """Conditions alone are no query: nothing is embedded."""
    for query in (Search(), Search(folder="trips", sort="newest", cutoff=1)):
        assert searcher.query_vector(query) is None
    assert embedder.asked == []


def test_the_sum_has_unit_length(
    searcher: Searcher, embedder: FakeEmbedder
) -> None:
    """What is asked for in several ways is added up, a minus by half, and normalised."""
    query = Search(q="plus", minus=["less", "x"])
    words = embedder.WORDS
    expected = words["plus"] + axis(2) - (words["less"] + axis(0)) / 2
    vector = searcher.query_vector(query, embedder.SENT)
    assert vector is not None
    assert vector == pytest.approx(
        expected / np.linalg.norm(expected), abs=1e-6
    )
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector.shape == (DIMENSION,)


def test_a_photos_own_vector_counts_as_much_as_words(
    searcher: Searcher, store: MemoryStore, embedder: FakeEmbedder
) -> None:
    """`like` beside other things is a part of the sum: scores are cosines with all of it."""
    store.put("a.jpg", axis(3))
    store.put("b.jpg", axis(5))
    query = Search(q="plus", like=["a.jpg"], minus=["less", "x"])
    words = embedder.WORDS
    total = words["plus"] + axis(2) + axis(3) - (words["less"] + axis(0)) / 2
    [hit] = searcher.search(query, embedder.SENT).results
    assert hit.filename == "b.jpg"
    assert hit.score == pytest.approx(l2_normalize(total)[5], abs=1e-6)


def test_like_by_itself_embeds_nothing(
    searcher: Searcher, store: MemoryStore, embedder: FakeEmbedder
) -> None:
    """To find more like a photo of the index costs no model: its vector is known."""
    store.put("a.jpg", axis(0))
    store.put("b.jpg", l2_normalize(axis(0) + axis(1)))
    [hit] = searcher.search(Search(like=["a.jpg"])).results
    assert hit.score == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert embedder.asked == []


def test_like_an_unknown_photo_is_refused(
    searcher: Searcher, store: MemoryStore
) -> None:
    """A photo that is not in the index, or can't be read, is like none."""
    store.put("broken.jpg", error="it is empty")
    store.put("fine.jpg", axis(0))
    for name in ("no.jpg", "broken.jpg"):
        for query in (
            Search(like=[name]),
            Search(like=[name], q="x"),
            Search(unlike=[name]),
            Search(like=["fine.jpg", name]),
        ):
            with pytest.raises(
                UnknownPhoto, match=f"No photo {name} is in the index"
            ):
                searcher.search(query)


def put_some(store: MemoryStore) -> dict[str, Embedding]:
    """Photos of vectors that are by chance, but always the same."""
    chance = np.random.default_rng(1)
    vectors = {
        f"{number}.jpg": l2_normalize(chance.standard_normal(DIMENSION))
        for number in range(9)
    }
    for name, vector in vectors.items():
        store.put(name, vector)
    return vectors


def test_several_photos_count_as_their_mean(
    searcher: Searcher, store: MemoryStore
) -> None:
    """What is liked pulls as one photo would, what is not pushes away by half."""
    some = put_some(store)
    liked = (some["1.jpg"] + some["2.jpg"] + some["3.jpg"]) / 3
    unliked = (some["4.jpg"] + some["5.jpg"]) / 2
    query = Search(
        q="plus",
        like=["1.jpg", "2.jpg", "3.jpg"],
        unlike=["4.jpg", "5.jpg"],
        minus=["x"],
    )
    plus = FakeEmbedder.WORDS["plus"]
    total = plus + axis(2) + liked - unliked / 2 - axis(0) / 2
    vector = searcher.query_vector(query, FakeEmbedder.SENT)
    assert vector == pytest.approx(l2_normalize(total), abs=1e-6)


def test_one_like_is_the_photo_itself(
    searcher: Searcher, store: MemoryStore
) -> None:
    """More like one photo are those nearest to its own vector."""
    for name, vector in put_some(store).items():
        assert searcher.query_vector(Search(like=[name])) == pytest.approx(
            vector, abs=1e-6
        )


def test_the_order_of_photos_says_nothing(
    searcher: Searcher, store: MemoryStore
) -> None:
    """In whatever order they are named, and how often, the answer is the same."""
    put_some(store)
    like, unlike = ["1.jpg", "2.jpg", "3.jpg"], ["4.jpg", "5.jpg"]
    once = searcher.search(Search(like=like, unlike=unlike))
    again = Search(
        like=[*like[::-1], *like], unlike=[*unlike[::-1], "4.jpg", ""]
    )
    assert searcher.search(again) == once


@pytest.mark.parametrize(
    "asked", [{"q": "plus"}, {"like": ["1.jpg"]}, {"minus": ["x"]}]
)
def test_what_is_unlike_pushes_away(
    searcher: Searcher, store: MemoryStore, asked: dict[str, Any]
) -> None:
    """A photo that equals one to be unlike scores less than it did."""
    unlike = put_some(store)["4.jpg"]
    store.put("copy.jpg", unlike)

    def score(query: Search) -> float:
        hits = searcher.search(query).results
        [hit] = [hit for hit in hits if hit.filename == "copy.jpg"]
        assert hit.score is not None
        return hit.score

    without = score(Search(**asked))
    assert score(Search(**asked, unlike=["4.jpg"])) < without - 0.1


@pytest.mark.parametrize(
    "beside", [{}, {"q": "plus"}, {"sort": "oldest"}, {"fold": True}]
)
def test_what_is_named_is_no_result(
    searcher: Searcher, store: MemoryStore, beside: dict[str, Any]
) -> None:
    """A photo that others are to be like, or not, is found in no way, nor counted."""
    every = {*put_some(store)}
    named = {"1.jpg", "2.jpg", "3.jpg", "4.jpg"}
    for like in ([], ["1.jpg", "2.jpg"]):
        left = every - (named if like else {"3.jpg", "4.jpg"})
        query = Search(like=like, unlike=["3.jpg", "4.jpg"], **beside)
        found = searcher.search(query)
        assert {*names(found)} == left
        assert found.total == found.searched == len(left)


def test_unlike_alone_only_leaves_out(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Where nothing is asked for the rest stays in the order of time, without scores."""
    put_fan(store, 5)
    found = searcher.search(Search(unlike=["3.jpg"]))
    assert names(found) == ["4.jpg", "2.jpg", "1.jpg", "0.jpg"]
    assert {hit.score for hit in found.results} == {None}


def test_like_and_unlike_the_same_is_nothing(
    searcher: Searcher, store: MemoryStore
) -> None:
    """What is in both counts in neither; where no more was asked, it is refused."""
    put_some(store)
    for names_ in (["1.jpg"], ["1.jpg", "2.jpg"]):
        with pytest.raises(NothingLeft, match="unlike"):
            searcher.search(Search(like=names_, unlike=names_[::-1]))
    both = Search(like=["1.jpg", "2.jpg"], unlike=["1.jpg"])
    assert searcher.query_vector(both) == pytest.approx(
        store.points["2.jpg"][1], abs=1e-6
    )
    beside = Search(q="plus", like=["1.jpg"], unlike=["1.jpg"])
    assert searcher.query_vector(beside) == pytest.approx(
        FakeEmbedder.WORDS["plus"], abs=1e-6
    )


def test_minus_alone_is_a_query(searcher: Searcher) -> None:
    """What is least like some words can be asked for as well."""
    vector = searcher.query_vector(Search(minus=["x"]))
    assert vector == pytest.approx(-axis(0), abs=1e-6)


def test_nothing_left_is_refused(searcher: Searcher) -> None:
    """What takes away all that is asked for is refused, not searched for."""
    with pytest.raises(NothingLeft, match="minus"):
        searcher.query_vector(Search(q="x", minus=["x", "x"]))


def test_no_photo_is_refused(searcher: Searcher) -> None:
    """What is sent and is no photo is refused with the reason; nothing at all too."""
    for content in (b"no photo", b""):
        with pytest.raises(PhotoError, match="known format"):
            searcher.search(Search(), content)


# --- What is answered ---------------------------------------------------------------


def put_fan(store: MemoryStore, number: int) -> None:
    """Photos ever further from "x": 0.jpg is nearest, and the oldest."""
    for index in range(number):
        angle = np.pi / 2 * index / number
        vector = np.cos(angle) * axis(0) + np.sin(angle) * axis(1)
        taken = f"2024-01-{1 + index:02}T00:00:00"
        store.put(f"{index}.jpg", vector, taken=taken)


def test_a_hit_tells_all_that_is_shown(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Name, score, size, time, a version that changes with the file, and its header."""
    digest = "0123456789abcdef" * 4
    details = {"camera": "Canon EOS 5D", "place": {"lat": 41.9, "lon": 12.5}}
    store.put(
        "a.jpg",
        axis(0),
        sha256=digest,
        taken_from="exif",
        details=details,
        thumbhash="3EgKFwhpaIVP",
    )
    store.rounding = 1e-6
    [hit] = searcher.search(Search(q="x")).results
    assert hit.model_dump() == {
        "filename": "a.jpg",
        "score": 1,
        "width": 4,
        "height": 3,
        "taken": datetime(2022, 2, 2),
        "taken_from": "exif",
        "version": "0123456789abcdef",
        "damaged": False,
        "in_browsers": True,
        "details": details,
        "thumbhash": "3EgKFwhpaIVP",
        "why": ["meaning"],
        "matches": {},
        "similar": [],
    }


def test_a_point_of_an_earlier_version_is_a_hit(
    searcher: Searcher, store: MemoryStore
) -> None:
    """What was not read of its header yet is left out, and no error."""
    store.put("a.jpg", axis(0))
    [hit] = searcher.search(Search(q="x")).results
    assert (hit.taken_from, hit.details) == (None, {})
    assert hit.thumbhash is None


def test_a_camera_and_a_place_are_filters(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Each by itself, both, and with words; a photo that tells of neither is left out."""
    rome = {"lat": 41.9, "lon": 12.5}
    store.put("a.jpg", axis(0), details={"camera": "A 1", "place": rome})
    store.put("b.jpg", axis(0), details={"camera": "B 2", "place": rome})
    store.put("c.jpg", axis(0), details={"camera": "A 1"})
    store.put("d.jpg", axis(0))

    def found(**asked: Any) -> set[str]:
        answer = searcher.search(Search.model_validate(asked))
        return {hit.filename for hit in answer.results}

    assert found(camera="A 1") == {"a.jpg", "c.jpg"}
    assert found(near="41.9,12.6,10") == {"a.jpg", "b.jpg"}
    assert found(near="41.9,12.6,10", camera="A 1", q="x") == {"a.jpg"}
    assert found(near="41.9,13.5,10", q="x") == set()
    assert found(camera=" A 1 ", near="0,0,1e300") == {"a.jpg"}


def test_no_query_is_the_newest(searcher: Searcher, store: MemoryStore) -> None:
    """Without a query photos that can be read are listed, the newest first, without scores."""
    put_fan(store, 4)
    store.put("broken.jpg", error="it is empty", taken="2030-01-01T00:00:00")
    found = searcher.search(Search())
    assert names(found) == ["3.jpg", "2.jpg", "1.jpg", "0.jpg"]
    assert {hit.score for hit in found.results} == {None}
    assert searcher.search(Search(sort="newest", cutoff=1)) == found


def test_like_leaves_itself_out(searcher: Searcher, store: MemoryStore) -> None:
    """More like a photo are others, also with words beside it."""
    put_fan(store, 4)
    for query in (Search(like=["1.jpg"]), Search(like=["1.jpg"], q="x")):
        assert set(names(searcher.search(query))) == {"0.jpg", "2.jpg", "3.jpg"}


@pytest.mark.parametrize("q", [None, "x"])
def test_a_folder_is_meant_by_its_path(
    searcher: Searcher, store: MemoryStore, q: str | None
) -> None:
    """folder= keeps what lies in or below it, with slashes or without; / is everything."""
    for name in (
        "a.jpg",
        "trips/b.jpg",
        "trips/rome/c.jpg",
        "trips/rome 2/d.jpg",
    ):
        store.put(name, axis(0))
    for spelled in ("trips/rome", "/trips/rome/"):
        found = searcher.search(Search(q=q, folder=spelled))
        assert names(found) == ["trips/rome/c.jpg"]
    assert len(searcher.search(Search(q=q, folder="/")).results) == 4
    for wrong in ("trip", "rome", "TRIPS"):
        assert searcher.search(Search(q=q, folder=wrong)).results == []


@pytest.mark.parametrize("q", [None, "x"])
def test_after_is_in_and_before_is_out(
    searcher: Searcher, store: MemoryStore, q: str | None
) -> None:
    """A photo of the very moment is after it, and not before it."""
    put_fan(store, 4)
    moment = datetime(2024, 1, 3)
    for given, expected in (
        ({"after": "2024-01-03"}, {"2.jpg", "3.jpg"}),
        ({"before": "2024-01-03"}, {"0.jpg", "1.jpg"}),
        ({"after": "2024-01-02", "before": "2024-01-03"}, {"1.jpg"}),
        ({"after": moment.isoformat(), "before": moment.isoformat()}, set()),
    ):
        query = Search.model_validate({"q": q} | given)
        assert set(names(searcher.search(query))) == expected


@pytest.mark.parametrize("sort", ["score", "newest", "oldest"])
@pytest.mark.parametrize("q", [None, "x"])
def test_pages_join_up(
    searcher: Searcher, store: MemoryStore, q: str | None, sort: Any
) -> None:
    """Pages of any length make up the whole, and say whether more follow."""
    put_fan(store, 20)
    for number in range(5):
        store.put(f"twin {number}.jpg", axis(0))
    whole = searcher.search(Search(q=q, sort=sort, limit=100))
    assert len(whole.results) == 25
    assert not whole.more
    for limit in (1, 7, 12, 25):
        pages = []
        for offset in range(0, 25, limit):
            page = searcher.search(
                Search(q=q, sort=sort, limit=limit, offset=offset)
            )
            pages += page.results
            assert page.more == (len(pages) < 25)
            assert page.next_offset == len(pages)
        assert pages == whole.results
    beyond = searcher.search(Search(q=q, sort=sort, offset=99))
    assert (beyond.results, beyond.more) == ([], False)


def put_copies(store: MemoryStore) -> None:
    """Twenty photos, of which each third was copied four times."""
    for number in range(20):
        for copy in range(5 if number % 3 == 0 else 1):
            store.put(
                f"{number:02} copy {copy}.jpg",
                l2_normalize(axis(0) + (number + copy / 10) * axis(1) / 9),
                sha256=f"digest {number}",
                taken=f"2024-01-{28 - number:02}T12:00:{copy:02}",
            )


@pytest.mark.parametrize("sort", ["score", "newest", "oldest"])
@pytest.mark.parametrize("q", [None, "x"])
@pytest.mark.parametrize("limit", [1, 3, 7, 48, 100])
def test_folded_pages_hold_each_photo_once(
    searcher: Searcher, store: MemoryStore, q: str | None, sort: Any, limit: int
) -> None:
    """Read from `next_offset` to the end, first ones and similar ones are the whole."""
    put_copies(store)
    whole = searcher.search(Search(q=q, sort=sort, limit=100))
    offset, more, found = 0, True, []
    while more:
        page = searcher.search(
            Search(q=q, sort=sort, limit=limit, offset=offset, fold=True)
        )
        assert 0 < len(page.results) <= limit
        for hit in page.results:
            assert not any(one.similar for one in hit.similar)
            group = [hit, *hit.similar]
            assert len({one.filename[:2] for one in group}) == 1
            found += [one.filename for one in group]
        offset, more = page.next_offset, page.more
    assert offset == len(whole.results) == len(found)
    assert sorted(found) == sorted(names(whole))


def test_a_fold_is_not_cut_by_the_end_of_its_page(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Copies that follow one another are one group, wherever a page ends."""
    put_copies(store)
    page = searcher.search(Search(limit=4, fold=True))
    assert [len(hit.similar) for hit in page.results] == [4, 0, 0, 4]
    assert (page.more, page.next_offset) == (True, 12)


def test_what_is_cut_off_is_told_from_what_is_on_the_next_page(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Only where all that follows is below the cutoff it says so."""
    put_copies(store)
    cut = {"q": "x", "cutoff": 0.9, "fold": True}
    first = searcher.search(Search(**cut, limit=1))
    assert (first.more, first.below_cutoff) == (True, False)
    whole = searcher.search(Search(**cut, limit=100))
    assert (whole.more, whole.below_cutoff) == (True, True)
    every = searcher.search(Search(q="x", fold=True, limit=100))
    assert (every.more, every.below_cutoff) == (False, False)


def test_without_fold_nothing_is_similar(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Each photo is a result of its own, and no vector is asked for."""
    put_copies(store)
    page = searcher.search(Search(limit=100))
    assert len(page.results) == len(store.points)
    assert not any(hit.similar for hit in page.results)


def test_the_oldest_of_the_best_come_first(
    searcher: Searcher, store: MemoryStore
) -> None:
    """With words, too, they are in the order of time; without, they are the first there are."""
    put_copies(store)
    for query in (
        Search(sort="oldest", limit=100),
        Search(q="x", sort="oldest", limit=100),
    ):
        times = [hit.taken for hit in searcher.search(query).results]
        assert len(times) == len(store.points)
        assert times == sorted(times)


def test_cutoff_keeps_a_share_of_the_best(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Hits with that share of the best score are kept, and `more` tells of those below."""
    put_fan(store, 4)
    everything = searcher.search(Search(q="x")).results
    scores = [hit.score or 0 for hit in everything]
    for cutoff in (0.01, 0.5, 0.9, 1):
        found = searcher.search(Search(q="x", cutoff=cutoff))
        kept = [score for score in scores if score >= cutoff * scores[0]]
        assert found.results == everything[: len(kept)]
        assert found.more == (len(kept) < len(scores))
    assert names(found) == ["0.jpg"]


def test_cutoff_leaves_the_best_even_below_zero(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Where every score is negative the best is still a hit, and a share of it is further."""
    for number, score in enumerate((-0.4, -0.5, -0.7, -0.9)):
        vector = score * axis(0) + np.sqrt(1 - score**2) * axis(5)
        store.put(f"{number}.jpg", vector)
    for cutoff, kept in ((1, 1), (0.75, 2), (0.2, 3), (0, 4)):
        found = searcher.search(Search(q="x", cutoff=cutoff))
        assert names(found) == [f"{number}.jpg" for number in range(kept)]
        assert found.more == (kept < 4)


def test_newest_of_the_found(searcher: Searcher, store: MemoryStore) -> None:
    """sort=newest keeps what the search finds, with its scores, in the order of time."""
    put_fan(store, 9)
    best = searcher.search(Search(q="x", cutoff=0.8))
    newest = searcher.search(Search(q="x", cutoff=0.8, sort="newest"))
    assert len(newest.results) == len(best.results) > 2
    assert newest.results == best.results[::-1]
    assert newest.more == best.more


def test_newest_of_the_found_is_of_the_best(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Of more than a thousand, the newest of the best thousand are meant, not of all."""
    for number in range(CANDIDATES):
        store.put(f"{number}.jpg", axis(0), taken="2020-01-01T00:00:00")
    store.put("far.jpg", axis(1), taken="2030-01-01T00:00:00")
    found = searcher.search(Search(q="x", sort="newest"))
    assert "far.jpg" not in names(found)
    assert names(searcher.search(Search(sort="newest")))[0] == "far.jpg"


def test_nothing_is_no_answer_while_photos_wait(
    embedder: Any, store: MemoryStore
) -> None:
    """While photos are being indexed, an empty answer is an error that says how far it is."""
    so_far: list[str | None] = ["3 of 9"]
    searcher = Searcher(embedder, store, lambda: so_far[0])
    with pytest.raises(NotIndexedYet, match="3 of 9 so far"):
        searcher.search(Search(q="x"))
    so_far[0] = None
    assert searcher.search(Search(q="x")).results == []
    so_far[0] = "4 of 9"
    store.put("a.jpg", axis(0))
    assert names(searcher.search(Search(q="x"))) == ["a.jpg"]
    # A page beyond the end of what was found is an answer.
    beyond = searcher.search(Search(q="x", offset=5))
    assert (beyond.results, beyond.more) == ([], False)


def test_a_store_that_is_away_is_no_empty_answer(
    searcher: Searcher, store: MemoryStore
) -> None:
    """An error of the store comes through as it is."""
    store.failure = StoreUnavailable("away")
    for query in (Search(), Search(q="x"), Search(like=["a.jpg"])):
        with pytest.raises(StoreUnavailable, match="away"):
            searcher.search(query)


# --- What it costs ------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    server = QdrantStandIn()
    yield server
    server.stop()


@pytest.mark.parametrize(
    "query",
    [
        Search(),
        Search(q="x"),
        Search(q="x", sort="newest", cutoff=0.5),
        Search(q="x", offset=99, folder="trips"),
        Search(q="x", offset=5000),
        Search(sort="newest", offset=5000),
        Search(like=["trips/1.jpg"]),
        Search(like=["trips/1.jpg"], q="x", minus=["less"]),
        Search(like=["trips/1.jpg", "trips/2.jpg"], unlike=["trips/3.jpg"]),
    ],
)
def test_a_search_costs_one_query(
    server: QdrantStandIn, embedder: Any, query: Search
) -> None:
    """However it is sorted and however deep its page lies, photos are asked for once.

    The first page of all costs a count too, unless a filter lets few through; photos
    that are named, and words, cost one question, however many there are.
    """
    store = ServerStore(server.url, None, "photos", DIMENSION)
    store.check()
    vectors = np.random.default_rng(0).standard_normal((30, DIMENSION))
    points = []
    for number, vector in enumerate(vectors):
        name = f"trips/{number}.jpg"
        payload = payload_of(name, taken=f"2024-01-{1 + number:02}T00:00:00")
        given: Any = {"embedding": vector.tolist()}
        id = str(id_of(name))
        points.append(models.PointStruct(id=id, vector=given, payload=payload))
    server.qdrant.upsert("photos", points)
    store.search(None, 1)  # it sees that no point lacks a sort key
    server.calls.clear()
    found = Searcher(embedder, store).search(query)
    is_first = not query.offset
    calls = ["query_points"] * bool(query.like or query.unlike)
    calls += ["query_batch_points"] * bool(query.q) + ["query_points"]
    assert server.calls == calls + ["count_points"] * is_first
    assert bool(found.results) == (query.offset < 30)
    store.close()


# --- Around a photo -------------------------------------------------------------------

EVERY_WAY: list[dict[str, Any]] = [
    {},
    {"q": "x"},
    {"q": "x", "sort": "newest"},
    {"q": "x", "cutoff": 0.5},
    {"q": "x", "cutoff": 0.5, "sort": "newest"},
    {"like": ["3.jpg"]},
    {"like": ["3.jpg"], "minus": ["x"]},
    {"like": ["3.jpg", "4.jpg"], "unlike": ["5.jpg"]},
    {"unlike": ["5.jpg", "6.jpg"]},
    {"folder": "trips"},
    {"after": "2024-01-05", "before": "2024-01-20"},
]


@pytest.mark.parametrize("asked", EVERY_WAY)
@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_around_a_photo_are_its_neighbours(
    searcher: Searcher, store: MemoryStore, asked: dict[str, Any], limit: int
) -> None:
    """Whatever was asked, the page holds the photo, and is a part of the whole list."""
    put_fan(store, 25)
    for number in range(5):
        name = f"trips/{number}.jpg"
        store.put(name, axis(0) + number * axis(3), taken="2024-01-09T12:00:00")
    whole = searcher.search(Search(**asked, limit=100))
    assert names(whole)
    for rank, name in enumerate(names(whole)):
        page = searcher.search(Search(**asked, limit=limit, around=name))
        assert name in names(page)
        assert page.offset <= rank
        end = page.offset + limit
        assert names(page) == names(whole)[page.offset : end]
        assert page.more or end >= len(names(whole))
        # On both sides there is something, as far as there is anything.
        assert limit < 3 or names(page)[0] != name or rank == 0
        assert (
            limit < 3
            or names(page)[-1] != name
            or rank == len(names(whole)) - 1
        )


@pytest.mark.parametrize("asked", EVERY_WAY)
def test_around_what_is_no_result_is_refused(
    searcher: Searcher, store: MemoryStore, asked: dict[str, Any]
) -> None:
    """A photo that was not found has no neighbours: never a page of others instead."""
    put_fan(store, 25)
    store.put("trips/0.jpg", axis(0), taken="2024-01-09T12:00:00")
    store.put("broken.jpg", error="it is empty")
    found = names(searcher.search(Search(**asked, limit=100)))
    others = {*store.points, "no.jpg", ""} - {*found}
    for name in others:
        with pytest.raises(NotAmongResults, match="not among the results"):
            searcher.search(Search(**asked, around=name))


def test_around_what_is_too_far_down_is_said(
    searcher: Searcher, store: MemoryStore
) -> None:
    """How many fit better is counted to a limit, which the refusal tells."""
    for number in range(FARTHEST + 1):
        store.put(f"{number:05}.jpg", axis(0))
    last = f"{FARTHEST - 1:05}.jpg"
    page = searcher.search(Search(q="x", limit=10, around=last))
    assert (page.offset, len(page.results)) == (FARTHEST - 6, 7)
    beyond = f"{FARTHEST:05}.jpg"
    with pytest.raises(NotAmongResults, match="first 10,000 results"):
        searcher.search(Search(q="x", around=beyond))
    # In the order of time they are counted, however many there are.
    assert beyond in names(searcher.search(Search(around=beyond)))


# --- What an answer says of itself ----------------------------------------------------


@pytest.mark.parametrize("sort", ["score", "newest"])
def test_all_pages_are_counted(
    searcher: Searcher, store: MemoryStore, sort: Any
) -> None:
    """The first page tells how many photos there are in all, and were searched."""
    for number in range(30):
        vector = l2_normalize(axis(0) + number / 20 * axis(1))
        store.put(f"{number}.jpg", vector)
    store.put("broken.jpg", error="it is empty")
    for wanted in ({}, {"q": "x"}, {"q": "x", "cutoff": 0.9}):
        whole = searcher.search(Search(**wanted, sort=sort, limit=100))
        few = searcher.search(Search(**wanted, sort=sort, limit=2))
        assert whole.total == few.total == len(whole.results)
        assert whole.searched == few.searched == 30
        page = Search(**wanted, sort=sort, limit=2, offset=2)
        assert searcher.search(page).total is None
    nothing = searcher.search(Search(folder="nowhere"))
    assert (nothing.total, nothing.searched) == (0, 0)


def test_more_than_can_be_counted_is_not_made_up(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Above a cutoff a thousand photos are counted; of more the total is null."""
    for number in range(CANDIDATES):
        store.put(f"{number}.jpg", axis(0))
    found = searcher.search(Search(q="x", cutoff=0.5))
    assert (found.total, found.searched) == (None, CANDIDATES)
    assert searcher.search(Search(q="x")).total == CANDIDATES


def test_words_are_told_from_nonsense(
    searcher: Searcher, store: MemoryStore
) -> None:
    """`fits` is about the best photo and the words alone: null for photos, and unknown."""
    store.put("cat.jpg", axis(0))
    assert searcher.search(Search(q="x")).fits is None
    searcher.remarks.floor.score = 0.9
    assert searcher.search(Search(q="x")).fits is True
    assert searcher.search(Search(q="x", sort="newest")).fits is True
    assert searcher.search(Search(q="x", minus=["less"])).fits is True
    assert searcher.search(Search(q="plus")).fits is False
    assert searcher.search(Search(q="x"), FakeEmbedder.SENT).fits is None
    assert searcher.search(Search(q="x", offset=1)).fits is None
    assert searcher.search(Search()).fits is None
    store.put("dog.jpg", axis(1))
    assert searcher.search(Search(q="x", like=["dog.jpg"])).fits is None


def test_what_is_named_so_comes_beside(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Photos and folders of the name of `q` are told, as far as the filters let them."""
    names_ = ["x.jpg", "x/a.jpg", "x/b.jpg", "xyz.jpg", "other.jpg"]
    for year, name in enumerate(names_, start=2020):
        store.put(name, axis(1), taken=f"{year}-01-01T00:00:00")
    store.put("x/broken.jpg", error="it is empty")
    searcher.remarks.names.follow([*store.points, "x/waiting.jpg"])

    def named(**wanted: Any) -> list[str]:
        found = searcher.search(Search(q="x", **wanted))
        return [hit.filename for hit in found.named]

    found = searcher.search(Search(q="x"))
    assert named() == ["x.jpg", "x/a.jpg", "x/b.jpg"]
    assert found.named_folders == ["x"]
    assert all(hit.score is None for hit in found.named)
    assert named(folder="x") == ["x/a.jpg", "x/b.jpg"]
    assert named(after="2022") == ["x/b.jpg"]
    assert named(offset=1) == []
    assert searcher.search(Search()).named == []


def test_a_folder_that_is_not_there_is_told_from_an_empty_one(
    searcher: Searcher, store: MemoryStore
) -> None:
    """Folders of a similar name are told only where there is none of that name."""
    store.put("Trips/Rome/a.jpg", axis(0), taken="2020-01-01T00:00:00")
    for folder, similar in (
        ("trips", ["Trips"]),
        ("Rome", ["Trips/Rome"]),
        ("nowhere", []),
        ("Trips", None),
    ):
        found = searcher.search(Search(folder=folder, after="2021"))
        assert (found.results, found.similar_folders) == ([], similar)
    assert searcher.search(Search(folder="Trips")).similar_folders is None
