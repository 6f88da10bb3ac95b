"""What the index knows of its folder beyond a restart, in a file of DATA_DIR."""

import contextlib
import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from image_search.addresses import PlaceAddress
from image_search.listing import Files
from image_search.settings import Settings

Photos = dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]
# What versions before kept, photos alone.
PHOTOS: TypeAdapter[Files] = TypeAdapter(Photos)


def record_file(settings: Settings, address: PlaceAddress) -> Path:
    """Where the record of a place is kept."""
    collection = settings.qdrant_collection
    place = f"-{address.key}" if address.name else ""
    return settings.data_dir / f"indexed-{collection}{place}.json"


class Record(BaseModel):
    """The folder as it was at the last whole pass, as far as it was shown."""

    photos: Photos = {}
    # The folders below it that were disks of their own.
    disks: set[str] = set()
    # The name of the place, if it has one.
    place: str = ""
    # The folder itself, and where the disk was mounted that it lay on.
    folder: str = ""
    disk: str = ""
    # The versions of what photos were read with.
    readers: str = ""
    # Photos that came since, and had their turn.
    begun: set[str] = set()

    @classmethod
    def load(cls, file: Path) -> "Record":
        """The record in a file; an empty one if there is none, or it is damaged."""
        with contextlib.suppress(OSError):
            content = file.read_bytes()
            with contextlib.suppress(ValidationError):
                return cls(photos=PHOTOS.validate_json(content))
            with contextlib.suppress(ValidationError):
                return cls.model_validate_json(content)
        return cls()

    def changed_without_a_newer_time(self, photos: Files) -> set[str]:
        """Photos that are others now, but were not written later."""
        known = self.photos
        return {
            name
            for name in photos.keys() & known.keys()
            if photos[name] != known[name] and photos[name][0] <= known[name][0]
        }

    def save(self, file: Path) -> None:
        """Write it whole, or not at all; raises OSError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(self.model_dump_json())
        partial.replace(file)
