"""The photos of a bucket over HTTP, and nothing else that may lie there.

They come through this app, not by signed addresses of the bucket's: so the password
holds, and the page needs to trust no other origin.
"""

import asyncio
import contextlib
import hashlib
import io
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

from image_search.bucket_errors import BucketError, ObjectChanged, ObjectMissing
from image_search.in_flight import LARGE, MOST_BYTES
from image_search.kinds import is_photo
from image_search.reasons import PhotoError
from image_search.remote_files import LONGEST_NAME, RemoteFile, RemoteFiles
from image_search.served_photos import (
    BrokenOff,
    ForDecoder,
    PartsResponse,
    ServedPhotos,
)
from image_search.spans import PhotoHead, Plan, Span
from image_search.thumbnails import version_of

LOOKING_THREADS = 16  # each of which waits for the bucket
# Photos that are held for decoders at a time, in memory.
MOST_HELD, MOST_HELD_WHOLE, MOST_HELD_LARGE = 8, 2, 1
TRIES = 3  # to send a photo that is replaced meanwhile
VERSIONS_KEPT = 10_000  # of objects whose content is known
Parts = AsyncGenerator[bytes]


@dataclass(frozen=True)
class BucketPhoto:
    """A photo of a bucket, as it was when it was looked up."""

    bucket: RemoteFiles
    file: RemoteFile

    @property
    def size(self) -> int:
        return self.file.size

    @property
    def modified(self) -> float:
        return self.file.modified

    async def parts(self, span: Span | None = None) -> Parts:
        """What is in it, or in a part of it; the bucket is asked for no byte more.

        A connection that ends, as it does where a client takes long, is taken up
        again where it ended. Raises BucketError, also if it has become another.
        """
        begin, end = (span.begin, span.end) if span else (0, self.size)
        while begin < end:
            came = 0
            try:
                async for part in self._stream(begin, end):
                    came += len(part)
                    yield part
            except (ObjectChanged, ObjectMissing):
                raise
            except BucketError:
                if not came:
                    raise
            else:
                if came != end - begin:
                    raise BucketError("it is not as long as it was said to be")
            begin += came

    def _stream(self, begin: int, end: int) -> AsyncIterator[bytes]:
        file = self.file
        return self.bucket.stream(file.name, begin, end, file.version)


