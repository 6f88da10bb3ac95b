"""Any image becomes RGB on white in sRGB, and does so in bands as in one piece."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from image_search.cicp import Colours
from image_search.colour import to_srgb_on_white
from image_search.samples import (
    BAND_PIXELS,
    shrink_in_bands,
    to_samples,
    white_of,
)
from tests.harness import PHOTOS

SIZE = 3000, 3100
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def large(mode: str) -> Image.Image:
    """A photo of two bands, and a bit."""
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB").resize(SIZE)
    shades = np.asarray(photo.convert("L"))
    if mode == "RGBA":
        photo.putalpha(photo.convert("L"))
        return photo
    if mode == "I;16":
        return Image.fromarray(shades.astype(np.uint16) << 8)
    if mode == "F":
        return Image.fromarray(shades.astype(np.float32) / 300)
    return photo.convert(mode)


@pytest.mark.parametrize(
    "mode", ["RGB", "RGBA", "LA", "P", "L", "1", "CMYK", "I;16", "F"]
)
def test_bands_make_no_difference(mode: str) -> None:
    """Shrunk band by band an image is the same as shrunk in one piece."""
    image = large(mode)
    assert SIZE[0] * SIZE[1] > BAND_PIXELS
    whole = to_samples(image, white_of(image))
    if whole.mode in {"LA", "RGBA"}:
        premultiplied = whole.convert(whole.mode[:-1] + "a").reduce(7)
        whole = premultiplied.convert(whole.mode)
    else:
        whole = whole.reduce(7)
    assert shrink_in_bands(image, 7).tobytes() == whole.tobytes()


def test_what_is_clear_lends_no_colour() -> None:
    """Made smaller, a white shape on clear black has no grey edge."""
    image = Image.new("RGBA", (90, 90))
    image.paste("white", (0, 0, 44, 90))
    small = to_srgb_on_white(shrink_in_bands(image, 3), None, Colours())
    assert small.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_profile_that_fits_not_is_left_out(mode: str) -> None:
    """A profile for other channels, or a broken one, leaves the colours as they are."""
    image = Image.new(mode, (4, 4), "gray")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (lab, SRGB[:200], b"no profile", b""):
        seen = to_srgb_on_white(image, profile, Colours())
        assert seen.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_hot_pixels_leave_the_rest_its_light(kind: type) -> None:
    """One sample a thousand times as bright, or none at all, does not make all black."""
    samples: Any = np.tile(np.linspace(0, 1000, 200).astype(kind), (200, 1))
    plain = to_samples(Image.fromarray(samples), 1000)
    samples[50, 50] = 1_000_000
    if kind is np.float32:
        samples[60, 60] = np.nan
        samples[70, 70] = np.inf
    image = Image.fromarray(samples)
    seen = to_samples(image, white_of(image))
    difference = np.asarray(seen).astype(int) - np.asarray(plain)
    assert np.percentile(np.abs(difference), 99) <= 2


@pytest.mark.parametrize(
    ("bits", "white"), [(10, 1023), (12, 4095), (16, 65535)]
)
def test_few_bits_in_sixteen_are_told(bits: int, white: int) -> None:
    """Grey of 10 or 12 bits, kept in 16, is as bright as it is meant."""
    shades = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
    image = Image.fromarray(shades)
    assert white_of(image) == white
    seen = np.asarray(to_samples(image, white))
    assert seen[0, 0] == 0
    assert seen[-1, -1] == 255
    assert np.abs(seen.ravel() - np.arange(256.0)).max() <= 1
