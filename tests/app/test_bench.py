"""The benchmark measures the app as it is: whatever it asks of the app can be asked."""

from pathlib import Path

from tests.bench.__main__ import Worker
from tests.bench.growth import ROWS, grow
from tests.harness import PHOTOS


def test_the_benchmark_can_ask_all_it_asks(
    tiny_clip: Path, tmp_path: Path
) -> None:
    """With a tiny model every question gets its answer, and what is stored is found."""
    photo = str(PHOTOS / "cat.png")
    with Worker(tiny_clip, DATA_DIR=tmp_path) as worker:
        for _ in range(
            2
        ):  # a second time, with more at once than there are cores
            assert worker.ask("images", [photo] * 12) > 0
        assert worker.ask("prepared_image", photo, 2) > 0
        assert worker.ask("products", worker.ask("precision")) > 0
        assert worker.ask("fill_store", 1000, 5) > 0
        assert worker.ask("open_store") >= 0
        seconds, recall = worker.ask("search_store")
        assert len(seconds) == 5
        assert recall > 0.9
        assert worker.ask("write_store", 3) > 0
        assert worker.ask("scan_folder")[1] == len([*PHOTOS.glob("*.[jpw]*")])
    with Worker(tiny_clip, DATA_DIR=tmp_path) as tutorial:
        tutorial.ask("imports_tutorial")
        assert tutorial.ask("images_tutorial", [photo]) > 0
        assert len(tutorial.ask("texts_tutorial", ["a cat"])) == 1


def test_a_collection_can_be_asked_all_of_it() -> None:
    """A small one gives every figure that a large one does, but those of a server."""
    found = grow(1000)
    assert {*ROWS} - {*found} <= {"read", "disk"}
    assert found["recall"] > 0.9
    assert found["written"] > 0
