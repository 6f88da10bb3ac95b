"""A text is embedded once, whichever threads ask, and what no model reads is told."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from image_search.clip import DualEncoder, Embedding
from image_search.text_encoder import TextEncoder


@pytest.fixture
def text_encoder(tiny_clip: Path) -> Iterator[TextEncoder]:
    text_encoder = TextEncoder(DualEncoder("tiny", tiny_clip))
    yield text_encoder
    text_encoder.close()


def test_a_query_asked_again_costs_no_model(text_encoder: TextEncoder) -> None:
    """The vector of a text is kept, and is the same however often it is asked for."""
    assert not text_encoder.knows("a query of its own")
    first = text_encoder.embed("a query of its own")
    assert text_encoder.knows("a query of its own")
    assert text_encoder.embed("a query of its own") is first
    assert np.array_equal(
        first,
        text_encoder.encoder.tower("text").embed_text("a query of its own"),
    )


def test_a_text_that_was_prepared_costs_no_model(
    text_encoder: TextEncoder,
) -> None:
    """It is known once it was waited for, and is what it would have been."""
    asyncio.run(text_encoder.prepare("in a while"))
    assert text_encoder.knows("in a while")
    expected = text_encoder.encoder.tower("text").embed_text("in a while")
    assert np.array_equal(text_encoder.embed("in a while"), expected)


def test_queries_may_be_asked_at_once(text_encoder: TextEncoder) -> None:
    """Queries from many threads each get the vector of their own words."""
    texts = [f"query {number}" for number in range(20)]

    async def ask_all() -> list[np.ndarray]:
        asked = (asyncio.to_thread(text_encoder.embed, text) for text in texts)
        return list(await asyncio.gather(*asked))

    for text, vector in zip(texts, asyncio.run(ask_all()), strict=True):
        assert np.array_equal(
            vector, text_encoder.encoder.tower("text").embed_text(text)
        )


def test_many_texts_are_quicker_together(text_encoder: TextEncoder) -> None:
    """Each gets the vector that it gets alone, and none is kept."""
    texts = [
        f"text {number} {'and more ' * (number % 5)}" for number in range(50)
    ]
    vectors = text_encoder.embed_all(texts)
    assert len(vectors) == len(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert not text_encoder.knows(text)
        assert vector @ text_encoder.embed(text) > 0.9999


def test_a_query_waits_for_few_texts(tiny_clip: Path) -> None:
    """However many are embedded, the model has few of them at a time."""
    tower = DualEncoder("tiny", tiny_clip).tower("text")
    batches: list[int] = []

    class NotingTower:
        texts_at_once = tower.texts_at_once

        def embed_texts(self, texts: list[str]) -> list[Embedding]:
            batches.append(len(texts))
            return tower.embed_texts(texts)

    class Encoder:
        def tower(self, _: str) -> NotingTower:
            return NotingTower()

    text_encoder = TextEncoder(Encoder())
    vectors = text_encoder.embed_all([f"text {one}" for one in range(50)])
    text_encoder.close()
    assert len(vectors) == sum(batches) == 50
    assert max(batches) == tower.texts_at_once < 10


def test_texts_that_nobody_waits_for_have_one_core() -> None:
    """A query has all of them, before these and after."""
    cores: list[int] = []

    class NotingTower:
        texts_at_once = 8

        def embed_texts(self, texts: list[str]) -> list[Embedding]:
            cores.append(torch.get_num_threads())
            return [np.ones(1, np.float32) for _ in texts]

        def embed_text(self, text: str) -> Embedding:
            return self.embed_texts([text])[0]

    class Encoder:
        def tower(self, _: str) -> NotingTower:
            return NotingTower()

    text_encoder = TextEncoder(Encoder())
    text_encoder.embed("before")
    text_encoder.embed_all([f"text {one}" for one in range(9)])
    text_encoder.embed("after")
    text_encoder.close()
    all_cores = torch.get_num_threads()
    assert cores == [all_cores, 1, 1, all_cores]


def test_what_is_too_long_is_told(text_encoder: TextEncoder) -> None:
    """The words that a model has no room for are known: those before are what it read."""
    tower = text_encoder.tower()
    most = tower.model.config.text_config.max_position_embeddings
    words = [f"word{number}" for number in range(2 * most)]
    unread = text_encoder.unread(" ".join(words))
    left = unread.split()
    assert 0 < len(left) < len(words)
    assert words[-len(left) :] == left
    read = " ".join(words[: -len(left)])
    assert text_encoder.unread(read) == ""
    assert text_encoder.unread("a dog on a beach") == ""
    np.testing.assert_allclose(
        text_encoder.embed(f"{read} {left[0]}"),
        text_encoder.embed(" ".join(words)),
        atol=1e-6,
    )
