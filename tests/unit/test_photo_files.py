"""Photo files over HTTP: whatever their name, and nothing else that lies there."""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.types import Message

from image_search.files import open_regular_file
from image_search.kinds import KINDS
from image_search.photo_files import PhotoFiles, PhotoResponse
from image_search.thumbnails import version_of
from image_search.web import accept_any_path
from tests.harness import PHOTOS
from tests.unit.photo_folder import (
    CAT,
    IMMUTABLE,
    NO_CACHE,
    NO_PHOTOS,
    photo_files,
    shown,
)

ODD_NAMES = [
    "a#b&c?d%20e.jpg",
    'it\'s "quoted".png',
    "new\nline.jpg",
    "emoji \U0001f431.webp",
    "back\\slash.jpg",
    "-rf.jpg",
    "deep/down/a.JPG",
]


def version_in(file: Path) -> str:
    return version_of(hashlib.sha256(file.read_bytes()).hexdigest())


def get(files: PhotoFiles, path: str, **headers: str) -> httpx.Response:
    """The answer of an app that serves these files under /img."""
    accept_any_path()
    app = FastAPI()
    app.mount("/img", files)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost"
        ) as client:
            return await client.get(f"/img/{path}", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_a_name(folder: Path, name: str) -> None:
    """A photo of any name is served as what it is."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CAT, folder / name)
    answer = get(photo_files(folder), quote(name))
    assert answer.status_code == 200
    assert answer.content == CAT.read_bytes()
    assert photo_files(folder).find(name) == folder / name


@pytest.mark.parametrize("suffix", KINDS)
def test_a_photo_is_sent_as_one(folder: Path, suffix: str) -> None:
    """Its type is that of its name, so that no browser runs HTML by a photo's name."""
    shutil.copy(folder / "script.jpg", folder / f"a{suffix}")
    kind = get(photo_files(folder), f"a{suffix}").headers["content-type"]
    assert kind.startswith("image/")


@pytest.mark.parametrize("name", NO_PHOTOS, ids=shown)
def test_nothing_else_is_served(folder: Path, name: str) -> None:
    """What is no photo, is hidden, lies elsewhere or can't even be is a 404, and not found."""
    files = photo_files(folder)
    with pytest.raises(HTTPException) as refused:
        files.find(name)
    assert refused.value.status_code == 404
    assert files.lookup_path(name) == ("", None)
    path = quote(name.encode(errors="surrogateescape"), safe="")
    assert get(files, path).status_code == 404


def test_a_link_within_the_folder_is_served(folder: Path) -> None:
    """A link to a photo of the folder is a photo."""
    assert get(photo_files(folder), "link.jpg").content == CAT.read_bytes()


@pytest.mark.parametrize(
    ("is_private", "caches"), [(True, "private, "), (False, "")]
)
def test_photos_say_how_long_they_keep(
    folder: Path, caches: str, *, is_private: bool
) -> None:
    """With a version in its address a photo is kept for good, else asked for each time."""
    files = photo_files(folder, is_private=is_private)
    with_version = get(files, f"cat.png?v={version_in(CAT)}")
    without = get(files, "cat.png")
    assert with_version.headers["cache-control"] == (
        f"{caches}max-age=31536000, immutable"
    )
    assert without.headers["cache-control"] == f"{caches}no-cache"


def test_another_version_is_not_kept(folder: Path) -> None:
    """By the version of what was in the file before, or of nothing, it is asked for anew.

    A browser would keep the new photo by the old one's address, for good.
    """
    files = photo_files(folder)
    stale = version_in(CAT)
    assert (
        get(files, f"cat.png?v={stale}").headers["cache-control"] == IMMUTABLE
    )
    shutil.copy(PHOTOS / "rocket.jpg", folder / "cat.png")
    for version in (stale, "0" * 16, "x"):
        answer = get(files, f"cat.png?v={version}")
        assert answer.headers["cache-control"] == NO_CACHE
        assert answer.content == (PHOTOS / "rocket.jpg").read_bytes()
    fresh = get(files, f"cat.png?v={version_in(PHOTOS / 'rocket.jpg')}")
    assert fresh.headers["cache-control"] == IMMUTABLE


def send(response: PhotoResponse) -> list[Message]:
    """What an answer tells the server."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def note(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": []}
    asyncio.run(response(scope, receive, note))
    return sent


def test_no_link_to_a_folder_is_followed(folder: Path) -> None:
    """Not even back into the folder: it would tell where that lies."""
    (folder / "trips").mkdir(exist_ok=True)
    shutil.copy(CAT, folder / "trips" / "cat.png")
    (folder / "back").symlink_to(folder)
    files = photo_files(folder)
    assert get(files, "trips/cat.png").status_code == 200
    assert get(files, "back/cat.png").status_code == 404
    assert get(files, "back/trips/cat.png").status_code == 404


def test_what_became_a_link_out_of_the_folder_is_not_sent(
    folder: Path, tmp_path: Path
) -> None:
    """A link that takes a photo's name between the look at it and its sending leads nowhere."""
    cat = folder / "cat.png"
    files = photo_files(folder)
    response = files.file_response(
        cat, cat.stat(), {"type": "http", "method": "GET", "headers": []}
    )
    assert isinstance(response, PhotoResponse)
    secret = tmp_path / "secret.png"
    shutil.copy(PHOTOS / "rocket.jpg", secret)
    cat.unlink()
    cat.symlink_to(secret)
    with pytest.raises(HTTPException) as refused:
        send(response)
    assert refused.value.status_code == 404


def test_what_became_a_fifo_is_not_waited_for(folder: Path) -> None:
    """A photo that is replaced between the look at it and its sending is a 404 then."""
    cat = folder / "cat.png"
    response = PhotoResponse(cat, cat.stat(), open_photo=open_regular_file)
    cat.unlink()
    os.mkfifo(cat)
    with pytest.raises(HTTPException) as refused:
        send(response)
    assert refused.value.status_code == 404


def test_what_is_sent_is_told_as_it_is(folder: Path) -> None:
    """A photo that is replaced in that moment comes with its own length, not to be kept."""
    cat = folder / "cat.png"
    response = PhotoResponse(cat, cat.stat(), open_photo=open_regular_file)
    response.headers["Cache-Control"] = IMMUTABLE
    shutil.copy(PHOTOS / "rocket.jpg", folder / "new.png")
    (folder / "new.png").replace(cat)
    start, *bodies = send(response)
    rocket = (PHOTOS / "rocket.jpg").read_bytes()
    assert b"".join(message["body"] for message in bodies) == rocket
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(rocket)).encode()
    assert headers[b"cache-control"] == NO_CACHE.encode()


