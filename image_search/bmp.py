"""BMPs of rare kinds, which Pillow refuses.

Their samples have any bits, their pixels 2 bits, or
their header is one of OS/2's.
"""

import struct
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from image_search.reasons import check_memory

CORE = 12  # bytes of the oldest header
OS2_SHORT = 16  # and of one without colours' masks
FILE_HEADER = 14
UNPACKED = {0, 3, 6}  # compressions that are none; the latter two have masks
PLAIN_MASKS = {
    16: (0x7C00, 0x03E0, 0x001F, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}
MASKS_AT = 40  # in the header, or behind it
WITH_ALPHA = 56  # bytes of a header that has a mask for it
RGB_BITS = 24
# While it is read, of each pixel
BYTES = 16


class Layout(NamedTuple):
    """What the header of a BMP says."""

    width: int
    height: int
    is_upside_down: bool  # its first row comes first
    bits: int  # of a pixel
    masks: tuple[int, int, int, int]  # of red, green, blue and alpha
    palette: Any  # of shape (colours, 3), RGB
    start: int  # of the pixels, in the file

    @property
    def row_bytes(self) -> int:
        return (self.width * self.bits + 31) // 32 * 4


def read_bmp(content: bytes, most_bytes: int) -> Image.Image:
    """Read an image in RGB or RGBA.

    Raises ValueError or struct.error.
    """
    layout = _read_header(content)
    if not (layout.width > 0 and layout.height > 0):
        raise ValueError("it has no pixels")
    check_memory(BYTES * layout.width * layout.height, most_bytes)
    size = layout.row_bytes * layout.height
    data = content[layout.start : layout.start + size]
    if len(data) < size:
        raise ValueError("it is cut off")
    rows = np.frombuffer(data, np.uint8).reshape(layout.height, -1)
    if not layout.is_upside_down:
        rows = rows[::-1]
    return Image.fromarray(_colours(rows, layout))


def _read_header(content: bytes) -> Layout:
    size, start = _number(content, FILE_HEADER), _number(content, 10)
    if size == CORE:
        width, height, _, bits = struct.unpack_from("<4H", content, 18)
        compression, used = 0, 0
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", content, 18)
        has_more = size > OS2_SHORT
        compression = _number(content, 30) if has_more else 0
        used = _number(content, 46) if has_more else 0
    if compression not in UNPACKED:
        raise ValueError(f"BMP compression {compression}")
    masks = PLAIN_MASKS.get(bits, (0, 0, 0, 0))
    after = FILE_HEADER + size
    if compression:
        red, green, blue, alpha = struct.unpack_from(
            "<4I", content, FILE_HEADER + MASKS_AT
        )
        has_alpha = size >= WITH_ALPHA or compression == max(UNPACKED)
        masks = red, green, blue, alpha if has_alpha else 0
    entry = 3 if size == CORE else 4
    colours = min(used or 2**bits, 2**bits) if bits <= 8 else 0  # noqa: PLR2004
    table = content[after : min(start, after + entry * colours)]
    table = table[: len(table) // entry * entry]
    palette = np.frombuffer(table, np.uint8).reshape(-1, entry)[:, 2::-1]
    return Layout(width, abs(height), height < 0, bits, masks, palette, start)


def _number(content: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", content, at)[0])


def _colours(rows: Any, layout: Layout) -> Any:
    """The pixels of rows of bytes.

    Of shape (height, width, 3 or 4).
    """
    if layout.bits == RGB_BITS:
        return rows[:, : 3 * layout.width].reshape(len(rows), -1, 3)[..., ::-1]
    if layout.bits in PLAIN_MASKS:
        kind = f"<u{layout.bits // 8}"
        pixels = np.ascontiguousarray(rows).view(kind)[:, : layout.width]
        return _by_masks(pixels.astype(np.uint32), layout.masks)
    if layout.bits not in {1, 2, 4, 8} or not len(layout.palette):
        raise ValueError(f"BMP of {layout.bits} bits")
    bits = np.unpackbits(rows, axis=1).reshape(len(rows), -1, layout.bits)
    weights = 1 << np.arange(layout.bits)[::-1]
    numbers = (bits @ weights)[:, : layout.width]
    return layout.palette[np.minimum(numbers, len(layout.palette) - 1)]


def _by_masks(pixels: Any, masks: tuple[int, int, int, int]) -> Any:
    channels = [_channel(pixels, mask) for mask in masks if mask]
    if len(channels) <= 2 or not all(masks[:3]):  # noqa: PLR2004
        raise ValueError("BMP without a mask for each colour")
    if masks[3] and not channels[3].any():  # it was not meant
        channels.pop()
    return np.stack(channels, axis=-1)


def _channel(pixels: Any, mask: int) -> Any:
    """Samples of 8 bits from those under a mask."""
    lowest = (mask & -mask).bit_length() - 1
    most = mask >> lowest
    samples = (pixels & mask) >> lowest
    return (samples * (255 / most) + 0.5).astype(np.uint8)
