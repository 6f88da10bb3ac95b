"""Follows a collection that other processes fill.

What it holds is counted every few seconds, and its names are read again when their
number has changed, and now and then: Qdrant does not tell of a change.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from image_search.filters import READABLE, Filter
from image_search.remarks import Remarks
from image_search.settings import StartupError, logger
from image_search.status import StatusBoard
from image_search.store_errors import StoreError, StoreRefuses

# Between two looks at the least; a slow one is followed by so many times its length.
LOOK_SECONDS = 2.0
REST = 20
# Between two readings of all names, though their number is the same.
READ_SECONDS = 60.0
READ_REST = 200


class Collection(Protocol):
    """What is followed, as a ReplicaStore has it."""

    def check(self) -> None:
        """See that it can be searched; raises StartupError, StoreError."""

    def count(self, where: Filter) -> int:
        """How many photos a filter lets through."""

    def names_and_digests(self) -> Iterator[tuple[str, str]]:
        """Those of all photos that can be read."""


class Replica:
    """Keeps what a process that only searches knows of the collection."""

    def __init__(
        self, store: Collection, remarks: Remarks, board: StatusBoard
    ) -> None:
        self.store = store
        self.remarks = remarks
        self.board = board
        self.progress = board.progress_of()
        # Photos when all names were last read, and these as one number.
        self._photos: int | None = None
        self._content: int | None = None
        # When they may be read again, and when they are to, by time.monotonic().
        self._earliest = self._latest = 0.0

    async def start(self) -> None:
        """See that the collection can be searched, unless it is still to come.

        Raises StartupError.
        """
        try:
            await asyncio.to_thread(self._count)
        except StoreRefuses as error:
            # It would go on refusing.
            raise StartupError(str(error)) from None
        except StoreError as error:
            self._note(str(error))
        await self.board.refresh()

    async def run(self) -> None:
        """Look again and again."""
        while True:
            began = time.monotonic()
            photos = await self.look()
            took = time.monotonic() - began
            if photos is not None:
                await self._read_if_due(photos)
            await asyncio.sleep(max(LOOK_SECONDS, REST * took))

    async def look(self) -> int | None:
        """Count, and tell who listens to the status; None if it can't be done."""
        photos = error = None
        try:
            photos = await asyncio.to_thread(self._count)
        except (StoreError, StartupError) as failure:
            error = str(failure)
        self._note(error)
        await self.board.refresh()
        return photos

    def _count(self) -> int:
        self.store.check()
        photos = self.store.count(READABLE)
        # Of none it can't be told whether there are none, or none yet.
        self.progress.is_ready = photos > 0
        self.remarks.indexed = photos
        return photos

    def _note(self, error: str | None) -> None:
        if error and error != self.progress.last_error:
            logger.warning("%s", error)
        self.progress.last_error = error

    async def _read_if_due(self, photos: int) -> None:
        """Read all names where they may have changed."""
        began = time.monotonic()
        is_news = photos != self._photos and began >= self._earliest
        if not is_news and began < self._latest:
            return
        try:
            await asyncio.to_thread(self.read, photos)
        except StoreError as error:
            logger.debug("The names stay: %s", error)
            return
        now = time.monotonic()
        took = now - began
        self._earliest = now + REST * took
        self._latest = now + max(READ_SECONDS, READ_REST * took)
        await self.board.refresh()

    def read(self, photos: int) -> None:
        """Know all names, and whether anything has changed; raises StoreError."""
        names, content = [], 0
        for photo in self.store.names_and_digests():
            names.append(photo[0])
            content ^= hash(photo)
        if content != self._content:
            # Should the store go away meanwhile, all is read again.
            self.remarks.keep_up(names, photos)
            if self._content is not None:
                self.progress.last_change = datetime.now()
        self._photos, self._content = photos, content
