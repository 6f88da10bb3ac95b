"""Words on photos: which photos are to be read, one after the other.

The queue is the store itself: what is not marked as read
by this version is still to be read, the newest first. What
was read once is known by what is in the file, so that
restarts, moves and copies of photos cost nothing. Photos
are found by meaning first: while one waits for its vector,
none is read.
"""

import asyncio
import contextlib
import json
import sqlite3
import time

from fastapi import HTTPException

from image_search.bucket_errors import BucketError
from image_search.embedding import Embedder
from image_search.filters import READABLE, Condition, Filter
from image_search.photos import THUMBNAIL_SIZE
from image_search.place_files import PlaceFiles
from image_search.reasons import PhotoError
from image_search.settings import BASE, Settings, StartupError, logger
from image_search.status import PROGRESS_SECONDS, StatusBoard
from image_search.store import Change, Point, Store
from image_search.store_errors import StoreError
from image_search.text_lines import TextLine, dump_lines, load_lines, payload_of
from image_search.text_model import TextModel
from image_search.text_pieces import is_long
from image_search.text_status import unread_by
from image_search.text_worker import CannotRead, TextWorker
from image_search.thumbnails import version_of
from image_search.workers import PoolClosed

PAGE = 200  # photos that the store is asked for at a time
READ_A_PAGE = 8  # of those: newer ones may have come meanwhile
# Without an event of the index, which tells at once.
LOOK_SECONDS = 60.0
REST_SECONDS = (
    60.0  # without a photo to read, until the worker's memory is given back
)
WAIT_SECONDS = 0.5  # between two looks whether photos wait for vectors
QUIET_SECONDS = 1.0  # without a vector computed: the next one may be on its way
PATIENCE_SECONDS = 60.0  # with photos that wait, and none that gets on
# Until what failed is tried again: a photo that is away, or the reader.
AWAY_SECONDS = 600.0
REPAIR_SECONDS = 60.0


class NotNow(Exception):
    """A photo is away, or is being changed."""


