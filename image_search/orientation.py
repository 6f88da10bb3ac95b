"""How a photo has to be turned to be upright, as EXIF counts it: 1 to 8."""

import contextlib
from typing import Any

from PIL import ExifTags, Image

UPRIGHT = 1
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNED_BY_A_QUARTER = range(5, 9)


def orientation_in(exif: Any) -> int:
    """What EXIF data say; 1 if they say nothing, or are broken."""
    parsed = Image.Exif()
    with contextlib.suppress(Exception):  # in many ways
        parsed.load(exif)
        return int(parsed.get(ExifTags.Base.Orientation, UPRIGHT))
    return UPRIGHT


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image upright."""
    if orientation not in TRANSPOSITIONS:
        return image
    return image.transpose(TRANSPOSITIONS[orientation])


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height in pixels, as a person sees them."""
    width, height = size
    if orientation in TURNED_BY_A_QUARTER:
        return height, width
    return width, height
