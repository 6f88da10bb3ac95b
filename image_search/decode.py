"""A photo's file is opened, and decoded by the library that reads its kind best.

Pillow reads JPEG quickest, and HEIC, AVIF, GIF, TIFF and BMP; libvips PNG and WebP,
and the TIFFs that Pillow refuses; LibRaw finds the picture in cameras' RAW files.
"""

import contextlib
import dataclasses
import io
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from PIL import Image

from image_search import bmp, raw, repair, sequence, streamed
from image_search.cicp import Colours
from image_search.colour import to_srgb_on_white
from image_search.jpeg_client import decode_elsewhere
from image_search.orientation import turn, upright_size
from image_search.pillow_photo import (
    DecodeElsewhere,
    PillowPhoto,
    colours_in_boxes,
    orientation_of,
    smallest_factor,
)
from image_search.quiet import one_line
from image_search.reasons import (
    CUT_OFF,
    DAMAGED,
    OutOfMemory,
    PhotoError,
    check_memory,
    check_pixels,
    kind_of,
    why_not,
)
from image_search.samples import shrink_in_bands
from image_search.streamed import StreamedPhoto

# What shows as much as there is of what others refuse.
LENIENT = {
    "JPEG": streamed.open_jpeg,
    "PNG": streamed.open_png,
    "WebP": streamed.open_webp,
}
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "TIFF")

Image.MAX_IMAGE_PIXELS = None  # see Limits


class Undecodable(PhotoError):
    """A decoder refused it, or failed."""


class Limits(NamedTuple):
    """What a photo may take."""

    bytes: int  # of memory, at the peak of its decoding
    pixels: int


# For who looks at the header alone.
OF_ALL = Limits(bytes=2**40, pixels=2**40)


class Opened(Protocol):
    """A photo whose header was read."""

    @property
    def size(self) -> tuple[int, int]: ...  # pixels, as they lie in the file
    @property
    def orientation(self) -> int: ...  # as EXIF has it, 1 to 8
    @property
    def profile(self) -> bytes | None: ...
    @property
    def colours(self) -> Colours: ...
    @property
    def is_damaged(self) -> bool: ...  # as far as its header tells
    def bytes_to_decode(self, at_least: int | None) -> int: ...
    def load(self, at_least: int | None) -> Image.Image: ...


class Decoded(NamedTuple):
    """A photo as a person sees it."""

    image: Image.Image  # RGB; as small as was allowed
    size: tuple[int, int]  # pixels of the photo, upright
    is_damaged: bool  # it was shown all the same


def read_size(content: bytes, limits: Limits) -> tuple[int, int]:
    """Upright width and height in pixels, by the header alone; raises PhotoError."""
    try:
        with _decoder_errors(content):
            opened = open_photo(content, None, limits)
    except Undecodable:
        mended = repair.mend(content)
        if mended is None:
            raise
        with _decoder_errors(content):
            opened = open_photo(mended.content, None, limits)
    return upright_size(opened.size, opened.orientation)


def decode(
    content: bytes,
    at_least: int | None,
    limits: Limits,
    elsewhere: DecodeElsewhere = decode_elsewhere,
) -> Decoded:
    """Decode a photo (or its first frame): upright, RGB, on white, in sRGB.

    With `at_least` it may come out smaller, which is quicker, but with no side under
    so many pixels. `elsewhere`: asked first for a JPEG's pixels. Raises PhotoError.
    """
    if repair.ends_in_zeros(content):
        return _decode_damaged(content, at_least, limits)
    try:
        with _decoder_errors(content):
            opened = open_photo(content, at_least, limits)
            if isinstance(opened, PillowPhoto):
                opened.decode_elsewhere = elsewhere
            return _seen(*_load(opened, at_least, limits))
    except Undecodable as failure:
        try:
            return _decode_damaged(content, at_least, limits)
        except Undecodable:  # the first reason is the better one
            raise failure from None


def open_photo(content: bytes, at_least: int | None, limits: Limits) -> Opened:
    """Read a photo's header. Raises whatever its decoder does."""
    opened = _open(content, at_least, limits)
    check_pixels(opened.size, limits.pixels)
    return opened


def _open(content: bytes, at_least: int | None, limits: Limits) -> Opened:
    kind = kind_of(content)
    if kind == "PNG":
        return streamed.open_png(content)
    if kind == "WebP":
        return streamed.open_webp(content)
    if raw.is_raw(content):
        with _no_raw_after_all(kind):
            preview = raw.read_preview(content, at_least or 1, limits.bytes)
            return PillowPhoto(*preview)
    try:
        return _open_by_pillow(content)
    except Exception:
        other = _open_otherwise(content, limits)
        if other is None:
            raise
        return other


