"""Photo files over HTTP: whatever their name, and nothing else that lies there."""

import asyncio
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import HTTPException
from starlette.types import Message

from image_search.files import open_regular_file
from image_search.photo_files import PhotoResponse
from tests.harness import PHOTOS
from tests.unit.photo_folder import (
    CAT,
    IMMUTABLE,
    NO_CACHE,
    NO_PHOTOS,
    photo_files,
    shown,
)
from tests.unit.served import ask


def test_a_name_may_have_a_line_break(folder: Path) -> None:
    """As any sign but a slash."""
    shutil.copy(CAT, folder / "new\nline.jpg")
    answer = ask(photo_files(folder), quote("new\nline.jpg"))
    assert (answer.status_code, answer.content) == (200, CAT.read_bytes())


@pytest.mark.parametrize("name", NO_PHOTOS, ids=shown)
def test_nothing_else_is_found(folder: Path, name: str) -> None:
    """What is no photo, is hidden, lies elsewhere or can't even be is a 404 at once."""
    files = photo_files(folder)
    with pytest.raises(HTTPException) as refused:
        files.see(name)
    assert refused.value.status_code == 404
    assert files.lookup_path(name) == ("", None)


def test_a_link_within_the_folder_is_served(folder: Path) -> None:
    """A link to a photo of the folder is a photo."""
    assert ask(photo_files(folder), "link.jpg").content == CAT.read_bytes()


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
    assert ask(files, "trips/cat.png").status_code == 200
    assert ask(files, "back/cat.png").status_code == 404
    assert ask(files, "back/trips/cat.png").status_code == 404


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


def test_no_photo_stays_open(folder: Path) -> None:
    """However an answer ends, the file is closed."""
    files = photo_files(folder)
    opened = len([*Path("/dev/fd").iterdir()])
    etag = ask(files, "cat.png").headers["etag"]
    for headers in ({}, {"If_None_Match": etag}, {"Range": "bytes=9999999-"}):
        for _ in range(5):
            ask(files, "cat.png?v=x", **headers)
    assert len([*Path("/dev/fd").iterdir()]) == opened


def test_a_folder_that_is_away_has_no_photos(tmp_path: Path) -> None:
    """As long as it is: a disk may be put in later."""
    files = photo_files(tmp_path / "disk")
    assert ask(files, "cat.png").status_code == 404
    (tmp_path / "disk").mkdir()
    shutil.copy(CAT, tmp_path / "disk")
    assert ask(files, "cat.png").content == CAT.read_bytes()
