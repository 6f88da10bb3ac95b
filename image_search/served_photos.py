"""What the files of every kind of place have in common, as HTTP gives them away."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from starlette.responses import StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from image_search.settings import logger

YEAR = 365 * 24 * 3600  # seconds
# What a decoder is given: a file, or what is in one.
ForDecoder = Path | bytes


class BrokenOff(Exception):
    """What is being sent is not to be had any more, or not as it was."""


class FoundPhoto(Protocol):
    """A photo's file, as it was when it was looked up."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def modified(self) -> float:
        """In seconds since 1970."""

    def parts(self) -> AsyncGenerator[bytes]:
        """What is in it, as it comes.

        Raises OSError, before or amid, if it has gone or has become another.
        """


class ServedPhotos(StaticFiles, ABC):
    """The photos of one place, and nothing else that may lie there."""

    def __init__(
        self, directory: Path | None = None, *, is_private: bool, place: str
    ) -> None:
        """`is_private`: only the browser may keep what it got, no proxy on the way.

        `place`: its name among several.
        """
        super().__init__(directory=directory, check_dir=False)
        self.is_private = is_private
        self.place = place

    async def check_config(self) -> None:
        """A place may be away, or come later: each photo is looked for by itself."""

    @abstractmethod
    def see(self, name: str) -> bool:
        """Whether a photo's file has been seen to be there; raises a 404 if not so.

        False where only its name was looked at: then it is the index that knows.
        """

    @abstractmethod
    async def look_up(self, name: str) -> FoundPhoto | None:
        """The file of a photo, if there is one; raises BucketError."""

    @abstractmethod
    def for_decoder(
        self, name: str, *, is_whole: bool
    ) -> AbstractAsyncContextManager[ForDecoder]:
        """Hold what a photo is decoded from; raises a 404, PhotoError, BucketError.

        `is_whole`: to a copy of many pixels, which takes long.
        """

    def cache_control(self, *, has_version: bool) -> str:
        """With its version in its address a photo never changes; else ask each time."""
        how_long = f"max-age={YEAR}, immutable" if has_version else "no-cache"
        return f"private, {how_long}" if self.is_private else how_long


class PartsResponse(StreamingResponse):
    """An answer of a known length. Where it breaks off, the connection does."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes],
        what: str,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        """`what` is being sent, for the log. `parts` raise BrokenOff."""
        super().__init__(parts, status_code, headers, media_type)
        self.parts = parts
        self.what = what

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        # A client that leaves ends what they are read from, too, and at once.
        async with contextlib.aclosing(self.parts):
            try:
                await super().__call__(scope, receive, send)
            except BrokenOff as error:
                # The server ends the connection, as the length is not reached.
                logger.warning("%s was broken off: %s.", self.what, error)
