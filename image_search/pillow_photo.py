"""A photo that Pillow opens: how it has to be turned, its colours, its decoding."""

from collections.abc import Callable

import pillow_heif
from PIL import Image

from image_search import boxes
from image_search.cicp import Colours
from image_search.memory import bytes_to_decode
from image_search.orientation import orientation_in
from image_search.samples import shrink_in_bands

# Where no side can be made smaller: as it is, converted, turned, on white.
COPIES = 4
# Of a GIF whose first frame is smaller than its canvas: itself, and the canvas.
CANVASES = 2

# Of a file's bytes, and the size that is wanted; None if it is to be done here.
DecodeElsewhere = Callable[[bytes, tuple[int, int]], Image.Image | None]

pillow_heif.register_heif_opener()


class PillowPhoto:
    """A photo that Pillow decodes."""

    is_damaged = False  # as far as its header tells
    # Of a JPEG that nobody had to mend, who may have its pixels made more quickly.
    decode_elsewhere: DecodeElsewhere | None = None

    def __init__(
        self,
        image: Image.Image,
        orientation: int = 1,
        size: tuple[int, int] | None = None,
        colours: Colours | None = None,
        content: bytes = b"",
    ) -> None:
        """`size`: of the photo, where the image is a preview of it."""
        self.image = image
        self.content = content
        self.size = size or image.size
        self.in_file = image.size
        self.orientation = orientation
        self.colours = colours or Colours()
        self.profile: bytes | None = image.info.get("icc_profile")

    def bytes_to_decode(self, at_least: int | None) -> int:
        """What its decoding takes at the most."""
        if at_least:
            self.image.draft(None, (at_least, at_least))
        needed = bytes_to_decode(self.image, self.in_file)
        if small_frame_of(self.image):
            needed += CANVASES * 4 * self.image.width * self.image.height
        if smallest_factor(self.image, at_least) > 1:
            return needed
        return max(needed, COPIES * 4 * self.image.width * self.image.height)

    def load(self, at_least: int | None) -> Image.Image:
        """Decode it, to no side under `at_least`, into samples of 8 bits."""
        if at_least:
            self.image.draft(None, (at_least, at_least))
        image = self._load_elsewhere() or _load_whole(self.image)
        factor = smallest_factor(image, at_least)
        return shrink_in_bands(image, factor)

    def _load_elsewhere(self) -> Image.Image | None:
        is_jpeg = self.image.format in {"JPEG", "MPO"}
        if self.decode_elsewhere is None or not is_jpeg:
            return None
        return self.decode_elsewhere(self.content, self.image.size)


def small_frame_of(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Where the first frame of a GIF lies, if it is smaller than its canvas."""
    tiles = getattr(image, "tile", [])
    whole = 0, 0, *image.size
    if image.format != "GIF" or not tiles or tiles[0][1] == whole:
        return None
    left, top, right, bottom = tiles[0][1]
    return left, top, right, bottom


def _load_whole(image: Image.Image) -> Image.Image:
    """Decode an image; what a GIF's first frame leaves free is clear."""
    frame = small_frame_of(image)
    image.load()
    if frame is None:
        return image
    canvas = Image.new("RGBA", image.size)
    canvas.paste(image.convert("RGBA").crop(frame), frame)
    return canvas


def colours_in_boxes(content: bytes) -> Colours:
    """The colours that a HEIC or AVIF file tells by numbers."""
    colours = Colours()
    for kind, body in boxes.properties(content):
        if kind == "colr" and body[:4] == b"nclx":
            primaries = int.from_bytes(body[4:6])
            transfer = int.from_bytes(body[6:8])
            colours = colours._replace(primaries=primaries, transfer=transfer)
        if kind == "clli" and any(body[:2]):
            peak = float(int.from_bytes(body[:2]))
            colours = colours._replace(peak=peak)
    return colours


def orientation_of(image: Image.Image, content: bytes) -> int:
    """How an image that Pillow opened has to be turned, as EXIF counts it.

    Pillow would also look into XMP, by which no viewer turns. A TIFF comes upright.
    """
    if image.format == "TIFF":
        return 1
    if image.format != "HEIF":
        return orientation_in(image.info.get("exif"))
    # Some phones write it in EXIF alone; where the file's own properties tell of
    # it, libheif has turned it.
    kinds = {kind for kind, _ in boxes.properties(content)}
    if kinds & {"irot", "imir"}:
        return 1
    return int(image.info.get("original_orientation") or 1)


def smallest_factor(image: Image.Image, at_least: int | None) -> int:
    """By what an image can be shrunk to no side under so many pixels."""
    return max(1, min(image.size) // at_least) if at_least else 1
