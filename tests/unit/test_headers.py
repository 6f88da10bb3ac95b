"""All that a header tells is found, whatever the format, and nothing broken in it hurts."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

from image_search.headers import LONGEST, MOST_VALUES, clean, read_tags

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"]
TAKEN = "2008:01:07 12:34:56"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:CreateDate="2011-01-05">
 <dc:title><rdf:Alt><rdf:li xml:lang="de-DE">Katze</rdf:li>
  <rdf:li xml:lang="x-default">Cat</rdf:li></rdf:Alt></dc:title>
 <dc:subject><rdf:Bag><rdf:li>Zoë</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:y="http://example.org/" y:CreateDate="2012"
  xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">
 <photoshop:DateCreated>2013-01-05T01:02:03</photoshop:DateCreated>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
IN_XMP = {
    "XMP xmp:CreateDate": ["2011-01-05"],
    "XMP dc:title": ["Cat", "Katze"],
    "XMP dc:subject": ["Zoë", "b"],
    "XMP photoshop:DateCreated": ["2013-01-05T01:02:03"],
}


def encode(kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3)).save(buffer, kind, **options)
    return buffer.getvalue()


def exif() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make] = "Canon"
    exif[Base.XPTitle] = "Kätzchen\0".encode("utf-16-le")
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = TAKEN
    exif.get_ifd(IFD.Exif)[Base.FNumber] = 2.8
    gps = exif.get_ifd(IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "S"
    gps[ExifTags.GPS.GPSLatitude] = (41.0, 54.0, 0.0)
    gps[ExifTags.GPS.GPSAltitudeRef] = b"\1"
    return exif


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    """A chunk of a PNG, perhaps with a wrong checksum."""
    if checksum is None:
        checksum = zlib.crc32(kind + data)
    size = struct.pack(">I", len(data))
    return size + kind + data + struct.pack(">I", checksum)


def with_chunk(chunk: bytes, *, behind_pixels: bool = False) -> bytes:
    content = encode("PNG")
    place = content.index(b"IEND") - 4 if behind_pixels else 33
    return content[:place] + chunk + content[place:]


def with_iptc(*fields: tuple[int, bytes]) -> bytes:
    """A JPEG with fields of IPTC's second record, as Photoshop has them."""
    block = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value
        for number, value in fields
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block
    segment = b"Photoshop 3.0\0" + resource + b"\0" * (len(block) % 2)
    content = encode()
    marker = b"\xff\xed" + struct.pack(">H", len(segment) + 2)
    return content[:2] + marker + segment + content[2:]


@pytest.mark.parametrize("kind", FORMATS)
def test_exif_is_read_of_each_format(kind: str) -> None:
    """Its first directory, its own, and that of the place; texts are clean."""
    tags = read_tags(encode(kind, exif=exif().tobytes()))
    assert tags["IFD0 Make"] == ["Canon"]
    assert tags["IFD0 XPTitle"] == ["Kätzchen"]
    assert tags["EXIF DateTimeOriginal"] == [TAKEN]
    assert [float(one) for one in tags["EXIF FNumber"]] == pytest.approx([2.8])
    assert tags["GPS GPSLatitudeRef"] == ["S"]
    [degrees] = tags["GPS GPSLatitude"]
    assert [float(one) for one in degrees] == [41, 54, 0]
    assert tags["GPS GPSAltitudeRef"] == [1]


@pytest.mark.parametrize("kind", FORMATS)
def test_xmp_is_read_of_each_format(kind: str) -> None:
    """Attributes, elements, lists; of a text in several languages first that for all."""
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP)
        content = encode(kind, pnginfo=info)
    elif kind == "TIFF":
        content = encode(kind, tiffinfo={700: XMP.encode()})
    else:
        content = encode(kind, xmp=XMP.encode())
    tags = read_tags(content)
    in_xmp = {name: one for name, one in tags.items() if "XMP" in name}
    assert in_xmp == IN_XMP


@pytest.mark.parametrize(
    "packet",
    [
        XMP.encode() + b"\0 \n\0",
        b"\0" + XMP.encode() + b"junk",
        XMP.encode("utf-16"),
        XMP.encode("utf-16-be"),
    ],
)
def test_xmp_is_read_however_it_is_written(packet: bytes) -> None:
    """In UTF-16 as well, and with something around it."""
    tags = read_tags(encode(xmp=packet))
    assert tags["XMP dc:title"] == ["Cat", "Katze"]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no XML",
        XMP[:300].encode(),
        XMP.encode().replace("Zoë".encode(), b"Zo\xff"),
        b"<?xml version='1.0' encoding='no-such'?><a/>",
        b"<!DOCTYPE a [<!ENTITY b 'ha'>]>" + XMP.encode(),
        f'<rdf:RDF xmlns:rdf="{RDF}">{"<a>" * 50_000}'.encode()[:60_000],
    ],
)
def test_xmp_that_is_broken_or_unsafe_tells_nothing(packet: bytes) -> None:
    """Of all else nothing is lost; entities, which can make it endless, are refused."""
    tags = read_tags(encode(xmp=packet, exif=exif().tobytes()))
    assert not any("XMP" in name for name in tags)
    assert tags["IFD0 Make"] == ["Canon"]


def test_iptc_is_read() -> None:
    """By the numbers of its fields, as many of one as there are."""
    content = with_iptc((55, b"20080107"), (25, b"cat"), (25, "Zoë".encode()))
    tags = read_tags(content)
    assert tags["IPTC 2:55"] == ["20080107"]
    assert tags["IPTC 2:25"] == ["cat", "Zoë"]


