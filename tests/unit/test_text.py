"""Words follow: each photo is read once, wherever it goes, and what fails stops no other."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from image_search.cache import EmbeddingCache
from image_search.embedding import Embedder
from image_search.place_files import PlaceFiles
from image_search.pulse import Pulse
from image_search.reasons import PhotoError
from image_search.status import Equipment, StatusBoard
from image_search.status_fields import Status
from image_search.store_errors import StoreUnavailable
from image_search.text import TextQueue
from image_search.text_lines import TextLine
from image_search.text_model import TextModel
from image_search.text_reader import Glance, TextReading
from image_search.text_status import WordsBoard
from image_search.text_worker import CannotRead, TextWorker
from image_search.thumbnails import ThumbnailCache, version_of
from tests.harness import eventually
from tests.unit.memory_store import MemoryStore
from tests.unit.photo_folder import photo_files

EQUIPMENT = Equipment(model="", device="", precision="", store="")
BOX = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0)
SOMEWHERE = Glance((0.0, 0.0, 1.0, 1.0), 1024)


class FakeReader:
    """Reads files of text; counts what it reads, and fails where it is told to."""

    def __init__(self, model: TextModel) -> None:
        self.model = model
        self.read_photos: list[str] = []
        self.failures: dict[str, Exception] = {}
        self.rests = 0
        self.is_closed = False

    async def find(self, small: bytes) -> Glance | None:
        if b"damaged" in small:
            raise OSError("broken data stream")
        return SOMEWHERE if small else None

    async def read(self, photo: Path, glance: Glance | None) -> TextReading:
        content = photo.read_bytes()
        self.read_photos.append(photo.name)
        if photo.name in self.failures:
            raise self.failures[photo.name]
        digest = hashlib.sha256(content).hexdigest()
        return TextReading(digest, [TextLine(content.decode(), BOX, 0.9)])

    def rest(self) -> None:
        self.rests += 1

    def close(self) -> None:
        self.is_closed = True


class World:
    """A folder with photos that are indexed, and what was read of them."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data
        self.store = MemoryStore()
        self.board = StatusBoard(self.store, EQUIPMENT)
        self.thumbnails = ThumbnailCache(data / "thumbs")
        self.pulse = Pulse()
        self.reader = FakeReader(TextModel())
        self.board.progress_of().is_ready = True

    def add(self, name: str, text: str, **facts: Any) -> str:
        """Put a photo into the folder, and into the index; returns its digest."""
        path = self.folder / name
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.store.put(name, sha256=digest, **facts)
        return digest

    def text_of(self, name: str) -> str | None:
        text: str | None = self.store.points[name][0].get("text")
        return text

    def status(self) -> Status:
        return asyncio.run(self.board.refresh())

    def go_on_until(self, condition: Callable[[], Any]) -> None:
        """Have a queue of a new process read until something is so."""
        file = self.data / "vectors.sqlite"
        cache = EmbeddingCache(file, lambda: "model")
        embedder = SimpleNamespace(
            cache=cache, thumbnails=self.thumbnails, pulse=self.pulse
        )
        self.board.words = WordsBoard.of(self.reader.model, reads=True)
        queue = TextQueue(
            self.store,
            cast("Embedder", embedder),
            PlaceFiles([photo_files(self.folder)]),
            self.board,
            cast("TextWorker", self.reader),
        )

        async def scenario() -> None:
            running = asyncio.create_task(queue.run())
            try:
                await asyncio.to_thread(eventually, condition, 30)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(scenario())
        cache.close()

    def read_all(self) -> None:
        self.go_on_until(self.has_read_all)

    def has_read_all(self) -> bool:
        payloads = [payload for payload, _ in self.store.points.values()]
        return all("text" in one for one in payloads if not one["error"])


@pytest.fixture
def world(path: Path, tmp_path: Path) -> World:
    return World(path, tmp_path / "data")


def test_photos_are_read_and_their_points_say_so(world: World) -> None:
    """Text, corners, confidences and version; who can't be read is left alone."""
    world.add("sign.jpg", "EXIT ONLY")
    world.store.put("broken.jpg", error="it is cut off")
    world.read_all()
    payload = world.store.points["sign.jpg"][0]
    assert payload["text"] == "EXIT ONLY"
    assert payload["text_boxes"] == [[*BOX]]
    assert payload["text_confidences"] == [0.9]
    assert payload["text_read"] == TextModel().version
    assert world.text_of("broken.jpg") is None
    words = world.status().words
    assert words is not None
    assert (words.read, words.photos, words.trouble) == (1, 1, "")
    assert world.reader.is_closed


def test_nothing_is_read_twice(world: World) -> None:
    """Not after a restart, nor what was moved or copied, nor what was exported anew."""
    digest = world.add("sign.jpg", "EXIT ONLY")
    world.read_all()
    world.read_all()
    (world.folder / "sign.jpg").rename(world.folder / "moved.jpg")
    del world.store.points["sign.jpg"]
    for name in ("moved.jpg", "copy.jpg"):
        world.store.put(name, sha256=digest)
    world.read_all()
    assert world.text_of("copy.jpg") == "EXIT ONLY"
    assert world.reader.read_photos == ["sign.jpg"]


def test_the_newest_photos_are_read_first(world: World) -> None:
    """A screenshot of today before those of years ago."""
    for year in (2021, 2025, 2023):
        taken = f"{year}-02-02T00:00:00"
        world.add(f"{year}.jpg", f"a sign of {year}", taken=taken)
    world.read_all()
    assert world.reader.read_photos == ["2025.jpg", "2023.jpg", "2021.jpg"]


