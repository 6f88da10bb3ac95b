"""What comes and goes over HTTP: photos that are sent, photo files and thumbnails, and no more."""

import asyncio
import contextlib
import hashlib
import resource
import selectors
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.types import ASGIApp, Message

from image_search import web
from image_search.photos import PHOTO_FORMATS, PhotoError
from image_search.settings import StartupError
from image_search.sources import PhotoFolder
from image_search.thumbnails import ThumbnailCache, version_of
from image_search.workers import WorkerError
from tests.harness import PHOTOS

CAT = PHOTOS / "cat.png"
IMMUTABLE = "max-age=31536000, immutable"
NO_CACHE = "no-cache"


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
    error = StartupError(
        "IMAGE_DIR=/x is not a folder: set it to your photos'."
    )
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


class VirtualSelector(selectors.SelectSelector):
    """Waits no time at all, but tells how long it would have waited."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if not events and timeout:
            self.waited += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which a minute takes no time, where nobody else is waited for."""

    def __init__(self) -> None:
        self._waiting = VirtualSelector()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.waited


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


# --- Photo files --------------------------------------------------------------------

ODD_NAMES = [
    "a#b&c?d%20e.jpg",
    'it\'s "quoted".png',
    "new\nline.jpg",
    "emoji \U0001f431.webp",
    "back\\slash.jpg",
    "-rf.jpg",
    "deep/down/a.JPG",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photos and other things, beside what is none of its business."""
    folder = tmp_path / "img"
    (folder / ".thumbs").mkdir(parents=True)
    for name in (
        "cat.png",
        ".hidden.jpg",
        ".thumbs/a.jpg",
        "blob",
        "../secret.jpg",
    ):
        shutil.copy(CAT, folder / name)
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "script.jpg").write_text("<script>alert(1)</script>")
    (folder / "folder.jpg").mkdir()
    links = {
        "link.jpg": "cat.png",
        "hidden.jpg": ".hidden.jpg",
        "blob.jpg": "blob",
        "page.png": "page.html",
        "secret.jpg": "../secret.jpg",
        "no photo.txt": "cat.png",
        ".cat.png": "cat.png",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return folder


def photo_files(folder: Path, *, is_private: bool = False) -> web.PhotoFiles:
    leads_to_photo = PhotoFolder(folder).leads_to_photo
    return web.PhotoFiles(folder, leads_to_photo, is_private=is_private)


def get(files: web.PhotoFiles, path: str, **headers: str) -> httpx.Response:
    """The answer of an app that serves these files under /img."""
    web.accept_any_path()
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


@pytest.mark.parametrize("suffix", PHOTO_FORMATS)
def test_a_photo_is_sent_as_one(folder: Path, suffix: str) -> None:
    """Its type is that of its name, so that no browser runs HTML by a photo's name."""
    shutil.copy(folder / "script.jpg", folder / f"a{suffix}")
    kind = get(photo_files(folder), f"a{suffix}").headers["content-type"]
    assert kind.startswith("image/")


def shown(name: str) -> str:
    """A name as the list of tests has it."""
    return ascii(name)[:40]


NO_PHOTOS = [
    "no.jpg",
    "",
    "page.html",
    "page.png",
    "blob",
    "blob.jpg",
    "folder.jpg",
    ".hidden.jpg",
    "hidden.jpg",
    ".thumbs/a.jpg",
    "secret.jpg",
    "no photo.txt",
    ".cat.png",
    "../secret.jpg",
    "deep/../../secret.jpg",
    "/etc/passwd",
    "cat.png/x.jpg",
    "a\0.jpg",
    300 * "a" + ".jpg",
    2500 * "a/" + "x.jpg",
    "\udcff.jpg",
]


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
    with_version = get(files, "cat.png?v=0123456789abcdef")
    without = get(files, "cat.png")
    assert with_version.headers["cache-control"] == (
        f"{caches}max-age=31536000, immutable"
    )
    assert without.headers["cache-control"] == f"{caches}no-cache"


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


# --- Thumbnails ---------------------------------------------------------------------


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
            photo_files(folder, is_private=is_private),
            self.cache,
            self.make,
            self.digests.get,
        )

    def make(self, photo: Path, size: int) -> tuple[str, bytes]:
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
        return self.thumbnails.answer(name, size, version, known)


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


# --- Many connections ---------------------------------------------------------------


@pytest.fixture
def file_limit() -> Iterator[tuple[int, int]]:
    """The numbers of files that this process may have open, now and at most."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield limits
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_many_may_connect(file_limit: tuple[int, int]) -> None:
    """The number of open files is raised as far as it goes, and never lowered."""
    most = file_limit[1]
    for now in (256, min(20_000, most)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
        web.allow_many_connections()
        raised, still = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert still == most
        assert raised == max(now, min(10_000, most))
