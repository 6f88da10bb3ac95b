"""An index keeps the photos of a bucket: of whatever happens to it, none is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from image_search.index import Index
from image_search.photo_buckets import FIRST_PAUSE, MOST_FAILURES, PhotoBucket
from image_search.place import Place
from image_search.settings import Settings
from tests.clouds import CloudBucket
from tests.unit.folder_world import make_index, sync
from tests.unit.memory_store import MemoryStore
from tests.unit.test_buckets import address_of


@dataclass
class FakeCocoIndex:
    """Passes over a bucket as CocoIndex makes them: by what its source lists."""

    bucket: PhotoBucket
    store: MemoryStore
    versions: dict[str, str] = field(default_factory=dict)
    reads: int = 0

    async def __call__(
        self, folder: Place, *, reopen: bool, reexport: bool
    ) -> None:
        listed = dict(self.bucket.versions())
        for name in self.versions.keys() - listed.keys():
            del self.versions[name]
            self.store.points.pop(self.bucket.address.prefix + name, None)
        for name, version in listed.items():
            if self.versions.get(name) == version and not reexport:
                continue
            self.reads += 1
            try:
                content, read = await self.bucket.read(name)
            except OSError:
                continue  # the point stays as it is
            self.versions[name] = read
            full = self.bucket.address.prefix + name
            self.store.put(full, sha256=content.decode())


@dataclass
class World:
    """A bucket, what is made of it, and a clock."""

    cloud: CloudBucket
    place: PhotoBucket
    store: MemoryStore
    cocoindex: FakeCocoIndex
    make_index: Callable[[], Index]
    now: float = 0.0

    def shown(self) -> dict[str, str]:
        return {
            name: payload["sha256"]
            for name, (payload, _) in self.store.points.items()
        }


@pytest.fixture
def world(s3_bucket: CloudBucket, tmp_path: Path) -> World:
    """Two photos below a prefix."""
    address = address_of(f"cloud={s3_bucket.address('p')}")
    settings = Settings(
        image_dir=(address,), data_dir=tmp_path, refresh_seconds=3600
    )
    store = MemoryStore()
    place = PhotoBucket(address, clock=lambda: made.now)
    cocoindex = FakeCocoIndex(place, store)
    made = World(
        s3_bucket,
        place,
        store,
        cocoindex,
        lambda: make_index(place, store, cocoindex, settings),
    )
    s3_bucket.put("p/a.jpg", b"one")
    s3_bucket.put("p/b.jpg", b"two")
    return made


BOTH = {"cloud/a.jpg": "one", "cloud/b.jpg": "two"}


def test_changes_are_brought_in(world: World) -> None:
    """New, other and gone photos; nothing is read twice."""
    index = world.make_index()
    assert sync(index) is None
    assert world.shown() == BOTH
    world.cloud.put("p/a.jpg", b"ONE")
    world.cloud.put("p/c.jpg", b"three")
    world.cloud.delete("p/b.jpg")
    assert sync(index) is None
    assert world.shown() == {"cloud/a.jpg": "ONE", "cloud/c.jpg": "three"}
    assert sync(index) is None
    assert sync(world.make_index()) is None
    assert world.cocoindex.reads == 4


@pytest.mark.parametrize("is_new_start", [False, True])
def test_what_is_away_is_kept(world: World, is_new_start: bool) -> None:  # noqa: FBT001
    """A server that doesn't answer, and a bucket that is empty, take nothing away."""
    index = world.make_index()
    assert sync(index) is None
    if is_new_start:
        index = world.make_index()
    world.cloud.gate.shut()
    assert "can't be reached" in (sync(index) or "")
    world.cloud.gate.open()
    world.cloud.clear()
    assert "has no photos any more" in (sync(index) or "")
    assert world.shown() == BOTH
    world.cloud.put("p/a.jpg", b"one")
    assert sync(index) is None
    assert world.shown() == {"cloud/a.jpg": "one"}