@pytest.mark.parametrize("behind_pixels", [False, True])
@pytest.mark.parametrize("checksum", [None, 0])
@pytest.mark.parametrize(
    ("kind", "data", "name"),
    [
        (b"tEXt", b"Creation Time\0" + TAKEN.encode(), "PNG creationtime"),
        (b"tEXt", b"date:create\0" + TAKEN.encode(), "PNG datecreate"),
        (
            b"zTXt",
            b"CreationTime\0\0" + zlib.compress(TAKEN.encode()),
            "PNG creationtime",
        ),
        (
            b"iTXt",
            b"Creation Time\0\0\0\0\0" + TAKEN.encode(),
            "PNG creationtime",
        ),
        (b"eXIf", exif().tobytes()[6:], "EXIF DateTimeOriginal"),
    ],
)
def test_a_png_tells_before_and_behind_its_pixels(
    kind: bytes,
    data: bytes,
    name: str,
    checksum: int | None,
    behind_pixels: bool,  # noqa: FBT001, pytest's way
) -> None:
    """In each kind of chunk, also with a wrong checksum, and beside one that is broken."""
    good = chunk(kind, data, checksum)
    broken = chunk(b"zTXt", b"Comment\0\0no zlib") + chunk(b"iTXt", b"a")
    content = with_chunk(broken + good, behind_pixels=behind_pixels)
    assert read_tags(content)[name] == [TAKEN]


def test_a_pngs_pixels_are_not_touched() -> None:
    """Without them, or with any in their place, it tells the same."""
    content = with_chunk(chunk(b"tEXt", b"Title\0Cat"), behind_pixels=True)
    start = content.index(b"IDAT") - 4
    end = content.index(b"tEXt") - 4
    size = struct.pack(">I", 2**20)
    wrong = size + b"IDAT" + b"\xff" * 2**20 + b"\0" * 4
    for pixels in b"", wrong:
        tags = read_tags(content[:start] + pixels + content[end:])
        assert tags == {"PNG title": ["Cat"]}


@pytest.mark.parametrize("kind", ["exif", "xmp"])
def test_a_png_of_imagemagick_is_read(kind: str) -> None:
    """It has other formats' metadata as hexadecimal text."""
    data = exif().tobytes() if kind == "exif" else XMP.encode()
    text = f"\n{kind}\n{len(data):8}\n{data.hex()}\n"
    info = PngImagePlugin.PngInfo()
    info.add_text(f"Raw profile type {kind}", text, zip=True)
    tags = read_tags(encode("PNG", pnginfo=info))
    names = {"exif": "EXIF DateTimeOriginal", "xmp": "XMP dc:title"}
    values = {"exif": [TAKEN], "xmp": ["Cat", "Katze"]}
    assert tags[names[kind]] == values[kind]


def test_a_jpeg_of_any_size_tells() -> None:
    """No pixel of it is decoded, so that there is no limit to them."""
    content = bytearray(encode(exif=exif().tobytes()))
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    assert read_tags(bytes(content))["EXIF DateTimeOriginal"] == [TAKEN]


@pytest.mark.parametrize("head", [b"II*\0", b"IIRO", b"IIRS", b"IIU\0"])
def test_a_raw_file_of_a_camera_tells(head: bytes) -> None:
    """Those that are TIFFs but for a few bytes, which Pillow doesn't open."""
    little = exif()
    little.endian = "<"
    directory = little.tobytes()[6:]
    tags = read_tags(head + directory[4:])
    assert tags["EXIF DateTimeOriginal"] == [TAKEN]
    assert tags["IFD0 Make"] == ["Canon"]


def cut(content: bytes, at: int) -> bytes:
    return content[:at]


def fill(content: bytes, at: int) -> bytes:
    return content[:at] + b"\xff" * 8 + content[at + 8 :]


def clear(content: bytes, at: int) -> bytes:
    return content[:at] + bytes(8) + content[at + 8 :]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("damage", [cut, fill, clear])
def test_no_damage_is_an_error(
    damage: Callable[[bytes, int], bytes], kind: str
) -> None:
    """Wherever a file is cut or overwritten, what is left of it is told, or nothing."""
    content = encode(kind, exif=exif().tobytes())
    for at in range(0, min(len(content), 1500), 3):
        for values in read_tags(damage(content, at)).values():
            assert len(values) <= MOST_VALUES


@pytest.mark.parametrize("content", [b"", b"no photo", b"II", b"MM\0*" * 9])
def test_what_is_no_photo_tells_nothing(content: bytes) -> None:
    """Nor does it raise an error."""
    assert read_tags(content) == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Zoë", "Zoë"),
        ("ZoÃ«", "Zoë"),  # UTF-8 that was taken for Latin-1, as Pillow does
        ("Zoë".encode(), "Zoë"),
        ("Zoë".encode("latin-1"), "Zoë"),
        ("猫", "猫"),
        ("Canon\0\0junk", "Canon"),
        ("  a\r\n\tb \x07 ", "a b"),
        (b"\xff\xfe", "ÿþ"),
        ("a\ud800b", "a b"),
        ("\0", ""),
        ("x" * 10_000, "x" * LONGEST),
    ],
)
def test_a_text_is_clean(value: str | bytes, expected: str) -> None:
    """It is on one line, has no controls, and its letters are right."""
    assert clean(value) == expected
    clean(value).encode()
