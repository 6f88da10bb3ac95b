"""The photos of all places over HTTP, by the names that they have in the index."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

import anyio
from fastapi import HTTPException
from starlette.types import Receive, Scope, Send

from image_search.bucket_errors import BucketError
from image_search.bucket_files import BucketFiles
from image_search.photo_buckets import PhotoBucket
from image_search.photo_files import PhotoFiles
from image_search.served_photos import ForDecoder, FoundPhoto, ServedPhotos
from image_search.sources import PhotoFolder

LOOKED_UP_AT_ONCE = 8
AnyPlace = PhotoFolder | PhotoBucket


class PlaceFiles:
    """What answers for each photo: the files of the place that its name begins with."""

    def __init__(self, places: Iterable[ServedPhotos]) -> None:
        self.places = {files.place: files for files in places}

    @classmethod
    def of(
        cls, places: Iterable[AnyPlace], *, is_private: bool
    ) -> "PlaceFiles":
        """`is_private`: only the browser may keep what it got."""
        return cls(_files_of(place, is_private=is_private) for place in places)

    def see(self, filename: str) -> bool:
        """Whether a photo's file has been seen to be there; raises a 404 if not so.

        False where only its name was looked at: then it is the index that knows.
        """
        files, name = self._split(filename)
        return files.see(name)

    async def look_up(self, filename: str) -> FoundPhoto | None:
        """The file of a photo, if there is one; raises BucketError."""
        try:
            files, name = self._split(filename)
        except HTTPException:
            return None
        return await files.look_up(name)

    async def look_up_all(
        self, filenames: Iterable[str]
    ) -> dict[str, FoundPhoto | None]:
        """The same for many, several at a time."""
        found: dict[str, FoundPhoto | None] = dict.fromkeys(filenames)
        failures: list[BucketError] = []
        left = iter([*found])

        async def look_up_others() -> None:
            for filename in left:
                if failures:
                    return
                try:
                    found[filename] = await self.look_up(filename)
                except BucketError as error:
                    failures.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(LOOKED_UP_AT_ONCE):
                group.start_soon(look_up_others)
        if failures:
            raise failures[0]
        return found

    def for_decoder(
        self, filename: str, *, is_whole: bool
    ) -> AbstractAsyncContextManager[ForDecoder]:
        """Hold what a photo is decoded from; raises a 404, PhotoError, BucketError.

        `is_whole`: to a copy of many pixels, which takes long.
        """
        files, name = self._split(filename)
        return files.for_decoder(name, is_whole=is_whole)

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root).lstrip("/")
        files, _ = self._split(path)
        if files.place:
            scope = {**scope, "root_path": f"{root}/{files.place}"}
        await files(scope, receive, send)

    def cache_control(self, filename: str, *, has_version: bool) -> str:
        """With its version in its address a photo never changes; else ask each time."""
        files, _ = self._split(filename)
        return files.cache_control(has_version=has_version)

    def _split(self, filename: str) -> tuple[ServedPhotos, str]:
        """Whose photo it is, and its name there; a 404 if there is no such place."""
        if "" in self.places:
            return self.places[""], filename
        place, _, name = filename.partition("/")
        if place not in self.places:
            raise HTTPException(404, f"There is no photo {filename}.")
        return self.places[place], name


def _files_of(place: AnyPlace, *, is_private: bool) -> ServedPhotos:
    name = place.address.name
    if isinstance(place, PhotoFolder):
        return PhotoFiles(
            place.path, place.leads_to_photo, is_private=is_private, place=name
        )
    return BucketFiles(
        lambda: place.bucket,
        place.exclusions.leaves_out,
        is_private=is_private,
        place=name,
    )
