"""Where photos lie: how a folder is listed, watched, and shown to CocoIndex."""

import os
import re
import stat
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

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

# By file name: when it was changed (seconds since 1970), and its size in bytes.
Files = dict[str, list[float]]


@dataclass(frozen=True)
class Snapshot:
    """What a folder holds at one moment, by names relative to it."""

    photos: Files
    skipped: dict[str, str]  # why a photo, or a folder, is to be left alone


class PhotoFolder:
    """IMAGE_DIR, and what of it CocoIndex is not to be shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.excluded: frozenset[str] | None = None  # None: not looked at yet
        self.first_look = Snapshot({}, {})

    def scan(self) -> Snapshot:
        """List every photo, and what is to be left alone. Raises no OSError."""
        photos: Files = {}
        skipped: dict[str, str] = {}
        entries: list[Any] = [self.path]
        while entries:
            entry = entries.pop()
            name = os.path.relpath(entry, self.path)
            try:
                if entry.is_dir() and not entry.is_symlink():
                    found = os.scandir(entry)
                    entries += [e for e in found if not e.name.startswith(".")]
                    continue
                if not (entry.is_dir() or is_photo(entry.name)):
                    continue
                status = entry.stat()
                reason = self.skip_reason(entry, status)
            except FileNotFoundError:
                continue  # it has gone, or is a link to nowhere
            except OSError as error:
                reason = f"it can't be read: {error.strerror}"
            if reason:
                skipped[os.fsencode(name).decode(errors="replace")] = reason
            else:
                photos[name] = [status.st_mtime, status.st_size]
        return Snapshot(photos, skipped)

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
        return None if os.access(entry, os.R_OK) else "it can't be read"

    def leads_to_photo(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is, or links to, a photo of this folder that is not hidden."""
        return is_photo(os.path.relpath(os.path.realpath(path), self.path))

    def excluded_patterns(self) -> list[str]:
        """The globs of what CocoIndex is not to be shown; scans if need be."""
        if self.excluded is None:
            self.first_look = self.scan()
            self.excluded = frozenset(self.first_look.skipped)
        escaped = [
            re.sub(r"[?*\[\]{}\\]", r"[\g<0>]", name) for name in self.excluded
        ]
        return [HIDDEN_PATTERN, *escaped]

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
