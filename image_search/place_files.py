"""The photos of all places over HTTP, by the names that they have in the index."""

import os
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

from fastapi import HTTPException
from starlette.types import Receive, Scope, Send

from image_search.photo_files import PhotoFiles
from image_search.place import Place
from image_search.sources import PhotoFolder


class PlaceFiles:
    """What answers for each photo: the files of the place that its name begins with."""

    def __init__(self, places: Iterable[PhotoFiles]) -> None:
        self.places = {files.place: files for files in places}

    @classmethod
    def of(cls, places: Iterable[Place], *, is_private: bool) -> "PlaceFiles":
        """`is_private`: only the browser may keep what it got."""
        return cls(
            PhotoFiles(
                folder.path,
                folder.leads_to_photo,
                is_private=is_private,
                place=folder.address.name,
            )
            for folder in places
            if isinstance(folder, PhotoFolder)
        )

    def find(self, filename: str) -> Path:
        """The file of a photo, links followed, or a 404."""
        files, name = self._split(filename)
        return files.find(name)

    def open_photo(self, filename: str, path: str) -> BufferedReader:
        """Open what was looked up; raises OSError if it is no photo any more."""
        files, _ = self._split(filename)
        return files.open_photo(path)

    def lookup_path(self, filename: str) -> tuple[str, os.stat_result | None]:
        """Where a photo's file is, and its status; None if there is none."""
        try:
            files, name = self._split(filename)
        except HTTPException:
            return "", None
        return files.lookup_path(name)

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root).lstrip("/")
        files, _ = self._split(path)
        if files.place:
            scope = {**scope, "root_path": f"{root}/{files.place}"}
        await files(scope, receive, send)

    def cache_control(self, has_version: bool) -> str:  # noqa: FBT001
        """As each of them has it."""
        return next(iter(self.places.values())).cache_control(has_version)

    def _split(self, filename: str) -> tuple[PhotoFiles, str]:
        """Whose photo it is, and its name there; a 404 if there is no such place."""
        if "" in self.places:
            return self.places[""], filename
        place, _, name = filename.partition("/")
        if place not in self.places:
            raise HTTPException(404, f"There is no photo {filename}.")
        return self.places[place], name
