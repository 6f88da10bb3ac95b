"""The worker that reads words: whose fault it is where it fails, and how it gives way."""

import asyncio
import io
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from image_search.reasons import PhotoError
from image_search.text_model import TextModel
from image_search.text_worker import CannotRead, TextWorker
from image_search.workers import PoolClosed, PoolUnavailable, WorkerError

PHOTO = Path("a photo")


class FailingPool:
    """Fails at some jobs, by the names of their functions."""

    def __init__(self, failure: Exception, *names: str) -> None:
        self.failure = failure
        self.names = names

    def run(self, function: Any, *arguments: Any, tries: int) -> Any:
        if function.__name__ in self.names:
            raise self.failure


def read_by(pool: Any) -> Any:
    return asyncio.run(TextWorker(TextModel(), lambda: pool).read(PHOTO, None))


def test_a_photo_that_ends_its_worker_is_to_blame() -> None:
    """If the worker does well with another picture."""
    with pytest.raises(PhotoError, match="crashed"):
        read_by(FailingPool(WorkerError(), "read_text"))


def test_a_worker_that_always_ends_is_to_blame() -> None:
    """Then no photo is; and nothing can be read."""
    pool = FailingPool(WorkerError(), "read_text", "check_reader")
    with pytest.raises(CannotRead, match="whatever the photo is"):
        read_by(pool)


def test_without_a_worker_nothing_can_be_read() -> None:
    """Whatever keeps it from starting."""
    with pytest.raises(CannotRead, match="no more processes"):
        read_by(FailingPool(PoolUnavailable("no more processes"), "read_text"))


def test_models_that_are_away_are_told() -> None:
    """By a real worker, which goes on."""
    worker = TextWorker(TextModel((), "/no/such/model.onnx"))
    try:
        with pytest.raises(CannotRead, match=r"model\.onnx"):
            asyncio.run(worker.find(b""))
    finally:
        worker.close()


def test_it_gives_way_to_all_others() -> None:
    """Its priority is the lowest; it ends when told to, for good or until it is needed."""
    worker = TextWorker(TextModel())
    white = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(white, "JPEG")

    async def scenario() -> None:
        assert await worker.find(white.getvalue()) is None
        [pid] = worker.pool.workers()
        process = psutil.Process(pid)
        assert process.nice() == 19
        worker.rest()
        assert not process.is_running()
        assert await worker.find(white.getvalue()) is None
        [pid] = worker.pool.workers()
        process = psutil.Process(pid)
        worker.close()
        assert not process.is_running()
        with pytest.raises(PoolClosed):
            await worker.find(white.getvalue())

    try:
        asyncio.run(scenario())
    finally:
        worker.close()
