"""Keeps the photos of what is away: a disk not mounted, a folder that can't be listed.

CocoIndex deletes the points of what its source lists no more. So while something of a
folder is away it is shown a stand-in for it; what a bucket shows is a list anyway.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from image_search.filters import EVERYTHING, Condition, Filter
from image_search.kinds import is_photo
from image_search.listing import Files, Snapshot
from image_search.place import Place
from image_search.record import Record
from image_search.sources import PhotoFolder
from image_search.stand_in import StandIn
from image_search.store import Store

UNKNOWN = [0.0, 0.0]  # for a photo that the record does not know
NOT_THERE = "is not there"
UNTIL_THEN = "The index is kept, and goes on by itself once that is mended."


@dataclass(frozen=True)
class Absence:
    """A folder that is away, or some photos in it."""

    folder: str
    reason: str
    # What CocoIndex can't be shown: the folder, or those photos.
    items: frozenset[str]
    # Those that are in the index.
    kept: frozenset[str] = frozenset()

    def covers(self, name: str) -> bool:
        """Whether a photo or a folder is away with it."""
        while name and name not in self.items:
            name = name.rpartition("/")[0]
        return bool(name)

    def below(self, folder: Place) -> "Absence":
        """The same, with names as they are below the folder."""
        return replace(
            self,
            items=frozenset(map(folder.name_within, self.items)),
            kept=frozenset(map(folder.name_within, self.kept)),
        )

    def __str__(self) -> str:
        name = "IMAGE_DIR" if self.folder == "." else self.folder
        number = len(self.kept)
        kept = "its photo is" if number == 1 else f"its {number:,} photos are"
        return f"{name} {self.reason}: {kept} kept in the index."


class Absences:
    """What is away of a folder, and the stand-in that is shown to CocoIndex."""

    def __init__(self, folder: Place, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.found: list[Absence] = []
        self._stand_in: StandIn | None = None

    def look(self, snapshot: Snapshot, record: Record, points: int) -> Snapshot:
        """See what is away; returns what there is, and is kept, to be indexed.

        `points`: how many photos are in the store. Raises FileNotFoundError where
        all of the folder is away, and StoreError where the store can't say what it
        holds.
        """
        self._refuse_empty_folder(snapshot, record, points)
        self._refuse_lost_disk(snapshot, record)
        absences = [
            *self._lost_disks(snapshot, record),
            *_unreadable(snapshot.unreadable, self.folder.top),
        ]
        with_kept = map(self._with_kept, absences)
        self.found = [absence for absence in with_kept if absence.kept]
        if not self.found:
            return snapshot
        strays = self._strays(snapshot.photos)
        photos = {
            name: file
            for name, file in snapshot.photos.items()
            if name not in strays
        }
        kept = self.kept()
        for name in kept:
            photos[name] = record.photos.get(name, UNKNOWN)
        # A new photo beside one that is kept is told like any other.
        unreadable = {
            name: reason
            for name, reason in snapshot.unreadable.items()
            if (is_photo(name) and name not in kept) or not self._cover(name)
        }
        reasons = {
            name: why for name, why in strays.items() if name not in photos
        }
        return replace(
            snapshot,
            photos=photos,
            skipped=snapshot.skipped | reasons,
            unreadable=unreadable,
        )

    def kept(self) -> set[str]:
        """The photos that are away, and in the index."""
        return {name for absence in self.found for name in absence.kept}

    def forget(self) -> None:
        """Have the next look ask the store what it holds: it has lost some of it."""
        self.found = []

    def disks(self) -> set[str]:
        """The disks below the folder, and those that should be there."""
        missing = {one.folder for one in self.found if one.reason == NOT_THERE}
        return self.folder.disks() | missing

    def show(self) -> None:
        """Choose what CocoIndex is shown as `folder.shown`; raises OSError."""
        if not isinstance(self.folder, PhotoFolder):
            return  # what it shows need not be files
        if self.found:
            self._stand_in = self._stand_in or StandIn(self.folder.path)
            below = [one.below(self.folder) for one in self.found]
            self._stand_in.make(
                frozenset().union(*(one.items for one in below)),
                frozenset().union(*(one.kept for one in below)),
            )
            self.folder.shown = self._stand_in.path
            return
        self.folder.shown = self.folder.path
        if self._stand_in:
            self._stand_in.close()
            self._stand_in = None

    def _refuse_empty_folder(
        self, snapshot: Snapshot, record: Record, points: int
    ) -> None:
        if trouble := self.folder.trouble:
            raise FileNotFoundError(f"{trouble} {UNTIL_THEN}")
        is_there = self.folder.is_there()
        if snapshot.photos or (not points and is_there):
            return
        # That a rule leaves all of them out is a person's wish.
        is_out = self.folder.leaves_out
        if is_there and record.photos and all(map(is_out, record.photos)):
            return
        raise FileNotFoundError(
            f"IMAGE_DIR={self.folder.address} can't be opened, or has no photos any"
            " more. The index is kept until they are back; to remove them from the"
            " index, stop the app and run `cocoindex update main`."
        )

    def _refuse_lost_disk(self, snapshot: Snapshot, record: Record) -> None:
        """A stray photo where a disk was mounted does not make it that disk."""
        if record.folder != self.folder.address.where:
            return
        is_lost = len(self.folder.disk()) < len(record.disk)
        if is_lost and not _has_all(snapshot.photos, record.photos):
            raise FileNotFoundError(
                f"IMAGE_DIR={self.folder.address} lay on the disk at {record.disk},"
                " which is not mounted. The index is kept until it is; to remove what"
                " is not there from the index, stop the app and run `cocoindex update"
                " main`."
            )

    def _lost_disks(self, snapshot: Snapshot, record: Record) -> list[Absence]:
        """The disks that are mounted no more, but those copied to where they were."""
        lost: list[Absence] = []
        if self.folder.path is None:
            return lost
        for disk in sorted(record.disks - self.folder.disks()):
            absence = Absence(disk, NOT_THERE, frozenset({disk}))
            known = {
                name: file
                for name, file in record.photos.items()
                if absence.covers(name)
            }
            if not (known and _has_all(snapshot.photos, known)):
                lost.append(absence)
        return lost

    def _with_kept(self, absence: Absence) -> Absence:
        """An absence with the photos of it that the store holds, and is to keep."""
        kept = self._held(absence)
        left_out = filter(self.folder.leaves_out, kept)
        return replace(absence, kept=kept.difference(left_out))

    def _held(self, absence: Absence) -> frozenset[str]:
        """The photos of an absence that the store holds."""
        for before in self.found:
            if (before.reason, before.items) == (absence.reason, absence.items):
                return before.kept  # the points of what is away do not change
        where = EVERYTHING
        if absence.folder != ".":
            within = Condition("folders", equals=absence.folder)
            where = Filter(must=(within,))
        number = self.store.count(where)
        points = self.store.search(None, number, where) if number else []
        return frozenset(
            point.payload.filename
            for point in points
            if absence.covers(point.payload.filename)
        )

    def _strays(self, photos: Files) -> dict[str, str]:
        """The photos that lie where a disk should be, and why they are left alone."""
        covered = {name: self._cover(name) for name in photos}
        return {
            name: f"it lies in {absence.folder}, whose disk {NOT_THERE}"
            for name, absence in covered.items()
            if absence
        }

    def _cover(self, name: str) -> Absence | None:
        for absence in self.found:
            if absence.covers(name):
                return absence
        return None


def _has_all(photos: Files, known: Files) -> bool:
    """Whether all known photos are there, of the same sizes."""
    return all(
        name in photos and photos[name][1] == file[1]
        for name, file in known.items()
    )


def _unreadable(names: dict[str, str], top: str) -> list[Absence]:
    """The folders that can't be listed, and the photos that can't be read."""
    items: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, reason in names.items():
        if name == top:
            continue  # all of it is away, and the index waits for it
        if is_photo(name):
            folder = str(PurePosixPath(name).parent)
            what = f"has photos that can't be read ({reason})"
            items[folder, what].add(name)
        else:
            items[name, f"can't be listed ({reason})"].add(name)
    return [
        Absence(folder, reason, frozenset(some))
        for (folder, reason), some in sorted(items.items())
    ]
