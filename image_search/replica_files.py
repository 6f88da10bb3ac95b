"""The photos' files in a process that only searches, as far as its machine has them."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from fastapi import HTTPException
from starlette.exceptions import HTTPException as Refusal
from starlette.types import Receive, Scope, Send

from image_search.place_files import PlaceFiles


class ReplicaFiles(PlaceFiles):
    """Hands out photos that are in the index, and no others.

    What else lies in a folder an indexer knows, which looks through it: it leaves out
    what a rule there says.
    """

    def __init__(
        self, files: PlaceFiles, digest_of: Callable[[str], str | None]
    ) -> None:
        """`digest_of`: the SHA-256 of a photo that is in the index, or None."""
        super().__init__(files.places.values())
        self.files = files
        self.digest_of = digest_of

    def find(self, filename: str) -> Path:
        """As PlaceFiles; a 404 says what a machine without the file needs.

        Whether it is in the index who makes a thumbnail of it asks anyway.
        """
        try:
            return self.files.find(filename)
        except Refusal:
            raise self._missing(filename) from None

    def lookup_path(self, filename: str) -> tuple[str, os.stat_result | None]:
        found = self.files.lookup_path(filename)
        if found[1] is None or self.digest_of(filename) is None:
            return "", None
        return found

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        root = scope.get("root_path", "")
        filename = scope["path"].removeprefix(root).lstrip("/")
        if await asyncio.to_thread(self.digest_of, filename) is None:
            raise HTTPException(404, f"No photo {filename} is in the index.")
        try:
            await self.files(scope, receive, send)
        except Refusal as error:
            if error.status_code != 404:  # noqa: PLR2004
                raise
            raise self._missing(filename) from None

    def _missing(self, filename: str) -> HTTPException:
        return HTTPException(
            404,
            f"The file of {filename} is not on this machine, which only searches: mount"
            " the folder of photos here too, and name it in IMAGE_DIR as its indexer"
            " does.",
        )
