"""What a bucket holds: its photos, and what is to be left alone, and why."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from image_search.exclusions import (
    EVERYTHING,
    NO_MEDIA_FILE,
    RULE_FILES,
    Exclusions,
    Patterns,
    Scope,
)
from image_search.in_flight import MOST_BYTES
from image_search.kinds import KINDS, NOT_READ, RAW, ending_of
from image_search.listing import Snapshot, set_raw_aside
from image_search.remote_files import RemoteFile

PICTURES = KINDS.keys() | NOT_READ
# A moment has room behind its whole seconds for so much of a version.
FRACTIONS = 2**20


def moment_of(file: RemoteFile) -> float:
    """When it was changed, in seconds since 1970, and whose fraction is its version's.

    A cloud tells whole seconds, and two versions may be of the same one.
    """
    digest = zlib.crc32(file.version.encode())
    return int(file.modified) + digest % FRACTIONS / FRACTIONS


@dataclass
class BucketListing:
    """One look at a bucket, which may hold millions of objects.

    `read_patterns`: those of an .ignore file in it; raises BucketError.
    """

    exclusions: Exclusions
    read_patterns: Callable[[RemoteFile], Patterns]
    found: Snapshot = field(default_factory=Snapshot)
    # All photos, also those that are to be left alone.
    files: dict[str, RemoteFile] = field(default_factory=dict)

    seen: int = 0  # objects of any kind

    def make(self, files: Iterable[RemoteFile]) -> Snapshot:
        """Sort in what there is; raises BucketError."""
        rules: list[RemoteFile] = []
        pictures: list[RemoteFile] = []
        closed: dict[str, str] = {}  # folders, and why they can't be read
        for file in files:
            self.seen += 1
            folder, _, own = file.name.rpartition("/")
            if "/." in f"/{folder}":
                continue
            if file.problem and not own:
                closed[folder] = file.problem
            elif own in RULE_FILES:
                rules.append(file)
            elif not own.startswith(".") and ending_of(own) in PICTURES:
                pictures.append(file)
        folders = Folders(self.exclusions)
        self._read_rules(rules, folders)
        for folder, problem in closed.items():
            if folders.scope_of(folder) is not None:
                self.found.unreadable[folder] = problem
        raw = [
            file.name
            for file in pictures
            if self._sort_in(file, folders) == RAW
        ]
        set_raw_aside(self.found, raw)
        # Asked about single photos all along.
        self.exclusions.scopes = folders.scopes
        return self.found

    def _read_rules(self, rules: list[RemoteFile], folders: "Folders") -> None:
        """Have the rule files hold, those of upper folders first."""
        rules.sort(key=lambda file: (file.name.count("/"), file.name))
        for file in rules:
            folder, _, own = file.name.rpartition("/")
            above = folders.scope_of(folder)
            if above is None or above.leaves_out_all:
                continue
            start = len(folder) + 1 if folder else 0
            if own == NO_MEDIA_FILE:
                scope = Scope(((start, EVERYTHING),))
            else:
                patterns = self.read_patterns(file)
                scope = Scope(((start, patterns), *above.patterns))
            folders.set_scope(folder, scope)

    def _sort_in(self, file: RemoteFile, folders: "Folders") -> str:
        """Note a photo, or why there is none; returns the format of one."""
        name, kind = file.name, KINDS.get(ending_of(file.name))
        scope = folders.scope_of(name.rpartition("/")[0])
        if scope is None or scope.leaves_out(name):
            if kind is not None:
                self.found.left_out.add(folders.left_out_of(name))
            return ""
        if kind is None:
            self.found.not_read[ending_of(name)] += 1
            return ""
        if reason := skip_reason(file):
            self.found.skipped[name] = reason
            return ""
        self.files[name] = file
        self.found.photos[name] = [moment_of(file), file.size]
        return kind.format


def skip_reason(file: RemoteFile) -> str | None:
    """Why a photo is to be left alone."""
    if file.problem:
        return file.problem
    if not file.size:
        return "it is empty"
    if file.size > MOST_BYTES:
        return f"it is larger than {MOST_BYTES >> 20} MiB"
    return None


class Folders:
    """What rules hold in each folder of a bucket."""

    def __init__(self, exclusions: Exclusions) -> None:
        self.exclusions = exclusions
        # Where a folder has rules of its own.
        self.scopes: dict[str, Scope] = {}
        self._known: dict[str, Scope | None] = {}

    def scope_of(self, folder: str) -> Scope | None:
        """What holds in a folder; None where all of it is left out."""
        if folder not in self._known:
            self._known[folder] = self._find(folder)
        return self._known[folder]

    def set_scope(self, folder: str, scope: Scope) -> None:
        """Have a folder's own rules hold in it, and below."""
        self.scopes[folder] = scope
        self._known.clear()

    def left_out_of(self, name: str) -> str:
        """What is left out with a photo: it alone, or the uppermost folder."""
        for end, letter in enumerate(name):
            if letter == "/" and self.scope_of(name[:end]) is None:
                return name[:end]
        return name

    def _find(self, folder: str) -> Scope | None:
        if not folder:
            return self.scopes.get("", self.exclusions.top)
        above = self.scope_of(folder.rpartition("/")[0])
        if above is None or self.exclusions.leaves_out_folder(folder, above):
            return None
        scope = self.scopes.get(folder, above)
        return None if scope.leaves_out_all else scope
