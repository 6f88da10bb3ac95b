"""Only what is seen in another way than by the version before is embedded again."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from image_search.looks import looks_as_before
from tests.harness import PHOTOS

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encode(mode: str, kind: str, **options: Any) -> bytes:
    pixels = np.asarray(Image.open(PHOTOS / "coffee.png").convert("RGB"))
    photo = Image.fromarray(pixels).resize((60, 40))
    if mode in {"LA", "RGBA"}:
        photo.putalpha(photo.convert("L"))
    buffer = io.BytesIO()
    photo.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "JPEG", {}),
        ("RGB", "JPEG", {"icc_profile": SRGB}),
        ("CMYK", "JPEG", {}),
        ("L", "PNG", {}),
        ("RGB", "PNG", {"icc_profile": SRGB}),
        ("RGBA", "PNG", {}),
        ("P", "PNG", {}),
        ("P", "GIF", {}),
        ("RGB", "WEBP", {"icc_profile": SRGB}),
        ("RGBA", "WEBP", {}),
        ("RGB", "AVIF", {}),
        ("RGB", "HEIF", {}),
        ("RGB", "TIFF", {"icc_profile": SRGB}),
        ("RGB", "BMP", {}),
    ],
)
def test_most_photos_look_as_before(
    mode: str, kind: str, options: dict[str, Any]
) -> None:
    """Photos of cameras and phones, and plain pictures, keep their vectors."""
    assert looks_as_before(encode(mode, kind, **options))


def numbered(primaries: int) -> bytes:
    content = encode("RGB", "AVIF")
    at = content.index(b"nclx") + 4
    return content[:at] + struct.pack(">H", primaries) + content[at + 2 :]


def with_gamma() -> bytes:
    content = encode("RGB", "PNG")
    data = b"gAMA" + struct.pack(">I", 100_000)
    checksum = struct.pack(">I", zlib.crc32(data))
    return content[:33] + struct.pack(">I", 4) + data + checksum + content[33:]


def deep_tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9), 3000, np.uint16)).save(buffer, "TIFF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        encode("RGBA", "PNG", icc_profile=SRGB),
        encode("P", "PNG", icc_profile=SRGB),
        encode("RGBA", "WEBP", icc_profile=SRGB),
        encode("RGBA", "TIFF", icc_profile=SRGB),
        encode("RGBA", "AVIF", icc_profile=SRGB),
        numbered(12),
        with_gamma(),
        deep_tiff(),
        b"no photo",
        b"",
    ],
    ids=range(10),
)
def test_what_looks_different_is_embedded_again(content: bytes) -> None:
    """Kinds that were shown wrongly are not taken for seen."""
    assert not looks_as_before(content)


def test_a_heic_turned_by_exif_is_embedded_again() -> None:
    """A HEIC that lay on its side does not keep its vector."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert not looks_as_before(encode("RGB", "HEIF", exif=exif))
