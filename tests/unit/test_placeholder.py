"""A ThumbHash is what its inventor's own code makes, and tells what a photo looks like."""

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_search.photos import read_thumbhash
from image_search.placeholder import LAYOUT_LENGTH, layout_of, thumbhash_of
from tests.harness import PHOTOS

SAMPLES = sorted(PHOTOS.glob("*.[jpw]*"))


def by_the_book(image: Image.Image) -> str:
    """The reference implementation of evanw/thumbhash, number by number."""
    width, height = image.size
    pixels = np.asarray(image).reshape(-1, 3) / 255
    red, green, blue = pixels.T
    longest = max(image.size)
    across, down = (
        max(1, math.floor(7 * side / longest + 0.5)) for side in image.size
    )

    def channel(
        values: np.ndarray, nx: int, ny: int
    ) -> tuple[float, list[float], float]:
        found = []
        for cy in range(ny):
            cx = 0
            while cx * ny < nx * (ny - cy):
                f = 0.0
                for y in range(height):
                    fy = math.cos(math.pi / height * cy * (y + 0.5))
                    for x in range(width):
                        fx = math.cos(math.pi / width * cx * (x + 0.5))
                        f += values[x + y * width] * fx * fy
                found.append(f / (width * height))
                cx += 1
        dc, *ac = found
        scale = max(map(abs, ac))
        return dc, [0.5 + 0.5 / scale * f for f in ac], scale

    def whole(value: float) -> int:
        return math.floor(value + 0.5)

    bright, warm, ruddy = (
        channel((red + green + blue) / 3, max(3, across), max(3, down)),
        channel((red + green) / 2 - blue, 3, 3),
        channel(red - green, 3, 3),
    )
    is_wide = width > height
    header = (
        whole(63 * bright[0])
        | whole(31.5 + 31.5 * warm[0]) << 6
        | whole(31.5 + 31.5 * ruddy[0]) << 12
        | whole(31 * bright[2]) << 18
    ).to_bytes(3, "little")
    header += (
        (down if is_wide else across)
        | whole(63 * warm[2]) << 3
        | whole(63 * ruddy[2]) << 9
        | is_wide << 15
    ).to_bytes(2, "little")
    steps = [whole(15 * f) for f in (*bright[1], *warm[1], *ruddy[1])]
    steps += [0] * (len(steps) % 2)
    pairs = zip(steps[::2], steps[1::2], strict=True)
    packed = bytes(one | other << 4 for one, other in pairs)
    return base64.b64encode(header + packed).decode()


@pytest.mark.parametrize("photo", SAMPLES[:4], ids=lambda photo: photo.name)
def test_it_is_what_the_reference_makes(photo: Path) -> None:
    """Byte for byte, wide or tall."""
    image = Image.open(photo).convert("RGB")
    image.thumbnail((24, 24))
    image = image.resize((64, round(64 * image.height / image.width)))
    for one in (image, image.transpose(Image.Transpose.TRANSPOSE)):
        small = one.resize((one.width, one.height))
        assert thumbhash_of(small) == by_the_book(small)


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (3000, 2), (2, 3000)])
def test_any_shape_has_one(size: tuple[int, int]) -> None:
    """It has some 25 bytes, and its mean colour is that of the photo."""
    made = thumbhash_of(Image.new("RGB", size, (204, 102, 51)))
    assert len(base64.b64decode(made)) <= 25
    brightness, warm, ruddy = layout_of(made)[:3]
    assert brightness == pytest.approx(119 / 255, abs=0.02)
    assert warm == pytest.approx((204 + 102) / 2 / 255 - 0.2, abs=0.03)
    assert ruddy == pytest.approx(0.4, abs=0.03)


def test_a_layout_tells_copies_from_others() -> None:
    """The small copy of a photo is laid out as it is, and no other sample is."""
    layouts, copies = [], []
    for photo in SAMPLES:
        image = Image.open(photo).convert("RGB")
        layouts.append(layout_of(thumbhash_of(image)))
        small = image.resize((image.width // 3, image.height // 3))
        copies.append(layout_of(thumbhash_of(small)))
    assert {layout.shape for layout in layouts} == {(LAYOUT_LENGTH,)}
    for copy in copies:
        apart = [float(np.linalg.norm(copy - layout)) for layout in layouts]
        nearest, second = sorted(apart)[:2]
        assert nearest < 0.03
        assert second > 0.08


def test_what_is_transparent_is_white() -> None:
    """A photo with transparent parts looks as it is shown: on white."""
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(buffer, "PNG")
    brightness, *_ = layout_of(read_thumbhash(buffer.getvalue()))
    assert brightness == pytest.approx(1, abs=0.02)
