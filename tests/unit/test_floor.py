"""How well nonsense fits: the floor follows the index, and costs the model once."""

from typing import Any

import numpy as np
import pytest

from image_search.clip import Embedding, l2_normalize
from image_search.floor import EXAMPLES, Floor, nonsense
from image_search.store_errors import StoreUnavailable
from tests.unit.memory_store import MemoryStore

DIMENSION = 64
SUBJECTS = ("dog", "beach")


class ChanceEmbedder:
    """Texts lie anywhere; what photos show lies where their vectors are."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.text = self  # what embeds them

    def embed_all(self, texts: list[str]) -> list[Embedding]:
        return [*map(self.embed_query, texts)]

    def embed_query(self, text: str) -> Embedding:
        self.asked.append(text)
        seed = sum(ord(sign) << place for place, sign in enumerate(text))
        chance = np.random.default_rng(seed)
        return l2_normalize(chance.standard_normal(DIMENSION))


@pytest.fixture
def embedder() -> Any:
    return ChanceEmbedder()


@pytest.fixture
def store(embedder: Any) -> MemoryStore:
    store = MemoryStore()
    for number in range(20):
        subject = embedder.embed_query(SUBJECTS[number % len(SUBJECTS)])
        other = embedder.embed_query(f"something {number}")
        store.put(f"{number}.jpg", l2_normalize(subject + other))
    embedder.asked.clear()
    return store


def best(store: MemoryStore, vector: Embedding) -> float:
    return store.search(vector, 1)[0].score


def test_what_photos_show_is_above_and_nonsense_below(
    embedder: Any, store: MemoryStore
) -> None:
    """Words of what is there reach the floor; nearly all of what means nothing doesn't."""
    floor = Floor(embedder, store)
    assert floor.is_reached(1.0) is None
    floor.measure(20)
    for subject in SUBJECTS:
        assert floor.is_reached(best(store, embedder.embed_query(subject)))
    others = [f"qwertz{number}" for number in range(100)]
    reached = [
        floor.is_reached(best(store, embedder.embed_query(text)))
        for text in others
    ]
    assert sum(map(bool, reached)) < 10


def test_examples_are_of_what_there_is(
    embedder: Any, store: MemoryStore
) -> None:
    """Only what fits a photo well is offered to begin with, the best of it first."""
    floor = Floor(embedder, store)
    floor.measure(20)
    assert floor.examples == []
    for number, text in enumerate(EXAMPLES[:5]):
        other = number * embedder.embed_query("something else")
        vector = 5 * embedder.embed_query(text) + other
        store.put(f"example {number}.jpg", l2_normalize(vector))
    floor.measure(25)
    assert floor.examples == [*EXAMPLES[:3]]


def test_it_is_measured_as_the_index_grows(
    embedder: Any, store: MemoryStore
) -> None:
    """The model is asked once, the store whenever a fifth has come or gone."""
    floor = Floor(embedder, store)
    floor.measure(0)
    assert floor.score is None
    floor.measure(100)
    assert sorted(embedder.asked) == sorted([*nonsense(), *EXAMPLES])
    store.calls.clear()
    floor.measure(120)
    assert store.calls == []
    for photos in (130, 100):
        floor.measure(photos)
        assert store.calls
        store.calls.clear()
    assert len(embedder.asked) == len(nonsense()) + len(EXAMPLES)


def test_a_store_that_is_away_leaves_it_as_it_was(
    embedder: Any, store: MemoryStore
) -> None:
    """The floor that was known stays, and is measured when the store is back."""
    floor = Floor(embedder, store)
    floor.measure(20)
    known = floor.score
    store.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        floor.measure(40)
    assert floor.score == known
    store.failure = None
    store.calls.clear()
    floor.measure(40)
    assert store.calls
