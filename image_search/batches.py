"""Images that wait go through the model together.

Where that is quicker, and on all devices.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from image_search.colour import Pixels
from image_search.hardware import batches_at_once
from image_search.reasons import OutOfMemory
from image_search.workers import TRIES, WorkerError

# A vector of shape (d,).
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


class BatchSize(NamedTuple):
    """What a device is given at a time."""

    most: int  # images
    # So many are enough to make up the batch to come, while
    # others are computed.
    early: int
    at_once: int = 1  # batches that are computed beside each other

    @classmethod
    def of(cls, device: str, most: int) -> "BatchSize":
        """A CPU has the less to gain by a batch, the smaller it is."""
        early = most if device == "cpu" else max(1, most // 4)
        return cls(most, early, batches_at_once(device))

    @property
    def under_way(self) -> int:
        """Batches at most: while some are computed the next is on its way."""
        return self.at_once + 1


class Lane(Protocol):
    """What embeds batches, on a device of its own."""

    @property
    def size(self) -> BatchSize:
        """How many images at a time."""

    def run(self, images: list[Pixels], tries: int) -> list[Vector]:
        """Embed them; raises WorkerError and OutOfMemory, among others."""

    def shrink(self, images: int) -> None:
        """There was no memory for so many."""


class Batches:
    """Embeds images first come, first served."""

    def __init__(self, lanes: Callable[[], Sequence[Lane]]) -> None:
        """`lanes`: asked once there are some images, as it may load PyTorch."""
        self._ask_for_lanes = lanes
        self._lanes: Sequence[Lane] = ()
        self._under_way: Counter[int] = Counter()  # by the number of the lane
        self._tasks: set[asyncio.Task[None]] = set()
        # By what waits for it; who was there first comes first.
        self._waiting: dict[asyncio.Future[Vector], Pixels] = {}
        self._threads: ThreadPoolExecutor | None = None

    async def embed(self, image: Pixels) -> Vector:
        """Embed an image, together with others that wait; raises WorkerError."""
        if not self._lanes:
            self._lanes = self._ask_for_lanes()
            # Of their own: those of the loop are busy with decoding.
            most = sum(lane.size.under_way for lane in self._lanes)
            self._threads = ThreadPoolExecutor(most, "batches")
        mine: asyncio.Future[Vector] = asyncio.Future()
        self._waiting[mine] = image
        self._form_batches()
        try:
            return await mine
        finally:
            self._waiting.pop(mine, None)

    def close(self) -> None:
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _form_batches(self) -> None:
        """Form one for each lane that has room for it.

        Those without any come first.
        """
        while self._waiting:
            lanes = filter(self._has_room, range(len(self._lanes)))
            number = min(lanes, key=self._load, default=None)
            if number is None:
                return
            batch = self._next_batch(number)
            self._under_way[number] += 1
            task = asyncio.create_task(self._embed(number, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _has_room(self, number: int) -> bool:
        """Whether a lane could compute more, or what waits is a batch to come next."""
        if self._load(number) < 1:
            return True
        size = self._lanes[number].size
        enough = len(self._waiting) >= size.early
        return enough and self._under_way[number] < size.under_way

    def _load(self, number: int) -> float:
        return self._under_way[number] / self._lanes[number].size.at_once

    def _next_batch(self, number: int) -> dict[asyncio.Future[Vector], Pixels]:
        """Take out the images that have waited longest."""
        size = self._lanes[number].size
        # What is left is for all that compute beside each other.
        share = math.ceil(len(self._waiting) / size.at_once)
        chosen = [*self._waiting][: min(size.most, share)]
        return {one: self._waiting.pop(one) for one in chosen}

    async def _embed(
        self, number: int, batch: dict[asyncio.Future[Vector], Pixels]
    ) -> None:
        lane = self._lanes[number]
        try:
            await self._embed_together(lane, batch)
        finally:
            for waiting in batch:
                waiting.cancel()  # of no effect, unless this was cancelled
            self._under_way[number] -= 1
            self._form_batches()

    async def _embed_together(
        self, lane: Lane, batch: dict[asyncio.Future[Vector], Pixels]
    ) -> None:
        """Embed a batch; should that fail, each image by itself."""
        tries = 1 if len(batch) > 1 else TRIES
        try:
            vectors = await self._run(lane, [*batch.values()], tries)
        except Exception as error:  # noqa: BLE001, who waits is told of any
            if isinstance(error, OutOfMemory):
                lane.shrink(len(batch))
            if len(batch) > 1 and isinstance(error, WorkerError | OutOfMemory):
                for waiting, image in batch.items():
                    await self._embed_together(lane, {waiting: image})
                return
            for waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for waiting, vector in zip(batch, vectors, strict=True):
            if not waiting.done():  # nobody has given it up
                waiting.set_result(vector)

    async def _run(
        self, lane: Lane, images: list[Pixels], tries: int
    ) -> list[Vector]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lane.run, images, tries
        )
