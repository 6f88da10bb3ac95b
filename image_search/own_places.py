"""Which places a process may index, and which it may forget.

One with a Postgres of its own has all of them for itself; of others see place_locks.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Protocol

from image_search.settings import StartupError


class PlaceTaken(Exception):
    """A place is not this process's to index, for now."""


class Places(Protocol):
    """Which places this process may index."""

    # Those that it indexed before, and may forget.
    former: list[str]
    # Those of other processes, in the same collection.
    others: set[str]

    def setting_up(
        self, former: Collection[str]
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Take the places, and keep others from setting up meanwhile.

        `former`: what it indexed before, and IMAGE_DIR names no more. What it may
        forget of them is forgotten by the end. Raises StartupError.
        """

    def holding(
        self, place: str
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Work on a place; raises PlaceTaken, and ends the work if it is lost."""

    async def keep(self) -> None:
        """Watch over the places, without an end."""

    def trouble(self) -> str:
        """Why some of them are not this process's for now, or nothing."""


class OwnPlaces:
    """Those of an app with a Postgres of its own: no other process can have them."""

    def __init__(self) -> None:
        self.former: list[str] = []
        self.others: set[str] = set()

    @contextlib.asynccontextmanager
    async def setting_up(self, former: Collection[str]) -> AsyncIterator[None]:
        self.former = [*former]
        yield

    @contextlib.asynccontextmanager
    async def holding(self, place: str) -> AsyncIterator[None]:
        yield

    async def keep(self) -> None:
        await asyncio.Event().wait()

    def trouble(self) -> str:
        return ""


def refuse_nameless(places: Collection[str], others: Collection[str]) -> None:
    """Raise StartupError where names of photos of two places could be the same.

    `others`: places of other processes in the same collection.
    """
    if "" in places and others:
        raise StartupError(
            f"The collection has photos of other places ({', '.join(sorted(others))}):"
            " give the folder a name, as in IMAGE_DIR=photos=/folder, or set"
            " QDRANT_COLLECTION to a new name."
        )
    if "" in others and places:
        raise StartupError(
            "The collection has the photos of another app, whose IMAGE_DIR is a folder"
            " without a name: start that one with a name (IMAGE_DIR=photos=/folder) and"
            " the DATA_DIR that it had, or set QDRANT_COLLECTION to a new name."
        )
