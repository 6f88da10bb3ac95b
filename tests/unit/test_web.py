"""What comes and goes over HTTP: photos that are sent, photo files and thumbnails, and no more."""

import asyncio
import contextlib
import hashlib
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.types import ASGIApp, Message

from image_search import web
from image_search.photos import FULL_SIZE
from image_search.place_files import PlaceFiles
from image_search.reasons import PhotoError
from image_search.served_photos import ForDecoder
from image_search.settings import StartupError
from image_search.thumbnails import ThumbnailCache, version_of
from image_search.workers import WorkerError
from tests.harness import PHOTOS
from tests.unit.photo_folder import (
    CAT,
    IMMUTABLE,
    NO_CACHE,
    NO_PHOTOS,
    photo_files,
    shown,
)
from tests.unit.virtual_time import VirtualLoop

# --- A start that fails -------------------------------------------------------------


def start(app: ASGIApp) -> tuple[list[Message], BaseException | None]:
    """Start an app and stop it, as a server does: what it says, and what it raises."""
    asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    said: list[Message] = []

    async def receive() -> Message:
        return next(asked)

    async def send(message: Message) -> None:
        said.append(message)

    async def run() -> BaseException | None:
        try:
            await web.StartupErrorMiddleware(app)(
                {"type": "lifespan"}, receive, send
            )
        except BaseException as error:  # noqa: BLE001, whatever it is
            return error
        return None

    return said, asyncio.run(run())


def app_that_raises(error: Exception | None) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if error is not None:
            raise error
        yield

    return FastAPI(lifespan=lifespan)


def test_a_startup_error_is_a_sentence() -> None:
    """What keeps the app from starting is told to the server as one sentence."""
    error = StartupError("IMAGE_DIR=/x is no folder: name that of your photos.")
    said, raised = start(app_that_raises(error))
    assert raised is error
    assert said == [
        {"type": "lifespan.startup.failed", "message": error.message}
    ]


def test_another_error_keeps_its_traceback() -> None:
    """An error that nobody expected is told with the place where it happened."""
    said, raised = start(app_that_raises(ValueError("a bug")))
    assert isinstance(raised, ValueError)
    [failed] = said
    assert failed["type"] == "lifespan.startup.failed"
    assert "Traceback" in failed["message"]
    assert "ValueError: a bug" in failed["message"]


def test_a_start_that_goes_well_is_told() -> None:
    """The other messages between app and server are not touched."""
    said, raised = start(app_that_raises(None))
    assert raised is None
    kinds = [message["type"] for message in said]
    assert kinds == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# --- Photos that are sent -----------------------------------------------------------


Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


class UploadApp:
    """An app that takes photos; it works on one until it is told to be done."""

    def __init__(self, slots: int = 4) -> None:
        self.uploads = web.Uploads(slots)
        self.may_finish = True
        self.received: list[bytes] = []
        self.app = FastAPI()
        self.app.post("/")(self.receive)

    async def receive(self, request: Request) -> str:
        async with self.uploads.receive(request) as photo:
            self.received.append(photo)
            while not self.may_finish:
                await asyncio.sleep(0)
        return "done"

    def run(self, scenario: Scenario) -> None:
        """Run a scenario with a client; on its clock minutes pass at once."""

        async def with_client() -> None:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                await scenario(client)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(with_client())

    def answer(self, **sent: Any) -> httpx.Response:
        """The answer to one request."""
        answers: list[httpx.Response] = []

        async def send(client: httpx.AsyncClient) -> None:
            answers.append(await client.post("/", **sent))

        self.run(send)
        return answers[0]


async def never_ending() -> AsyncIterator[bytes]:
    """A photo that comes by drops, one in a while, and never to its end."""
    while True:
        yield b"x"
        await asyncio.sleep(1)


