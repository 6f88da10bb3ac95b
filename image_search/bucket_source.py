"""The CocoIndex source of buckets: what an index saw in one, read where it lies.

CocoIndex's own sources list by themselves: what they saw would not be what an index has
looked at, and found to be whole.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

import cocoindex
from cocoindex.op import (
    NO_ORDINAL,
    PartialSourceRow,
    PartialSourceRowData,
    SourceReadOptions,
)

from image_search.photo_buckets import PhotoBucket


class PhotosOfBucket(cocoindex.op.SourceSpec):
    """Names a bucket. CocoIndex keeps this in its database: nothing is secret in it."""

    place: str
    address: str

    @classmethod
    def of(cls, place: PhotoBucket) -> "PhotosOfBucket":
        """That of a place of IMAGE_DIR."""
        name = place.address.name
        PhotosOfBucketConnector.places[name] = place
        return cls(place=name, address=place.address.where)


@dataclass
class Name:
    """The key of a row."""

    filename: str


@dataclass
class Photo:
    """The rest of it."""

    content: bytes


PhotoRow = PartialSourceRow[Name, Photo]
PhotoData = PartialSourceRowData[Photo]


@cocoindex.op.source_connector(
    spec_cls=PhotosOfBucket, key_type=Name, value_type=Photo
)
class PhotosOfBucketConnector:
    """What CocoIndex calls to list a bucket and to read of it."""

    places: ClassVar[dict[str, PhotoBucket]] = {}  # by name

    def __init__(self, place: PhotoBucket) -> None:
        self.place = place

    @classmethod
    async def create(cls, spec: PhotosOfBucket) -> "PhotosOfBucketConnector":
        return cls(cls.places[spec.place])

    async def list(self, options: SourceReadOptions) -> AsyncIterator[PhotoRow]:
        """A version tells of any change; a time would only tell of newer ones."""
        for name, version in await asyncio.to_thread(self._versions):
            yield PartialSourceRow(Name(name), _data(None, version))

    async def get_value(
        self, key: Name, options: SourceReadOptions
    ) -> PhotoData:
        """Raises OSError where it can't be read, which leaves its point as it is."""
        content, version = await self.place.read(key.filename)
        return _data(Photo(content), version)

    def provides_ordinal(self) -> bool:
        return False

    def _versions(self) -> tuple[tuple[str, str], ...]:
        return (*self.place.versions(),)


def _data(photo: Photo | None, version: str) -> PhotoData:
    return PartialSourceRowData(photo, NO_ORDINAL, version.encode())
