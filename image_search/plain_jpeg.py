"""Whether a JPEG is an ordinary and whole one, by its markers: any decoder takes it.

Ordinary: 8 bits, Huffman codes, baseline or progressive, grey or in YCbCr, with as
many colour differences as cameras write. Whole: each scan is there, and its end.
"""

import re
from dataclasses import dataclass, field

START = b"\xff\xd8"
MARK = 0xFF  # before the number of a marker
END = 0xD9
SCAN = 0xDA
FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive
PROGRESSIVE = 0xC2
# Frames of other kinds: lossless, hierarchical, or with arithmetic codes.
OTHER_FRAMES = {*range(0xC3, 0xD0)} - {0xC4, 0xC8}
NEEDED = {
    0xC4,
    0xDB,
    0xDD,
}  # tables of codes and of steps; the restart interval
ADOBE = 0xEE
OF_APPLICATIONS = {*range(0xE0, 0xF0), 0xFE}  # metadata and comments
# Between the bytes of a scan: a marker that neither is a byte of 255 nor a restart.
# It begins with a plain byte, which is looked for ten times as quickly.
END_OF_SCAN = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")
# How many samples of brightness there are to one of colour, across and down. What
# others have to one, decoders fill in differently.
SAMPLINGS = {(1, 1), (2, 1), (1, 2), (2, 2)}
YCBCR = b"\1\2\3"  # how JFIF and EXIF number the components
YCBCR_BY_ADOBE = b"\1"
BITS = 8
MOST_SCANS = 100


class NotPlain(ValueError):
    """It is of a rarer kind, or not whole."""


@dataclass
class PlainJpeg:
    """What a decoder has to know."""

    width: int = 0
    height: int = 0
    bands: int = 0  # 1: grey, 3: colour
    is_progressive: bool = False
    # The file without its metadata, and without what follows its end.
    parts: list[bytes] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return b"".join(self.parts)


def read_plain(content: bytes, least: int, most: int) -> PlainJpeg | None:
    """Read a JPEG of so many pixels; None unless it is ordinary and whole."""
    found = PlainJpeg()
    try:
        _read(content, found, range(least, most + 1))
    except (NotPlain, IndexError):
        return None
    return found


def _read(content: bytes, found: PlainJpeg, pixels: range) -> None:
    if not content.startswith(START):
        raise NotPlain
    found.parts.append(START)
    at, scans = len(START), 0
    while True:
        at, marker = _marker(content, at)
        if marker == END:
            break
        end = at + int.from_bytes(content[at : at + 2])
        body = content[at + 2 : end]
        if end < at + 2 or end > len(content):
            raise NotPlain
        _look_at(marker, body, found, pixels)
        if marker == SCAN:
            scans += 1
            _check_scan(body, scans, found)
            end = _end_of_scan(content, end)
        if marker not in OF_APPLICATIONS:
            found.parts += bytes((MARK, marker)), content[at:end]
        at = end
    if not scans:
        raise NotPlain
    found.parts.append(bytes((MARK, END)))


def _marker(content: bytes, at: int) -> tuple[int, int]:
    """Where what follows a marker begins, and which one it is."""
    if content[at] != MARK:
        raise NotPlain
    while content[at] == MARK:
        at += 1
    return at + 1, content[at]


def _look_at(marker: int, body: bytes, found: PlainJpeg, pixels: range) -> None:
    if marker in FRAMES:
        _read_frame(body, found)
        found.is_progressive = marker == PROGRESSIVE
        if found.width * found.height not in pixels:
            raise NotPlain
        return
    if marker == ADOBE and body.startswith(b"Adobe"):
        if body[11:12] != YCBCR_BY_ADOBE:
            raise NotPlain
        return
    if marker not in NEEDED | OF_APPLICATIONS | {SCAN}:
        raise NotPlain


def _read_frame(body: bytes, found: PlainJpeg) -> None:
    if found.bands or body[0] != BITS:
        raise NotPlain
    found.height = int.from_bytes(body[1:3])
    found.width = int.from_bytes(body[3:5])
    found.bands = body[5]
    if len(body) != 6 + 3 * found.bands or found.bands not in {1, 3}:
        raise NotPlain
    if found.bands == 1:
        return
    samples = [divmod(one, 16) for one in body[7::3]]
    if body[6::3] != YCBCR or samples[1:] != [(1, 1), (1, 1)]:
        raise NotPlain
    if samples[0] not in SAMPLINGS:
        raise NotPlain


def _check_scan(body: bytes, scans: int, found: PlainJpeg) -> None:
    """Of one that is not progressive there is a single scan, with all components."""
    is_all = body[0] == found.bands
    if not found.bands or scans > MOST_SCANS:
        raise NotPlain
    if not found.is_progressive and (scans > 1 or not is_all):
        raise NotPlain


def _end_of_scan(content: bytes, at: int) -> int:
    end = END_OF_SCAN.search(content, at)
    if not end:
        raise NotPlain  # it was cut off
    return end.start()
