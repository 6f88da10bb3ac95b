"""What of a folder is left out: by default, by EXCLUDE, by `.ignore` and `.nomedia`.

Patterns mean what they mean in a `.gitignore`: the nearest file has the last word,
and nothing comes back of a folder that is left out itself.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec, RegexPattern

from image_search.files import Identity, identity_of, open_regular_file
from image_search.patterns import check_pattern
from image_search.settings import logger

IGNORE_FILE = ".ignore"
NO_MEDIA_FILE = ".nomedia"
# What a change of means that other photos are left out.
RULE_FILES = frozenset({IGNORE_FILE, NO_MEDIA_FILE})
MOST_LINES = (
    1000  # of an .ignore file that count: each costs time for each photo
)
MOST_BYTES = 2**18
NAMED = 3  # of what is left out, for a person
# Folders that systems keep for themselves: thumbnails, what was deleted, copies.
SYSTEM_FOLDERS = (
    "@eaDir",
    "#recycle",
    "@Recycle",
    "$RECYCLE.BIN",
    "RECYCLER",
    "#snapshot",
    "@Recently-Snapshot",
    "__MACOSX",
    "System Volume Information",
    "lost+found",
)
# Apple's photo libraries are folders. All in them but the photos themselves is theirs.
LIBRARIES = (
    ".photoslibrary",
    ".photolibrary",
    ".migratedphotolibrary",
    ".aplibrary",
    ".migratedaplibrary",
)
ORIGINALS = frozenset({"originals", "masters"})
PREVIEWS = ".lrdata"  # Lightroom's
STAR = "[^/]*"  # in pathspec's expressions


class Patterns:
    """The lines of a `.gitignore`, of which the last that matches decides.

    A path is asked for after the folders above it. `GitIgnoreSpec` itself is made for
    paths alone: by `*` and `!*/` it would leave out every folder, where git lists them.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = [
            (
                pattern.include,
                re.compile(_in_linear_time(regex.pattern)).search,
                "/" in line.rstrip("/ "),
            )
            # `x/**/` means the folders in x; pathspec takes it for x itself.
            for line in (re.sub(r"/\*\*/\s*$", "/**/*/", one) for one in lines)
            for pattern in GitIgnoreSpec.from_lines([line]).patterns
            if isinstance(pattern, RegexPattern)
            and pattern.include is not None
            and (regex := pattern.regex) is not None
        ]
        self._rules.reverse()

    def __bool__(self) -> bool:
        return bool(self._rules)

    def verdict(self, path: str) -> bool | None:
        """Whether they leave out a path, or bring it back; None if they don't say.

        The path of a folder ends in a slash.
        """
        start = path.rfind("/", 0, -1) + 1
        own = path[start:]
        for leaves_out, search, has_slash in self._rules:
            subject = path if has_slash else own
            match = search(subject)
            if match and _is_of_all(match, subject):
                return leaves_out
        return None


def _is_of_all(match: re.Match[str], subject: str) -> bool:
    """Whether a match is that of a path itself, not of a folder above it.

    The one group there is in these expressions is the slash after a folder.
    """
    slash = match.lastindex
    if slash is None:  # of all that lies within `x/`, as by `x/**`
        return not match[0].endswith("/") or match.end() < len(subject)
    return match.end(slash) == len(subject)


def _in_linear_time(regex: str) -> str:
    """An expression of pathspec's, as quick on a name that was made to be slow.

    `*a*a*b` would be tried in all the ways in which a name can be divided. What stands
    between two stars need only be found where it comes first.
    """
    pieces = re.sub(rf"({re.escape(STAR)})+", STAR, regex).split(STAR)
    made = pieces[0]
    for number, piece in enumerate(pieces[1:], 1):
        of_signs = re.sub(r"\\.|\[[^\]]*\]", "", piece)
        is_between = number < len(pieces) - 1 and not set("/(") & set(of_signs)
        made += f"(?>{STAR}?{piece})" if is_between else STAR + piece
    return made


EVERYTHING = Patterns(["*"])


