"""The photos of a folder over HTTP, and nothing else that may lie there."""

import contextlib
import errno
import functools
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Receive, Scope, Send

from image_search.files import (
    Identity,
    identity_of,
    open_regular_file,
    place_of,
)
from image_search.kinds import KINDS, ending_of, is_photo
from image_search.served_photos import ForDecoder, ServedPhotos
from image_search.thumbnails import version_of

HASHING_THREADS = 4
READING_THREADS = 8
PART_BYTES = 2**20
VERSIONS_KEPT = 10_000  # of files whose content is known
OpenPhoto = Callable[[str | os.PathLike[str]], BufferedReader]


class PhotoResponse(FileResponse):
    """A photo's file.

    It is opened once, and sent from there: something else may go by its name
    meanwhile, even what one would have to wait for.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stat_result: os.stat_result,
        status_code: int = 200,
        *,
        open_photo: OpenPhoto,
    ) -> None:
        """`open_photo`: opens what lies at a path, if it is a photo of the folder."""
        # By its name: a browser is never to take what it holds for a page.
        kind = KINDS[ending_of(os.fspath(path))]
        super().__init__(
            path, status_code, media_type=kind.mime, stat_result=stat_result
        )
        self.identity = identity_of(stat_result)
        self.open_photo = open_photo

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            file = await run_in_threadpool(self.open_photo, self.path)
        except OSError:
            raise HTTPException(404, "This photo has just gone.") from None
        with file:
            self._describe(os.fstat(file.fileno()))
            self.path = f"/dev/fd/{file.fileno()}"
            await super().__call__(scope, receive, send)

    def _describe(self, status: os.stat_result) -> None:
        """Tell of the file that is sent, should it be another one by now."""
        if identity_of(status) == self.identity:
            return
        for name in ("content-length", "last-modified", "etag"):
            del self.headers[name]
        self.stat_result = status
        self.set_stat_headers(status)
        self.headers["Cache-Control"] = "no-cache"


@dataclass(frozen=True)
class FolderPhoto:
    """A photo's file, as it was when it was looked up."""

    files: "PhotoFiles"
    path: str  # links followed
    size: int
    modified: float

    async def parts(self) -> AsyncGenerator[bytes]:
        """What is in it; raises OSError if it has gone or has become another."""
        read = functools.partial(to_thread.run_sync, limiter=self.files.reading)
        with await read(self.files.open_photo, self.path) as file:
            left = self.size
            if os.fstat(file.fileno()).st_size != left:
                raise OSError(errno.ESTALE, "it has changed")
            while left:
                part = await read(file.read, min(left, PART_BYTES))
                if not part:
                    raise OSError(errno.ESTALE, "it has become shorter")
                left -= len(part)
                yield part


class PhotoFiles(ServedPhotos):
    """The photos of a folder, and nothing else that may lie there, such as HTML."""

    def __init__(
        self,
        directory: Path,
        leads_to_photo: Callable[[str], bool],
        *,
        is_private: bool,
        place: str = "",
    ) -> None:
        """`leads_to_photo`: whether a path, links followed, is a photo of the folder.

        `place`: the name of the folder among several.
        `is_private`: only the browser may keep what it got, no proxy on the way.
        """
        super().__init__(directory, is_private=is_private, place=place)
        self.leads_to_photo = leads_to_photo
        self._version = functools.lru_cache(VERSIONS_KEPT)(_version_in)
        # To read large ones leaves the threads of others alone.
        self._hashing = CapacityLimiter(HASHING_THREADS)
        self.reading = CapacityLimiter(READING_THREADS)

    async def check_config(self) -> None:
        """The folder may be away for now: then it has no photos, and all is well."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        # No file can have a name so long, or NUL in it.
        with contextlib.suppress(OSError, ValueError):
            found, _ = super().lookup_path(path)
            if not is_photo(path) or self._is_behind_a_link(path):
                return "", None
            if self.leads_to_photo(found):
                with open_regular_file(found) as file:  # or it may not be read
                    return found, os.fstat(file.fileno())
        return "", None

    def _is_behind_a_link(self, path: str) -> bool:
        """Whether a folder on the way to a photo is a link: it is not followed."""
        folder = Path(os.fspath(self.directory or "")).resolve()
        above = (folder / path).parent
        return above.resolve() != above

    def find(self, filename: str) -> Path:
        """The file of a photo, links followed, or a 404."""
        path, status = self.lookup_path(filename)
        if status is None:
            raise HTTPException(404, f"There is no photo {filename}.")
        return Path(path).resolve()

    def see(self, name: str) -> bool:
        """Look for a photo's file; raises a 404."""
        self.find(name)
        return True

    async def look_up(self, name: str) -> FolderPhoto | None:
        """The file of a photo, if there is one."""
        path, status = await to_thread.run_sync(
            self.lookup_path, name, limiter=self.reading
        )
        if status is None:
            return None
        return FolderPhoto(self, path, status.st_size, status.st_mtime)

    @contextlib.asynccontextmanager
    async def for_decoder(
        self, name: str, *, is_whole: bool
    ) -> AsyncIterator[ForDecoder]:
        """Where a photo's file is; a decoder reads it by itself. Raises a 404."""
        yield await to_thread.run_sync(self.find, name, limiter=self.reading)

    def open_photo(self, path: str | os.PathLike[str]) -> BufferedReader:
        """Open what was looked up; raises OSError if it is no photo any more."""
        file = open_regular_file(path)
        # A link may have taken its name since.
        if not self.leads_to_photo(place_of(file)):
            file.close()
            raise FileNotFoundError(errno.ENOENT, "it has just gone")
        return file

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        version = QueryParams(scope["query_string"]).get("v", "")
        if version and isinstance(response, PhotoResponse):
            is_current = await to_thread.run_sync(
                self._holds, response, version, limiter=self._hashing
            )
            response.headers["Cache-Control"] = self.cache_control(
                has_version=is_current
            )
        return response

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = PhotoResponse(
            full_path,
            stat_result,
            status_code,
            open_photo=self.open_photo,
        )
        current = self.cache_control(has_version=False)
        response.headers["Cache-Control"] = current
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response

    def _holds(self, photo: PhotoResponse, version: str) -> bool:
        """Whether the file that is to be sent is of this version."""
        with contextlib.suppress(OSError):
            path = str(photo.path)
            return self._version(path, photo.identity) == version
        return False


def _version_in(path: str, identity: Identity) -> str:
    """The version of what is in a file; raises OSError if it is another by now."""
    with open_regular_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if identity_of(os.fstat(file.fileno())) != identity:
            raise OSError(errno.ESTALE, "it has changed")
    return version_of(digest)
