"""The process that reads words on photos: one, which gives way to all others."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from image_search.reasons import PhotoError
from image_search.text_model import TextModel
from image_search.text_reader import (
    Glance,
    ReaderBroken,
    TextReading,
    check_reader,
    find_text,
    read_text,
)
from image_search.workers import (
    PoolClosed,
    PoolUnavailable,
    WorkerError,
    WorkerPool,
)

READ_SECONDS = 120  # that a photo may take; a page of a book takes five
TRIES = 2
READER_BYTES = 3 * 2**30
LOWEST = 19  # priority: whoever searches goes first, and so do vectors
# One thread: several that wait for each other's cores take longer.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
}


def _new_pool() -> WorkerPool:
    return WorkerPool(1, READ_SECONDS, ENVIRONMENT, READER_BYTES, LOWEST)


class CannotRead(Exception):
    """Nothing can be read just now, whichever photo it is; says why."""


class TextWorker:
    """Looks for text on small copies, and reads photos; nothing runs before that.

    Its methods raise PhotoError where it is the photo that can't be read, CannotRead
    where none can, and PoolClosed once it is closed.
    """

    def __init__(
        self, model: TextModel, new_pool: Callable[[], WorkerPool] = _new_pool
    ) -> None:
        self.model = model
        self.pool = new_pool()
        self._new_pool = new_pool

    async def find(self, small: bytes) -> Glance | None:
        """Where there may be text, by a small copy; None: nowhere."""
        found: Glance | None = await self._work(find_text, small)
        return found

    async def read(
        self, photo: Path | bytes, glance: Glance | None
    ) -> TextReading:
        """Read a photo's file, or what was in it; also raises OSError."""
        read: TextReading = await self._work(read_text, photo, glance)
        return read

    def rest(self) -> None:
        """Give its memory back, some 350 MiB, until there is work again."""
        if self.pool.workers():
            self.pool.close()
            self.pool = self._new_pool()

    def close(self) -> None:
        """End it amid its work; from any thread."""
        self.pool.close()

    async def _work(self, function: Any, *arguments: Any) -> Any:
        try:
            return await self._run(function, *arguments)
        except WorkerError:
            # Is it the photo's fault, or would any other end the worker?
            try:
                await self._run(check_reader)
            except WorkerError:
                raise CannotRead(
                    "Words on photos can't be read: what reads them crashes, or"
                    " does not answer, whatever the photo is. Set OCR=off to do"
                    " without."
                ) from None
            raise PhotoError(
                f"what reads it crashed, or took {READ_SECONDS} s, twice"
            ) from None

    async def _run(self, function: Any, *arguments: Any) -> Any:
        run = self.pool.run
        job = (*arguments, self.model)
        try:
            return await asyncio.to_thread(run, function, *job, tries=TRIES)
        except PoolClosed:
            raise
        except (PoolUnavailable, ReaderBroken) as error:
            raise CannotRead(str(error)) from None
