"""What is away keeps its photos in the index, while all else goes on."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from image_search.index import Index
from image_search.listing import Snapshot
from image_search.settings import Settings
from image_search.sources import PhotoFolder
from tests.unit.folder_world import FakeCocoIndex, World, folder_of, sync
from tests.unit.memory_store import MemoryStore

USB = "2024/usb"
ON_DISK = {f"{USB}/a.jpg": "an a", f"{USB}/deep/b.jpg": "a b"}
ELSEWHERE = {"cat.jpg": "a cat", "2024/dog.jpg": "a dog"}


class Disks:
    """The disks that are mounted, which a test may mount and unmount."""

    def __init__(self, img: Path) -> None:
        self.img = img
        self.mounted = ["/", str(img / USB)]

    def unmount(self) -> None:
        """What was on it is there no more, and the folder is an empty one."""
        self.mounted = ["/"]
        (self.img / USB).rename(self.img.with_name("unmounted"))
        (self.img / USB).mkdir()

    def mount(self) -> None:
        shutil.rmtree(self.img / USB, ignore_errors=True)
        self.img.with_name("unmounted").rename(self.img / USB)
        self.mounted = ["/", str(self.img / USB)]


class Place(PhotoFolder):
    """A folder of which a part can be made unreadable, as root can't by rights."""

    unreadable: tuple[str, ...] = ()

    def scan(self) -> Snapshot:
        found = super().scan()
        for name in [*found.photos]:
            if name.startswith(self.unreadable):
                del found.photos[name]
        reasons = dict.fromkeys(self.unreadable, "Permission denied")
        return replace(found, unreadable=reasons)


@pytest.fixture
def disks(settings: Settings) -> Disks:
    return Disks(folder_of(settings).path)


@pytest.fixture
def place(settings: Settings, disks: Disks) -> Place:
    return Place(folder_of(settings), lambda: disks.mounted)


@pytest.fixture
def world(settings: Settings, place: Place) -> World:
    store = MemoryStore()
    world = World(place, store, FakeCocoIndex(place, store), settings)
    for name, content in (ON_DISK | ELSEWHERE).items():
        world.write(name, content, 1000)
    return world


@pytest.fixture
def index(world: World) -> Index:
    index = world.index()
    assert sync(index) is None
    assert world.shown() == ON_DISK | ELSEWHERE
    return index


def kept(number: int) -> str:
    some = "photo is" if number == 1 else f"{number} photos are"
    return f"{USB} is not there: its {some} kept in the index."


def test_a_disk_that_is_gone_keeps_its_photos(
    world: World, index: Index, disks: Disks, caplog: pytest.LogCaptureFixture
) -> None:
    """Its photos stay, which is said once; what changes elsewhere is followed."""
    disks.unmount()
    assert sync(index) is None
    assert index.progress.notices == [kept(2)]
    world.write("new.jpg", "new", 2000)
    world.write("2024/other.jpg", "other", 2000)
    (world.folder.path / "cat.jpg").unlink()
    for _ in range(2):
        assert sync(index) is None
    now = {"2024/dog.jpg": "a dog", "new.jpg": "new", "2024/other.jpg": "other"}
    assert world.shown() == ON_DISK | now
    assert {*index.progress.photos} == {*world.shown()}
    assert caplog.text.count(kept(2)) == 1


def test_it_is_followed_again_once_it_is_back(
    world: World, index: Index, disks: Disks
) -> None:
    """Nothing is embedded again, and what has changed on it meanwhile is seen."""
    disks.unmount()
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    embedded = world.cocoindex.embedded
    disks.mount()
    assert sync(index) is None
    assert index.progress.notices == []
    assert world.cocoindex.embedded == embedded
    (world.folder.path / USB / "a.jpg").unlink()
    world.write(f"{USB}/deep/b.jpg", "another b", 3000)
    assert sync(index) is None
    now = {"new.jpg": "new", f"{USB}/deep/b.jpg": "another b"}
    assert world.shown() == ELSEWHERE | now
    assert world.folder.shown == world.folder.path


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("left", ["an empty folder", "no folder"])
def test_it_is_missed_after_a_restart_too(
    world: World, disks: Disks, left: str
) -> None:
    """What was a disk is remembered beyond a stop; its folder may be gone with it."""
    disks.unmount()
    if left == "no folder":
        (disks.img / USB).rmdir()
    index = world.index()
    assert sync(index) is None
    assert index.progress.notices == [kept(2)]
    assert world.shown() == ON_DISK | ELSEWHERE
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    assert world.shown() == ON_DISK | ELSEWHERE | {"new.jpg": "new"}
    assert world.cocoindex.embedded == 5


def test_a_start_that_ends_early_knows_the_disk(
    world: World, disks: Disks
) -> None:
    """Stopped before its first pass is whole, what came in from the disk is kept as well."""
    index = world.index()
    world.cocoindex.loses = {"cat.jpg"}
    assert "3 of 4 photos are in the index" in (sync(index) or "")
    world.cocoindex.loses.clear()
    disks.unmount()
    again = world.index()
    assert sync(again) is None
    assert again.progress.notices == [kept(2)]
    assert world.shown() == ON_DISK | ELSEWHERE


def test_a_stray_photo_is_not_the_disk(
    world: World, index: Index, disks: Disks
) -> None:
    """A photo in the folder where the disk should be lets none of the disk's go."""
    disks.unmount()
    world.write(f"{USB}/stray.jpg", "stray", 2000)
    world.write(f"{USB}/a.jpg", "not the a", 2000)
    assert sync(index) is None
    assert world.shown() == ON_DISK | ELSEWHERE
    why = f"it lies in {USB}, whose disk is not there"
    assert index.progress.skipped == {f"{USB}/stray.jpg": why}