@dataclass(frozen=True)
class Scope:
    """The patterns that hold in a folder: its own first, then those from above.

    Each comes with the length of what their folder's name takes in a path.
    """

    patterns: tuple[tuple[int, Patterns], ...] = ()

    def leaves_out(self, name: str) -> bool:
        """Whether they leave a path out; that of a folder ends in a slash."""
        for start, some in self.patterns:
            verdict = some.verdict(name[start:])
            if verdict is not None:
                return verdict
        return False

    @property
    def leaves_out_all(self) -> bool:
        return bool(self.patterns) and self.patterns[0][1] is EVERYTHING


class Exclusions:
    """The rules by which photos and folders are left out.

    Paths are relative to the folder of photos, with slashes between their parts.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """`patterns`: those of EXCLUDE."""
        own = Patterns(patterns)
        self.top = Scope(((0, own),) if own else ())
        # `!@eaDir` brings one back.
        kept = [
            name
            for name in SYSTEM_FOLDERS
            if own.verdict(f"{name}/") is not False
        ]
        self._system_folders = {name.lower() for name in kept}
        self.globs = [f"**/{name}" for name in kept]
        # Where a folder has rules of its own, as it was last listed.
        self.scopes: dict[str, Scope] = {}
        self._warned: set[str] = set()
        # What was read of a file, for as long as it is the same.
        self._known: dict[str, tuple[Identity, Patterns]] = {}

    def scope_in(
        self, folder: str, hidden: Iterable[os.DirEntry[str]], above: Scope
    ) -> Scope:
        """What holds in a folder, by the hidden files in it; raises OSError."""
        scope = above
        start = len(folder) + 1 if folder else 0
        for entry in hidden:
            if entry.name == NO_MEDIA_FILE:
                return Scope(((start, EVERYTHING),))
            if entry.name == IGNORE_FILE and _is_file(entry):
                own = self._read(entry.path)
                scope = Scope(((start, own), *above.patterns))
        return scope

    def leaves_out_folder(self, name: str, scope: Scope) -> bool:
        """Whether a folder is left out; `scope` is that of the one it lies in."""
        above, _, own = name.rpartition("/")
        small = own.lower()
        if small in self._system_folders or small.endswith(PREVIEWS):
            return True
        if above.lower().endswith(LIBRARIES) and small not in ORIGINALS:
            return True
        return bool(scope.patterns) and scope.leaves_out(f"{name}/")

    def leaves_out(self, name: str) -> bool:
        """Whether a file is left out, by itself or with a folder above it."""
        scope = self.scopes.get("", self.top)
        for end, letter in enumerate(name):
            if letter == "/":
                folder = name[:end]
                if self.leaves_out_folder(folder, scope):
                    return True
                scope = self.scopes.get(folder, scope)
        return scope.leaves_out(name)

    def _read(self, path: str) -> Patterns:
        """The patterns of a file; wrong ones are left aside, with a warning."""
        try:
            with open_regular_file(path) as file:
                identity = identity_of(os.fstat(file.fileno()))
                known = self._known.get(path)
                if known and known[0] == identity:
                    return known[1]
                content = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return Patterns([])  # it has just gone
        self._known[path] = identity, self.read_patterns(path, content)
        return self._known[path][1]

    def read_patterns(self, path: str, content: bytes) -> Patterns:
        """The patterns in an .ignore file's content, as much of it as counts."""
        lines = content.decode("utf-8-sig", errors="surrogateescape").split(
            "\n"
        )
        if len(content) > MOST_BYTES or len(lines) > MOST_LINES:
            # The last one may be cut in two.
            lines = lines[:-1][:MOST_LINES]
            self._warn_once(f"Of {path} the first {len(lines)} lines count.")
        patterns = []
        for line in lines:
            pattern = line.rstrip("\r")
            try:
                check_pattern(pattern)
                patterns.append(pattern)
            except ValueError as error:
                self._warn_once(f"{path} has a wrong pattern: {error}.")
        return Patterns(patterns)

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            logger.warning("%s", message)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether a rule file is one: a link may lead out of the folder."""
    return entry.is_file(follow_symlinks=False)


def describe_left_out(names: set[str]) -> str:
    """Why a folder has no photos, where a rule has left out all it holds."""
    some = sorted(names)[:NAMED]
    more = ", …" if len(names) > NAMED else ""
    return (
        f"IMAGE_DIR has no photos but what is left out ({', '.join(some)}{more}):"
        " by default, by EXCLUDE, or by a .ignore or .nomedia file."
    )
