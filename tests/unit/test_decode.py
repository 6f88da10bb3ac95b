"""Each kind of file is decoded as a person sees it, damaged ones too."""

import contextlib
import io
import logging
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageDraw, PngImagePlugin

from image_search.decode import OF_ALL, decode, open_photo
from image_search.photos import OF_THE_FOLDER, read_photo, read_pixels
from image_search.png import SIGNATURE, chunks
from image_search.reasons import CUT_OFF, PhotoError
from image_search.streamed import vips
from tests.harness import PHOTOS

SIDE = 32
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EOI = b"\xff\xd9"


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seen(content: bytes, at_least: int | None = None) -> Any:
    """As an array of shape (height, width, 3), of numbers that can be negative."""
    return np.asarray(decode(content, at_least, OF_ALL).image).astype(int)


def coffee(width: int = 600, height: int = 400) -> Image.Image:
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB")
    return photo.resize((width, height))


def shape(mode: str) -> Image.Image:
    """A dark bar on what is clear, and black below."""
    image = Image.new("RGBA", (300, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 149, 199), (20, 20, 20, 255))
    return image.convert(mode)


def grey_profile(gamma: float = 2.2) -> bytes:
    """A profile for grey, as Preview and Photoshop write it."""
    xyz = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, int(gamma * 256)) + b"\0\0"
    name = b"desc\0\0\0\0\0\0\0\x05grey\0" + bytes(80)
    tags = [(b"desc", name), (b"wtpt", xyz), (b"cprt", name), (b"kTRC", curve)]
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags:
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = at + len(body)
    head = struct.pack(">I4sI", size, b"lcms", 0x02100000) + b"mntrGRAYXYZ "
    head += bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + table + body


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", right)


def png(colour: int, depth: int, rows: Any, *others: bytes) -> bytes:
    """A PNG of these samples, of shape (height, row), with chunks before them."""
    samples = np.asarray(rows, ">u2" if depth == 16 else np.uint8)
    height = len(samples)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width = samples[0].size // channels
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    before = SIGNATURE + chunk(b"IHDR", header) + b"".join(others)
    return before + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


# --- Transparency and profiles ----------------------------------------------------------


