"""Images that wait for the model go through it together, where that is quicker."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from image_search.colour import Pixels
from image_search.workers import TRIES, WorkerError

# A vector of shape (d,).
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
# Some images, and how often it may try -> their vectors; raises WorkerError.
Run = Callable[[list[Pixels], int], list[Vector]]


class Batches:
    """Embeds images first come, first served, some at a time."""

    def __init__(self, run: Run, size: Callable[[], int]) -> None:
        """`size`: how many at a time, asked once there are some: the model knows."""
        self.run = run
        self.size = size
        self._turn = asyncio.Lock()
        self._waiting: dict[asyncio.Future[Vector], Pixels] = {}

    async def embed(self, image: Pixels) -> Vector:
        """Embed an image, together with others that wait; raises WorkerError."""
        mine = asyncio.Future[Vector]()
        self._waiting[mine] = image
        try:
            async with self._turn:
                if not mine.done():
                    await self._embed_batch_with(mine)
            return mine.result()
        finally:
            self._waiting.pop(mine)

    async def _embed_batch_with(self, mine: asyncio.Future[Vector]) -> None:
        """Embed the images that have waited longest: `mine` comes first."""
        batch = dict(itertools.islice(self._waiting.items(), self.size()))
        tries = 1 if len(batch) > 1 else TRIES
        try:
            vectors = await self._run([*batch.values()], tries)
        except WorkerError:
            if len(batch) == 1:
                raise
            # By itself, so that it does not fail for another one.
            batch = {mine: self._waiting[mine]}
            vectors = await self._run([*batch.values()], TRIES)
        for waiting, vector in zip(batch, vectors, strict=True):
            waiting.set_result(vector)

    async def _run(self, images: list[Pixels], tries: int) -> list[Vector]:
        return await asyncio.to_thread(self.run, images, tries)
