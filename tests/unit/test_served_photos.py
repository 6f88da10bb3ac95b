"""Photos of folders and of buckets over HTTP: one and the same to whoever asks."""

import asyncio
import hashlib
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import HTTPException

from image_search.bucket_files import BucketFiles
from image_search.exclusions import Exclusions
from image_search.kinds import KINDS
from image_search.served_photos import ForDecoder, ServedPhotos
from image_search.thumbnails import version_of
from tests.clouds import CloudBucket, CloudServer
from tests.harness import PHOTOS
from tests.unit.bucket_world import RemoteWorld
from tests.unit.photo_folder import (
    CAT,
    IMMUTABLE,
    NO_CACHE,
    NO_PHOTOS,
    photo_files,
    shown,
)
from tests.unit.served import ask

ODD_NAMES = [
    "a#b&c?d%20e.jpg",
    'it\'s "quoted".png',
    "emoji \U0001f431.webp",
    "Ümläute.jpg",
    "back\\slash.jpg",
    "-rf.jpg",
    "%2e%2e.jpg",
    "a+b=c;d@e,f:g$h.jpg",
    "deep/down/a.JPG",
]
ROCKET = PHOTOS / "rocket.jpg"
# And what a bucket may hold beside photos.
BESIDE = ["page.html", "blob", ".hidden.jpg", ".thumbs/a.jpg", "no photo.txt"]


class FolderPlace:
    """Photos in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, *, is_private: bool = False) -> ServedPhotos:
        return photo_files(self.folder, is_private=is_private)

    def put(self, name: str, content: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)


class BucketPlace:
    """Photos in a bucket."""

    def __init__(self, cloud: CloudBucket) -> None:
        self.cloud = cloud
        self.world = RemoteWorld(cloud)
        for name in BESIDE:
            self.put(name, CAT.read_bytes())
        self.world.put_outside("secret.jpg", CAT.read_bytes())
        self.world.put_outside("my photossecret.jpg", CAT.read_bytes())
        self.put("cat.png", CAT.read_bytes())

    def files(self, *, is_private: bool = False) -> ServedPhotos:
        return BucketFiles(
            lambda: self.world.bucket(self.cloud.server),
            Exclusions(["left out"]).leaves_out,
            is_private=is_private,
        )

    def put(self, name: str, content: bytes) -> None:
        self.world.put(name, content)


Place = FolderPlace | BucketPlace


@pytest.fixture(params=["folder", "s3", "azure"])
def place(request: pytest.FixtureRequest, folder: Path) -> Place:
    """A place of each kind, in which cat.png is."""
    if request.param == "folder":
        return FolderPlace(folder)
    server: CloudServer = request.getfixturevalue(request.param)
    return BucketPlace(server.new_bucket())


def version_in(content: bytes) -> str:
    return version_of(hashlib.sha256(content).hexdigest())


def content_for_decoder(files: ServedPhotos, name: str) -> bytes:
    async def hold() -> ForDecoder:
        async with files.for_decoder(name, is_whole=False) as photo:
            return photo

    photo = asyncio.run(hold())
    return photo if isinstance(photo, bytes) else photo.read_bytes()


async def content_of(files: ServedPhotos, name: str) -> bytes:
    found = await files.look_up(name)
    assert found is not None
    content = b"".join([part async for part in found.parts()])
    assert len(content) == found.size
    return content


def test_any_name_is_a_name(place: Place) -> None:
    """A photo of any name is served as what it is, by each of the ways to it."""
    for name in ODD_NAMES:
        content = CAT.read_bytes() + name.encode()
        place.put(name, content)
        answer = ask(place.files(), quote(name))
        assert (answer.status_code, answer.content) == (200, content)
        assert content_for_decoder(place.files(), name) == content
        assert asyncio.run(content_of(place.files(), name)) == content


def test_a_photo_is_sent_as_one(place: Place) -> None:
    """Its type is that of its name, so that no browser runs HTML by a photo's name."""
    for suffix in KINDS:
        place.put(f"a{suffix}", b"<script>alert(1)</script>")
        answer = ask(place.files(), f"a{suffix}")
        assert answer.headers["content-type"] == KINDS[suffix].mime


MORE = [*BESIDE, "left out/a.jpg", "a//b.jpg"]


@pytest.mark.parametrize("name", [*NO_PHOTOS, *MORE], ids=shown)
def test_nothing_else_is_served(place: Place, name: str) -> None:
    """What is no photo, is hidden or left out, lies elsewhere or can't be is a 404."""
    if name == "left out/a.jpg" and isinstance(place, BucketPlace):
        place.put(name, CAT.read_bytes())
    files = place.files()
    path = quote(name.encode(errors="surrogateescape"), safe="")
    assert ask(files, path).status_code == 404
    assert asyncio.run(files.look_up(name)) is None
    with pytest.raises(HTTPException) as refused:
        content_for_decoder(files, name)
    assert refused.value.status_code == 404


@pytest.mark.parametrize(
    ("is_private", "caches"), [(True, "private, "), (False, "")]
)
def test_photos_say_how_long_they_keep(
    place: Place, caches: str, *, is_private: bool
) -> None:
    """With the version of what was sent before it is kept for good, else asked for."""
    files = place.files(is_private=is_private)
    path = f"cat.png?v={version_in(CAT.read_bytes())}"
    ask(files, path)
    with_version = ask(files, path)
    assert with_version.headers["cache-control"] == (
        f"{caches}max-age=31536000, immutable"
    )
    without = ask(files, "cat.png")
    assert without.headers["cache-control"] == f"{caches}no-cache"


