"""Keys for programs: made at random, kept as hashes, told from one another."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

KEY_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HASH = re.compile(r"[0-9a-f]{64}")  # SHA-256, in hexadecimal digits


def make_key(name: str) -> tuple[str, str]:
    """A new key, and the line that lets it in.

    Raises ValueError for what is no name.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            "a name has up to 64 letters of English, digits, dots, dashes and"
            " underscores, and begins with a letter or digit"
        )
    key = secrets.token_urlsafe(KEY_BYTES)
    return key, f"{name}:{_hash_of(key)}"


class Keys:
    """The keys that open, by their hashes."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names`: of each hash."""
        self._names = dict(names)

    def __len__(self) -> int:
        return len(self._names)

    def name_of(self, key: str) -> str | None:
        """The name that a key goes by; None if it is none of these.

        It is compared with all of them, so that the time it takes tells nothing.
        """
        given = _hash_of(key)
        found = None
        for known, name in self._names.items():
            if hmac.compare_digest(given, known):
                found = name
        return found


def read_keys(text: str) -> tuple[Keys, list[str]]:
    """The keys that a file lists, and what is wrong with each other line of it.

    A name may have two keys, while one of them is replaced by the other.
    """
    names: dict[str, str] = {}
    wrong = []
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.strip()
        if not line or line.startswith("#"):
            continue
        name, _, hashed = (part.strip() for part in line.partition(":"))
        hashed = hashed.lower()
        # What it says is not repeated: it may be a key, put there by mistake.
        if not NAME.fullmatch(name) or not HASH.fullmatch(hashed):
            wrong.append(
                f"line {number} is not name:hash, as `image-search key NAME`"
                " prints it"
            )
        elif hashed in names:
            wrong.append(f"line {number} has the key of a line before it")
        else:
            names[hashed] = name
    return Keys(names), wrong


def _hash_of(key: str) -> str:
    """A key is long and random, so one quick hash of it can't be undone."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
