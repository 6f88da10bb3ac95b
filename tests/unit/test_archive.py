"""Photos as one archive: whole, as long as was said, and of nothing that is no photo."""

import asyncio
import io
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from image_search import archive
from image_search.archive import MISSING, MOST_PHOTOS, Archive, length_of
from image_search.place_files import PlaceFiles
from image_search.served_photos import BrokenOff
from tests.harness import PHOTOS
from tests.unit.photo_folder import CAT, NO_PHOTOS, photo_files, shown
from tests.unit.served import served

ODD_NAMES = [
    "a#b&c?d%20e.jpg",
    'it\'s "quoted".png',
    "new\nline.jpg",
    "emoji \U0001f431.webp",
    "Ümläute.jpg",
    "-rf.jpg",
    "deep/down/a.JPG",
]
ZEROS = bytes(2**20)


@pytest.fixture
def client(folder: Path) -> TestClient:
    app = FastAPI()
    app.include_router(archive.router)
    app.state.thumbnails = SimpleNamespace(
        files=PlaceFiles([photo_files(folder)])
    )
    return TestClient(app)


def ask(client: TestClient, *names: str, **options: Any) -> Any:
    form = {"names": json.dumps(names)}
    return client.post("/archive", data=form, params=options)


def archive_of(folder: Path, *names: str) -> Archive:
    return asyncio.run(Archive.of(PlaceFiles([photo_files(folder)]), names))


def opened(content: bytes) -> ZipFile:
    """The archive, whole."""
    found = ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


