"""What a search answers, as a table: `format=csv`."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from image_search.hits import Hit, SearchResponse
from image_search.question import Search
from image_search.spreadsheet import csv_answer

JSON = "application/json"
COLUMNS = (
    "filename",
    "score",
    "width",
    "height",
    "taken",
    "taken_from",
    "version",
    "damaged",
    "similar_to",
    "why",
)


def as_asked(
    request: Request, query: Search, answer: SearchResponse
) -> Response:
    """An answer in the format that was asked for."""
    if query.format == "json":
        # FastAPI would see whether it is an answer once more.
        return Response(answer.model_dump_json(), media_type=JSON)
    table = csv_answer("photos", COLUMNS, rows(answer))
    if answer.more:
        following = _following(request, answer.next_offset)
        table.headers["Link"] = f'<?{following}>; rel="next"'
    return table


def _following(request: Request, offset: int) -> str:
    """The query string of the next page."""
    asked = request.query_params.multi_items()
    same = [one for one in asked if one[0] not in ("offset", "around")]
    return urlencode([*same, ("offset", offset)])


def rows(answer: SearchResponse) -> Iterator[list[Any]]:
    """Each photo, and after it those that are nearly the same."""
    for hit in answer.results:
        yield _row(hit, None)
        for one in hit.similar:
            yield _row(one, hit.filename)


def _row(hit: Hit, similar_to: str | None) -> list[Any]:
    known = hit.model_dump(mode="json") | {"similar_to": similar_to}
    known["why"] = " ".join(hit.why or ())
    return [known[column] for column in COLUMNS]
