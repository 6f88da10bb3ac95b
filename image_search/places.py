"""Opens the places of IMAGE_DIR, each by what it is."""

from collections.abc import Iterable, Sequence

from image_search.addresses import Address, PlaceAddress
from image_search.photo_buckets import PhotoBucket
from image_search.sources import PhotoFolder

AnyPlace = PhotoFolder | PhotoBucket


def open_places(
    addresses: Iterable[PlaceAddress], exclude: Sequence[str]
) -> list[AnyPlace]:
    """A folder or a bucket for each; nothing is asked of them yet.

    `exclude`: gitignore patterns of what is left out.
    """
    return [
        PhotoFolder(address, exclude=exclude)
        if isinstance(address, Address)
        else PhotoBucket(address, exclude)
        for address in addresses
    ]
