"""The first image of a HEIC sequence, such as a burst, as a still that is read.

ISO/IEC 23008-12: a sequence is kept as a video's track is, without an image of its
own. Its first sample is put into a file for one image; nothing is decoded.
"""

import contextlib
import struct

from image_search.boxes import FULL_BOX, boxes

SAMPLES = b"hvc1", b"hev1"
SAMPLE_ENTRY = 78  # bytes before the boxes of one that is visual
SIZE_AT = 24  # in it: width and height
KEPT = "hvcC", "colr"
ESSENTIAL = 0x80


def first_still(content: bytes) -> bytes | None:
    """A HEIC file of the first image; None if there is no sequence."""
    with contextlib.suppress(struct.error, IndexError):
        for track in _tracks(content):
            still = _still_of(content, track)
            if still:
                return still
    return None


def _tracks(content: bytes) -> list[tuple[int, int]]:
    return [
        (start, end)
        for kind, first, last in boxes(content, 0, len(content))
        if kind == "moov"
        for inner, start, end in boxes(content, first, last)
        if inner == "trak"
    ]


def _still_of(content: bytes, track: tuple[int, int]) -> bytes | None:
    table = track
    for kind in ("mdia", "minf", "stbl"):
        found = _find(content, table, kind)
        if found is None:
            return None
        table = found
    entry = _find(content, table, "stsd")
    sizes = _find(content, table, "stsz")
    if entry is None or sizes is None:
        return None
    sample = _first_sample(content, table, sizes)
    start = entry[0] + FULL_BOX + 4
    (length,) = struct.unpack_from(">I", content, start)
    if content[start + 4 : start + 8] not in SAMPLES or not sample:
        return None
    body = start + 8
    size = struct.unpack_from(">HH", content, body + SIZE_AT)
    kept = [
        _box(kind, content[first:last])
        for kind, first, last in boxes(
            content, body + SAMPLE_ENTRY, start + length
        )
        if kind in KEPT
    ]
    return _heic(kept, size, sample)


def _find(
    content: bytes, within: tuple[int, int], wanted: str
) -> tuple[int, int] | None:
    for kind, start, end in boxes(content, *within):
        if kind == wanted:
            return start, end
    return None


def _first_sample(
    content: bytes, table: tuple[int, int], sizes: tuple[int, int]
) -> bytes:
    size, count, first = struct.unpack_from(
        ">III", content, sizes[0] + FULL_BOX
    )
    if not count:
        return b""
    for kind, layout in (("stco", ">I"), ("co64", ">Q")):
        chunks = _find(content, table, kind)
        if chunks:
            at = chunks[0] + FULL_BOX + 4
            (offset,) = struct.unpack_from(layout, content, at)
            return content[offset : offset + (size or first)]
    return b""


def _box(kind: str, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind.encode("latin-1") + body


def _full_box(kind: str, version: int, body: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24) + body)


def _heic(kept: list[bytes], size: tuple[int, ...], sample: bytes) -> bytes:
    """A file of one image, which is item 1."""
    extent = _full_box("ispe", 0, struct.pack(">II", *size))
    properties = [extent, *kept]
    numbers = bytes(
        number + 1 if number == 0 else (number + 1) | ESSENTIAL
        for number in range(len(properties))
    )
    links = struct.pack(">IHB", 1, 1, len(numbers)) + numbers
    entry = _full_box("infe", 2, struct.pack(">HH4sB", 1, 0, b"hvc1", 0))
    head = _box("ftyp", b"heic\0\0\0\0mif1heic")

    def meta(offset: int) -> bytes:
        place = struct.pack(
            ">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(sample)
        )
        return _full_box(
            "meta",
            0,
            _full_box("hdlr", 0, bytes(4) + b"pict" + bytes(13))
            + _full_box("pitm", 0, struct.pack(">H", 1))
            + _full_box("iloc", 0, place)
            + _full_box("iinf", 0, struct.pack(">H", 1) + entry)
            + _box(
                "iprp",
                _box("ipco", b"".join(properties))
                + _full_box("ipma", 0, links),
            ),
        )

    offset = len(head) + len(meta(0)) + 8
    return head + meta(offset) + _box("mdat", sample)
