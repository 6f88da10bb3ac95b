"""What a HEIC or AVIF file says of its main image: the properties in its `meta` box.

ISO/IEC 14496-12 (boxes) and 23008-12 (items and their properties). Nothing is decoded.
"""

import contextlib
import struct
from collections.abc import Iterator

FULL_BOX = 4  # bytes of version and flags
MOST_BOXES = 4096
LARGE_IDS = 1  # a flag of `ipma`: two bytes for each property's number


def boxes(
    content: bytes, start: int, end: int
) -> Iterator[tuple[str, int, int]]:
    """Each box between two places: its type, where its body begins, and ends."""
    at = start
    for _ in range(MOST_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", content, at)
        body = at + 8
        if size == 1 and body + 8 <= end:
            (size,) = struct.unpack_from(">Q", content, body)
            body += 8
        if size == 0:  # it goes on to the end
            size = end - at
        if size < body - at:
            return
        yield kind.decode("latin-1"), body, min(at + size, end)
        at += size


def properties(content: bytes) -> list[tuple[str, bytes]]:
    """The type and body of each property of the main image; [] if it can't be told."""
    if content[4:8] != b"ftyp":
        return []
    with contextlib.suppress(struct.error, IndexError, KeyError):
        return _properties(content)
    return []


def is_whole(content: bytes) -> bool:
    """Whether a file of boxes reaches as far as its boxes say."""
    at = 0
    while at + 8 <= len(content):
        size, _ = struct.unpack_from(">I4s", content, at)
        if size == 1 and at + 16 <= len(content):
            (size,) = struct.unpack_from(">Q", content, at + 8)
        if size == 0:
            return True
        if size < 8:  # noqa: PLR2004, what its head takes
            return True  # padding, or garbage, behind the last one
        at += size
    return at <= len(content)


def _properties(content: bytes) -> list[tuple[str, bytes]]:
    top = _within(content, 0, len(content))
    start, end = top["meta"]
    meta = _within(content, start + FULL_BOX, end)
    item = _main_item(content, *meta["pitm"])
    parts = _within(content, *meta["iprp"])
    known = [
        (kind, content[first:last])
        for kind, first, last in boxes(content, *parts["ipco"])
    ]
    numbers: list[int] = []
    for kind, first, last in boxes(content, *meta["iprp"]):
        if kind == "ipma":
            numbers += _numbers(content, first, last, item)
    return [known[number - 1] for number in numbers if 0 < number <= len(known)]


def _within(content: bytes, start: int, end: int) -> dict[str, tuple[int, int]]:
    """The first box of each type."""
    found: dict[str, tuple[int, int]] = {}
    for kind, first, last in boxes(content, start, end):
        found.setdefault(kind, (first, last))
    return found


def _main_item(content: bytes, start: int, _: int) -> int:
    layout = ">I" if content[start] else ">H"
    (item,) = struct.unpack_from(layout, content, start + FULL_BOX)
    return int(item)


def _numbers(content: bytes, start: int, end: int, item: int) -> list[int]:
    """The numbers of an item's properties, from 1, in an `ipma` box."""
    version = content[start]
    flags = content[start + 3]
    (entries,) = struct.unpack_from(">I", content, start + FULL_BOX)
    at = start + FULL_BOX + 4
    id_layout, id_size = (">I", 4) if version else (">H", 2)
    for _ in range(min(entries, MOST_BOXES)):
        if at >= end:
            break
        (this,) = struct.unpack_from(id_layout, content, at)
        count = content[at + id_size]
        at += id_size + 1
        if flags & LARGE_IDS:
            found = struct.unpack_from(f">{count}H", content, at)
            numbers = [number & 0x7FFF for number in found]
            at += 2 * count
        else:
            numbers = [number & 0x7F for number in content[at : at + count]]
            at += count
        if this == item:
            return numbers
    return []
