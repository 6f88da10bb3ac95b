"""What decoders say about a photo while they read it, held for the log."""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import IO

MOST = 2**18  # bytes that are kept of what was said about one photo
LINES = 5
STDERR = 2


@contextlib.contextmanager
def held_remarks() -> Iterator[list[str]]:
    """Hold what libraries write to standard error, and Python's warnings.

    They name no photo. Some of the lines are in the list, each once, when it is over.
    For a process that does one thing at a time.
    """
    remarks: list[str] = []
    with contextlib.ExitStack() as stack:
        told = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        file = stack.enter_context(_open_file())
        sys.stderr.flush()
        before = os.dup(STDERR)
        os.dup2(file.fileno(), STDERR)
        try:
            yield remarks
        finally:
            sys.stderr.flush()
            os.dup2(before, STDERR)
            os.close(before)
            file.seek(0)
            said = file.read(MOST).decode(errors="replace").splitlines()
            said += [str(one.message) for one in told]
            remarks += _shortened(said)


def _open_file() -> IO[bytes]:
    """A file in memory; where the system has none, one that is deleted at once."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("remarks"), "w+b")
    import tempfile  # 1 MiB

    return tempfile.TemporaryFile()


def one_line(text: str) -> str:
    """A text without line breaks and other controls."""
    return re.sub(r"[\s\0-\x1f\x7f]+", " ", text).strip().rstrip(".")


def _shortened(said: list[str]) -> list[str]:
    each = [*dict.fromkeys(one_line(line) for line in said if line.strip())]
    more = len(each) - LINES
    return each[:LINES] + ([f"and {more} more"] if more > 0 else [])