@pytest.fixture
def many(folder: Path) -> list[str]:
    """Photos of odd names, each another file."""
    sources = sorted(PHOTOS.glob("*.*g"))
    for name, source in zip(ODD_NAMES, sources, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    return ODD_NAMES


def test_files_come_as_they_are(
    client: TestClient, folder: Path, many: list[str]
) -> None:
    """Each under its own path, with its time, and none but those that were named."""
    os.utime(folder / many[0], (1_000_000_000, 1_000_000_000))
    answer = ask(client, *many, "cat.png")
    assert answer.headers["content-type"] == "application/zip"
    with opened(answer.content) as found:
        held = {name: found.read(name) for name in found.namelist()}
        written = time.mktime((*found.getinfo(many[0]).date_time, 0, 0, -1))
    assert held == {
        name: (folder / name).read_bytes() for name in [*many, "cat.png"]
    }
    assert written == 1_000_000_000


def test_an_archive_is_a_download(client: TestClient) -> None:
    """A browser saves it by its name, and knows its length before."""
    answer = ask(client, "cat.png")
    said = answer.headers["content-disposition"]
    assert said == 'attachment; filename="photos.zip"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == str(len(answer.content))


def test_what_an_archive_would_hold_can_be_asked(
    client: TestClient, many: list[str]
) -> None:
    """How many photos, how many bytes, and which are not there."""
    names = [*many, "no.jpg"]
    told = ask(client, *names, check=True).json()
    assert told == {
        "photos": len(many),
        "bytes": len(ask(client, *names).content),
        "missing": ["no.jpg"],
    }


def test_a_photo_comes_once(client: TestClient) -> None:
    """However often it is named, and however its path is written."""
    names = ["cat.png", "./cat.png", "cat.png", "link.jpg"]
    with opened(ask(client, *names).content) as found:
        assert found.namelist() == ["cat.png", "link.jpg"]


@pytest.mark.parametrize("name", NO_PHOTOS, ids=shown)
def test_nothing_else_is_packed(folder: Path, name: str) -> None:
    """What is no photo, is hidden, lies elsewhere or can't even be is missing."""
    made = archive_of(folder, name, "cat.png")
    assert [entry.info.filename for entry in made.entries] == ["cat.png"]
    assert len(made.missing) == 1


def test_a_missing_photo_is_named_within(client: TestClient) -> None:
    """The others come, and a text says which are not there."""
    answer = ask(client, "gone.jpg", "cat.png", "deep/gone.png")
    with opened(answer.content) as found:
        assert found.namelist() == ["cat.png", MISSING]
        lines = found.read(MISSING).decode().splitlines()
    assert lines[2:] == ["gone.jpg", "deep/gone.png"]
    with opened(ask(client, "cat.png").content) as found:
        assert MISSING not in found.namelist()


@pytest.mark.parametrize("check", [True, False])
def test_nothing_to_pack_is_told(client: TestClient, *, check: bool) -> None:
    """Where no photo is there, or none or too many are named, no archive is sent."""
    for names, status in (
        (["no.jpg", "page.html", ""], 404),
        ([], 422),
        (["cat.png"] * (MOST_PHOTOS + 1), 422),
    ):
        answer = ask(client, *names, check=check)
        assert answer.status_code == status
        assert answer.json()["detail"]
    assert ask(client, *["cat.png"] * MOST_PHOTOS).status_code == 200


@pytest.mark.parametrize("form", [{}, {"names": "cat.png"}, {"names": "{}"}])
def test_what_is_no_list_is_refused(client: TestClient, form: Any) -> None:
    """Names come as JSON, or are refused."""
    answer = client.post("/archive", data=form)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", "names"]


def remove(path: Path) -> None:
    path.unlink()


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def cut(path: Path) -> None:
    os.truncate(path, 100)


def lead_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("../secret.jpg")


def become_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES = [remove, lengthen, cut, lead_elsewhere, become_a_fifo]


@pytest.mark.parametrize("change", CHANGES)
def test_a_broken_archive_never_looks_whole(folder: Path, change: Any) -> None:
    """A photo that goes or changes while others are packed ends it where it is."""
    shutil.copy(CAT, folder / "last.png")
    made = archive_of(folder, "cat.png", "last.png")
    sent: list[bytes] = []

    async def send() -> None:
        async for part in made.stream():
            if not sent:
                change(folder / "last.png")
            sent.append(part)

    with pytest.raises(BrokenOff, match=r"last\.png"):
        asyncio.run(send())
    content = b"".join(sent)
    assert len(content) < len(made)
    with pytest.raises(BadZipFile):
        ZipFile(io.BytesIO(content))


def test_an_archive_takes_no_memory(folder: Path) -> None:
    """It comes in parts, each far smaller than the file it is of."""
    (folder / "large.jpg").write_bytes(ZEROS * 40)
    parts = archive_of(folder, "large.jpg").stream()

    async def lengths() -> list[int]:
        return [len(part) async for part in parts]

    assert max(asyncio.run(lengths())) < 2 * len(ZEROS)


@pytest.fixture
def address(client: TestClient) -> Iterator[str]:
    """Of a server that has the route."""
    with served(client.app) as url:
        yield url


def test_a_broken_download_is_seen_as_one(
    address: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection ends before the length that was told, and the log says why."""
    (folder / "large.jpg").write_bytes(ZEROS * 64)
    shutil.copy(CAT, folder / "last.png")
    form = {"names": json.dumps(["large.jpg", "last.png"])}
    with httpx.stream("POST", f"{address}/archive", data=form) as answer:
        parts = answer.iter_bytes()
        next(parts)
        (folder / "last.png").unlink()
        with pytest.raises(httpx.RemoteProtocolError):
            deque(parts, maxlen=0)
    [said] = [line for line in caplog.messages if "last.png" in line]
    assert said.startswith("A download of photos was broken off")


# --- How long it will be --------------------------------------------------------------


class Counter:
    """A file that keeps nothing but how much was written to it."""

    length = 0

    def write(self, part: bytes) -> int:
        self.length += len(part)
        return len(part)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def chunks(size: int) -> Iterator[bytes]:
    for start in range(0, size, len(ZEROS)):
        yield ZEROS[: size - start]


def described(files: list[tuple[str, int]]) -> list[ZipInfo]:
    infos = [ZipInfo(name) for name, _ in files]
    for info, (_, size) in zip(infos, files, strict=True):
        info.file_size = size
    return infos


def length_as_written(files: list[tuple[str, int]]) -> int:
    counter = Counter()
    with ZipFile(counter, "w") as written:
        for info in described(files):
            size = info.file_size
            with written.open(info, "w") as entry:
                for chunk in chunks(size):
                    entry.write(chunk)
    return counter.length


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
FILES = st.lists(
    st.tuples(NAMES, st.integers(0, 2**17)), unique_by=lambda file: file[0]
)


@given(FILES)
def test_the_length_is_known(files: list[tuple[str, int]]) -> None:
    """An archive is as long as was said, whatever its files are called."""
    assert length_of(described(files)) == length_as_written(files)


@pytest.mark.parametrize(
    "sizes", [[2_046_000_000, 102_000_000, 1], [2**31 + 1, 1]]
)
def test_the_length_of_large_ones_is_known(sizes: list[int]) -> None:
    """Also where numbers need more room, of a file, of a place, and of the list."""
    files = [(f"{number}.jpg", size) for number, size in enumerate(sizes)]
    assert length_of(described(files)) == length_as_written(files)
