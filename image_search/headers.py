"""All that a photo's header tells, under one kind of name: EXIF, XMP, IPTC, texts.

Pillow reads it, without a pixel decoded. Any of it may be broken, which costs no more
than what is broken.
"""

import contextlib
import io
import re
import struct
import warnings
from collections.abc import Iterator
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError

import pillow_heif
from defusedxml import DefusedXmlException, ElementTree
from PIL import Image
from PIL.ExifTags import GPSTAGS, IFD, TAGS
from PIL.ImageFile import ImageFile
from PIL.IptcImagePlugin import getiptcinfo
from PIL.JpegImagePlugin import JpegImageFile

from image_search.png import SIGNATURE, without_pixels

FORMATS = ("JPEG", "PNG", "TIFF", "HEIF", "AVIF")
PNG_METADATA = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}
WEBP_METADATA = {b"EXIF", b"XMP "}
MOST_CHUNKS = 64  # of a PNG
MOST_XMP = 2**22  # bytes
MOST_VALUES = 1000  # of one name
LONGEST = 2000  # characters of a text
SCHEMAS = {  # of XMP
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
XML_ERRORS = ParseError, DefusedXmlException, ValueError, LookupError
DIRECTORIES = (IFD.Exif, "EXIF", TAGS), (IFD.GPSInfo, "GPS", GPSTAGS)
WINDOWS = range(0x9C9B, 0x9CA0)  # the EXIF tags that are in UTF-16
CONTROL = re.compile("[\\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")

# What is told, by where and its name there: "EXIF DateTimeOriginal", "IFD0 Make",
# "GPS GPSLatitude", "XMP dc:title", "IPTC 2:25", "PNG creationtime". Texts are clean.
Tags = dict[str, list[Any]]


def read_tags(content: bytes) -> Tags:
    """Read what a photo's bytes tell; what is broken is as if it weren't there."""
    pillow_heif.register_heif_opener()
    tags: Tags = {}
    with warnings.catch_warnings(action="ignore"):
        if content[:4] == b"RIFF":
            _add_webp(tags, content)
            return tags
        for part in _parts(content):
            # Decoders fail in many ways.
            with contextlib.suppress(Exception):
                _add(tags, _open(part))
        is_tiff = content[:2] in {b"II", b"MM"}
        if is_tiff and not tags:
            # Of a kind that Pillow doesn't open, such as the raw file of a camera:
            # some have two other bytes in the place of the 42.
            head = b"II*\0" if content[:2] == b"II" else b"MM\0*"
            exif = Image.Exif()
            with contextlib.suppress(Exception):
                exif.load_from_fp(io.BytesIO(head + content[4:]))
                _add_exif(tags, exif)
    return tags


def clean(value: str | bytes) -> str:
    """A text on one line, in UTF-8, else in Latin-1, without controls.

    Pillow decodes all of EXIF as Latin-1.
    """
    text = value if isinstance(value, str) else value.decode("latin-1")
    # What is neither stays as it is.
    with contextlib.suppress(UnicodeError):
        text = text.encode("latin-1").decode()
    text = CONTROL.sub(" ", text.partition("\0")[0])
    return " ".join(text.split())[:LONGEST]


def _parts(content: bytes) -> Iterator[bytes]:
    """What Pillow is to open: of a PNG each chunk by itself.

    It would decode the pixels for what lies behind them, and fail where one chunk is
    broken.
    """
    if content.startswith(SIGNATURE):
        return without_pixels(content, PNG_METADATA, MOST_CHUNKS)
    return iter([content])


def _add_webp(tags: Tags, content: bytes) -> None:
    """Look for the chunks: Pillow makes room for all the pixels when it opens one."""
    at = len(b"RIFF....WEBP")
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        data = content[at + 8 : at + 8 + size] if kind in WEBP_METADATA else b""
        if kind == b"EXIF":
            exif = Image.Exif()
            with contextlib.suppress(Exception):
                exif.load(data)
                _add_exif(tags, exif)
        elif kind == b"XMP ":
            _add_xmp(tags, data)
        at += 8 + size + size % 2


def _open(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:  # no pixel will be decoded
        return JpegImageFile(io.BytesIO(content))


def _add(tags: Tags, image: Image.Image) -> None:
    # Not a PNG's own `text` and `getexif`, which decode the pixels.
    texts = {
        str(key): text
        for key, text in image.info.items()
        if image.format == "PNG" and isinstance(text, str)
    }
    for key, text in texts.items():
        name = re.sub("[^a-z]", "", key.lower())  # Creation Time, creation-time
        _put(tags, f"PNG {name}", text)
    with contextlib.suppress(Exception):
        _add_exif(tags, Image.Image.getexif(image))
    _add_xmp(tags, image.info.get("xmp") or _raw_profile(texts, "xmp"))
    with contextlib.suppress(Exception):
        for (record, number), values in (
            getiptcinfo(cast("ImageFile", image)) or {}
        ).items():
            many = values if isinstance(values, list) else [values]
            _put(tags, f"IPTC {record}:{number}", *many)


def _add_exif(tags: Tags, exif: Image.Exif) -> None:
    for number in exif:
        with contextlib.suppress(Exception):
            value = exif[number]
            if number in WINDOWS:
                value = value.decode("utf-16-le", "replace")
            _put(tags, f"IFD0 {TAGS.get(number)}", value)
    for ifd, group, names in DIRECTORIES:
        with contextlib.suppress(Exception):
            for number, value in exif.get_ifd(ifd).items():
                is_byte = isinstance(value, bytes) and len(value) == 1
                one = value[0] if is_byte else value
                _put(tags, f"{group} {names.get(number)}", one)


def _add_xmp(tags: Tags, packet: Any) -> None:
    root = Element("nothing")
    if isinstance(packet, bytes) and len(packet) <= MOST_XMP:
        # Some are in UTF-16; around some of UTF-8 there is something else.
        begin, end = packet.find(b"<"), packet.rfind(b">") + 1
        for one in packet, packet[begin:end]:
            with contextlib.suppress(*XML_ERRORS):
                root = ElementTree.fromstring(one, forbid_dtd=True)
                break
    for description in root.iter(f"{RDF}Description"):
        for name, value in description.items():
            _put_property(tags, name, [value])
        for child in description:
            _put_property(tags, child.tag, _values(child))


def _values(element: Element) -> list[str]:
    """Of a list its items, of a text in several languages first the one for all."""
    items = element.findall(f"*/{RDF}li") or [element]
    items.sort(key=lambda one: one.get(LANGUAGE, "x-default") != "x-default")
    return [one.text or "" for one in items]


def _put_property(tags: Tags, name: str, values: list[str]) -> None:
    schema, _, rest = name[1:].partition("}")
    if schema in SCHEMAS:
        _put(tags, f"XMP {SCHEMAS[schema]}:{rest}", *values)


def _raw_profile(texts: dict[str, str], kind: str) -> bytes:
    """What ImageMagick writes into a PNG's text: a name, a size, hexadecimal."""
    lines = texts.get(f"Raw profile type {kind}", "").split("\n")[3:]
    try:
        return bytes.fromhex("".join(lines))
    except ValueError:
        return b""


def _put(tags: Tags, name: str, *values: Any) -> None:
    known = tags.setdefault(name, [])
    for value in values[:MOST_VALUES]:
        if isinstance(value, (str, bytes)):
            if text := clean(value[: 4 * LONGEST]):
                known.append(text)
        elif value is not None:
            known.append(value)
