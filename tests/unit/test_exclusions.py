"""What is left out of a folder, by default, by a person's patterns, and by files in it."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from image_search.addresses import Address
from image_search.exclusions import MOST_LINES
from image_search.sources import PhotoFolder
from tests.harness import PHOTOS

ROCKET = PHOTOS / "rocket.jpg"


def add(path: Path, *names: str) -> None:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROCKET, path / name)


def found(path: Path, *patterns: str) -> set[str]:
    """The photos of a folder; each is served, and what is left out is not."""
    folder = PhotoFolder(Address(path), exclude=patterns)
    photos = set(folder.scan().photos)
    for file in path.rglob("*.jpg"):
        name = str(file.relative_to(path))
        assert folder.leads_to_photo(file) == (name in photos), name
    return photos


SYSTEMS_OWN = [
    "2024/@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_XL.jpg",
    "#recycle/a.jpg",
    "a/@Recycle/a.jpg",
    "$RECYCLE.BIN/S-1-5-21/$R1.jpg",
    "$Recycle.Bin/a.jpg",
    "System Volume Information/a.jpg",
    "lost+found/a.jpg",
    "__MACOSX/a.jpg",
    ".thumbnails/normal/a.jpg",
    "Mine.photoslibrary/resources/derivatives/masters/a.jpg",
    "Mine.photoslibrary/database/a.jpg",
    "old/iPhoto Library.photolibrary/Thumbnails/a.jpg",
    "Lightroom Catalog Smart Previews.lrdata/0/a.dng",
]
ORDINARY = [
    "a.jpg",
    "eaDir/a.jpg",
    "recycle/a.jpg",
    "Mine.photoslibrary/originals/0/a.jpg",
    "old/iPhoto Library.photolibrary/Masters/2012/a.jpg",
    "resources/derivatives/a.jpg",
    "lost+found.jpg",
    "trip #1/a.jpg",
]


def test_what_systems_keep_for_themselves_is_left_out(path: Path) -> None:
    """Thumbnails, bins and the inside of photo libraries; photos by like names are not."""
    add(path, *SYSTEMS_OWN, *ORDINARY)
    assert found(path) == set(ORDINARY)


def test_a_person_may_have_it_back(path: Path) -> None:
    """A pattern with `!` brings back what is left out by default."""
    add(path, "@eaDir/a.jpg", "lost+found/a.jpg")
    assert found(path, "!@eaDir") == {"@eaDir/a.jpg"}
    assert found(path, "!@eaDir/", "a.jpg") == set()


# Pattern files by folder, and what of these photos they leave.
FILES = [
    "a.jpg",
    "b.jpg",
    "private/a.jpg",
    "x/private/a.jpg",
    "x/a.jpg",
    "x/y/a.jpg",
    "x/y/b.jpg",
    "x y/#1/a.jpg",
    "x/[1].jpg",
    "deep/er/and/deeper/a.jpg",
    "Äpfel/éé.jpg",
]
RULES: list[dict[str, str]] = [
    {"": "private/"},
    {"": "/private"},
    {"": "a.jpg"},
    {"": "/a.jpg"},
    {"": "x/*.jpg"},
    {"": "x/**/*.jpg\n!b.jpg"},
    {"": "**/y"},
    {"": "*\n!*/\n!b.jpg"},
    {"": "x/**\n!x/y/"},
    {"": "x/**\n!x/y/\n!b.jpg"},
    {"": "**\n!**/\n!a.jpg"},
    {"": "*/y/*"},
    {"": "x/*\n!x/y"},
    {"": "/*\n!/x\n!/x y/"},
    {"": "de*/**/dee*/"},
    {"": "private/**"},
    {"": "x/"},
    {"": "x/y/\n!x/y/b.jpg"},
    {"": "[!a].jpg"},
    {"": "[a-b].jpg"},
    {"": "a"},
    {"": "\\a.jpg"},
    {"": "A.JPG"},
    {"": "x\n!x/a.jpg"},  # nothing comes back of a folder that is left out
    {"": "# a comment\n\n  \n\\#1\n"},
    {"": "\\[1\\].jpg"},
    {"": "[[]1].jpg"},
    {"": "[ab].jpg"},
    {"": "?.jpg"},
    {"": "deep/**/deeper"},
    {"": "Äpfel"},
    {"": "a.jpg\r\nprivate/\r\n"},
    {"": "*.jpg", "x": "!a.jpg"},
    {"": "!a.jpg", "x": "a.jpg"},
    {"x": "/a.jpg"},
    {"x": "y/b.jpg", "x/y": "!b.jpg"},
    {"x/y": "*"},
    {"x y": "*"},
    {"": "a.jpg   "},
]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of [[]
@pytest.mark.parametrize("rules", RULES, ids=ascii)
def test_patterns_mean_what_they_mean_to_git(
    path: Path, rules: dict[str, str]
) -> None:
    """`.ignore` files leave out what the same `.gitignore` files leave out of a repository."""
    add(path, *FILES)
    for folder, patterns in rules.items():
        for name in (".ignore", ".gitignore"):
            (path / folder / name).write_text(patterns)
    ours = found(path)
    subprocess.run(["git", "init", "--quiet"], cwd=path, check=True)
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=path,
        text=True,
    )
    theirs = {name for name in listed.split("\0") if name.endswith(".jpg")}
    assert ours == theirs


def test_the_setting_is_the_outermost_file(path: Path) -> None:
    """EXCLUDE holds everywhere, unless a nearer file says otherwise."""
    add(path, "a.jpg", "x/a.jpg", "x/b.jpg", "x/y/b.jpg")
    (path / "x" / ".ignore").write_text("!a.jpg")
    assert found(path, "a.jpg", "/x/y") == {"x/a.jpg", "x/b.jpg"}


def test_no_media_leaves_out_a_folder(path: Path) -> None:
    """`.nomedia` leaves out its folder and all below, whatever it holds or another says."""
    add(path, "a.jpg", "x/a.jpg", "x/y/a.jpg", "z/a.jpg")
    (path / "x" / ".nomedia").touch()
    (path / "x" / "y" / ".ignore").write_text("!a.jpg")
    assert found(path) == {"a.jpg", "z/a.jpg"}
    assert PhotoFolder(Address(path)).scan().left_out == {"x"}
    (path / ".nomedia").touch()
    assert found(path) == set()


def test_links_to_what_is_left_out_are_no_photos(path: Path) -> None:
    """A link leads to no photo if that is left out, nor if the link is, by whatever file."""
    add(path, "a.jpg", "x/a.jpg", "y/a.jpg", "@eaDir/a.jpg")
    (path / "x" / ".nomedia").touch()
    (path / "y" / ".ignore").write_text("link.jpg")
    for name, target in {
        "to x.jpg": "x/a.jpg",
        "to eaDir.jpg": "@eaDir/a.jpg",
        "y/link.jpg": "../a.jpg",
        "link.jpg": "a.jpg",
    }.items():
        (path / name).symlink_to(target)
    folder = PhotoFolder(Address(path))
    snapshot = folder.scan()
    assert set(snapshot.photos) == {"a.jpg", "y/a.jpg", "link.jpg"}
    assert set(snapshot.skipped) == {"to x.jpg", "to eaDir.jpg"}
    assert not folder.leads_to_photo(path / "y" / "link.jpg")
    assert folder.leads_to_photo(path / "link.jpg")


def test_what_is_left_out_is_not_skipped_nor_counted(path: Path) -> None:
    """What a rule leaves out has no reason, is not looked into, and is no file of its kind."""
    add(path, "x/a.jpg", "a.jpg")
    (path / "x" / "b.psd").touch()
    (path / "a.psd").touch()
    (path / "huge.jpg").touch()
    (path / "link").symlink_to("/usr")
    folder = PhotoFolder(
        Address(path), exclude=["/x", "a.psd", "huge.jpg", "link"]
    )
    snapshot = folder.scan()
    assert set(snapshot.photos) == {"a.jpg"}
    assert snapshot.skipped == {}
    assert snapshot.left_out == {"x", "huge.jpg", "link"}
    assert snapshot.not_read == {}


def test_a_wrong_pattern_in_a_file_is_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its other patterns hold, and the log names it once, however often it is read."""
    add(path, "a.jpg", "b.jpg")
    (path / ".ignore").write_bytes(b"\xef\xbb\xbf!\na.jpg\n\xff.jpg\n")
    folder = PhotoFolder(Address(path))
    for _ in range(2):
        assert set(folder.scan().photos) == {"b.jpg"}
    assert caplog.text.count("has a wrong pattern: '!'") == 1


