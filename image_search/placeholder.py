"""A picture of a photo in some 25 bytes, shown until the photo is there: a ThumbHash.

It holds the lowest frequencies of brightness and of two
colour differences, as evanw.github.io/thumbhash has it.
The packages of it that there are compute them number by
number, in Python, where a photo takes 50 ms; numpy takes
less than one.
"""

import base64
import functools
import math
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

SIDE = 64  # pixels that are looked at, on the longer side
BRIGHT = 7  # frequencies of brightness along the longer side
COLOURED = 3  # and of the colours, along both
LEAST = 3  # frequencies along the shorter one
HEADER = 5  # bytes
MEANS = 3  # of brightness and both colours
LAYOUT_LENGTH = BRIGHT**2 + 2 * COLOURED**2

Channel = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]
Size = tuple[int, int]


class Waves(NamedTuple):
    """A channel's lowest frequencies: its mean; the others, -1 to 1 times `scale`."""

    mean: float
    others: Channel  # of shape (n,)
    scale: float


def thumbhash_of(image: Image.Image) -> str:
    """The ThumbHash of an opaque RGB image, in base64."""
    longest = max(image.size)
    # Of an extreme shape the shorter side would have no pixel left.
    width, height = (
        max(1, round(SIDE * side / longest)) for side in image.size
    )
    small = image.resize((width, height), Image.Resampling.BOX, reducing_gap=2)
    red, green, blue = np.moveaxis(np.asarray(small, np.float64) / 255, 2, 0)
    bright = _waves((red + green + blue) / 3, *bright_counts(image.size))
    warm = _waves((red + green) / 2 - blue, COLOURED, COLOURED)
    ruddy = _waves(red - green, COLOURED, COLOURED)

    is_wide = width > height
    short = bright_counts(image.size, least=1)[1 if is_wide else 0]
    first = (
        _round(63 * bright.mean)
        | _round(31.5 + 31.5 * warm.mean) << 6
        | _round(31.5 + 31.5 * ruddy.mean) << 12
        | _round(31 * bright.scale) << 18
    )
    second = (
        short
        | _round(63 * warm.scale) << 3
        | _round(63 * ruddy.scale) << 9
        | is_wide << 15
    )
    header = first.to_bytes(3, "little") + second.to_bytes(2, "little")
    parts = bright.others, warm.others, ruddy.others
    steps = np.floor(8 + 7.5 * np.concatenate(parts)).astype(np.uint8)
    steps = np.append(steps, np.zeros(len(steps) % 2, np.uint8))
    packed = steps[::2] | steps[1::2] << 4
    content: bytes = header + packed.tobytes()
    return base64.b64encode(content).decode()


def bright_counts(size: Size, least: int = LEAST) -> Size:
    """How many frequencies of brightness there are across and down."""
    longest = max(size)
    across, down = (
        max(least, math.floor(BRIGHT * side / longest + 0.5)) for side in size
    )
    return across, down


def frequencies(across: int, down: int) -> list[Size]:
    """Those that are kept, row by row: a triangle of them, the lowest first."""
    return [
        (x, y)
        for y in range(down)
        for x in range(across)
        if x * down < across * (down - y)
    ]


def _waves(channel: Channel, across: int, down: int) -> Waves:
    height, width = channel.shape
    found = _cosines(down, height) @ channel @ _cosines(across, width).T
    found /= width * height
    mean, *others = (found[y, x] for x, y in frequencies(across, down))
    scale = max(map(abs, others))
    relative = np.array(others) / (scale or 1)
    return Waves(float(mean), relative, float(scale))


def _cosines(count: int, length: int) -> Channel:
    """The first waves along a side, of shape (count, length)."""
    places = (np.arange(length) + 0.5) * np.pi / length
    return np.asarray(np.cos(np.outer(np.arange(count), places)))


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def layout_of(thumbhash: str) -> Channel:
    """What a ThumbHash says of a photo, as numbers of shape (67,).

    The distance of two is about the root mean square of
    how their brightness and colours differ, 0 to 1. What
    is no mean colour, of shape (64,), comes last.
    """
    content = base64.b64decode(thumbhash)
    first = int.from_bytes(content[:3], "little")
    second = int.from_bytes(content[3:HEADER], "little")
    short, is_wide = max(LEAST, second & 7), second >> 15
    counts = (BRIGHT, short) if is_wide else (short, BRIGHT)
    places, weights = _places(counts)
    packed = np.frombuffer(content[HEADER:], np.uint8)
    steps = np.stack([packed & 15, packed >> 4], 1).ravel() / 7.5 - 1
    steps = steps[: len(places)]
    scales = (
        (first >> 18 & 31) / 31,
        (second >> 3 & 63) / 63,
        (second >> 9 & 63) / 63,
    )
    coloured = len(frequencies(COLOURED, COLOURED)) - 1
    each = (len(places) - 2 * coloured, coloured, coloured)
    layout = np.zeros(LAYOUT_LENGTH)
    layout[:MEANS] = (
        (first & 63) / 63,
        (first >> 6 & 63) / 31.5 - 1,
        (first >> 12 & 63) / 31.5 - 1,
    )
    layout[places] = steps * weights * np.repeat(scales, each)
    return layout


@functools.cache
def _places(counts: Size) -> tuple[Channel, Channel]:
    """Where a layout has each wave of a ThumbHash, and what it weighs there."""
    places, weights = [], []
    begin = MEANS
    channels = (counts, BRIGHT), *[((COLOURED, COLOURED), COLOURED)] * 2
    for (across, down), side in channels:
        for x, y in frequencies(across, down)[1:]:
            places.append(begin + y * side + x - 1)
            weights.append(math.sqrt(2) ** ((x > 0) + (y > 0)))
        begin += side**2 - 1
    return np.array(places), np.array(weights)
