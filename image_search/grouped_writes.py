"""Changes that come while others are being written are written together."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class GroupedWrites(Generic[K, V]):
    """Writes changes in a thread, all that wait at a time.

    To write a hundred takes little longer than to write one. What comes later for the
    same key counts.
    """

    def __init__(self, write: Callable[[dict[K, V]], None]) -> None:
        self._write = write
        self._turn = asyncio.Lock()
        self._waiting: dict[asyncio.Future[None], dict[K, V]] = {}

    async def write(self, changes: dict[K, V]) -> None:
        """Write some changes; they are written when it returns, or it raises."""
        mine = asyncio.Future[None]()
        self._waiting[mine] = changes
        try:
            async with self._turn:
                if not mine.done():
                    await self._write_all()
            mine.result()
        finally:
            self._waiting.pop(mine)

    async def _write_all(self) -> None:
        group = dict(self._waiting)
        parts = [changes.items() for changes in group.values()]
        together = dict(itertools.chain.from_iterable(parts))
        try:
            await asyncio.to_thread(self._write, together)
        except Exception:  # of any type: each is told its own below
            if len(group) == 1:
                raise
            await self._write_each(group)
            return
        for waiting in group:
            waiting.set_result(None)

    async def _write_each(
        self, group: dict[asyncio.Future[None], dict[K, V]]
    ) -> None:
        """Write each by itself, so that none fails for another one."""
        for waiting, changes in group.items():
            try:
                await asyncio.to_thread(self._write, changes)
            except Exception as error:  # noqa: BLE001, it is the caller's
                waiting.set_exception(error)
            else:
                waiting.set_result(None)
