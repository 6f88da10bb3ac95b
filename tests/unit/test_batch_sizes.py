"""The batch for a device is the smallest that no larger one beats by much."""

from typing import Any

import pytest

from image_search.batch_sizes import (
    GAIN,
    LONGEST,
    SIZES,
    TIMES,
    best_size,
    images_of_noise,
)
from image_search.model_input import Cropped, Patches, Stretched
from image_search.reasons import OutOfMemory


class Device:
    """It takes so long for a batch, and so much for each image of it, and has so much room."""

    def __init__(
        self, start: float = 0.0, image: float = 0.0, room: int = 10**6
    ) -> None:
        self.start, self.image, self.room = start, image, room
        self.tried: list[int] = []

    def seconds_for(self, size: int) -> float:
        self.tried.append(size)
        if size > self.room:
            raise OutOfMemory
        return self.start + size * self.image


# Photos a second in batches of these sizes, as measured on an H100 with ViT-L/14; those
# between lie on the curve.
H100 = {16: 1330, 32: 1750, 64: 2178, 128: 2215, 256: 2233}


def test_it_grows_as_long_as_that_pays() -> None:
    """On a GPU whose speeds are known it is the size from which on little is gained."""
    assert best_size(lambda size: size / H100[size]) == 64


@pytest.mark.parametrize(
    ("start", "expected"),
    [(0.0, 16), (0.002, 32), (0.005, 64), (1.0, 256)],
)
def test_what_a_batch_costs_by_itself_makes_it_larger(
    start: float, expected: int
) -> None:
    """The dearer a batch is beside its images, here of 1 ms, the more of them it has."""
    assert best_size(Device(start, 0.001).seconds_for) == expected


@pytest.mark.parametrize("room", [1, 2, 7, 15, 16, 40, 200])
def test_it_fits_into_the_memory(room: int) -> None:
    """It is the largest that a device has room for, of those whose sizes are tried."""
    device = Device(1.0, 0.0, room)
    best = best_size(device.seconds_for)
    assert best <= room < 2 * best
    assert max(device.tried) <= 2 * max(room, SIZES[0])


def test_a_device_without_room_for_one_is_given_one() -> None:
    """Then each photo's error says that there is no memory."""
    assert best_size(Device(1.0, 0.0, 0).seconds_for) == 1


def test_a_slow_device_is_not_measured_for_long() -> None:
    """Where a batch takes seconds no larger one is tried."""
    device = Device(LONGEST, 0.01)
    assert best_size(device.seconds_for) == SIZES[0]
    assert device.tried == [SIZES[0]] * (1 + TIMES)


def test_one_slow_batch_changes_nothing() -> None:
    """Each size is tried a few times, after a first time that does not count."""
    seconds = [9.0, 0.1, 0.1, 1.9, 9.0, 0.2, 0.2, 0.2]
    assert best_size(lambda _: seconds.pop(0), (16, 32)) == 16
    assert seconds == []
    assert 0 < GAIN < 0.2


@pytest.mark.parametrize(
    ("made_by", "shape"),
    [
        (Cropped(3, 224, 224, 200), (224, 200, 3)),
        (Stretched(3, 384, 256), (384, 256, 3)),
        (Patches(3, 16, 256), (256, 256, 3)),
    ],
)
def test_it_is_measured_by_what_a_model_looks_at(
    made_by: Any, shape: tuple[int, ...]
) -> None:
    """Images of noise have the size that a model's input has, and no two are the same."""
    first, second = images_of_noise(made_by, 2)
    assert first.shape == second.shape == shape
    assert (first != second).any()
