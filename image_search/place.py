"""What an index asks of a place, be it a folder or a bucket."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol

from image_search.addresses import PlaceAddress
from image_search.dates import Taken
from image_search.listing import Snapshot


class Place(Protocol):
    """Where photos lie: how it is listed and watched, and what CocoIndex is shown.

    Its photos go by the names that they have in the index.
    """

    # What CocoIndex is not shown; None: nobody has looked yet.
    excluded: frozenset[str] | None
    # How many photos it is to have under way at a time; 0: as above.
    rows: int
    # What an index saw, and guards: CocoIndex sees that. None: it looks itself.
    snapshot: Snapshot | None

    @property
    def address(self) -> PlaceAddress: ...

    @property
    def path(self) -> Path | None:
        """The folder; None where its files are not on this machine."""

    @property
    def top(self) -> str:
        """The name of all of it, among those in it."""

    @property
    def shown(self) -> Any:
        """What CocoIndex reads: another one needs the flow to be opened anew."""

    @property
    def first_look(self) -> Snapshot:
        """What it held when it was first looked at, if it was."""

    @property
    def trouble(self) -> str:
        """Why it could not be looked at just now, in a sentence, or nothing."""

    @property
    def tells_versions(self) -> bool:
        """Whether CocoIndex sees a change by a version, and not by a newer time."""

    def check_at_start(self, *, is_set_up: bool) -> None:
        """Raise StartupError where it isn't there; once indexed it may be away."""

    def scan(self) -> Snapshot:
        """List every photo, and what is to be left alone. Raises no OSError."""

    def is_there(self) -> bool:
        """Whether the last look could see it."""

    def name_within(self, name: str) -> str:
        """A name of the index, as it is in the place."""

    def leaves_out(self, name: str) -> bool:
        """Whether a rule leaves a photo out."""

    def rows_in_flight(self) -> int:
        """How many photos CocoIndex is to have under way."""

    def take_failures(self) -> set[str]:
        """The photos that CocoIndex could not be given since the last call."""

    def taken(self, file: str) -> Taken:
        """For a photo that doesn't tell: when its file was written; raises OSError.

        `file`: its name in the place.
        """

    def disks(self) -> set[str]:
        """The folders below it that are disks of their own."""

    def disk(self) -> str:
        """Where the disk is mounted that it lies on."""

    def refresh_seconds(self, usual: float) -> float:
        """How long after one look the next is due; `usual`: REFRESH_SECONDS."""

    def watch(self, pause: float) -> AsyncGenerator[bool]:
        """Tell of changes: True after one, False every so often without one."""
