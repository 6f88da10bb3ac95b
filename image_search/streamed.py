"""PNG and WebP, and TIFFs that Pillow does not read: decoded by libvips.

It streams: an image is made smaller while it is decoded, so that a PNG of 169
megapixels takes some megabytes. It takes half the time that Pillow takes.
"""

import contextlib
import functools
import os
from dataclasses import dataclass
from typing import Any

from PIL import Image

from image_search import png
from image_search.cicp import Colours
from image_search.orientation import orientation_in
from image_search.png import PngHeader

# Of an image that is streamed: the rows that are in memory at a time. What is
# transparent is made smaller as floats.
ROWS = 512
ROWS_OF_FLOATS = 1024
FLOAT_BYTES = 4
DEEP = 16  # bits of a sample
# What libwebp holds of each pixel of a file: of a lossless one all of it.
LOSSLESS_BYTES = 6
LOSSY_BYTES = 2
AVIF_BYTES = 16  # of each pixel
GIF_BYTES = 12
HEAD = 2**16  # bytes of a WebP, whose first frame tells what it is
# By libvips's names of them.
BYTES_OF_FORMATS = {"uchar": 1, "char": 1, "ushort": 2, "short": 2}


@functools.cache
def vips() -> Any:
    """The library, loaded when it is needed: it takes 3 MB, and 0.05 s."""
    # It says nothing by itself then, and
    os.environ.setdefault("VIPS_WARNING", "1")
    import pyvips

    # nothing by Python, where the garbage collector may end an image amid a message.
    # That has something to say in its turn, which GLib takes for a loop, and aborts.
    pyvips._remove_log_handler()
    pyvips.cache_set_max(0)  # no photo comes twice
    return pyvips


