"""A folder is listed as it is: each photo, what is to be left alone and why, and each change."""

import asyncio
import contextlib
import fnmatch
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_search.addresses import Address
from image_search.exclusions import Exclusions
from image_search.kinds import KINDS, PHOTO_PATTERNS
from image_search.photo_files import PhotoFiles
from image_search.settings import StartupError
from image_search.sources import MAX_FILE_BYTES, PhotoFolder
from tests.harness import ORDINARY, PHOTOS, eventually

ROCKET = PHOTOS / "rocket.jpg"
# The globs of what CocoIndex is never shown.
ALWAYS = ["**/.*", *Exclusions().globs]


@pytest.fixture
def folder(tmp_path: Path) -> PhotoFolder:
    path = tmp_path / "img"
    path.mkdir()
    return PhotoFolder(Address(path))


def add(folder: PhotoFolder, *names: str) -> None:
    for name in names:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROCKET, folder.path / name)


def test_a_scan_finds_every_photo(folder: PhotoFolder) -> None:
    """Photos of every format, in any case, at any depth, with their times and sizes."""
    names = {f"a/b/{suffix[1:]} photo{suffix}" for suffix in KINDS} | {
        "NEW.JPG",
        "c d/é.Png",
    }
    add(folder, *names)
    os.utime(folder.path / "NEW.JPG", (1_700_000_000.5,) * 2)
    snapshot = folder.scan()
    assert set(snapshot.photos) == names
    assert snapshot.photos["NEW.JPG"] == [
        1_700_000_000.5,
        ROCKET.stat().st_size,
    ]
    assert snapshot.skipped == {}


def test_hidden_files_and_other_files_are_no_photos(
    folder: PhotoFolder,
) -> None:
    """Hidden files and folders, macOS's ._ twins and files of other kinds are not mentioned."""
    add(folder, ".hidden.jpg", "._new.jpg", ".thumbs/a.jpg", "a/.b/c.jpg")
    add(folder, "notes.txt", "a.jpg.bak", "jpg")
    (folder.path / "folder.jpg").mkdir()
    snapshot = folder.scan()
    assert snapshot.photos == {}
    assert snapshot.skipped == {}


def test_what_is_left_alone_has_a_reason(folder: PhotoFolder) -> None:
    """What CocoIndex would stumble over, or hang at, is skipped, each with its reason."""
    path = folder.path
    add(
        folder,
        "fine.jpg",
        "ancient.jpg",
        "../outside/temple.jpg",
        ".hidden.jpg",
    )
    add(folder, "notes.txt")
    os.utime(path / "ancient.jpg", (-1e9, -1e9))
    os.mkfifo(path / "pipe.jpg")
    with (path / "huge.bmp").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    links = {
        "outside.jpg": path.parent / "outside" / "temple.jpg",
        "hidden.jpg": path / ".hidden.jpg",
        "notes.png": path / "notes.txt",
        "loop.jpg": path / "loop.jpg",
        "no way.jpg": path / "fine.jpg" / "x",
        "folder": path.parent / "outside",
        "circle": path,
    }
    for name, target in links.items():
        (path / name).symlink_to(target)
    snapshot = folder.scan()
    assert set(snapshot.photos) == {"fine.jpg"}
    no_photo = "it is a link to what is no photo of the folder"
    assert snapshot.skipped == {
        "ancient.jpg": "its modification time is before 1970",
        "pipe.jpg": "it is not a regular file",
        "huge.bmp": "it is larger than 256 MiB",
        "outside.jpg": no_photo,
        "hidden.jpg": no_photo,
        "notes.png": no_photo,
        "loop.jpg": "it can't be read: Too many levels of symbolic links",
        "no way.jpg": "it can't be read: Not a directory",
        "folder": "links to folders are not followed",
        "circle": "links to folders are not followed",
    }


def test_a_time_that_no_date_has_is_a_reason(folder: PhotoFolder) -> None:
    """A modification time beyond the year 9999, which some disks can have, is a reason."""
    add(folder, "far.jpg")
    with os.scandir(folder.path) as entries:
        [entry] = entries
    status = [*entry.stat()]
    far = os.stat_result([*status[:8], 253_500_000_000, status[9]])
    assert folder.skip_reason(entry, entry.stat()) is None
    reason = folder.skip_reason(entry, far)
    assert reason == "its modification time is after the year 9999"


def test_links_within_the_folder_are_photos(folder: PhotoFolder) -> None:
    """A link to a photo of the folder is a photo itself; a link to nowhere is nothing."""
    add(folder, "a/fine.jpg")
    (folder.path / "link.jpg").symlink_to(folder.path / "a" / "fine.jpg")
    (folder.path / "nowhere.jpg").symlink_to(folder.path / "no such file.jpg")
    snapshot = folder.scan()
    assert set(snapshot.photos) == {"a/fine.jpg", "link.jpg"}
    assert snapshot.skipped == {}


def test_a_name_in_no_encoding_is_a_reason(folder: PhotoFolder) -> None:
    """A name that is not in UTF-8 is skipped, and shown with signs in place of its bytes."""
    add(folder, "fine.jpg")
    try:
        add(folder, os.fsdecode(b"\xff\xfe.jpg"))
    except OSError:
        pytest.skip("this disk takes no such name")
    snapshot = folder.scan()
    assert set(snapshot.photos) == {"fine.jpg"}
    assert snapshot.skipped == {"\ufffd\ufffd.jpg": "its name is not in UTF-8"}


