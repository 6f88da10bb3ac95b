"""Files that lie where others may put what they like: opened only if they are files."""

import errno
import fcntl
import os
import stat
import sys
from io import BufferedReader
from pathlib import Path

# Tells one state of a file from another: device, inode, size, and two times.
Identity = tuple[int, int, int, int, int]


MOST_PATH = 1024  # bytes, on macOS


def open_regular_file(
    path: str | os.PathLike[str], *, follows_link: bool = True
) -> BufferedReader:
    """Open a file to read it; raises OSError for all that is no regular file.

    To open a FIFO would wait for somebody to write into it, perhaps for ever, and to
    open a device may do something. So it is asked what it is, opened without
    waiting, and asked once more: it may have been replaced in between.
    """
    _check_is_regular(Path(path).stat())
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    if not follows_link:
        flags |= os.O_NOFOLLOW
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check_is_regular(os.fstat(file.fileno()))
    except OSError:
        file.close()
        raise
    return file


def place_of(file: BufferedReader) -> str:
    """Where a file lies that was opened, whatever goes by its name now."""
    if sys.platform == "darwin":
        path = fcntl.fcntl(file.fileno(), fcntl.F_GETPATH, bytes(MOST_PATH))
        return os.fsdecode(path.rstrip(b"\0"))
    return str(Path(f"/proc/self/fd/{file.fileno()}").readlink())


def identity_of(status: os.stat_result) -> Identity:
    """What changes when a file is replaced or written to."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _check_is_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
