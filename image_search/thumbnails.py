"""Small copies of photos on the disk, by what is in a photo, not by its name."""

import contextlib
import os
import shutil
import threading
from pathlib import Path

MAX_BYTES = 4 * 2**30  # some 120,000 thumbnails of 512 pixels
PRUNED_EVERY = 1000  # writes
MIN_FREE_BYTES = 200 * 2**20  # on the disk: the stores need it more
VERSION_LENGTH = 16  # hexadecimal digits: two of a million photos share none


def version_of(digest: str) -> str:
    """The short name of what is in a photo, from its SHA-256 in hexadecimal."""
    return digest[:VERSION_LENGTH]


class ThumbnailCache:
    """Thumbnails by version and size; the oldest go once there are too many."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._writes = -1  # the first one prunes
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
        self._prune_now_and_then()

    def forget(self, version: str) -> None:
        """Delete all thumbnails of a photo, which is seen in another way now."""
        for path in (self.folder / version[:2]).glob(f"{version}-*.jpg"):
            with contextlib.suppress(OSError):  # somebody else deleted it
                path.unlink()

    def prune(self) -> None:
        """Delete the oldest until what is left is a tenth below the limit."""
        files = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):  # somebody else deleted it
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        if total <= self.max_bytes:
            return
        for _, size, path in sorted(files):
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size
            if total <= 0.9 * self.max_bytes:
                return

    def _prune_now_and_then(self) -> None:
        with self._lock:
            self._writes += 1
            is_due = self._writes % PRUNED_EVERY == 0
        if is_due:
            self.prune()
