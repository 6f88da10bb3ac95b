"""A photo's bytes become the image that a person sees.

And what is known of it. Run it in a worker: decoders
crash, hang and take gigabytes on some files.
"""

import contextlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from image_search.colour import Pixels
from image_search.dates import Taken, read_taken
from image_search.decode import Limits, decode, read_size
from image_search.files import open_regular_file
from image_search.headers import read_tags
from image_search.kinds import BROWSER_PIXELS, BROWSER_SIDE
from image_search.metadata import Details, read_details
from image_search.model_input import ModelInput
from image_search.placeholder import SIDE as THUMBHASH_SIDE
from image_search.placeholder import thumbhash_of
from image_search.quiet import held_remarks
from image_search.reasons import PhotoError, TooLarge

THUMBNAIL_SIZE = 512  # pixels on the longer side; made when a photo is read
# As large as browsers show a picture: most photos keep all their pixels.
FULL_SIZE = BROWSER_SIDE
# What is made of a photo that can't be decoded whole is no smaller than this.
LEAST_SIDE = 256
# What a photo of the folder may take. 16 bits of 100 megapixels take 1.0 GB.
OF_THE_FOLDER = Limits(bytes=1_500_000_000, pixels=500_000_000)
# And one that is sent: several may come at a time.
SENT = Limits(bytes=800_000_000, pixels=200_000_000)


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
    thumbhash: str  # a picture of it in some 25 bytes, in base64
    is_damaged: bool = False  # a part of the file is missing, or wrong
    remarks: list[str] = field(default_factory=list)  # of the decoder's


def read_photo(
    content: bytes, side: int, model_input: ModelInput | None = None
) -> Reading:
    """Read all of a photo for a model of `side` pixels; raises PhotoError.

    `model_input`: how what it looks at is made, unless the model's processor has to.
    """
    at_least = max(2 * side, THUMBNAIL_SIZE)
    with _remarks_held() as remarks:
        decoded = decode(content, at_least, OF_THE_FOLDER)
        facts = _facts(content, decoded.size)
        pixels = _for_the_model(decoded.image, side, model_input)
        thumbnail = _thumbnail(decoded.image, THUMBNAIL_SIZE)
        thumbhash = thumbhash_of(decoded.image)
    is_damaged = decoded.is_damaged
    return Reading(facts, pixels, thumbnail, thumbhash, is_damaged, remarks)


def read_pixels(
    content: bytes, side: int, model_input: ModelInput | None = None
) -> Pixels:
    """Decode a photo that was sent, as `read_photo` does; raises PhotoError."""
    with _remarks_held():
        image = decode(content, 2 * side, SENT).image
        return _for_the_model(image, side, model_input)


def read_facts(content: bytes) -> Facts:
    """Read a photo's header alone; raises PhotoError."""
    with _remarks_held():
        return _facts(content, read_size(content, OF_THE_FOLDER))


def read_thumbhash(content: bytes) -> str:
    """A picture of a photo in some 25 bytes, in base64; raises PhotoError."""
    return thumbhash_of(load_image(content, at_least=THUMBHASH_SIDE))


def load_image(content: bytes, at_least: int | None = None) -> Image.Image:
    """Decode a photo (or its first frame): upright, RGB, on white, in sRGB.

    With `at_least` it may come out smaller, which is
    quicker, but with no side under so many pixels.
    Raises PhotoError, also for one that would take
    too much memory.
    """
    with _remarks_held():
        return decode(content, at_least, OF_THE_FOLDER).image


def make_thumbnail(photo: Path | bytes, size: int) -> tuple[str, bytes]:
    """A JPEG copy of a photo's file, or of what was in it, without metadata.

    Comes after the file's SHA-256 in hexadecimal, and lies
    within `size` x `size` pixels, and BROWSER_PIXELS. Raises
    PhotoError.
    """
    import hashlib  # 3 MiB, which no other job of a worker needs

    content = photo if isinstance(photo, bytes) else _read_file(photo)
    small = _thumbnail(_largest_image(content, size), size)
    return hashlib.sha256(content).hexdigest(), small


def _read_file(path: Path) -> bytes:
    try:
        # A link may have taken its name since it was looked up.
        with open_regular_file(path, follows_link=False) as file:
            return file.read()
    except OSError as error:
        raise PhotoError(f"it can't be read: {error.strerror}") from None


def _largest_image(content: bytes, at_least: int) -> Image.Image:
    """Decode a photo to so many pixels a side, or as many as memory allows."""
    while True:
        try:
            return load_image(content, at_least)
        except TooLarge:
            if at_least < 2 * LEAST_SIDE:
                raise
            at_least //= 2


@contextlib.contextmanager
def _remarks_held() -> Iterator[list[str]]:
    """Hold what decoders say; where there is a PhotoError, as its notes."""
    remarks: list[str] = []
    try:
        with held_remarks() as remarks:
            yield remarks
    except PhotoError as error:
        for remark in remarks:
            error.add_note(remark)
        raise


def _facts(content: bytes, size: tuple[int, int]) -> Facts:
    """What a header tells; its upright size is known."""
    tags = read_tags(content)
    return Facts(*size, read_taken(tags), read_details(tags))


def _for_the_model(
    image: Image.Image, side: int, model_input: ModelInput | None
) -> Pixels:
    """Shrink an RGB image towards the model's size, whose own step is then quick.

    That is taken here too, where it can be. Of a strip it takes the middle: to resize
    all of it would take gigabytes.
    """
    image = _reduce(image, 2 * side)
    longest = 16 * min(image.size)
    size = min(image.width, longest), min(image.height, longest)
    image = ImageOps.fit(image, size)
    return model_input.make(image) if model_input else np.asarray(image)


def _thumbnail(image: Image.Image, size: int) -> bytes:
    """A JPEG copy within `size` x `size` pixels.

    Made for each photo that is indexed, so it has to be
    quick: a WebP of as many bytes takes ten times as
    long, and Hamming's filter, as sharp as the bicubic
    one when it makes smaller, half.
    """
    # What one zooms into has to bear it.
    quality = 90 if size == FULL_SIZE else 80
    small = _reduce(image, size)
    size = _side_for_browsers(small, size)
    if small is image and max(image.size) > size:
        small = image.copy()  # Pillow's `thumbnail` works in place
    small.thumbnail((size, size), Image.Resampling.HAMMING)
    buffer = io.BytesIO()
    # Pillow would copy the photo's comment.
    small.save(buffer, "JPEG", quality=quality, comment=None)
    return buffer.getvalue()


def _side_for_browsers(image: Image.Image, size: int) -> int:
    """The longer side of an image within `size` and BROWSER_PIXELS."""
    share = BROWSER_PIXELS / (image.width * image.height)
    if share >= 1:
        return size
    return min(size, int(max(image.size) * math.sqrt(share)))


def _reduce(image: Image.Image, at_least: int) -> Image.Image:
    """Shrink by a whole factor, which is quick, to no side under `at_least` pixels."""
    factor = min(image.size) // at_least
    return image.reduce(factor) if factor > 1 else image
