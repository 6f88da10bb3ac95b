"""The file of keys: read at the start, and again whenever it changes."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from image_search.files import Identity, identity_of, open_regular_file
from image_search.keys import Keys, read_keys
from image_search.settings import StartupError, logger

LOOK_SECONDS = 1.0  # it is looked at no more often


class KeyFile:
    """The keys in a file, as they are now."""

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Opens nothing yet."""
        self.path = path
        self._clock = clock
        self._keys = Keys({})
        self._identity: Identity | None = None
        self._next_look = -math.inf
        self._said: set[str] = set()  # what is wrong now

    def check_at_start(self) -> None:
        """Raise StartupError if the file can't be read, or has a wrong line."""
        try:
            _, keys, wrong = self._read()
        except (OSError, UnicodeError) as error:
            raise StartupError(
                f"API_KEYS={self.path} can't be read: {_reason(error)}. Name a"
                " file with a line for each key, as `image-search key NAME`"
                " prints it."
            ) from None
        if wrong:
            raise StartupError(f"API_KEYS={self.path}: {'; '.join(wrong)}.")
        if not keys:
            logger.warning(
                "API_KEYS=%s has no key yet: `image-search key NAME` makes one.",
                self.path,
            )

    def name_of(self, key: str) -> str | None:
        """The name that a key goes by; None if it is none of the file's."""
        self._follow()
        return self._keys.name_of(key)

    def _follow(self) -> None:
        """Read the file if it has changed; what can't be read changes nothing."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        try:
            if identity_of(self.path.stat()) == self._identity:
                return
            self._identity, self._keys, wrong = self._read()
        except (OSError, UnicodeError) as error:
            self._identity = None
            reason = _reason(error)
            known = "the keys that were known still open"
            self._say([f"it can't be read: {reason}; {known}"])
            return
        self._say([f"{one}, and opens nothing" for one in wrong])

    def _read(self) -> tuple[Identity, Keys, list[str]]:
        """The file's state, the keys in it, and what is wrong with other lines."""
        with open_regular_file(self.path) as file:
            # Before it is read: what is written meanwhile is read next time.
            identity = identity_of(os.fstat(file.fileno()))
            text = file.read().decode("utf-8-sig")
        return identity, *read_keys(text)

    def _say(self, wrong: list[str]) -> None:
        """Say each once, until it is mended."""
        for one in wrong:
            if one not in self._said:
                logger.warning("API_KEYS=%s: %s.", self.path, one)
        self._said = {*wrong}


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
