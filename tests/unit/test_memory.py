"""What a decoder will take is known before it begins, and is what it takes then."""

import functools
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from image_search.memory import bytes_to_decode
from tests.harness import ROOT, environment

SIDE = 32
SIZE = 4000, 3000
OVERHEAD = 40_000_000  # of any decoding: what a library loads, and bands
TURNED = Image.Exif()
TURNED[ExifTags.Base.Orientation] = 6


@functools.lru_cache(2)
def picture(mode: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """Squares in soft colours, quick to encode."""
    width, height = size
    shade = np.add.outer(np.arange(height) // 64, np.arange(width) // 64)
    grey = Image.fromarray(shade.astype(np.uint8))
    image = Image.merge("RGB", [grey, grey.point(lambda v: 255 - v), grey])
    if mode == "RGBA":
        image.putalpha(grey)
        return image
    if mode == "I;16":
        return Image.fromarray(shade.astype(np.uint16) << 8)
    return image.convert(mode)


def png_of_16_bits(
    size: tuple[int, int], colour: int, channels: int, interlace: int = 0
) -> bytes:
    """A PNG of one shade, which Pillow can't write: `colour` 2 is RGB, 6 is RGBA."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", checksum)
        )

    packer = zlib.compressobj(1)
    shade = b"\0\0" if interlace else b"\x80\0"
    row = b"\0" + shade * channels * size[0]
    packed = b"".join(packer.compress(row) for _ in range(size[1]))
    if interlace:  # each row comes in up to seven parts, of a byte more each
        rows = sum(-(-max(0, size[1] - first) // step)
                   for first, step in ((0, 8), (0, 8), (4, 8), (0, 4), (2, 4), (0, 2), (1, 2)))  # fmt: skip
        packed += packer.compress(bytes(rows - size[1]))
    header = struct.pack(">IIBBBBB", *size, 16, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", packed + packer.flush())
        + chunk(b"IEND", b"")
    )


def tiff_of_16_bits(size: tuple[int, int], compression: int) -> bytes:
    """A camera's TIFF, RGB of 16 bits in one strip; compression 1 is none, 8 deflate."""
    width, height = size
    packer = zlib.compressobj(1)
    row = b"\0\x80" * 3 * width
    strip = b"".join(packer.compress(row) for _ in range(height))
    strip += packer.flush()
    if compression == 1:
        strip = row * height
    tags = [(256, width), (257, height), (258, 0), (259, compression), (262, 2),
            (273, 0), (277, 3), (278, height), (279, len(strip)), (284, 1)]  # fmt: skip
    end = 8 + 2 + 12 * len(tags) + 4
    entries = b""
    for tag, value in tags:
        if tag == 258:  # three shorts, which lie after the entries
            entries += struct.pack("<HHII", tag, 3, 3, end)
        else:
            where = end + 6 if tag == 273 else value
            entries += struct.pack("<HHII", tag, 4, 1, where)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + bytes(4) + struct.pack("<3H", 16, 16, 16) + strip


def encode(mode: str, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture(mode).save(buffer, kind, **options)
    return buffer.getvalue()


PHOTOS_OF_ALL_KINDS = {
    "jpeg": lambda: encode("RGB", "JPEG"),
    "jpeg-progressive": lambda: encode(
        "RGB", "JPEG", progressive=True, subsampling=0
    ),
    "jpeg-cmyk": lambda: encode("CMYK", "JPEG", progressive=True),
    "jpeg-turned": lambda: encode("RGB", "JPEG", exif=TURNED),
    "png": lambda: encode("RGB", "PNG", compress_level=1),
    "png-grey": lambda: encode("L", "PNG", compress_level=1),
    "png-palette": lambda: encode("P", "PNG", compress_level=1),
    "png-transparent": lambda: encode("RGBA", "PNG", compress_level=1),
    "png-16-bits-grey": lambda: encode("I;16", "PNG", compress_level=1),
    "png-16-bits": lambda: png_of_16_bits(SIZE, 2, 3),
    "png-16-bits-transparent": lambda: png_of_16_bits(SIZE, 6, 4),
    "png-interlaced": lambda: png_of_16_bits(SIZE, 6, 4, interlace=1),
    "png-turned": lambda: encode("RGB", "PNG", compress_level=1, exif=TURNED),
    "gif": lambda: encode("P", "GIF"),
    "gif-moving": lambda: encode(
        "P", "GIF", save_all=True, append_images=[picture("L")]
    ),
    "webp": lambda: encode("RGB", "WEBP", method=0),
    "webp-lossless": lambda: encode("RGBA", "WEBP", lossless=True, method=0),
    "webp-moving": lambda: encode(
        "RGB", "WEBP", method=0, save_all=True, append_images=[picture("L")]
    ),
    "avif": lambda: encode("RGB", "AVIF", speed=10),
    "avif-transparent": lambda: encode(
        "RGBA", "AVIF", speed=10, subsampling="4:4:4"
    ),
    "heic": lambda: encode("RGB", "HEIF", quality=10),
    "heic-transparent": lambda: encode("RGBA", "HEIF", quality=10),
    "tiff": lambda: encode("RGB", "TIFF"),
    "tiff-lzw": lambda: encode("RGB", "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: encode("RGB", "TIFF", compression="jpeg"),
    "tiff-one-strip": lambda: encode(
        "RGB", "TIFF", compression="tiff_lzw", tiffinfo={278: SIZE[1]}
    ),
    "tiff-turned": lambda: encode(
        "RGB", "TIFF", compression="tiff_lzw", tiffinfo={274: 6}
    ),
    "tiff-16-bits": lambda: tiff_of_16_bits(SIZE, 1),
    "tiff-16-bits-deflate": lambda: tiff_of_16_bits(SIZE, 8),
    "bmp": lambda: encode("RGB", "BMP"),
}

MEASURE = """
import sys
import io
from PIL import Image
from image_search import decode, photos

def rb_of(kind):
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64)).save(buffer, kind)
    return buffer.getvalue()

def memory(line):
    with open("/proc/self/status") as status:
        found = [one for one in status if one.startswith(line)]
    return int(found[0].split()[1]) * 1024

content, small = [open(name, "rb").read() for name in sys.argv[1:]]
kind = "WEBP" if content[:4] == b"RIFF" else "PNG"
for one in (small, rb_of(kind)):
    photos.read_photo(one, 32)  # loads what any decoding needs
opened = decode.open_photo(content, 512, decode.OF_ALL)
told = opened.bytes_to_decode(512)
before = memory("VmRSS")
with open("/proc/self/clear_refs", "w") as clear:
    clear.write("5")  # the peak begins anew
opened.load(512)
print(told, memory("VmHWM") - before)
"""


@pytest.mark.parametrize("kind", PHOTOS_OF_ALL_KINDS)
def test_what_a_decoder_takes_is_known_before(
    kind: str, tmp_path: Path
) -> None:
    """The peak of a decoder's memory is not above what the header told, nor far below."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system doesn't tell a process's peak")
    file, small = tmp_path / "photo", tmp_path / "small"
    file.write_bytes(PHOTOS_OF_ALL_KINDS[kind]())
    picture("RGB", (64, 64)).save(small, "PNG")
    output = subprocess.check_output(
        [sys.executable, "-c", MEASURE, file, small],
        cwd=ROOT,
        env=environment(),
        timeout=120,
    )
    told, taken = map(int, output.split())
    assert taken < told + OVERHEAD
    assert told < 2 * taken + OVERHEAD


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_a_tile_may_be_larger_than_its_image() -> None:
    """A TIFF of a few pixels whose tiles have billions is known for what it is."""
    content = encode("L", "TIFF", compression="tiff_lzw")
    image = opened(content)
    del image.tag_v2[278]  # type: ignore[attr-defined]
    image.tag_v2[322] = image.tag_v2[323] = 60_000  # type: ignore[attr-defined]
    assert bytes_to_decode(image, image.size) > 3e9
