"""What a file is, by its name alone: one table for all who ask."""

import re

import pytest
from PIL import Image

from image_search.kinds import (
    DEVELOPED,
    KINDS,
    NOT_READ,
    PHOTO_PATTERNS,
    PILLOW_FORMATS,
    RAW,
    RAW_ENDINGS,
    browsers_show,
    ending_of,
    is_photo,
)
from tests.harness import ROOT


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", True),
        ("trips/rome/A.JPeG", True),
        ("a.b/c.heic", True),
        ("DSC01234.HIF", True),
        ("IMG_0001.CR3", True),
        (".hidden.jpg", False),
        ("a/._twin.jpg", False),
        (".thumbs/a.jpg", False),
        ("notes.txt", False),
        ("a.jpg.bak", False),
        ("a.jpg/b", False),
        ("jpg", False),
        (".jpg", False),
        ("a.psd", False),
    ],
)
def test_a_photo_is_known_by_its_name(name: str, *, expected: bool) -> None:
    """A photo has a known ending in any case, and no part of its path is hidden."""
    assert is_photo(name) == expected


@pytest.mark.parametrize(
    ("name", "size", "shown"),
    [
        ("a.JPG", (4032, 3024), True),
        ("a.png", (16_384, 3000), True),
        ("a.avif", (8000, 8000), True),
        ("a.heic", (40, 30), False),
        ("trips/a.TIFF", (40, 30), False),
        ("a.dng", (40, 30), False),
        ("a.jpg", (16_385, 100), False),
        ("a.jpg", (100, 16_385), False),
        ("a.jpg", (11_648, 8736), False),
        ("a.txt", (40, 30), False),
    ],
)
def test_browsers_show_what_they_know_and_can_bear(
    name: str, size: tuple[int, int], *, shown: bool
) -> None:
    """A photo is shown as it is if all browsers know its kind, and none gives up on it."""
    assert browsers_show(name, *size) == shown


def test_each_ending_is_in_one_table() -> None:
    """What is read is not among what is not; endings are written as they are looked up."""
    assert not NOT_READ & KINDS.keys()
    for ending in NOT_READ | KINDS.keys():
        assert ending_of(f"a{ending.upper()}") == ending
    assert len(PHOTO_PATTERNS) == len(KINDS)


def test_each_kind_is_sent_as_an_image() -> None:
    """No kind's type lets a browser run what a file holds."""
    for kind in KINDS.values():
        assert re.fullmatch(r"image/[a-z0-9-]+", kind.mime)


def test_pillow_knows_its_formats() -> None:
    """Each kind but the cameras' own is one of Pillow's formats, HEIF one of its plug-ins'."""
    Image.init()
    assert set(PILLOW_FORMATS) <= Image.OPEN.keys() | {"HEIF"}
    kinds = {ending: kind.format for ending, kind in KINDS.items()}
    assert {kinds[ending] for ending in RAW_ENDINGS} == {RAW}
    assert {kinds[ending] for ending in DEVELOPED} == {"JPEG", "HEIF"}


def test_the_page_offers_every_kind() -> None:
    """Its picker names each ending that a browser's `image/*` may not cover."""
    page = ROOT / "frontend" / "src"
    code = (page / "box" / "PhotoPicker.tsx").read_text()
    [accepted] = re.findall(r'"(image/[^"]*)"', code)
    unknown = [e for e, kind in KINDS.items() if not kind.in_browsers]
    assert accepted.split(",") == ["image/*", *unknown]
