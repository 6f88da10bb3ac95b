"""Only a regular file is opened, and nothing is waited for."""

import os
import stat
from pathlib import Path

import pytest

from image_search.files import identity_of, open_regular_file


def test_a_file_is_opened(tmp_path: Path) -> None:
    """A file, or a link to one, is opened to be read."""
    file = tmp_path / "a"
    file.write_bytes(b"content")
    (tmp_path / "link").symlink_to(file)
    for path in (file, str(file), tmp_path / "link"):
        with open_regular_file(path) as opened:
            assert opened.read() == b"content"


@pytest.mark.parametrize(
    "kind", ["fifo", "socket", "folder", "/dev/zero", "nothing", "link"]
)
def test_nothing_else_is(tmp_path: Path, kind: str) -> None:
    """A FIFO, which one would have to wait for, a socket, a device: an OSError at once."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("fifo")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    with pytest.raises(OSError):  # noqa: PT011, of any kind
        open_regular_file(tmp_path / kind)


def test_a_file_that_changes_is_another(tmp_path: Path) -> None:
    """What is written into a file, or put in its place, changes its identity."""
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = identity_of(file.stat())
    assert identity_of(file.stat()) == first
    file.write_bytes(b"three")
    second = identity_of(file.stat())
    (tmp_path / "b").write_bytes(b"three")
    os.utime(tmp_path / "b", ns=(0, file.stat().st_mtime_ns))
    (tmp_path / "b").replace(file)
    assert len({first, second, identity_of(file.stat())}) == 3
