"""Each photo's file is found by the name of its place, and none outside of it."""

from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from image_search.addresses import Address
from image_search.place_files import PlaceFiles
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
        assert files.find(name) == (place.path / "cat.png").resolve()
        assert files.lookup_path(name)[1] is not None
    assert files.lookup_path("cat.png") == ("", None)


@pytest.mark.parametrize("name", NO_PHOTOS, ids=shown)
def test_nothing_else_is_found(places: list[PhotoFolder], name: str) -> None:
    """Below no place is anything found but its photos."""
    files = PlaceFiles.of(places, is_private=False)
    for path in (f"family/{name}", name, f"family/../family/{name}"):
        with pytest.raises(HTTPException):
            files.find(path)
