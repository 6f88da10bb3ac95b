"""How much memory it takes to decode an image, told from its header.

Measured with Pillow 13 and its libraries; tests/unit/test_memory.py does it again.
"""

from typing import Any

from PIL import Image

# Of one pixel, as Pillow holds it, whatever its depth in the file; else 4.
PIXEL_BYTES = {
    "1": 1,
    "L": 1,
    "P": 1,
    "I;16": 2,
    "I;16L": 2,
    "I;16B": 2,
}
# What a format's library holds beside that, of each pixel: planes of colour
# differences, the whole image as bytes, and a copy of those.
LIBRARY_BYTES = {
    "AVIF": 12,
    "HEIF": 8,
    "WEBP": 12,
}
# Of TIFF:
BITS_PER_SAMPLE = 258
ORIENTATION = 274
SAMPLES_PER_PIXEL = 277
ROWS_PER_STRIP = 278
TILE_WIDTH = 322
TILE_LENGTH = 323


def bytes_to_decode(image: Image.Image, size: tuple[int, int]) -> int:
    """The bytes at the peak of an image's decoding, which has not begun.

    `size`: what the file holds; the image may be set to come out smaller.
    """
    in_file = size[0] * size[1]
    per_pixel = PIXEL_BYTES.get(image.mode, 4)
    decoded = image.width * image.height * per_pixel
    if image.format in {"JPEG", "MPO"}:
        return decoded + _bytes_of_coefficients(image, in_file)
    if image.format == "TIFF":
        return decoded + _bytes_of_strip(image, in_file)
    by_library = LIBRARY_BYTES.get(image.format or "", 0)
    return decoded + in_file * by_library


def _bytes_of_coefficients(image: Image.Image, in_file: int) -> int:
    """A progressive JPEG is held as coefficients of 16 bits, in full size."""
    if "progressive" not in image.info:
        return 0
    return 2 * in_file * len(image.getbands())


def _bytes_of_strip(image: Any, in_file: int) -> int:
    """Of a TIFF a strip or tile at a time is decoded, which may be all of it.

    Tiles may even be larger than the image. Then it is turned, if it lies on its
    side, which takes a copy.
    """
    tags = image.tag_v2
    turned = 4 * in_file if tags.get(ORIENTATION, 1) > 1 else 0
    if image.info.get("compression") == "raw":
        return turned
    width, height = image.size
    if TILE_WIDTH in tags:
        part = tags[TILE_WIDTH] * tags.get(TILE_LENGTH, height)
    else:
        part = width * min(height, tags.get(ROWS_PER_STRIP, height))
    depth = max(tags.get(BITS_PER_SAMPLE, (1,)))
    samples = max(
        len(tags.get(BITS_PER_SAMPLE, (1,))),
        tags.get(SAMPLES_PER_PIXEL, 1),
    )
    return int(part * samples * depth // 8 + turned)
