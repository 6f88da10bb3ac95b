"""Each device has a process of its own, two batches under way, and the size that suits it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_search.batches import BatchSize
from image_search.clip import DualEncoder
from image_search.device_batch import DeviceBatch, Streams, measured_batch
from image_search.pipeline import Pipeline
from image_search.reasons import OutOfMemory
from image_search.towers import TowerJobs, Towers
from image_search.workers import PoolClosed, WorkerError
from tests import fake_device
from tests.fake_device import (
    CRASHES,
    FAILS,
    HAS_NO_ROOM,
    FakeEncoder,
    events,
    image_of,
    let_go,
    measure_none,
    measure_seven,
    no_warm_up,
)
from tests.harness import eventually

TWO = ("cuda:0", "cuda:1")

NewTowers = Callable[..., Towers]


@pytest.fixture
def new_towers(tmp_path: Path) -> Iterator[NewTowers]:
    """Make towers on fake devices, in real processes."""
    made = []

    def make(*devices: str, measure: Any = measure_none, **more: Any) -> Towers:
        encoder = FakeEncoder(tmp_path, devices or ("cuda:0",), **more)
        jobs = TowerJobs(no_warm_up, fake_device.start_images, measure)
        towers = Towers(encoder, lambda: Pipeline(60), jobs)
        made.append(towers)
        return towers

    yield make
    for towers in made:
        towers.close()


def embed(towers: Towers, colours: list[int]) -> list[Any]:
    """The vectors of images that are there at once, or the errors."""

    async def run() -> list[Any]:
        images = map(image_of, colours)
        waiting = map(towers.embed, images)
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    return asyncio.run(run())


def test_every_device_has_a_process_that_embeds(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """Photos are divided among the devices, and each gets the vector of its own."""
    towers = new_towers(*TWO)
    towers.load()
    loaded = {one for one in events(tmp_path) if one.startswith("loads")}
    assert loaded == {"loads cuda:0", "loads cuda:1"}
    pids = towers.workers()
    assert len({*pids}) == 2
    let_go(tmp_path)
    vectors = embed(towers, [*range(60)])
    assert [vector[0] for vector in vectors] == [*range(60)]
    assert {int(vector[1]) for vector in vectors} == {*pids}


def test_each_device_has_two_batches_under_way(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """One is computed while the next is ready, on every device, and no more than these."""
    towers = new_towers(*TWO)

    async def run() -> list[Any]:
        images = map(image_of, range(40))
        waiting = asyncio.gather(*map(towers.embed, images))
        await asyncio.to_thread(eventually, are_two_each)
        let_go(tmp_path)
        return list(await waiting)

    def are_two_each() -> bool:
        told = events(tmp_path)
        begun = sum(one.startswith("begins") for one in told)
        ready = sum(one.startswith("ready") for one in told)
        return (begun, ready) == (2, 4)

    vectors = asyncio.run(run())
    assert [vector[0] for vector in vectors] == [*range(40)]
    assert towers.images_under_way() == 2 * 2 * 4


def test_a_photo_that_is_sent_waits_for_one_batch(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """It comes before what was made ready already, however many photos wait."""
    towers = new_towers()

    async def run() -> None:
        images = map(image_of, range(40))
        waiting = asyncio.gather(*map(towers.embed, images))
        await asyncio.to_thread(eventually, lambda: jobs_there() == 2)
        sent = asyncio.create_task(
            asyncio.to_thread(towers.embed_at_once, image_of(99))
        )
        await asyncio.to_thread(eventually, lambda: jobs_there() == 3)
        let_go(tmp_path)
        assert (await sent)[0] == 99
        await waiting

    def jobs_there() -> int:
        return events(tmp_path).count("comes")

    asyncio.run(run())
    told = [one for one in events(tmp_path) if one.startswith("begins")]
    assert told[1] == "begins 99"


def test_a_crash_costs_the_photo_alone_that_caused_it(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """Photos of its batch, and of the batch beside it, all get their vectors."""
    let_go(tmp_path)
    towers = new_towers()
    colours = [0, 1, 2, 3, CRASHES, 5, 6, 7, 8, 9, 10, 11]
    found = embed(towers, colours)
    for colour, vector in zip(colours, found, strict=True):
        if colour == CRASHES:
            assert isinstance(vector, WorkerError)
        else:
            assert vector[0] == colour


def test_photos_without_room_leave_room_for_others(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """A batch too large for its device is halved for the future, and no photo is lost."""
    let_go(tmp_path)
    towers = new_towers(batch_size=8, most=5)
    colours = [*range(30), HAS_NO_ROOM]
    *found, last = embed(towers, colours)
    assert [vector[0] for vector in found] == [*range(30)]
    assert isinstance(last, OutOfMemory)
    assert towers.all()[0].size.most <= 5


def test_what_is_wrong_with_the_model_is_told(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """An error that no photo is to blame for reaches all who wait, and the next is embedded."""
    let_go(tmp_path)
    towers = new_towers()
    found = embed(towers, [FAILS])
    assert isinstance(found[0], ValueError)
    assert embed(towers, [3])[0][0] == 3


def test_the_best_batch_is_measured_once_the_model_is_there(
    new_towers: NewTowers, tmp_path: Path
) -> None:
    """Each device is measured, by its own process, after it has loaded the model."""
    towers = new_towers(*TWO, measure=measure_seven)
    assert [one.size.most for one in towers.all()] == [4, 4]
    towers.load()
    assert [one.size for one in towers.all()] == [BatchSize(7, 1)] * 2
    for device in TWO:
        told = events(tmp_path)
        loads, measures = f"loads {device}", f"measures {device}"
        assert told.index(loads) < told.index(measures)


def test_closed_towers_have_no_process(new_towers: NewTowers) -> None:
    """Who asks for a vector is told, whether a process ran or none did."""
    used, unused = new_towers(), new_towers(*TWO)
    used.load()
    for towers in (used, unused):
        towers.close()
        assert towers.workers() == []
        [error] = embed(towers, [1])
        assert isinstance(error, (PoolClosed, RuntimeError))


# --- The batch itself, with PyTorch -----------------------------------------------


class HostStreams(Streams):
    """For a CPU: all is done at once."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def copying(self) -> Any:
        return self._told("copies")

    def computing(self, inputs: list[Any]) -> Any:
        assert inputs
        return self._told("computes")

    def to_host(self, vectors: Any) -> Any:
        return vectors.cpu()

    def wait(self) -> None:
        self.told.append("waits")

    def _told(self, what: str) -> Any:
        self.told.append(what)
        return np.errstate()  # a context in which nothing else happens


def test_a_staged_batch_is_what_the_model_makes(tiny_clip: Path) -> None:
    """In steps a batch gets the vectors that it gets at once, each of length 1."""
    encoder = DualEncoder("tiny", tiny_clip).on("cpu")
    made_by = encoder.model_input
    assert made_by is not None
    chance = np.random.default_rng(1)
    images = [*chance.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)]
    expected = encoder.tower("image").embed_images(images, made_by)
    streams = HostStreams()
    batch = DeviceBatch(encoder.tower("image"), images, made_by, streams)
    assert streams.told == ["copies"]
    batch.launch()
    batch.wait()
    assert streams.told == ["copies", "computes", "waits"]
    for vector, other in zip(batch.result(), expected, strict=True):
        assert vector @ other > 0.9999
        assert np.linalg.norm(vector) == pytest.approx(1)


def test_a_cpu_is_not_measured(tiny_clip: Path) -> None:
    """What it is given at a time is told by the model's patches."""
    encoder = DualEncoder("tiny", tiny_clip).on("cpu")
    assert encoder.model_input is not None
    assert measured_batch(encoder, encoder.model_input) is None
