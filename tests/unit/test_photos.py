"""Bytes become the image that a person sees, its facts and its thumbnail."""

import contextlib
import hashlib
import io
import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, ImageStat

from image_search.colour import Pixels
from image_search.kinds import BROWSER_PIXELS, BROWSER_SIDE
from image_search.photos import (
    FULL_SIZE,
    THUMBNAIL_SIZE,
    Facts,
    load_image,
    make_thumbnail,
    read_facts,
    read_photo,
    read_pixels,
)
from image_search.reasons import PhotoError
from tests.harness import PHOTOS, png_of_many_pixels

SIDE = 32  # of a model
SRGB_PROFILE = ImageCms.ImageCmsProfile(
    ImageCms.createProfile("sRGB")
).tobytes()
TURN_BACK = {  # what undoes each EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> Pixels:
    return np.asarray(load_image(content))


def picture(name: str, width: int, height: int) -> Image.Image:
    """A sample photo, brought to a size."""
    return Image.open(PHOTOS / name).convert("RGB").resize((width, height))


def turned_photo(orientation: int, upright: Image.Image, kind: str) -> bytes:
    """A photo that is stored as a camera does which was held in another way."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = upright
    if orientation > 1:
        stored = upright.transpose(TURN_BACK[orientation])
    # Of a large PNG, compression would take seconds.
    return encode(stored, kind, exif=exif, compress_level=1)


def difference(one: Image.Image, other: Image.Image) -> float:
    """How far two images are apart, in the mean of the worst colour."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


# --- The image ------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_seen_upright(orientation: int) -> None:
    """Each of the eight EXIF orientations decodes to the same upright pixels."""
    upright = picture("cat.png", 40, 30)
    content = turned_photo(orientation, upright, "PNG")
    assert np.array_equal(pixels(content), np.asarray(upright))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_white(mode: str) -> None:
    """Where a picture is transparent a person sees white, and so does the model."""
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    half.paste((0, 0, 0, 255), (0, 0, 4, 8))
    content = encode(half.convert(mode), "TIFF" if mode == "PA" else "PNG")
    if mode == "PA":  # a palette with one transparent colour, as GIF has it
        palette = Image.new("P", (8, 8), 1)
        palette.putpalette([0, 0, 0, 9, 9, 9])
        palette.paste(0, (0, 0, 4, 8))
        content = encode(palette, transparency=1)
    seen = pixels(content)
    assert seen.shape == (8, 8, 3)
    assert (seen[:, :4] == 0).all()
    assert (seen[:, 4:] == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_is_shown(kind: str) -> None:
    """Of several images in one file, the first one is the photo."""
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    first, *others = [Image.new("RGB", (40, 30), colour) for colour in colours]
    content = encode(first, kind, save_all=True, append_images=others)
    assert getattr(Image.open(io.BytesIO(content)), "n_frames", 1) == 3
    assert np.abs(pixels(content).astype(int) - colours[0]).max() <= 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_photos_of_any_mode_are_rgb(mode: str) -> None:
    """Whatever a photo's mode is, the model is shown RGB."""
    photo = ImageOps.fit(Image.open(PHOTOS / "coffee.png"), (20, 10))
    content = encode(photo.convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    assert load_image(content).mode == "RGB"


def test_deep_photos_keep_their_shades() -> None:
    """A photo of 16 or 32 bits looks as its 8-bit twin, and is not burnt out."""
    shades = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for kind, deep in (
        ("PNG", shades),
        ("TIFF", shades.astype(np.int32) * 1000),
        ("TIFF", shades / np.float32(65535)),
    ):
        seen = pixels(encode(Image.fromarray(deep), kind))[:, :, 0]
        assert np.abs(seen.astype(int) - (shades >> 8)).max() <= 1


@pytest.mark.parametrize(
    "profile",
    [SRGB_PROFILE, b"no profile", SRGB_PROFILE[:100]],
    ids=["whole", "none", "cut off"],  # it has the time in it
)
def test_a_profile_without_effect_changes_nothing(profile: bytes) -> None:
    """An sRGB photo keeps its colours, and so does one whose profile is broken."""
    red = Image.new("RGB", (4, 4), (200, 30, 30))
    seen = pixels(encode(red, icc_profile=profile))
    assert np.abs(seen.astype(int) - (200, 30, 30)).max() <= 2


def test_colours_are_those_of_the_profile() -> None:
    """A photo is converted to sRGB: a profile that swaps red and blue does so."""
    swapped = bytearray(SRGB_PROFILE)
    first, second = swapped.find(b"rXYZ"), swapped.find(b"bXYZ")
    swapped[first : first + 4] = b"bXYZ"
    swapped[second : second + 4] = b"rXYZ"
    red = Image.new("RGB", (4, 4), (200, 30, 30))
    seen = pixels(encode(red, icc_profile=bytes(swapped)))
    assert seen[0, 0, 2] > seen[0, 0, 0]


# --- For the model --------------------------------------------------------------


@pytest.mark.parametrize("size", [(2000, 1500), (700, 500), (100, 90)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_decoding_small_shows_the_same(
    size: tuple[int, int], kind: str
) -> None:
    """What the model is given of a photo looks as it does when decoded in full."""
    content = encode(picture("coffee.png", *size), kind)
    small = Image.fromarray(read_pixels(content, 224))
    assert min(small.size) >= min(448, *size)
    at_last = 299, 224
    full = load_image(content).resize(at_last, Image.Resampling.BICUBIC)
    assert (
        difference(small.resize(at_last, Image.Resampling.BICUBIC), full) < 1.5
    )


def test_large_photos_are_decoded_small() -> None:
    """Of a JPEG with far more pixels than are asked for, a fraction is decoded."""
    photo = encode(Image.new("RGB", (4000, 3000), "teal"), "JPEG")
    # Nothing but the decoder makes an image smaller here.
    assert load_image(photo, at_least=448).size == (1000, 750)
    assert load_image(photo).size == (4000, 3000)


@pytest.mark.parametrize(
    "size", [(100_000, 1), (1, 100_000), (1, 1), (3, 1), (1, 3)]
)
def test_a_strip_takes_no_gigabytes(size: tuple[int, int]) -> None:
    """The model is shown the middle of a strip, no more than it can bear."""
    image = read_pixels(encode(Image.new("RGB", size, "blue")), SIDE)
    assert image.size <= 3 * 16
    assert (image == (0, 0, 255)).all()


# --- All in one visit -----------------------------------------------------------


@pytest.mark.parametrize(
    "size",
    # Of the first more is decoded for the thumbnail than for the model.
    [(2600, 1900), (700, 500), (100, 90), (9, 5)],
)
@pytest.mark.parametrize("side", [224, 384])
def test_the_model_sees_the_same_in_either_way(
    size: tuple[int, int], side: int
) -> None:
    """A photo of the folder and one that is sent come to the model as one image."""
    content = encode(picture("coffee.png", *size), "JPEG")
    indexed = Image.fromarray(read_photo(content, side).pixels)
    sent = Image.fromarray(read_pixels(content, side))
    at_last = side, side
    assert difference(indexed.resize(at_last), sent.resize(at_last)) < 1.5
    assert min(indexed.size) >= min(2 * side, *size)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_thumbnail_are_upright(orientation: int, kind: str) -> None:
    """However a photo is stored, its facts and its thumbnail are those of it upright.

    The header alone tells the same facts.
    """
    upright = picture("cat.png", 40, 30)
    content = turned_photo(orientation, upright, kind)
    reading = read_photo(content, SIDE)
    assert reading.facts == read_facts(content) == Facts(40, 30, None)
    thumbnail = Image.open(io.BytesIO(reading.thumbnail))
    assert thumbnail.size == (40, 30)
    assert difference(thumbnail, upright) < 10


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_heic_photo_is_upright_too(orientation: int) -> None:
    """What libheif turns by itself is not turned again."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encode(picture("cat.png", 40, 30), "HEIF", exif=exif)
    reading = read_photo(content, SIDE)
    size = reading.facts.width, reading.facts.height
    assert read_facts(content) == reading.facts
    assert size == load_image(content).size
    assert size == Image.open(io.BytesIO(reading.thumbnail)).size


@pytest.mark.filterwarnings("ignore::UserWarning")  # so Pillow tells of damage
@pytest.mark.parametrize("value", [0, 255])
def test_damaged_exif_does_not_hide_a_photo(value: int) -> None:
    """A photo whose EXIF data are broken anywhere is still that photo."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    exif[ExifTags.Base.ImageDescription] = "a description"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2019:05:01 12:00:00"
    red = Image.new("RGB", (6, 4), "red")
    content = bytearray(encode(red, "JPEG", exif=exif))
    start = content.index(exif.tobytes())
    for at in range(start + 6, start + len(exif.tobytes())):
        broken = content.copy()
        broken[at] = value
        reading = read_photo(bytes(broken), SIDE)
        assert reading.pixels[0, 0] == pytest.approx([254, 0, 0], abs=2)
        assert {reading.facts.width, reading.facts.height} == {6, 4}
        assert read_facts(bytes(broken)) == reading.facts


# --- Thumbnails -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2000, 1000), (512, 256)),
        ((1000, 2000), (256, 512)),
        ((513, 513), (512, 512)),
        ((40, 30), (40, 30)),
        ((2000, 1), (512, 1)),
    ],
)
def test_a_thumbnail_lies_within_its_size(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """A thumbnail is a JPEG in the photo's proportions, and never larger than it."""
    reading = read_photo(encode(Image.new("RGB", size, "teal")), SIDE)
    thumbnail = Image.open(io.BytesIO(reading.thumbnail))
    assert thumbnail.format == "JPEG"
    assert thumbnail.size == expected


def test_a_thumbnail_looks_like_its_photo() -> None:
    """A thumbnail shows what the photo shows, at a tenth of its bytes or less."""
    photo = picture("coffee.png", 2000, 1500)
    content = encode(photo, "JPEG", quality=95)
    small = read_photo(content, SIDE).thumbnail
    assert len(small) < len(content) / 10
    exact = photo.resize((512, 384), Image.Resampling.LANCZOS)
    assert difference(Image.open(io.BytesIO(small)), exact) < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_thumbnail_tells_no_more_than_it_shows(kind: str) -> None:
    """A thumbnail has none of its photo's metadata: no place, comment or profile."""
    secret = b"at home"
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = secret.decode()
    # Pillow leaves out what a format has no room for.
    content = encode(
        picture("cat.png", 40, 30),
        kind,
        exif=exif,
        xmp=secret,
        comment=secret,
        icc_profile=SRGB_PROFILE,
    )
    assert secret in content
    small = read_photo(content, SIDE).thumbnail
    assert secret not in small
    known = {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert set(Image.open(io.BytesIO(small)).info) == known


def test_a_thumbnail_of_a_file_comes_with_its_digest(tmp_path: Path) -> None:
    """A thumbnail made later is like the one of the visit, and says of what it is."""
    content = turned_photo(6, picture("cat.png", 900, 700), "JPEG")
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    digest, small = make_thumbnail(file, THUMBNAIL_SIZE)
    assert digest == hashlib.sha256(content).hexdigest()
    visit = Image.open(io.BytesIO(read_photo(content, SIDE).thumbnail))
    assert difference(Image.open(io.BytesIO(small)), visit) < 1
    smaller = make_thumbnail(file, 64)[1]
    assert Image.open(io.BytesIO(smaller)).size == (64, 50)


@pytest.mark.parametrize("kind", ["HEIF", "TIFF", "BMP"])
def test_a_full_rendition_has_every_pixel(tmp_path: Path, kind: str) -> None:
    """What browsers don't show becomes a JPEG of its own size, upright, as it looks."""
    upright = picture("coffee.png", 900, 700)
    file = tmp_path / "a"
    plain = encode(upright, kind)
    turned = kind == "TIFF"
    file.write_bytes(turned_photo(6, upright, kind) if turned else plain)
    full = Image.open(io.BytesIO(make_thumbnail(file, FULL_SIZE)[1]))
    assert (full.format, full.size) == ("JPEG", (900, 700))
    assert not {"exif", "icc_profile"} & full.info.keys()
    assert difference(full, upright) < 3


@pytest.mark.parametrize(
    ("size", "least"),
    [((20_000, 400), 16_000), ((9000, 8500), 7900), ((16_000, 15_500), 5000)],
)
def test_a_full_rendition_is_one_that_browsers_bear(
    tmp_path: Path, size: tuple[int, int], least: int
) -> None:
    """Of a giant it is as large as browsers show, and as memory allows to decode."""
    file = tmp_path / "giant.png"
    file.write_bytes(encode(Image.new("RGB", size, "teal"), compress_level=1))
    full = Image.open(io.BytesIO(make_thumbnail(file, FULL_SIZE)[1]))
    assert least <= full.width <= BROWSER_SIDE
    assert full.width * full.height <= BROWSER_PIXELS
    assert full.width / full.height == pytest.approx(
        size[0] / size[1], rel=0.01
    )


# --- What is no photo -----------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no photo",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        (PHOTOS / "cat.png").read_bytes()[:5000],
        (PHOTOS / "rocket.jpg").read_bytes()[:5000],
        encode(Image.new("RGB", (4, 4)), "PPM"),
    ],
    ids=["empty", "text", "svg", "half-a-png", "half-a-jpeg", "ppm"],
)
def test_what_is_no_photo_says_so(content: bytes) -> None:
    """Bytes that are no photo of a known format raise PhotoError with a reason."""
    with pytest.raises(PhotoError, match=r"\w+ \w+"):
        load_image(content)
    with pytest.raises(PhotoError, match=r"\w+ \w+"):
        read_photo(content, SIDE)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """A thumbnail of what has gone, or is no file, is refused with the reason."""
    with pytest.raises(PhotoError, match="can't be read: No such file"):
        make_thumbnail(tmp_path / "gone.jpg", 64)
    os.mkfifo(tmp_path / "fifo.jpg")
    for path in (tmp_path, tmp_path / "fifo.jpg"):
        with pytest.raises(PhotoError, match="it is not a regular file"):
            make_thumbnail(path, 64)


def test_a_decompression_bomb_is_refused() -> None:
    """A small file that would fill the memory is refused before it is decoded."""
    bomb = png_of_many_pixels(16_000, 16_000)
    with pytest.raises(PhotoError, match="more than 200 megapixels"):
        read_pixels(bomb, SIDE)
    bomb = png_of_many_pixels(23_000, 23_000)
    with pytest.raises(PhotoError, match="more than 500 megapixels"):
        read_photo(bomb, SIDE)


def test_what_would_fill_the_memory_is_refused() -> None:
    """A photo that would take gigabytes to decode is refused, and says how many."""
    content = png_of_many_pixels(14_000, 14_000)
    for read in (read_photo, read_pixels):
        with pytest.raises(
            PhotoError,
            match=r"would take [\d.]+ GB of memory to decode: at most",
        ):
            read(content, SIDE)


def test_a_gif_of_a_huge_canvas_is_refused() -> None:
    """One whose first frame is small takes as much as its canvas, which is known before."""
    content = bytearray(encode(Image.new("P", (30, 20), 7), "GIF"))
    content[6:10] = struct.pack("<HH", 20_000, 20_000)
    with pytest.raises(PhotoError, match=r"would take 3\.\d GB of memory"):
        read_photo(bytes(content), SIDE)


def test_a_large_strip_is_read() -> None:
    """What is too narrow to be made smaller is read none the less."""
    strip = Image.new("RGB", (40_000, 500), "blue")
    seen = read_photo(encode(strip, compress_level=1), SIDE)
    assert (seen.pixels == (0, 0, 255)).all()
    assert Image.open(io.BytesIO(seen.thumbnail)).size == (512, 6)


def test_a_large_photo_is_seen_as_a_small_one() -> None:
    """One that is handled in bands comes out as it does when handled as a whole."""
    large = picture("coffee.png", 4500, 4000)
    for kind in ("PNG", "TIFF"):
        content = turned_photo(6, large, kind)
        seen = read_photo(content, SIDE)
        assert (seen.facts.width, seen.facts.height) == (4500, 4000)
        # First by 7, then by 8, for a model that looks at 32 pixels.
        pixels_seen = Image.fromarray(seen.pixels)
        assert difference(pixels_seen, large.reduce(7 * 8)) < 1
        thumbnail = Image.open(io.BytesIO(seen.thumbnail))
        assert thumbnail.size == (512, 455)


SEEDS = [
    (PHOTOS / "raccoon.webp").read_bytes(),
    *(
        encode(picture("cat.png", 30, 20), kind)
        for kind in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
    ),
]
EDITS = strategies.lists(
    strategies.tuples(
        strategies.floats(0, 1, exclude_max=True), strategies.binary(max_size=6)
    ),
    min_size=1,
    max_size=8,
)


def mutate(
    seed: bytes, edits: list[tuple[float, bytes]], length: float
) -> bytes:
    """Overwrite some bytes of a photo, and cut it off."""
    content = bytearray(seed)
    for place, change in edits:
        start = int(place * len(content))
        content[start : start + len(change)] = change
    return bytes(content[: int(length * len(content)) + 1])


@contextlib.contextmanager
def photo_errors() -> Iterator[None]:
    """Let a PhotoError pass, and Pillow's warnings of damage."""
    with warnings.catch_warnings(), contextlib.suppress(PhotoError):
        warnings.simplefilter("ignore")
        yield


@settings(max_examples=300, deadline=None)
@given(
    seed=strategies.sampled_from(SEEDS),
    edits=EDITS,
    length=strategies.floats(0.01, 1),
    at_least=strategies.sampled_from([None, 8, 64]),
)
def test_mutated_photos_load_or_say_why(
    seed: bytes,
    edits: list[tuple[float, bytes]],
    length: float,
    at_least: int | None,
) -> None:
    """Whatever is done to a photo's bytes, it is an RGB image or a PhotoError."""
    with photo_errors():
        image = load_image(mutate(seed, edits, length), at_least)
        assert image.mode == "RGB"


@settings(max_examples=300, deadline=None)
@given(
    seed=strategies.sampled_from(SEEDS),
    edits=EDITS,
    length=strategies.floats(0.5, 1),
)
def test_mutated_photos_are_read_or_say_why(
    seed: bytes, edits: list[tuple[float, bytes]], length: float
) -> None:
    """Whatever is done to a photo's bytes, it is read in full or a PhotoError."""
    content = mutate(seed, edits, length)
    with photo_errors():
        facts = read_facts(content)
        assert min(facts.width, facts.height) > 0
    with photo_errors():
        reading = read_photo(content, SIDE)
        assert reading.pixels.shape[2] == 3
        thumbnail = Image.open(io.BytesIO(reading.thumbnail))
        assert max(thumbnail.size) <= THUMBNAIL_SIZE


@settings(max_examples=200, deadline=None)
@given(strategies.binary(max_size=2000))
def test_any_bytes_load_or_say_why(content: bytes) -> None:
    """Bytes of any kind are refused with a PhotoError."""
    with photo_errors():
        load_image(content)