def test_a_photo_that_can_not_be_read_is_tried_again(world: World) -> None:
    """One that is in the index stays; one that is not is said; after a while both come."""
    index = world.make_index()
    assert sync(index) is None
    world.cloud.deny("p/a.jpg", "p/c.jpg")
    world.cloud.put("p/a.jpg", b"ONE")
    world.cloud.put("p/c.jpg", b"three")
    for _ in range(3):
        assert sync(index) is None
        assert world.shown() == BOTH
    assert "denies access (403" in index.progress.skipped["cloud/c.jpg"]
    assert "denies access (403" in str(index.progress.notices)
    reads = world.cocoindex.reads
    assert sync(index) is None
    assert world.cocoindex.reads == reads  # it is left alone for a while
    world.cloud.deny()
    world.now += FIRST_PAUSE + 1
    assert sync(index) is None
    shown = {"cloud/a.jpg": "ONE", "cloud/b.jpg": "two", "cloud/c.jpg": "three"}
    assert world.shown() == shown
    assert index.progress.skipped == {}
    assert index.progress.notices == []


def test_a_new_version_is_tried_at_once(world: World) -> None:
    """What was wrong with another one need not be wrong with it."""
    index = world.make_index()
    world.cloud.deny("p/a.jpg")
    assert sync(index) is None
    assert sync(index) is None
    assert world.shown() == {"cloud/b.jpg": "two"}
    world.cloud.deny()
    world.cloud.put("p/a.jpg", b"ONE")
    assert sync(index) is None
    assert world.shown() == BOTH | {"cloud/a.jpg": "ONE"}


def test_after_many_failures_the_rest_is_not_tried(world: World) -> None:
    """They would all wait for the same server; once it is looked at again they are."""
    names = [f"p/{number}.jpg" for number in range(2 * MOST_FAILURES)]
    for name in names:
        world.cloud.put(name, b"x")
    world.place.scan()
    world.cloud.gate.shut()
    for name in names:
        with pytest.raises(OSError):  # noqa: PT011, whatever it says
            asyncio.run(world.place.read(name.removeprefix("p/")))
    world.cloud.gate.open()
    index = world.make_index()
    assert sync(index) is None
    world.now += FIRST_PAUSE + 1
    assert sync(index) is None
    assert len(world.shown()) == len(names) + 2


def test_a_folder_with_odd_names_is_said(world: World) -> None:
    """All others are read; its photos that are in the index stay."""
    world.cloud.put("p/x/a.jpg", b"x")
    index = world.make_index()
    assert sync(index) is None
    shown = BOTH | {"cloud/x/a.jpg": "x"}
    assert world.shown() == shown
    world.cloud.put_odd("p/x//odd.jpg")
    world.cloud.put("p/c.jpg", b"three")
    assert sync(index) is None
    assert world.shown() == shown | {"cloud/c.jpg": "three"}
    assert "x//" in str(index.progress.notices)
    world.cloud.put_odd("p//odd.jpg")
    assert "has an object called p//" in (sync(index) or "")
    assert world.shown() == shown | {"cloud/c.jpg": "three"}


def test_cocoindex_is_shown_what_the_index_saw(world: World) -> None:
    """However the bucket has changed since, and whatever is seen of it otherwise."""
    assert sync(world.make_index()) is None
    world.cloud.clear()
    world.place.scan()
    assert sorted(name for name, _ in world.place.versions()) == [
        "a.jpg",
        "b.jpg",
    ]


def test_a_photo_without_a_date_was_taken_when_it_was_written(
    world: World,
) -> None:
    """As the cloud tells, in local time, like that of a file."""
    taken = world.place.taken("a.jpg")
    known = world.place.bucket.look_up("a.jpg")
    assert known is not None
    assert taken.source == "file"
    assert taken.time == world.place.taken("a.jpg").time
    world.place.scan()
    assert world.place.taken("a.jpg") == taken