class TextQueue:
    """Has photos read by a worker, and writes what it reads to their points."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        files: PlaceFiles,
        board: StatusBoard,
        worker: TextWorker,
    ) -> None:
        self.store = store
        self.embedder = embedder
        self.files = files
        self.board = board
        self.worker = worker
        self.version = worker.model.version
        self.own = board.own & READABLE
        self.unread = self.own & unread_by(self.version)
        # When to try again whose file was away; by name, of time.monotonic().
        self._later: dict[str, float] = {}
        self._written: set[tuple[str, str]] = set()
        self._began = self._last_read = time.monotonic()
        self._told = 0.0

    async def run(self) -> None:
        """Read what is unread, and what comes, without an end."""
        try:
            while True:
                trouble, pause = "", LOOK_SECONDS
                try:
                    await self._read_unread()
                except PoolClosed:
                    return
                except (CannotRead, StartupError) as error:
                    trouble, pause = str(error), REPAIR_SECONDS
                except (StoreError, OSError, sqlite3.Error) as error:
                    # The status tells of it.
                    logger.debug("No words are read just now: %s", error)
                    pause = REPAIR_SECONDS / 10
                if time.monotonic() > self._last_read + REST_SECONDS:
                    await asyncio.to_thread(self.worker.rest)
                await self._tell(trouble)
                if trouble:
                    await asyncio.sleep(pause)
                else:
                    await self.board.changed(pause)
        finally:
            self.worker.close()

    async def _read_unread(self) -> None:
        """Read photo after photo, until there is none."""
        self._written.clear()
        while points := await asyncio.to_thread(self._next):
            unknown = await asyncio.to_thread(self._write_known, points)
            for point in unknown[:READ_A_PAGE]:
                await self._let_vectors_go_first()
                await self._read(point)
                if time.monotonic() > self._told + PROGRESS_SECONDS:
                    await self._tell("")

    def _next(self) -> list[Point]:
        """The newest photos that are unread, but those to be tried later."""
        now = time.monotonic()
        self._later = {
            name: due for name, due in self._later.items() if due > now
        }
        limit = PAGE + len(self._later)
        found = self.store.search(None, limit, self.unread)
        return [one for one in found if one.payload.filename not in self._later]

    def _write_known(self, points: list[Point]) -> list[Point]:
        """Write what was read before, by digest; returns the other points."""
        changes: dict[str, Change] = {}
        unknown = []
        for point in points:
            photo = point.payload.filename, point.payload.sha256
            if photo in self._written:
                # It was written, and is unread again, or still.
                self._put_off(point, REPAIR_SECONDS)
                continue
            lines = self._recall(point.payload.sha256)
            if lines is None:
                unknown.append(point)
                continue
            self._written.add(photo)
            changes[photo[1]] = self._change(photo[1], lines)
        if changes:
            self.store.set_payloads([*changes.values()])
        return unknown

    async def _read(self, point: Point) -> None:
        """Read a photo, and write it to all points of what is in it."""
        digest = point.payload.sha256
        kept = await asyncio.to_thread(self._recall, digest)
        if kept is None:
            try:
                lines = await self._read_photo(point)
                keep = dump_lines(lines)
            except NotNow:
                self._put_off(point, AWAY_SECONDS)
                return
            except PhotoError as error:
                keep, lines = json.dumps({"failure": str(error)}), []
                logger.warning(
                    "The words on %s can't be read: %s.",
                    point.payload.filename,
                    "; ".join([str(error), *getattr(error, "__notes__", [])]),
                )
            await asyncio.to_thread(self._keep, digest, keep)
            kept = lines
        changes = [self._change(digest, kept)]
        self._written.add((point.payload.filename, digest))
        self._last_read = time.monotonic()
        await asyncio.to_thread(self.store.set_payloads, changes)

    async def _read_photo(self, point: Point) -> list[TextLine]:
        """The lines on it; raises PhotoError, NotNow and CannotRead."""
        photo = point.payload
        glance = None
        small = self._small_copy(point)
        with contextlib.suppress(OSError):  # it is damaged
            if small is not None:
                glance = await self.worker.find(small)
                if glance is None:
                    return []
        try:
            # To hold it whole, as to show it: few are held at a time.
            hold = self.files.for_decoder(photo.filename, is_whole=True)
            async with hold as file:
                read = await self.worker.read(file, glance)
        except (HTTPException, BucketError, OSError):
            raise NotNow from None
        if read.sha256 != photo.sha256:
            raise NotNow  # the index will see it
        return read.lines

    def _small_copy(self, point: Point) -> bytes | None:
        """That which was made with the vector, if it shows enough."""
        photo = point.payload
        if is_long(photo.width, photo.height):
            return None
        version = version_of(photo.sha256)
        path = self.embedder.thumbnails.find(version, THUMBNAIL_SIZE)
        try:
            return path.read_bytes() if path else None
        except OSError:  # it has just been pruned
            return None

    async def _let_vectors_go_first(self) -> None:
        """Wait while photos wait for their vectors."""
        pulse = self.embedder.pulse
        while True:
            quiet = pulse.quiet_since(self._began)
            is_waited = self.board.has_waiting() and quiet < PATIENCE_SECONDS
            if not is_waited and quiet > QUIET_SECONDS:
                return
            await asyncio.sleep(WAIT_SECONDS)

    def _put_off(self, point: Point, seconds: float) -> None:
        self._later[point.payload.filename] = time.monotonic() + seconds

    def _change(self, digest: str, lines: list[TextLine]) -> Change:
        is_it = Filter((Condition("sha256", equals=digest),))
        return self.own & is_it, payload_of(lines, self.version)

    def _recall(self, digest: str) -> list[TextLine] | None:
        """What was read of it before; nothing, if it could not be."""
        key = bytes.fromhex(digest)
        kept = self.embedder.cache.text(self.version, key)
        if kept is None:
            return None
        return [] if kept.startswith("{") else load_lines(kept)

    def _keep(self, digest: str, text: str) -> None:
        key = bytes.fromhex(digest)
        self.embedder.cache.put_text(self.version, key, text)

    async def _tell(self, trouble: str) -> None:
        """Put it into the status; into the log what is new."""
        words = self.board.words
        if words is not None:
            if trouble and trouble != words.trouble:
                logger.warning("%s", trouble)
            words.trouble = trouble
        self._told = time.monotonic()
        await self.board.refresh()


async def read_words(
    settings: Settings,
    store: Store,
    embedder: Embedder,
    files: PlaceFiles,
    board: StatusBoard,
) -> None:
    """Read words on photos as long as the app runs, unless OCR=off."""
    if board.words is None:
        return
    worker = TextWorker(TextModel.of(settings.ocr_languages, BASE))
    await TextQueue(store, embedder, files, board, worker).run()
