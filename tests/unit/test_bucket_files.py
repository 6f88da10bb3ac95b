"""The photos of a bucket over HTTP: no byte more than is asked for, and nothing else."""

import asyncio
import hashlib
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Response
from fastapi.testclient import TestClient

from image_search import archive, photo_record, refusals, web
from image_search.archive import Archive
from image_search.bucket_errors import BucketError
from image_search.bucket_files import (
    LOOKING_THREADS,
    MOST_HELD,
    MOST_HELD_WHOLE,
    BucketFiles,
)
from image_search.exclusions import Exclusions
from image_search.in_flight import LARGE, MOST_BYTES
from image_search.place_files import LOOKED_UP_AT_ONCE, PlaceFiles
from image_search.reasons import PhotoError
from image_search.served_photos import BrokenOff, ForDecoder
from image_search.status import Equipment, StatusBoard
from image_search.thumbnails import ThumbnailCache, version_of
from tests.clouds import CloudServer
from tests.harness import PHOTOS, eventually
from tests.unit.bucket_world import Asked, RemoteWorld
from tests.unit.memory_store import MemoryStore
from tests.unit.photo_folder import CAT, IMMUTABLE, photo_files
from tests.unit.served import app_with, ask, served

ROCKET = PHOTOS / "rocket.jpg"
MIB = 2**20
EQUIPMENT = Equipment(model="", device="", precision="", store="")


class World:
    """A bucket with cat.png in it, and what the app makes of it."""

    def __init__(self, remote: RemoteWorld, endpoint: str) -> None:
        self.remote = remote
        self.door = remote.door
        self.files = BucketFiles(
            lambda: remote.bucket(endpoint),
            Exclusions(["left out"]).leaves_out,
            is_private=False,
        )
        self.places = PlaceFiles([self.files])
        remote.put("cat.png", CAT.read_bytes())

    def put_large(self, name: str, megabytes: int) -> bytes:
        content = bytes(range(256)) * (megabytes * MIB // 256)
        self.remote.put(name, content)
        return content


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """S3's, where a test asks for no other."""
    kind = getattr(request, "param", "s3")
    server: CloudServer = request.getfixturevalue(kind)
    remote = RemoteWorld(server.new_bucket())
    with remote.door.served() as endpoint:
        yield World(remote, endpoint)


of_each_cloud = pytest.mark.parametrize("world", ["s3", "azure"], indirect=True)


# --- What the bucket is asked for -----------------------------------------------------


@of_each_cloud
def test_a_bucket_is_asked_for_a_range_alone(world: World) -> None:
    """Of a photo of many megabytes comes the kilobyte that is asked for, in one answer."""
    content = world.put_large("large.jpg", 60)
    answer = ask(world.files, "large.jpg", Range="bytes=5000000-5000999")
    assert answer.content == content[5_000_000:5_001_000]
    [head, get] = world.door.finished()
    assert head.method == "HEAD"
    assert get.range == "bytes=5000000-5000999"
    assert get.sent == 1000


def test_several_ranges_are_asked_for_one_by_one(world: World) -> None:
    """And what lies between them is not."""
    world.put_large("large.jpg", 20)
    ask(world.files, "large.jpg", Range="bytes=0-9,9000000-9000099")
    assert [one.sent for one in world.door.finished()] == [0, 10, 100]


def test_what_needs_no_bytes_asks_for_none(world: World) -> None:
    """Neither the head of a photo, nor that a browser has it, nor a wrong range does."""
    etag = ask(world.files, "cat.png", "HEAD").headers["etag"]
    ask(world.files, "cat.png", If_None_Match=etag)
    ask(world.files, "cat.png", Range="bytes=99999999-")
    ask(world.files, "no.jpg")
    assert {one.method for one in world.door.asked} == {"HEAD"}


@pytest.mark.parametrize(
    "name",
    [
        "page.html",
        ".hidden.jpg",
        "left out/a.jpg",
        "../secret.jpg",
        "/secret.jpg",
        "a/../../secret.jpg",
        "a//b.jpg",
        "a/./b.jpg",
        "a\0.jpg",
        "a\n.jpg",
        "\udcff.jpg",
        1100 * "a" + ".jpg",
        "",
    ],
    ids=ascii,
)
def test_what_is_no_photo_never_comes_to_the_bucket(
    world: World, name: str
) -> None:
    """By no way of writing it is another key asked for, nor one outside of the prefix."""
    assert asyncio.run(world.files.look_up(name)) is None
    assert world.door.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "..%2Fsecret.jpg",
        "%2e%2e/secret.jpg",
        "%2e%2e%2fsecret.jpg",
        "a/%2e%2e/%2e%2e/secret.jpg",
        "..%252Fsecret.jpg",
        "%2Fsecret.jpg",
        "..%5Csecret.jpg",
    ],
)
def test_no_path_leads_out_of_the_prefix(world: World, path: str) -> None:
    """However the dots and slashes are written."""
    world.remote.put_outside("secret.jpg", CAT.read_bytes())
    assert ask(world.files, path).status_code == 404
    below = f"/{world.remote.name}/my%20photos/"
    assert all(one.path.startswith(below) for one in world.door.asked)