def test_another_model_reads_all_again(world: World) -> None:
    """What was read in one language is not what another one reads."""
    world.add("sign.jpg", "EXIT ONLY")
    world.read_all()
    world.reader.model = TextModel(("en",))
    version = world.reader.model.version
    world.go_on_until(
        lambda: world.store.points["sign.jpg"][0]["text_read"] == version
    )
    assert world.reader.read_photos == 2 * ["sign.jpg"]


def test_a_small_copy_without_text_is_enough(world: World) -> None:
    """Then the photo itself is not opened; a damaged copy tells nothing."""
    plain = world.add("tree.jpg", "a tree")
    sign = world.add("sign.jpg", "EXIT ONLY")
    odd = world.add("odd.jpg", "NO ENTRY")
    world.thumbnails.put(version_of(plain), 512, b"")
    world.thumbnails.put(version_of(sign), 512, b"letters")
    world.thumbnails.put(version_of(odd), 512, b"damaged")
    world.read_all()
    assert {*world.reader.read_photos} == {"sign.jpg", "odd.jpg"}
    assert world.text_of("tree.jpg") == ""


def test_a_photo_that_fails_stops_no_other(world: World) -> None:
    """It counts as read, without text, and is not tried again by this version."""
    world.add("bad.jpg", "?")
    world.add("sign.jpg", "EXIT ONLY")
    world.reader.failures["bad.jpg"] = PhotoError("it crashed the reader")
    world.read_all()
    assert (world.text_of("bad.jpg"), world.text_of("sign.jpg")) == (
        "",
        "EXIT ONLY",
    )
    for payload, _ in world.store.points.values():
        del payload["text"], payload["text_read"]  # as by another export
    world.read_all()
    assert sorted(world.reader.read_photos) == ["bad.jpg", "sign.jpg"]


def test_what_has_changed_or_is_away_waits(world: World) -> None:
    """A text never goes to a photo that it is not on; others are read meanwhile."""
    world.add("changed.jpg", "before")
    world.add("away.jpg", "away")
    world.add("sign.jpg", "EXIT ONLY", taken="2001-01-01T00:00:00")
    (world.folder / "changed.jpg").write_text("after")
    (world.folder / "away.jpg").unlink()
    world.go_on_until(lambda: world.text_of("sign.jpg"))
    assert world.text_of("changed.jpg") is None
    assert world.text_of("away.jpg") is None


def test_a_point_that_changes_meanwhile_keeps_out_of_it(world: World) -> None:
    """What was read is written to points of the same content alone."""
    world.add("sign.jpg", "before")

    class SlowReader(FakeReader):
        async def read(self, photo: Path, glance: Glance | None) -> TextReading:
            reading = await super().read(photo, glance)
            if len(self.read_photos) == 1:
                world.add("sign.jpg", "after")  # the index was quicker
            return reading

    world.reader = SlowReader(TextModel())
    world.go_on_until(lambda: world.text_of("sign.jpg"))
    assert world.text_of("sign.jpg") == "after"


def test_photos_are_found_by_meaning_first(world: World) -> None:
    """While a vector is being computed, or a photo waits for its own, nothing is read."""
    world.add("sign.jpg", "EXIT ONLY")
    progress = world.board.progress_of()
    progress.photos = {"sign.jpg": [0, 1], "new.jpg": [0, 1]}
    progress.points = 1
    begun = time.monotonic()

    def some_time_has_passed() -> bool:
        assert world.reader.read_photos == []
        return time.monotonic() > begun + 2.5

    world.go_on_until(some_time_has_passed)
    progress.points = 2
    with world.pulse.working():
        begun = time.monotonic()
        world.go_on_until(some_time_has_passed)
    world.read_all()


def test_a_reader_that_is_broken_is_told(world: World) -> None:
    """In the status; no photo is blamed for it."""
    world.add("sign.jpg", "EXIT ONLY")
    failure = CannotRead("Words can't be read: no module named cv2.")
    world.reader.failures["sign.jpg"] = failure

    def is_told() -> bool:
        words = world.board.words
        return words is not None and words.trouble == str(failure)

    world.go_on_until(is_told)
    assert world.text_of("sign.jpg") is None
    world.reader.failures.clear()
    world.read_all()
    words = world.status().words
    assert words is not None
    assert words.trouble == ""


def test_a_store_that_is_away_is_waited_for(world: World) -> None:
    """Nothing is lost: it goes on once the store is back."""
    world.add("sign.jpg", "EXIT ONLY")
    world.store.failure = StoreUnavailable("The vector store cannot answer.")
    world.go_on_until(lambda: world.store.calls)
    world.store.failure = None
    world.read_all()
    assert world.reader.read_photos == ["sign.jpg"]


def test_an_end_amid_a_photo_ends_its_reader(world: World) -> None:
    """The queue ends at once, and closes what reads."""
    world.add("sign.jpg", "EXIT ONLY")

    class StuckReader(FakeReader):
        async def read(self, photo: Path, glance: Glance | None) -> TextReading:
            self.read_photos.append(photo.name)
            await asyncio.Event().wait()
            raise AssertionError

    world.reader = StuckReader(TextModel())
    world.go_on_until(lambda: world.reader.read_photos)
    assert world.reader.is_closed
    assert world.text_of("sign.jpg") is None
