"""How much a photo counts that others are to be like, or not."""

from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from image_search import months, refusals
from image_search.clip import l2_normalize
from image_search.likes import LEAST, MOST, weights_of
from image_search.question import Search
from image_search.search import Searcher
from image_search.search_errors import SearchError, UnknownPhoto
from image_search.status import Equipment, StatusBoard
from tests.unit.memory_store import MemoryStore

DIMENSION = 6
WORDS = l2_normalize(np.eye(DIMENSION)[5])


class OneWord:
    """A model that knows one word."""

    def embed_query(self, text: str) -> Any:
        return WORDS


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    names = ("cat.png", "dog.png", "2:dog.png", "09:30 lunch.jpg", "x.png")
    for number, name in enumerate(names):
        store.put(name, l2_normalize(np.eye(DIMENSION)[number]))
    return store


@pytest.fixture
def searcher(store: MemoryStore) -> Searcher:
    embedder: Any = OneWord()
    return Searcher(embedder, store)


def axes(*numbers: float) -> Any:
    """The unit vector that goes so far along the first axes."""
    return pytest.approx(
        l2_normalize(np.resize([*numbers, *[0.0] * DIMENSION], DIMENSION))
    )


@pytest.mark.parametrize(
    ("term", "name", "weight"),
    [
        ("cat.png", "cat.png", 1),
        ("2:cat.png", "cat.png", 2),
        ("0.5:cat.png", "cat.png", 0.5),
        (".5:cat.png", "cat.png", 0.5),
        ("2:2:dog.png", "2:dog.png", 2),
        ("2:dog.png", "2:dog.png", 1),
        ("09:30 lunch.jpg", "09:30 lunch.jpg", 1),
        ("3:09:30 lunch.jpg", "09:30 lunch.jpg", 3),
        ("a:b/cat.png", "a:b/cat.png", 1),
    ],
)
def test_a_number_before_a_colon_is_a_weight(
    store: MemoryStore, term: str, name: str, weight: float
) -> None:
    """Unless a photo is called so: each photo stays to be named."""
    assert weights_of(store, [term]) == {name: weight}


@pytest.mark.parametrize("of", ["like", "unlike"])
@pytest.mark.parametrize(
    "weight", ["0", "-1", "2,5", "1e3", f"{MOST + 1:g}", f"{LEAST / 2:g}", "-"]
)
def test_a_bad_weight_is_refused(
    searcher: Searcher, of: str, weight: str
) -> None:
    """It is said what to write, also where only months are asked for."""
    with pytest.raises(SearchError, match=r"from 0\.01 to 100, such as 2:cat"):
        searcher.search(Search(**{of: [f"{weight}:cat.png"]}))

    app = FastAPI()
    refusals.install(app)
    app.include_router(months.router)
    equipment = Equipment(model="", device="", precision="", store="")
    app.state.status_board = StatusBoard(searcher.store, equipment)
    asked = {"unlike": f"{weight}:cat.png"}
    assert TestClient(app).get("/months", params=asked).status_code == 422


def test_a_weighted_photo_pulls_by_its_weight(searcher: Searcher) -> None:
    """Beside other photos, and beside words, which count 1; what is unlike pushes so."""
    two = Search(like=["2:cat.png", "dog.png"])
    assert searcher.query_vector(two) == axes(2, 1)
    beside = Search(q="word", like=["3:cat.png"])
    assert searcher.query_vector(beside) == axes(3, 0, 0, 0, 0, 1)
    away = Search(like=["cat.png"], unlike=["0.5:dog.png"])
    assert searcher.query_vector(away) == axes(1, -0.25)


def test_weights_of_one_photo_add_up(searcher: Searcher) -> None:
    """Named twice it counts for both."""
    twice = Search(like=["cat.png", "0.5:cat.png", "dog.png"])
    assert searcher.query_vector(twice) == axes(1.5, 1)


@pytest.mark.parametrize("of", ["like", "unlike"])
def test_a_weighted_photo_is_no_result(searcher: Searcher, of: str) -> None:
    """As one without a weight; another of a similar name is."""
    query = Search(q="word", **{of: ["2:cat.png", "2:dog.png"]})
    found = searcher.search(query).results
    names = {hit.filename for hit in found}
    assert names == {"dog.png", "09:30 lunch.jpg", "x.png"}


def test_an_unknown_photo_with_a_weight_is_unknown(searcher: Searcher) -> None:
    with pytest.raises(UnknownPhoto, match=r"No photo none\.png is"):
        searcher.search(Search(like=["2:none.png"]))


def test_without_weights_the_store_is_not_asked(store: MemoryStore) -> None:
    """Names cost nothing more than they did."""
    weights_of(store, ["cat.png", "trips/dog.png"])
    assert store.calls == []
