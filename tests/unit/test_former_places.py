"""A place that IMAGE_DIR names no more leaves the index, and nothing else does."""

import logging
from pathlib import Path

import pytest

from image_search.addresses import Address
from image_search.former_places import forget_former_places, former_places
from image_search.record import Record, record_file
from image_search.settings import Settings
from tests.unit.memory_store import MemoryStore


def settings_of(tmp_path: Path, image_dir: str) -> Settings:
    data_dir = tmp_path / "data"
    return Settings(image_dir=image_dir, data_dir=data_dir)


def write_record(settings: Settings, place: str) -> Path:
    """What the index of a place leaves in DATA_DIR."""
    file = record_file(settings, Address(Path("/x"), place))
    Record(place=place).save(file)
    return file


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for name in ("a.jpg", "family/b.jpg", "my work/c.jpg"):
        store.put(name)
    return store


def test_a_place_leaves(
    tmp_path: Path, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Its photos go with its record, and the log says so; those of others stay."""
    caplog.set_level(logging.INFO)
    settings = settings_of(tmp_path, "family=/x:new=/y")
    kept = write_record(settings, "family")
    gone = write_record(settings, "my work")
    forget_former_places(settings, store, ["my work"])
    assert {*store.points} == {"a.jpg", "family/b.jpg"}
    assert kept.exists()
    assert not gone.exists()
    assert "IMAGE_DIR names my work no more: 1 photos leave." in caplog.text


def test_a_single_folder_leaves_for_places_with_names(
    tmp_path: Path, store: MemoryStore
) -> None:
    """What it had in the index goes, but for what lies in a place of today."""
    settings = settings_of(tmp_path, "family=/x:my work=/y")
    gone = write_record(settings, "")
    forget_former_places(settings, store, [""])
    assert {*store.points} == {"family/b.jpg", "my work/c.jpg"}
    assert not gone.exists()


def test_other_collections_are_left_alone(
    tmp_path: Path, store: MemoryStore
) -> None:
    """Records of another collection in the same DATA_DIR, and damaged ones, stay."""
    settings = settings_of(tmp_path, "family=/x")
    other = settings.model_copy(update={"qdrant_collection": "image_search_2"})
    theirs = write_record(other, "my work")
    damaged = settings.data_dir / "indexed-image_search-x.json"
    damaged.write_text("{")
    forget_former_places(settings, store, ["my work"])
    assert len(store.points) == 3
    assert theirs.exists()
    assert damaged.exists()


def test_what_others_index_by_now_is_theirs(
    tmp_path: Path, store: MemoryStore
) -> None:
    """A place that another process took over keeps its photos, and so does any of others."""
    settings = settings_of(tmp_path, "family=/x")
    taken_over = write_record(settings, "my work")
    single = write_record(settings, "")
    assert {*former_places(settings)} == {"my work", ""}
    forget_former_places(settings, store, [""], ["my work"])
    assert {*store.points} == {"family/b.jpg", "my work/c.jpg"}
    assert not taken_over.exists()
    assert not single.exists()
