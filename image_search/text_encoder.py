"""Descriptions become vectors, each once, whichever threads ask."""

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Protocol

import numpy as np

QUERIES_KEPT = 4096
SURELY_READ = 60  # characters: every model has room for as many tokens

# A vector of shape (d,).
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


class Tower(Protocol):
    """A model's half for words, as clip.Tower."""

    model: Any

    texts_at_once: int

    def embed_text(self, text: str) -> Vector: ...

    def embed_texts(self, texts: list[str]) -> list[Vector]: ...

    def unread(self, text: str) -> str: ...


class Encoder(Protocol):
    """A model that is loaded once, as clip.DualEncoder."""

    def tower(self, half: Literal["text"]) -> Any: ...


class TextEncoder:
    """Embeds descriptions, each once, in a thread of its own.

    OpenMP takes up to twice as long once a second thread calls PyTorch.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="text-encoder")
        # By text; the one that was asked for last comes last.
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, text: str) -> Vector:
        """A vector of shape (d,); waits for the model if the text is a new one."""
        vector = self._recall(text)
        if vector is not None:
            return vector
        return self._thread.submit(self._embed, text).result()

    async def prepare(self, text: str) -> None:
        """Have the model embed a text, so that `embed` need not wait for it."""
        await asyncio.wrap_future(self._thread.submit(self._embed, text))

    def embed_all(self, texts: list[str]) -> list[Vector]:
        """A vector for each text, of which none is kept: queries come in between."""
        size = self.tower().texts_at_once
        starts = range(0, len(texts), size)
        vectors: list[Vector] = []
        for start in starts:
            some = texts[start : start + size]
            vectors += self._thread.submit(self._embed_some, some).result()
        return vectors

    def knows(self, text: str) -> bool:
        """Whether a text costs no model."""
        return text in self._known

    def unread(self, text: str) -> str:
        """The end of a text that the model has no room for, or ""."""
        if len(text) <= SURELY_READ:
            return ""
        tower = self.tower()
        # A tokenizer serves one thread at a time.
        return self._thread.submit(tower.unread, text).result()

    def _embed(self, text: str) -> Vector:
        vector = self._recall(text)  # somebody else may have asked meanwhile
        if vector is None:
            vector = self._loaded().embed_text(text)
            with self._lock:
                self._known[text] = vector
                if len(self._known) > QUERIES_KEPT:
                    self._known.popitem(last=False)
        return vector

    def _embed_some(self, texts: list[str]) -> list[Vector]:
        """Embed texts that nobody waits for, on one core.

        Beside photos that are embedded, cores that share a product wait for one
        another, and take twice the CPU time.
        """
        import torch

        tower = self._loaded()
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return tower.embed_texts(texts)
        finally:
            torch.set_num_threads(cores)

    def _recall(self, text: str) -> Vector | None:
        with self._lock:
            vector = self._known.get(text)
            if vector is not None:
                self._known.move_to_end(text)
            return vector

    def tower(self) -> Tower:
        """The text tower, loaded if need be; raises StartupError."""
        return self._thread.submit(self._loaded).result()

    def _loaded(self) -> Tower:
        tower: Tower = self.encoder.tower("text")
        return tower

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
