"""What a bucket holds, by the names of its objects."""

from collections.abc import Sequence

import pytest

from image_search.bucket_listing import BucketListing, moment_of
from image_search.exclusions import Exclusions, Patterns
from image_search.listing import Snapshot
from image_search.remote_files import RemoteFile


def file(name: str, size: int = 3, version: str = "v") -> RemoteFile:
    return RemoteFile(name, size, 1000.0, version)


def look(*names: str, exclude: Sequence[str] = (), rules: str = "") -> Snapshot:
    """`rules`: what the .ignore files say."""
    listing = BucketListing(
        Exclusions(exclude), lambda _: Patterns(rules.splitlines())
    )
    return listing.make(map(file, names))


def test_photos_are_told_by_their_names() -> None:
    """As in a folder: what is hidden, or of another kind, is none."""
    found = look(
        "a.jpg",
        "deep/er/B.PNG",
        "page.html",
        ".a.jpg",
        ".x/a.jpg",
        "x/.y/a.jpg",
    )
    assert sorted(found.photos) == ["a.jpg", "deep/er/B.PNG"]
    assert look("a.svg", "b.svg").not_read == {".svg": 2}


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, "it is empty"), (2**28 + 1, "it is larger than 256 MiB")],
)
def test_some_are_skipped(size: int, reason: str) -> None:
    """Markers of folders that end like a photo, and what memory has no room for."""
    listing = BucketListing(Exclusions(), lambda _: Patterns([]))
    found = listing.make([file("a.jpg", size)])
    assert (found.photos, found.skipped) == ({}, {"a.jpg": reason})


def test_the_rules_of_folders_hold() -> None:
    """EXCLUDE, .nomedia, .ignore, and what systems keep for themselves."""
    names = [
        "a.jpg",
        "b.gif",
        "no/.nomedia",
        "no/a.jpg",
        "no/deep/a.jpg",
        "x/@eaDir/a.jpg",
        "x/.ignore",
        "x/private/a.jpg",
        "x/deep/private/b.jpg",
        "x/a.jpg",
        "private/a.jpg",
        "x/deep/.ignore",
    ]
    found = look(*names, exclude=["*.gif"], rules="private/")
    assert sorted(found.photos) == ["a.jpg", "private/a.jpg", "x/a.jpg"]
    assert found.left_out == {
        "b.gif",
        "no",
        "x/@eaDir",
        "x/private",
        "x/deep/private",
    }


def test_a_photo_alone_is_asked_for_by_the_same_rules() -> None:
    """What is left out of the index is not served either."""
    exclusions = Exclusions(["*.gif"])
    listing = BucketListing(exclusions, lambda _: Patterns(["private"]))
    listing.make(map(file, ("x/.ignore", "x/private/a.jpg", "no/.nomedia")))
    for name in ("a.gif", "x/private/a.jpg", "no/a.jpg", "x/no.gif"):
        assert exclusions.leaves_out(name)
    assert not exclusions.leaves_out("x/a.jpg")


def test_a_raw_file_beside_its_jpeg_is_the_same_photo() -> None:
    """As in a folder."""
    found = look("x/1.CR2", "x/1.jpg", "x/2.CR2", "y/2.jpg")
    assert sorted(found.photos) == ["x/1.jpg", "x/2.CR2", "y/2.jpg"]
    assert found.raw_beside == {"x/1.CR2"}


def test_each_version_has_a_moment_of_its_own() -> None:
    """Clouds tell whole seconds; those of different ones keep their order."""
    moments = {moment_of(file("a", version=f"v{one}")) for one in range(100)}
    assert len(moments) == 100
    assert all(1000 <= moment < 1001 for moment in moments)
