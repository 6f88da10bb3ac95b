"""The index follows its folder: it looks closely, asks for few passes, and loses nothing."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import models

from image_search.addresses import Address
from image_search.index import Index
from image_search.place import Place
from image_search.record import Record
from image_search.server_store import ServerStore
from image_search.settings import Settings
from image_search.sources import PhotoFolder
from image_search.store_errors import StoreUnavailable
from tests.qdrant_standin import QdrantStandIn
from tests.unit.folder_world import (
    FakeCocoIndex,
    Pass,
    World,
    folder_of,
    make_index,
    sync,
)
from tests.unit.memory_store import MemoryStore, id_of, payload_of


@pytest.fixture
def index(world: World) -> Index:
    """The index of that world, up to date."""
    index = world.index()
    assert sync(index) is None
    world.passes.clear()
    world.store.calls.clear()
    return index


def test_the_first_sync_indexes_the_folder(world: World) -> None:
    """One pass brings in every photo, and the index is ready then."""
    index = world.index()
    assert not index.progress.is_ready
    assert sync(index) is None
    assert world.shown() == {"cat.jpg": "a cat", "trips/dog.jpg": "a dog"}
    assert world.passes == [Pass(frozenset(), reopen=True, reexport=False)]
    assert index.progress.is_ready
    assert set(index.progress.photos) == {*world.shown()}


def test_where_nothing_changed_no_pass_runs(world: World, index: Index) -> None:
    """An idle sync runs no pass, and leaves the collection unchecked."""
    for _ in range(3):
        assert sync(index) is None
    assert world.passes == []
    assert "check" not in world.store.calls


def test_each_change_is_one_pass(world: World, index: Index) -> None:
    """Photos added, changed, and deleted are each brought in by a single pass."""
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"
    world.write("cat.jpg", "another cat", 2000)
    assert sync(index) is None
    assert world.shown()["cat.jpg"] == "another cat"
    (world.folder.path / "cat.jpg").unlink()
    assert sync(index) is None
    assert {*world.shown()} == {"new.jpg", "trips/dog.jpg"}
    plain = Pass(frozenset(), reopen=False, reexport=False)
    assert world.passes == [plain] * 3
    assert "check" not in world.store.calls


def test_an_older_photo_is_noticed(world: World, index: Index) -> None:
    """One replaced by an older one is left out of a pass, and then new to the next."""
    world.write("cat.jpg", "an older cat", 500)
    assert sync(index) is None
    assert world.shown() == {
        "cat.jpg": "an older cat",
        "trips/dog.jpg": "a dog",
    }
    assert world.passes == [
        Pass(frozenset({"cat.jpg"}), reopen=True, reexport=False),
        Pass(frozenset(), reopen=True, reexport=False),
    ]


def test_photos_that_change_places_are_noticed(
    world: World, index: Index
) -> None:
    """Photos of one time and two sizes that swap names are found as what they show."""
    world.write("cat.jpg", "a dog, no cat", 1000)
    world.write("trips/dog.jpg", "a cat, no dog at all", 1000)
    assert sync(index) is None
    assert world.shown() == {
        "cat.jpg": "a dog, no cat",
        "trips/dog.jpg": "a cat, no dog at all",
    }


@pytest.mark.usefixtures("index")
def test_an_older_photo_is_noticed_after_a_start(world: World) -> None:
    """What the folder held is remembered on the disk, so that a start sees the difference."""
    world.write("cat.jpg", "an older cat", 500)
    assert sync(world.index()) is None
    assert world.shown()["cat.jpg"] == "an older cat"
    assert sync(world.index()) is None
    assert len(world.passes) == 1  # which says that it has all


def test_a_crash_between_the_two_passes_loses_nothing(
    world: World, index: Index
) -> None:
    """Stopped while the older photo is left out, the next start brings it in."""
    world.write("cat.jpg", "an older cat", 500)
    world.cocoindex.failures = [
        RuntimeError("left out"),
        RuntimeError("stopped"),
    ]
    assert sync(index) == "left out"
    assert sync(index) == "stopped"
    assert sync(world.index()) is None
    assert world.shown()["cat.jpg"] == "an older cat"


def test_what_is_skipped_is_not_shown(
    world: World, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    """What CocoIndex would hang at is excluded, named in the log once, and let in again."""
    pipe = world.folder.path / "pipe.jpg"
    os.mkfifo(pipe)
    world.write("new.jpg", "new")
    assert sync(index) is None
    world.write("newer.jpg", "newer")
    assert sync(index) is None
    assert world.passes == [
        Pass(frozenset({"pipe.jpg"}), reopen=True, reexport=False),
        Pass(frozenset({"pipe.jpg"}), reopen=False, reexport=False),
    ]
    assert index.progress.skipped == {"pipe.jpg": "it is not a regular file"}
    said = "pipe.jpg is skipped: it is not a regular file."
    assert caplog.messages.count(said) == 1
    pipe.unlink()
    world.write("pipe.jpg", "a photo now")
    assert sync(index) is None
    assert world.shown()["pipe.jpg"] == "a photo now"


@pytest.mark.parametrize("how", ["gone", "empty", "a file"])
def test_a_folder_that_vanishes_takes_nothing_along(
    world: World, index: Index, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder gone or without photos is an error, said once, that keeps the index as it is."""
    path = world.folder.path
    away = path.rename(path.with_name("away"))
    if how == "empty":
        path.mkdir()
    if how == "a file":
        path.write_text("no folder")
    before = world.shown()
    for _ in range(3):
        assert "has no photos any more" in (sync(index) or "")
    assert world.shown() == before
    assert world.passes == []
    assert caplog.text.count("has no photos any more") == 1
    if how == "empty":
        path.rmdir()
    if how == "a file":
        path.unlink()
    away.rename(path)
    world.write("new.jpg", "new")
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"


