"""All that is known of one photo, over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from image_search.bucket_errors import BucketError
from image_search.hits import Hit, hit_of
from image_search.place_files import PlaceFiles
from image_search.points import Payload
from image_search.reasons import PhotoError
from image_search.search_errors import NotIndexedYet, UnknownPhoto
from image_search.status import StatusBoard
from image_search.store import Point

router = APIRouter()


class TextOnPhoto(BaseModel):
    """A line that is written on a photo."""

    text: str
    box: list[float] = Field(
        description="Its corners, x and y by turns, clockwise from its own top"
        " left; 0 to 1 of the upright photo's width and height."
    )
    confidence: float = Field(description="0 to 1.")


class PhotoRecord(Hit):
    """A photo of the index, and its file.

    Where the image folder lies is the owner's
    affair: paths are those below it.
    """

    file_bytes: int | None = Field(
        description="Of its file; null if that is not there just now."
    )
    text: list[TextOnPhoto] | None = Field(
        description="What is written on it, in reading order; null while it has"
        " not been read, and where OCR=off."
    )


@dataclass(frozen=True)
class FileSize:
    """What could be learned of a photo's file."""

    bytes: int | None = None  # None: it is not there
    failure: BucketError | None = None  # why nobody knows


async def size_of_file(request: Request, filename: str) -> FileSize:
    """Look a photo's file up; a slow place holds no thread of others."""
    return await size_in(request.app.state.thumbnails.files, filename)


async def size_in(files: PlaceFiles, filename: str) -> FileSize:
    """The same, of what is in these files."""
    try:
        photo = await files.look_up(filename)
    except BucketError as error:
        return FileSize(failure=error)
    return FileSize(photo.size if photo else None)


@router.get("/photo/{filename:path}")
def photo_record(
    request: Request,
    filename: str,
    size: Annotated[FileSize, Depends(size_of_file)],
) -> PhotoRecord:
    """What is known of a photo of the index.

    404 if there is no such photo, 422 and why
    if it can't be read, and 503 while it may
    still be indexed.
    """
    board: StatusBoard = request.app.state.status_board
    return find_record(board, filename, size)


def find_record(
    board: StatusBoard, filename: str, size: FileSize
) -> PhotoRecord:
    """The same; raises PhotoError, NotIndexedYet, UnknownPhoto and StoreError."""
    point = board.store.record_of(filename)
    if point is not None:
        shows_text = board.words is not None
        return _record(point, size.bytes, shows_text=shows_text)
    skipped = dict(board.progress.skipped)
    if filename in skipped:
        raise PhotoError(skipped[filename])
    so_far = board.unfinished()
    if so_far and size.failure:
        raise size.failure
    if so_far and size.bytes is not None:
        raise NotIndexedYet(
            f"{filename} is not indexed yet: {so_far} photos are, so far."
        )
    raise UnknownPhoto(filename)


def _record(point: Point, size: int | None, *, shows_text: bool) -> PhotoRecord:
    if point.payload.error is not None:
        raise PhotoError(point.payload.error)
    hit = hit_of(point, is_scored=False)
    text = text_on(point.payload) if shows_text else None
    return PhotoRecord(**hit.model_dump(), file_bytes=size, text=text)


def text_on(payload: Payload) -> list[TextOnPhoto] | None:
    """The lines on a photo; None if nobody has read it yet."""
    if payload.text_read is None:
        return None
    parts = payload.text.split("\n") if payload.text else []
    lines = zip(
        parts, payload.text_boxes, payload.text_confidences, strict=False
    )
    return [
        TextOnPhoto(text=text, box=box, confidence=confidence)
        for text, box, confidence in lines
    ]
