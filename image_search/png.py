"""What a PNG's chunks say, and one that is damaged made whole.

W3C, Portable Network Graphics, third edition. Only the repair decodes anything.
"""

import contextlib
import itertools
import struct
import zlib
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_BYTES = 12  # of a chunk beside its data
NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
# What changes how an image looks; other chunks may be left out.
LOOKS = {*NEEDED, b"tRNS", b"iCCP", b"gAMA", b"cHRM", b"cICP", b"sRGB", b"eXIf"}
TEXTS = {b"tEXt", b"zTXt"}
RAW_EXIF = b"Raw profile type exif\0"  # as ImageMagick keeps it
MOST_EXIF = 2**20  # bytes
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
RGB = 2
PALETTE = 3
GAMMA_OF_SRGB = 0.45455
NEAR = 0.02
# Where the pixels of each of the passes of Adam7 begin, and how far apart they are.
PASSES = (
    (0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4),
    (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2),
)  # fmt: skip
PART = 2**20
CHRM_BYTES = 32
# Where white, red, green and blue of sRGB lie.
SRGB = 0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06
NEAR_POINT = 0.005

Points = tuple[tuple[float, float], ...]


class Chunk(NamedTuple):
    """One chunk; its data are not copied."""

    kind: bytes
    data: memoryview
    checksum: bytes

    @property
    def is_whole(self) -> bool:
        """Whether it is all there, and its checksum is right."""
        return self.checksum == _checksum(self.kind, self.data)