@pytest.mark.usefixtures("index")
def test_a_folder_that_is_not_there_at_the_start(world: World) -> None:
    """Started without its folder the index is kept as well, and is not taken to be ready."""
    away = world.folder.path.rename(world.folder.path.with_name("away"))
    index = world.index()
    assert "has no photos any more" in (sync(index) or "")
    assert len(world.shown()) == 2
    assert not index.progress.is_ready
    away.rename(world.folder.path)
    assert sync(index) is None


def test_a_new_folder_may_be_empty(settings: Settings) -> None:
    """An empty folder of which nothing is indexed is no error; one that is not there is."""
    folder, store = PhotoFolder(folder_of(settings)), MemoryStore()
    index = make_index(folder, store, FakeCocoIndex(folder, store), settings)
    assert sync(index) is None
    assert index.progress.is_ready
    folder_of(settings).path.rmdir()
    assert "can't be opened" in (sync(index) or "")


def test_lost_points_are_written_again(world: World, index: Index) -> None:
    """Points that went behind CocoIndex's back come back in one pass; the store is checked."""
    world.store.points.clear()
    assert sync(index) is None
    assert world.passes == [Pass(frozenset(), reopen=False, reexport=True)]
    assert len(world.shown()) == 2
    assert world.store.calls.count("check") == 1
    assert sync(index) is None
    assert len(world.passes) == 1


@pytest.mark.usefixtures("index")
def test_points_lost_before_the_start_are_written_again(world: World) -> None:
    """A store emptied while the app rested is filled by the first sync."""
    world.store.points.clear()
    assert sync(world.index()) is None
    assert len(world.shown()) == 2
    assert [one.reexport for one in world.passes] == [False, True]


def test_a_lost_collection_is_mended(world: World, index: Index) -> None:
    """A collection that is gone is made by a check, and filled again."""
    world.store.is_missing = True
    world.store.points.clear()
    assert sync(index) is None
    assert world.store.calls.count("check") == 1
    assert len(world.shown()) == 2


def test_a_collection_of_somebody_elses_is_said(
    world: World, index: Index
) -> None:
    """Where somebody else took the place of a lost collection no pass runs until it is gone."""
    assert sync(index) is None
    world.passes.clear()
    world.store.is_missing = world.store.is_shared = True
    world.store.points.clear()
    world.write("new.jpg", "new")
    assert sync(index) == "The collection is somebody else's."
    assert world.passes == []
    world.store.is_shared = False
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"


def test_what_does_not_arrive_is_said(world: World, index: Index) -> None:
    """A photo that no pass brings into the store keeps the status from "ready"."""
    world.cocoindex.loses = {"new.jpg"}
    world.write("new.jpg", "new")
    assert sync(index) == "2 of 3 photos are in the index."
    assert [one.reexport for one in world.passes] == [False, True]
    world.cocoindex.loses = set()
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"