def _open_by_pillow(content: bytes) -> PillowPhoto:
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    return PillowPhoto(
        image,
        orientation_of(image, content),
        None,
        colours_in_boxes(content),
        content,
    )


def _open_otherwise(content: bytes, limits: Limits) -> Opened | None:
    """Open what Pillow refuses, if somebody else may read it."""
    if content[:2] in {b"II", b"MM"}:
        return streamed.open_tiff(content)
    match kind_of(content):
        case "AVIF":
            return _open_avif(content)
        case "HEIC":
            still = sequence.first_still(content)
            return _open_by_pillow(still) if still else None
        case "BMP":
            return PillowPhoto(bmp.read_bmp(content, limits.bytes))
    return None


@contextlib.contextmanager
def _no_raw_after_all(kind: str | None) -> Iterator[None]:
    """Let LibRaw refuse what may be a TIFF like others."""
    import rawpy

    try:
        yield
    except rawpy.LibRawError:
        if kind != "TIFF":
            raise


def _load(
    opened: Opened, at_least: int | None, limits: Limits
) -> tuple[Opened, Image.Image]:
    """Decode a photo; also returns who did it."""
    check_memory(opened.bytes_to_decode(at_least), limits.bytes)
    try:
        return opened, opened.load(at_least)
    except Exception:
        # Pillow may know the header of what it can't decode.
        other = _second_reader(opened)
        if other is None:
            raise
        check_memory(other.bytes_to_decode(at_least), limits.bytes)
        return other, other.load(at_least)


def _second_reader(opened: Opened) -> StreamedPhoto | None:
    if not isinstance(opened, PillowPhoto):
        return None
    match opened.image.format:
        case "TIFF":
            return streamed.open_tiff(opened.content)
        case "AVIF":
            return _open_avif(opened.content)
    return None


def _open_avif(content: bytes) -> StreamedPhoto:
    return dataclasses.replace(
        streamed.open_avif(content), colours=colours_in_boxes(content)
    )


def _decode_damaged(
    content: bytes, at_least: int | None, limits: Limits
) -> Decoded:
    """Decode what is left of a file that a decoder refuses, if that is enough."""
    with _decoder_errors(content):
        mended = repair.mend(content)
        if mended is None:
            raise ValueError("it can't be mended")
        opened, image = _load_mended(mended.content, at_least, limits)
        part = repair.part_shown(image, kind_of(content))
        if min(part, mended.part) < repair.LEAST:
            is_cut = repair.is_cut_off(content)
            is_cut = is_cut or repair.ends_in_zeros(content)
            raise PhotoError(CUT_OFF if is_cut else DAMAGED)
        if kind_of(content) == "JPEG":
            image = repair.without_grey(image, part)
        image = shrink_in_bands(image, smallest_factor(image, at_least))
        return _seen(opened, image)._replace(is_damaged=True)


def _load_mended(
    content: bytes, at_least: int | None, limits: Limits
) -> tuple[Opened, Image.Image]:
    """Decode a file that was made whole, as leniently as can be."""
    kind = kind_of(content)
    if kind == "GIF":
        at_least = None  # so that the rows can be told that are missing
        again = streamed.open_gif(content)
    else:
        try:
            opened = open_photo(content, at_least, limits)
            return _load(opened, at_least, limits)
        except (PhotoError, MemoryError):
            raise
        except Exception:
            if kind not in LENIENT:
                raise
            again = LENIENT[kind](content)
    check_pixels(again.size, limits.pixels)
    again = dataclasses.replace(again, is_lenient=True)
    return _load(again, at_least, limits)


@contextlib.contextmanager
def _decoder_errors(content: bytes) -> Iterator[None]:
    """Whatever a decoder raises becomes a PhotoError in our own words.

    The decoder's are a note to it, for the log.
    """
    try:
        yield
    except PhotoError:
        raise
    except MemoryError:
        raise OutOfMemory from None
    except Exception as error:
        is_cut_off = repair.is_cut_off(content)
        told = Undecodable(why_not(content, is_cut_off=is_cut_off))
        told.add_note(one_line(str(error) or repr(error)))
        raise told from error


def _seen(opened: Opened, image: Image.Image) -> Decoded:
    """Turn samples of 8 bits upright, and bring them to RGB on white in sRGB."""
    image = to_srgb_on_white(image, opened.profile, opened.colours)
    image = turn(image, opened.orientation)
    size = upright_size(opened.size, opened.orientation)
    return Decoded(image, size, opened.is_damaged)
