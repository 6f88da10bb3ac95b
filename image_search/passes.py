"""Passes of CocoIndex over a folder: what each is shown, and how much at a time."""

import asyncio
from collections.abc import Set
from pathlib import Path
from typing import Any, Protocol

from image_search.in_flight import LARGE, rows_in_flight
from image_search.listing import Files, Snapshot
from image_search.pulse import Pulse, patience_for, wait_unless_stuck
from image_search.record import Record
from image_search.sources import PhotoFolder

NONE: Set[str] = frozenset()


class Update(Protocol):
    """One pass of CocoIndex over the folder."""

    async def __call__(self, *, reopen: bool, reexport: bool) -> None:
        """`reopen`: CocoIndex is to be shown other files, or another folder.

        `reexport`: what is in the store already is written again.
        """


class Passes:
    """Has CocoIndex bring a store up to date with what a folder holds."""

    def __init__(
        self,
        folder: PhotoFolder,
        update: Update,
        record_file: Path,
        pulse: Pulse,
    ) -> None:
        self.folder = folder
        self.update = update
        self.record_file = record_file
        self.pulse = pulse
        # What CocoIndex was shown when the flow was opened, and how much at a time.
        self._opened: Any = folder.shown, folder.excluded, folder.rows

    async def run(
        self,
        snapshot: Snapshot,
        record: Record,
        unnoticed: Set[str],
        *,
        reads_all: bool,
        reexport: bool,
    ) -> None:
        """Show it all that is new, or has changed since the record was made.

        `unnoticed`: photos that are to be left out of one pass, and so are new to
        the next. `reads_all`: it may read the others too, as it does for `reexport`,
        by which what is in the store is written again.
        """
        large = _large_news(snapshot.photos, record)
        later = unnoticed | large
        others = _news(snapshot.photos, record) - large
        if others or unnoticed or reads_all or not large:
            await self.run_once(
                snapshot,
                record,
                later,
                reads_all=reads_all,
                reexport=reexport,
            )
        if not later:
            return
        if large:
            # Left out of a pass after the next start, they would be deleted.
            record.begun |= large
            await asyncio.to_thread(record.save, self.record_file)
        await self.run_once(snapshot, record, unnoticed=unnoticed)

    async def run_once(
        self,
        snapshot: Snapshot,
        record: Record,
        later: Set[str] = NONE,
        *,
        unnoticed: Set[str] = NONE,
        reads_all: bool = False,
        reexport: bool = False,
    ) -> None:
        """Run a pass that is not shown the photos that come `later`."""
        photos = snapshot.photos
        read: Set[str] = photos.keys()
        if not reads_all:
            read = read & (_news(photos, record) | unnoticed)
        self.folder.excluded = snapshot.hidden | later
        self.folder.rows = rows_in_flight(
            photos[name][1] for name in read - later
        )
        shown = self.folder.shown, self.folder.excluded, self.folder.rows
        reopen = shown != self._opened
        self._opened = None  # should it fail, the next one begins anew
        await wait_unless_stuck(
            self.update(reopen=reopen, reexport=reexport),
            self.pulse,
            patience_for(len(photos)),
        )
        self._opened = shown


def _news(photos: Files, record: Record) -> set[str]:
    """Photos that are new, or have changed."""
    known = record.photos
    return {name for name, file in photos.items() if file != known.get(name)}


def _large_news(photos: Files, record: Record) -> set[str]:
    """Large photos that CocoIndex has not been shown yet."""
    known = record.photos.keys() | record.begun
    return {
        name
        for name, file in photos.items()
        if file[1] > LARGE and name not in known
    }
