"""Which bytes of a photo a request asks for, where they lie in no file.

Starlette answers for it as for a file of a folder, but as if it were asked for the
headers alone. So ranges mean the same for photos of all places.
"""

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.responses import FileResponse
from starlette.types import Message, Scope

from image_search.kinds import KINDS, ending_of

CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/")


@dataclass(frozen=True)
class Span:
    """Bytes of a photo from `begin` up to, but not with, `end`."""

    begin: int
    end: int


@dataclass(frozen=True)
class Plan:
    """What is to be answered: a head, and pieces of the photo and between them."""

    status: int
    headers: list[tuple[bytes, bytes]]
    pieces: Sequence[Span | bytes]


class PhotoHead(FileResponse):
    """The head of an answer that sends a photo, or parts of it."""

    def __init__(
        self, name: str, size: int, modified: float, version: str
    ) -> None:
        """`modified`: seconds since 1970. `version`: what changes with the photo."""
        seconds = int(modified)
        times = seconds, seconds, seconds
        super().__init__(
            name,
            # By its name: a browser is never to take what it holds for a page.
            media_type=KINDS[ending_of(name)].mime,
            headers={"ETag": f'"{version}"'},
            stat_result=os.stat_result(
                (stat.S_IFREG, 0, 0, 1, 0, 0, size, *times)
            ),
        )
        self.size = size
        self._between: list[Span | bytes] = []

    async def plan(self, scope: Scope) -> Plan:
        """What to answer to a request."""
        said: list[Message] = []

        async def note(message: Message) -> None:
            said.append(message)

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        await self({**scope, "method": "HEAD"}, receive, note)
        status, headers = said[0]["status"], said[0]["headers"]
        pieces: Sequence[Span | bytes] = [
            message["body"] for message in said[1:]
        ]
        if scope["method"] == "GET" and status in (200, 206):
            pieces = self._between or [self._span_in(headers)]
        return Plan(status, headers, pieces)

    def generate_multipart(
        self,
        ranges: Sequence[tuple[int, int]],
        boundary: str,
        max_size: int,
        content_type: str,
    ) -> tuple[int, Callable[[int, int], bytes]]:
        """Note what several ranges are sent with, each after a head of its own."""
        made = super().generate_multipart(
            ranges, boundary, max_size, content_type
        )
        for begin, end in ranges:
            head = made[1](begin, end)
            self._between += [head, Span(begin, end), b"\r\n"]
        self._between.append(f"--{boundary}--".encode())
        return made

    def _span_in(self, headers: list[tuple[bytes, bytes]]) -> Span:
        told = dict(headers).get(b"content-range", b"").decode()
        found = CONTENT_RANGE.match(told)
        if found is None:
            return Span(0, self.size)
        return Span(int(found[1]), int(found[2]) + 1)