# --- What happens meanwhile -----------------------------------------------------------


@of_each_cloud
def test_a_client_that_leaves_ends_the_download(world: World) -> None:
    """The bucket sends no more than was under way."""
    world.put_large("large.jpg", 60)
    with (
        served(app_with(world.files)) as url,
        httpx.stream("GET", f"{url}/img/large.jpg") as answer,
    ):
        next(answer.iter_raw())
        answer.close()
        [get] = world.door.gets()
        assert eventually(lambda: get.is_over)
        assert get.sent < 30 * MIB


def test_a_slow_client_holds_the_bucket_back(world: World) -> None:
    """What a client does not take yet is not fetched: it would lie in memory."""
    world.put_large("large.jpg", 60)
    with (
        served(app_with(world.files)) as url,
        httpx.stream("GET", f"{url}/img/large.jpg") as answer,
    ):
        parts = answer.iter_raw()
        next(parts)
        seen: list[int] = []

        def stands_still() -> bool:
            seen.append(world.door.gets()[0].sent)
            return seen[-5:] == 5 * seen[-1:]

        eventually(stands_still)
        assert seen[-1] < 40 * MIB
        assert sum(map(len, parts)) > 59 * MIB


@of_each_cloud
def test_a_bucket_that_is_away_is_said(world: World) -> None:
    """As 503, in a sentence that names the place, and when to ask again."""
    world.door.is_away = True
    answer = ask(world.files, "cat.png")
    assert answer.status_code == 503
    assert world.remote.name in answer.json()["detail"]
    assert "503" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "5"


@of_each_cloud
def test_what_goes_meanwhile_is_not_there(world: World) -> None:
    """A photo that is deleted between the look at it and its sending is a 404."""
    world.door.before_get = lambda _: world.remote.delete("cat.png")
    assert ask(world.files, "cat.png").status_code == 404


@of_each_cloud
def test_what_is_replaced_meanwhile_is_told_as_it_is(world: World) -> None:
    """The new photo comes, with its own length and version."""
    rocket = ROCKET.read_bytes()

    def replace(_: Asked) -> None:
        world.door.before_get = lambda _: None
        world.remote.put("cat.png", rocket)

    world.door.before_get = replace
    answer = ask(world.files, "cat.png")
    assert (answer.status_code, answer.content) == (200, rocket)
    assert answer.headers["content-length"] == str(len(rocket))
    known = ask(world.files, "cat.png", If_None_Match=answer.headers["etag"])
    assert known.status_code == 304


def test_what_changes_again_and_again_is_put_off(world: World) -> None:
    """It is tried a few times, and never sent as what it is not."""

    def replace(_: Asked) -> None:
        world.remote.put("cat.png", uuid4().bytes)

    world.door.before_get = replace
    answer = ask(world.files, "cat.png")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert len(world.door.gets()) == 3


@of_each_cloud
def test_a_connection_that_breaks_off_is_taken_up(world: World) -> None:
    """Where it ended; who downloads sees nothing of it."""
    content = world.put_large("large.jpg", 3)
    world.door.cuts_at = MIB
    with served(app_with(world.files)) as url:
        assert httpx.get(f"{url}/img/large.jpg").content == content
    assert len(world.door.gets()) > 1


