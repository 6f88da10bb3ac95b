"""How many images a GPU is best given at a time: measured on it, once.

A larger batch is quicker up to a point, holds more memory, and keeps whoever comes
next waiting for longer.
"""

import math
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from image_search.colour import Pixels
from image_search.model_input import Cropped, ModelInput, Stretched
from image_search.reasons import OutOfMemory

SIZES = 16, 32, 64, 128, 256
GAIN = 0.05  # in images a second; less is not worth a larger batch
TIMES = 3
LONGEST = 2.0  # seconds, for one batch: a slow device is measured no further
# The quickest time that a clock can tell.
TICK = 1e-9


def best_size(
    seconds_for: Callable[[int], float], sizes: Sequence[int] = SIZES
) -> int:
    """The smallest size that no larger one beats by much.

    `seconds_for`: has a device embed so many images; raises OutOfMemory where it has
    no room for them. If it has none for the least, half as many are tried.
    """
    best, rate = 0, 0.0
    for size in sizes:
        seconds = _measure(seconds_for, size)
        if seconds is None:
            break
        if best and size / seconds < rate * (1 + GAIN):
            break
        best, rate = size, size / seconds
        if seconds > LONGEST:
            break
    if best:
        return best
    size = sizes[0] // 2
    while size > 1 and _measure(seconds_for, size) is None:
        size //= 2
    return max(1, size)


def _measure(seconds_for: Callable[[int], float], size: int) -> float | None:
    """What a batch takes, in seconds; None where there is no room for it."""
    try:
        seconds_for(size)  # the first chooses kernels, and takes memory
        taken = [seconds_for(size) for _ in range(TIMES)]
    except OutOfMemory:
        return None
    return max(median(taken), TICK)


def images_of_noise(made_by: ModelInput, number: int) -> list[Pixels]:
    """Images as large as a model looks at."""
    if isinstance(made_by, Cropped | Stretched):
        height, width = made_by.height, made_by.width
    else:
        patch, most = getattr(made_by, "patch", 16), getattr(made_by, "most", 1)
        height = width = patch * math.isqrt(most)
    chance = np.random.default_rng(0)
    shape = number, height, width, 3
    return [*chance.integers(0, 256, shape, dtype=np.uint8)]
