"""Where photos lie: how a folder is listed, watched, and shown to CocoIndex."""

import os
import re
import stat
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from watchfiles import awatch

from image_search.addresses import Address
from image_search.dates import Taken, taken_by_file
from image_search.exclusions import RULE_FILES, Exclusions
from image_search.in_flight import MOST_BYTES, rows_in_flight
from image_search.kinds import is_photo
from image_search.listing import Listing, Snapshot, is_utf8
from image_search.settings import StartupError

MAX_FILE_BYTES = MOST_BYTES
# A file is being copied, perhaps: we look once nothing has changed for so long,
QUIET_MS = 200
# or after so long however often something changes.
LONGEST_WAIT_MS = 2_000
TOO_LATE = datetime.max.timestamp()
HIDDEN_PATTERN = "**/.*"  # macOS's ._twins among them


class PhotoFolder:
    """A folder of IMAGE_DIR, and what of it CocoIndex is not to be shown.

    Its photos, and all else in it, go by the names that they have in the index: with
    that of the place before them, if it has one.
    """

    trouble = ""
    tells_versions = False  # but times, of which CocoIndex notices newer ones

    def __init__(
        self,
        address: Address,
        mount_points: Callable[[], list[str]] | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        """`mount_points` says where disks are mounted; the system does, by default.

        `exclude`: gitignore patterns of what is left out.
        """
        self.address = address
        self.path = path = address.path
        # The name of the folder itself, among those in it.
        self.top = address.name or "."
        self.mount_points = mount_points or system_mount_points
        self.exclusions = Exclusions(exclude)
        # What CocoIndex is shown: it, or a stand-in for it; without these files.
        self.shown = path
        self.excluded: frozenset[str] | None = None  # None: not looked at yet
        self.rows = 0  # at a time; 0: as above
        self.first_look = self.last_look = Snapshot()
        # What an index saw, of which CocoIndex, which lists by itself, needs no word.
        self.snapshot: Snapshot | None = None

    def check_at_start(self, *, is_set_up: bool) -> None:
        """Raise StartupError where it is no folder; once indexed it may be away."""
        if not is_set_up and not self.path.is_dir():
            raise StartupError(
                f"IMAGE_DIR={self.address} is no folder: name that of your photos."
            )

    def scan(self) -> Snapshot:
        """List every photo, and what is to be left alone. Raises no OSError."""
        listing = Listing(self.path, self.exclusions, self.skip_reason)
        self.last_look = listing.make()
        return self.last_look.below(self.address.prefix)

    def is_there(self) -> bool:
        """Whether it is a folder, if an empty one."""
        return self.path.is_dir()

    def name_within(self, name: str) -> str:
        """A name of the index, as it is below the folder."""
        return name.removeprefix(self.address.prefix)

    def leaves_out(self, name: str) -> bool:
        """Whether a rule leaves a photo out."""
        return self.exclusions.leaves_out(self.name_within(name))

    def skip_reason(  # noqa: PLR0911, one for each
        self, entry: os.DirEntry[str], status: os.stat_result
    ) -> str | None:
        """Why a photo is to be left alone: CocoIndex would stumble over it, or hang."""
        if not is_utf8(entry.path):
            return "its name is not in UTF-8"
        if entry.is_dir():
            return "links to folders are not followed"
        if entry.is_symlink() and not self.leads_to_photo(entry):
            return "it is a link to what is no photo of the folder"
        if not stat.S_ISREG(status.st_mode):
            return "it is not a regular file"
        if status.st_size > MAX_FILE_BYTES:
            return f"it is larger than {MAX_FILE_BYTES >> 20} MiB"
        if status.st_mtime < 0:
            return "its modification time is before 1970"
        if status.st_mtime >= TOO_LATE:
            return "its modification time is after the year 9999"
        return None

    def leads_to_photo(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is, or links to, a photo of this folder.

        What is hidden or left out is none.
        """
        name = os.path.relpath(os.path.realpath(path), self.path)
        if not is_photo(name) or self.exclusions.leaves_out(name):
            return False
        linked = os.path.relpath(path, self.path)
        return linked == name or not self.exclusions.leaves_out(linked)

    def excluded_patterns(self) -> list[str]:
        """The globs of what CocoIndex is not to be shown; scans if need be."""
        self._look_first()
        # So escaped they are plain names to it, which it looks up, however many.
        names = [
            re.sub(r"[?*\[\]{}\\]", r"\\\g<0>", self.name_within(name))
            for name in self.excluded or ()
        ]
        return [HIDDEN_PATTERN, *self.exclusions.globs, *names]

    def rows_in_flight(self) -> int:
        """How many photos CocoIndex is to have under way; scans if need be."""
        self._look_first()
        return self.rows

    def _look_first(self) -> None:
        if self.excluded is not None:
            return
        look = self.first_look = self.scan()
        # One folder that it can't list would stop CocoIndex altogether.
        self.excluded = look.hidden | frozenset(look.unreadable)
        self.rows = rows_in_flight(size for _, size in look.photos.values())

    def take_failures(self) -> set[str]:
        """What can't be read is known without CocoIndex."""
        return set()

    def taken(self, file: str) -> Taken:
        """For a photo that doesn't tell: when its file was written; raises OSError."""
        return taken_by_file(self.path / file)

    def disks(self) -> set[str]:
        """The folders below this one that are disks of their own."""
        here = self.path.resolve()
        mounted = [Path(one) for one in self.mount_points()]
        return {
            self.address.prefix + str(place.relative_to(here))
            for place in mounted
            if place != here and place.is_relative_to(here)
        }

    def disk(self) -> str:
        """The folder at which the disk is mounted that this folder lies on."""
        here = self.path.resolve()
        above = [one for one in self.mount_points() if here.is_relative_to(one)]
        return max(above, key=len, default="/")

    def refresh_seconds(self, usual: float) -> float:
        """How long after one look the next is due."""
        return usual

    async def watch(self, pause: float) -> AsyncGenerator[bool]:
        """Tell of changes: True after one, False every `pause` seconds without.

        Raises what watchfiles does: the folder is gone, too large, or has odd names.
        """
        beginning = len(str(self.path))

        def is_news(_: Any, path: str) -> bool:
            return self._may_change_photos(path[beginning:])

        async for changes in awatch(
            self.path,
            watch_filter=is_news,
            step=QUIET_MS,
            debounce=LONGEST_WAIT_MS,
            rust_timeout=int(pause * 1000),
            yield_on_timeout=True,
        ):
            yield bool(changes)

    def _may_change_photos(self, path: str) -> bool:
        """Whether a change is to be looked at; `path` begins below the folder."""
        above, _, own = path.rpartition("/")
        if own in RULE_FILES:
            return "/." not in above
        if "/." in path:
            return False
        left_out = self.last_look.left_out
        parts = above.strip("/").split("/")
        return not any(
            "/".join(parts[:depth]) in left_out
            for depth in range(1, len(parts) + 1)
        )


def system_mount_points() -> list[str]:
    """Where disks are mounted, those of a network and of containers among them."""
    return [disk.mountpoint for disk in psutil.disk_partitions(all=True)]