@pytest.mark.parametrize("at_least", [None, 64])
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "PA", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGBA", {}),
        ("AVIF", "RGBA", {}),
        ("TIFF", "RGBA", {}),
        ("TIFF", "LA", {}),
        ("HEIF", "RGBA", {}),
    ],
)
@pytest.mark.parametrize(
    "profile",
    [None, SRGB, grey_profile()],
    ids=["none", "sRGB", "grey"],  # sRGB's has the time in it
)
def test_what_is_clear_is_white_with_any_profile(
    kind: str,
    mode: str,
    options: dict[str, Any],
    profile: bytes | None,
    at_least: int | None,
) -> None:
    """What is clear is white, whatever colour lies below, and whatever the profile is."""
    image = shape("RGBA" if mode == "PA" else mode)
    if mode == "PA":
        image = image.quantize(16)
    content = encode(image, kind, icc_profile=profile, **options)
    found = seen(content, at_least)
    width = found.shape[1]
    # A grey of 20 is one of 12 where the curve is that of 2.2.
    assert np.abs(found[:, : width // 2 - 8] - 16).max() <= 8
    assert found[:, width // 2 + 8 :].min() >= 250


@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_a_profile_for_grey_is_one_for_grey(kind: str, mode: str) -> None:
    """Grey with a linear profile is brighter, and lies where it lay."""
    if mode == "LA" and kind == "JPEG":
        mode = "L"
    image = Image.new(mode, (300, 200), (55, 255) if mode == "LA" else 55)
    image.paste((0, 255) if mode == "LA" else 0, (150, 0, 300, 200))
    content = encode(image, kind, icc_profile=grey_profile(1.0))
    found = seen(content)
    # 55 / 255 of the light is 128 in sRGB.
    assert np.abs(found[:, :140] - 128).max() <= 3
    assert found[:, 160:].max() <= 3


def test_a_palette_has_its_profile() -> None:
    """The profile of a picture with a palette is that of the colours in it."""
    swapped = bytearray(SRGB)
    first, second = swapped.find(b"rXYZ"), swapped.find(b"bXYZ")
    swapped[first : first + 4], swapped[second : second + 4] = b"bXYZ", b"rXYZ"
    image = Image.new("RGB", (40, 30), (200, 30, 30)).quantize(4)
    red, _, blue = seen(encode(image, "PNG", icc_profile=bytes(swapped)))[0, 0]
    assert blue > red


def test_sixteen_bits_with_a_clear_colour() -> None:
    """One shade of a deep grey PNG may stand for nothing."""
    rows = np.full((20, 30), 1000)
    rows[:, 10:] = 0x1234
    found = seen(png(0, 16, rows, chunk(b"tRNS", b"\x12\x34")))
    assert np.abs(found[:, :10] - 3).max() <= 1
    assert found[:, 10:].min() == 255


@pytest.mark.parametrize("transparency", [None, 3])
def test_what_a_gif_leaves_free_is_white(transparency: int | None) -> None:
    """Around a first frame that is smaller than its canvas a person sees white."""
    image = Image.new("P", (50, 50), 1)
    image.putpalette([0, 0, 0, 200, 30, 30, 9, 9, 9, 1, 2, 3])
    options = {} if transparency is None else {"transparency": transparency}
    content = bytearray(encode(image, "GIF", **options))
    content[6:10] = struct.pack("<HH", 100, 80)
    at = content.index(b"\x2c\0\0\0\0" + struct.pack("<HH", 50, 50))
    content[at + 1 : at + 5] = struct.pack("<HH", 20, 10)
    found = seen(bytes(content))
    assert found.shape == (80, 100, 3)
    assert np.abs(found[15:55, 25:65] - [200, 30, 30]).max() <= 1
    assert found[:9].min() == found[:, 71:].min() == 255


# --- Colours told by numbers ------------------------------------------------------------


@pytest.mark.parametrize(
    ("gamma", "expected"), [(100_000, 188), (45_455, 128), (20_000, 50)]
)
def test_gamma_of_a_png(gamma: int, expected: int) -> None:
    """A PNG's gAMA says how much light a sample stands for; sRGB goes before it."""
    rows = np.full((4, 12), 128)
    told = chunk(b"gAMA", struct.pack(">I", gamma))
    assert np.abs(seen(png(2, 8, rows, told)) - expected).max() <= 2
    both = chunk(b"sRGB", b"\0") + told
    assert np.abs(seen(png(2, 8, rows, both)) - 128).max() <= 1


def test_primaries_of_a_png() -> None:
    """A PNG's cHRM says what its red is, where gAMA says how much of it there is."""
    rows = np.asarray(Image.new("RGB", (4, 4), (200, 100, 50))).reshape(4, -1)
    gamma = chunk(b"gAMA", struct.pack(">I", 45_455))
    p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    points = chunk(b"cHRM", struct.pack(">8I", *p3))
    found = seen(png(2, 8, rows, gamma, points))
    assert np.abs(found - (215, 93, 31)).max() <= 3
    flat = chunk(b"cHRM", struct.pack(">8I", *[33000] * 8))
    for others in ((points,), (gamma, flat), (gamma, chunk(b"cHRM", b"short"))):
        assert (
            np.abs(seen(png(2, 8, rows, *others)) - (200, 100, 50)).max() <= 1
        )


def with_numbers(
    kind: str, primaries: int, transfer: int, colour: Any
) -> bytes:
    """A picture of one colour that tells by numbers what its samples mean."""
    image = Image.new("RGB", (64, 48), colour)
    if kind == "PNG":
        rows = np.asarray(image).reshape(48, -1)
        return png(
            2, 8, rows, chunk(b"cICP", bytes([primaries, transfer, 0, 1]))
        )
    if kind == "HEIF":
        return encode(
            image,
            "HEIF",
            quality=100,
            chroma=444,
            color_primaries=primaries,
            transfer_characteristics=transfer,
            matrix_coefficients=6,
            full_range_flag=1,
        )
    content = encode(image, "AVIF", quality=100, subsampling="4:4:4")
    at = content.index(b"nclx") + 4
    numbers = struct.pack(">HH", primaries, transfer)
    return content[:at] + numbers + content[at + 4 :]


@pytest.mark.parametrize("kind", ["PNG", "AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("primaries", "transfer", "colour", "expected"),
    [
        (1, 13, (200, 100, 50), (200, 100, 50)),
        # Converted by hand, by the formulas of CSS Color 4.
        (12, 13, (200, 100, 50), (215, 93, 31)),
        (9, 13, (128, 128, 128), (128, 128, 128)),
        (1, 8, (55, 55, 55), (128, 128, 128)),
        # PQ: 58 % is the white of a screen, which HDR leaves room above.
        (9, 16, (148, 148, 148), (190, 190, 190)),
        (9, 16, (0, 0, 0), (0, 0, 0)),
        (9, 16, (192, 192, 192), (255, 255, 255)),
    ],
)
def test_colours_told_by_numbers(
    kind: str, primaries: int, transfer: int, colour: Any, expected: Any
) -> None:
    """Wide gamuts and HDR come out as a person sees them on an ordinary screen."""
    found = seen(with_numbers(kind, primaries, transfer, colour))
    assert np.abs(found - expected).max() <= 5


def test_hdr_is_not_flat() -> None:
    """HLG's and PQ's mid greys come out brighter than their samples, white as white."""
    for transfer in (16, 18):
        low = seen(with_numbers("AVIF", 9, transfer, (90,) * 3)).mean()
        high = seen(with_numbers("AVIF", 9, transfer, (190,) * 3)).mean()
        assert high - low > 100


# --- Upright ----------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_of_phones_that_say_it_in_exif_alone(orientation: int) -> None:
    """A HEIC is turned by EXIF where the file's own properties do not turn it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = Image.new("RGB", (64, 48), "white")
    stored.paste("black", (0, 0, 32, 24))
    content = encode(stored, "HEIF", quality=90, exif=exif)
    # Pillow-heif turns by a property only where it is given bytes.
    assert b"irot" not in content
    decoded = decode(content, None, OF_ALL)
    assert decoded.size == ((48, 64) if orientation > 4 else (64, 48))
    corners = {1: (5, 5), 3: (58, 42), 6: (42, 5), 8: (5, 58)}
    corner: Any = decoded.image.getpixel(corners[orientation])
    assert max(corner) < 30
    as_bytes = encode(stored, "HEIF", quality=90, exif=exif.tobytes())
    turned = np.asarray(decode(as_bytes, None, OF_ALL).image).astype(int)
    assert np.abs(turned - np.asarray(decoded.image)).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "AVIF", "WEBP"])
def test_xmp_turns_nothing(kind: str) -> None:
    """An orientation in XMP alone is not followed: no viewer does."""
    xmp = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/"
        b"1999/02/22-rdf-syntax-ns#'><rdf:Description xmlns:tiff='http://ns.adobe.com"
        b"/tiff/1.0/' tiff:Orientation='6'/></rdf:RDF></x:xmpmeta>"
    )
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    options = {"pnginfo": info} if kind == "PNG" else {"xmp": xmp}
    content = encode(coffee(60, 40), kind, **options)
    assert b"tiff:Orientation" in content
    decoded = decode(content, None, OF_ALL)
    assert decoded.size == decoded.image.size == (60, 40)


# --- Damaged, yet shown -----------------------------------------------------------------


def cut(part: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(part * len(content))]


def zeros_after(part: float) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        at = int(part * len(content))
        return content[:at] + bytes(len(content) - at)

    return change


def with_wrong_checksum(content: bytes) -> bytes:
    return content[:33] + chunk(b"pHYs", bytes(9), 0xDEADBEEF) + content[33:]


def with_flipped_byte(content: bytes) -> bytes:
    at = int(0.9 * len(content))
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


DAMAGED: list[tuple[str, dict[str, Any], Callable[[bytes], bytes]]] = [
    ("JPEG", {}, cut(0.999)),
    ("JPEG", {}, lambda content: content[:-2]),
    ("JPEG", {}, cut(0.7)),
    ("JPEG", {"progressive": True}, cut(0.7)),
    ("JPEG", {}, zeros_after(0.8)),
    ("PNG", {}, cut(0.999)),
    ("PNG", {}, cut(0.7)),
    ("PNG", {}, with_wrong_checksum),
    ("PNG", {}, with_flipped_byte),
    ("GIF", {"interlace": 0}, cut(0.99)),
    ("GIF", {"interlace": 0}, cut(0.7)),
    ("WEBP", {"quality": 90}, cut(0.9)),
    ("BMP", {}, cut(0.9)),
]


@pytest.mark.parametrize("at_least", [None, 64])
@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_what_is_left_of_a_photo_is_shown(
    number: int, at_least: int | None
) -> None:
    """A file without its end, or with a wrong byte, is shown, and said to be damaged."""
    kind, options, damage = DAMAGED[number]
    whole = encode(coffee(), kind, **options)
    assert not decode(whole, at_least, OF_ALL).is_damaged
    decoded = decode(damage(whole), at_least, OF_ALL)
    assert decoded.is_damaged
    assert decoded.size == (600, 400)
    there = slice(None, decoded.image.height // 2)
    if kind == "BMP":  # whose last row comes first
        there = slice(decoded.image.height // 2, None)
    expected = seen(whole, at_least)[there]
    difference = np.asarray(decoded.image)[there] - expected
    # Of a progressive one the details are missing.
    most = 12 if options.get("progressive") or kind == "WEBP" else 1
    assert np.abs(difference).mean() < most


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_missing_is_white(kind: str, mode: str) -> None:
    """As a page shows it, what a cut photo misses is as white as what is clear."""
    options = {"interlace": 0} if kind == "GIF" else {}
    content = encode(coffee().convert(mode), kind, **options)
    assert seen(cut(0.7)(content))[-1].min() == 255


def test_a_profile_for_grey_takes_no_colour() -> None:
    """A photo in colour whose profile is one for grey keeps its colours."""
    content = encode(coffee(), "JPEG", icc_profile=grey_profile(1.0))
    assert np.abs(seen(content) - seen(encode(coffee(), "JPEG"))).max() == 0


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("JPEG", cut(0.3)),
        ("JPEG", zeros_after(0.2)),
        ("PNG", cut(0.4)),
        ("GIF", cut(0.2)),
        ("WEBP", cut(0.4)),
        ("BMP", cut(0.4)),
        ("AVIF", cut(0.7)),
        ("HEIF", cut(0.6)),
        ("TIFF", cut(0.6)),
    ],
)
def test_less_than_half_is_no_photo(
    kind: str, damage: Callable[[bytes], bytes]
) -> None:
    """A file with less than half of its rows is skipped, and the reason says it."""
    content = damage(encode(coffee(), kind))
    for read in (read_photo, read_pixels):
        with pytest.raises(PhotoError) as caught:
            read(content, SIDE)
        assert str(caught.value) == CUT_OFF


def test_long_texts_and_profiles_are_no_damage() -> None:
    """A PNG with a text, or a profile, of more than 1 MiB is like another."""
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 1_200_000, zip=True)
    noise = np.random.default_rng(1).bytes(1_300_000)
    for options in ({"pnginfo": info}, {"icc_profile": SRGB + noise}):
        content = encode(coffee(), "PNG", **options)
        decoded = decode(content, None, OF_ALL)
        assert not decoded.is_damaged
        assert np.abs(np.asarray(decoded.image) - seen(content)).max() <= 1


# --- Rare kinds -------------------------------------------------------------------------


def bmp(
    bits: int, rows: Any, masks: tuple[int, ...] = (), palette: bytes = b""
) -> bytes:
    """A BMP with such rows, of shape (height, bytes), the last one first."""
    height, length = rows.shape
    told = struct.pack(f"<{len(masks)}I", *masks)
    size = 40 + (len(told) if len(masks) == 4 else 0)
    start = 14 + 40 + len(told) + len(palette)
    width = length * 8 // bits
    head = struct.pack("<iiiHHIIiiII", size, width, height, 1, bits,
                       3 if masks else 0, rows.size, 0, 0, 0, 0)  # fmt: skip
    body: bytes = head + told + palette + rows[::-1].tobytes()
    return b"BM" + struct.pack("<IHHI", start + rows.size, 0, 0, start) + body


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0xFF000000, 0xFF0000, 0xFF00)),
        (32, (0xFF00, 0xFF, 0xFF0000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (16, (0xF00, 0xF0, 0xF)),
        (16, (0x7E0, 0xF800, 0x1F)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
    ],
)
def test_bmps_of_any_bits(bits: int, masks: tuple[int, ...]) -> None:
    """Wherever a BMP keeps its samples, and of how many bits, the colours are right."""
    photo = np.asarray(coffee(60, 40)).astype(np.uint32)
    packed = np.zeros((40, 60), np.uint32)
    for channel, mask in enumerate(masks):
        lowest = (mask & -mask).bit_length() - 1
        most = mask >> lowest
        samples = photo[..., channel] if channel < 3 else np.full((40, 60), 255)
        packed |= (samples * most // 255).astype(np.uint32) << lowest
    rows = packed.astype(f"<u{bits // 8}").view(np.uint8)
    found = seen(bmp(bits, rows.reshape(40, -1), masks))
    step = 255 / min(
        mask >> ((mask & -mask).bit_length() - 1) for mask in masks
    )
    assert np.abs(found - photo).max() <= step + 1


def test_bmps_of_two_bits() -> None:
    """Four colours may take two bits each."""
    palette = bytes([0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0])
    rows = np.full((4, 4), 0b00_01_10_11, np.uint8)
    found = seen(bmp(2, rows, palette=palette))
    assert found[0, :4].tolist() == [
        [0, 0, 0],
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
    ]


def big_tiff(order: str) -> bytes:
    """A BigTIFF, RGB, as cameras' and scanners' programs write it."""
    pixels = np.asarray(coffee()).tobytes()
    depth = struct.pack(f"{order}4H", 8, 8, 8, 0)
    entries = b""
    for tag, value in {256: 600, 257: 400, 258: depth, 259: 1, 262: 2, 273: 16,
                       277: 3, 278: 400, 279: len(pixels), 284: 1}.items():  # fmt: skip
        kind, count = (3, 3) if isinstance(value, bytes) else (16, 1)
        data = (
            value
            if isinstance(value, bytes)
            else struct.pack(f"{order}Q", value)
        )
        entries += struct.pack(f"{order}HHQ", tag, kind, count) + data
    head = b"MM" if order == ">" else b"II"
    head += struct.pack(f"{order}HHHQ", 43, 8, 0, 16 + len(pixels))
    directory = struct.pack(f"{order}Q", 10) + entries + bytes(8)
    whole: bytes = head + pixels + directory
    return whole


@pytest.mark.parametrize("order", ["<", ">"])
def test_big_tiffs(order: str) -> None:
    """A BigTIFF of either order of bytes is read."""
    expected = np.asarray(coffee())
    assert np.abs(seen(big_tiff(order)) - expected).max() <= 1


@pytest.mark.parametrize(
    ("space", "options"),
    [
        ("scrgb", {}),
        ("lab", {}),
        ("labs", {}),
        ("rgb16", {}),
        ("srgb", {"compression": "webp", "lossless": True}),
        ("srgb", {"compression": "deflate", "tile": True}),
    ],
)
@pytest.mark.parametrize("at_least", [None, 64])
def test_tiffs_of_programs_for_photos(
    space: str, options: dict[str, Any], at_least: int | None
) -> None:
    """TIFFs of floats, CIELAB, 16 bits or WebP's compression have the photo's colours."""
    image = vips().Image.new_from_array(np.asarray(coffee()))
    image = image.copy(interpretation="srgb").colourspace(space)
    found = seen(image.tiffsave_buffer(**options), at_least)
    expected = coffee() if at_least is None else coffee().reduce(6)
    assert np.abs(found - np.asarray(expected)).mean() < 2


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_second_reader_sees_what_the_first_would(orientation: int) -> None:
    """A TIFF that Pillow can't decode has its profile and its orientation all the same."""
    swapped = bytearray(SRGB)
    first, second = swapped.find(b"rXYZ"), swapped.find(b"bXYZ")
    swapped[first : first + 4], swapped[second : second + 4] = b"bXYZ", b"rXYZ"
    red = Image.new("RGB", (64, 48), (200, 30, 30))
    image = vips().Image.new_from_array(np.asarray(red))
    image = image.copy(interpretation="srgb")
    image.set_type(vips().GValue.gint_type, "orientation", orientation)
    image.set_type(vips().GValue.blob_type, "icc-profile-data", bytes(swapped))
    for compression in ("none", "webp"):
        options = {"lossless": True} if compression == "webp" else {}
        content = image.tiffsave_buffer(compression=compression, **options)
        decoded = decode(content, None, OF_ALL)
        assert decoded.size == ((64, 48) if orientation == 1 else (48, 64))
        assert decoded.size == decoded.image.size
        pixel: Any = decoded.image.getpixel((9, 9))
        assert pixel[2] > pixel[0]


def test_an_avif_that_only_lenient_readers_take() -> None:
    """An AVIF whose alpha has no size of its own is read as other viewers do."""
    image = Image.new("RGBA", (64, 48), (10, 200, 30, 128))
    content = bytearray(encode(image, "AVIF", quality=100))
    second = content.index(b"ipma") + 19
    assert content[second : second + 4] == b"\0\x02\x04\x01"
    content[second + 3] = 0  # no size
    found = seen(bytes(content))
    assert np.abs(found[10, 10] - [132, 228, 142]).max() <= 3


def test_a_jpeg_of_hundreds_of_megapixels() -> None:
    """A JPEG of 280 megapixels is decoded small, and takes little memory."""
    row = Image.new("RGB", (18_000, 16), "teal")
    content = bytearray(encode(row, "JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 7] = struct.pack(">H", 15_600)
    opened = open_photo(bytes(content), 512, OF_THE_FOLDER)
    assert opened.size == (18_000, 15_600)
    assert opened.bytes_to_decode(512) < 100_000_000


def test_a_damaged_reading_says_so() -> None:
    """What the index is told of a damaged photo is that it is damaged."""
    content = encode(coffee(), "JPEG")
    assert not read_photo(content, SIDE).is_damaged
    assert read_photo(content[:-2], SIDE).is_damaged
    mended = chunks(encode(coffee(), "PNG"))
    assert all(one.is_whole for one in mended)


def test_of_packed_exif_the_first_counts() -> None:
    """A PNG with thousands of packed texts, each a mebibyte, is read in no time."""
    digits = b"\nexif\n9999\n" + b"41" * 2**19
    packed = b"Raw profile type exif\0\0" + zlib.compress(digits, 9)
    rows = np.zeros((2, 2, 3), np.uint8)
    content = png(2, 8, rows, *[chunk(b"zTXt", packed)] * 2000)
    began = time.process_time()  # whatever else is at work
    assert decode(content, None, OF_ALL).size == (2, 2)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_libvips_says_nothing_by_python(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Python's garbage collector amid a message of its would abort the process."""
    caplog.set_level(logging.INFO, "pyvips")
    content = encode(Image.effect_noise((600, 400), 50).convert("RGB"), kind)
    for broken in (content, content[: len(content) // 2]):
        with contextlib.suppress(vips().Error):
            vips().Image.new_from_buffer(
                broken, "", access="sequential", fail_on="none"
            ).avg()
    assert "VIPS" not in caplog.text
