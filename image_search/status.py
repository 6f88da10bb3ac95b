"""How far the index is: measured when something happens, told to all who listen."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from image_search.filters import DAMAGED, UNREADABLE
from image_search.listing import Files, Snapshot
from image_search.store import Store, StoreError

SKIPPED_SHOWN = DAMAGED_SHOWN = 100
# Between two looks at the store while photos are being indexed.
PROGRESS_SECONDS = 1.0
# A rate is of so many photos, and of so long a time, at least.
RATE_PHOTOS = 30
RATE_SECONDS = 10.0


class Status(BaseModel):
    """What is indexed, with what, and what is left to do."""

    state: Literal["indexing", "ready"]
    model: str
    device: str
    precision: str
    store: str
    photos: int = Field(description="Photos in the image folder.")
    indexed: int
    waiting: int
    skipped: int
    skipped_photos: list[dict[str, str]] = Field(
        description="100 of the skipped photos: filename and reason."
    )
    all_skipped: str = Field(
        "/status/skipped", description="Where all of them are listed."
    )
    damaged: int = Field(
        0, description="Photos indexed as far as they can be read."
    )
    damaged_photos: list[str] = Field([], description="100 of them.")
    not_read: dict[str, int] = Field(
        {}, description="Pictures of kinds that are not read, by ending."
    )
    raw_beside: int = Field(
        0, description="RAW files beside a JPEG or HEIC, which stands for both."
    )
    left_out: int = Field(
        0, description="Folders and photos left out by default or by EXCLUDE."
    )
    images_per_second: float | None
    seconds_to_go: int | None
    last_change: datetime | None = Field(
        description="In the folder or the index, since the start."
    )
    notices: list[str] = Field(
        description="What its owner should know, though all else goes on."
    )
    last_error: str | None


@dataclass(frozen=True)
class Equipment:
    """What the index is made with, as the status tells it."""

    model: str
    device: str
    precision: str
    store: str

    @classmethod
    def of(cls, model: Any, name: str, store: Store) -> "Equipment":
        """`model`: transformers'; `name`: what it is called unless it tells itself."""
        return cls(
            model=getattr(model.config, "display_name", name),
            device=str(model.device),
            precision=str(model.dtype).removeprefix("torch."),
            store=store.name,
        )


@dataclass
class Progress:
    """What the index knows of itself; it alone writes this."""

    # In the folder, at the last look: photos, and what is skipped, and why.
    photos: Files = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    # And how much there is besides.
    left_out: int = 0
    raw_beside: int = 0
    not_read: dict[str, int] = field(default_factory=dict)
    # The whole folder was looked through once.
    is_ready: bool = False
    # In the store: at the end of the last whole pass, and before the one under way,
    points: int = 0
    points_before: int = 0
    # How many whole passes there were.
    passes: int = 0
    # which began then, by time.monotonic().
    pass_began: float = 0
    last_change: datetime | None = None
    notices: list[str] = field(default_factory=list)
    last_error: str | None = None

    def see(self, snapshot: Snapshot) -> None:
        """Take over what the folder holds."""
        self.photos, self.skipped = snapshot.photos, snapshot.skipped
        self.left_out = len(snapshot.left_out)
        self.raw_beside = len(snapshot.raw_beside)
        self.not_read = dict(snapshot.not_read.most_common())


class StatusBoard:
    """Where the status is to be read."""

    def __init__(self, store: Store, equipment: Equipment) -> None:
        self.store = store
        self.equipment = equipment
        self.progress = Progress()
        self._shown: Status | None = None
        self._changed = asyncio.Event()
        self._is_closed = False
        self._measuring = asyncio.Lock()
        # How many points and passes there were, and the damaged photos then.
        self._damaged_then: tuple[tuple[int, int], int, list[str]] | None = None

    def unfinished(self) -> str | None:
        """How far the indexing is, such as "312 of 1,000"; None once it is done."""
        indexed, total = self.store.count(), len(self.progress.photos)
        if self.progress.is_ready and indexed >= total:
            return None
        return f"{indexed:,} of {total:,}"

    async def refresh(self) -> Status:
        """Ask the store how far it is, and tell all who listen."""
        async with (
            self._measuring
        ):  # a slow answer must not come after a newer one
            status = await asyncio.to_thread(self._measure)
            if status != self._shown:
                self._shown = status
                self._changed.set()
                self._changed = asyncio.Event()
        return status

    async def statuses(self) -> AsyncIterator[Status]:
        """The status now, and again whenever it changes; the store is not asked."""
        told = None
        while not self._is_closed:
            changed = self._changed
            if self._shown is None or self._shown == told:
                await changed.wait()
                continue
            told = self._shown
            yield told

    def close(self) -> None:
        """End all `statuses`: the app is being stopped."""
        self._is_closed = True
        self._changed.set()

    @contextlib.asynccontextmanager
    async def refreshed_all_along(self) -> AsyncIterator[None]:
        """Refresh again and again, while photos are being indexed."""

        async def refresh_again_and_again() -> None:
            while True:
                await self.refresh()
                await asyncio.sleep(PROGRESS_SECONDS)

        refreshing = asyncio.create_task(refresh_again_and_again())
        try:
            yield
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)

    def _measure(self) -> Status:
        now = self.progress
        error, notice = now.last_error, None
        skipped = dict(now.skipped)
        try:
            points = self.store.count()
            unreadable = self.store.count(UNREADABLE)
            for point in self.store.search(None, SKIPPED_SHOWN, UNREADABLE):
                skipped[point.payload.filename] = point.payload.error or ""
            damaged, damaged_photos = self._damaged(points)
            notice = self.store.notice()
        except StoreError as away:
            points, unreadable, error = now.points, 0, str(away)
            damaged, damaged_photos = 0, []
        waiting = max(0, len(now.photos) - points)
        rate = self._images_per_second(points) if waiting else None
        shown = [*skipped.items()][:SKIPPED_SHOWN]
        return Status(
            state="ready" if now.is_ready and not waiting else "indexing",
            **vars(self.equipment),
            photos=points + waiting + len(now.skipped),
            indexed=points - unreadable,
            waiting=waiting,
            skipped=unreadable + len(now.skipped),
            skipped_photos=[
                {"filename": name, "reason": why} for name, why in shown
            ],
            damaged=damaged,
            damaged_photos=damaged_photos,
            not_read=now.not_read,
            raw_beside=now.raw_beside,
            left_out=now.left_out,
            images_per_second=rate and round(rate, 2),
            seconds_to_go=rate and round(waiting / rate),
            last_change=now.last_change,
            notices=[*now.notices, *filter(None, [notice])],
            last_error=error,
        )

    def _damaged(self, points: int) -> tuple[int, list[str]]:
        """How many are damaged, and the first of them; asked for when it may change."""
        moment = points, self.progress.passes
        if self._damaged_then is None or self._damaged_then[0] != moment:
            number, names = self.store.count(DAMAGED), []
            if number:
                found = self.store.search(None, DAMAGED_SHOWN, DAMAGED)
                names = [point.payload.filename for point in found]
            self._damaged_then = moment, number, names
        return self._damaged_then[1:]

    def _images_per_second(self, points: int) -> float | None:
        new = points - self.progress.points_before
        seconds = time.monotonic() - self.progress.pass_began
        if new < RATE_PHOTOS or seconds < RATE_SECONDS:
            return None  # the first ones take longer
        return new / seconds