@pytest.mark.parametrize("what", ["a folder", "a link to nowhere"])
def test_what_only_has_the_name_of_a_rule_holds_none(
    path: Path, what: str
) -> None:
    """An `.ignore` that is no file changes nothing."""
    add(path, "a.jpg")
    if what == "a folder":
        (path / ".ignore").mkdir()
    else:
        (path / ".ignore").symlink_to("nowhere")
    assert found(path) == {"a.jpg"}


def test_rules_elsewhere_hold_nothing(path: Path, tmp_path: Path) -> None:
    """An `.ignore` that is a link may lead out of the folder, and is none."""
    (tmp_path / "rules").write_text("*.jpg")
    add(path, "a.jpg")
    (path / ".ignore").symlink_to(tmp_path / "rules")
    assert found(path) == {"a.jpg"}


@pytest.mark.parametrize(
    "pattern", ["**/*a*a*a*a*a*a*b", "*a*a*a*a*a*[b-c]", "a*?*?*?*?*?*b"]
)
def test_no_name_is_slow_to_match(path: Path, pattern: str) -> None:
    """However many stars there are: a name that nearly matches costs no time."""
    add(path, "a" * 240 + ".jpg")
    (path / ".ignore").write_text(pattern)
    began = time.process_time()  # whatever else is at work
    assert len(found(path)) == 1
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("pattern", "name", "is_out"),
    [
        ("*a*b.jpg", "xaxbaxb.jpg", True),
        ("*ab*b.jpg", "xaab.jpg", False),
        ("*a?b*c.jpg", "aabaxbc.jpg", True),
        ("x*a*b/*.jpg", "xaabb/a.jpg", True),
    ],
)
def test_stars_match_as_before(
    path: Path, pattern: str, name: str, *, is_out: bool
) -> None:
    """What stands between two stars may come more than once."""
    add(path, name)
    (path / ".ignore").write_text(pattern)
    assert found(path) == (set() if is_out else {name})


def test_too_many_folders_between_are_refused(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A pattern that would be slow on deep folders is told, and holds nothing."""
    add(path, "a.jpg")
    (path / ".ignore").write_text("**/a/**/a/**/a.jpg\n")
    assert found(path) == {"a.jpg"}
    assert "has too many **" in caplog.text


def test_the_beginning_of_a_long_file_counts(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a file with more lines than count that is said; none counts that is cut in two."""
    add(path, "a.jpg", "b.jpg")
    (path / ".ignore").write_text("a.jpg\n" + "x\n" * MOST_LINES + "b.jpg\n")
    assert found(path) == {"b.jpg"}
    assert f"the first {MOST_LINES} lines count" in caplog.text