@pytest.mark.parametrize("part", ["0-3", "4-", "-7"])
def test_a_part_of_a_photo_may_be_asked_for(folder: Path, part: str) -> None:
    """A download that broke off goes on where it ended; nothing stays open."""
    files = photo_files(folder)
    answer = get(files, "cat.png", Range=f"bytes={part}")
    first, _, last = part.partition("-")
    whole = CAT.read_bytes()
    expected = whole[-int(last) :] if not first else whole[int(first) :]
    if first and last:
        expected = whole[int(first) : int(last) + 1]
    assert (answer.status_code, answer.content) == (206, expected)


def test_no_photo_stays_open(folder: Path) -> None:
    """However an answer ends, the file is closed."""
    files = photo_files(folder)
    opened = len([*Path("/dev/fd").iterdir()])
    etag = get(files, "cat.png").headers["etag"]
    for headers in ({}, {"If-None-Match": etag}, {"Range": "bytes=9999999-"}):
        for _ in range(5):
            get(files, "cat.png?v=x", **headers)
    assert len([*Path("/dev/fd").iterdir()]) == opened


def test_a_photo_that_is_known_is_not_sent_again(folder: Path) -> None:
    """A browser that has a photo is told so, until the file changes."""
    files = photo_files(folder)
    etag = get(files, "cat.png").headers["etag"]
    known = get(files, "cat.png", **{"If-None-Match": etag})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["cache-control"] == NO_CACHE
    shutil.copy(PHOTOS / "rocket.jpg", folder / "cat.png")
    changed = get(files, "cat.png", **{"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_a_folder_that_is_away_has_no_photos(tmp_path: Path) -> None:
    """From the first request on: it may come back."""
    files = photo_files(tmp_path / "img")
    assert get(files, "cat.png").status_code == 404
    (tmp_path / "img").mkdir()
    shutil.copy(CAT, tmp_path / "img")
    assert get(files, "cat.png").status_code == 200
