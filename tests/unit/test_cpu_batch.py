"""A core computes a batch by itself, beside the other cores, and a single image has them all."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from image_search.clip import DualEncoder
from image_search.colour import Pixels
from image_search.cpu_batch import CpuBatch, Vector, cores
from image_search.hardware import batches_at_once
from image_search.model_input import ModelInput
from tests.harness import eventually

NewBatch = Callable[..., CpuBatch]


def image_of(colour: int) -> Pixels:
    return np.full((1, 1, 3), colour, np.uint8)


class HeldTower:
    """It computes as long as a test wants it to, and notes how many cores it has."""

    def __init__(self) -> None:
        self.cores: list[int] = []
        self.may_go = threading.Event()

    def embed_images(
        self, images: list[Pixels], made_by: ModelInput | None
    ) -> list[Vector]:
        assert made_by is None
        self.cores.append(torch.get_num_threads())
        self.may_go.wait(60)
        colours = [int(image[0, 0, 0]) for image in images]
        if 0 in colours:
            raise ValueError("no such colour")
        return [np.array([colour], np.float32) for colour in colours]


@pytest.fixture
def tower() -> Iterator[HeldTower]:
    tower = HeldTower()
    yield tower
    tower.may_go.set()


@pytest.fixture
def launch(tower: HeldTower) -> NewBatch:
    """Have images of some colours computed."""

    def run(*colours: int) -> CpuBatch:
        batch = CpuBatch(tower, [*map(image_of, colours)], None)
        batch.launch()
        return batch

    return run


def test_each_core_has_a_batch(tower: HeldTower, launch: NewBatch) -> None:
    """As many are computed at a time as there are cores, and each takes one alone."""
    number = cores().number
    batches = [launch(10 * one + 1, 10 * one + 2) for one in range(number)]
    assert {one.at_once for one in batches} == {number}
    eventually(lambda: len(tower.cores) == number)
    assert tower.cores == [1] * number
    tower.may_go.set()
    for one, batch in enumerate(batches):
        batch.wait()
        assert batch.result() == [10 * one + 1, 10 * one + 2]


def test_a_single_image_has_all_cores(
    tower: HeldTower, launch: NewBatch
) -> None:
    """But beside another one, of which it would take something away."""
    number = cores().number
    first = launch(1)
    eventually(lambda: tower.cores == [number])
    second = launch(2)
    if number > 1:
        eventually(lambda: tower.cores == [number, 1])
    tower.may_go.set()
    first.wait()
    second.wait()
    third = launch(3)
    third.wait()
    assert tower.cores[-1] == number
    found = [one.result() for one in (first, second, third)]
    assert found == [[1], [2], [3]]


def test_what_fails_is_told_and_hinders_nobody(
    tower: HeldTower, launch: NewBatch
) -> None:
    """An error is raised by the batch that it belongs to, once it is done."""
    tower.may_go.set()
    bad, good = launch(0, 1), launch(2, 3)
    bad.wait()
    with pytest.raises(ValueError, match="no such colour"):
        bad.result()
    good.wait()
    assert good.result() == [2, 3]
    assert launch(4).result() == [4]


def test_cores_compute_what_they_would_together(tiny_clip: Path) -> None:
    """A model's vectors are the same, whatever is computed beside them."""
    encoder = DualEncoder("tiny", tiny_clip).on("cpu")
    tower, made_by = encoder.tower("image"), encoder.model_input
    chance = np.random.default_rng(1)
    images = [*chance.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)]
    batches = [
        CpuBatch(tower, images[start : start + 3], made_by)
        for start in range(0, len(images), 3)
    ]
    for batch in batches:
        batch.launch()
    vectors = [vector for batch in batches for vector in batch.result()]
    expected = tower.embed_images(images, made_by)
    for vector, other in zip(vectors, expected, strict=True):
        assert vector @ other > 0.9999
        assert np.linalg.norm(vector) == pytest.approx(1)


def test_all_batches_of_a_process_share_its_cores() -> None:
    """There is a thread for each, however many batches there are."""
    assert cores().number == batches_at_once("cpu")
    assert cores() is cores()
