"""The folders with photos, over HTTP, and the time that the photos are of."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from image_search.filters import READABLE
from image_search.name_words import words_of
from image_search.points import MOST_FOLDERS
from image_search.search_errors import NotIndexedYet
from image_search.status import StatusBoard
from image_search.store import Store

router = APIRouter()

Limit = Annotated[int, Query(ge=1, le=MOST_FOLDERS)]
Offset = Annotated[int, Query(ge=0)]


class Folder(BaseModel):
    """A folder below the image folder."""

    folder: str = Field(
        description="Its path, as `folder` of a search takes it."
    )
    photos: int = Field(description="In it and below it.")


class Folders(BaseModel):
    """Folders by name, each above those that lie in it."""

    folders: list[Folder]
    total: int = Field(description="How many there are, beyond `limit` too.")
    oldest: datetime | None = Field(
        description="When the oldest photo of all was taken, local time; null if"
        " there is none."
    )
    newest: datetime | None


@router.get("/folders")
def folders(
    request: Request, q: str = "", limit: Limit = 1000, offset: Offset = 0
) -> Folders:
    """Every folder with photos. With `q` those whose path has words that begin so."""
    board: StatusBoard = request.app.state.status_board
    counts = board.store.folders()
    asked = words_of(q)
    found = sorted(
        (folder for folder in counts if _has_words(folder, asked)),
        key=lambda folder: [*map(_by_name, folder.split("/"))],
    )
    newest, oldest = _ends(board.store)
    if newest is None and (so_far := board.unfinished()):
        raise NotIndexedYet(f"The photos are being indexed, {so_far} so far.")
    return Folders(
        folders=[
            Folder(folder=folder, photos=counts[folder])
            for folder in found[offset : offset + limit]
        ],
        total=len(found),
        oldest=oldest,
        newest=newest,
    )


def _ends(store: Store) -> tuple[datetime | None, datetime | None]:
    """When the newest photo was taken, and the oldest."""
    newest = store.search(None, 1, READABLE)
    oldest = store.search(None, 1, READABLE, oldest_first=True)
    if not newest or not oldest:
        return None, None
    return newest[0].payload.taken, oldest[0].payload.taken


def _has_words(folder: str, asked: list[str]) -> bool:
    its = words_of(folder)
    return all(any(word.startswith(one) for word in its) for one in asked)


def _by_name(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts names as people do: "trip 9" comes before "trip 10"."""
    words = words_of(name)
    key = [
        (not word.isdigit(), int(word) if word.isdigit() else 0, word)
        for word in words
    ]
    return key, name
