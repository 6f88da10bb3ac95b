"""What the point of a photo is: its id, its payload, its place among the newest."""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, Field

from image_search.name_words import name_words

# What a point carries beside its vector, as far as it is searched by; Qdrant's types.
PAYLOAD_INDEXES = {
    "filename": "keyword",
    "folders": "keyword",
    "sha256": "keyword",
    "error": "keyword",
    "damaged": "bool",
    "taken": "datetime",
    "width": "integer",
    "height": "integer",
    "sort_key": "integer",
    "details.camera": "keyword",
    "details.place": "geo",
    "name_words": "text",
    "name_starts": "text",
    "text": "text",
    "details.title": "text",
    "details.description": "text",
    "details.keywords": "text",
    "text_read": "integer",
}
# Of the texts, that whose words are searched by how they begin.
BY_BEGINNINGS = "name_starts"
MOST_FOLDERS = 100_000  # that are counted
KEY_BITS = 24  # of a sort key, below the seconds
HASH_BITS = 10  # of those, below a number in the name


@dataclass
class Described:
    """What a photo's name and time tell, as its point has it."""

    id: uuid.UUID
    filename: str  # with the name of its place, if that has one
    taken: str  # ISO 8601, local time
    taken_from: str  # where that is told; "file": when it was last written
    folders: list[str]  # every folder above it, the innermost first
    sort_key: int
    name_words: str
    name_starts: str  # the same, for another kind of index

    @classmethod
    def by(cls, filename: str, taken: str, taken_from: str) -> "Described":
        above = PurePosixPath(filename).parents[:-1]
        words = name_words(filename)
        return cls(
            point_id(filename),
            filename,
            taken,
            taken_from,
            [str(folder) for folder in above],
            sort_key(taken, filename),
            words,
            words,
        )


class Payload(BaseModel):
    """What a search returns of a point, beside its vector.

    A new field needs a default: points that were written before have none. One
    that is made anew costs a tenth of what pydantic takes to copy one.
    """

    filename: str
    width: int  # pixels, upright; 0 if the photo can't be read
    height: int
    taken: datetime  # local time
    taken_from: str | None = None  # where that is told: see dates.Taken
    sha256: str  # of the file, in hexadecimal
    error: str | None = None  # why the photo can't be read
    damaged: bool = False  # a part of its file is missing, or wrong
    sort_key: int | None = None
    thumbhash: str | None = None  # a picture of it in some 25 bytes, in base64
    # What else is told: see metadata.Details.
    details: dict[str, Any] = Field(default_factory=dict)
    # What is written on it, a line each, and beside the lines their corners and
    # confidences: see text_lines.TextLine. Of no line is a text "".
    text: str | None = None
    text_boxes: list[Any] = Field(default_factory=list)
    text_confidences: list[float] = Field(default_factory=list)
    text_read: int | None = None  # the version of what read it; None: not yet


PAYLOAD = (*Payload.model_fields,)
# But for what only one photo's record tells: of all hits it would be much to send.
OF_HITS = tuple(
    field
    for field in PAYLOAD
    if field not in {"text_boxes", "text_confidences"}
)


def point_id(filename: str) -> uuid.UUID:
    """The id goes by the name, so that a photo which changes is never there twice."""
    return uuid.uuid5(uuid.NAMESPACE_URL, filename)


def sort_key(taken: str, filename: str) -> int:
    """A photo's place in the order of time: 63 bits, hardly ever the same for two.

    Many photos have one time: a burst, or all files of an archive. Qdrant orders by
    numbers alone, and would have to be asked for all of them, were their keys equal.
    So seconds since year 1 are followed by the last number in the name, by which a
    burst stays in order, and by bits of the name's hash.

    `taken`: ISO 8601, without a time zone.
    """
    since = datetime.fromisoformat(taken) - datetime.min
    digest = hashlib.sha256(filename.encode()).digest()
    low = int.from_bytes(digest) % (1 << KEY_BITS)
    if numbers := re.findall(r"\d+", PurePosixPath(filename).stem):
        number = int(numbers[-1][-9:]) % (1 << KEY_BITS - HASH_BITS)
        low = number << HASH_BITS | low % (1 << HASH_BITS)
    return since // timedelta(seconds=1) << KEY_BITS | low
