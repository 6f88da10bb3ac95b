"""The photos of a bucket come through the app: from one origin, by one password."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from zipfile import ZipFile

import httpx
import psutil
import pytest

from tests.clouds import KEYS, CloudBucket, CloudServer
from tests.harness import PHOTOS, App, NewApp, eventually

PASSWORD = "sesame"
CAT = PHOTOS / "cat.png"


class World:
    """An app with a folder and a bucket, one photo in each, and its password."""

    def __init__(self, app: App, bucket: CloudBucket) -> None:
        self.app = app
        self.bucket = bucket
        app.add("rocket.jpg", "rocket.jpg")
        bucket.put("my photos/trips/cat #1.png", CAT.read_bytes())
        bucket.put("my photos/page.html", b"<script>alert(1)</script>")
        bucket.put("secret.png", CAT.read_bytes())
        far = bucket.address("my photos", refresh=1)
        app.env["IMAGE_DIR"] = f"near={app.img}:far={far}"
        app.http.auth = ("", PASSWORD)
        app.start()
        app.finds("near/rocket.jpg", "far/trips/cat #1.png")


@pytest.fixture(scope="module")
def app(new_app: NewApp, s3: CloudServer) -> Iterator[World]:
    server = new_app(PASSWORD=PASSWORD, **KEYS)
    world = World(server, s3.new_bucket())
    yield world
    world.bucket.gate.open()


NEAR, FAR = "near/rocket.jpg", "far/trips/cat%20%231.png"


def test_photos_of_both_come_alike(app: World) -> None:
    """By the same address, with the same headers, whole or in parts."""
    heads = []
    for name, file in ((NEAR, PHOTOS / "rocket.jpg"), (FAR, CAT)):
        whole = app.app.get(f"/img/{name}")
        assert whole.content == file.read_bytes()
        headers = {"Range": "bytes=100-199"}
        part = app.app.http.get(f"/img/{name}", headers=headers)
        assert part.status_code == 206
        assert part.content == file.read_bytes()[100:200]
        known = {"If-None-Match": whole.headers["etag"]}
        again = app.app.http.get(f"/img/{name}", headers=known)
        assert again.status_code == 304
        heads.append({*whole.headers} - {"date"})
    assert heads[0] == heads[1]


def test_the_password_holds_for_both(app: World) -> None:
    """Who does not know it gets no byte of a photo, nor of a copy of one."""
    for name in (NEAR, FAR):
        for path in (f"/img/{name}", f"/thumb/{name}", f"/photo/{name}"):
            assert httpx.get(app.app.url + path).status_code == 401
        answer = app.app.get(f"/img/{name}")
        assert answer.headers["cache-control"].startswith("private")


def test_nothing_else_of_the_bucket_is_given(app: World) -> None:
    """Neither what is no photo, nor what lies outside of the prefix."""
    for name in (
        "far/page.html",
        "far/secret.png",
        "far/..%2Fsecret.png",
        "far/%2e%2e/secret.png",
        "far/..%252Fsecret.png",
        "near/trips/cat%20%231.png",
        "trips/cat%20%231.png",
    ):
        for path in (f"/img/{name}", f"/thumb/{name}"):
            assert app.app.get(path).status_code == 404


@pytest.mark.parametrize("size", ["256", "512", "1024", "full"])
def test_a_photo_of_a_bucket_has_thumbnails(app: World, size: str) -> None:
    """Of each size, made by the decoders as of a file."""
    answer = app.app.get(f"/thumb/{FAR}", size=size)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")


def test_an_archive_may_be_of_both(app: World) -> None:
    """A photo of a bucket lies beside one of a folder."""
    names = ["near/rocket.jpg", "far/trips/cat #1.png", "far/secret.png"]
    form = {"names": json.dumps(names)}
    answer = app.app.http.post("/archive", data=form)
    assert answer.headers["content-length"] == str(len(answer.content))
    with ZipFile(io.BytesIO(answer.content)) as found:
        assert found.namelist() == [*names[:2], "missing photos.txt"]
        assert found.read(names[1]) == CAT.read_bytes()


def test_a_record_tells_how_large_it_is(app: World) -> None:
    """As for a photo of a folder."""
    told = app.app.get(f"/photo/{FAR}").json()
    assert told["file_bytes"] == CAT.stat().st_size


def skipped(app: App) -> set[str]:
    return {one["filename"] for one in app.status()["skipped_photos"]}


def test_downloads_take_no_memory(app: World) -> None:
    """However many, of however large a photo: none lies in the app as a whole."""
    size = 40 * 2**20
    app.bucket.put("my photos/large.jpg", bytes(size))
    # To index it takes its size a few times.
    eventually(lambda: "far/large.jpg" in skipped(app.app))
    assert app.app.process is not None
    process = psutil.Process(app.app.process.pid)

    def download() -> int:
        with app.app.http.stream("GET", "/img/far/large.jpg") as answer:
            return sum(map(len, answer.iter_raw()))

    download()
    before = process.memory_info().rss
    with ThreadPoolExecutor(10) as pool:
        downloads = [pool.submit(download) for _ in range(10)]
        most = before
        while not all(one.done() for one in downloads):
            most = max(most, process.memory_info().rss)
            wait(downloads, 0.05)
        assert {one.result() for one in downloads} == {size}
    assert most - before < 3 * size


def test_what_was_made_comes_while_the_bucket_is_away(app: World) -> None:
    """The rest says so in a sentence; the folder's photos know nothing of it."""
    app.app.get(f"/thumb/{FAR}", size="512")
    app.bucket.gate.shut()
    assert app.app.get(f"/thumb/{FAR}", size="512").status_code == 200
    answer = app.app.get(f"/img/{FAR}")
    assert answer.status_code == 503
    assert app.bucket.name in answer.json()["detail"]
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in answer.text
    assert app.app.get(f"/img/{NEAR}").status_code == 200
    app.bucket.gate.open()
    assert app.app.get(f"/img/{FAR}").content == CAT.read_bytes()


def test_a_deleted_photo_is_given_no_more(app: World) -> None:
    """Its file at once; its copies as soon as the index knows."""
    app.bucket.put("my photos/dog.png", CAT.read_bytes() + b"dog")
    app.app.finds("near/rocket.jpg", "far/trips/cat #1.png", "far/dog.png")
    assert app.app.get("/thumb/far/dog.png", size="512").status_code == 200
    app.bucket.delete("my photos/dog.png")
    assert app.app.get("/img/far/dog.png").status_code == 404
    app.app.finds("near/rocket.jpg", "far/trips/cat #1.png")
    eventually(
        lambda: app.app.get("/thumb/far/dog.png", size="512").status_code == 404
    )