async def until(condition: Callable[[], Any]) -> None:
    """Let others go on until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


FORM = {"image": ("some name", b"a photo")}
# What --data-binary says.
CURL = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "sent",
    [
        {"content": b"a photo"},
        {"content": b"a photo", "headers": CURL},
        {"content": b"a photo", "headers": {"Content-Type": "image/jpeg"}},
        {"files": FORM},
    ],
)
def test_a_photo_may_be_sent_in_any_way(sent: dict[str, Any]) -> None:
    """As the body itself, whatever it says of its type, or as the form field `image`."""
    app = UploadApp()
    assert app.answer(**sent).status_code == 200
    assert app.received == [b"a photo"]


@pytest.mark.parametrize(
    "form",
    [
        {"files": {"photo": b"x"}},
        {"files": FORM, "data": {"q": "dog"}},
        {"files": {"other": (None, b"x")}},
        {"files": {"image": (None, b"no file")}},
    ],
)
def test_another_form_is_refused(form: dict[str, Any]) -> None:
    """A form without the file `image`, or with more, gets 422 and is told how to send it."""
    app = UploadApp()
    answer = app.answer(**form)
    assert answer.status_code == 422
    assert "`image`" in answer.json()["detail"]
    assert "query string" in answer.json()["detail"]
    assert app.received == []


def test_a_type_is_known_in_any_case() -> None:
    """A form is a form however its type is spelled."""
    parts = httpx.Request("POST", "http://localhost/", files=FORM)
    kind = parts.headers["content-type"].replace(
        "multipart/form", "Multipart/Form"
    )
    app = UploadApp()
    app.answer(content=parts.read(), headers={"Content-Type": kind})
    assert app.received == [b"a photo"]


def test_two_photos_are_one_too_many() -> None:
    """A form with two files is refused."""
    files = [("image", b"one"), ("image", b"two")]
    assert UploadApp().answer(files=files).status_code == 400


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=x; charset=undefined",
        "multipart/form-data; boundary=x; charset=no-such",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
    ],
)
def test_a_form_that_is_none_is_refused(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What can't be read as a form gets an answer of its own, not a failure nor a line of log."""
    for content in (b"x", b"--x\r\n:::\r\n\r\n", b"--x--\r\nand more"):
        answer = UploadApp().answer(
            content=content, headers={"Content-Type": kind}
        )
        assert answer.status_code in {400, 422}
    assert not [one for one in caplog.records if "multipart" in one.name]


def test_a_length_told_in_two_ways_is_refused() -> None:
    """Where one proxy may believe one and the next the other, nothing is read at all."""
    app = UploadApp()
    headers = {"Content-Length": "3", "Transfer-Encoding": "chunked"}
    assert app.answer(content=b"abc", headers=headers).status_code == 400
    assert app.received == []


def test_too_many_at_once_are_put_off() -> None:
    """With every slot taken a photo gets 429 and when to come back; then it is taken."""
    app = UploadApp(slots=2)
    app.may_finish = False

    async def scenario(client: httpx.AsyncClient) -> None:
        taken = [
            asyncio.create_task(client.post("/", content=b"x"))
            for _ in range(2)
        ]
        await until(lambda: len(app.received) == 2)  # and are being worked on
        for _ in range(3):
            answer = await client.post("/", content=b"x")
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "1"
        app.may_finish = True
        for one in taken:
            assert (await one).status_code == 200
        assert (await client.post("/", content=b"x")).status_code == 200

    app.run(scenario)


def test_the_last_slot_is_for_fast_ones() -> None:
    """Of slow photos the one that takes the last slot is given up first: others wait 5 s."""
    app = UploadApp(slots=4)

    async def scenario(client: httpx.AsyncClient) -> None:
        clock = asyncio.get_running_loop().time

        async def send() -> tuple[int, float]:
            """The status of a slow photo, and after how long it came."""
            began = clock()
            answer = await client.post("/", content=never_ending())
            return answer.status_code, clock() - began

        *first, last = [asyncio.create_task(send()) for _ in range(4)]
        status, seconds = await last
        assert (status, round(seconds)) == (408, 5)
        assert not any(one.done() for one in first)
        fast = await client.post("/", content=b"x")
        assert fast.status_code == 200
        for one in first:
            status, seconds = await one
            assert (status, round(seconds)) == (408, 60)

    app.run(scenario)


def test_a_refused_photo_leaves_its_slot() -> None:
    """Whatever becomes of a photo, its slot is free for the next."""
    app = UploadApp(slots=1)
    for _ in range(3):
        assert app.answer(files={"photo": b"x"}).status_code == 422
        assert app.answer(content=never_ending()).status_code == 408
        assert app.answer(content=b"x").status_code == 200


def test_at_a_stop_no_photo_is_waited_for() -> None:
    """Who is sending then gets 503 at once, and so does who comes later."""
    app = UploadApp()

    async def scenario(client: httpx.AsyncClient) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        sending = [
            asyncio.create_task(client.post("/", content=never_ending()))
            for _ in range(3)
        ]
        await asyncio.sleep(2)
        app.uploads.close()
        answers = [await one for one in sending]
        answers.append(await client.post("/", content=b"x"))
        assert {answer.status_code for answer in answers} == {503}
        assert "being stopped" in answers[0].json()["detail"]
        assert clock() - began < 3

    app.run(scenario)