@dataclass(frozen=True)
class StreamedPhoto:
    """A photo that libvips decodes, of which the header was read."""

    content: bytes
    loader: str
    size: tuple[int, int]  # pixels, as they lie in the file
    in_memory: int  # bytes for the whole file's decoding, beside what comes out
    orientation: int
    profile: bytes | None
    colours: Colours
    is_plain: bool  # in RGB, without transparency
    is_damaged: bool = False  # as far as its header tells
    is_lenient: bool = False  # what can't be decoded is black, or clear

    def bytes_to_decode(self, at_least: int | None) -> int:
        """What its decoding takes at the most."""
        factor = self._factor(at_least)
        width, height = (-(-side // factor) for side in self.size)
        copies = 3 if factor > 1 else 4
        return self.in_memory + copies * 4 * width * height

    def load(self, at_least: int | None) -> Image.Image:
        """Decode it, to no side under `at_least`, into samples of 8 bits.

        Whatever is wrong with it raises libvips's error.
        """
        factor = self._factor(at_least)
        if self.loader == "webpload_buffer":
            return _to_pillow(self._open(scale=1 / factor))
        image = self._open(access="sequential")
        if self.loader == "tiffload_buffer":
            image = _to_eight_bits(image)
        if factor > 1:
            image = _shrink(image, factor)
        return _to_pillow(image)

    def _factor(self, at_least: int | None) -> int:
        return max(1, min(self.size) // at_least) if at_least else 1

    def _open(self, **options: Any) -> Any:
        load = getattr(vips().Image, self.loader)
        fail_on = "none" if self.is_lenient else "error"
        return load(self.content, fail_on=fail_on, **options)


def open_png(content: bytes) -> StreamedPhoto:
    """Read a PNG's header; raises ValueError if it is broken."""
    header = png.read_header(content)
    if header is None:
        raise ValueError("the header is broken")
    profile = None
    if header.has_profile:
        with contextlib.suppress(vips().Error):
            image = vips().Image.pngload_buffer(content)
            profile = image.get("icc-profile-data")
    return StreamedPhoto(
        content,
        "pngload_buffer",
        (header.width, header.height),
        _bytes_of_png(header),
        orientation_in(header.exif),
        profile,
        _colours(header),
        is_plain=header.colour == png.RGB and not header.has_transparency,
        is_damaged=header.is_damaged,
    )


def open_webp(content: bytes) -> StreamedPhoto:
    """Read a WebP's header; raises libvips's error if it is broken."""
    image = vips().Image.webpload_buffer(content)
    exif = _field(image, "exif-data") or b""
    pixels = image.width * image.height
    is_lossless = b"VP8L" in content[:HEAD]
    return StreamedPhoto(
        content,
        "webpload_buffer",
        (image.width, image.height),
        pixels * (LOSSLESS_BYTES if is_lossless else LOSSY_BYTES),
        orientation_in(exif),
        _field(image, "icc-profile-data"),
        Colours(),
        is_plain=not image.hasalpha(),
    )


def open_jpeg(content: bytes) -> StreamedPhoto:
    """Read the header of a damaged JPEG; raises libvips's error."""
    image = vips().Image.jpegload_buffer(content, fail_on="none")
    exif = _field(image, "exif-data") or b""
    return StreamedPhoto(
        content,
        "jpegload_buffer",
        (image.width, image.height),
        2 * 3 * image.width * image.height,  # it may be a progressive one
        orientation_in(exif),
        _field(image, "icc-profile-data"),
        Colours(),
        is_plain=False,
    )


def open_gif(content: bytes) -> StreamedPhoto:
    """Read the header of a damaged GIF; raises libvips's error."""
    image = vips().Image.gifload_buffer(content, fail_on="none")
    return StreamedPhoto(
        content,
        "gifload_buffer",
        (image.width, image.height),
        GIF_BYTES * image.width * image.height,
        1,
        None,
        Colours(),
        is_plain=False,
    )


def open_avif(content: bytes) -> StreamedPhoto:
    """Read the header of an AVIF that libavif refuses; raises libvips's error."""
    image = vips().Image.heifload_buffer(content)
    return StreamedPhoto(
        content,
        "heifload_buffer",
        (image.width, image.height),
        AVIF_BYTES * image.width * image.height,
        1,  # libheif has turned it
        _field(image, "icc-profile-data"),
        Colours(),
        is_plain=False,
    )


def open_tiff(content: bytes) -> StreamedPhoto:
    """Read the header of a TIFF of a rare kind; raises libvips's error."""
    image = vips().Image.tiffload_buffer(content)
    sample = BYTES_OF_FORMATS.get(image.format, 4)
    whole = image.width * image.height * image.bands * sample
    # Of others libvips makes sRGB.
    has_own = image.interpretation in {"srgb", "rgb16", "b-w", "grey16"}
    profile = _field(image, "icc-profile-data") if has_own else None
    return StreamedPhoto(
        content,
        "tiffload_buffer",
        (image.width, image.height),
        whole,
        int(_field(image, "orientation") or 1),
        profile,
        Colours(),
        is_plain=False,
    )


def _colours(header: PngHeader) -> Colours:
    if header.numbers:
        return Colours(*header.numbers)
    return Colours(gamma=header.gamma, points=header.points)


def _field(image: Any, name: str) -> Any:
    return image.get(name) if name in image.get_fields() else None


def _bytes_of_png(header: PngHeader) -> int:
    sample = 2 if header.depth == DEEP else 1
    row = header.width * header.channels
    rows = header.height if header.is_interlaced else min(header.height, ROWS)
    needed = row * rows * sample
    if header.has_transparency:
        needed += row * FLOAT_BYTES * min(header.height, ROWS_OF_FLOATS)
    return needed


def _shrink(image: Any, factor: int) -> Any:
    """Shrink by a whole factor; what is transparent lends no colour to the rest."""
    kind = image.format
    if not image.hasalpha():
        return image.shrink(factor, factor)
    small = image.premultiply().shrink(factor, factor)
    return small.unpremultiply().cast(kind)


def _to_eight_bits(image: Any) -> Any:
    """Bring a TIFF's samples of any kind to grey or RGB of 8 bits."""
    is_grey = image.interpretation in {"b-w", "grey16"}
    return image.colourspace("b-w" if is_grey else "srgb")


def _to_pillow(image: Any) -> Image.Image:
    if image.format == "ushort":
        image = image >> 8
    if image.format != "uchar":
        image = image.cast("uchar")
    # libvips calls one pixel a number.
    shape = image.height, image.width, image.bands
    samples = image.numpy().reshape(shape)
    return Image.fromarray(samples[..., 0] if image.bands == 1 else samples)
