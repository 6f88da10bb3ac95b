"""Colours that are told by numbers are those of the formulas that they stand for."""

import numpy as np
import pytest
from PIL import Image

from image_search.cicp import (
    HLG,
    LIKE_SRGB,
    LINEAR,
    PQ,
    PRIMARIES,
    Colours,
    light_of,
    seen_of,
    to_srgb,
)

RAMP = Image.fromarray(
    np.arange(256, dtype=np.uint8)[None].repeat(3, 0)
).convert("RGB")


@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("transfer", [4, 8, 13, 16, 18])
def test_grey_stays_grey(primaries: int, transfer: int) -> None:
    """Whatever the primaries are, black is black, grey is grey, and light only grows."""
    seen = np.asarray(to_srgb(RAMP, Colours(primaries, transfer))).astype(int)
    assert (np.ptp(seen, axis=2) <= 1).all()
    assert (np.diff(seen[0, :, 0]) >= 0).all()
    assert seen[0, 0].tolist() == [0, 0, 0]
    assert seen[0, 255].min() >= 254


def test_colours_of_srgb_are_left_alone() -> None:
    """What says that it is sRGB, or says nothing, or is television's, needs no conversion."""
    assert Colours().are_srgb
    for transfer in LIKE_SRGB:
        assert Colours(1, transfer).are_srgb
    for other in (Colours(9), Colours(12, 13), Colours(1, PQ), Colours(1, LINEAR),
                  Colours(gamma=1.0)):  # fmt: skip
        assert not other.are_srgb


def test_the_curve_of_pq() -> None:
    """SMPTE ST 2084: 0.5081 is 100 candelas, 0.7518 is 1,000."""
    light = light_of(Colours(9, PQ)) * 203
    samples = np.linspace(0, 1, 256)
    assert np.interp(0.5081, samples, light) == pytest.approx(100, rel=0.01)
    assert np.interp(0.7518, samples, light) == pytest.approx(1000, rel=0.01)


def test_the_curve_of_hlg() -> None:
    """ARIB STD-B67: half of the signal is a twelfth of the light, all of it is all."""
    light = light_of(Colours(9, HLG))
    assert np.interp(0.5, np.linspace(0, 1, 256), light) == pytest.approx(
        1 / 12, rel=0.01
    )
    assert light[255] == pytest.approx(1, rel=0.001)


@pytest.mark.parametrize("peak", [1.0, 1.5, 1000 / 203, 4000 / 203])
def test_hdr_leaves_room_for_what_is_brighter(peak: float) -> None:
    """Light only grows on the screen, from nothing to its white; the peak is just that."""
    light, shown = seen_of(peak)
    assert (np.diff(light) > 0).all()
    assert (np.diff(shown) >= 0).all()
    assert (light[0], shown[0]) == (0, 0)
    assert shown[-1] == pytest.approx(1)
    white = np.interp(1, light, shown)
    assert white >= 0.5
    if peak == 1:
        assert white == pytest.approx(1, abs=0.01)


def test_large_images_are_converted_in_bands() -> None:
    """An image higher than a band comes out as its rows do one by one."""
    image = Image.effect_noise((8, 700), 90).convert("RGB")
    whole = np.asarray(to_srgb(image, Colours(9, HLG)))
    for row in (0, 255, 256, 699):
        part = to_srgb(image.crop((0, row, 8, row + 1)), Colours(9, HLG))
        assert (np.asarray(part)[0] == whole[row]).all()
