"""Photos that are there more than once, or nearly so, over HTTP."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from image_search.bucket_errors import BucketError
from image_search.filters import READABLE, Condition, Filter
from image_search.hits import Hit, hit_of
from image_search.near_equals import BrokenOff, Group, find_groups
from image_search.place_files import PlaceFiles
from image_search.search_errors import NotIndexedYet
from image_search.status import StatusBoard
from image_search.store import Store
from image_search.store_errors import StoreError

# A look at a small index is waited for.
PATIENCE_SECONDS = 2.0
# Photos of one group: those that are listed, and those whose files are looked up,
# which costs a request each in a bucket.
MOST_SHOWN = 100
MOST_MEASURED = 20

router = APIRouter()


class Duplicate(Hit):
    """A photo that is there more than once, and its file."""

    file_bytes: int | None = Field(
        None,
        description="Of its file; null if that is not there just now, and beyond the"
        " first 20 of a group.",
    )


class DuplicateGroups(BaseModel):
    """Groups of photos that are nearly the same, the newest group first."""

    groups: list[list[Duplicate]] = Field(
        description="Each begins with its largest photo; 100 of its photos at most."
    )
    sizes: list[int] = Field(
        description="How many photos each of these groups has."
    )
    total: int = Field(description="Groups on all pages.")
    more: bool
    next_offset: int = Field(
        description="Where the next page begins, if there is one."
    )
    is_current: bool = Field(
        description="False while photos that came or went since are looked at."
    )


class DuplicateFinder:
    """Looks for them in the background once somebody asks, and keeps what it found.

    It looks again after the index has changed, and as long as that takes answers
    by what it found before.
    """

    def __init__(self, board: StatusBoard) -> None:
        self.board = board
        self.store: Store = board.store
        self._looking: asyncio.Task[None] | None = None
        self._found: list[Group] | None = None
        self._moment: Any = None  # of the index, as it was looked at
        self._compared = (0, 0)
        self._failure: StoreError | None = None  # of the last look
        self._is_closed = False

    async def groups(self) -> tuple[list[Group], bool]:
        """The names of all groups, and whether they are those of the index as it is.

        Raises NotIndexedYet as long as they are not known, and StoreError.
        """
        moment = await asyncio.to_thread(self._now)
        if moment != self._moment:
            if self._looking is None or self._looking.done():
                self._failure = None
                look = asyncio.to_thread(self._look, moment)
                self._looking = asyncio.create_task(look)
            await asyncio.wait([self._looking], timeout=PATIENCE_SECONDS)
            if self._failure:
                raise self._failure
        if self._found is None:
            done, total = self._compared
            so_far = f", {done:,} of {total:,} so far" if total else ""
            raise NotIndexedYet(
                f"All photos are being compared with each other{so_far}."
            )
        return self._found, moment == self._moment

    async def close(self) -> None:
        """Break a look off, which would open the store again once that is closed."""
        self._is_closed = True
        if self._looking:
            await asyncio.wait([self._looking])

    def _now(self) -> Any:
        """What is another after each change of the index."""
        progress = self.board.progress
        photos = self.store.count(READABLE)
        words = self.board.words
        # Not at each photo: that would be another look for each.
        are_read = words and self.store.count(READABLE & words.read) == photos
        return photos, progress.passes, progress.last_change, are_read

    def _look(self, moment: Any) -> None:
        try:
            found = find_groups(self.store, self._is_over, self._tell)
        except BrokenOff:
            return
        except StoreError as error:
            self._failure = error
            return
        self._found, self._moment = found, moment

    def _is_over(self) -> bool:
        return self._is_closed or self.board.is_closed

    def _tell(self, done: int, total: int) -> None:
        self._compared = done, total


@router.get("/duplicates")
async def duplicates(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 24,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> DuplicateGroups:
    """Photos that are there more than once: equal files, copies, photos of a burst.

    By the rule by which `fold` of a search takes photos for nearly equal. All photos
    are compared in the background: as long as that takes for the first time the
    answer is 503, and says how far it is.
    """
    finder: DuplicateFinder = request.app.state.duplicates
    found, is_current = await finder.groups()
    board = finder.board
    if not found and (so_far := await asyncio.to_thread(board.unfinished)):
        raise NotIndexedYet(f"The photos are being indexed, {so_far} so far.")
    page = found[offset : offset + limit]
    groups = await asyncio.to_thread(_photos_of, finder.store, page)
    await _measure(
        request.app.state.thumbnails.files,
        [one for photos, _ in groups for one in photos[:MOST_MEASURED]],
    )
    return DuplicateGroups(
        groups=[photos for photos, _ in groups],
        sizes=[size for _, size in groups],
        total=len(found),
        more=len(found) > offset + limit,
        next_offset=offset + len(page),
        is_current=is_current,
    )


def _photos_of(
    store: Store, groups: list[Group]
) -> list[tuple[list[Duplicate], int]]:
    """What is known of photos now, and how many a group has; without what is gone."""
    found = []
    for group in groups:
        names = group[:MOST_SHOWN]
        are_they = Condition("filename", any_of=tuple(names))
        where = Filter((are_they, *READABLE.must))
        points = store.search(None, len(names), where)
        known = {point.payload.filename: point for point in points}
        hits = [
            hit_of(known[name], is_scored=False)
            for name in names
            if name in known
        ]
        photos = [Duplicate(**hit.model_dump()) for hit in hits]
        if len(photos) > 1:
            found.append((photos, len(group) - len(names) + len(photos)))
    return found


async def _measure(files: PlaceFiles, photos: list[Duplicate]) -> None:
    """Tell how large their files are, as far as that can be told just now."""
    try:
        found = await files.look_up_all(photo.filename for photo in photos)
    except BucketError:
        return
    for photo in photos:
        if file := found.get(photo.filename):
            photo.file_bytes = file.size
