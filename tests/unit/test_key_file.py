"""The file of keys: followed as it changes, and never the reason that a key stops opening."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from image_search.key_file import LOOK_SECONDS, KeyFile
from image_search.keys import make_key
from image_search.settings import StartupError


class Clock:
    """A time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def file(path: Path, clock: Clock) -> KeyFile:
    return KeyFile(path, clock)


def write(path: Path, *lines: str) -> None:
    """Write it as an editor does, in the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines))
    new.replace(path)


def test_a_change_is_seen(file: KeyFile, path: Path, clock: Clock) -> None:
    """A key opens, and no longer opens, a second after its line came or went."""
    (one, first), (two, second) = make_key("one"), make_key("two")
    write(path, first)
    assert (file.name_of(one), file.name_of(two)) == ("one", None)
    write(path, second)
    clock.now += LOOK_SECONDS
    assert (file.name_of(one), file.name_of(two)) == (None, "two")


def test_it_is_looked_at_once_a_second(
    file: KeyFile, path: Path, clock: Clock
) -> None:
    """However many ask, it is not looked at anew before a second has passed."""
    (one, first), (_, second) = make_key("one"), make_key("two")
    write(path, first)
    assert file.name_of(one) == "one"
    write(path, second)
    clock.now += LOOK_SECONDS / 2
    assert file.name_of(one) == "one"
    clock.now += LOOK_SECONDS / 2
    assert file.name_of(one) is None


def test_a_link_is_followed_where_it_leads_now(
    file: KeyFile, path: Path, tmp_path: Path, clock: Clock
) -> None:
    """A link that is led to another file, as secrets of containers are, is a change."""
    (one, first), (two, second) = make_key("one"), make_key("two")
    for name, line in (("a", first), ("b", second)):
        (tmp_path / name).write_text(line)
    path.symlink_to("a")
    assert file.name_of(one) == "one"
    path.unlink()
    path.symlink_to("b")
    clock.now += LOOK_SECONDS
    assert file.name_of(two) == "two"


def test_a_file_that_vanishes_keeps_its_keys(
    file: KeyFile, path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Gone, no file, or not text: what was known opens on, which is said once; then it goes on."""
    (one, first), (two, second) = make_key("one"), make_key("two")
    write(path, first)
    assert file.name_of(one) == "one"
    path.unlink()
    for _ in range(3):
        clock.now += LOOK_SECONDS
        assert file.name_of(one) == "one"
    [said] = caplog.messages
    assert str(path) in said
    assert "No such file" in said
    os.mkfifo(path)
    clock.now += LOOK_SECONDS
    assert file.name_of(one) == "one"
    assert "not a regular file" in caplog.messages[-1]
    path.unlink()
    path.write_bytes(b"caf\xe9")
    clock.now += LOOK_SECONDS
    assert file.name_of(one) == "one"
    path.unlink()
    write(path, second)
    clock.now += LOOK_SECONDS
    assert (file.name_of(one), file.name_of(two)) == (None, "two")
    assert len(caplog.messages) == 3


def test_a_wrong_line_is_said_once(
    file: KeyFile, path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """While it runs a wrong line opens nothing, and the others do; it is said until it is mended."""
    one, first = make_key("one")
    for number in range(3):
        write(path, first, "my secret", f"# {number}")
        clock.now += LOOK_SECONDS
        assert file.name_of(one) == "one"
    [said] = caplog.messages
    assert "line 2" in said
    assert "secret" not in said
    write(path, first)
    clock.now += LOOK_SECONDS
    assert file.name_of(one) == "one"
    write(path, first, "my secret")
    clock.now += LOOK_SECONDS
    assert file.name_of(one) == "one"
    assert len(caplog.messages) == 2


def no_file(path: Path) -> None:
    """Leave it away."""


def folder(path: Path) -> None:
    path.mkdir()


def latin_1(path: Path) -> None:
    path.write_bytes(b"# caf\xe9\n")


def wrong_line(path: Path) -> None:
    write(path, "# head", "my secret")


@pytest.mark.parametrize("make", [no_file, folder, latin_1, wrong_line])
def test_what_is_wrong_stops_the_start(
    file: KeyFile, path: Path, make: Callable[[Path], None]
) -> None:
    """A file that can't be read, or has a wrong line, is a sentence that names it."""
    make(path)
    with pytest.raises(StartupError) as stopped:
        file.check_at_start()
    said = stopped.value.message
    assert said.startswith(f"API_KEYS={path}")
    assert "secret" not in said
    assert ("line 2" in said) == (make is wrong_line)


def test_a_file_without_a_key_starts(
    file: KeyFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has a key yet: the app starts, and says how to make one."""
    write(path, "# none yet")
    file.check_at_start()
    [said] = caplog.messages
    assert "image-search key NAME" in said


def test_a_good_file_starts_in_silence(
    file: KeyFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of keys, with the mark that some editors put before the text, is right."""
    one, line = make_key("one")
    path.write_text(f"\ufeff{line}\n")
    file.check_at_start()
    assert file.name_of(one) == "one"
    assert caplog.messages == []
