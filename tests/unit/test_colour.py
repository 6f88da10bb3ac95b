"""Any image becomes RGB on white, and does so in bands as it does in one piece."""

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from image_search.colour import (
    BAND_PIXELS,
    in_colour,
    shrink_in_bands,
    white_of,
)
from tests.harness import PHOTOS

SIZE = 3000, 3100


def large(mode: str) -> Image.Image:
    """A photo of two bands, and a bit."""
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB").resize(SIZE)
    shades = np.asarray(photo.convert("L"))
    if mode == "RGBA":
        photo.putalpha(photo.convert("L"))
        return photo
    if mode == "I;16":
        return Image.fromarray(shades.astype(np.uint16) << 8)
    if mode == "F":
        return Image.fromarray(shades.astype(np.float32) / 300)
    return photo.convert(mode)


@pytest.mark.parametrize(
    "mode", ["RGB", "RGBA", "P", "L", "1", "CMYK", "I;16", "F"]
)
def test_bands_make_no_difference(mode: str) -> None:
    """Shrunk band by band an image is the same as shrunk in one piece."""
    image = large(mode)
    assert SIZE[0] * SIZE[1] > BAND_PIXELS
    whole = in_colour(image, white_of(image)).reduce(7)
    assert whole.mode == "RGB"
    assert shrink_in_bands(image, 7).tobytes() == whole.tobytes()


def test_bands_have_the_profile_of_the_whole() -> None:
    """A colour profile is applied in each band."""
    image = large("RGB")
    profile = ImageCms.createProfile("LAB")
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(profile).tobytes()
    whole = in_colour(image, white_of(image)).reduce(7)
    assert shrink_in_bands(image, 7).tobytes() == whole.tobytes()


def test_exif_stays_for_who_turns_it() -> None:
    """What is shrunk in bands still says how it is to be turned, and broken EXIF harms not."""
    image = large("L")
    image.getexif()[ExifTags.Base.Orientation] = 6
    small = shrink_in_bands(image, 7)
    assert small.getexif()[ExifTags.Base.Orientation] == 6
    image = large("L")
    image.info["exif"] = b"no EXIF"
    assert shrink_in_bands(image, 7).size == small.size