@dataclass(frozen=True)
class PngHeader:
    """What the chunks of a PNG say that matters to who decodes it."""

    width: int
    height: int
    depth: int  # bits of a sample
    colour: int  # the type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
    is_interlaced: bool
    has_transparency: bool
    has_profile: bool
    # For primaries and curve, as H.273 has them.
    numbers: tuple[int, int] | None
    gamma: float | None  # light is a sample to this power, if not as in sRGB
    # Where red, green, blue and white lie, as CIE x and y, if not as in sRGB.
    points: Points | None
    exif: bytes
    is_damaged: bool  # a chunk beside the pixels' is

    @property
    def channels(self) -> int:
        """How many there are of the image once it is decoded."""
        if self.colour == PALETTE:
            return 3 + self.has_transparency
        is_key = self.colour in {0, 2} and self.has_transparency
        return CHANNELS[self.colour] + is_key

    def row_bytes(self, width: int) -> int:
        """What a row of so many pixels takes in the file, filter and all."""
        bits = CHANNELS[self.colour] * self.depth
        return 1 + -(-width * bits // 8) if width else 0

    def image_bytes(self) -> int:
        """What the whole image takes, as the compressor was given it."""
        if not self.is_interlaced:
            return self.row_bytes(self.width) * self.height
        total = 0
        for left, across, top, down in PASSES:
            columns = -(-max(0, self.width - left) // across)
            rows = -(-max(0, self.height - top) // down)
            total += self.row_bytes(columns) * rows
        return total


def chunks(content: bytes) -> Iterator[Chunk]:
    """Each chunk of a PNG, as far as it goes."""
    at = len(SIGNATURE)
    whole = memoryview(content)
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        data = whole[at + 8 : at + 8 + size]
        checksum = bytes(content[at + 8 + size : at + 12 + size])
        yield Chunk(kind, data, checksum)
        if kind == b"IEND":
            return
        at += CHUNK_BYTES + size


def read_header(content: bytes) -> PngHeader | None:
    """What a PNG's chunks say, wherever they stand; None if it begins wrongly."""
    found: dict[bytes, bytes] = {}
    is_damaged = False
    for chunk in chunks(content):
        if chunk.kind == b"IDAT":
            continue
        if chunk.kind in TEXTS and bytes(chunk.data[:22]) == RAW_EXIF:
            if b"" not in found:  # the first one counts
                found[b""] = _raw_exif(chunk)
        elif chunk.is_whole or chunk.kind == b"IHDR":
            found.setdefault(chunk.kind, bytes(chunk.data))
        is_damaged = is_damaged or not chunk.is_whole
    with contextlib.suppress(struct.error, KeyError, IndexError):
        width, height, depth, colour, _, _, interlace = struct.unpack_from(
            ">IIBBBBB", found[b"IHDR"]
        )
        if not (width and height and colour in CHANNELS):
            return None
        return PngHeader(
            width,
            height,
            depth,
            colour,
            is_interlaced=bool(interlace),
            has_transparency=colour > PALETTE or b"tRNS" in found,
            has_profile=b"iCCP" in found,
            numbers=_numbers(found),
            gamma=_gamma(found),
            points=_points(found),
            exif=found.get(b"eXIf") or found.get(b"", b""),
            is_damaged=is_damaged,
        )
    return None


def mend(content: bytes) -> tuple[bytes, float] | None:
    """A PNG that was damaged as one that is whole, and what part of it was there.

    What is missing is transparent, white, or of the first colour. None if nothing
    is left of it.
    """
    header = read_header(content)
    if header is None:
        return None
    kept = [
        chunk
        for chunk in chunks(content)
        if chunk.kind in LOOKS and (chunk.is_whole or chunk.kind in NEEDED)
    ]
    stream = [chunk.data for chunk in kept if chunk.kind == b"IDAT"]
    packed, part = _pack_again(stream, header)
    if not part:
        return None
    mended: list[bytes | memoryview] = [SIGNATURE]
    for chunk in kept:
        if chunk.kind not in {b"IDAT", b"IEND"}:
            mended += _chunk(chunk.kind, chunk.data)
    mended += [*_chunk(b"IDAT", packed), *_chunk(b"IEND", b"")]
    return b"".join(mended), part


def without_pixels(
    content: bytes, kinds: Set[bytes], most: int
) -> Iterator[bytes]:
    """A PNG without pixels for each chunk of some kinds, as far as `most` of them.

    Checksums are made anew.
    """
    found = chunks(content)
    first = next(found, None)
    if first is None:
        return
    told = (chunk for chunk in found if chunk.kind in kinds)
    for chunk in itertools.islice(told, most):
        parts = [first, chunk, Chunk(b"IEND", memoryview(b""), b"")]
        made = (_chunk(part.kind, part.data) for part in parts)
        yield SIGNATURE + b"".join(itertools.chain(*made))


def is_whole(content: bytes) -> bool:
    """Whether a PNG's last chunk is there."""
    return any(chunk.kind == b"IEND" for chunk in chunks(content))


def _checksum(kind: bytes, data: bytes | memoryview) -> bytes:
    return struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _chunk(kind: bytes, data: bytes | memoryview) -> list[bytes | memoryview]:
    return [struct.pack(">I", len(data)), kind, data, _checksum(kind, data)]


def _numbers(found: dict[bytes, bytes]) -> tuple[int, int] | None:
    told = found.get(b"cICP", b"")
    return (told[0], told[1]) if len(told) > 1 else None


def _gamma(found: dict[bytes, bytes]) -> float | None:
    """What gAMA says, if it is not that of sRGB; a profile goes before it."""
    if b"gAMA" not in found or {b"sRGB", b"iCCP"} & found.keys():
        return None
    gamma = struct.unpack(">I", found[b"gAMA"])[0] / 100_000
    if gamma <= 0 or abs(gamma - GAMMA_OF_SRGB) < NEAR:
        return None
    return float(1 / gamma)


def _points(found: dict[bytes, bytes]) -> Points | None:
    """What cHRM says; only gAMA makes it count, as in browsers."""
    if b"gAMA" not in found or {b"sRGB", b"iCCP", b"cICP"} & found.keys():
        return None
    told = found.get(b"cHRM", b"")
    if len(told) != CHRM_BYTES:
        return None
    numbers = [number / 100_000 for number in struct.unpack(">8I", told)]
    near = [abs(a - b) < NEAR_POINT for a, b in zip(numbers, SRGB, strict=True)]
    # A colour needs some light, and three of them an area.
    if all(near) or not all(0 < number < 1 for number in numbers):
        return None
    pairs = [*zip(numbers[::2], numbers[1::2], strict=True)]
    white, red, green, blue = pairs
    area = (green[0] - red[0]) * (blue[1] - red[1])
    area -= (green[1] - red[1]) * (blue[0] - red[0])
    return (red, green, blue, white) if abs(area) > NEAR_POINT else None


def _raw_exif(chunk: Chunk) -> bytes:
    """EXIF as a text: a name, a size, and hexadecimal digits, line by line."""
    text = bytes(chunk.data[len(RAW_EXIF) :])
    with contextlib.suppress(zlib.error, ValueError):
        if chunk.kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], MOST_EXIF)
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    return b""


def _pack_again(
    stream: list[memoryview], header: PngHeader
) -> tuple[bytes, float]:
    """Unpack as much as can be, fill the image up, and pack it again."""
    size = header.image_bytes()
    unpacker, packer = zlib.decompressobj(), zlib.compressobj(1)
    packed, there = [], 0
    with contextlib.suppress(zlib.error):
        for data in stream:
            rest: bytes | memoryview = data
            while rest and there < size and not unpacker.eof:
                part = unpacker.decompress(rest, PART)
                rest = unpacker.unconsumed_tail
                part = part[: size - there]
                there += len(part)
                packed.append(packer.compress(part))
    row = header.row_bytes(header.width)
    is_clear = header.is_interlaced or header.colour not in {0, RGB}
    blank = bytes(row) if is_clear else b"\0" + b"\xff" * (row - 1)
    missing = [blank[there % row :]] if there % row else []
    missing += -(-(size - there) // row) * [blank]
    left = size - there
    for part in missing:
        packed.append(packer.compress(part[:left]))
        left -= len(part[:left])
    return b"".join(packed) + packer.flush(), there / size
