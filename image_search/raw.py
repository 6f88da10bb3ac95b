"""Cameras' RAW files: what is seen is the picture that the camera put into them."""

import contextlib
import io
import struct
from typing import Any, NamedTuple

from PIL import Image

from image_search.orientation import orientation_in
from image_search.reasons import check_memory

RAW_BEGINNINGS = (
    b"FUJIFILMCCD-RAW",
    b"IIRO",  # Olympus
    b"IIRS",
    b"MMOR",
    b"IIU\0",  # Panasonic
)
CANON_3 = b"ftypcrx "
CANON_2 = b"CR"  # at the ninth byte
TIFF_BEGINNINGS = (b"II*\0", b"MM\0*")
# Tags of a TIFF's first directory.
MAKE = 271
SUB_DIRECTORIES = 330
COMPRESSION = 259
PHOTOMETRIC = 262
DNG_VERSION = 50706
SENSOR = {32803, 34892}  # what is no picture yet
COMPRESSED_RAW = {32767, 34713, 65535}  # Sony's, Nikon's, Pentax's
# How the file says that a picture is turned, and EXIF's way to say it.
ORIENTATIONS = {3: 3, 5: 8, 6: 6}
# Of a sensor's pixel: as it is, and developed at half the size.
BYTES = 4
# A preview that is smaller than this part of the photo is a thumbnail.
SMALL = 4


class Preview(NamedTuple):
    """What a RAW file shows."""

    image: Image.Image  # its header read, as far as it is a JPEG
    orientation: int  # as EXIF has it
    size: tuple[int, int]  # pixels of the photo, not turned


def is_raw(content: bytes) -> bool:
    """Whether bytes look like a camera's RAW file; many are a kind of TIFF."""
    if content.startswith(RAW_BEGINNINGS) or content[4:12] == CANON_3:
        return True
    if not content.startswith(TIFF_BEGINNINGS):
        return False
    if content[8:10] == CANON_2:
        return True
    with contextlib.suppress(struct.error):
        tags = _first_directory(content)
        return (
            DNG_VERSION in tags
            or tags.get(PHOTOMETRIC) in SENSOR
            or tags.get(COMPRESSION) in COMPRESSED_RAW
            or {MAKE, SUB_DIRECTORIES} <= tags.keys()
        )
    return False


def read_preview(content: bytes, at_least: int, most_bytes: int) -> Preview:
    """The picture in a RAW file, or one developed from it if there is none.

    Raises LibRaw's errors, and PhotoError where it would take too much.
    """
    import rawpy

    with rawpy.imread(io.BytesIO(content)) as opened:
        raw: Any = opened
        sizes = raw.sizes
        size = sizes.width, sizes.height
        turned = ORIENTATIONS.get(sizes.flip, 1)
        image = _embedded(raw)
        if image is not None:
            is_enough = min(image.size) >= min(at_least, min(size) // SMALL)
            own = orientation_in(image.info.get("exif"))
            if is_enough:
                return Preview(image, own if own > 1 else turned, size)
        check_memory(BYTES * size[0] * size[1], most_bytes)
        developed = raw.postprocess(
            half_size=True, use_camera_wb=True, user_flip=0
        )
        return Preview(Image.fromarray(developed), turned, size)


def _embedded(raw: Any) -> Image.Image | None:
    import rawpy

    # There is none, or it is of a kind that LibRaw does not read.
    with contextlib.suppress(rawpy.LibRawError, OSError):
        thumbnail = raw.extract_thumb()
        if thumbnail.format == rawpy.ThumbFormat.JPEG:
            jpeg = io.BytesIO(thumbnail.data)
            return Image.open(jpeg, formats=["JPEG"])
        return Image.fromarray(thumbnail.data)
    return None


def _first_directory(content: bytes) -> dict[int, int]:
    """The tags of a TIFF's first directory, and the value of those that have one."""
    order = "<" if content[:1] == b"I" else ">"
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, at)
    tags = {}
    for number in range(count):
        entry = at + 2 + 12 * number
        tag, kind = struct.unpack_from(f"{order}HH", content, entry)
        short = kind == 3  # noqa: PLR2004, two bytes
        layout = f"{order}H" if short else f"{order}I"
        (tags[tag],) = struct.unpack_from(layout, content, entry + 8)
    return tags
