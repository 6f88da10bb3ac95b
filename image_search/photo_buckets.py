"""A bucket of IMAGE_DIR, or a Drive: how it is listed, watched, read for CocoIndex."""

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from image_search.bucket_addresses import BucketAddress
from image_search.bucket_errors import BucketError, OddName
from image_search.bucket_kinds import open_remote
from image_search.bucket_listing import BucketListing
from image_search.dates import Taken
from image_search.exclusions import MOST_BYTES as MOST_RULE_BYTES
from image_search.exclusions import Exclusions, Patterns
from image_search.listing import Snapshot
from image_search.queue_events import EventQueue, QueueError
from image_search.remote_files import PAGE, RemoteFile, RemoteFiles
from image_search.settings import StartupError, logger

# An object that could not be read is left for so long, and twice as long each time.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0  # seconds
# So many in a row that can't be read are no fault of theirs: the rest is not tried.
MOST_FAILURES = 20
# A listing comes in pages, each of which costs money: of a large bucket so many seconds
# pass for each of them before the next look.
SECONDS_A_PAGE = 1.0
# Photos of any size that are read at a time where nobody has looked at their sizes.
ROWS_UNSEEN = 4
AWAY = "away"  # the version of what is kept, though it is not there


@dataclass
class Failure:
    """That a version of an object could not be read."""

    version: str
    reason: str
    pause: float
    due: float  # by the clock


