"""A photo's bytes become the image that a person sees, and what is known of it.

Run it in a worker: decoders crash, hang and take gigabytes on some files.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from image_search.colour import in_colour, shrink_in_bands, white_of
from image_search.dates import Taken, read_taken
from image_search.files import open_regular_file
from image_search.kinds import PILLOW_FORMATS
from image_search.headers import read_tags
from image_search.memory import bytes_to_decode
from image_search.metadata import Details, read_details

# The versions of what decodes photos.
READERS = f"Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__}"
PREPROCESSING = 3  # count up when the model is to see photos in another way
THUMBNAIL_SIZE = 512  # pixels on the longer side; made when a photo is read
# EXIF orientations that swap width and height
TURNED_BY_A_QUARTER = range(5, 9)
# What a photo may take to be decoded. 16 bits of 100 megapixels take 1.0 GB.
MOST_BYTES = 1_500_000_000
# And one that is sent: several may come at a time.
MOST_UPLOAD_BYTES = 800_000_000
# Photos of more pixels are handled in bands, lest each step takes a copy of the whole.
LARGE = 2**24
# Of a whole photo: itself, turned, converted, white, and on white.
COPIES = 5
COPIES_IN_BANDS = 3  # itself, converted, turned; where it can't be made smaller

# An image as an array of shape (height, width, 3), RGB, 8 bits.
Pixels = np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]

pillow_heif.register_heif_opener()
# Pillow refuses twice as many, and would warn about fewer.
Image.MAX_IMAGE_PIXELS = 100_000_000
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PhotoError(ValueError):
    """Why these bytes are no photo that can be shown to the model."""


class OutOfMemory(PhotoError):
    """Decoding it took more memory than there was; there may be more another time."""

    def __init__(
        self, reason: str = "there is too little memory to decode it"
    ) -> None:
        super().__init__(reason)


@dataclass(frozen=True)
class Facts:
    """What a photo's header tells."""

    width: int  # pixels, upright
    height: int
    taken: Taken | None = None  # None if it doesn't say
    details: Details = field(default_factory=Details)


@dataclass(frozen=True)
class Reading:
    """All that one visit to a photo brings home."""

    facts: Facts
    pixels: Pixels  # for the model
    thumbnail: bytes  # JPEG, within THUMBNAIL_SIZE


def read_photo(content: bytes, side: int) -> Reading:
    """Read all of a photo for a model of `side` pixels; raises PhotoError."""
    at_least = max(2 * side, THUMBNAIL_SIZE)
    with _decoder_errors():
        image = _open(content)
        size = image.size  # the draft makes it smaller
        _decode(image, at_least)
        facts = _facts(content, image, size)
        image = _as_seen(image, at_least)
        pixels = _model_input(image, side)
        return Reading(facts, pixels, _thumbnail(image, THUMBNAIL_SIZE))


def read_pixels(content: bytes, side: int) -> Pixels:
    """Decode a photo that was sent, for a model that looks at `side` pixels.

    Raises PhotoError.
    """
    image = load_image(content, 2 * side, MOST_UPLOAD_BYTES)
    return _model_input(image, side)


def read_facts(content: bytes) -> Facts:
    """Read a photo's header alone; raises PhotoError."""
    with _decoder_errors():
        image = _open(content)
        return _facts(content, image, image.size)


def load_image(
    content: bytes, at_least: int | None = None, most_bytes: int = MOST_BYTES
) -> Image.Image:
    """Decode a photo (or its first frame): upright, RGB, on white, in sRGB.

    With `at_least` it may come out smaller, which is quicker, but with no side under
    so many pixels. Raises PhotoError, also for one that would take too much memory.
    """
    with _decoder_errors():
        image = _open(content)
        _decode(image, at_least, most_bytes)
        return _as_seen(image, at_least)


def make_thumbnail(photo: Path, size: int) -> tuple[str, bytes]:
    """The SHA-256 of a photo's file in hexadecimal, and a JPEG copy without metadata.

    The copy lies within `size` x `size` pixels. Raises PhotoError.
    """
    import hashlib  # 3 MiB, which no other job of a worker needs

    try:
        with open_regular_file(photo) as file:
            content = file.read()
    except OSError as error:
        raise PhotoError(f"it can't be read: {error.strerror}") from None
    with _decoder_errors():
        small = _thumbnail(load_image(content, at_least=size), size)
    return hashlib.sha256(content).hexdigest(), small