def test_a_broken_download_is_seen_as_one(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends before the length that was told, and the log says why, in a line."""
    world.put_large("large.jpg", 20)

    def fail(_: Asked) -> None:
        world.door.is_away = True

    world.door.cuts_at = 5 * MIB
    world.door.before_get = fail
    with (
        served(app_with(world.files)) as url,
        httpx.stream("GET", f"{url}/img/large.jpg") as answer,
    ):
        assert answer.headers["content-length"] == str(20 * MIB)
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    [said] = [line for line in caplog.messages if "large.jpg" in line]
    assert said.startswith("A download of a photo was broken off: large.jpg")
    assert "Traceback" not in caplog.text


def test_a_slow_bucket_keeps_no_other_place_waiting(
    world: World, folder: Path
) -> None:
    """However many ask for its photos, those of a folder come meanwhile."""
    world.door.before_head = lambda _: world.door.go_on.wait(60)
    world.files.place = "far"
    near = photo_files(folder)
    near.place = "near"
    files = PlaceFiles([world.files, near])

    async def ask_for_all(url: str) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=url, timeout=60, limits=limits
        ) as client:
            slow = [
                asyncio.create_task(client.get("/img/far/cat.png"))
                for _ in range(60)
            ]
            while len(world.door.asked) < LOOKING_THREADS:
                await asyncio.sleep(0.01)
            answer = await client.get("/img/near/cat.png")
            assert answer.content == CAT.read_bytes()
            assert not any(one.done() for one in slow)
            world.door.go_on.set()
            for one in slow:
                assert (await one).status_code == 200

    with served(app_with(files)) as url:
        asyncio.run(ask_for_all(url))


# --- Thumbnails -----------------------------------------------------------------------


class Thumbs:
    """Thumbnails of a bucket whose photos are in the index, and the decoder's visits."""

    def __init__(self, world: World, folder: Path) -> None:
        self.made: list[tuple[ForDecoder, int]] = []
        self.digests = {"cat.png": digest_of(CAT.read_bytes())}
        self.cache = ThumbnailCache(folder)
        self.thumbnails = web.Thumbnails(
            world.places, self.cache, self.make, self.digests.get
        )

    def make(self, photo: ForDecoder, size: int) -> tuple[str, bytes]:
        self.made.append((photo, size))
        content = photo if isinstance(photo, bytes) else photo.read_bytes()
        return digest_of(content), f"{size} of {digest_of(content)}".encode()

    def get(
        self,
        name: str = "cat.png",
        size: web.ThumbnailSize = "256",
        version: str = "",
    ) -> Response:
        respond = self.thumbnails.respond
        return asyncio.run(respond(name, size, version, ""))


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def thumbs(world: World, tmp_path: Path) -> Thumbs:
    return Thumbs(world, tmp_path / "thumbs")


def test_a_thumbnail_is_made_of_one_look_into_the_bucket(
    world: World, thumbs: Thumbs
) -> None:
    """The photo is fetched once, whole, and no more once it is made."""
    cat = CAT.read_bytes()
    version = version_of(digest_of(cat))
    for asked in ("", version, "0" * 16):
        answer = thumbs.get(version=asked)
        assert answer.body == f"256 of {digest_of(cat)}".encode()
        assert answer.headers["etag"] == f'"{version}-256"'
    assert thumbs.get(version=version).headers["cache-control"] == IMMUTABLE
    assert thumbs.made == [(cat, 256)]
    assert [one.sent for one in world.door.finished()] == [0, len(cat)]


def test_a_smaller_one_is_made_of_a_larger_one(
    world: World, thumbs: Thumbs
) -> None:
    """The bucket need not be asked for all of a photo, nor even whether it is there."""
    version = version_of(thumbs.digests["cat.png"])
    thumbs.cache.put(version, 512, b"made before")
    answer = thumbs.get(size="256")
    assert answer.body == f"256 of {digest_of(b'made before')}".encode()
    assert answer.headers["etag"] == f'"{version}-256"'
    assert thumbs.get(size="512").body == b"made before"
    assert world.door.asked == []
    thumbs.get(size="1024")
    assert [size for _, size in thumbs.made] == [256, 1024]
    assert thumbs.made[1][0] == CAT.read_bytes()


@pytest.mark.parametrize("version", ["", "0" * 16])
def test_what_is_not_in_the_index_has_no_thumbnail(
    world: World, thumbs: Thumbs, version: str
) -> None:
    """The bucket is not asked, whatever was made before; nor is it for what is no photo."""
    world.remote.put("new.png", CAT.read_bytes())
    world.remote.put("left out/a.jpg", CAT.read_bytes())
    known = version_of(digest_of(CAT.read_bytes()))
    thumbs.cache.put(known, 256, b"made before")
    no_photos = ["left out/a.jpg", "page.html", ".hidden.jpg", "../cat.png"]
    thumbs.digests |= dict.fromkeys(no_photos, digest_of(CAT.read_bytes()))
    for name in ("new.png", *no_photos):
        with pytest.raises(HTTPException) as refused:
            thumbs.get(name, version=version or known)
        assert refused.value.status_code == 404
    assert (thumbs.made, world.door.asked) == ([], [])


def test_a_photo_that_has_gone_has_no_new_thumbnail(
    world: World, thumbs: Thumbs
) -> None:
    """As long as the index does not know of it: 404."""
    world.door.before_get = lambda _: world.remote.delete("cat.png")
    for _ in range(2):
        with pytest.raises(HTTPException) as refused:
            thumbs.get()
        assert refused.value.status_code == 404
    assert thumbs.made == []


def test_a_thumbnail_of_a_bucket_that_is_away_is_put_off(
    world: World, thumbs: Thumbs
) -> None:
    """What was made before comes; for another one the bucket is said to be away."""
    thumbs.get(size="256")
    world.door.is_away = True
    assert thumbs.get(size="256").status_code == 200
    with pytest.raises(BucketError):
        thumbs.get(size="512")


def test_what_grew_too_large_is_not_fetched(
    world: World, thumbs: Thumbs
) -> None:
    """A photo that would not be read by the index does not come to a decoder."""
    world.door.tells = MOST_BYTES + 1
    with pytest.raises(PhotoError, match="larger than"):
        thumbs.get()
    assert world.door.gets() == []


def test_a_slow_bucket_keeps_no_other_thumbnail_waiting(
    world: World, thumbs: Thumbs, folder: Path
) -> None:
    """Those of a folder are made meanwhile, and those that were made before come."""
    world.door.before_get = lambda _: world.door.go_on.wait(60)
    world.files.place = "far"
    near = photo_files(folder)
    near.place = "near"
    thumbs.thumbnails.files = PlaceFiles([world.files, near])
    digest = thumbs.digests["cat.png"]
    names = ["far/cat.png", "far/known.png", "near/cat.png"]
    thumbs.digests |= dict.fromkeys(names, digest)
    respond = thumbs.thumbnails.respond

    async def ask_for_all() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(respond("far/cat.png", "256", "", ""))
                group.create_task(respond("far/cat.png", "full", "", ""))
            while len(world.door.gets()) < MOST_HELD + MOST_HELD_WHOLE:
                await asyncio.sleep(0.01)
            thumbs.cache.put(version_of(digest), 512, b"made before")
            known = await respond("far/known.png", "512", "", "")
            assert known.body == b"made before"
            made = await respond("near/cat.png", "1024", "", "")
            assert made.body == f"1024 of {digest}".encode()
            world.door.go_on.set()

    asyncio.run(ask_for_all())


def test_whole_photos_keep_no_small_one_waiting(
    world: World, thumbs: Thumbs
) -> None:
    """However many are fetched at once for copies in full size, or are large."""
    small_is_made = threading.Event()
    for name in ("whole.png", "large.png"):
        thumbs.digests[name] = thumbs.digests["cat.png"]
        world.remote.put(name, CAT.read_bytes())
    world.put_large("large.png", LARGE // MIB + 1)

    def hold_others(asked: Asked) -> None:
        if not asked.path.endswith("cat.png"):
            assert small_is_made.wait(30)

    world.door.before_get = hold_others
    respond = thumbs.thumbnails.respond

    async def ask_for_all() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(respond("whole.png", "full", "", ""))
                group.create_task(respond("large.png", "256", "", ""))
            while len(world.door.gets()) < 3:
                await asyncio.sleep(0.01)
            await respond("cat.png", "256", "", "")
            # Of the large ones one is held, of the whole ones two.
            assert len(world.door.gets()) == 4
            small_is_made.set()

    asyncio.run(ask_for_all())


# --- Archives, and what is known of a photo -------------------------------------------


@pytest.fixture
def client(world: World) -> TestClient:
    store = MemoryStore()
    store.put("cat.png")
    app = FastAPI()
    refusals.install(app)
    app.include_router(archive.router)
    app.include_router(photo_record.router)
    app.state.thumbnails = SimpleNamespace(files=world.places)
    app.state.status_board = StatusBoard(store, EQUIPMENT)
    return TestClient(app)


def ask_for_archive(client: TestClient, *names: str) -> Any:
    form = {"names": json.dumps(names)}
    return client.post("/archive", data=form)


@of_each_cloud
def test_an_archive_holds_photos_of_a_bucket(
    world: World, client: TestClient
) -> None:
    """As they are, with their dates, as long as was said; those that are not are named."""
    large = world.put_large("trips/large.jpg", 5)
    names = ["cat.png", "trips/large.jpg", "no.jpg", "left out/a.jpg"]
    answer = ask_for_archive(client, *names)
    assert answer.headers["content-length"] == str(len(answer.content))
    with ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        assert found.read("cat.png") == CAT.read_bytes()
        assert found.read("trips/large.jpg") == large
        assert b"no.jpg\nleft out/a.jpg" in found.read(archive.MISSING)
        year = found.getinfo("cat.png").date_time[0]
    assert abs(year - time.localtime().tm_year) <= 1


def test_many_are_looked_up_together(world: World) -> None:
    """Some at a time: no more, that others come to the bucket too."""
    waiting = threading.Semaphore(0)
    at_once = 0
    most = 0
    lock = threading.Lock()

    def count(_: Asked) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if at_once < LOOKED_UP_AT_ONCE:
            waiting.acquire(timeout=0.3)
        with lock:
            at_once -= 1

    world.door.before_head = count
    names = [f"{number}.jpg" for number in range(40)]
    found = asyncio.run(world.places.look_up_all([*names, "cat.png"]))
    assert [*found] == [*names, "cat.png"]
    assert [name for name, photo in found.items() if photo] == ["cat.png"]
    assert most == LOOKED_UP_AT_ONCE


@pytest.mark.parametrize(
    "becomes", [None, b"", b"another", CAT.read_bytes()[:-1] + b"x"]
)
def test_a_broken_archive_never_looks_whole(
    world: World, becomes: bytes | None
) -> None:
    """A photo that goes or changes while others are packed ends it where it is."""
    world.remote.put("last.png", CAT.read_bytes())
    made = asyncio.run(Archive.of(world.places, ["cat.png", "last.png"]))
    sent: list[bytes] = []

    async def send() -> None:
        async for part in made.stream():
            if not sent and becomes is None:
                world.remote.delete("last.png")
            elif not sent and becomes is not None:
                world.remote.put("last.png", becomes)
            sent.append(part)

    with pytest.raises(BrokenOff, match=r"last\.png"):
        asyncio.run(send())
    assert len(b"".join(sent)) < len(made)


def test_no_archive_is_made_of_what_can_not_be_asked(
    world: World, client: TestClient
) -> None:
    """A bucket that is away is said to be; its photos are not said to be missing."""
    world.door.is_away = True
    answer = ask_for_archive(client, "cat.png", "no.jpg")
    assert answer.status_code == 503
    assert world.remote.name in answer.json()["detail"]


def test_a_record_tells_the_size_if_it_can(
    world: World, client: TestClient
) -> None:
    """Of an object; what the index knows is told while the bucket is away."""
    told = client.get("/photo/cat.png").json()
    assert told["file_bytes"] == CAT.stat().st_size
    world.door.is_away = True
    told = client.get("/photo/cat.png").json()
    assert (told["filename"], told["file_bytes"]) == ("cat.png", None)


def test_a_photo_may_be_in_a_bucket_that_is_away(
    world: World, client: TestClient
) -> None:
    """While photos are being indexed nobody knows; then the index does."""
    board = client.app.state.status_board  # type: ignore[attr-defined]
    world.door.is_away = True
    assert client.get("/photo/new.png").status_code == 503
    board.progress_of().is_ready = True
    assert client.get("/photo/new.png").status_code == 404
