"""Tables as CSV, that a spreadsheet opens as they are."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fastapi.responses import StreamingResponse

from image_search.pieces import in_pieces

ROWS_AT_A_TIME = 1_000
# With what cells begin that a spreadsheet reckons out.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_answer(
    name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> StreamingResponse:
    """Rows as a file of that name, some at a time."""
    shown = f'attachment; filename="{name}.csv"'
    headers = {"Content-Disposition": shown}
    lines = csv_lines(header, rows)
    return StreamingResponse(lines, 200, headers, "text/csv")


def csv_lines(
    header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Iterator[str]:
    """Lines as RFC 4180 has them, some at a time; None is an empty cell.

    A text that would be taken for a formula, and run, has a ' before it.
    """
    yield ",".join(header) + "\r\n"
    for some in in_pieces(rows, ROWS_AT_A_TIME):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(map(_cells, some))
        yield text.getvalue()


def _cells(row: Sequence[Any]) -> list[Any]:
    return [
        f"'{cell}"
        if isinstance(cell, str) and cell.startswith(FORMULAS)
        else cell
        for cell in row
    ]
