"""Small copies of photos on the disk, by what is in a photo, not by its name."""

import contextlib
import os
import shutil
import threading
from pathlib import Path

from image_search.kinds import BROWSER_SIDE

# Pixels on the longer side of those that are made: see web.ThumbnailSize.
SIDES = (256, 512, 1024, 2048, BROWSER_SIDE)
MAX_BYTES = 4 * 2**30  # some 120,000 thumbnails of 512 pixels
# Larger ones are of photos that were opened. They have room of their own, some 500
# whole photos': else a few evenings' would push out the small ones of all the folder.
SMALL_SIDE = 1024  # pixels, at the most
MAX_LARGE_BYTES = 2 * 2**30
PRUNED_EVERY = 10  # times until as much is written as there is room for
MIN_FREE_BYTES = 200 * 2**20  # on the disk: the stores need it more
VERSION_LENGTH = 16  # hexadecimal digits: two of a million photos share none


def version_of(digest: str) -> str:
    """The short name of what is in a photo, from its SHA-256 in hexadecimal."""
    return digest[:VERSION_LENGTH]


class ThumbnailCache:
    """Thumbnails by version and size; the oldest go once there are too many."""

    def __init__(
        self,
        folder: Path,
        max_bytes: int = MAX_BYTES,
        max_large_bytes: int = MAX_LARGE_BYTES,
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_large_bytes = max_large_bytes
        self._unpruned = 1.0  # the share of the room that was written to since
        self._lock = threading.Lock()

    def path(self, version: str, size: int) -> Path:
        """Where the thumbnail lies, if it was made."""
        return self.folder / version[:2] / f"{version}-{size}.jpg"

    def find(self, version: str, size: int) -> Path | None:
        """The file of a thumbnail, or None if it was not made yet."""
        path = self.path(version, size)
        return path if path.is_file() else None

    def put(self, version: str, size: int, content: bytes) -> None:
        """Keep a thumbnail, if the disk has room: it can be made again."""
        path = self.path(version, size)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < MIN_FREE_BYTES:
                return
            partial.write_bytes(content)
            # Whole or not there: others may be asking for it.
            partial.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink()
            return
        self._prune_now_and_then(len(content) / self._room_for(size))

    def forget(self, version: str) -> None:
        """Delete all thumbnails of a photo, which is seen in another way now."""
        # Its folder is not listed for them: of a million photos it holds thousands.
        for side in SIDES:
            with contextlib.suppress(OSError):  # it was not made
                self.path(version, side).unlink()

    def prune(self) -> None:
        """Delete the oldest until what is left is a tenth below the limits."""
        by_room: dict[int, list[tuple[float, int, Path]]] = {}
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):  # somebody else deleted it
                status = path.stat()
                file = status.st_mtime, status.st_size, path
                room = self._room_for(_size_in(path))
                by_room.setdefault(room, []).append(file)
        for room, files in by_room.items():
            _delete_oldest(files, room)

    def _room_for(self, size: int) -> int:
        """How many bytes all thumbnails that are as small, or as large, may take."""
        return self.max_bytes if size <= SMALL_SIDE else self.max_large_bytes

    def _prune_now_and_then(self, share: float) -> None:
        with self._lock:
            self._unpruned += share
            is_due = self._unpruned * PRUNED_EVERY >= 1
            if is_due:
                self._unpruned = 0
        if is_due:
            self.prune()


def _size_in(path: Path) -> int:
    """The size that a thumbnail's name tells, whole or half-written."""
    size = path.stem.rpartition("-")[2]
    return int(size) if size.isdecimal() else 0


def _delete_oldest(files: list[tuple[float, int, Path]], room: int) -> None:
    total = sum(size for _, size, _ in files)
    if total <= room:
        return
    for _, size, path in sorted(files):
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size
        if total <= 0.9 * room:
            return
