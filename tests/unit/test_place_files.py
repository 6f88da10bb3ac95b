"""Each photo's file is found by the name of its place, and none outside of it."""

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from image_search.addresses import Address
from image_search.place_files import PlaceFiles
from image_search.served_photos import ForDecoder
from image_search.sources import PhotoFolder
from tests.unit.photo_folder import CAT, NO_PHOTOS, make_folder, shown


@pytest.fixture
def places(tmp_path: Path) -> list[PhotoFolder]:
    """Two places, one of which has a name with a space."""
    return [
        PhotoFolder(Address(make_folder(tmp_path / name), name))
        for name in ("family", "my work")
    ]


@pytest.fixture
def client(places: list[PhotoFolder]) -> TestClient:
    app = FastAPI()
    app.mount("/img", PlaceFiles.of(places, is_private=False))
    return TestClient(app)


def test_a_photo_is_sent_by_the_name_of_its_place(
    client: TestClient, places: list[PhotoFolder]
) -> None:
    """As /img/<place>/<name>, with ranges; no place's photo has another one's name."""
    (places[1].path / "only here.png").write_bytes(CAT.read_bytes())
    for name in ("family/cat.png", "my work/cat.png", "my work/only here.png"):
        assert client.get(f"/img/{name}").content == CAT.read_bytes()
    part = client.get("/img/family/cat.png", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, CAT.read_bytes()[:10])
    for name in ("cat.png", "family/only here.png", "work/cat.png", "family"):
        assert client.get(f"/img/{name}").status_code == 404


def test_what_is_found(places: list[PhotoFolder]) -> None:
    """A thumbnail is made of the file itself, wherever its place is."""
    files = PlaceFiles.of(places, is_private=False)
    for place in places:
        name = f"{place.address.name}/cat.png"
        assert files.see(name)
        found = asyncio.run(files.look_up(name))
        assert found is not None
        assert found.size == CAT.stat().st_size
        assert for_decoder(files, name) == (place.path / "cat.png").resolve()
    assert asyncio.run(files.look_up("cat.png")) is None


def for_decoder(files: PlaceFiles, name: str) -> ForDecoder:
    async def ask() -> ForDecoder:
        async with files.for_decoder(name, is_whole=False) as photo:
            return photo

    return asyncio.run(ask())


@pytest.mark.parametrize("name", NO_PHOTOS, ids=shown)
def test_nothing_else_is_found(places: list[PhotoFolder], name: str) -> None:
    """Below no place is anything found but its photos."""
    files = PlaceFiles.of(places, is_private=False)
    for path in (f"family/{name}", name, f"family/../family/{name}"):
        with pytest.raises(HTTPException):
            files.see(path)
        with pytest.raises(HTTPException):
            for_decoder(files, path)
        assert asyncio.run(files.look_up(path)) is None


def test_no_place_at_all_has_no_photo() -> None:
    """Where nothing is to be served, each name is a 404, and nothing breaks."""
    files = PlaceFiles([])
    app = FastAPI()
    app.mount("/img", files)
    assert TestClient(app).get("/img/cat.png").status_code == 404
    assert asyncio.run(files.look_up_all(["cat.png"])) == {"cat.png": None}
    with pytest.raises(HTTPException):
        files.see("cat.png")
