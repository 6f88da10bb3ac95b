"""Why a file is no photo is said in words that anybody understands."""

import io
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from image_search.decode import Limits, decode
from image_search.photos import read_facts, read_photo
from image_search.reasons import CUT_OFF, PhotoError, log_reading
from tests.harness import PHOTOS, png_of_many_pixels

SIDE = 32
KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF")


def encode(kind: str, **options: Any) -> bytes:
    photo = Image.open(PHOTOS / "cat.png").convert("RGB")
    buffer = io.BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()


def reason(content: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(content, SIDE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty file"),
        (bytes(5000), "empty file: all its bytes are zero"),
        (b"%PDF-1.7\n...", "a PDF with a photo's name"),
        (b"<!DOCTYPE html><html>", "a web page with a photo's name"),
        (b"  <html lang='en'>", "a web page with a photo's name"),
        (b"<svg xmlns='x'/>", "an SVG drawing with a photo's name"),
        (b"<?xml version='1.0'?>\n<svg/>", "an SVG drawing with a photo's name"),
        (b"<?xml version='1.0'?>\n<a/>", "an XML file with a photo's name"),
        (b'{"error": 404}', "a JSON file with a photo's name"),
        (b"PK\3\4" + bytes(60), "a ZIP archive with a photo's name"),
        (b"\0\0\0\x20ftypisom" + bytes(60), "a video with a photo's name"),
        (b"8BPS\0\1" + bytes(60), "a Photoshop document with a photo's name"),
        ("Lieber Fritz, grüße".encode(), "a text with a photo's name"),
        (b"P6 4 4 255\n" + bytes(48), "a picture of the PNM family with a photo's name"),
        (b"\x93\x01\xfe" + bytes(range(256)), "not a picture of a known kind"),
    ],
)  # fmt: skip
def test_other_files_with_a_photos_name(content: bytes, expected: str) -> None:
    """A file that is no picture is called what it is."""
    assert reason(content) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.3])
def test_a_file_without_its_end_is_cut_off(kind: str, part: float) -> None:
    """Of each kind, what misses its end is said to be cut off."""
    content = encode(kind)
    assert reason(content[: int(part * len(content))]) == CUT_OFF


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_of_a_kind_and_broken_says_of_which(kind: str) -> None:
    """A file with a known beginning and nothing that can be read names its kind."""
    content = bytearray(encode(kind))
    content[24:-30] = b"\x55" * (len(content) - 54)
    name = {"WEBP": "WebP", "HEIF": "HEIC"}.get(kind, kind)
    told = reason(bytes(content))
    assert told in {
        f"a damaged {name} file, or a kind of {name} that is not read",
        CUT_OFF,
        "damaged: what is left of it can't be shown",
    } or re.match("more than|it would take", told)


def test_more_pixels_than_are_decoded() -> None:
    """How many pixels are too many is said in megapixels."""
    content = png_of_many_pixels(23_000, 23_000)
    assert reason(content) == "more than 500 megapixels"
    small = Limits(bytes=2**30, pixels=1000)
    with pytest.raises(PhotoError, match="more than 0 megapixels"):
        decode(encode("JPEG"), None, small)


def failure_of(
    read: Callable[[bytes], object], content: bytes
) -> PhotoError | None:
    try:
        read(content)
    except PhotoError as error:
        return error
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_are_our_own(kind: str) -> None:
    """No reason holds a decoder's words, a line break or a path; those are notes."""
    content = encode(kind)
    middle = len(content) // 2
    for broken in (
        content[: len(content) // 4],
        content[:40] + b"\xff\0" * 99 + content[300:middle],
        content[:16] + bytes(64) + content[80:],
        content[:60] + content[90:],
    ):
        for read in (lambda one: read_photo(one, SIDE), read_facts):
            error = failure_of(read, broken)
            assert not re.search(
                r"[\n<>_/]|0x|rror|Pillow|vips|bomb", str(error)
            )
            notes = getattr(error, "__notes__", [])
            assert all("\n" not in note for note in notes)


def test_a_photos_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A reason is a warning, a decoder's remark a line for who debugs, each with the name."""
    logger = logging.getLogger("test")
    with caplog.at_level(logging.DEBUG):
        log_reading(logger, "a.jpg", None, None)
        log_reading(logger, "b.jpg", "empty file", None)
        log_reading(logger, "c.jpg", None, "Corrupt JPEG data")
    assert caplog.messages == [
        "b.jpg is skipped: empty file.",
        "c.jpg: Corrupt JPEG data.",
    ]
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING, logging.DEBUG]
