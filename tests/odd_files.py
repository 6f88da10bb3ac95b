"""Several hundred photos and other files as people have them, each with what is to come of it.

All show one drawing of six tiles, so that a wrong colour, a wrong side and a missing part are seen.
"""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms, ImageDraw

pillow_heif.register_heif_opener()

WIDTH, HEIGHT = 240, 160
COLUMNS, ROWS = 3, 2
# The tiles, by rows. Of the first one pictures with alpha show nothing.
TILES = (
    (255, 255, 255),
    (60, 140, 90),
    (70, 80, 170),
    (210, 190, 80),
    (128, 128, 128),
    (170, 60, 60),
)
LOSSLESS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
    "HEIF": {"quality": 98, "chroma": 444},
}
SUFFIXES = {
    "JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "HEIF": "heic",
    "TIFF": "tif", "GIF": "gif", "BMP": "bmp",
}  # fmt: skip
# What brings a picture of an EXIF orientation upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
INVERSE = {
    Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DAMAGED_SEED = 16


@dataclass(frozen=True)
class Odd:
    """A file, and what a person expects of it."""

    name: str
    content: bytes
    # The drawing as it is to be seen; None: it may be anything, or nothing.
    look: Image.Image | None = None
    is_photo: bool | None = True  # None: it may be skipped as well
    taken: str | None = None  # ISO 8601; None: not looked at


def drawing() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for number, colour in enumerate(TILES):
        draw.rectangle(tile_box(number, image.size), fill=colour)
    return image


def tile_box(number: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where a tile lies in a picture of any size: left, top, right, bottom."""
    row, column = divmod(number, COLUMNS)
    width, height = size[0] // COLUMNS, size[1] // ROWS
    left, top = column * width, row * height
    return left, top, left + width - 1, top + height - 1


def tile_means(image: Image.Image) -> np.ndarray[Any, Any]:
    """The mean colour of the inner part of each tile, of shape (6, 3)."""
    image = image.convert("RGB")
    means = []
    for number in range(len(TILES)):
        left, top, right, bottom = tile_box(number, image.size)
        across, down = (right - left) // 5, (bottom - top) // 5
        inner = left + across, top + down, right - across, bottom - down
        means.append(np.asarray(image.crop(inner)).mean((0, 1)))
    return np.stack(means)


def saved(image: Image.Image, format_name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    quality = LOSSLESS.get(format_name, {})
    image.save(buffer, format_name, **quality | options)
    return buffer.getvalue()


def turned() -> Iterator[Odd]:
    """Each format that says by EXIF how it is to be turned, in all eight ways."""
    look = drawing()
    for format_name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"):
        for orientation in range(1, 9):
            stored = look
            if orientation in UPRIGHT:
                way = UPRIGHT[orientation]
                stored = look.transpose(INVERSE.get(way, way))
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = orientation
            content = saved(stored, format_name, exif=exif)
            name = f"turned/{orientation}.{SUFFIXES[format_name]}"
            yield Odd(name, content, look)


def in_modes() -> Iterator[Odd]:
    """Every way to write down a picture without alpha."""
    look = drawing()
    grey = look.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    palette = look.quantize()
    black = grey.point(lambda value: 255 * (value > 127))
    in_mode = {
        "1": (black.convert("1"), black),
        "L": (grey, grey),
        "P": (palette, look),
        "RGB": (look, look),
        "CMYK": (look.convert("CMYK"), look),
        "YCbCr": (look.convert("YCbCr"), look),
        "I;16": (deep, grey),
        "F": (Image.fromarray(np.asarray(grey).astype(np.float32)), grey),
    }
    known = {
        "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
        "PNG": ("1", "L", "P", "RGB", "I;16"),
        "WEBP": ("RGB",),
        "AVIF": ("L", "RGB"),
        "HEIF": ("L", "RGB"),
        "TIFF": ("1", "L", "P", "RGB", "CMYK", "YCbCr", "I;16", "F"),
        "GIF": ("1", "L", "P"),
        "BMP": ("1", "L", "P", "RGB"),
    }
    for format_name, modes in known.items():
        for mode in modes:
            stored, seen = in_mode[mode]
            name = f"modes/{mode.replace(';', '')}.{SUFFIXES[format_name]}"
            yield Odd(name, saved(stored, format_name), seen)
            if mode in {"RGB", "L"} and format_name not in {"GIF", "BMP"}:
                profile = SRGB if mode == "RGB" else grey_profile(2.2)
                with_profile = saved(stored, format_name, icc_profile=profile)
                yield Odd(name.replace(".", " profile."), with_profile, seen)
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        content = saved(look, "TIFF", compression=compression)
        yield Odd(f"modes/{compression}.tif", content, look)
    content = saved(black.convert("1"), "TIFF", compression="group4")
    yield Odd("modes/group4.tif", content, black)


def grey_profile(gamma: float) -> bytes:
    """A profile of ICC's version 2 for grey, as scanners' programs write it."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    words = b"Grey"
    description = (
        b"desc\0\0\0\0"
        + struct.pack(">I", len(words) + 1)
        + words
        + b"\0"
        + bytes(4 + 4 + 2 + 1 + 67)
    )
    text = b"text\0\0\0\0none\0"
    parts = {
        b"desc": description,
        b"wtpt": white,
        b"cprt": text,
        b"kTRC": curve,
    }
    offset = 128 + 4 + 12 * len(parts)
    table, data = struct.pack(">I", len(parts)), b""
    for tag, part in parts.items():
        padded = part + bytes(-len(part) % 4)
        table += tag + struct.pack(">II", offset + len(data), len(part))
        data += padded
    size = offset + len(data)
    header = struct.pack(
        ">I4sI4s4s4s12s4s4s44s",
        size, b"\0\0\0\0", 0x02100000, b"mntr", b"GRAY", b"XYZ ",
        struct.pack(">6H", 2020, 1, 1, 0, 0, 0), b"acsp", b"\0\0\0\0", bytes(44),
    )  # fmt: skip
    header = header.ljust(68, b"\0")[:68]
    illuminant = struct.pack(">3i", 63190, 65536, 54061)
    return (header + illuminant).ljust(128, b"\0") + table + data


def with_alpha() -> Iterator[Odd]:
    """Pictures with a hole, which is white whatever colour lies below it, with and without profile."""
    look = drawing()
    hole = Image.new("L", look.size, 255)
    ImageDraw.Draw(hole).rectangle(tile_box(0, look.size), fill=0)
    black = look.copy()
    ImageDraw.Draw(black).rectangle(tile_box(0, look.size), fill=0)
    colour = black.copy()
    colour.putalpha(hole)
    grey = black.convert("LA")
    grey.putalpha(hole)
    for format_name in ("PNG", "WEBP", "AVIF", "TIFF", "HEIF"):
        suffix = SUFFIXES[format_name]
        content = saved(colour, format_name)
        yield Odd(f"alpha/RGBA.{suffix}", content, look)
        content = saved(colour, format_name, icc_profile=SRGB)
        yield Odd(f"alpha/RGBA profile.{suffix}", content, look)
    for format_name in ("PNG", "TIFF"):
        suffix = SUFFIXES[format_name]
        seen = look.convert("L")
        yield Odd(f"alpha/LA.{suffix}", saved(grey, format_name), seen)
        content = saved(grey, format_name, icc_profile=grey_profile(2.2))
        yield Odd(f"alpha/LA profile.{suffix}", content, seen)
    palette = black.quantize(16)
    hidden = palette.getpixel((5, 5))
    for format_name in ("PNG", "GIF"):
        content = saved(palette, format_name, transparency=hidden)
        yield Odd(f"alpha/P.{SUFFIXES[format_name]}", content, look)
    content = saved(palette, "PNG", transparency=hidden, icc_profile=SRGB)
    yield Odd("alpha/P profile.png", content, look)
    deep = Image.fromarray(
        np.asarray(black.convert("L")).astype(np.uint16) * 257
    )
    yield Odd(
        "alpha/I16.png", saved(deep, "PNG", transparency=0), look.convert("L")
    )


def by_numbers() -> Iterator[Odd]:
    """Pictures that say by numbers, not by a profile, what their colours mean.

    How they look is a browser's to say.
    """
    look = drawing()
    plain = saved(look, "PNG")
    for gamma in (100_000, 55_556, 45_455, 38_462):
        chunk = png_chunk(b"gAMA", struct.pack(">I", gamma))
        yield Odd(f"numbers/gAMA {gamma}.png", after_header(plain, chunk))
    # Primaries and transfer of Display P3, and of BT.2020 in its own transfer and in sRGB's.
    for primaries, transfer in ((12, 13), (9, 1), (9, 13)):
        numbers = bytes([primaries, transfer, 0, 1])
        content = after_header(plain, png_chunk(b"cICP", numbers))
        yield Odd(f"numbers/cICP {primaries} {transfer}.png", content)
        avif = bytearray(saved(look, "AVIF"))
        at = avif.index(b"nclx") + 4
        avif[at : at + 4] = struct.pack(">HH", primaries, transfer)
        yield Odd(f"numbers/nclx {primaries} {transfer}.avif", bytes(avif))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def after_header(png: bytes, chunk: bytes) -> bytes:
    """A PNG with one more chunk, behind IHDR."""
    end = 8 + 4 + 4 + 13 + 4
    return png[:end] + chunk + png[end:]


def with_odd_chunks() -> Iterator[Odd]:
    """PNGs whose words or profile, not pixels, are odd: browsers show them."""
    look = drawing()
    plain = saved(look, "PNG")
    for kind in (b"tEXt", b"pHYs", b"gAMA"):
        wrong_sum = (
            png_chunk(kind, b"x\0y" + bytes(6))[:-4] + b"\xde\xad\xbe\xef"
        )
        name = f"chunks/wrong sum of {kind.decode()}.png"
        yield Odd(name, after_header(plain, wrong_sum), look)
    long = zlib.compress(b"x" * 1_500_000)
    text = png_chunk(b"zTXt", b"workflow\0\0" + long)
    yield Odd("chunks/long text.png", after_header(plain, text), look)


def cut() -> Iterator[Odd]:
    """Files that end too early: shown where most of the picture is there, else skipped."""
    look = noisy()
    for format_name, suffix in SUFFIXES.items():
        whole = saved(
            look.quantize() if format_name == "GIF" else look, format_name
        )
        for percent in (99, 75, 50, 25, 10, 1):
            content = whole[: len(whole) * percent // 100]
            name = f"cut/{percent}.{suffix}"
            yield Odd(name, content, None, None if percent > 10 else False)
    content = saved(drawing(), "JPEG")
    yield Odd("cut/two bytes.jpg", content[:-2], drawing())


def noisy() -> Image.Image:
    """The drawing with grain, so that its bytes are spread over all of it."""
    grain = np.random.default_rng(1).integers(-9, 10, (HEIGHT, WIDTH, 3))
    image = np.clip(np.asarray(drawing()).astype(int) + grain, 0, 255)
    return Image.fromarray(image.astype(np.uint8))


def corrupted() -> Iterator[Odd]:
    """Files some of whose bytes are others: anything may come of them, but it is told."""
    dice = random.Random(DAMAGED_SEED)
    look = noisy()
    for format_name, suffix in SUFFIXES.items():
        whole = saved(
            look.quantize() if format_name == "GIF" else look, format_name
        )
        for number in range(24):
            content = bytearray(whole)
            where = len(content) if number % 2 else min(200, len(content))
            for _ in range(1 + number // 4):
                content[dice.randrange(where)] = dice.randrange(256)
            name = f"corrupted/{number}.{suffix}"
            yield Odd(name, bytes(content), None, None)


def no_pictures() -> Iterator[Odd]:
    """What is no picture, by a photo's name."""
    contents = {
        "nothing": b"",
        "zeros": bytes(5000),
        "text": b"This is no photo.\n" * 50,
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "pdf": b"%PDF-1.7\n" + bytes(200),
        "zip": b"PK\3\4" + bytes(200),
        "movie": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(500),
    }
    for what, content in contents.items():
        for suffix in SUFFIXES.values():
            yield Odd(f"none/{what}.{suffix}", content, None, is_photo=False)


def misnamed() -> Iterator[Odd]:
    """Each format by the name of each other."""
    look = drawing()
    for format_name, own in SUFFIXES.items():
        content = saved(
            look.quantize() if format_name == "GIF" else look, format_name
        )
        for suffix in SUFFIXES.values():
            yield Odd(f"misnamed/{own} as.{suffix}", content, look)


def by_other_names() -> Iterator[Odd]:
    """Names that cameras and programs give to formats that are read."""
    look = drawing()
    suffixes = {
        "JPEG": ("jpe", "jfif", "pjpeg", "JPG", "mpo"),
        "PNG": ("apng",),
        "HEIF": ("heif", "hif", "HIF", "heics", "heifs"),
        "AVIF": ("avifs",),
        "TIFF": ("tiff",),
        "BMP": ("dib",),
    }
    for format_name, names in suffixes.items():
        content = saved(look, format_name)
        for suffix in names:
            yield Odd(f"names/{suffix} {format_name}.{suffix}", content, look)


def dated() -> Iterator[Odd]:
    """Dates as cameras and programs leave them."""
    blank, zeros = "    :  :     :  :  ", "0000:00:00 00:00:00"
    good, iso = "2007:02:19 10:11:12", "2007-02-19T10:11:12"
    # DateTimeOriginal, DateTimeDigitized, DateTime
    stamps = {
        "plain": ((good, None, None), iso),
        "digitized": ((None, good, "2021:01:01 00:00:00"), iso),
        "edited": ((None, None, good), iso),
        "blank": ((blank, good, None), iso),
        "zeros": ((zeros, zeros, good), iso),
        "epoch": (("1970:01:01 00:00:00", good, None), iso),
        "far ahead": (("9999:12:31 00:00:00", good, None), iso),
        "no seconds": (("2007:02:19 10:11", None, None), "2007-02-19T10:11:00"),
        "date only": (("2007:02:19", None, None), "2007-02-19T00:00:00"),
        "midnight": (
            ("2007:02:19 24:00:00", None, None),
            "2007-02-20T00:00:00",
        ),
        "slashes": (("2007/02/19 10:11:12", None, None), iso),
    }
    for format_name in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"):
        for what, ((original, digitized, changed), taken) in stamps.items():
            exif = Image.Exif()
            if changed:
                exif[ExifTags.Base.DateTime] = changed
            inner = exif.get_ifd(ExifTags.IFD.Exif)
            if original:
                inner[ExifTags.Base.DateTimeOriginal] = original
            if digitized:
                inner[ExifTags.Base.DateTimeDigitized] = digitized
            content = saved(drawing(), format_name, exif=exif.tobytes())
            name = f"dated/{what}.{SUFFIXES[format_name]}"
            yield Odd(name, content, drawing(), taken=taken)


def odd_files() -> list[Odd]:
    """All of them; no two have one name."""
    makers = (
        turned, in_modes, with_alpha, by_numbers, with_odd_chunks, cut, corrupted, no_pictures, misnamed,
        by_other_names, dated,
    )  # fmt: skip
    return [odd for make in makers for odd in make()]
