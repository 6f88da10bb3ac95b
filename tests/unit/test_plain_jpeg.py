"""Only a JPEG that is ordinary and whole is one for any decoder."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from image_search.plain_jpeg import read_plain
from tests.harness import PHOTOS

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORDINARY: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 4},
    "optimal codes": {"optimize": True},
    "a comment": {"comment": b"of a photo"},
    "a profile": {"icc_profile": SRGB},
}


def coffee(mode: str = "RGB") -> Image.Image:
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB")
    return photo.resize((301, 203)).convert(mode)


def encode(mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    coffee(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def pixels(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)))


def is_plain(content: bytes) -> bool:
    return read_plain(content, 1, 10**6) is not None


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_ones(mode: str, kind: str) -> None:
    """Those of cameras and programs are; what is left of them are all their pixels."""
    options = ORDINARY[kind]
    content = encode(mode, **options)
    plain = read_plain(content, 1, 10**6)
    assert plain
    assert (plain.width, plain.height) == (301, 203)
    assert plain.bands == (3 if mode == "RGB" else 1)
    assert plain.is_progressive == ("progressive" in options)
    assert (pixels(plain.content) == pixels(content)).all()


def test_neither_metadata_nor_what_follows_is_left() -> None:
    """Nobody else turns the photo, or applies its profile: that is the app's own work."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    plain = read_plain(encode(), 1, 10**6)
    rich = encode(exif=exif, icc_profile=SRGB, comment=b"of a photo")
    of_rich = read_plain(rich + b"\0a film\xff\xd8", 1, 10**6)
    assert plain
    assert of_rich
    assert plain.content == of_rich.content


def test_the_number_of_pixels_is_told_by_the_header() -> None:
    """What has fewer or more than asked is none, the bounds are."""
    content, count = encode(), 301 * 203
    assert read_plain(content, count, count)
    assert read_plain(content, count + 1, count + 2) is None
    assert read_plain(content, 1, count - 1) is None


def test_rare_ones_are_none() -> None:
    """CMYK, colours that are not YCbCr, 12 bits, rare frames and samplings are not."""
    content = encode(subsampling=2)
    frame = content.index(b"\xff\xc0\0\x11\x08")
    changes = {
        1: 0xC9,  # arithmetic codes
        4: 12,  # bits
        5: 0,  # no height
        10: ord("R"),  # a component's number
        11: 0x41,  # 4:1:1
        14: 0x21,  # colour that is sampled as brightness is
    }
    changes[6] = changes.pop(5)  # height is 203: its second byte
    for at, value in changes.items():
        changed = bytearray(content)
        changed[frame + at] = value
        assert not is_plain(bytes(changed)), at
    assert not is_plain(encode("CMYK"))
    assert not is_plain(encode(keep_rgb=True))


def test_what_is_not_whole_is_none() -> None:
    """However much of it is there, and whatever bytes came in between."""
    for is_progressive in (False, True):
        content = encode(progressive=is_progressive)
        assert is_plain(content)
        for length in range(0, len(content), 17):
            assert not is_plain(content[:length]), length
        assert not is_plain(content[:-2])
        assert not is_plain(content[:-2] + bytes(100))
    assert not is_plain(encode()[:-2] + encode()[2:])


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"GIF89a"]
)
def test_what_is_no_jpeg_is_none(content: bytes) -> None:
    assert not is_plain(content)


def test_garbage_is_read_to_its_end() -> None:
    """No bytes make it fail in another way, or take long."""
    content = encode()
    noise = np.random.default_rng(0)
    for _ in range(300):
        broken = np.frombuffer(content, np.uint8).copy()
        places = noise.integers(2, len(broken), 20)
        broken[places] = noise.integers(0, 256, 20)
        is_plain(broken.tobytes())
    is_plain(b"\xff\xd8" + b"\xff" * 10**6)
