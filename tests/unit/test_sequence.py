"""A HEIC sequence, which has no still, shows its first image."""

import functools
import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from PIL import Image

from image_search.boxes import boxes, is_whole, properties
from image_search.decode import OF_ALL, decode
from image_search.sequence import first_still
from tests.harness import PHOTOS


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, *bodies: bytes) -> bytes:
    return box(kind, bytes(4), *bodies)


def photo() -> Image.Image:
    return Image.open(PHOTOS / "coffee.png").convert("RGB").resize((128, 96))


@functools.cache
def still() -> bytes:
    buffer = io.BytesIO()
    photo().save(buffer, "HEIF", quality=90)
    return buffer.getvalue()


@functools.cache
def sequence(*, large: bool = False) -> bytes:
    """What a phone writes of a burst: a track of two samples, the first is the photo's."""
    content = still()
    hvcc = dict(properties(content))["hvcC"]
    [sample] = [
        content[start:end]
        for kind, start, end in boxes(content, 0, len(content))
        if kind == "mdat"
    ]
    second = bytes(100)
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16)
    entry += struct.pack(">HH", 128, 96) + bytes(50) + box(b"hvcC", hvcc)
    head = box(b"ftyp", b"msf1\0\0\0\0msf1hevc")

    def moov(at: int) -> bytes:
        place = struct.pack(">IQ" if large else ">II", 1, at)
        table = box(
            b"stbl",
            full(b"stsd", struct.pack(">I", 1), box(b"hvc1", entry)),
            full(b"stsz", struct.pack(">IIII", 0, 2, len(sample), len(second))),
            full(b"co64" if large else b"stco", place),
        )
        return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", table))))

    at = len(head) + len(moov(0)) + 8
    return head + moov(at) + box(b"mdat", sample, second)


@pytest.mark.parametrize("large", [False, True])
def test_a_sequence_shows_its_first_image(*, large: bool) -> None:
    """The first sample of a track is a photo like another."""
    decoded = decode(sequence(large=large), None, OF_ALL)
    assert (decoded.size, decoded.is_damaged) == ((128, 96), False)
    difference: Any = np.asarray(decoded.image).astype(int) - np.asarray(
        photo()
    )
    assert np.abs(difference).mean() < 4


def test_a_still_is_no_sequence() -> None:
    """A file with an image of its own, or none, has no other made."""
    assert first_still(still()) is None
    assert first_still(b"") is None
    assert first_still(b"no photo") is None


@settings(max_examples=200, deadline=None)
@given(
    at=strategies.integers(0, 600),
    change=strategies.binary(min_size=1, max_size=9),
    length=strategies.integers(0, 700),
)
def test_broken_boxes_raise_nothing(
    at: int, change: bytes, length: int
) -> None:
    """Whatever a file's boxes say, they are read in no time, and raise nothing."""
    for content in (bytearray(sequence()), bytearray(still())):
        content[at : at + len(change)] = change
        broken = bytes(content[:length] if length < 600 else content)
        first_still(broken)
        properties(broken)
        is_whole(broken)