def test_another_version_is_not_kept(place: Place) -> None:
    """By the version of what was there before, or of nothing, it is asked for anew.

    A browser would keep the new photo by the old one's address, for good.
    """
    files = place.files()
    cat, rocket = CAT.read_bytes(), ROCKET.read_bytes()
    stale = version_in(cat)
    ask(files, f"cat.png?v={stale}")
    place.put("cat.png", rocket)
    for _ in range(2):
        for version in (stale, "0" * 16, "x"):
            answer = ask(files, f"cat.png?v={version}")
            assert answer.headers["cache-control"] == NO_CACHE
            assert answer.content == rocket
    fresh = ask(files, f"cat.png?v={version_in(rocket)}")
    assert fresh.headers["cache-control"] == IMMUTABLE


def test_a_photo_that_is_known_is_not_sent_again(place: Place) -> None:
    """A browser that has a photo is told so, until it changes."""
    files = place.files()
    first = ask(files, "cat.png")
    since = parsedate_to_datetime(first.headers["last-modified"]).timestamp()
    earlier = formatdate(since - 1, usegmt=True)
    etag = first.headers["etag"]
    for asked in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"x", W/{etag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": first.headers["last-modified"]},
    ):
        known = ask(files, "cat.png", **asked)
        assert (known.status_code, known.content) == (304, b"")
        assert known.headers["cache-control"] == NO_CACHE
        assert known.headers["etag"] == etag
    for asked in (
        {"If_None_Match": '"x"'},
        {"If_Modified_Since": earlier},
        {"If_None_Match": '"x"', "If_Modified_Since": formatdate(usegmt=True)},
    ):
        assert ask(files, "cat.png", **asked).content == CAT.read_bytes()
    place.put("cat.png", ROCKET.read_bytes())
    changed = ask(files, "cat.png", If_None_Match=etag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_the_head_is_told_alone(place: Place) -> None:
    """HEAD is answered as GET, without a photo; nothing else is done by this address."""
    files = place.files()
    for asked in ({}, {"Range": "bytes=3-9"}, {"Range": "bytes=99999999-"}):
        head = ask(files, "cat.png", "HEAD", **asked)
        whole = ask(files, "cat.png", **asked)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers == whole.headers
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        refused = ask(files, "cat.png", method)
        assert refused.status_code == 405
        assert refused.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("part", ["0-3", "4-", "-7", "0-999999999"])
def test_a_part_of_a_photo_may_be_asked_for(place: Place, part: str) -> None:
    """A download that broke off goes on where it ended."""
    answer = ask(place.files(), "cat.png", Range=f"bytes={part}")
    first, _, last = part.partition("-")
    whole = CAT.read_bytes()
    expected = whole[-int(last) :] if not first else whole[int(first) :]
    if first and last:
        expected = whole[int(first) : int(last) + 1]
    assert (answer.status_code, answer.content) == (206, expected)


RANGES = [
    "bytes=0-0",
    "bytes=0-3,8-9",
    "bytes=5-9,0-6",
    "bytes=0-1, 3-4, -2",
    "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 300, 2)),
    "bytes=99999999-",
    "bytes=0-1,99999999-",
    "bytes=5-2",
    "bytes=-0",
    "bytes=x-y",
    "bytes=",
    "pages=1-2",
    "nonsense",
]


@pytest.mark.parametrize("asked", RANGES, ids=shown)
def test_ranges_mean_the_same_everywhere(
    folder: Path, cloud_bucket: CloudBucket, asked: str
) -> None:
    """Several at once, ones that can't be, and what is none: as for a file of a folder."""
    told = []
    for place in (FolderPlace(folder), BucketPlace(cloud_bucket)):
        answer = ask(place.files(), "cat.png", Range=asked)
        kind, _, boundary = answer.headers["content-type"].partition(
            "boundary="
        )
        content = answer.content.replace(
            boundary.encode() or b"\0", b"boundary"
        )
        length, span = (
            answer.headers.get(name)
            for name in ("content-length", "content-range")
        )
        assert int(length or 0) == len(answer.content)
        told.append((answer.status_code, kind, length, span, content))
    assert told[0] == told[1]


def test_a_part_of_what_was_replaced_is_not_sent(place: Place) -> None:
    """Who goes on with another photo's download gets the new one, whole."""
    files = place.files()
    etag = ask(files, "cat.png").headers["etag"]
    asked = {"Range": "bytes=3-9", "If_Range": etag}
    assert ask(files, "cat.png", **asked).content == CAT.read_bytes()[3:10]
    place.put("cat.png", ROCKET.read_bytes())
    answer = ask(files, "cat.png", **asked)
    assert (answer.status_code, answer.content) == (200, ROCKET.read_bytes())


def test_an_empty_photo_is_sent(place: Place) -> None:
    """It is none that can be read, but it is there."""
    place.put("empty.jpg", b"")
    answer = ask(place.files(), "empty.jpg")
    assert (answer.status_code, answer.content) == (200, b"")
    asked = ask(place.files(), "empty.jpg", Range="bytes=0-")
    assert asked.status_code == 416
