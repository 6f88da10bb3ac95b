"""Samples of 8 bits become RGB on white in sRGB: what a person sees."""

import contextlib
import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from image_search.cicp import Colours, to_srgb

SRGB = ImageCms.createProfile("sRGB")
# What a profile is for, by the modes of images.
SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}

# An image as an array of shape (height, width, 3), RGB, 8 bits.
Pixels = np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]


def to_srgb_on_white(
    image: Image.Image, profile: bytes | None, colours: Colours
) -> Image.Image:
    """Bring samples of 8 bits, in any of the modes above, to what a person sees.

    `profile`: ICC; where it does not fit, or is broken, `colours` count.
    """
    alpha = None
    if image.mode in {"LA", "RGBA"}:
        alpha = image.getchannel("A")
        image = image.convert(image.mode.removesuffix("A"))
    converted = _by_profile(image, profile) if profile else None
    if converted is None:
        converted = image.convert("RGB")
        if not colours.are_srgb and image.mode != "CMYK":
            converted = to_srgb(converted, colours)
    if alpha is None:
        return converted
    blank = Image.new("RGB", image.size, "white")
    blank.paste(converted, mask=alpha)
    return blank


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Apply a colour profile; None if it is broken, or for another kind of image."""
    # Broken, or of no use.
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = SPACES.get(opened.profile.xcolor_space)
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if space == image.mode:
            return ImageCms.profileToProfile(
                image, opened, SRGB, outputMode="RGB"
            )
    return None
