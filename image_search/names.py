"""Finds photos by what they and their folders are called.

    words of all names -> SQLite's full-text index
    "2024/summer"      -> the photos so called

A word is what letters or digits stand together, without case and accents:
IMG_4006.JPG has img, 4006 and jpg. SwissAlps has swissalps, and its parts too.
"""

import difflib
import sqlite3
import threading
from collections.abc import Collection, Iterator
from typing import Any

from image_search.name_words import parts_of, words_of

# Words of a question beyond which it is no name.
MOST_WORDS = 24
# Letters or digits that stand for the beginning of a word.
SHORTEST_BEGINNING = 3
# Folders whose spelling is compared letter by letter.
MOST_COMPARED = 5000
ALIKE = 0.7  # of 1
# Of the first and the last word of a name, where it is asked for as a whole.
BEGIN, END = "«", "»"

TABLE = """
    CREATE VIRTUAL TABLE names USING fts5(
        whole_name, whole_folders, name, folders, parts, photo UNINDEXED,
        tokenize = ascii
    )
"""
INSERT = "INSERT INTO names VALUES (?, ?, ?, ?, ?, ?)"
ROWS_AT_ONCE = 2000


def _whole(name: str) -> str:
    return f"{BEGIN}{' '.join(words_of(name))}{END}"


def _split_suffix(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    return (stem, suffix) if dot and stem else (name, "")


def _row(photo: str) -> tuple[str, ...]:
    *above, name = photo.split("/")
    stem, suffix = _split_suffix(name)
    return (
        f"{_whole(stem)} {' '.join(words_of(suffix))}",
        " ".join(map(_whole, above)),
        " ".join(words_of(name)),
        " ".join(words_of(" ".join(above))),
        " ".join(sorted(parts_of(photo))),
        photo,
    )


class NameIndex:
    """The names of a folder's photos; 200,000 of them take some 60 MB.

    Several threads may ask at once, while one follows the folder.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._photos: Collection[str] = ()
        self._database = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        self._database.execute(TABLE)

    def follow(self, photos: Collection[str]) -> None:
        """Know these photos, by their paths below the folder, and no others."""
        if photos is self._photos:
            return
        known, now = set(self._photos), set(photos)
        if gone := known - now:
            with self._lock:
                self._forget(gone)
        new = sorted(now - known)
        for start in range(0, len(new), ROWS_AT_ONCE):
            # Made before others have to wait for them.
            rows = [*map(_row, new[start : start + ROWS_AT_ONCE])]
            with self._lock:
                self._database.executemany(INSERT, rows)
        self._photos = photos

    def find(self, question: str, most: int, folder: str = "") -> list[str]:
        """The photos that are so called, the best first, `most` of them.

        They come in this order: whose name, with its suffix or without, or path is
        what is asked for; those in a folder of that name; all words are words of the
        name, or of the path; all words are beginnings of such. `folder`: below it.
        """
        matches = [*_matches(question)]
        if not matches:
            return []
        found: dict[str, None] = {}
        within = below = ""
        if folder:
            whole = " ".join(map(_whole, folder.split("/")))
            within, below = f' AND whole_folders : "{whole}"', f"{folder}/"
        # Most questions are no name: the last one, which lets all through that
        # another would, tells at once.
        if not self._ask(f"({matches[-1]}){within}", below, 1):
            return []
        for match in matches:
            rows = self._ask(f"({match}){within}", below, most)
            found |= dict.fromkeys(rows)
            if len(found) >= most:
                break
        return [*found][:most]

    def _ask(self, match: str, below: str, most: int) -> list[str]:
        ask = "SELECT photo FROM names WHERE names MATCH ?"
        values: list[Any] = [match]
        if below:  # the words of two folders may be the same
            ask += " AND substr(photo, 1, ?) = ?"
            values += [len(below), below]
        with self._lock:
            rows = self._database.execute(f"{ask} LIMIT ?", [*values, most])
            return [photo for (photo,) in rows]

    def _forget(self, photos: set[str]) -> None:
        rows = self._database.execute("SELECT rowid, photo FROM names")
        ids = [(id,) for id, photo in rows if photo in photos]
        self._database.executemany("DELETE FROM names WHERE rowid = ?", ids)

    def close(self) -> None:
        self._database.close()


def folders_called(question: str, photos: Collection[str]) -> list[str]:
    """The folders above photos that have the name, or end in the path, asked for."""
    asked = [words_of(part) for part in _path(question)]
    found: dict[str, None] = {}
    for photo in photos if asked else ():
        above = photo.split("/")[:-1]
        for end in range(len(asked), len(above) + 1):
            names = above[end - len(asked) : end]
            if [words_of(name) for name in names] == asked:
                found.setdefault("/".join(above[:end]))
    return [*found]


def similar_folders(
    asked: str, folders: Collection[str], most: int
) -> list[str]:
    """The folders, by their paths, whose spelling is nearest to one, best first.

    Those that differ by case or accents alone come first, then those that end in
    what is asked for, then those with a letter or two of difference.
    """
    words = words_of(asked)
    spelled = {folder: words_of(folder) for folder in folders}
    same = [folder for folder, its in spelled.items() if its == words]
    ends = [
        folder
        for folder, its in spelled.items()
        if words and its[-len(words) :] == words
    ]
    some = sorted(spelled)[:MOST_COMPARED]
    by_case = {folder.casefold(): folder for folder in some}
    near = [
        by_case[folder]
        for folder in difflib.get_close_matches(
            asked.casefold(), by_case, most, ALIKE
        )
    ]
    return [*dict.fromkeys([*sorted(same), *sorted(ends), *near])][:most]


def _path(question: str) -> list[str]:
    """The names of a path, whichever slash is between them."""
    names = question.replace("\\", "/").split("/")
    return [name for name in names if words_of(name)]


def _matches(question: str) -> Iterator[str]:
    """What to ask SQLite one after another, in its language.

    The last one finds whatever another finds.
    """
    words = words_of(question)
    if not words or len(words) > MOST_WORDS:
        return
    *above, name = path = _path(question)
    folders = f'whole_folders : "{" ".join(map(_whole, path))}"'
    within = ""
    if above:
        within = f' AND whole_folders : "{" ".join(map(_whole, above))}"'
    stem, suffix = _split_suffix(name)
    yield f'whole_name : ^ "{_whole(name)}"{within}'
    if words_of(stem) and words_of(suffix):
        whole = f"{_whole(stem)} {' '.join(words_of(suffix))}"
        yield f'whole_name : ^ "{whole}"{within}'
    yield folders

    whole_words = " AND ".join(f'"{word}"' for word in words)
    beginnings = " AND ".join(
        f'"{word}"{" *" * (len(word) >= SHORTEST_BEGINNING)}' for word in words
    )
    for all_of_them in dict.fromkeys([whole_words, beginnings]):
        yield f"{{name parts}} : ({all_of_them})"
        yield f"{{name folders parts}} : ({all_of_them})"