@contextlib.contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Be one for a while, where the tests are root's: root may read everything."""
    users = os.getresuid()
    if ORDINARY:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(*users)


def test_what_may_not_be_read_is_named(folder: PhotoFolder) -> None:
    """Photos and folders without the right to read are named, not served, and keep none away."""
    path = folder.path
    add(folder, "fine.jpg", "secret.jpg", "open/fine.jpg", "locked/hidden.jpg")
    (path / "secret.jpg").chmod(0)
    (path / "locked").chmod(0)
    if ORDINARY:
        for above in (path, *path.parents):
            if above == Path(tempfile.gettempdir()):
                break
            above.chmod(0o755)
    files = PhotoFiles(path, folder.leads_to_photo, is_private=False)
    with an_ordinary_user():
        snapshot = folder.scan()
        served = {
            name
            for name in (
                "fine.jpg",
                "secret.jpg",
                "open/fine.jpg",
                "locked/hidden.jpg",
            )
            if files.lookup_path(name)[1] is not None
        }
    (path / "locked").chmod(0o755)  # so that it can be deleted
    assert set(snapshot.photos) == {"fine.jpg", "open/fine.jpg"}
    denied = "Permission denied"
    assert snapshot.unreadable == {"secret.jpg": denied, "locked": denied}
    assert served == {"fine.jpg", "open/fine.jpg"}


def test_a_folder_that_is_not_there_has_no_photos(tmp_path: Path) -> None:
    """To scan what is gone, or is no folder, is no error: it has no photos."""
    file = tmp_path / "file"
    file.touch()
    for place in (tmp_path / "gone", file, file / "below"):
        assert PhotoFolder(Address(place)).scan().photos == {}


def test_a_folder_that_never_was_there_is_refused(tmp_path: Path) -> None:
    """A wrong setting is told before anything is indexed; a folder that is away later is waited for."""
    gone = PhotoFolder(Address(tmp_path / "gone"))
    with pytest.raises(StartupError, match="gone is no folder"):
        gone.check_at_start(is_set_up=False)
    gone.check_at_start(is_set_up=True)
    PhotoFolder(Address(tmp_path)).check_at_start(is_set_up=False)


@pytest.mark.parametrize("suffix", KINDS)
def test_cocoindex_is_shown_every_format(suffix: str) -> None:
    """The globs that CocoIndex is given take a format's photos in any case, and no others."""

    def is_shown(name: str) -> bool:
        return any(
            fnmatch.fnmatchcase(name, pattern) for pattern in PHOTO_PATTERNS
        )

    assert is_shown(f"a{suffix}")
    assert is_shown(f"a{suffix.upper()}")
    assert is_shown(f"a{suffix.title()}")
    assert not is_shown(f"a{suffix}.bak")
    assert not is_shown(f"a{suffix[1:]}")
    assert not is_shown(f"a.x{suffix[1:]}")


def test_what_is_left_alone_is_not_shown(folder: PhotoFolder) -> None:
    """CocoIndex's globs leave out what a scan skips, by its very name, and all that is hidden."""
    os.mkfifo(folder.path / "[0]{*,}\\?.jpg")
    literally = r"\[0\]\{\*,\}\\\?.jpg"
    assert folder.excluded_patterns() == [*ALWAYS, literally]


def test_what_is_left_alone_is_decided_once(folder: PhotoFolder) -> None:
    """The globs change only when they are told to, so that each pass sees what was looked at."""
    assert folder.excluded_patterns() == ALWAYS
    os.mkfifo(folder.path / "pipe.jpg")
    assert folder.excluded_patterns() == ALWAYS
    folder.excluded = frozenset({"a.jpg"})
    assert folder.excluded_patterns() == [*ALWAYS, "a.jpg"]


def test_changes_are_told(folder: PhotoFolder) -> None:
    """A watch tells of a new photo, and now and then that nothing new came."""
    told: list[bool] = []

    async def listen() -> None:
        async with contextlib.aclosing(folder.watch(pause=0.2)) as changes:
            async for is_change in changes:
                told.append(is_change)  # noqa: PERF401, as they come

    async def scenario() -> None:
        listening = asyncio.create_task(listen())
        await asyncio.to_thread(eventually, lambda: told)
        assert True not in told
        add(folder, ".hidden/a.jpg", ".b.jpg")
        quiet = len(told)
        await asyncio.to_thread(eventually, lambda: len(told) > quiet + 2)
        assert True not in told  # what is hidden is no change
        add(folder, "deep/down/new.jpg")
        await asyncio.to_thread(eventually, lambda: True in told)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    asyncio.run(scenario())


def test_a_folder_that_is_gone_cannot_be_watched(tmp_path: Path) -> None:
    """To watch a folder that is not there raises, rather than to wait for ever."""

    async def first_change() -> bool:
        return await anext(
            PhotoFolder(Address(tmp_path / "gone")).watch(pause=0.2)
        )

    with pytest.raises(FileNotFoundError):
        asyncio.run(first_change())