class BucketFiles(ServedPhotos):
    """The photos of a bucket, and nothing else that may lie there, such as HTML."""

    def __init__(
        self,
        open_bucket: Callable[[], RemoteFiles],
        leaves_out: Callable[[str], bool],
        *,
        is_private: bool,
        place: str = "",
    ) -> None:
        """`leaves_out`: whether a rule leaves out a photo of such a name."""
        super().__init__(is_private=is_private, place=place)
        self.open_bucket = open_bucket
        self.leaves_out = leaves_out
        # A slow bucket leaves the threads of others alone.
        self._looking = CapacityLimiter(LOOKING_THREADS)
        self._held = asyncio.Semaphore(MOST_HELD)
        self._held_whole = asyncio.Semaphore(MOST_HELD_WHOLE)
        self._held_large = asyncio.Semaphore(MOST_HELD_LARGE)
        self._versions: OrderedDict[RemoteFile, str] = OrderedDict()

    def see(self, name: str) -> bool:
        """Look at the name of a photo alone; raises a 404 where it can be none."""
        if not self._is_ours(name):
            raise _no_photo(name)
        return False

    async def look_up(self, name: str) -> BucketPhoto | None:
        """The file of a photo, if there is one; raises BucketError."""
        if not self._is_ours(name):
            return None
        return await to_thread.run_sync(
            self._look_up, name, limiter=self._looking
        )

    def _look_up(self, name: str) -> BucketPhoto | None:
        bucket = self.open_bucket()
        file = bucket.look_up(name)
        return BucketPhoto(bucket, file) if file else None

    @contextlib.asynccontextmanager
    async def for_decoder(
        self, name: str, *, is_whole: bool
    ) -> AsyncIterator[ForDecoder]:
        """Hold what is in a photo; raises a 404, PhotoError, BucketError.

        Few are held at a time, and only one that is large.
        """
        photo = await self.look_up(name)
        if photo is None:
            raise _no_photo(name)
        if photo.size > MOST_BYTES:
            raise PhotoError(f"it is larger than {MOST_BYTES >> 20} MiB")
        held = self._held_whole if is_whole else self._held
        if photo.size > LARGE:
            held = self._held_large
        async with held:
            try:
                yield await _read(photo)
            except ObjectMissing:
                raise _no_photo(name) from None

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        for _ in range(TRIES):
            photo = await self.look_up(path)
            if photo is None:
                raise HTTPException(404)
            with contextlib.suppress(ObjectChanged, ObjectMissing):
                return await self._answer(photo, scope)
        retry = {"Retry-After": "1"}
        raise HTTPException(503, "This photo is being replaced.", retry)

    async def _answer(self, photo: BucketPhoto, scope: Scope) -> Response:
        """What to send; raises ObjectChanged or ObjectMissing if it is too late."""
        file = photo.file
        head = PhotoHead(file.name, file.size, file.modified, file.version)
        version = QueryParams(scope["query_string"]).get("v", "")
        known = self._versions.get(file, "")
        head.headers["Cache-Control"] = self.cache_control(
            has_version=bool(known) and known == version
        )
        if self.is_not_modified(head.headers, Headers(scope=scope)):
            return NotModifiedResponse(head.headers)
        plan = await head.plan(scope)
        parts = _parts_of(photo, plan)
        if version and not known and plan.pieces == [Span(0, file.size)]:
            parts = self._note_version(file, parts)
        parts = await _begin(parts, file.name, len(plan.pieces))
        answer = PartsResponse(parts, "A download of a photo", plan.status)
        answer.raw_headers = plan.headers
        return answer

    async def _note_version(self, file: RemoteFile, parts: Parts) -> Parts:
        """Learn what is in a photo that is sent whole: its address may have said so."""
        digest = hashlib.sha256()
        async with contextlib.aclosing(parts):
            async for part in parts:
                digest.update(part)
                yield part
        self._versions[file] = version_of(digest.hexdigest())
        if len(self._versions) > VERSIONS_KEPT:
            self._versions.popitem(last=False)

    def _is_ours(self, name: str) -> bool:
        """Whether a photo of this place may have such a name."""
        if not is_photo(name) or self.leaves_out(name):
            return False
        with contextlib.suppress(UnicodeEncodeError):
            return len(name.encode()) <= LONGEST_NAME
        return False


async def _parts_of(photo: BucketPhoto, plan: Plan) -> Parts:
    for piece in plan.pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        async with contextlib.aclosing(photo.parts(piece)) as parts:
            async for part in parts:
                yield part


async def _begin(parts: Parts, name: str, pieces: int) -> Parts:
    """Wait for the first bytes of a photo: they may not come.

    Of several pieces the first is only what comes before them.
    """
    first = []
    for _ in range(min(pieces, 2)):
        with contextlib.suppress(StopAsyncIteration):
            first.append(await anext(parts))
    return _go_on(first, parts, name)


async def _go_on(first: list[bytes], parts: Parts, name: str) -> Parts:
    async with contextlib.aclosing(parts):
        for part in first:
            yield part
        try:
            async for part in parts:
                yield part
        except BucketError as error:
            raise BrokenOff(f"{name}: {error}") from None


async def _read(photo: BucketPhoto) -> bytes:
    """What is in a photo."""
    content = io.BytesIO()
    async for part in photo.parts():
        content.write(part)
    return content.getvalue()


def _no_photo(name: str) -> HTTPException:
    return HTTPException(404, f"There is no photo {name}.")
