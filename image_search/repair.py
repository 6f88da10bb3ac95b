"""A file that is damaged, or cut off, as one that a decoder takes.

Every browser shows what is left of a photo, and so do we, if that is half of it.
"""

import contextlib
import io
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from image_search import boxes, png
from image_search.reasons import kind_of

LEAST = 0.5  # of its rows that have to be there
END_OF_JPEG = b"\xff\xd9"
# A copy that was broken off ends in at least so many zeros, where it ends in zeros.
ZEROS = bytes(64)
# Tags of a TIFF.
STRIP_OFFSETS = 273
STRIP_BYTES = 279
BMP_HEADERS = 54  # bytes
# libjpeg makes grey what it misses.
GREY = 128
NEAR = 1


class Mended(NamedTuple):
    """A file made whole, and what part of its rows is known to be real."""

    content: bytes
    part: float


def ends_in_zeros(content: bytes) -> bool:
    """Whether a JPEG's end was never written: decoders make colours of zeros."""
    if not content.endswith(ZEROS) or kind_of(content) != "JPEG":
        return False
    return not content.rstrip(b"\0").endswith(END_OF_JPEG)


def is_cut_off(content: bytes) -> bool:  # noqa: PLR0911
    """Whether the end of a picture's file is missing, as far as that can be told."""
    match kind_of(content):
        case "JPEG":
            return content.rfind(b"\xff\xd9") <= content.rfind(b"\xff\xda")
        case "PNG":
            return not png.is_whole(content)
        case "GIF":
            return not content.rstrip(b"\0").endswith(b";")
        case "BMP":
            return bmp_size(content) > len(content)
        case "WebP":
            return webp_size(content) > len(content)
        case "HEIC" | "AVIF":
            return not boxes.is_whole(content)
        case "TIFF":
            return _end_of_tiff(content) > len(content)
    return False


def _end_of_tiff(content: bytes) -> int:
    """Where the last strip ends, if that can be told."""
    order: Any = "little" if content[:1] == b"I" else "big"
    directory = int.from_bytes(content[4:8], order)
    if directory >= len(content):
        return directory + 1
    with contextlib.suppress(Exception):  # it can be broken in many ways
        image: Any = Image.open(io.BytesIO(content), formats=["TIFF"])
        tags = image.tag_v2
        strips = zip(tags[STRIP_OFFSETS], tags[STRIP_BYTES], strict=False)
        return int(max(offset + size for offset, size in strips))
    return 0


def webp_size(content: bytes) -> int:
    """How many bytes a WebP's file has, as its beginning tells."""
    return int.from_bytes(content[4:8], "little") + 8


def bmp_size(content: bytes) -> int:
    """How many bytes a BMP's file has, as its headers tell."""
    told = int.from_bytes(content[2:6], "little")
    start = int.from_bytes(content[10:14], "little")
    compression = int.from_bytes(content[30:34], "little")
    if len(content) < BMP_HEADERS or compression in {1, 2, 4, 5}:
        return told
    width, height = (
        abs(int.from_bytes(content[at : at + 4], "little", signed=True))
        for at in (18, 22)
    )
    bits = int.from_bytes(content[28:30], "little")
    rows = (width * bits + 31) // 32 * 4 * height
    return max(told, start + rows)


def mend(content: bytes) -> Mended | None:
    """Make a damaged file whole; None if that can't be done."""
    match kind_of(content):
        case "JPEG":
            return Mended(content.rstrip(b"\0") + END_OF_JPEG, 1)
        case "PNG":
            mended = png.mend(content)
            return Mended(*mended) if mended else None
        case "GIF":
            return Mended(content, 1)  # its decoder bears with it
        case "WebP":
            return _filled_up(content, webp_size(content))
        case "BMP":
            return _filled_up(content, bmp_size(content))
    return None


def part_shown(image: Image.Image, kind: str | None) -> float:
    """What part of a mended image's rows the decoder had, as far as they tell."""
    if kind == "GIF" and image.mode == "RGBA":
        # The rows that are missing are clear; they may come in four passes.
        is_there = np.asarray(image.getchannel("A")).any(axis=1)
        return float(is_there.mean())
    samples = np.asarray(image)
    if kind == "JPEG" and image.mode in {"L", "RGB"}:
        distance = np.abs(samples.astype(np.int16) - GREY)
        lost = (distance <= NEAR).reshape(image.height, -1).all(axis=1)
    else:
        return 1
    return 1 - _run_at_the_end(lost) / image.height


def without_grey(image: Image.Image, part: float) -> Image.Image:
    """A damaged JPEG whose missing rows are as white as a page."""
    if part < 1:
        top = round(part * image.height)
        image = image.convert("RGB") if image.mode == "L" else image
        image.paste("white", (0, top, *image.size))
    return image


def _run_at_the_end(rows: Any) -> int:
    """How many rows at the end are all True."""
    others = np.flatnonzero(~np.asarray(rows))
    return int(len(rows) - 1 - others[-1]) if others.size else len(rows)


def _filled_up(content: bytes, size: int) -> Mended | None:
    if not len(content) < size <= 2 * len(content):
        return None
    return Mended(content + bytes(size - len(content)), len(content) / size)
