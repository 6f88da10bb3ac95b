"""The photos that were skipped, over HTTP: all of them, and another try."""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from image_search.filters import UNREADABLE
from image_search.pieces import in_pieces
from image_search.roles import refuse_retry
from image_search.search_errors import NotIndexedYet
from image_search.spreadsheet import csv_answer
from image_search.status import StatusBoard

LINES_AT_A_TIME = 1_000

router = APIRouter()


class SkippedPhoto(BaseModel):
    """A photo of the folder that is not in the index, and why."""

    filename: str
    reason: str


class SkippedPhotos(BaseModel):
    """Skipped photos, by name; `skipped` counts those of other pages too."""

    skipped: int
    photos: list[SkippedPhoto]


def list_skipped(board: StatusBoard) -> list[tuple[str, str]]:
    """Every skipped photo and the reason, by name.

    Raises StoreError where the store can't say, and NotIndexedYet where none was
    skipped so far but photos wait.
    """
    skipped = dict(board.progress.skipped)
    store = board.store
    where = board.told & UNREADABLE
    if number := store.count(where):
        for point in store.search(None, number, where):
            skipped[point.payload.filename] = point.payload.error or ""
    if not skipped and (so_far := board.unfinished()):
        raise NotIndexedYet(
            f"The photos are being indexed, {so_far} so far; none was skipped yet."
        )
    return sorted(skipped.items())


@router.get(
    "/status/skipped",
    response_model=SkippedPhotos,
    responses={200: {"content": {"text/csv": {}}}},
)
def skipped_photos(
    request: Request,
    format: Literal["json", "csv"] = "json",  # noqa: A002, as it is asked
    limit: Annotated[int | None, Query(ge=1)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Every photo that was skipped, and why, by name. Without `limit` all are sent.

    In CSV a name that a spreadsheet would take for a formula has a ' before it.
    """
    photos = list_skipped(request.app.state.status_board)
    end = None if limit is None else offset + limit
    page = photos[offset:end]
    if format == "csv":
        return csv_answer("skipped", ("filename", "reason"), page)
    lines = _as_json(page, len(photos))
    return StreamingResponse(lines, media_type="application/json")


@router.post("/status/retry", status_code=202)
async def retry_skipped(request: Request) -> None:
    """Have every photo that was skipped looked at again, within seconds."""
    if not request.app.state.indexes:
        refuse_retry()
    for index in request.app.state.indexes:
        index.retries_skipped = True


def _as_json(photos: list[tuple[str, str]], total: int) -> Iterator[str]:
    """A SkippedPhotos, some lines at a time."""
    yield f'{{"skipped":{total},"photos":['
    for number, some in enumerate(in_pieces(photos, LINES_AT_A_TIME)):
        yield "," if number else ""
        yield ",\n".join(
            json.dumps({"filename": name, "reason": why}, ensure_ascii=False)
            for name, why in some
        )
    yield "]}"
