"""What Google Drive tells of files and folders, and the names that these have here."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from image_search.remote_files import LONGEST_NAME, ODD, RemoteFile, is_name

GOOGLES = "application/vnd.google-apps."
FOLDER, SHORTCUT = f"{GOOGLES}folder", f"{GOOGLES}shortcut"
FIELDS = (
    "id,name,mimeType,size,md5Checksum,headRevisionId,version,createdTime,"
    "modifiedTime,trashed,parents,capabilities(canListChildren,canDownload)"
)
ODD_NAME = "its name in Google Drive is none that a file can have: rename it"
LONG_NAME = "its name is too long, with those of its folders: shorten it"
LINK = "it is a shortcut, which is not followed"
NO_DOWNLOAD = "Google Drive does not let it be downloaded"
NO_LISTING = "Google Drive does not let it be listed"
NOT_LISTED = "it could not be listed"


@dataclass(frozen=True)
class Entry:
    """What Drive tells of a file or a folder."""

    id: str
    own_name: str
    kind: str
    created: str
    parents: tuple[str, ...]
    is_trashed: bool
    may_be_read: bool
    size: int
    modified: float
    version: str

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Entry":
        """Raises LookupError, TypeError or ValueError where it is not Drive's."""
        kind, allowed = told["mimeType"], told.get("capabilities", {})
        right = "canListChildren" if kind == FOLDER else "canDownload"
        changed = told["modifiedTime"]
        versions = (told.get("md5Checksum"), told.get("headRevisionId"))
        return cls(
            id=told["id"],
            own_name=told["name"],
            kind=kind,
            created=told.get("createdTime", ""),
            parents=tuple(told.get("parents", ())),
            is_trashed=told.get("trashed", False),
            may_be_read=allowed.get(right, True),
            size=int(told.get("size", 0)),
            modified=datetime.fromisoformat(changed).timestamp(),
            version=next(filter(None, versions), f"{told.get('version')}"),
        )

    @property
    def is_shown(self) -> bool:
        """Google's own documents have no bytes."""
        is_googles = self.kind.startswith(GOOGLES)
        return not is_googles or self.kind in (FOLDER, SHORTCUT)

    def below(self, folder: str, name: str) -> RemoteFile:
        """It, by a name in a folder."""
        full = f"{folder}/{name}" if folder else name
        return RemoteFile(
            full, self.size, self.modified, self.version, self._problem(full)
        )

    def _problem(self, full: str) -> str:
        """Why it can't be read, or nothing."""
        if not is_own_name(self.own_name):
            return ODD_NAME
        if len(full.encode()) > LONGEST_NAME:
            return LONG_NAME
        if self.kind == SHORTCUT:
            return LINK
        if self.may_be_read:
            return ""
        return NO_LISTING if self.kind == FOLDER else NO_DOWNLOAD


@dataclass
class FolderEntries:
    """What lies in a folder.

    `files`: also the folders that can't be read, and why. `entries`: the files by their
    names, and `folders` the ids of those, which may be several of one name.
    """

    files: list[RemoteFile] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: str, entries: Iterable[Entry]) -> "FolderEntries":
        """Give each its name below the uppermost folder.

        Of several files of one name the oldest has it, so that none is called otherwise
        when another one comes; the others have their ids behind it.
        """
        found, taken = cls(), set[str]()

        def order(entry: Entry) -> tuple[bool, str, str]:
            known = entry.below(folder, shown_name(entry.own_name))
            return bool(known.problem), entry.created, entry.id

        shown = (entry for entry in entries if entry.is_shown)
        for entry in sorted(shown, key=order):
            name = shown_name(entry.own_name)
            if entry.kind == FOLDER:
                found.add_folder(entry, entry.below(folder, name))
                continue
            while name in taken:
                name = _with_id(name, entry.id)
            taken.add(name)
            file = entry.below(folder, name)
            found.files.append(file)
            if not file.problem:
                found.entries[file.name] = entry
        return found

    def add_folder(self, entry: Entry, known: RemoteFile) -> None:
        """Note one; what is hidden is not looked at."""
        if entry.own_name.startswith(".") and is_own_name(entry.own_name):
            return
        if known.problem:
            self.files.append(closed_folder(known.name, known.problem))
        else:
            self.folders.setdefault(known.name, []).append(entry.id)


def closed_folder(name: str, problem: str) -> RemoteFile:
    """A folder that can't be read, and why."""
    return RemoteFile(f"{name}/", 0, 0.0, "", problem)


def is_own_name(name: str) -> bool:
    """Whether a file or a folder may be called so."""
    return "/" not in name and is_name(name)


def shown_name(name: str) -> str:
    """A name, with another sign for what no name has."""
    if is_own_name(name):
        return name
    shown = ODD.sub("\N{REPLACEMENT CHARACTER}", name)
    # A full stop before it would hide it.
    return shown.replace("/", "\N{FULLWIDTH SOLIDUS}").lstrip(".") or "?"


def _with_id(name: str, file_id: str) -> str:
    path = PurePosixPath(name)
    return f"{path.stem} ({file_id}){path.suffix}"
