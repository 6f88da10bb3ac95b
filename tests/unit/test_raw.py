"""Of a camera's RAW file the picture is seen that the camera put into it."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_search.decode import OF_ALL, decode
from image_search.raw import is_raw
from image_search.reasons import PhotoError
from tests.harness import PHOTOS

SIZE = 640, 480
BYTE, SHORT, LONG, RATIONAL = 1, 3, 4, 10
PREVIEW, WHOLE = 1, 0
JPEG_IN_TIFF = 7
SENSOR = 32803

Tags = dict[int, tuple[int, list[int]]]


def preview(size: tuple[int, int], **options: Any) -> bytes:
    """The left half is red, the rest blue, so that it is told from what is developed."""
    image = Image.new("RGB", size, (20, 20, 200))
    image.paste((200, 20, 20), (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def directory(tags: Tags, at: int) -> bytes:
    """A TIFF's directory, which lies at a place in the file, and what belongs to it."""
    end = at + 2 + 12 * len(tags) + 4
    entries, values = struct.pack("<H", len(tags)), b""
    for tag, (kind, numbers) in sorted(tags.items()):
        layout = {
            BYTE: "B",
            SHORT: "H",
            LONG: "I",
            RATIONAL: "i",
            2: "B",
            5: "I",
        }[kind]
        data = struct.pack(f"<{len(numbers)}{layout}", *numbers)
        count = len(numbers) // (2 if kind in {5, RATIONAL} else 1)
        if len(data) > 4:
            where = struct.pack("<I", end + len(values))
            values += data + bytes(len(data) % 2)
        else:
            where = data.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, count) + where
    return entries + bytes(4) + values


def dng(jpeg: bytes | None, orientation: int = 1) -> bytes:
    """A DNG of grey light, with a preview or without one."""
    width, height = SIZE
    light = np.full((height, width), 8000, "<u2").tobytes()
    jpeg = jpeg or b""
    first = 8 + len(jpeg) + len(light)
    text = [*b"Maker\0"]
    matrix = [10_000, 10_000, 0, 1, 0, 1, 0, 1, 10_000, 10_000, 0, 1,
              0, 1, 0, 1, 10_000, 10_000]  # fmt: skip
    sensor: Tags = {
        254: (LONG, [WHOLE]), 256: (LONG, [width]), 257: (LONG, [height]),
        258: (SHORT, [16]), 259: (SHORT, [1]), 262: (SHORT, [SENSOR]),
        273: (LONG, [8 + len(jpeg)]), 277: (SHORT, [1]), 278: (LONG, [height]),
        279: (LONG, [len(light)]), 33421: (SHORT, [2, 2]),
        33422: (BYTE, [0, 1, 1, 2]), 50717: (LONG, [16383]),
    }  # fmt: skip
    camera: Tags = {
        271: (2, text), 272: (2, text), 274: (SHORT, [orientation]),
        50706: (BYTE, [1, 4, 0, 0]), 50708: (2, text),
        50721: (RATIONAL, matrix), 50728: (5, [1, 1, 1, 1, 1, 1]),
    }  # fmt: skip
    if not jpeg:
        return (
            b"II*\0"
            + struct.pack("<I", first)
            + light
            + directory(sensor | camera, first)
        )
    size = Image.open(io.BytesIO(jpeg)).size
    shown: Tags = {
        254: (LONG, [PREVIEW]), 256: (LONG, [size[0]]), 257: (LONG, [size[1]]),
        258: (SHORT, [8, 8, 8]), 259: (SHORT, [JPEG_IN_TIFF]), 262: (SHORT, [6]),
        273: (LONG, [8]), 277: (SHORT, [3]), 278: (LONG, [size[1]]),
        279: (LONG, [len(jpeg)]), 330: (LONG, [0]),
    }  # fmt: skip
    length = len(directory(shown | camera, first))
    shown[330] = (LONG, [first + length])
    both = directory(shown | camera, first) + directory(sensor, first + length)
    head = b"II*\0" + struct.pack("<I", first)
    return head + jpeg + light + both


def corners(image: Image.Image) -> tuple[Any, Any]:
    width, height = image.size
    return image.getpixel((5, 5)), image.getpixel((width - 6, height - 6))


@pytest.mark.parametrize("at_least", [None, 64, 512])
def test_the_preview_is_seen(at_least: int | None) -> None:
    """A RAW file shows its preview, and is of its sensor's size."""
    content = dng(preview(SIZE))
    assert is_raw(content)
    decoded = decode(content, at_least, OF_ALL)
    assert decoded.size == SIZE
    red, blue = corners(decoded.image)
    assert red[0] > red[2] + 120
    assert blue[2] > blue[0] + 120


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_raw_photo_is_upright(orientation: int) -> None:
    """The file says how the camera was held."""
    decoded = decode(dng(preview(SIZE), orientation), None, OF_ALL)
    turned = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270,
              8: Image.Transpose.ROTATE_90}[orientation]  # fmt: skip
    upright = Image.open(io.BytesIO(preview(SIZE))).transpose(turned)
    assert decoded.size == decoded.image.size == upright.size
    difference = np.asarray(decoded.image).astype(int) - np.asarray(upright)
    assert np.abs(difference).mean() < 2


def test_without_a_preview_it_is_developed() -> None:
    """A RAW file without a preview, or with a tiny one, is developed."""
    for content in (dng(None), dng(preview((64, 48)))):
        decoded = decode(content, 512, OF_ALL)
        assert decoded.size == SIZE
        assert decoded.image.size == (SIZE[0] // 2, SIZE[1] // 2)
        assert np.asarray(decoded.image).min() > 40


def test_a_tiff_is_no_raw_file() -> None:
    """A scanner's TIFF is decoded as what it is."""
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB")
    buffer = io.BytesIO()
    photo.save(buffer, "TIFF", tiffinfo={271: "Canon"})
    assert not is_raw(buffer.getvalue())
    assert decode(buffer.getvalue(), None, OF_ALL).size == photo.size


@pytest.mark.parametrize(
    "beginning",
    [b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\0", b"\0\0\0\x18ftypcrx \0\0\0\1"],
)
def test_a_raw_file_that_is_broken_says_so(beginning: bytes) -> None:
    """What begins as a RAW file does, and is none, is called one."""
    with pytest.raises(
        PhotoError, match="a damaged RAW file, or a kind of RAW"
    ):
        decode(beginning + bytes(range(256)) * 9, None, OF_ALL)
