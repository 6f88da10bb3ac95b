"""A photo's bytes become the image that a person sees, and what is known of it.

Run it in a worker: decoders crash, hang and take gigabytes on some files.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pillow_heif
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

PHOTO_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".avif": "AVIF",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
# The versions of what decodes photos.
READERS = f"Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__}"
PREPROCESSING = 3  # count up when the model is to see photos in another way
THUMBNAIL_SIZE = 512  # pixels on the longer side; made when a photo is read
SRGB = ImageCms.createProfile("sRGB")
TURNED_BY_A_QUARTER = {
    5,
    6,
    7,
    8,
}  # EXIF orientations that swap width and height

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
    taken: str | None  # ISO 8601, local time; None if EXIF doesn't say


@dataclass(frozen=True)
class Reading:
    """All that one visit to a photo brings home."""

    facts: Facts
    pixels: Pixels  # for the model
    thumbnail: bytes  # JPEG, within THUMBNAIL_SIZE


def is_photo(filename: str) -> bool:
    """Whether a relative path is a photo's, by name: a known format, and not hidden."""
    is_hidden = "/." in f"/{filename}"
    return Path(filename).suffix.lower() in PHOTO_FORMATS and not is_hidden


def read_photo(content: bytes, side: int) -> Reading:
    """Read all of a photo for a model of `side` pixels; raises PhotoError."""
    with _decoder_errors():
        image = _open(content)
        size = image.size  # the draft makes it smaller
        _decode(image, at_least=max(2 * side, THUMBNAIL_SIZE))
        facts = _facts(image, size)
        image = _as_seen(image)
        pixels = _model_input(image, side)
        return Reading(facts, pixels, _thumbnail(image, THUMBNAIL_SIZE))


def read_pixels(content: bytes, side: int) -> Pixels:
    """Decode a photo for a model that looks at `side` pixels; raises PhotoError."""
    return _model_input(load_image(content, at_least=2 * side), side)


def read_facts(content: bytes) -> Facts:
    """Read a photo's header alone; raises PhotoError."""
    with _decoder_errors():
        image = _open(content)
        return _facts(image, image.size)


def load_image(content: bytes, at_least: int | None = None) -> Image.Image:
    """Decode a photo (or its first frame): upright, RGB, on white, in sRGB.

    With `at_least` it may come out smaller, which is quicker, but with no side under
    so many pixels. Raises PhotoError.
    """
    with _decoder_errors():
        image = _open(content)
        _decode(image, at_least)
        return _as_seen(image)


def make_thumbnail(photo: Path, size: int) -> tuple[str, bytes]:
    """The SHA-256 of a photo's file in hexadecimal, and a JPEG copy without metadata.

    The copy lies within `size` x `size` pixels. Raises PhotoError.
    """
    import hashlib  # 3 MiB, which no other job of a worker needs

    try:
        content = photo.read_bytes()
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
    formats = sorted(set(PHOTO_FORMATS.values()))
    return Image.open(io.BytesIO(content), formats=formats)


def _decode(image: Image.Image, at_least: int | None) -> None:
    """Decode the pixels; of a JPEG only a fraction of them where that is enough."""
    if at_least:
        image.draft(None, (at_least, at_least))
    image.load()


def _facts(image: Image.Image, size: tuple[int, int]) -> Facts:
    """What EXIF tells of an image not turned yet, and its upright size."""
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # EXIF can be broken in many ways
        exif = image.getexif()
    is_turned = exif.get(ExifTags.Base.Orientation) in TURNED_BY_A_QUARTER
    if is_turned and image.format != "TIFF":  # whose size Pillow has turned
        size = size[::-1]
    return Facts(*size, _taken(exif))


def _taken(exif: Image.Exif) -> str | None:
    """When a photo was taken, ISO 8601, if EXIF has a date that can be read."""
    tags = ExifTags.Base
    with contextlib.suppress(Exception):  # there is none, or it is broken
        detailed = exif.get_ifd(ExifTags.IFD.Exif)
        stamp = detailed.get(tags.DateTimeOriginal)
        stamp = (
            stamp or detailed.get(tags.DateTimeDigitized) or exif[tags.DateTime]
        )
        numbers = re.findall(r"\d+", str(stamp))  # however they are divided
        taken = datetime.strptime(" ".join(numbers[:6]), "%Y %m %d %H %M %S")
        return taken.isoformat(timespec="seconds")
    return None


def _as_seen(image: Image.Image) -> Image.Image:
    """Turn a decoded image upright, and bring it to RGB on white in sRGB."""
    # CLIP learnt from upright photos. Broken EXIF leaves the image as it is.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    image = _to_srgb(_to_eight_bits(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Bring samples of 16 or 32 bits to 8, which Pillow would clip."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in "IF":  # of 32 bits: the brightest is white
        white: Any = image.getextrema()[1] or 1
        return image.point(lambda value: value * (255 / white))
    return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """Apply the colour profile, if there is one that fits the image."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    with contextlib.suppress(ImageCms.PyCMSError, OSError):  # broken, or unfit
        converted = ImageCms.profileToProfile(
            image, io.BytesIO(profile), SRGB, outputMode="RGB"
        )
        return converted or image
    return image


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