def test_a_folder_that_changes_meanwhile_is_no_error(
    world: World, index: Index
) -> None:
    """Photos that come while a pass runs wait for the next one."""

    async def update(folder: Place, *, reopen: bool, reexport: bool) -> None:
        world.write(f"late {len(world.passes)}.jpg", "late")
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)

    index.passes.update = update
    world.write("new.jpg", "new")
    assert sync(index) is None
    assert len(world.passes) == 1
    index.passes.update = world.cocoindex
    assert sync(index) is None
    assert {*world.shown()} == {
        "cat.jpg",
        "trips/dog.jpg",
        "new.jpg",
        "late 0.jpg",
    }


def test_a_store_that_is_away_is_waited_for(world: World, index: Index) -> None:
    """Without its store no pass runs; once it answers, what came meanwhile is indexed."""
    world.store.failure = StoreUnavailable(
        "The vector store cannot answer just now: X."
    )
    world.write("new.jpg", "new")
    assert sync(index) == "The vector store cannot answer just now: X."
    assert world.passes == []
    world.store.failure = None
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"


def test_an_odd_store_stops_nothing(
    world: World, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that is none of the store's own, at whatever step, is said; the next sync goes on."""
    world.store.failure = RuntimeError("odd")
    world.write("new.jpg", "new")
    assert sync(index) == "odd"
    assert "The status can't be told: odd" in caplog.messages
    world.store.failure = None
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"


def test_the_last_change_is_told(world: World) -> None:
    """A pass that brought something in is a change; a look that found nothing new is none."""
    index = world.index()
    assert index.progress.last_change is None
    assert sync(index) is None
    first = index.progress.last_change
    assert first is not None
    assert sync(index) is None
    assert index.progress.last_change == first
    world.write("cat.jpg", "an older cat", 500)
    assert sync(index) is None
    assert index.progress.last_change > first


def test_an_error_is_told_once_and_without_the_password(
    world: World, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    """CocoIndex's errors come into the status as one line, and into the log once."""
    error = RuntimeError(
        "postgres://me:sesame@host/db:\n no\nStack backtrace: 1: x"
    )
    world.cocoindex.failures = [error] * 3
    world.write("new.jpg", "new")
    for _ in range(3):
        assert sync(index) == "COCOINDEX_DATABASE_URL: no"
    said = "Indexing waits: COCOINDEX_DATABASE_URL: no"
    assert caplog.messages == [said]
    assert sync(index) is None
    assert world.shown()["new.jpg"] == "new"


def test_photos_given_up_are_tried_at_the_next_start(
    world: World, index: Index
) -> None:
    """One that crashed its decoder is tried once by each start; one that is broken is not."""
    for name, error in (
        ("cat.jpg", "it crashed the decoder three times"),
        ("trips/dog.jpg", "it is truncated"),
    ):
        world.store.put(name, error=error)
    assert sync(index) is None
    assert world.passes == []
    index = world.index()
    assert sync(index) is None
    assert [{*(one.excluded or ())} for one in world.passes] == [
        {"cat.jpg"},
        set(),
    ]
    assert world.shown()["cat.jpg"] == "a cat"
    assert sync(index) is None
    assert len(world.passes) == 2


def test_passes_are_logged_by_their_result(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each sync that changed something, and none for others."""
    index = world.index()
    os.mkfifo(world.folder.path / "pipe.jpg")
    with caplog.at_level("INFO", "uvicorn.image_search"):
        for _ in range(3):
            sync(index)
    told = [message for message in caplog.messages if "indexed" in message]
    assert told == ["2 photos are indexed, 1 are skipped."]


def test_skipped_photos_are_tried_again_when_asked(
    world: World, index: Index
) -> None:
    """What was skipped is looked at again once, when somebody asks for it."""
    world.store.put("cat.jpg", error="it crashed the decoder, three times")
    assert sync(index) is None
    assert world.passes == []
    index.retries_skipped = True
    assert sync(index) is None
    assert world.shown()["cat.jpg"] == "a cat"
    assert world.passes[0].excluded == frozenset({"cat.jpg"})
    assert len(world.passes) == 2
    assert not index.retries_skipped


def test_they_are_tried_again_until_a_pass_is_whole(
    world: World, index: Index
) -> None:
    """A pass that fails leaves the wish open."""
    world.store.put("cat.jpg", error="it crashed the decoder, three times")
    index.retries_skipped = True
    world.cocoindex.failures = [RuntimeError("no Postgres")]
    assert sync(index) == "no Postgres"
    assert sync(index) is None
    assert world.shown()["cat.jpg"] == "a cat"


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("version", ["Pillow 1", "Pillow 2"])
def test_a_new_version_tries_skipped_photos_again(
    world: World, version: str
) -> None:
    """At the first start with another version of what reads photos, and at no other."""
    world.store.put("cat.jpg", error="it is no image of a known format")
    world.reader.readers = version
    for _ in range(2):
        index = world.index()
        assert sync(index) is None
    passes = 1  # of the second start, as of any
    assert len(world.passes) == passes
    error = world.store.points["cat.jpg"][0]["error"]
    assert (error is None) == (version == "Pillow 2")


def test_what_keeps_photos_waiting_is_said(world: World, index: Index) -> None:
    """Photos that don't come in are not only counted: the reason is named."""
    world.cocoindex.loses = {"new.jpg"}
    world.write("new.jpg", "new", 2000)
    world.reader.trouble = "A worker ends before it is ready."
    said = "2 of 3 photos are in the index. A worker ends before it is ready."
    assert sync(index) == said


def test_the_record_is_replaced_whole(world: World, index: Index) -> None:
    """What the folder held is never rewritten in place: a crash leaves the old or the new."""
    old = world.settings.data_dir / "the old one"
    old.hardlink_to(index.record_file)
    before = old.read_text()
    world.write("new.jpg", "new", 2000)
    assert sync(index) is None
    assert old.read_text() == before
    recorded = json.loads(index.record_file.read_text())["photos"]
    assert recorded == json.loads(before)["photos"] | {"new.jpg": [2000, 3]}
    assert {*world.settings.data_dir.iterdir()} == {old, index.record_file}


def test_a_record_that_cannot_be_written_stays_as_it_was(
    world: World, index: Index
) -> None:
    """Where the new record can't be written, the old one is kept, and the error is said."""
    before = index.record_file.read_text()
    in_the_way = index.record_file.with_suffix(f".{os.getpid()}")
    in_the_way.mkdir()
    world.write("new.jpg", "new")
    assert "Is a directory" in (sync(index) or "")
    assert index.record_file.read_text() == before
    in_the_way.rmdir()
    assert sync(index) is None
    assert "new.jpg" in index.record_file.read_text()


@pytest.mark.parametrize(
    "content",
    [b"", b"{broken", b'{"cat.jpg": []}', b"[1, 2]", b"\xff", b"null", None],
)
def test_a_damaged_record_is_none(
    world: World, index: Index, content: bytes | None
) -> None:
    """Whatever lies in the record's place, or nothing, the folder is indexed all the same."""
    if content is None:
        index.record_file.unlink()
    else:
        index.record_file.write_bytes(content)
    world.write("new.jpg", "new", 2000)
    again = world.index()
    assert sync(again) is None
    assert world.shown()["new.jpg"] == "new"
    recorded = json.loads(again.record_file.read_text())["photos"]
    assert {*recorded} == {*world.shown()}


def test_each_collection_has_its_record(
    world: World, settings: Settings
) -> None:
    """Two collections in one DATA_DIR keep their records apart."""
    other = settings.model_copy(update={"qdrant_collection": "other"})
    index = world.index()
    also = make_index(world.folder, world.store, world.cocoindex, other)
    assert index.record_file != also.record_file


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    server = QdrantStandIn()
    yield server
    server.stop()


def test_an_idle_sync_asks_a_server_little(
    settings: Settings, server: QdrantStandIn
) -> None:
    """Without changes a sync counts, and lists the skipped; it checks no collection."""
    store = ServerStore(server.url, None, "photos", 4)
    store.check()
    (folder_of(settings).path / "cat.jpg").write_text("a cat")

    async def update(folder: Place, *, reopen: bool, reexport: bool) -> None:
        vector: Any = {"embedding": [1.0, 0.0, 0.0, 0.0]}
        id = str(id_of("cat.jpg"))
        point = models.PointStruct(
            id=id, vector=vector, payload=payload_of("cat.jpg")
        )
        with server.turn:
            server.qdrant.upsert("photos", [point])

    index = make_index(
        PhotoFolder(folder_of(settings)), store, update, settings
    )
    assert sync(index) is None
    server.calls.clear()
    assert sync(index) is None
    assert set(server.calls) <= {"count_points", "query_points"}
    assert len(server.calls) <= 5
    store.close()


def leave_out(world: World, *patterns: str) -> Index:
    """The index after a start with these patterns of EXCLUDE."""
    world.folder.exclusions = PhotoFolder(
        world.folder.address, exclude=patterns
    ).exclusions
    return world.index()


@pytest.mark.usefixtures("index")
def test_what_is_left_out_leaves_the_index(world: World) -> None:
    """By a setting at the next start, by a file at the next sync; and comes back without it."""
    index = leave_out(world, "cat.jpg")
    assert sync(index) is None
    assert {*world.shown()} == {"trips/dog.jpg"}
    world.write("new.jpg", "new")
    world.write("trips/.nomedia", "")
    assert sync(index) is None
    assert {*world.shown()} == {"new.jpg"}
    assert world.passes[-1].excluded == frozenset({"cat.jpg", "trips"})
    assert index.progress.skipped == {}
    assert index.progress.left_out == 2
    (world.folder.path / "trips" / ".nomedia").unlink()
    assert sync(index) is None
    assert {*world.shown()} == {"new.jpg", "trips/dog.jpg"}


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("how", ["EXCLUDE", ".ignore", ".nomedia"])
def test_all_may_be_left_out(world: World, how: str) -> None:
    """A rule that leaves out every photo empties the index, and the status says why it is empty."""
    index = leave_out(world, *(["*"] if how == "EXCLUDE" else []))
    if how != "EXCLUDE":
        world.write(how, "*")
    for _ in range(2):
        assert sync(index) is None
        assert world.shown() == {}
        [notice] = index.progress.notices
        assert "no photos but what is left out (cat.jpg, trips)" in notice


@pytest.mark.usefixtures("index")
def test_a_folder_that_vanishes_is_not_left_out(world: World) -> None:
    """What is left out of a folder that is away, or by default, empties no index."""
    before = world.shown()
    away = world.folder.path.rename(world.folder.path.with_name("away"))
    for name in ("lost+found", "private", "@eaDir"):
        (world.folder.path / name).mkdir(parents=True)
    index = leave_out(world, "private")
    assert "has no photos any more" in (sync(index) or "")
    assert world.shown() == before
    for name in ("lost+found", "private", "@eaDir"):
        (world.folder.path / name).rmdir()
    world.folder.path.rmdir()
    away.rename(world.folder.path)
    assert sync(index) is None
    assert world.shown() == before


def test_a_raw_gives_way_to_its_jpeg(world: World, index: Index) -> None:
    """It is in the index while it stands alone, and is counted beside its JPEG."""
    world.write("DSC_1.NEF", "raw")
    assert sync(index) is None
    assert "DSC_1.NEF" in world.shown()
    world.write("DSC_1.jpg", "developed")
    assert sync(index) is None
    assert "DSC_1.NEF" not in world.shown()
    assert world.shown()["DSC_1.jpg"] == "developed"
    assert (index.progress.raw_beside, index.progress.skipped) == (1, {})
    (world.folder.path / "DSC_1.jpg").unlink()
    assert sync(index) is None
    assert "DSC_1.NEF" in world.shown()
    assert index.progress.raw_beside == 0


def test_what_is_left_out_meanwhile_is_no_error(
    world: World, index: Index
) -> None:
    """A rule that comes while a pass runs waits for the next one."""

    async def update(folder: Place, *, reopen: bool, reexport: bool) -> None:
        await world.cocoindex(folder, reopen=reopen, reexport=reexport)
        world.store.put("@eaDir/a.jpg")  # listed while it was being made
        world.write("@eaDir/a.jpg", "a thumbnail")

    index.passes.update = update
    world.write("new.jpg", "new")
    assert sync(index) is None
    assert len(world.passes) == 1


# --- Several places -------------------------------------------------------------------


def world_of(tmp_path: Path, name: str, store: MemoryStore) -> World:
    """A place of this name with two photos, whose points lie in a store with others."""
    address = Address(tmp_path / name, name)
    (tmp_path / "data").mkdir(exist_ok=True)
    settings = Settings(image_dir=(address,), data_dir=tmp_path / "data")
    folder = PhotoFolder(address)
    world = World(folder, store, FakeCocoIndex(folder, store), settings)
    world.write(f"{name}/a.jpg", f"an a of {name}", 1000)
    world.write(f"{name}/deep/b.jpg", f"a b of {name}", 1000)
    return world


@pytest.fixture
def family(tmp_path: Path) -> World:
    return world_of(tmp_path, "family", MemoryStore())


@pytest.fixture
def work(tmp_path: Path, family: World) -> World:
    return world_of(tmp_path, "work", family.store)


def test_each_place_follows_its_own_photos(family: World, work: World) -> None:
    """One after the other they come, change and go, in a pass of their place alone."""
    here, there = family.index(), work.index()
    assert (sync(here), sync(there)) == (None, None)
    assert {*family.shown()} == {
        "family/a.jpg",
        "family/deep/b.jpg",
        "work/a.jpg",
        "work/deep/b.jpg",
    }
    for world in (family, work):
        world.passes.clear()
    work.write("work/a.jpg", "another a", 2000)
    family.file_of("family/deep/b.jpg").unlink()
    assert (sync(here), sync(there)) == (None, None)
    assert work.shown()["work/a.jpg"] == "another a"
    assert "family/deep/b.jpg" not in family.shown()
    assert (sync(here), sync(there)) == (None, None)
    assert [len(family.passes), len(work.passes)] == [1, 1]


def test_what_one_place_lost_is_none_of_anothers(
    family: World, work: World
) -> None:
    """Points that are gone come back by their own place, which alone has a pass."""
    here, there = family.index(), work.index()
    assert (sync(here), sync(there)) == (None, None)
    del family.store.points["work/a.jpg"]
    for world in (family, work):
        world.passes.clear()
    assert (sync(here), sync(there)) == (None, None)
    assert family.passes == []
    assert work.shown()["work/a.jpg"] == "an a of work"


def test_a_place_that_is_away_keeps_its_photos_and_holds_up_no_other(
    family: World, work: World
) -> None:
    """It is named; the other one goes on; and once it is back all is well."""
    here, there = family.index(), work.index()
    assert (sync(here), sync(there)) == (None, None)
    away = family.folder.path.with_name("away")
    family.folder.path.rename(away)
    work.write("work/new.jpg", "new", 2000)
    error = sync(here) or ""
    assert f"IMAGE_DIR=family={family.folder.path} can't be opened" in error
    assert sync(there) is None
    assert {"family/a.jpg", "work/new.jpg"} <= {*family.shown()}
    away.rename(family.folder.path)
    assert sync(here) is None


def test_a_part_of_a_place_that_is_away_is_kept(
    family: World,
) -> None:
    """A disk below it that is not mounted keeps its photos, under their names."""
    disk = family.folder.path / "deep"
    mounted = ["/", str(disk)]
    family.folder.mount_points = lambda: mounted
    index = family.index()
    assert sync(index) is None
    assert index.record.disks == {"family/deep"}
    mounted.remove(str(disk))
    (disk / "b.jpg").unlink()
    family.write("family/a.jpg", "another a", 2000)
    assert sync(index) is None
    assert family.shown() == {
        "family/a.jpg": "another a",
        "family/deep/b.jpg": "a b of family",
    }
    assert index.progress.notices == [
        "family/deep is not there: its photo is kept in the index."
    ]


def test_a_place_is_known_before_its_first_photo_is(family: World) -> None:
    """Even if its first pass is broken off, it can leave the index later."""
    family.cocoindex.failures.append(OSError("the power went"))
    index = family.index()
    assert sync(index) == "the power went"
    assert Record.load(index.record_file).place == "family"


def test_the_file_of_a_place_is_its_own(family: World, work: World) -> None:
    """What is known beyond a restart lies apart for each place."""
    here, there = family.index(), work.index()
    assert (sync(here), sync(there)) == (None, None)
    assert here.record_file != there.record_file
    assert {*Record.load(here.record_file).photos} == {
        "family/a.jpg",
        "family/deep/b.jpg",
    }
