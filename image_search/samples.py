"""A decoded image of any mode becomes a small one of 8 bits, band by band.

Before its colours are seen to: that is quick once it is small.
"""

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.createProfile("sRGB")
LAB = ImageCms.createProfile("LAB")
BAND_PIXELS = 2**21
# Cameras and microscopes keep samples of so few bits in 16, unscaled.
MOST_UNSCALED = 2**12
# What is brighter than so many in a hundred is a hot pixel, or a lamp.
WHITE_PERCENTILE = 99.9
# What a mode is brought to, if it is not RGB; and that with transparency.
MODES = {
    "1": "L",
    "L": "L",
    "La": "LA",
    "LA": "LA",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "PA": "RGBA",
    "CMYK": "CMYK",
}
CLEAR = {"L": "LA", "RGB": "RGBA"}


def shrink_in_bands(image: Image.Image, factor: int = 1) -> Image.Image:
    """Shrink an image by a whole factor to samples of 8 bits.

    Comes in L, LA, RGB, RGBA or CMYK. It takes little more than what comes out.
    """
    width, height = image.size
    rows = max(1, BAND_PIXELS // (width * factor)) * factor
    white = white_of(image)
    if rows >= height:
        return _shrink(to_samples(image, white), factor)
    small: Image.Image | None = None
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        band = _shrink(to_samples(band, white), factor)
        if small is None:
            size = -(-width // factor), -(-height // factor)
            small = Image.new(band.mode, size)
        small.paste(band, (0, top // factor))
    return small or image


def white_of(image: Image.Image) -> float:
    """What stands for white in samples of 16 or 32 bits.

    Of 32 bits and of floats it is the brightest but for hot pixels.
    """
    if image.mode.startswith("I;16"):
        most = int(np.asarray(image).max(initial=0))
        if most >= MOST_UNSCALED:
            return 2**16 - 1
        return float(2 ** max(8, most.bit_length()) - 1)
    if image.mode not in "IF":
        return 1
    samples = np.asarray(image)
    finite = samples[np.isfinite(samples)]
    most = np.percentile(finite, WHITE_PERCENTILE) if finite.size else 0
    if most <= 0 < finite.size:  # nearly all of it is black
        most = finite.max()
    return float(most if most > 0 else 1)


def to_samples(image: Image.Image, white: float) -> Image.Image:
    """Bring an image of any mode to L, LA, RGB, RGBA or CMYK.

    `white`: as `white_of` says of the whole.
    """
    mode = image.mode
    key = image.info.get("transparency")
    if mode.startswith("I;16") or mode in "IF":
        return _to_eight_bits(image, white, key)
    if mode == "LAB":
        converted = ImageCms.profileToProfile(
            image, LAB, SRGB, outputMode="RGB"
        )
        return converted or image.convert("RGB")
    simple = MODES.get(mode, "RGB")
    is_clear = key is not None and not simple.endswith("A")
    simple = CLEAR.get(simple, simple) if is_clear else simple
    return image if simple == mode else image.convert(simple)


def _to_eight_bits(
    image: Image.Image, white: float, key: int | None
) -> Image.Image:
    """Scale samples of 16 or 32 bits, which Pillow would clip; `key` is transparent."""
    samples = np.asarray(image)
    if white == 2**16 - 1:
        scaled = (samples >> 8).astype(np.uint8)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            light = np.nan_to_num(samples * np.float32(255 / white), nan=0)
            scaled = light.clip(0, 255).astype(np.uint8)
    grey = Image.fromarray(scaled)
    if key is None:
        return grey
    mask = Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8))
    return Image.merge("LA", [grey, mask])


def _shrink(image: Image.Image, factor: int) -> Image.Image:
    """Shrink by a whole factor; what is transparent lends no colour to the rest."""
    if factor == 1:
        return image
    if image.mode in {"LA", "RGBA"}:
        clear = image.convert(image.mode[:-1] + "a").reduce(factor)
        return clear.convert(image.mode)
    return image.reduce(factor)
