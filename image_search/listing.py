"""What a folder holds: its photos, and what is to be left alone, and why."""

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from image_search.exclusions import Exclusions, Scope
from image_search.kinds import DEVELOPED, KINDS, NOT_READ, RAW, ending_of

# The content of a file that is shown in place of a photo which is away.
STAND_IN = b"This photo is on a disk, or in a folder, that is away."

# By file name: when it was changed (seconds since 1970), and its size in bytes.
Files = dict[str, list[float]]


@dataclass(frozen=True)
class Snapshot:
    """What a folder holds at one moment, by names relative to it."""

    photos: Files = field(default_factory=dict)
    # Why a photo, or a folder, is to be left alone.
    skipped: dict[str, str] = field(default_factory=dict)
    # Photos and folders that are there and can't be read just now, and why.
    unreadable: dict[str, str] = field(default_factory=dict)
    # Photos and folders that are left out by rule.
    left_out: set[str] = field(default_factory=set)
    # RAW files beside a JPEG or HEIC of their name, which is the same photo.
    raw_beside: set[str] = field(default_factory=set)
    # How many pictures there are of kinds that are not read, by their endings.
    not_read: Counter[str] = field(default_factory=Counter)

    @property
    def hidden(self) -> frozenset[str]:
        """What CocoIndex is not to be shown, once the unreadable is skipped."""
        return frozenset().union(self.skipped, self.left_out, self.raw_beside)

    def settled(self) -> "Snapshot":
        """The same, with what can't be read among what is skipped."""
        skipped = self.skipped | {
            name: f"it can't be read: {reason}"
            for name, reason in self.unreadable.items()
        }
        return replace(self, skipped=skipped, unreadable={})

    def below(self, prefix: str) -> "Snapshot":
        """The same, with names that begin with this; the folder itself is "."."""
        if not prefix:
            return self

        def name_of(name: str) -> str:
            return prefix.rstrip("/") if name == "." else prefix + name

        return replace(
            self,
            photos={prefix + name: file for name, file in self.photos.items()},
            skipped={name_of(one): why for one, why in self.skipped.items()},
            unreadable={
                name_of(one): why for one, why in self.unreadable.items()
            },
            left_out={prefix + name for name in self.left_out},
            raw_beside={prefix + name for name in self.raw_beside},
        )


class Listing:
    """One look at a folder, which may hold hundreds of thousands of photos."""

    def __init__(
        self,
        path: Path,
        exclusions: Exclusions,
        skip_reason: Callable[[os.DirEntry[str], os.stat_result], str | None],
    ) -> None:
        """`skip_reason`: why a photo, or a link to a folder, is to be left alone."""
        self.path = path
        self.exclusions = exclusions
        self.skip_reason = skip_reason
        self.found = Snapshot()
        self._to_list: list[tuple[str, Scope]] = [("", exclusions.top)]
        self._scopes: dict[str, Scope] = {}
        self._links: list[tuple[os.DirEntry[str], str, Scope]] = []
        self._raw: list[str] = []

    def make(self) -> Snapshot:
        """List every photo, and what is to be left alone. Raises no OSError."""
        while self._to_list:
            folder, above = self._to_list.pop()
            try:
                self._list(folder, above)
            except (FileNotFoundError, NotADirectoryError):
                continue  # it has gone
            except OSError as error:
                name = shown(folder or ".")
                self.found.unreadable[name] = error.strerror or str(error)
        # By now it is known what is left out, where a link may lead.
        self.exclusions.scopes = self._scopes
        for link in self._links:
            self._look_at(*link)
        if self._raw:
            set_raw_aside(self.found, self._raw)
        return self.found

    def _list(self, folder: str, above: Scope) -> None:
        """Sort a folder's entries into what was found; raises OSError."""
        entries = list(os.scandir(self.path / folder))
        hidden = [one for one in entries if one.name.startswith(".")]
        scope = self.exclusions.scope_in(folder, hidden, above)
        if scope is not above:
            self._scopes[folder] = scope
        if scope.leaves_out_all and folder:
            self.found.left_out.add(shown(folder))
            return
        beginning = f"{folder}/" if folder else ""
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = beginning + entry.name
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                is_link = entry.is_symlink()
            except OSError as error:  # some systems have to ask the disk
                self._note(entry, name, error)
                continue
            if is_link:
                self._links.append((entry, name, scope))
            elif not is_folder:
                self._look_at(entry, name, scope)
            elif self.exclusions.leaves_out_folder(name, scope):
                self.found.left_out.add(shown(name))
            else:
                self._to_list.append((name, scope))

    def _look_at(
        self, entry: os.DirEntry[str], name: str, scope: Scope
    ) -> None:
        """Sort in a file, or a link."""
        try:
            if reason := self._skip_reason(entry, name, scope):
                self.found.skipped[shown(name)] = reason
        except FileNotFoundError:
            pass  # it has gone, or is a link to nowhere
        except OSError as error:
            self._note(entry, name, error)

    def _note(self, entry: os.DirEntry[str], name: str, error: OSError) -> None:
        """Note what can't be looked at; through a link it never can."""
        reason = error.strerror or str(error)
        if entry.is_symlink():  # in a circle, or through what is no folder
            self.found.skipped[shown(name)] = f"it can't be read: {reason}"
        else:
            self.found.unreadable[shown(name)] = reason

    def _skip_reason(
        self, entry: os.DirEntry[str], name: str, scope: Scope
    ) -> str | None:
        """Note a photo, or why there is none; raises OSError if that can't be told."""
        ending = ending_of(entry.name)
        kind = KINDS.get(ending)
        if kind is None and not entry.is_dir():
            if ending in NOT_READ and not scope.leaves_out(name):
                self.found.not_read[ending] += 1
            return None
        if scope.leaves_out(name):
            self.found.left_out.add(shown(name))
            return None
        status = entry.stat()
        if reason := self.skip_reason(entry, status):
            return reason
        if not os.access(entry, os.R_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
        self.found.photos[name] = [status.st_mtime, status.st_size]
        if kind is not None and kind.format == RAW:
            self._raw.append(name)
        return None


def set_raw_aside(found: Snapshot, raw: Sequence[str]) -> None:
    """Have a JPEG or HEIC stand for RAW files of its name in its folder."""
    folders = {name.rpartition("/")[0] for name in raw}
    developed = {
        _stem(name)
        for names in (found.photos, found.unreadable)
        for name in names
        if name.rpartition("/")[0] in folders and ending_of(name) in DEVELOPED
    }
    for name in raw:
        if _stem(name) in developed and name in found.photos:
            del found.photos[name]
            found.raw_beside.add(name)


def _stem(name: str) -> str:
    """A name without its ending, in which capital letters make no difference."""
    folder, slash, filename = name.rpartition("/")
    return folder + slash + filename.rpartition(".")[0].lower()


def shown(name: str) -> str:
    """A name with signs in place of bytes that are not UTF-8."""
    return os.fsencode(name).decode(errors="replace")


def is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
