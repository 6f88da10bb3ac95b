"""An image of any mode becomes RGB, on white, in sRGB."""

import contextlib
import io
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

SRGB = ImageCms.createProfile("sRGB")
BAND_PIXELS = 2**23


def shrink_in_bands(image: Image.Image, factor: int) -> Image.Image:
    """Shrink by a whole factor, and bring to RGB, band by band; EXIF stays."""
    width, height = image.size
    rows = max(1, BAND_PIXELS // (width * factor)) * factor
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    white = white_of(image)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        band = in_colour(band, white).reduce(factor)
        small.paste(band, (0, top // factor))
    with contextlib.suppress(Exception):  # there is none, or it is broken
        orientation = image.getexif()[ExifTags.Base.Orientation]
        small.getexif()[ExifTags.Base.Orientation] = orientation
    return small


def in_colour(image: Image.Image, white: float) -> Image.Image:
    """Bring an image of any mode to RGB.

    `white`: as `white_of` says of the whole.
    """
    image = _to_srgb(_to_eight_bits(image, white))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        blank = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(blank, image)
    return image.convert("RGB")


def white_of(image: Image.Image) -> float:
    """What stands for white in an image of 32 bits: its brightest sample."""
    most: Any = image.getextrema()[1] if image.mode in "IF" else 0
    return float(most or 1)


def _to_eight_bits(image: Image.Image, white: float) -> Image.Image:
    """Bring samples of 16 or 32 bits to 8, which Pillow would clip."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in "IF":
        return image.point(lambda value: value * (255 / white))
    return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """Apply the colour profile, if there is one that fits the image."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    with contextlib.suppress(ImageCms.PyCMSError, OSError):  # broken, or unfit
        converted = ImageCms.profileToProfile(
            image, io.BytesIO(profile), SRGB, outputMode="RGB"
        )
        return converted or image
    return image
