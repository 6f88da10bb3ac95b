"""How far the index of a place is, and of all places together."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from image_search.listing import Files, Snapshot

# A rate is of so many photos, and of so long a time, at least.
RATE_PHOTOS = 30
RATE_SECONDS = 10.0


@dataclass
class Progress:
    """What the index of a place knows of itself; it alone writes this."""

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

    @property
    def waiting(self) -> int:
        """Photos that were not in the store at the end of the last whole pass."""
        return max(0, len(self.photos) - self.points)

    @property
    def is_under_way(self) -> bool:
        """Whether photos wait for their vectors, or it for its first look."""
        return not self.last_error and bool(self.waiting or not self.is_ready)

    def images_per_second(self, points: int) -> float | None:
        """How quick the pass is, by which there are so many points now."""
        new = points - self.points_before
        seconds = time.monotonic() - self.pass_began
        if new < RATE_PHOTOS or seconds < RATE_SECONDS:
            return None  # the first ones take longer
        return new / seconds

    def see(self, snapshot: Snapshot) -> None:
        """Take over what the folder holds."""
        self.photos, self.skipped = snapshot.photos, snapshot.skipped
        self.left_out = len(snapshot.left_out)
        self.raw_beside = len(snapshot.raw_beside)
        self.not_read = dict(snapshot.not_read.most_common())


def merge(places: Sequence[Progress]) -> Progress:
    """The progress of several places as that of one."""
    if len(places) == 1:
        return places[0]
    working = [one for one in places if one.waiting]
    photos: Files = {}
    skipped: dict[str, str] = {}
    not_read: Counter[str] = Counter()
    for one in places:
        photos |= one.photos
        skipped |= one.skipped
        not_read += Counter(one.not_read)
    changes = [one.last_change for one in places if one.last_change]
    errors = dict.fromkeys(one.last_error for one in places if one.last_error)
    notices = itertools.chain(*(one.notices for one in places))
    return Progress(
        photos=photos,
        skipped=skipped,
        left_out=sum(one.left_out for one in places),
        raw_beside=sum(one.raw_beside for one in places),
        not_read=dict(not_read.most_common()),
        is_ready=bool(places) and all(one.is_ready for one in places),
        points=sum(one.points for one in places),
        # Where no photo waits none is new by the pass under way.
        points_before=sum(
            one.points_before if one.waiting else one.points for one in places
        ),
        passes=sum(one.passes for one in places),
        pass_began=min((one.pass_began for one in working), default=0),
        last_change=max(changes, default=None),
        notices=[*dict.fromkeys(notices)],
        last_error=" ".join(errors) or None,
    )
