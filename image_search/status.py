"""How far the index is: measured when something happens, told to all who listen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from image_search.filters import (
    DAMAGED,
    EVERYTHING,
    READABLE,
    UNREADABLE,
    Filter,
)
from image_search.model_config import languages_of
from image_search.progress import Progress, merge
from image_search.status_fields import PlaceStatus, Status
from image_search.store import Store
from image_search.store_errors import StoreError, StoreRefuses
from image_search.text_status import Words, WordsBoard

SKIPPED_SHOWN = DAMAGED_SHOWN = 100
# Between two looks at the store while photos are being indexed.
PROGRESS_SECONDS = 1.0


@dataclass(frozen=True)
class Equipment:
    """What the index is made with, as the status tells it."""

    model: str
    device: str
    precision: str
    store: str
    languages: list[str] | None = None  # that it reads; None: many

    @classmethod
    def of(cls, model: Any, encoder: Any, store: Store) -> "Equipment":
        """`model`: transformers', of an `encoder`, which knows all its devices."""
        devices = encoder.devices
        several = ", ".join(devices) if len(devices) > 1 else ""
        return cls(
            model=getattr(model.config, "display_name", encoder.name),
            device=several or str(model.device),
            precision=str(model.dtype).removeprefix("torch."),
            store=store.name,
            languages=languages_of(model.config),
        )


class StatusBoard:
    """Where the status is to be read."""

    def __init__(
        self,
        store: Store,
        equipment: Equipment,
        root_path: str = "",
        *,
        own: Filter = EVERYTHING,
        told: Filter = EVERYTHING,
    ) -> None:
        """`root_path`: what the app's addresses begin with on its host.

        `own`: the photos that this process indexes. `told`: those that it tells of.
        """
        self.store = store
        self.own = own
        self.told = told
        # Says why nothing is indexed for now; "" if nothing is in the way.
        self.trouble: Callable[[], str] = lambda: ""
        # How far the words on photos are read; None: nobody is to read them.
        self.words: WordsBoard | None = None
        self.root_path = root_path
        self.equipment = equipment
        self._progress: dict[str, Progress] = {}  # by the names of places
        self._shown: Status | None = None
        self._changed = asyncio.Event()
        self._is_closed = False
        self._measuring = asyncio.Lock()
        # How many points and passes there were, and the damaged photos then.
        self._damaged_then: tuple[tuple[int, int], int, list[str]] | None = None

    def progress_of(self, place: str = "") -> Progress:
        """What the index of a place knows of itself, to be written by it."""
        return self._progress.setdefault(place, Progress())

    @property
    def progress(self) -> Progress:
        """That of all places together; to be read."""
        return merge([*self._progress.values()])

    def unfinished(self) -> str | None:
        """How far the indexing is, as "312 of 1,000"; None once it is done."""
        now = self.progress
        indexed, total = self.store.count(self.own), len(now.photos)
        if now.is_ready and indexed >= total:
            return None
        # How many there are to come is not known before a look, or by a replica.
        return f"{indexed:,} of {total:,}" if total else f"{indexed:,}"

    def unread(self) -> str | None:
        """How far the words on photos are read; None once they are, or if none are."""
        if self.words is None:
            return None
        where = self.told & READABLE
        photos = self.store.count(where)
        try:
            read = self.store.count(where & self.words.read)
        except StoreRefuses:
            return None  # as far as can be told
        return f"{read:,} of {photos:,}" if read < photos else None

    def has_waiting(self) -> bool:
        """Whether photos wait for their vectors, or a place for its first look."""
        return any(one.is_under_way for one in self._progress.values())

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

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    async def changed(self, within: float) -> None:
        """Wait until the status is another one, or for so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._changed.wait()

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
        error, notice = now.last_error or self.trouble() or None, None
        words = None
        skipped = dict(now.skipped)
        try:
            points = own = self.store.count(self.told)
            if self.own != self.told:
                own = self.store.count(self.own)
            where = self.told & UNREADABLE
            unreadable = self.store.count(where)
            for point in self.store.search(None, SKIPPED_SHOWN, where):
                skipped[point.payload.filename] = point.payload.error or ""
            damaged, damaged_photos = self._damaged(points, now.passes)
            words = self._words(points - unreadable)
            notice = self.store.notice()
        except StoreError as away:
            points = own = now.points
            unreadable, error = 0, str(away)
            damaged, damaged_photos = 0, []
        waiting = max(0, len(now.photos) - own)
        rate = now.images_per_second(own) if waiting else None
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
            all_skipped=f"{self.root_path}/status/skipped",
            damaged=damaged,
            damaged_photos=damaged_photos,
            not_read=now.not_read,
            raw_beside=now.raw_beside,
            left_out=now.left_out,
            images_per_second=rate and round(rate, 2),
            seconds_to_go=rate and round(waiting / rate),
            last_change=now.last_change,
            places=self._places(),
            notices=[*now.notices, *filter(None, [notice])],
            last_error=error,
            words=words,
        )

    def _words(self, photos: int) -> Words | None:
        """How far they are read on so many photos."""
        if self.words is None:
            return None
        read, trouble = 0, self.words.trouble
        try:
            read = self.store.count(self.told & READABLE & self.words.read)
        except StoreRefuses as refusal:
            # An earlier version fills the collection, which made no index for it.
            trouble = str(refusal)
        languages = self.words.languages
        return Words(
            read=read, photos=photos, languages=languages, trouble=trouble
        )

    def _damaged(self, points: int, passes: int) -> tuple[int, list[str]]:
        """How many are damaged, and the first of them; asked for when it may change."""
        moment = points, passes
        if self._damaged_then is None or self._damaged_then[0] != moment:
            where = self.told & DAMAGED
            number, names = self.store.count(where), []
            if number:
                found = self.store.search(None, DAMAGED_SHOWN, where)
                names = [point.payload.filename for point in found]
            self._damaged_then = moment, number, names
        return self._damaged_then[1:]

    def _places(self) -> list[PlaceStatus]:
        """How far each place is that has a name."""
        return [
            PlaceStatus(
                name=name,
                state="ready" if one.is_ready else "indexing",
                photos=len(one.photos),
                waiting=one.waiting,
                last_error=one.last_error,
            )
            for name, one in sorted(self._progress.items())
            if name
        ]
