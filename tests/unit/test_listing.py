"""A look at a folder sees each photo once, and counts what looks like one and is not read."""

from pathlib import Path

from image_search.addresses import Address
from image_search.listing import Snapshot
from image_search.sources import MAX_FILE_BYTES, PhotoFolder


def add(path: Path, *names: str) -> None:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"a photo")


def scan(path: Path, *patterns: str) -> Snapshot:
    return PhotoFolder(Address(path), exclude=patterns).scan()


def test_a_raw_beside_its_jpeg_is_the_same_photo(path: Path) -> None:
    """In one folder, whatever the case; so it is no photo of its own, and not skipped."""
    both = [
        "IMG_1.CR2",
        "IMG_1.JPG",
        "a/b.dng",
        "a/B.heic",
        "x.y.nef",
        "x.y.jpeg",
    ]
    alone = ["IMG_2.CR2", "IMG_10.JPG", "a/IMG_2.JPG", "IMG_3.ARW", "IMG_3.DNG"]
    others = ["IMG_4.ORF", "IMG_4.tif", "A/b.JPG", "x.raf", "x.y.psd"]
    add(path, *both, *alone, *others)
    snapshot = scan(path)
    assert snapshot.raw_beside == {"IMG_1.CR2", "a/b.dng", "x.y.nef"}
    shown = {*both, *alone, *others} - snapshot.raw_beside - {"x.y.psd"}
    assert set(snapshot.photos) == shown
    assert snapshot.skipped == {}
    assert snapshot.hidden == snapshot.raw_beside


def test_a_raw_stands_for_itself_where_its_jpeg_does_not(path: Path) -> None:
    """A JPEG that is gone, left out or skipped stands for no RAW file."""
    add(path, "gone.nef", "left out.nef", "left out.jpg", "huge.nef")
    with (path / "huge.jpg").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    (path / "link.nef").write_bytes(b"a photo")
    (path / "link.jpg").symlink_to("/etc/passwd")
    snapshot = scan(path, "left out.jpg")
    assert set(snapshot.photos) == {
        "gone.nef",
        "left out.nef",
        "huge.nef",
        "link.nef",
    }


def test_pictures_that_are_not_read_are_counted(path: Path) -> None:
    """By their endings, at any depth; hidden files and other things are none."""
    add(
        path,
        "a.psd",
        "b/c.PSD",
        "b/d.svg",
        "e.jpg",
        "notes.txt",
        ".f.psd",
        "psd",
    )
    (path / "folder.psd").mkdir()
    assert scan(path).not_read == {".psd": 2, ".svg": 1}


def test_each_look_starts_anew(path: Path) -> None:
    """What was counted, left out or set aside before is forgotten once it is gone."""
    names = ["a.psd", "a.jpg", "a.nef", "x/a.jpg", "x/.nomedia"]
    add(path, *names)
    folder = PhotoFolder(Address(path))
    before = folder.scan()
    assert before.not_read
    assert before.raw_beside
    assert before.left_out
    for name in ("a.psd", "a.jpg", "x/.nomedia"):
        (path / name).unlink()
    after = folder.scan()
    assert set(after.photos) == {"a.nef", "x/a.jpg"}
    assert after.hidden == frozenset()
    assert after.not_read == {}
    assert folder.leads_to_photo(path / "x" / "a.jpg")
