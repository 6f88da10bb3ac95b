"""The photos' files in a process that only searches, as far as its machine has them."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from http import HTTPStatus

from fastapi import HTTPException
from starlette.exceptions import HTTPException as Refusal
from starlette.types import Receive, Scope, Send

from image_search.place_files import PlaceFiles
from image_search.served_photos import FoundPhoto


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
        self.digest_of = digest_of

    def see(self, filename: str) -> bool:
        """As PlaceFiles; a 404 says what a machine without the file needs.

        Whether it is in the index who makes a thumbnail of it asks anyway.
        """
        with self._explained(filename):
            return super().see(filename)

    async def look_up(self, filename: str) -> FoundPhoto | None:
        if await asyncio.to_thread(self.digest_of, filename) is None:
            return None
        return await super().look_up(filename)

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        root = scope.get("root_path", "")
        filename = scope["path"].removeprefix(root).lstrip("/")
        await asyncio.to_thread(self._refuse_unknown, filename)
        with self._explained(filename):
            await super().__call__(scope, receive, send)

    def _refuse_unknown(self, filename: str) -> None:
        if self.digest_of(filename) is None:
            raise HTTPException(404, f"No photo {filename} is in the index.")

    @contextlib.contextmanager
    def _explained(self, filename: str) -> Iterator[None]:
        """Say why a file that others have is not found here."""
        try:
            yield
        except Refusal as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            raise self._missing(filename) from None

    def _missing(self, filename: str) -> HTTPException:
        return HTTPException(
            404,
            f"The file of {filename} is not on this machine, which only searches: mount"
            " the folder of photos here too, and name it in IMAGE_DIR as its indexer"
            " does.",
        )
