"""Thumbnails on the disk: found by what a photo shows, and never too many."""

import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest

from image_search.photos import FULL_SIZE
from image_search.thumbnails import (
    SIDES,
    VERSION_LENGTH,
    ThumbnailCache,
    version_of,
)
from image_search.web import ThumbnailSize

# A device on which each write says that the disk is full.
FULL = Path("/dev/full")


@pytest.fixture
def cache(tmp_path: Path) -> ThumbnailCache:
    """A cache with room for ten thumbnails of 100 bytes."""
    return ThumbnailCache(tmp_path / "thumbs", max_bytes=1000)


def version(number: int) -> str:
    return version_of(f"{number:064x}"[::-1])


def put_many(cache: ThumbnailCache, count: int) -> list[str]:
    """Put thumbnails of 100 bytes, each a minute older than the next."""
    versions = [version(number) for number in range(count)]
    for number, name in enumerate(versions):
        cache.put(name, 512, b"x" * 100)
        written = 1_000_000_000 + 60 * number
        os.utime(cache.path(name, 512), (written, written))
    return versions


def test_what_was_put_is_found(cache: ThumbnailCache) -> None:
    """A thumbnail is found by version and size, as the bytes that were put."""
    name = version(1)
    assert cache.find(name, 512) is None
    cache.put(name, 512, b"large")
    cache.put(name, 256, b"small")
    for size, content in ((512, b"large"), (256, b"small")):
        found = cache.find(name, size)
        assert found is not None
        assert found.read_bytes() == content
    assert cache.find(name, 1024) is None
    assert cache.find(version(2), 512) is None


def test_a_thumbnail_is_kept_over_a_restart(cache: ThumbnailCache) -> None:
    """Another cache of the same folder finds what the first one kept."""
    cache.put(version(1), 512, b"content")
    found = ThumbnailCache(cache.folder).find(version(1), 512)
    assert found is not None
    assert found.read_bytes() == b"content"


def test_a_version_is_the_beginning_of_a_digest() -> None:
    """The version of a photo is short, and is another for other content."""
    assert len(version_of("ab" * 32)) == VERSION_LENGTH
    assert version_of("ab" * 32) != version_of("ba" * 32)


def test_one_that_looks_different_now_is_forgotten(
    cache: ThumbnailCache,
) -> None:
    """All sizes of a photo go, and none of another's."""
    first, second = version(1), version(2)
    for size in (256, 512):
        cache.put(first, size, b"x")
        cache.put(second, size, b"x")
    cache.forget(first)
    cache.forget(version(3))
    assert cache.find(first, 256) is None
    assert cache.find(first, 512) is None
    assert cache.find(second, 256) is not None


def test_each_size_that_is_served_is_forgotten() -> None:
    """What the web has made of a photo is known here by its size."""
    sides = [
        FULL_SIZE if size == "full" else int(size)
        for size in get_args(ThumbnailSize)
    ]
    assert sides == [*SIDES]


def test_the_oldest_go_first(cache: ThumbnailCache) -> None:
    """Beyond the limit the oldest are deleted, until a tenth of it is free."""
    versions = put_many(cache, 15)
    cache.prune()
    kept = [name for name in versions if cache.find(name, 512)]
    assert kept == versions[-9:]
    cache.prune()
    assert [name for name in versions if cache.find(name, 512)] == kept


def test_none_goes_while_there_is_room(cache: ThumbnailCache) -> None:
    """Up to the limit all thumbnails are kept."""
    versions = put_many(cache, 10)
    cache.prune()
    assert all(cache.find(name, 512) for name in versions)


def test_the_limit_is_kept_without_being_asked(cache: ThumbnailCache) -> None:
    """Now and then a put deletes what is too much, by itself."""
    for number in range(100):
        cache.put(version(number % 40), 512, b"x" * 100)
        used = sum(path.stat().st_size for path in cache.folder.glob("*/*"))
        assert used <= 1.1 * cache.max_bytes


def test_large_ones_have_room_of_their_own(tmp_path: Path) -> None:
    """However many whole photos are looked at, the small ones of the folder stay."""
    cache = ThumbnailCache(tmp_path, max_bytes=1000, max_large_bytes=3000)
    versions = put_many(cache, 10)
    for number in range(30):
        cache.put(version(number), 2048, b"x" * 300)
        cache.put(version(number), FULL_SIZE, b"x" * 600)
        used = sum(path.stat().st_size for path in cache.folder.glob("*/*"))
        assert used <= 1000 + 1.5 * 3000
    assert all(cache.find(name, 512) for name in versions)
    assert cache.find(version(29), FULL_SIZE)
    cache.forget(version(29))
    assert not cache.find(version(29), FULL_SIZE)


def test_what_a_crash_left_behind_goes_too(cache: ThumbnailCache) -> None:
    """A thumbnail that was half-written counts, and is deleted as any other."""
    path = cache.path(version(1), 512)
    path.parent.mkdir(parents=True)
    partial = path.with_suffix(".1-1")
    partial.write_bytes(b"x" * 2000)
    assert cache.find(version(1), 512) is None
    cache.prune()
    assert not partial.exists()


def test_an_empty_cache_is_pruned(cache: ThumbnailCache) -> None:
    """To prune is no error before the first thumbnail, when there is no folder."""
    cache.prune()
    assert not cache.folder.exists()


def test_many_write_at_once(tmp_path: Path) -> None:
    """A thumbnail is whole whenever it is found, whoever writes it meanwhile."""
    cache = ThumbnailCache(tmp_path)
    name = version(1)

    def write_and_read(number: int) -> bytes:
        cache.put(name, 512, bytes([number]) * 10_000)
        found = cache.find(name, 512)
        return found.read_bytes() if found else b""

    with ThreadPoolExecutor(8) as pool:
        for content in pool.map(write_and_read, range(200)):
            assert len(content) == 10_000
            assert len(set(content)) == 1
    assert len(list(cache.folder.glob("*/*"))) == 1


# --- Disks that can't be written to ---------------------------------------------


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """A disk on which no file of this process can grow beyond 1,000 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_no_error(cache: ThumbnailCache) -> None:
    """Where the disk is full a thumbnail is not kept, and nothing is left of it."""
    with full_disk():
        cache.put(version(1), 512, b"x" * 2000)
        cache.put(version(2), 512, b"x" * 200)
    assert cache.find(version(1), 512) is None
    assert [*cache.folder.glob("*/*")] == [cache.find(version(2), 512)]


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    """Where a file is in the way, or the folder is gone, thumbnails are not kept."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    cache = ThumbnailCache(in_the_way / "thumbs")
    cache.put(version(1), 512, b"content")
    assert cache.find(version(1), 512) is None
    cache.prune()
    assert in_the_way.read_text() == "not a folder"


def test_a_cache_that_was_deleted_fills_again(cache: ThumbnailCache) -> None:
    """Somebody may delete the folder while the app runs."""
    cache.put(version(1), 512, b"content")
    shutil.rmtree(cache.folder)
    assert cache.find(version(1), 512) is None
    cache.put(version(1), 512, b"content")
    assert cache.find(version(1), 512) is not None
