"""Colours that are told by numbers become sRGB: ITU-T H.273, also called CICP or nclx.

HDR is brought to what a screen of ordinary brightness can show.
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

# Of the numbers:
SRGB_PRIMARIES = 1
UNKNOWN = 2
PQ = 16
HLG = 18
LINEAR = 8
# White of sRGB in candelas per square metre, as ITU-R BT.2408 has it for HDR.
REFERENCE_WHITE = 203
PQ_PEAK = 10_000
HLG_PEAK = 1_000
# How an ordinary screen shows what is brighter than white, as Chromium does it, after
# SMPTE ST 2094-50: white loses up to half of its light, and the curve bends so far.
WHITE_LOSES = 0.5
BEND = 0.65
CURVE_POINTS = 64
BAND_ROWS = 256
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020
KNEE = 0.04045  # of the curve of sRGB
HALF = 0.5  # above which HLG is logarithmic

# Where red, green, blue and white lie, as CIE x and y.
Points = tuple[tuple[float, float], ...]
D65 = (0.3127, 0.3290)
PRIMARIES: dict[int, Points] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.310, 0.316)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
# Primaries that are so near those of sRGB that viewers show them as they are.
NEAR_SRGB = {SRGB_PRIMARIES, UNKNOWN, 0, 5, 6, 7, 22}
# Curves that viewers take for that of sRGB: those of television, and unknown ones.
LIKE_SRGB = {0, 1, UNKNOWN, 3, 6, 7, 11, 12, 13, 14, 15}
GAMMAS = {4: 2.2, 5: 2.8}

Floats = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


class Colours(NamedTuple):
    """The numbers for primaries and curve, or a curve's exponent."""

    primaries: int = SRGB_PRIMARIES
    transfer: int = UNKNOWN
    gamma: float | None = None  # light is the sample to this power
    peak: float = HLG_PEAK  # of HDR: candelas of the brightest pixel
    points: Points | None = None  # of the primaries, in place of their number

    @property
    def are_srgb(self) -> bool:
        """Whether an image of these needs no conversion."""
        is_curve_known = self.gamma is None and self.transfer in LIKE_SRGB
        is_near = self.points is None and self.primaries in NEAR_SRGB
        return is_curve_known and is_near


def to_srgb(image: Image.Image, colours: Colours) -> Image.Image:
    """Convert an RGB image of 8 bits, a band at a time: it takes floats."""
    curve = light_of(colours)
    matrix = _to_srgb_primaries(colours)
    samples = np.asarray(image)
    converted = np.empty_like(samples)
    for top in range(0, image.height, BAND_ROWS):
        light = curve[samples[top : top + BAND_ROWS]]
        light = _in_view(light, colours) @ matrix.T
        converted[top : top + BAND_ROWS] = _encode(light)
    return Image.fromarray(converted)


def light_of(colours: Colours) -> Floats:
    """How much light each of the 256 samples stands for; 1 is the white of sRGB."""
    sample = np.linspace(0, 1, 256)
    if colours.gamma is not None:
        light = sample**colours.gamma
    elif colours.transfer == PQ:
        light = _pq(sample) * PQ_PEAK / REFERENCE_WHITE
    elif colours.transfer == HLG:
        light = _hlg(sample)
    elif colours.transfer == LINEAR:
        light = sample
    elif colours.transfer in GAMMAS:
        light = sample ** GAMMAS[colours.transfer]
    else:
        low = sample / 12.92
        light = np.where(sample <= KNEE, low, ((sample + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _pq(sample: Any) -> Any:
    """SMPTE ST 2084: the part of 10,000 candelas per square metre."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = sample ** (1 / m2)
    return (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg(sample: Any) -> Any:
    """ARIB STD-B67: the light of the scene, from 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(
        sample <= HALF, sample**2 / 3, (np.exp((sample - c) / a) + b) / 12
    )


def _in_view(light: Floats, colours: Colours) -> Floats:
    """Bring HDR to what is seen on a screen that shows no more than white."""
    if colours.transfer == HLG and colours.gamma is None:
        luma = light @ LUMA
        # As a screen of 1,000 candelas shows it (BT.2100), in units of white.
        light = light * luma[..., None] ** np.float32(0.2)
        light = light * np.float32(HLG_PEAK / REFERENCE_WHITE)
    elif colours.transfer != PQ or colours.gamma is not None:
        return light
    return _tone_map(light, colours.peak)


def _tone_map(light: Floats, peak: float) -> Floats:
    """Scale each colour by its brightest channel: hues stay.

    `peak`: of the photo, in candelas.
    """
    most = np.maximum(light.max(axis=-1, keepdims=True), np.float32(1e-6))
    seen = np.interp(most, *seen_of(peak / REFERENCE_WHITE))
    mapped: Floats = light * (seen / most)
    return mapped


def seen_of(peak: float) -> tuple[Any, Any]:
    """Points of a curve: light, and how much of it is shown; 1 is white.

    Up to white it is a line, and from there to `peak`, which is shown as white, a
    Bézier curve.
    """
    peak = max(peak, 1.0001)
    usual = np.log2(HLG_PEAK / REFERENCE_WHITE)
    white = 1 - WHITE_LOSES * min(np.log2(peak) / usual, 1)
    middle = 1 - BEND + BEND / white, (1 - BEND) * white + BEND
    t = np.linspace(0, 1, CURVE_POINTS)
    points = [
        (1 - t) ** 2 * first + 2 * t * (1 - t) * control + t**2 * last
        for first, control, last in zip(
            (1, white), middle, (peak, 1), strict=True
        )
    ]
    return np.append(0, points[0]), np.append(0, points[1])


def _to_srgb_primaries(colours: Colours) -> Floats:
    """The matrix of shape (3, 3) from linear light in these to that in sRGB."""
    points = colours.points
    if points is None and colours.primaries not in NEAR_SRGB:
        points = PRIMARIES.get(colours.primaries)
    if points is None:
        return np.eye(3, dtype=np.float32)
    source = _to_xyz(points)
    white = source.sum(axis=1)
    target = _to_xyz(PRIMARIES[SRGB_PRIMARIES])
    # Von Kries's way: white stays white.
    scale = np.diag(target.sum(axis=1) / white)
    matrix = np.linalg.inv(target) @ scale @ source
    return np.asarray(matrix, np.float32)


def _to_xyz(points: Points) -> Any:
    *colours, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in points)
    matrix = np.stack(colours, axis=1)
    return matrix * np.linalg.solve(matrix, white)


def _encode(light: Floats) -> Any:
    """Linear light to samples of sRGB, 8 bits."""
    light = light.clip(0, 1)
    high = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    low = light * np.float32(12.92)
    encoded = np.where(light <= np.float32(0.0031308), low, high)
    return (encoded * 255 + np.float32(0.5)).astype(np.uint8)