def test_a_sender_that_hangs_up_is_no_failure() -> None:
    """A photo that breaks off is a bad request, not an error of ours."""
    uploads = web.Uploads()
    messages: Iterator[Message] = iter(
        [
            {"type": "http.request", "body": b"x", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Message:
        return next(messages)

    async def run() -> None:
        request = Request({"type": "http", "headers": []}, receive)
        async with uploads.receive(request):
            pytest.fail("there is no photo")

    with pytest.raises(HTTPException) as refused:
        asyncio.run(run())
    assert refused.value.status_code == 400
    assert "did not arrive" in refused.value.detail


# --- Thumbnails ---------------------------------------------------------------------


SIZES: dict[int, web.ThumbnailSize] = {256: "256", 512: "512"}


class ThumbnailWorld:
    """Thumbnails of a folder whose photos are all in the index, and the decoder's visits."""

    def __init__(
        self, folder: Path, cache: Path, *, is_private: bool = False
    ) -> None:
        self.made: list[tuple[Path, int]] = []
        self.failure: Exception | None = None
        self.folder = folder
        self.digests = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("cat.png", "script.jpg")
        }
        self.cache = ThumbnailCache(cache)
        self.thumbnails = web.Thumbnails(
            PlaceFiles([photo_files(folder, is_private=is_private)]),
            self.cache,
            self.make,
            self.digests.get,
        )

    def make(self, photo: ForDecoder, size: int) -> tuple[str, bytes]:
        assert isinstance(photo, Path)
        self.made.append((photo, size))
        if self.failure:
            raise self.failure
        content = photo.read_bytes()
        return hashlib.sha256(content).hexdigest(), small(content, size)

    def version(self, name: str = "cat.png") -> str:
        return version_of(self.digests[name])

    def get(
        self,
        name: str = "cat.png",
        size: int = 256,
        version: str = "",
        known: str = "",
    ) -> Response:
        respond = self.thumbnails.respond
        return asyncio.run(respond(name, SIZES[size], version, known))


def small(content: bytes, size: int) -> bytes:
    """What stands for a small copy of a photo."""
    return f"{size} pixels of {hashlib.sha256(content).hexdigest()}".encode()


@pytest.fixture
def world(folder: Path, tmp_path: Path) -> ThumbnailWorld:
    return ThumbnailWorld(folder, tmp_path / "thumbs")


def test_a_thumbnail_is_made_once_and_kept(world: ThumbnailWorld) -> None:
    """Each size of a photo comes to the decoder once, whoever asks for it, and how."""
    cat = CAT.read_bytes()
    for size in (256, 512):
        for version in ("", world.version(), "0" * 16):
            answer = world.get(size=size, version=version)
            assert (answer.status_code, answer.body) == (200, small(cat, size))
            assert answer.media_type == "image/jpeg"
    assert world.made == [
        (world.folder / "cat.png", size) for size in (256, 512)
    ]


@pytest.mark.parametrize(
    ("size", "side"),
    [("256", 256), ("1024", 1024), ("2048", 2048), ("full", FULL_SIZE)],
)
def test_a_thumbnail_has_the_size_that_is_asked_for(
    world: ThumbnailWorld, size: web.ThumbnailSize, side: int
) -> None:
    """Each size by its number, and `full`, which is as large as browsers show."""
    asyncio.run(world.thumbnails.respond("cat.png", size, "", ""))
    assert [made for _, made in world.made] == [side]


def test_whole_photos_keep_no_small_one_waiting(world: ThumbnailWorld) -> None:
    """However many are asked for at once in full size, small ones are made meanwhile."""
    small_is_made = threading.Event()
    make = world.thumbnails.make

    def make_large_later(photo: ForDecoder, size: int) -> tuple[str, bytes]:
        if size > 1024:
            assert small_is_made.wait(10)
        return make(photo, size)

    world.thumbnails.make = make_large_later

    async def ask_for_all() -> None:
        respond = world.thumbnails.respond
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(respond("cat.png", "full", "", ""))
            await asyncio.sleep(0)
            await respond("cat.png", "256", "", "")
            small_is_made.set()

    asyncio.run(ask_for_all())


def test_a_thumbnail_made_with_the_index_costs_nothing(
    world: ThumbnailWorld,
) -> None:
    """What was put into the cache when the photo was indexed is what is sent."""
    world.cache.put(world.version(), 512, b"made before")
    assert world.get(size=512).body == b"made before"
    assert world.made == []


def test_thumbnails_say_how_long_they_keep(world: ThumbnailWorld) -> None:
    """With the right version they are kept for good; without, or with a stale one, asked for."""
    for _ in range(2):  # made, and made before
        right = world.get(version=world.version())
        assert right.headers["cache-control"] == IMMUTABLE
        for version in ("", "0" * 16):
            answer = world.get(version=version)
            assert answer.headers["cache-control"] == NO_CACHE
            assert answer.headers["etag"] == right.headers["etag"]


def test_a_private_thumbnail_stays_with_the_browser(
    folder: Path, tmp_path: Path
) -> None:
    """Where there is a password no proxy on the way may keep a thumbnail."""
    world = ThumbnailWorld(folder, tmp_path / "thumbs", is_private=True)
    for version in ("", world.version()):
        answer = world.get(version=version)
        assert answer.headers["cache-control"].startswith("private, ")


def test_a_thumbnail_that_is_known_is_not_sent_again(
    world: ThumbnailWorld,
) -> None:
    """A browser that has a thumbnail is told so, for each size by itself."""
    etag = world.get().headers["etag"]
    for known in (etag, f'"other", W/{etag}'):
        answer = world.get(known=known)
        assert (answer.status_code, answer.body) == (304, b"")
        assert answer.headers["etag"] == etag
        assert answer.headers["cache-control"] == NO_CACHE
    assert world.get(size=512, known=etag).status_code == 200
    assert world.get(known='"other"').status_code == 200


def test_a_photo_that_changed_has_another_thumbnail(
    world: ThumbnailWorld,
) -> None:
    """Once the index knows what is in the file now, what a browser has of it is stale."""
    before = world.get()
    shutil.copy(PHOTOS / "rocket.jpg", world.folder / "cat.png")
    rocket = (PHOTOS / "rocket.jpg").read_bytes()
    world.digests["cat.png"] = hashlib.sha256(rocket).hexdigest()
    after = world.get(known=before.headers["etag"])
    assert (after.status_code, after.body) == (200, small(rocket, 256))


def test_a_thumbnail_goes_by_what_is_in_the_file(world: ThumbnailWorld) -> None:
    """One made of a file that the index has not seen yet is kept under its own version."""
    stale = world.version()
    shutil.copy(PHOTOS / "rocket.jpg", world.folder / "cat.png")
    answer = world.get(version=stale)
    assert answer.headers["cache-control"] == NO_CACHE
    assert stale not in answer.headers["etag"]
    assert world.cache.find(stale, 256) is None


@pytest.mark.parametrize("name", NO_PHOTOS, ids=shown)
@pytest.mark.parametrize("version", ["", "0" * 16])
def test_what_is_no_photo_never_comes_to_a_decoder(
    world: ThumbnailWorld, name: str, version: str
) -> None:
    """What the folder does not serve has no thumbnail, even if the index has such a name."""
    world.digests[name] = "0" * 64
    with pytest.raises(HTTPException) as refused:
        world.get(name, version=version)
    assert refused.value.status_code == 404
    assert world.made == []


@pytest.mark.parametrize("version", ["", "0" * 16])
def test_an_unknown_photo_never_comes_to_a_decoder(
    world: ThumbnailWorld, version: str
) -> None:
    """A photo of the folder that is not in the index, or can't be read, is a 404."""
    shutil.copy(CAT, world.folder / "new.png")
    with pytest.raises(
        HTTPException, match=r"No photo new\.png is in the index"
    ) as new:
        world.get("new.png", version=version)
    assert new.value.status_code == 404
    assert world.made == []


@pytest.mark.parametrize(
    "failure",
    [PhotoError("it is truncated"), WorkerError("it crashed the decoder")],
)
def test_a_photo_without_a_thumbnail_says_why(
    world: ThumbnailWorld, failure: Exception
) -> None:
    """What the decoder can't read is said as it says it, and nothing of it is kept."""
    world.failure = failure
    with pytest.raises(type(failure), match=str(failure)):
        world.get()
    assert not list(world.cache.folder.rglob("*.jpg"))
