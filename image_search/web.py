"""What comes and goes over HTTP: photos that are sent, and thumbnails."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal, NamedTuple

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException, Request
from sse_starlette.sse import AppStatus
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_search.photos import FULL_SIZE
from image_search.place_files import PlaceFiles
from image_search.reasons import PhotoError
from image_search.served_photos import ForDecoder
from image_search.settings import StartupError
from image_search.thumbnails import SMALL_SIDE, ThumbnailCache, version_of

UPLOAD_BYTES = 64 * 2**20
UPLOAD_SECONDS = 60
IMAGE_SCHEMA = {"type": "string", "format": "binary"}
FORM_SCHEMA = {
    "type": "object",
    "properties": {"image": IMAGE_SCHEMA},
    "required": ["image"],
}
UPLOAD_BODY = {  # for the OpenAPI document
    "content": {
        "multipart/form-data": {"schema": FORM_SCHEMA},
        "image/*": {"schema": IMAGE_SCHEMA},
    }
}
# What gains nothing by it, and events, which have to come at once.
NOT_COMPRESSED = "image/*", "application/zip", "text/event-stream"
LAST_SLOT_SECONDS = 5
THUMBNAIL_THREADS = 8
LARGE_THREADS = 2  # a whole photo takes seconds, and a decoder
# Pixels on the longer side; `full` is as large as browsers show a picture.
ThumbnailSize = Literal["256", "512", "1024", "2048", "full"]
SIDES = 256, 512, 1024, 2048


class AnyPath(PathConvertor):
    """A path with any character: photos' names may have line breaks."""

    regex = r"[\s\S]*"


def accept_any_path() -> None:
    """Let `{filename:path}` in routes and mounts stand for any name of a photo."""
    register_url_convertor("path", AnyPath())


