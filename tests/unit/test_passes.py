"""Each pass is shown what fits into memory: large photos have one of their own."""

import asyncio
import os
from typing import Any

import pytest

from image_search.in_flight import LARGE, LEAST_ROWS, MOST_BYTES, USUAL_ROWS
from image_search.index import Index
from image_search.passes import photos_in_turn
from image_search.place import Place
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

    async def update(folder: Place, *, reopen: bool, reexport: bool) -> None:
        rows.append(world.folder.rows_in_flight())
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)

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
    assert rows == [USUAL_ROWS, 2]
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
    assert rows == [LEAST_ROWS]
    assert world.passes == [Pass(PLAIN, reopen=True, reexport=False)]


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


def test_rows_follow_what_embeds_them(world: World, index: Index) -> None:
    """Where more devices compute than were known at the start, more photos are under way."""
    rows = rows_of_passes(world, index)
    world.reader.rows = 4 * USUAL_ROWS
    world.write("new.jpg", "new")
    assert sync(index) is None
    assert rows == [4 * USUAL_ROWS]
    [only] = world.passes
    assert only.reopen


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
    assert (rows, later) == ([USUAL_ROWS], [1])


def test_what_was_begun_is_not_taken_back(world: World) -> None:
    """Killed in the pass of the large photos, the next start deletes none that have arrived."""
    add_large(world, "a.tif", "b.tif")
    index = world.index()
    calls = 0

    async def killed(folder: Place, *, reopen: bool, reexport: bool) -> None:
        nonlocal calls
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)
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


def name_of(number: int) -> str:
    return f"{number:04}.jpg"


def add_many(world: World, total: int) -> None:
    """Small photos, the later in the order of names the newer."""
    for number in range(total):
        world.write(name_of(number), str(number), 10_000 + number)


def test_new_photos_come_in_turns_the_newest_first(world: World) -> None:
    """A large folder is brought in by passes that each are shown a part of it, newest first."""
    add_many(world, 1000)
    index = world.index()
    shown: list[list[str]] = []

    async def update(folder: Place, *, reopen: bool, reexport: bool) -> None:
        before = {*world.shown()}
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)
        shown.append(sorted({*world.shown()} - before))

    index.passes.update = update
    assert sync(index) is None
    newest = [name_of(number) for number in range(999, -1, -1)]
    assert shown[0] == sorted(newest[:100])
    assert shown[1] == sorted(newest[100:200])
    assert max(len(turn) for turn in shown) == 250
    assert len(world.shown()) == 1002
    assert {"cat.jpg", "trips/dog.jpg"} <= {*shown[-1]}  # the oldest


@pytest.mark.parametrize(
    ("known", "rate", "turn"),
    [
        (0, 1_000, 100),  # a first sight at once, whatever the model
        (400, 1_000, 400),
        (9_000, 2, 250),
        (9_000, 100, 1_000),
        (9_000, 500, 5_000),
    ],
)
def test_a_turn_of_a_quick_model_is_longer(
    known: int, rate: float, turn: int
) -> None:
    """What comes meanwhile waits some ten seconds; a slow one has turns of 250."""
    assert photos_in_turn(known, 2_000, rate) == turn


def test_what_comes_meanwhile_is_in_the_next_turn(world: World) -> None:
    """A photo that is added while older ones wait does not wait for them."""
    add_many(world, 1000)
    index = world.index()
    turns: list[bool] = []

    async def update(folder: Place, *, reopen: bool, reexport: bool) -> None:
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)
        turns.append("new.jpg" in world.shown())
        if len(turns) == 1:
            world.write("new.jpg", "new", 20_000)

    index.passes.update = update
    assert sync(index) is None
    assert turns[:2] == [False, True]
    assert len(turns) > 4


def test_turns_that_are_broken_off_take_nothing_back(world: World) -> None:
    """Stopped amid them, no later pass leaves out what is in the index, new photos or not."""
    add_many(world, 1000)
    index = world.index()
    calls = 0

    async def killed(folder: Place, *, reopen: bool, reexport: bool) -> None:
        nonlocal calls
        calls += 1
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)
        if calls == 3:
            raise asyncio.CancelledError

    index.passes.update = killed
    with pytest.raises(asyncio.CancelledError):
        sync(index)
    held = {*world.shown()}
    assert 100 < len(held) < 1000
    for number in range(150):
        world.write(f"newer-{number}.jpg", "newer", 30_000)
    index = world.index()
    lost: set[str] = set()

    async def watched(folder: Place, *, reopen: bool, reexport: bool) -> None:
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)
        lost.update(held - {*world.shown()})

    index.passes.update = watched
    assert sync(index) is None
    assert lost == set()
    assert len(world.shown()) == 1152


def test_without_a_record_nothing_waits(world: World) -> None:
    """Where it is not known which photos are in the index, none is left out: it would be deleted."""
    add_many(world, 1000)
    index = world.index()
    assert sync(index) is None
    index.record_file.unlink()
    world.write("new.jpg", "new", 30_000)
    assert sync(world.index()) is None
    assert world.passes == [Pass(PLAIN, reopen=True, reexport=False)]
