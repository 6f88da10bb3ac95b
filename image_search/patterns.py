"""What is left out, as settings and files say it: in the patterns of a `.gitignore`."""

import re
import warnings
from typing import Annotated, Any

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

# Python's on brackets that a `.gitignore` may have.
warnings.filterwarnings("ignore", category=FutureWarning, module="pathspec")
# In a pattern: each more costs as many times as a path has parts.
MOST_DOUBLE_STARS = 2


def check_pattern(pattern: str) -> None:
    """Raise ValueError if a line of a `.gitignore` is no pattern of one."""
    try:
        compiled = list(GitIgnoreSpec.from_lines([pattern]).patterns)
    except (ValueError, re.error):
        raise ValueError(f"{pattern!r} is no gitignore pattern") from None
    is_none = not pattern.strip() or pattern.startswith("#")
    if not is_none and all(one.include is None for one in compiled):
        raise ValueError(f"{pattern!r} matches nothing")
    for one in compiled:
        if one.regex and one.regex.pattern.count(".+") > MOST_DOUBLE_STARS:
            raise ValueError(f"{pattern!r} has too many **")


def _split_patterns(value: Any) -> Any:
    """The patterns in a setting, divided by commas or line ends."""
    if not isinstance(value, str):
        return value
    lines = value.strip().splitlines()
    if len(lines) > 1:
        lines = [line for line in lines if not line.startswith("#")]
    # A comma that belongs to a name is written with a backslash.
    parts = [part for line in lines for part in re.split(r"(?<!\\),", line)]
    return [part.strip() for part in parts if part.strip()]


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        if pattern.startswith("#"):
            raise ValueError(f"{pattern!r} is a comment: write \\{pattern}")
        check_pattern(pattern)
    return patterns


Patterns = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_split_patterns),
    AfterValidator(_check_patterns),
]