class StartupErrorMiddleware:
    """Lets the server log a StartupError as its sentence, not as a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        failure: Message | None = None

        async def hold_failure_back(message: Message) -> None:
            nonlocal failure
            if message["type"] == "lifespan.startup.failed":
                failure = message
            else:
                await send(message)

        try:
            await self.app(scope, receive, hold_failure_back)
        except BaseException as error:
            if failure is not None:
                if isinstance(error, StartupError):
                    failure["message"] = str(error)
                await send(failure)
            raise


class Uploads:
    """Photos that are sent: a few at a time, and none for long.

    One slot is for fast ones: a slow client gets 5 s in it.
    """

    def __init__(self, slots: int = 4) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._arriving: set[asyncio.Timeout] = set()
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """The photo that a request carries; its slot is held until it is done with."""
        if self._slots.locked():
            raise HTTPException(
                429, "Too many photos are being sent.", {"Retry-After": "1"}
            )
        self._check_open()
        async with self._slots:
            seconds = (
                LAST_SLOT_SECONDS if self._slots.locked() else UPLOAD_SECONDS
            )
            yield await self._arrival(request, seconds)

    def close(self) -> None:
        """Wait for no photo any longer: the app is being stopped."""
        self._is_closed = True
        for limit in self._arriving:
            if not limit.expired():
                limit.reschedule(0)  # that is, now

    def _check_open(self) -> None:
        if self._is_closed:
            retry = {"Retry-After": "5"}
            raise HTTPException(503, "The app is being stopped.", retry)

    async def _arrival(self, request: Request, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds) as limit:
                self._arriving.add(limit)
                try:
                    return await _photo_in(request)
                finally:
                    self._arriving.discard(limit)
        except TimeoutError:
            self._check_open()
            raise HTTPException(
                408, "The photo took too long to arrive."
            ) from None
        except (ClientDisconnect, UnicodeError) as error:
            raise HTTPException(
                400, f"The photo did not arrive: {error!r}."
            ) from None


async def _photo_in(request: Request) -> bytes:
    """The form field `image`, or the body itself."""
    if {"content-length", "transfer-encoding"} <= {*request.headers}:
        raise HTTPException(
            400, "Its length is told in two ways, which may differ."
        )
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile) or len(form) > 1:
            raise HTTPException(
                422,
                "The form has to have one field, the file `image`; put every other"
                " parameter in the query string.",
            )
        return await image.read()


class MadeBefore(NamedTuple):
    """What there is of a photo without a look into it."""

    version: str  # of what is in it
    content: bytes | None  # the thumbnail
    larger: Path | None = None  # one of which it can be made


class Thumbnails:
    """Answers with small copies of photos, made if need be."""

    def __init__(
        self,
        files: PlaceFiles,
        cache: ThumbnailCache,
        make: Callable[[ForDecoder, int], tuple[str, bytes]],
        digest_of: Callable[[str], str | None],
    ) -> None:
        """`make`: a photo's SHA-256 and small copy, from its file and a size.

        `digest_of`: the SHA-256 of a photo of that name that is in the index and can
        be read, so that nothing else ever comes to a decoder.
        """
        self.files = files
        self.cache = cache
        self.make = make
        self.digest_of = digest_of
        # Slow ones leave the threads of others alone, and what was made before
        # waits for nothing that is being made.
        self._looks = CapacityLimiter(THUMBNAIL_THREADS)
        self._slots = CapacityLimiter(THUMBNAIL_THREADS)
        self._large_slots = CapacityLimiter(LARGE_THREADS)

    async def respond(
        self, filename: str, size: ThumbnailSize, version: str, known: str
    ) -> Response:
        """A small copy of a photo; with its `version` given, browsers keep it for good.

        `known`: the If-None-Match header of the request.
        """
        side = FULL_SIZE if size == "full" else int(size)
        look = functools.partial(to_thread.run_sync, limiter=self._looks)
        found = await look(self._find, filename, side, version)
        current, content = found.version, found.content
        if content is None:
            current, content = await self._make(filename, side, found)
        headers = {
            "ETag": f'"{current}-{side}"',
            "Cache-Control": self.files.cache_control(
                filename, has_version=version == current
            ),
        }
        if headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="image/jpeg", headers=headers)

    def _find(self, filename: str, size: int, version: str) -> MadeBefore:
        """Look for one that was made before; raises a 404."""
        is_there = self.files.see(filename)
        if is_there and version:
            content = self._read(version, size)
            if content is not None:
                return MadeBefore(version, content)
        digest = self.digest_of(filename)
        if digest is None:
            raise HTTPException(404, f"No photo {filename} is in the index.")
        current = version_of(digest)
        content = self._read(current, size)
        # Of a file that is at hand a copy is made itself: it comes out sharper.
        larger = None if is_there else self._larger(current, size)
        return MadeBefore(current, content, larger)

    def _larger(self, version: str, size: int) -> Path | None:
        """A copy with more pixels, of those that were made before."""
        sizes = (side for side in SIDES if side > size)
        made = (self.cache.find(version, side) for side in sizes)
        return next(filter(None, made), None)

    def _read(self, version: str, size: int) -> bytes | None:
        """A thumbnail that was made before."""
        with contextlib.suppress(FileNotFoundError):
            return self.cache.path(version, size).read_bytes()
        return None

    async def _make(
        self, filename: str, size: int, found: MadeBefore
    ) -> tuple[str, bytes]:
        """A new thumbnail, and the version of what it shows."""
        is_whole = size > SMALL_SIDE
        slots = self._large_slots if is_whole else self._slots
        make = functools.partial(to_thread.run_sync, limiter=slots)
        if found.larger:
            with contextlib.suppress(PhotoError):  # it has just been deleted
                return await make(
                    self._make_of, found.larger, size, found.version
                )
        async with self.files.for_decoder(filename, is_whole=is_whole) as photo:
            return await make(self._make_of, photo, size)

    def _make_of(
        self, photo: ForDecoder, size: int, version: str = ""
    ) -> tuple[str, bytes]:
        """`version`: of the photo, where what is given is a copy of it."""
        digest, content = self.make(photo, size)
        version = version or version_of(digest)
        self.cache.put(version, size, content)
        return version, content


def end_streams_by_ourselves() -> None:
    """Keep sse-starlette from cutting streams off when uvicorn stops.

    uvicorn would complain of each, as of an answer that is not complete.
    """
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
