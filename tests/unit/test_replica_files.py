"""A machine that only searches hands out what it has of the photos that are in the index."""

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from image_search.addresses import Address
from image_search.place_files import PlaceFiles
from image_search.replica_files import ReplicaFiles
from image_search.sources import PhotoFolder
from tests.unit.photo_folder import CAT, make_folder

INDEXED = {"here/cat.png": "0" * 64, "away/cat.png": "1" * 64}


@pytest.fixture
def files(tmp_path: Path) -> ReplicaFiles:
    """Of two places one is there."""
    places = [
        PhotoFolder(Address(make_folder(tmp_path), "here")),
        PhotoFolder(Address(tmp_path / "away", "away")),
    ]
    made = PlaceFiles.of(places, is_private=True)
    return ReplicaFiles(made, INDEXED.get)


@pytest.fixture
def client(files: ReplicaFiles) -> TestClient:
    app = FastAPI()
    app.mount("/img", files)
    return TestClient(app)


def test_what_is_there_is_sent(files: ReplicaFiles, client: TestClient) -> None:
    """Whole, in ranges, and to thumbnails."""
    assert client.get("/img/here/cat.png").content == CAT.read_bytes()
    part = client.get("/img/here/cat.png", headers={"Range": "bytes=0-9"})
    assert part.status_code == 206
    assert files.see("here/cat.png")
    found = asyncio.run(files.look_up("here/cat.png"))
    assert found
    assert found.size == CAT.stat().st_size


def test_what_is_elsewhere_is_said(
    files: ReplicaFiles, client: TestClient
) -> None:
    """A photo of a folder that this machine lacks: what is to be done is in the answer."""
    answer = client.get("/img/away/cat.png")
    assert answer.status_code == 404
    assert "mount the folder of photos here too" in answer.text
    with pytest.raises(HTTPException, match="mount the folder"):
        files.see("away/cat.png")


def test_what_is_in_no_index_is_not_sent(
    tmp_path: Path, files: ReplicaFiles, client: TestClient
) -> None:
    """Whatever lies in the folder: a rule may leave it out, which this machine does not know."""
    [there] = tmp_path.rglob("cat.png")
    there.with_name("other.png").write_bytes(CAT.read_bytes())
    assert client.get("/img/here/other.png").status_code == 404
    assert asyncio.run(files.look_up("here/other.png")) is None