def test_photos_that_were_copied_from_the_disk_are_there(
    world: World, index: Index, disks: Disks
) -> None:
    """A folder with all that the disk had takes its place, and is followed like any other."""
    disks.mounted = ["/"]
    assert sync(index) is None
    assert index.progress.notices == []
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    (disks.img / USB / "a.jpg").unlink()
    assert sync(index) is None
    assert f"{USB}/a.jpg" not in world.shown()
    assert index.progress.notices == []


def test_a_disk_without_photos_is_not_missed(
    world: World, index: Index, disks: Disks
) -> None:
    """Where nothing of it is in the index, there is nothing to keep or to say."""
    shutil.rmtree(disks.img / USB / "deep")
    (disks.img / USB / "a.jpg").unlink()
    assert sync(index) is None
    disks.unmount()
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    assert index.progress.notices == []
    assert world.shown() == ELSEWHERE | {"new.jpg": "new"}


def test_the_whole_folder_is_away_with_its_disk(
    world: World, index: Index, disks: Disks
) -> None:
    """With all of the folder gone, the index of all of it is kept, not the disk's alone."""
    disks.unmount()
    away = disks.img.rename(disks.img.with_name("away"))
    assert "can't be opened" in (sync(index) or "")
    assert world.shown() == ON_DISK | ELSEWHERE
    away.rename(disks.img)
    disks.mount()
    assert sync(index) is None
    assert world.shown() == ON_DISK | ELSEWHERE


def test_the_disk_of_the_whole_folder(
    world: World, index: Index, disks: Disks
) -> None:
    """With one stray photo in its place the whole index is kept, and the disk is named."""
    disks.mounted = ["/", str(disks.img)]
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    before = world.shown()
    disks.mounted = ["/"]
    away = disks.img.rename(disks.img.with_name("away"))
    disks.img.mkdir()
    world.write("stray.jpg", "stray", 3000)
    for started in (index, world.index()):
        said = sync(started) or ""
        assert f"lay on the disk at {disks.img}, which is not mounted" in said
        assert world.shown() == before
    shutil.rmtree(disks.img)
    away.rename(disks.img)
    disks.mounted = ["/", str(disks.img)]
    assert sync(index) is None
    assert world.shown() == before


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("2024",), "2024 can't be listed (Permission denied): its 3 photos are"),
        (
            ("2024/usb/a.jpg",),
            "2024/usb has photos that can't be read (Permission denied): its photo is",
        ),
        (
            ("cat.jpg",),
            "IMAGE_DIR has photos that can't be read (Permission denied): its photo is",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_kept(
    world: World, index: Index, place: Place, names: tuple[str, ...], said: str
) -> None:
    """A folder that can't be listed, and photos that can't be read, stay in the index."""
    place.unreadable = names
    world.write("new.jpg", "new", 2000)
    (place.path / "2024/usb/deep/b.jpg").unlink()
    assert sync(index) is None
    assert index.progress.notices == [f"{said} kept in the index."]
    gone = set() if names == ("2024",) else {"2024/usb/deep/b.jpg"}
    everything = ON_DISK | ELSEWHERE | {"new.jpg": "new"}
    assert {*world.shown()} == {*everything} - gone
    place.unreadable = ()
    world.write("newer.jpg", "newer", 3000)
    assert sync(index) is None
    assert {*world.shown()} == {*everything, "newer.jpg"} - {
        "2024/usb/deep/b.jpg"
    }
    assert world.cocoindex.embedded == 6


def test_what_never_was_indexed_is_skipped(
    world: World, index: Index, place: Place
) -> None:
    """What can't be read and is not in the index has nothing to keep: it is said to be skipped."""
    world.write("secret/a.jpg", "secret", 2000)
    place.unreadable = ("secret",)
    assert sync(index) is None
    why = "it can't be read: Permission denied"
    assert index.progress.skipped == {"secret": why}
    assert index.progress.notices == []


def test_a_lost_store_is_filled_with_what_is_there(
    world: World, index: Index, disks: Disks
) -> None:
    """Points that are lost while a disk is away come back: its own once it is back."""
    disks.unmount()
    assert sync(index) is None
    world.store.points.clear()
    assert sync(index) is None
    assert world.shown() == ELSEWHERE
    assert index.progress.notices == []
    disks.mount()
    assert sync(index) is None
    assert world.shown() == ON_DISK | ELSEWHERE


def test_skipped_photos_of_what_is_away_are_not_tried(
    world: World, index: Index, disks: Disks
) -> None:
    """When skipped photos are looked at again, those that are away wait until they are back."""
    world.store.put(f"{USB}/a.jpg", sha256="an a", error="it is broken")
    disks.unmount()
    index.retries_skipped = True
    assert sync(index) is None
    assert f"{USB}/a.jpg" in world.shown()
    assert index.progress.notices == [kept(2)]


def test_what_is_left_out_is_not_kept(
    index: Index, world: World, disks: Disks
) -> None:
    """Photos of a disk that is away leave the index if a rule leaves them out."""
    disks.unmount()
    world.write("2024/.ignore", "usb/deep")
    assert sync(index) is None
    assert world.shown() == {f"{USB}/a.jpg": "an a"} | ELSEWHERE
    assert index.progress.notices == [kept(1)]
    world.write("2024/.ignore", "usb")
    assert sync(index) is None
    assert world.shown() == ELSEWHERE
    assert index.progress.notices == []


def test_what_is_left_out_need_not_be_readable(
    index: Index, world: World, place: Place
) -> None:
    """A folder that can't be listed, such as lost+found, is no matter if it is left out."""
    (world.folder.path / "lost+found").mkdir(mode=0)
    assert sync(index) is None
    assert index.progress.notices == []
    assert index.progress.skipped == {}