class PhotoBucket:
    """A bucket, or what lies below a prefix in it.

    CocoIndex is not let look by itself: it would take a bucket that answers nothing for
    an empty one. It is shown what the index saw, each photo with its version.
    """

    path = None
    tells_versions = True
    shown = ""

    def __init__(
        self,
        address: BucketAddress,
        exclude: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`exclude`: gitignore patterns of what is left out. `clock`: in seconds."""
        self.clock = clock
        self.address = address
        self.top = address.name or "."
        self.exclusions = Exclusions(exclude)
        self.excluded: frozenset[str] | None = None
        self.rows = 0
        self.snapshot: Snapshot | None = None
        self.first_look = Snapshot()
        self.trouble = ""
        # By their names in the bucket, as they were last seen.
        self.files: dict[str, RemoteFile] = {}
        self._bucket: RemoteFiles | None = None
        self._patterns: dict[tuple[str, str], Patterns] = {}
        self._failures: dict[str, Failure] = {}
        self._new_failures: set[str] = set()
        self._failed_in_a_row = 0
        has_queue = bool(address.sqs_queue_url)
        self.queue = EventQueue(address) if has_queue else None
        self._last_warning = ""
        self._has_odd_names = False
        self._pages = 0  # that the last look took

    @property
    def bucket(self) -> RemoteFiles:
        """Raises BucketError where it can't even be asked."""
        self._bucket = self._bucket or open_remote(self.address)
        return self._bucket

    def check_at_start(self, *, is_set_up: bool) -> None:
        """Raise StartupError where it can't be listed; once indexed it may be away."""
        try:
            if self.queue is not None:
                self.queue.check()
        except QueueError as error:
            raise StartupError(f"IMAGE_DIR={self.address}: {error}") from None
        if is_set_up:
            return
        try:
            with suppress(OddName):  # it is there
                next(self.bucket.list(), None)
        except BucketError as error:
            raise StartupError(str(error)) from None

    def scan(self) -> Snapshot:
        """List every photo, and what is to be left alone. Raises no OSError."""
        try:
            listing = self._look()
        except BucketError as error:
            self.trouble = str(error)
            found = Snapshot(unreadable={".": self.trouble})
            return found.below(self.address.prefix)
        self._pages = listing.seen // PAGE
        self.trouble = ""
        self.files, found = listing.files, listing.found
        self._failed_in_a_row = 0
        self._set_failures_aside(found)
        return found.below(self.address.prefix)

    def is_there(self) -> bool:
        """Whether the last look could see it."""
        return not self.trouble

    def name_within(self, name: str) -> str:
        """A name of the index, as it is in the bucket."""
        return name.removeprefix(self.address.prefix)

    def leaves_out(self, name: str) -> bool:
        """Whether a rule leaves a photo out."""
        return self.exclusions.leaves_out(self.name_within(name))

    def rows_in_flight(self) -> int:
        """How many photos CocoIndex is to have under way."""
        return self.rows or ROWS_UNSEEN

    def versions(self) -> Iterator[tuple[str, str]]:
        """What CocoIndex is shown: names, and a version of each.

        Raises BucketError where nobody has looked, and it can't be looked at.
        """
        snapshot = self.snapshot or self.scan()
        if self.trouble:
            raise BucketError(self.trouble)
        excluded = snapshot.hidden if self.excluded is None else self.excluded
        for name in snapshot.photos.keys() - excluded:
            within = self.name_within(name)
            file = self.files.get(within)
            yield within, file.version if file else AWAY

    async def read(self, name: str) -> tuple[bytes, str]:
        """A photo's bytes, and its version; raises BucketError."""
        file = self.files.get(name)
        if file is None:
            raise BucketError(f"{name} is not there")
        failure = self._failures.get(name)
        if failure and self._is_waiting(failure, file):
            raise BucketError(failure.reason)
        try:
            self._refuse_after_failures()
            pieces = self.bucket.stream(name, version=file.version)
            content = b"".join([piece async for piece in pieces])
        except BucketError as error:
            self._note_failure(file, str(error).rstrip("."))
            raise
        self._failed_in_a_row = 0
        self._failures.pop(name, None)
        return content, file.version

    def take_failures(self) -> set[str]:
        """The photos that CocoIndex could not be given since the last call."""
        names, self._new_failures = self._new_failures, set()
        return {self.address.prefix + name for name in names}

    def taken(self, file: str) -> Taken:
        """For a photo that doesn't tell: when its object was written."""
        known = self.files.get(file) or self.bucket.look_up(file)
        if known is None:
            raise BucketError(f"{file} is not there")
        written = datetime.fromtimestamp(known.modified)
        return Taken(written.isoformat(timespec="seconds"), "file")

    def disks(self) -> set[str]:
        """It has none."""
        return set()

    def disk(self) -> str:
        """It lies on none."""
        return ""

    def refresh_seconds(self, usual: float) -> float:
        """How long after one look the next is due: as its address says."""
        return self.address.refresh

    async def watch(self, pause: float) -> AsyncGenerator[bool]:
        """Tell of changes that a queue tells of: True after one; else False.

        That comes every so often, whether there is a queue or not.
        """
        while True:
            resting = max(pause, self._pages * SECONDS_A_PAGE)
            if self.queue is None:
                await asyncio.sleep(resting)
                yield False
                continue
            try:
                is_news, handles = await self.queue.receive()
                yield is_news
                # What they were about has been seen by now.
                await asyncio.to_thread(self.queue.delete, handles)
                self._last_warning = ""
            except QueueError as error:
                self._warn_once(str(error))
                await asyncio.sleep(resting)
                yield False

    def _warn_once(self, message: str) -> None:
        if message != self._last_warning:
            self._last_warning = message
            logger.warning("%s.", message)

    def _look(self) -> BucketListing:
        """Look at all of it; raises BucketError."""
        if not self._has_odd_names:
            try:
                return self._sort(self.bucket.list())
            except OddName:
                self._has_odd_names = True
        odd: dict[str, str] = {}
        listing = self._sort(self._walk(odd))
        listing.found.unreadable.update(odd)
        self._has_odd_names = bool(odd)
        return listing

    def _sort(self, files: Iterable[RemoteFile]) -> BucketListing:
        listing = BucketListing(self.exclusions, self._read_patterns)
        listing.make(files)
        return listing

    def _walk(self, odd: dict[str, str]) -> Iterator[RemoteFile]:
        """All objects, folder by folder, and which of these can't be listed.

        The listing of a whole ends at the first name that is none.
        """
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                files, more = self.bucket.list_folder(folder)
            except OddName as error:
                name = f"an object called {error}, which is no name: rename it"
                if not folder:
                    raise BucketError(
                        f"IMAGE_DIR={self.address} has {name}."
                    ) from None
                odd[folder] = f"it has {name}"
                continue
            yield from files
            folders += more

    def _read_patterns(self, file: RemoteFile) -> Patterns:
        """The patterns of an .ignore file, read again where it has changed."""
        key = file.name, file.version
        if key not in self._patterns:
            content = self.bucket.read(file.name, end=MOST_RULE_BYTES + 1)
            where = f"{self.address.where}/{file.name}"
            patterns = self.exclusions.read_patterns(where, content)
            self._patterns[key] = patterns
        return self._patterns[key]

    def _set_failures_aside(self, found: Snapshot) -> None:
        """Have what could not be read just now told so, until it is tried again."""
        for name in [*self._failures]:
            file, failure = self.files.get(name), self._failures[name]
            if file is None or file.version != failure.version:
                del self._failures[name]
            elif name in found.photos and self._is_waiting(failure, file):
                del found.photos[name]
                found.unreadable[name] = failure.reason

    def _is_waiting(self, failure: Failure, file: RemoteFile) -> bool:
        is_same = failure.version == file.version
        return is_same and self.clock() < failure.due

    def _refuse_after_failures(self) -> None:
        if self._failed_in_a_row >= MOST_FAILURES:
            raise BucketError("others before it could not be read")

    def _note_failure(self, file: RemoteFile, reason: str) -> None:
        self._failed_in_a_row += 1
        before = self._failures.get(file.name)
        pause = min(2 * before.pause, LONGEST_PAUSE) if before else FIRST_PAUSE
        due = self.clock() + pause
        self._failures[file.name] = Failure(file.version, reason, pause, due)
        self._new_failures.add(file.name)
