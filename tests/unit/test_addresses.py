"""Where photos lie: IMAGE_DIR names one place, or several as PATH does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from image_search.addresses import Address, PlaceAddress, parse_addresses
from image_search.bucket_addresses import BucketAddress, without_secrets
from tests.harness import ROOT


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


def test_buckets_are_places_too(tmp_path: Path) -> None:
    """Alone or beside folders, with the address of another server, colons and all."""
    [alone] = parse("s3://b/my%20trips?region=eu-west-1", tmp_path)
    assert alone == BucketAddress(
        "s3", "b", below="my trips", region="eu-west-1"
    )
    assert (alone.prefix, str(alone)) == ("", "s3://b/my trips")
    text = (
        "photos:s3://b/p?endpoint=http://host:5000&refresh=5:"
        "cloud = az://account/container/a/:/x"
    )
    assert parse(text, tmp_path) == (
        Address(tmp_path / "photos", "photos"),
        BucketAddress(
            "s3",
            "b",
            below="p",
            name="p",
            endpoint="http://host:5000",
            refresh=5,
        ),
        BucketAddress("az", "container", "account", "a", "cloud"),
        Address(Path("/x"), "x"),
    )


def test_a_folder_of_google_drive_is_a_place_too(tmp_path: Path) -> None:
    """By its id, with a name before it or none."""
    text = "gdrive://1aB-_c:trips=gdrive://2d?refresh=5"
    assert parse(text, tmp_path) == (
        BucketAddress("gdrive", "1aB-_c", name="1aB-_c"),
        BucketAddress("gdrive", "2d", name="trips", refresh=5),
    )


SECRET = "a-secret"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gs://b", "gs:// is no kind of place: use s3://bucket/prefix"),
        ("gdrive://id/trips", "is not written as gdrive://folder-id"),
        ("gdrive://an id", "is not written as gdrive://folder-id"),
        (f"gdrive://id?key={SECRET}", "set GOOGLE_APPLICATION_CREDENTIALS"),
        (f"gdrive://me:{SECRET}@id", "set GOOGLE_APPLICATION_CREDENTIALS"),
        ("s3://a b/x", "is not written as s3://bucket/prefix"),
        ("s3://b/../x", "is not written as s3://bucket/prefix"),
        ("s3:///x", "is not written as s3://bucket/prefix"),
        ("az://account", "is not written as az://account/container"),
        ("s3://b?refresh=0", "it is the seconds between two looks"),
        ("s3://b?refresh=x", "it is the seconds between two looks"),
        ("s3://b?endpoint=host", "is to be an address such as"),
        ("s3://b/p:s3://b", "s3://b/p lies in s3://b"),
        (f"s3://user:{SECRET}@b/p", "set AWS_ACCESS_KEY_ID and"),
        (f"/x:a=s3://{SECRET}@b/p:/y", "set AWS_ACCESS_KEY_ID and"),
        (f"s3://b?secret={SECRET}", "set AWS_ACCESS_KEY_ID and"),
        (f"s3://b?endpoint=http://me:{SECRET}@host", "set AWS_ACCESS_KEY_ID"),
        (
            f"s3://b?endpoint=http%3A//me%3A{SECRET}%40host",
            "set AWS_ACCESS_KEY_ID",
        ),
        (f"az://me/c?sv=2024&sig={SECRET}", "set AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
def test_a_wrong_bucket_is_said(tmp_path: Path, text: str, reason: str) -> None:
    """In a sentence, in which no password or token is seen; nor is it where it is read."""
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        parse(text, tmp_path)
    assert SECRET not in str(caught.value)
    assert SECRET not in without_secrets(text)
    environment = os.environ | {"IMAGE_DIR": text}
    started = subprocess.run(
        [sys.executable, "-c", "import image_search.settings"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert started.returncode == 1
    assert reason in started.stderr
    assert SECRET not in started.stderr
