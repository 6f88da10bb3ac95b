"""Where photos lie: IMAGE_DIR names one place, or several as PATH does."""

import re
from pathlib import Path

import pytest

from image_search.addresses import Address, PlaceAddress, parse_addresses


def parse(text: str, base: Path) -> tuple[PlaceAddress, ...]:
    return parse_addresses(text, lambda path: base / path)


@pytest.mark.parametrize("text", ["photos", "a:b", "x=y", "a:b=c/d"])
def test_a_folder_is_a_place_whatever_it_is_called(
    tmp_path: Path, text: str
) -> None:
    """A folder that is there is taken as it is written, signs and all, and has no name."""
    (tmp_path / text).mkdir(parents=True)
    assert parse(text, tmp_path) == (Address(tmp_path / text),)


def test_the_only_place_needs_no_name(tmp_path: Path) -> None:
    """Its photos are named as they lie below it; a name that is given they carry."""
    [plain] = parse("/mnt/photos", tmp_path)
    assert (plain.prefix, plain.label, plain.key) == ("", "", "")
    [named] = parse("family=/mnt/photos", tmp_path)
    assert named == Address(Path("/mnt/photos"), "family")
    assert (named.prefix, named.label, named.key) == (
        "family/",
        "family: ",
        "family",
    )


def test_several_places_have_names(tmp_path: Path) -> None:
    """Divided as in PATH; one without a name is called as its folder is."""
    found = parse("photos: family = /mnt/nas::/x/Bilder/", tmp_path)
    assert found == (
        Address(tmp_path / "photos", "photos"),
        Address(Path("/mnt/nas"), "family"),
        Address(Path("/x/Bilder"), "Bilder"),
    )


def test_a_path_may_have_an_equals_sign(tmp_path: Path) -> None:
    """What stands before it is a name only if it can be one."""
    [found] = parse("/mnt/a=b", tmp_path)
    assert found == Address(Path("/mnt/a=b"))
    (tmp_path / "a=b").mkdir()
    assert [one.name for one in parse("a=b:c", tmp_path)] == ["a=b", "c"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (":", "names no folder"),
        ("family=", "'family=' names no folder"),
        ("=/x", "'' is no name for a place"),
        (".x=/y", "'.x' is no name for a place"),
        ("a\nb=/y", "is no name for a place"),
        (61 * "x" + "=/y", "60 characters at most"),
        (
            "/x/photos:/y/photos",
            "give one another name, such as other=/x/photos",
        ),
        ("a=/x:a=/y", "two places are called a"),
        ("/:/x", "give / a name, such as photos=/"),
        ("/x/.hidden:/y", "give /x/.hidden a name"),
        ("/x:y=/x/deep", "/x/deep lies in /x: its photos would be found twice"),
        ("a=/x:b=/x", "/x is named twice"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, reason: str) -> None:
    """What can't be two places, or has no name, is refused in a sentence."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse(text, tmp_path)


def test_each_name_has_a_key_of_its_own() -> None:
    """CocoIndex's flows, and files, are told apart by a few plain letters."""
    names = [
        "family",
        "Family",
        "my photos",
        "my_photos",
        "Fotos 2024",
        "ä",
        "ö",
    ]
    keys = [Address(Path("/x"), name).key for name in names]
    assert len({*keys}) == len(names)
    assert all(key.isidentifier() or key.isalnum() for key in keys)
    assert all(key.isascii() and len(key) <= 12 for key in keys)
