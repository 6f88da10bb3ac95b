"""Keeps the index of a folder current: when to look, and what needs a pass."""

import asyncio
import contextlib
import json
import os
import time
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from image_search.filters import UNREADABLE, Condition, Filter
from image_search.settings import Settings, logger
from image_search.sources import Files, PhotoFolder, Snapshot
from image_search.state import check_free_space, redact
from image_search.status import StatusBoard
from image_search.store import (
    CollectionMissing,
    Store,
    StoreError,
    StoreRefuses,
)

# Photos that a lack of memory, say, kept out of the index before this start.
SKIPPED_RETRIED = 1000
# Seconds between two looks at a folder that can't be watched.
LONGEST_PAUSE = 5.0
RECORD: TypeAdapter[Files] = TypeAdapter(
    dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]
)


class Update(Protocol):
    """One pass of CocoIndex over the folder."""

    async def __call__(self, *, reopen: bool, reexport: bool) -> None:
        """`reopen`: what is to be left alone of the folder has changed.

        `reexport`: what is in the store already is written again.
        """


class Index:
    """The photos of a folder as points in a store.

    A folder without any photo, all of a sudden, is more often a disk that isn't mounted
    than a person's wish. CocoIndex would take it as one, so it is never left to poll by
    itself: each of its passes follows a look at the folder and at the store.
    """

    def __init__(
        self,
        folder: PhotoFolder,
        store: Store,
        update: Update,
        board: StatusBoard,
        settings: Settings,
        transient_error: str,
    ) -> None:
        """A photo skipped for the `transient_error` is tried again at the start."""
        self.folder = folder
        self.store = store
        self.update = update
        self.board = board
        self.progress = board.progress
        self.settings = settings
        self.transient_error = transient_error
        # What the folder held at the last whole pass.
        name = f"indexed-{settings.qdrant_collection}.json"
        self.record = settings.data_dir / name

        self.progress.photos = folder.first_look.photos
        self._known: Files = {}  # the photos at the last whole pass
        self._last_warning = ""

    async def follow(self) -> None:
        """Sync at every change in the folder, every so often, and after an error."""
        pause = min(LONGEST_PAUSE, self.settings.refresh_seconds)
        while True:
            await self.sync()
            try:
                await self._sync_at_changes(pause)
            except Exception as error:  # noqa: BLE001, of any type: gone, too large, odd
                reasons = getattr(error, "exceptions", [error])  # of a group
                self._warn_once(
                    f"Seeing changes every {pause:g} s only: {reasons[0]}"
                )
                await asyncio.sleep(pause)

    async def _sync_at_changes(self, pause: float) -> None:
        """Returns when the folder was gone and is back: it is to be watched anew."""
        due = 0.0  # at once: a change may have come before the watch was set up
        async with contextlib.aclosing(self.folder.watch(pause)) as changes:
            async for is_change in changes:
                had_error = self.progress.last_error is not None
                if is_change:
                    self.progress.last_change = datetime.now()
                if is_change or had_error or time.monotonic() >= due:
                    await self.sync()
                    due = (
                        self.progress.pass_began + self.settings.refresh_seconds
                    )
                if had_error and self.progress.last_error is None:
                    return

    async def sync(self) -> None:
        """Bring the index up to date, or say in the status what is in the way."""
        try:
            await self._sync()
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

    async def _sync(self) -> None:
        check_free_space(self.settings.data_dir)
        if not self.progress.is_ready:
            self._known = self._load_record()
        snapshot = await asyncio.to_thread(self.folder.scan)
        points = await asyncio.to_thread(self._count_or_mend)
        self._refuse_empty_folder(snapshot, points)
        self._log_newly_skipped(snapshot.skipped)
        unnoticed = await asyncio.to_thread(
            self._unnoticed_changes, snapshot.photos
        )

        self.progress.photos, self.progress.skipped = (
            snapshot.photos,
            snapshot.skipped,
        )
        self.progress.pass_began = time.monotonic()
        self.progress.points_before = points
        if self._is_up_to_date(points):
            return  # CocoIndex would ask its database about each photo
        async with self.board.refreshed_all_along():
            await self._update(snapshot, unnoticed, points)
        await self._finish_pass()

    async def _update(
        self, snapshot: Snapshot, unnoticed: set[str], points: int
    ) -> None:
        """Run the passes of CocoIndex that the index needs."""
        excluded = frozenset(snapshot.skipped)
        # Points that went behind CocoIndex's back come back from its cache.
        lost_points = points < self.progress.points
        await self._pass(excluded | unnoticed, reexport=lost_points)
        if unnoticed:
            await self._pass(excluded)
        if await self._has_all(snapshot):
            return
        await self._pass(excluded, reexport=True)
        if await self._has_all(snapshot):
            return
        await asyncio.to_thread(self.store.find_out, len(snapshot.photos))
        if not await self._has_all(snapshot):
            found = await asyncio.to_thread(self.store.count)
            raise StoreError(
                f"{found} of {len(snapshot.photos)} photos are in the index."
            )

    async def _pass(
        self, excluded: frozenset[str], *, reexport: bool = False
    ) -> None:
        has_changed = excluded != self.folder.excluded
        self.folder.excluded = excluded
        await self.update(reopen=has_changed, reexport=reexport)

    async def _has_all(self, snapshot: Snapshot) -> bool:
        """Whether all photos are in the index, unless the folder has changed since."""
        if await asyncio.to_thread(self.store.count) == len(snapshot.photos):
            return True
        now = await asyncio.to_thread(self.folder.scan)
        return now.photos != snapshot.photos

    async def _finish_pass(self) -> None:
        points = await asyncio.to_thread(self.store.count)
        unreadable = await asyncio.to_thread(self.store.count, UNREADABLE)
        if self.progress.photos != self._known:
            # Of the index: without it a page would not look at a replaced photo again.
            self.progress.last_change = datetime.now()
            logger.info(
                "%d photos are indexed, %d are skipped.",
                points - unreadable,
                len(self.progress.skipped) + unreadable,
            )
        self.progress.points = points
        self._known = self.progress.photos
        await asyncio.to_thread(self._save_record)

    def _is_up_to_date(self, points: int) -> bool:
        was_whole = self.progress.is_ready and not self.progress.last_error
        return (
            was_whole
            and points == len(self.progress.photos)
            and self.progress.photos == self._known
        )

    def _count_or_mend(self) -> int:
        """How many photos the store holds; if some are missing, see to it."""
        try:
            points = self.store.count()
        except (CollectionMissing, StoreRefuses):
            self.store.check()
            return self.store.count()
        if points < self.progress.points:
            self.store.check()
        return points

    def _refuse_empty_folder(self, snapshot: Snapshot, points: int) -> None:
        if snapshot.photos or (not points and self.folder.path.is_dir()):
            return
        raise FileNotFoundError(
            f"IMAGE_DIR={self.folder.path} can't be opened, or has no photos any more."
            " The index is kept until they are back; to remove them from the index,"
            " stop the app and run `cocoindex update main`."
        )

    def _unnoticed_changes(self, photos: Files) -> set[str]:
        """Photos that CocoIndex would leave as they are, though they need a look.

        It looks only for newer modification times. Left out of one pass, they are
        new to the next.
        """
        older = {
            name
            for name in photos.keys() & self._known.keys()
            if photos[name] != self._known[name]
            and photos[name][0] <= self._known[name][0]
        }
        if self.progress.is_ready or not self.transient_error:
            return older
        failed = Filter(must=(Condition("error", equals=self.transient_error),))
        points = self.store.search(None, SKIPPED_RETRIED, failed)
        return older | {point.payload.filename for point in points}

    def _log_newly_skipped(self, skipped: dict[str, str]) -> None:
        for name in skipped.keys() - self.progress.skipped.keys():
            logger.warning("%s is skipped: %s.", name, skipped[name])

    def _load_record(self) -> Files:
        # There may be none, or it is damaged.
        with contextlib.suppress(OSError, ValidationError):
            return RECORD.validate_json(self.record.read_bytes())
        return {}

    def _save_record(self) -> None:
        """Keep what the folder held: whole, or not at all."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        partial = self.record.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(self._known))
        partial.replace(self.record)

    def _warn_once(self, message: str) -> None:
        if message != self._last_warning:
            self._last_warning = message
            logger.warning("%s", message)
