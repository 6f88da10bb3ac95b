"""Each pass is shown what fits into memory: large photos have one of their own."""

import asyncio
import os
from typing import Any

import pytest

from image_search.in_flight import LARGE, MOST_BYTES, MOST_ROWS
from image_search.index import Index
from tests.unit.folder_world import Pass, World, sync

PLAIN = frozenset[str]()


@pytest.fixture
def index(world: World) -> Index:
    index = world.index()
    assert sync(index) is None
    world.passes.clear()
    return index


def add_large(
    world: World, *names: str, size: int = LARGE + 1, changed: float = 2000
) -> None:
    """Photos that are large, and take no room on the disk."""
    for name in names:
        world.write(name, "")
        os.truncate(world.folder.path / name, size)
        os.utime(world.folder.path / name, (changed, changed))


def rows_of_passes(world: World, index: Index) -> list[int]:
    """How many photos each pass has under way, from here on."""
    rows: list[int] = []

    async def update(*, reopen: bool, reexport: bool) -> None:
        rows.append(world.folder.rows_in_flight())
        await world.cocoindex(reopen=reopen, reexport=reexport)

    index.passes.update = update
    return rows


def test_large_photos_come_after_the_others(world: World, index: Index) -> None:
    """New ones wait for a pass of their own, which has as few under way as fit together."""
    large = {f"{number}.tif" for number in range(3)}
    add_large(world, *large, size=MOST_BYTES // 2 - 1)
    world.write("new.jpg", "new")
    rows = rows_of_passes(world, index)
    assert sync(index) is None
    assert [one.excluded for one in world.passes] == [large, PLAIN]
    assert rows == [MOST_ROWS, 2]
    assert large <= {*world.shown()}


def test_large_photos_alone_are_one_pass(world: World, index: Index) -> None:
    """Where nothing else is new there is nothing to come before them."""
    add_large(world, "a.tif", "b.tif", size=MOST_BYTES // 2 + 1)
    (world.folder.path / "cat.jpg").unlink()
    rows = rows_of_passes(world, index)
    assert sync(index) is None
    assert rows == [1]
    assert {*world.shown()} == {"a.tif", "b.tif", "trips/dog.jpg"}


def test_ordinary_photos_are_one_pass(world: World, index: Index) -> None:
    """Where none is large, one pass is enough, and it has as many under way as can be."""
    add_large(world, *(f"{number}.jpg" for number in range(40)), size=LARGE)
    rows = rows_of_passes(world, index)
    assert sync(index) is None
    assert rows == [MOST_ROWS]
    assert world.passes == [Pass(PLAIN, reopen=False, reexport=False)]


def test_a_large_photo_that_changes_stays_in_the_index(
    world: World, index: Index
) -> None:
    """It is left out of no pass, since that would delete it; but it is under way alone."""
    add_large(world, "a.tif", "b.tif")
    assert sync(index) is None
    world.passes.clear()
    add_large(world, "a.tif", "b.tif", size=MOST_BYTES // 2 + 1, changed=3000)
    rows = rows_of_passes(world, index)
    assert sync(index) is None
    assert world.passes == [Pass(PLAIN, reopen=True, reexport=False)]
    assert rows == [1]


@pytest.mark.usefixtures("index")
def test_a_start_reads_large_photos_only_if_it_must(world: World) -> None:
    """With photos known already and the same readers none holds others up; with others, they do."""
    add_large(world, "a.tif", "b.tif", size=MOST_BYTES // 2 + 1)
    assert sync(world.index()) is None
    index = world.index()
    rows = rows_of_passes(world, index)
    assert sync(index) is None
    world.reader.readers = "Pillow 2"
    index = world.index()
    rows += rows_of_passes(world, index)
    later = rows_of_passes(world, index)
    assert sync(index) is None
    assert (rows, later) == ([MOST_ROWS], [1])


def test_what_was_begun_is_not_taken_back(world: World) -> None:
    """Killed in the pass of the large photos, the next start deletes none that have arrived."""
    add_large(world, "a.tif", "b.tif")
    index = world.index()
    calls = 0

    async def killed(*, reopen: bool, reexport: bool) -> None:
        nonlocal calls
        await world.cocoindex(reopen=reopen, reexport=reexport)
        calls += 1
        if calls == 2:
            raise asyncio.CancelledError

    index.passes.update = killed
    with pytest.raises(asyncio.CancelledError):
        sync(index)
    assert "a.tif" in world.shown()
    assert sync(world.index()) is None
    assert [one.excluded for one in world.passes] == [PLAIN]


def test_lost_points_are_read_with_all_in_mind(
    world: World, index: Index
) -> None:
    """A pass that writes everything again may read everything: the largest are what counts."""
    add_large(world, "a.tif", "b.tif", size=MOST_BYTES // 2 + 1)
    assert sync(index) is None
    world.store.points.clear()
    rows = rows_of_passes(world, index)
    assert sync(index) is None
    assert rows == [1]
    assert world.passes[-1].reexport


def test_a_pass_that_fails_is_run_again_as_it_was(
    world: World, index: Index
) -> None:
    """What CocoIndex was not shown, since opening its flow failed, it is shown by the next pass."""
    failures: list[Any] = [RuntimeError("no Postgres")]
    world.cocoindex.failures = failures
    add_large(world, "a.tif")
    assert sync(index) == "no Postgres"
    assert sync(index) is None
    assert "a.tif" in world.shown()


def test_after_a_failure_the_flow_is_opened_anew(
    world: World, index: Index
) -> None:
    """What a pass left behind that failed, or hung, holds the next one up no more."""
    world.write("new.jpg", "new")
    world.cocoindex.failures = [RuntimeError("no Postgres")]
    assert sync(index) == "no Postgres"
    assert sync(index) is None
    reopened = [one.reopen for one in world.passes]
    assert reopened == [False, True]
