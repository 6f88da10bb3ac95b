"""The whole index over HTTP, for programs: a line of JSON for each photo."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from image_search.pieces import in_pieces
from image_search.search_errors import NotIndexedYet
from image_search.status import StatusBoard
from image_search.store import Point

LINES_AT_A_TIME = 200
NDJSON = "application/x-ndjson"

router = APIRouter()


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}}},
)
def export(
    request: Request,
    *,
    vectors: Annotated[
        bool, Query(description="With the vector of each.")
    ] = False,
) -> StreamingResponse:
    """Every photo of the index, in no order, as JSON lines.

    What is known of it, by the names that it has in the store; `error` says
    why one can't be read. A download that breaks off has no end, which every
    client tells: nothing is left out in silence.
    """
    board: StatusBoard = request.app.state.status_board
    so_far = board.unfinished()
    if so_far and not board.store.count():
        raise NotIndexedYet(f"The photos are being indexed, {so_far} so far.")
    lines = _lines(board.store.every(with_vectors=vectors))
    # A store that is away is told as such, and not by a download that breaks off.
    first = next(lines, "")
    name = 'attachment; filename="photos.jsonl"'
    headers = {"Content-Disposition": name}
    return StreamingResponse(
        itertools.chain([first], lines), 200, headers, NDJSON
    )


def _lines(points: Iterable[Point]) -> Iterator[str]:
    """Some lines at a time."""
    for some in in_pieces(points, LINES_AT_A_TIME):
        yield "".join(f"{_line(point)}\n" for point in some)


def _line(point: Point) -> str:
    known: dict[str, Any] = point.payload.model_dump(mode="json")
    del known["sort_key"]  # which says nothing more
    if point.vector is not None:
        known["vector"] = point.vector.tolist()
    return json.dumps(known, ensure_ascii=False)
