"""Keeps the index of a folder current: what CocoIndex needs a pass for."""

import asyncio
import time
from datetime import datetime
from typing import Protocol

from image_search.absence import Absences
from image_search.exclusions import describe_left_out
from image_search.filters import UNREADABLE, Condition, Filter
from image_search.hardware import return_freed_memory
from image_search.listing import Files, Snapshot
from image_search.passes import Passes, Update, photos_for_later
from image_search.passes import Reader as PassReader
from image_search.place import Place
from image_search.place_points import PlacePoints
from image_search.record import Record, record_file
from image_search.settings import Settings, logger
from image_search.state import check_free_space, redact
from image_search.status import StatusBoard
from image_search.store import Store
from image_search.store_errors import (
    CollectionMissing,
    StoreError,
    StoreRefuses,
)

# Skipped photos that are looked at again at most.
SKIPPED_RETRIED = 10_000


class Reader(PassReader, Protocol):
    """What reads and embeds photos, as far as the index asks it."""

    @property
    def readers(self) -> str:
        """The versions of what photos are read with."""

    @property
    def passing_errors(self) -> set[str]:
        """Why photos were skipped that may well be read after a restart."""

    @property
    def trouble(self) -> str:
        """Why none can be read just now, or nothing."""


class Index:
    """The photos of a folder as points in a store.

    A folder without any photo, all of a sudden, is more often a disk that isn't mounted
    than a person's wish. CocoIndex would take it as one, so it is never left to poll by
    itself: each of its passes follows a look at the folder and at the store.
    """

    def __init__(
        self,
        folder: Place,
        store: Store,
        update: Update,
        board: StatusBoard,
        settings: Settings,
        reader: Reader,
    ) -> None:
        self.folder = folder
        self.store = store
        self.points = PlacePoints(store, folder.address.name)
        self.board = board
        self.progress = board.progress_of(folder.address.name)
        self.settings = settings
        self.reader = reader
        self.absences = Absences(folder, store)
        self.record_file = record_file(settings, folder.address)
        self.record = Record()
        self.passes = Passes(folder, update, self.record_file, reader)

        self.progress.photos = folder.first_look.photos
        # Whether the next sync is to look at every photo again that was skipped.
        self.retries_skipped = False
        # No pass was whole since the start.
        self._is_first = True
        # Whether more photos are to come that were seen already.
        self._in_turns = False

    async def sync(self) -> None:
        """Bring the index up to date, or say in the status what is in the way."""
        try:
            while not await self._sync():
                self.progress.last_error = None  # more are to come
            self.progress.is_ready = True
            self.progress.last_error = None
        except Exception as error:  # noqa: BLE001, of any type: the next may go better
            message = redact(error, self.settings.cocoindex_database_url)
            # Said once, not at every try.
            if message != self.progress.last_error:
                self.progress.last_error = message
                logger.error("Indexing waits: %s", message)
        try:
            await self.board.refresh()
        except Exception as error:  # noqa: BLE001, or the folder is followed no more
            logger.error("The status can't be told: %s", error)

    async def _sync(self) -> bool:
        """Look at the folder, and bring in what is new, or the next part of it.

        Returns whether that was all.
        """
        if self._is_first:
            self.record = await asyncio.to_thread(Record.load, self.record_file)
            self.progress.photos = self.progress.photos or self.record.photos
            if self.record.readers != self.reader.readers:
                self.retries_skipped = True
        points = await asyncio.to_thread(self._count_or_mend)
        snapshot = await asyncio.to_thread(self._look, points)
        self._log_news(snapshot)
        self.progress.see(snapshot)
        if not self._in_turns:
            self.progress.pass_began = time.monotonic()
            self.progress.points_before = points
        # Else CocoIndex would ask its database about each photo.
        if self._is_up_to_date(points):
            return True
        check_free_space(self.settings.data_dir)
        rate = self.progress.images_per_second(points)
        later = photos_for_later(snapshot, self.record, points, rate)
        self._in_turns = bool(later)
        await self._bring_up_to_date(snapshot, later, points)
        await self._finish_pass(later)
        return not later

    async def _bring_up_to_date(
        self, snapshot: Snapshot, later: set[str], points: int
    ) -> None:
        """Run the passes, with what is away and what is tried again in mind."""
        await asyncio.to_thread(self._note_place)
        await asyncio.to_thread(self.absences.show)
        unnoticed = await asyncio.to_thread(
            self._unnoticed_changes, snapshot.photos
        )
        # From here on it may be asked for again.
        retries_skipped, self.retries_skipped = self.retries_skipped, False
        try:
            async with self.board.refreshed_all_along():
                await self._update(snapshot, later, unnoticed, points)
        except Exception:
            self.retries_skipped |= retries_skipped
            raise

    def _note_place(self) -> None:
        """Know it, and its disks, before photos are indexed: this may end any time."""
        self.record.place = self.folder.address.name
        disks = self.absences.disks()
        if disks != self.record.disks or not self.record_file.exists():
            self.record.disks = disks
            self.record.save(self.record_file)

    def _look(self, points: int) -> Snapshot:
        """What the folder holds, and keeps; what can't be read is to be left alone."""
        found = self.folder.scan()
        return self.absences.look(found, self.record, points).settled()

    async def _update(
        self,
        snapshot: Snapshot,
        later: set[str],
        unnoticed: set[str],
        points: int,
    ) -> None:
        """Run the passes of CocoIndex that the index needs."""
        # Points that went behind CocoIndex's back come back from its cache.
        lost_points = points < self.progress.points
        # What it read with another version it reads again.
        reads_all = lost_points or self.record.readers != self.reader.readers
        await self.passes.run(
            snapshot,
            self.record,
            later,
            unnoticed,
            reads_all=reads_all,
            reexport=lost_points,
        )
        if await self._has_all(snapshot, later):
            return
        await self.passes.run_once(
            snapshot, self.record, later, reads_all=True, reexport=True
        )
        if await self._has_all(snapshot, later):
            return
        expected = snapshot.photos.keys() - later
        await asyncio.to_thread(self.points.find_out, expected)
        if not await self._has_all(snapshot, later):
            found = await asyncio.to_thread(self.points.count)
            raise StoreError(
                f"{found} of {len(expected)} photos are in the index."
                f" {self.reader.trouble}".rstrip()
            )

    async def _has_all(self, snapshot: Snapshot, later: set[str]) -> bool:
        """Whether all photos are in the index that are to be there by now.

        So they are if the folder has changed since.
        """
        points = await asyncio.to_thread(self.points.count)
        if points == len(snapshot.photos) - len(later):
            return True
        now = await asyncio.to_thread(self._look, points)
        return (now.photos, now.hidden) != (snapshot.photos, snapshot.hidden)

    async def _finish_pass(self, later: set[str]) -> None:
        """Write down what is in the index now; what comes `later` is not."""
        photos = dict(self.progress.photos)
        for name in later | self.folder.take_failures():
            photos.pop(name, None)
        points = await asyncio.to_thread(self.points.count)
        unreadable = await asyncio.to_thread(self.points.count, UNREADABLE)
        if photos != self.record.photos:
            # Of the index: without it a page would not look at a replaced photo again.
            self.progress.last_change = datetime.now()
            logger.info(
                "%s%d photos are indexed, %d are skipped.",
                self.folder.address.label,
                points - unreadable,
                len(self.progress.skipped) + unreadable,
            )
        self.progress.points = points
        self.progress.passes += 1
        self._is_first = False
        self.record = Record(
            photos=photos,
            disks=self.absences.disks(),
            place=self.folder.address.name,
            folder=self.folder.address.where,
            disk=self.folder.disk(),
            readers=self.reader.readers,
        )
        await asyncio.to_thread(self.record.save, self.record_file)
        # CocoIndex holds some 15 kB a photo until a pass is over.
        await asyncio.to_thread(return_freed_memory)

    def _is_up_to_date(self, points: int) -> bool:
        was_whole = self.progress.is_ready and not self.progress.last_error
        return (
            was_whole
            and not self.retries_skipped
            and points == len(self.progress.photos)
            and self.progress.photos == self.record.photos
        )

    def _count_or_mend(self) -> int:
        """How many photos the store holds; if some are missing, see to it."""
        try:
            points = self.points.count()
        except (CollectionMissing, StoreRefuses):
            self.store.check()
            self.absences.forget()
            return self.points.count()
        if points < self.progress.points:
            self.absences.forget()
            self.store.check()
        return points

    def _unnoticed_changes(self, photos: Files) -> set[str]:
        """Photos that CocoIndex would leave as they are, though they need a look.

        It looks only for newer modification times. Left out of one pass, they are
        new to the next.
        """
        retried = self._to_be_retried() - self.absences.kept()
        if self.folder.tells_versions:
            return retried
        return retried | self.record.changed_without_a_newer_time(photos)

    def _to_be_retried(self) -> set[str]:
        """Photos that were skipped, and may be read now."""
        if self.retries_skipped:
            return self.points.names(UNREADABLE, SKIPPED_RETRIED)
        if not self._is_first:
            return set()
        names = set()
        for error in self.reader.passing_errors:
            skipped = Filter(must=(Condition("error", equals=error),))
            names |= self.points.names(skipped, SKIPPED_RETRIED)
        return names

    def _log_news(self, snapshot: Snapshot) -> None:
        """Log what is skipped, and what is away, when it is new."""
        skipped = snapshot.skipped
        for name in skipped.keys() - self.progress.skipped.keys():
            logger.warning("%s is skipped: %s.", name, skipped[name])
        notices = [str(absence) for absence in self.absences.found]
        if snapshot.left_out and not snapshot.photos:
            notices.append(describe_left_out(snapshot.left_out))
        for notice in notices:
            if notice not in self.progress.notices:
                logger.warning("%s", notice)
        self.progress.notices = notices