@contextlib.contextmanager
def _decoder_errors() -> Iterator[None]:
    """Whatever a decoder raises becomes a PhotoError: they fail in many ways."""
    try:
        yield
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError("it is no image of a known format") from None
    except MemoryError:
        raise OutOfMemory from None
    except Exception as error:
        raise PhotoError((str(error) or repr(error)).rstrip(".")) from error


def _open(content: bytes) -> Image.Image:
    """Read a photo's header."""
    return Image.open(io.BytesIO(content), formats=PILLOW_FORMATS)


def _decode(
    image: Image.Image, at_least: int | None, most_bytes: int = MOST_BYTES
) -> None:
    """Decode the pixels; of a JPEG only a fraction of them where that is enough."""
    size = image.size
    if at_least:
        image.draft(None, (at_least, at_least))
    needed = bytes_to_decode(image, size)
    whole = 4 * image.width * image.height
    match _factor_in_bands(image, at_least):
        case None:
            needed = max(needed, COPIES * whole)
        case 1:
            needed = max(needed, COPIES_IN_BANDS * whole)
    if needed > most_bytes:
        raise PhotoError(
            f"it would take {needed / 1e9:.1f} GB of memory to decode:"
            f" at most {most_bytes / 1e9:g} GB"
        )
    image.load()


def _factor_in_bands(image: Image.Image, at_least: int | None) -> int | None:
    """By what a large image is shrunk band by band; None for others."""
    if not at_least or image.width * image.height <= LARGE:
        return None
    return max(1, min(image.size) // at_least)


def _facts(content: bytes, image: Image.Image, size: tuple[int, int]) -> Facts:
    """What the header tells of an image not turned yet, and its upright size."""
    tags = read_tags(content)
    orientation = tags.get("IFD0 Orientation", [None])[0]
    # Not of a TIFF, whose size Pillow has turned.
    if orientation in TURNED_BY_A_QUARTER and image.format != "TIFF":
        size = size[::-1]
    return Facts(*size, read_taken(tags), read_details(tags))


def _as_seen(image: Image.Image, at_least: int | None) -> Image.Image:
    """Turn a decoded image upright, and bring it to RGB on white in sRGB.

    A large one is shrunk as well, to no side under `at_least` pixels.
    """
    factor = _factor_in_bands(image, at_least)
    if factor is not None:
        image = shrink_in_bands(image, factor)
    # CLIP learnt from upright photos. Broken EXIF leaves the image as it is.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return in_colour(image, white_of(image))


def _model_input(image: Image.Image, side: int) -> Pixels:
    """Shrink an RGB image towards the model's size, whose own step is then quick.

    Of a strip it takes the middle: to resize all of it would take gigabytes.
    """
    image = _reduce(image, 2 * side)
    longest = 16 * min(image.size)
    size = min(image.width, longest), min(image.height, longest)
    return np.asarray(ImageOps.fit(image, size))


def _thumbnail(image: Image.Image, size: int) -> bytes:
    """A JPEG copy within `size` x `size` pixels.

    Made for each photo that is indexed, so it has to be quick: a WebP of as many
    bytes takes ten times as long, and Hamming's filter, as sharp as the bicubic one
    when it makes smaller, half.
    """
    small = _reduce(image, size)
    if small is image:
        small = image.copy()  # Pillow's `thumbnail` works in place
    small.thumbnail((size, size), Image.Resampling.HAMMING)
    buffer = io.BytesIO()
    # Pillow would copy the photo's comment.
    small.save(buffer, "JPEG", quality=80, comment=None)
    return buffer.getvalue()


def _reduce(image: Image.Image, at_least: int) -> Image.Image:
    """Shrink by a whole factor, which is quick, to no side under `at_least` pixels."""
    factor = min(image.size) // at_least
    return image.reduce(factor) if factor > 1 else image
