"""Which months there are photos of, over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from image_search.filters import Condition, Filter
from image_search.likes import BadWeight, by_name
from image_search.question import Filters, conditions
from image_search.search_errors import NotIndexedYet, SearchError
from image_search.status import StatusBoard
from image_search.store import Store

MONTHS = range(1, 13)

router = APIRouter()


class Month(BaseModel):
    """A month of which there is a photo."""

    month: str = Field(description="Such as 2024-05, local time.")
    photos: int


class Months(BaseModel):
    """All months with photos, the newest first."""

    months: list[Month]
    photos: int = Field(description="In all of them.")


def count_months(store: Store, where: Filter) -> list[Month]:
    """The months of what a filter lets through.

    The store is asked once for each year from the first to
    the last, and twelve times for those with photos:
    200,000 of twenty years take a tenth of a second. Raises
    StoreError.
    """
    newest = store.search(None, 1, where)
    oldest = store.search(None, 1, where, oldest_first=True)
    if not newest or not oldest:
        return []

    def count(begin: datetime, end: datetime) -> int:
        then = Condition(
            "taken", at_least=begin.isoformat(), before=end.isoformat()
        )
        return store.count(Filter((*where.must, then), where.must_not))

    first, last = (point.payload.taken for point in (*oldest, *newest))
    found = []
    for year in range(last.year, first.year - 1, -1):
        left = count(datetime(year, 1, 1), datetime(year + 1, 1, 1))
        for month in reversed(MONTHS):
            if not left:
                break
            end = datetime(year + month // 12, month % 12 + 1, 1)
            if photos := count(datetime(year, month, 1), end):
                name = f"{year:04}-{month:02}"
                found.append(Month(month=name, photos=photos))
                left -= photos
    return found


@router.get("/months")
def months(request: Request, query: Annotated[Filters, Query()]) -> Months:
    """Which months there are photos of, and how many.

    In `sort=newest` and `oldest` a month begins at
    the offset that is the sum of those before it.
    """
    board: StatusBoard = request.app.state.status_board
    try:
        query = by_name(board.store, query)
    except BadWeight as error:
        raise SearchError(str(error)) from None
    found = count_months(board.store, conditions(query, is_scored=False))
    if not found and (so_far := board.unfinished()):
        raise NotIndexedYet(f"The photos are being indexed, {so_far} so far.")
    return Months(months=found, photos=sum(month.photos for month in found))
