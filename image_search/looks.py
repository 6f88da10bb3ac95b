"""Whether photos are seen as the last version saw them.

Vectors are kept by PREPROCESSING. Where that has been
counted up, one of the version before stays, unless its
photo is of a kind that looks different now. The header
tells that, which a worker reads once.
"""

import importlib.metadata
import re

import PIL
import pillow_heif

from image_search.decode import OF_ALL, open_photo
from image_search.pillow_photo import PillowPhoto, small_frame_of
from image_search.quiet import held_remarks
from image_search.streamed import StreamedPhoto

# Count up when the model is to see some photos in another
# way, and say below which.
PREPROCESSING = 4
# What photos are read with: what one version refused, another may read.
READERS = (
    f"Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__},"
    f" libvips {importlib.metadata.version('pyvips-binary')},"
    f" rawpy {importlib.metadata.version('rawpy')}, {PREPROCESSING}"
)
# Where XMP is: no viewer turns a photo by it, as we did.
HEAD = 2**17
XMP_ORIENTATION = re.compile(rb"tiff:Orientation\W{1,3}[2-8]")
DEEP_MODES = ("I", "F", "LAB")


def looks_as_before(content: bytes) -> bool:
    """Whether version 3 showed the model the same of a photo.

    Different are transparent or grey ones with a profile,
    palettes with one, those whose colours are told by
    numbers, of 16 bits or floats, and some that lay on
    their side. What is unclear is looked at again.
    """
    try:
        with held_remarks():
            opened = open_photo(content, None, OF_ALL)
    except Exception:  # noqa: BLE001, decoders fail in many ways
        return False
    if not opened.colours.are_srgb or XMP_ORIENTATION.search(content[:HEAD]):
        return False
    if isinstance(opened, PillowPhoto):
        image = opened.image
        is_deep = image.mode.startswith(DEEP_MODES)
        is_turned = image.format == "HEIF" and opened.orientation > 1
        is_small = small_frame_of(image) is not None
        is_plain = image.mode in {"RGB", "CMYK", "L"}
        same = not (is_deep or is_turned or is_small)
        return same and (opened.profile is None or is_plain)
    is_plain = isinstance(opened, StreamedPhoto) and opened.is_plain
    return opened.profile is None or is_plain
