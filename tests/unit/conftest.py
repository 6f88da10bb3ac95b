"""Fixtures that several rooms' tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_search.settings import Settings
from image_search.sources import PhotoFolder
from tests.qdrant_standin import QdrantStandIn
from tests.unit.folder_world import FakeCocoIndex, World, folder_of
from tests.unit.memory_store import MemoryStore
from tests.unit.photo_folder import make_folder


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    """What stands in for a Qdrant server, for one test."""
    server = QdrantStandIn()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photos and other things, beside what is none of its business."""
    return make_folder(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty folder for photos."""
    path = tmp_path / "img"
    path.mkdir()
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("img", "data"):
        (tmp_path / name).mkdir()
    return Settings(
        image_dir=tmp_path / "img",
        data_dir=tmp_path / "data",
        refresh_seconds=3600,
        cocoindex_database_url="postgres://me:sesame@host/db",
    )


@pytest.fixture
def world(settings: Settings) -> World:
    """A folder with two photos, looked at by nobody yet."""
    folder, store = PhotoFolder(folder_of(settings)), MemoryStore()
    world = World(folder, store, FakeCocoIndex(folder, store), settings)
    world.write("cat.jpg", "a cat", 1000)
    world.write("trips/dog.jpg", "a dog", 1000)
    return world
