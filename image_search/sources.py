"""Where photos lie: how a folder is listed, watched, and shown to CocoIndex."""

import errno
import os
import re
import stat
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from watchfiles import awatch

from image_search.photos import PHOTO_FORMATS, is_photo

MAX_FILE_BYTES = 256 * 2**20
# A file is being copied, perhaps: we look once nothing has changed for so long,
QUIET_MS = 200
# or after so long however often something changes.
LONGEST_WAIT_MS = 2_000
# CocoIndex's globs know no case. `*.jpg` matches in sub-folders too.
PHOTO_PATTERNS = [
    "*." + "".join(f"[{letter}{letter.upper()}]" for letter in suffix[1:])
    for suffix in PHOTO_FORMATS
]
HIDDEN_PATTERN = "**/.*"  # macOS's ._twins among them
# The content of a file that is shown in place of a photo which is away.
STAND_IN = b"This photo is on a disk, or in a folder, that is away."

# By file name: when it was changed (seconds since 1970), and its size in bytes.
Files = dict[str, list[float]]


@dataclass(frozen=True)
class Snapshot:
    """What a folder holds at one moment, by names relative to it."""

    photos: Files
    # Why a photo, or a folder, is to be left alone.
    skipped: dict[str, str]
    # Photos and folders that are there and can't be read just now, and why.
    unreadable: dict[str, str]


class PhotoFolder:
    """IMAGE_DIR, and what of it CocoIndex is not to be shown."""

    def __init__(
        self,
        path: Path,
        mount_points: Callable[[], list[str]] | None = None,
    ) -> None:
        """`mount_points` says where disks are mounted; the system does, by default."""
        self.path = path
        self.mount_points = mount_points or system_mount_points
        # What CocoIndex is shown: it, or a stand-in for it; without these files.
        self.shown = path
        self.excluded: frozenset[str] | None = None  # None: not looked at yet
        self.first_look = Snapshot({}, {}, {})

    def scan(self) -> Snapshot:
        """List every photo, and what is to be left alone. Raises no OSError."""
        found = Snapshot({}, {}, {})
        entries: list[Any] = [self.path]
        while entries:
            entry = entries.pop()
            name = os.path.relpath(entry, self.path)
            try:
                if entry.is_dir() and not entry.is_symlink():
                    within = list(os.scandir(entry))
                    entries += [e for e in within if not e.name.startswith(".")]
                    continue
                if not (entry.is_dir() or is_photo(entry.name)):
                    continue
                status = entry.stat()
                reason = self.skip_reason(entry, status)
                if not reason and not os.access(entry, os.R_OK):
                    raise PermissionError(errno.EACCES, "Permission denied")
            except FileNotFoundError:
                continue  # it has gone, or is a link to nowhere
            except OSError as error:
                shown = os.fsencode(name).decode(errors="replace")
                reason = error.strerror or str(error)
                if (
                    entry.is_symlink()
                ):  # in a circle, or through what is no folder
                    found.skipped[shown] = f"it can't be read: {reason}"
                else:
                    found.unreadable[shown] = reason
                continue
            if reason:
                shown = os.fsencode(name).decode(errors="replace")
                found.skipped[shown] = reason
            else:
                found.photos[name] = [status.st_mtime, status.st_size]
        return found

    def skip_reason(  # noqa: PLR0911, one for each
        self, entry: os.DirEntry[str], status: os.stat_result
    ) -> str | None:
        """Why a photo is to be left alone: CocoIndex would stumble over it, or hang."""
        if any("\ud800" <= letter <= "\udfff" for letter in entry.path):
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
        if status.st_mtime >= datetime.max.timestamp():
            return "its modification time is after the year 9999"
        return None

    def leads_to_photo(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is, or links to, a photo of this folder that is not hidden."""
        return is_photo(os.path.relpath(os.path.realpath(path), self.path))

    def excluded_patterns(self) -> list[str]:
        """The globs of what CocoIndex is not to be shown; scans if need be."""
        if self.excluded is None:
            look = self.first_look = self.scan()
            # One folder that it can't list would stop CocoIndex altogether.
            self.excluded = frozenset(look.skipped) | frozenset(look.unreadable)
        escaped = [
            re.sub(r"[?*\[\]{}\\]", r"[\g<0>]", name) for name in self.excluded
        ]
        return [HIDDEN_PATTERN, *escaped]

    def disks(self) -> set[str]:
        """The folders below this one that are disks of their own, by relative names."""
        here = self.path.resolve()
        mounted = [Path(one) for one in self.mount_points()]
        return {
            str(place.relative_to(here))
            for place in mounted
            if place != here and place.is_relative_to(here)
        }

    def disk(self) -> str:
        """The folder at which the disk is mounted that this folder lies on."""
        here = self.path.resolve()
        above = [one for one in self.mount_points() if here.is_relative_to(one)]
        return max(above, key=len, default="/")

    async def watch(self, pause: float) -> AsyncGenerator[bool]:
        """Tell of changes: True after one, False every `pause` seconds without.

        Raises what watchfiles does: the folder is gone, too large, or has odd names.
        """
        beginning = len(str(self.path))

        def is_visible(_: Any, path: str) -> bool:
            return "/." not in path[beginning:]

        async for changes in awatch(
            self.path,
            watch_filter=is_visible,
            step=QUIET_MS,
            debounce=LONGEST_WAIT_MS,
            rust_timeout=int(pause * 1000),
            yield_on_timeout=True,
        ):
            yield bool(changes)


def system_mount_points() -> list[str]:
    """Where disks are mounted, those of a network and of containers among them."""
    return [disk.mountpoint for disk in psutil.disk_partitions(all=True)]
