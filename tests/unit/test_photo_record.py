"""What is known of one photo is told, and so is why nothing is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from image_search import photo_record
from image_search.place_files import PlaceFiles
from image_search.reasons import PhotoError
from image_search.search_errors import NotIndexedYet, UnknownPhoto
from image_search.status import Equipment, StatusBoard
from image_search.store_errors import StoreUnavailable
from image_search.text_model import TextModel
from image_search.text_status import WordsBoard
from tests.unit.memory_store import MemoryStore
from tests.unit.photo_folder import CAT, photo_files

EQUIPMENT = Equipment(model="", device="", precision="", store="")


class World:
    """A folder with cat.png, an index, and who asks for records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.board = StatusBoard(self.store, EQUIPMENT)
        self.board.progress_of().is_ready = True
        app = FastAPI()
        app.include_router(photo_record.router)
        app.state.status_board = self.board
        files = PlaceFiles([photo_files(folder)])
        app.state.thumbnails = SimpleNamespace(files=files)
        self.client = TestClient(app)

    def get(self, name: str) -> Any:
        answer = self.client.get(f"/photo/{name}")
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture
def world(folder: Path) -> World:
    return World(folder)


def test_a_record_is_the_hit_and_its_file(world: World) -> None:
    """All that a search tells, without a score, and how large the file is."""
    details = {"camera": "PENTAX K100D", "iso": 200}
    world.store.put("cat.png", details=details, taken_from="exif")
    told = world.get("cat.png")
    assert told["filename"] == "cat.png"
    assert told["details"] == details
    assert (told["score"], told["in_browsers"]) == (None, True)
    assert told["file_bytes"] == CAT.stat().st_size


def test_a_record_tells_no_place_of_the_machine(world: World) -> None:
    """Where the image folder lies is nothing that whoever asks is told."""
    world.store.put("cat.png")
    assert str(world.folder) not in str(world.get("cat.png"))


def test_a_record_tells_what_is_written(world: World) -> None:
    """Each line and where it is; null until somebody has read it, and where OCR=off."""
    read = {"text_confidences": [0.9, 0.8], "text_read": 1}
    read |= {"text_boxes": [8 * [0.5], 8 * [0.25]], "text": "EXIT\nONLY"}
    world.store.put("cat.png", **read)
    assert world.get("cat.png")["text"] is None
    world.board.words = WordsBoard.of(TextModel(), reads=True)
    assert world.get("cat.png")["text"] == [
        {"text": "EXIT", "box": 8 * [0.5], "confidence": 0.9},
        {"text": "ONLY", "box": 8 * [0.25], "confidence": 0.8},
    ]
    world.store.put("cat.png", text="", text_read=1)
    assert world.get("cat.png")["text"] == []
    world.store.put("cat.png")
    assert world.get("cat.png")["text"] is None


def test_a_file_that_is_away_leaves_the_record(world: World) -> None:
    """The index decides what is deleted: a disk may only be away for a moment."""
    world.store.put("trips/away.png")
    assert world.get("trips/away.png")["file_bytes"] is None


@pytest.mark.parametrize("name", ["no.png", "new.png", "../main.py"])
@pytest.mark.parametrize("is_ready", [True, False])
def test_what_is_not_in_the_index_is_unknown(
    world: World, name: str, *, is_ready: bool
) -> None:
    """A file that waits to be indexed is not said to be unknown; all else is, at once."""
    (world.folder / "new.png").write_bytes(CAT.read_bytes())
    world.board.progress_of().is_ready = is_ready
    waits = name == "new.png" and not is_ready
    with pytest.raises(NotIndexedYet if waits else UnknownPhoto):
        world.get(name.replace("/", "%2F"))


def test_a_photo_that_was_skipped_says_why(world: World) -> None:
    """Whether the index knows the reason, or the folder."""
    world.store.put("broken.png", error="it is cut off")
    world.board.progress_of().skipped = {"pipe.png": "it is no regular file"}
    for name, why in (("broken", "cut off"), ("pipe", "no regular file")):
        with pytest.raises(PhotoError, match=why):
            world.get(f"{name}.png")


def test_a_store_that_is_away_is_said(world: World) -> None:
    """That nothing can be asked is never taken for nothing there."""
    world.store.failure = StoreUnavailable("The vector store cannot answer.")
    with pytest.raises(StoreUnavailable):
        world.get("cat.png")
