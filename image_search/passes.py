"""Passes of CocoIndex over a folder: what each is shown, and how much at a time."""

import asyncio
from collections.abc import Set
from pathlib import Path
from typing import Any, Protocol

from image_search.in_flight import LARGE, rows_in_flight
from image_search.listing import Files, Snapshot
from image_search.place import Place
from image_search.pulse import Pulse, patience_for, wait_unless_stuck
from image_search.record import Record

NONE: Set[str] = frozenset()
# New photos that one pass is shown: so many at first,
FIRST_TURN = 100
# and never more than these, than this part of a large folder,
LEAST_IN_LONGEST_TURN = 250
LONGEST_TURNS = 25
# or than are done in so many seconds: before each turn the whole folder is looked at.
TURN_SECONDS = 10


class Update(Protocol):
    """One pass of CocoIndex over a folder."""

    async def __call__(
        self, folder: Place, *, reopen: bool, reexport: bool
    ) -> None:
        """`reopen`: CocoIndex is to be shown other files, or another folder.

        `reexport`: what is in the store already is written again.
        """


class Reader(Protocol):
    """What reads and embeds photos, as far as a pass asks it."""

    @property
    def pulse(self) -> Pulse:
        """When one was last read or embedded."""

    def most_rows(self) -> int:
        """How many of them under way keep what embeds them busy."""


class Passes:
    """Has CocoIndex bring a store up to date with what a folder holds.

    New photos come in turns, the newest first: CocoIndex holds some 20 kB of each
    until a pass is over, and what comes in the meantime need not wait for all.
    """

    def __init__(
        self,
        folder: Place,
        update: Update,
        record_file: Path,
        reader: Reader,
    ) -> None:
        self.folder = folder
        self.update = update
        self.record_file = record_file
        self.reader = reader
        # What CocoIndex was shown when the flow was opened, and how much at a time.
        self._opened: Any = folder.shown, folder.excluded, folder.rows

    async def run(
        self,
        snapshot: Snapshot,
        record: Record,
        later: Set[str],
        unnoticed: Set[str],
        *,
        reads_all: bool,
        reexport: bool,
    ) -> None:
        """Show what is new, or has changed since the record, but what comes `later`.

        `unnoticed`: photos that are to be left out of one pass, and so are new to
        the next. `reads_all`: it may read the others too, as it does for `reexport`,
        by which what is in the store is written again.
        """
        begun = snapshot.photos.keys() - record.photos.keys() - later
        if later and not begun <= record.begun:
            # Left out of a pass after the next start, they would be deleted.
            record.begun |= begun
            await asyncio.to_thread(record.save, self.record_file)
        await self.run_once(
            snapshot,
            record,
            later | unnoticed,
            reads_all=reads_all,
            reexport=reexport,
        )
        if unnoticed:
            await self.run_once(snapshot, record, later, unnoticed=unnoticed)

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
        self.folder.snapshot = snapshot
        self.folder.excluded = snapshot.hidden | later
        self.folder.rows = rows_in_flight(
            (photos[name][1] for name in read - later),
            self.reader.most_rows(),
        )
        shown = self.folder.shown, self.folder.excluded, self.folder.rows
        reopen = shown != self._opened
        self._opened = None  # should it fail, the next one begins anew
        await wait_unless_stuck(
            self.update(self.folder, reopen=reopen, reexport=reexport),
            self.reader.pulse,
            patience_for(len(photos)),
        )
        self._opened = shown


def _news(photos: Files, record: Record) -> set[str]:
    """Photos that are new, or have changed."""
    known = record.photos
    return {name for name, file in photos.items() if file != known.get(name)}


def photos_for_later(
    snapshot: Snapshot, record: Record, points: int, rate: float | None = None
) -> set[str]:
    """New photos that come in another turn than the next: older, or large ones.

    `points`: how many photos are in the store. `rate`: how many come in a second.
    """
    photos = snapshot.photos
    known = record.photos.keys() | record.begun
    if points > len(known):
        # Which they are the record does not know: what is left out is deleted.
        return set()
    # An empty file costs nothing, and may stand for a photo that is away.
    new = [
        name for name, (_, size) in photos.items() if size and name not in known
    ]
    large = {name for name in new if photos[name][1] > LARGE}
    ordinary = [name for name in new if name not in large]
    waiting = ordinary or list(large)
    waiting.sort(key=lambda name: photos[name][0], reverse=True)
    turn = photos_in_turn(len(known), len(photos), rate or 0)
    later = set(waiting[turn:])
    return later | large if ordinary else later


def photos_in_turn(known: int, total: int, rate: float) -> int:
    """How many new photos one pass is shown, of a folder that holds so many.

    Few at first, so that the newest are there at once. Each pass looks at the whole
    folder: in a large one there must not be too many of them. `rate`: photos a second.
    """
    longest = max(
        LEAST_IN_LONGEST_TURN, total // LONGEST_TURNS, int(rate * TURN_SECONDS)
    )
    return min(max(FIRST_TURN, known), longest)
