"""Rows of the benchmark's table, and how figures stand in it."""

import sys
import time
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """One of the table; `times` is how many times better it is here."""

    what: str
    other: str = ""  # the tutorial's way, or another program
    here: str = ""
    times: str = ""


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr)


def row(what: str, both: Any, unit: str, *, less: bool = False) -> Row:
    """A row of the other's figure and ours; `less`: the lower of the two is the better one."""
    other, here = both
    times = other / here if less else here / other
    return Row(
        what,
        f"{figure(other)} {unit}",
        f"{figure(here)} {unit}",
        f"{times:.1f}",
    )


def figure(number: float) -> str:
    """Three digits, without an exponent."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def percentiles(seconds: list[float]) -> str:
    p50, p95, p99 = 1000 * np.percentile(seconds, [50, 95, 99])
    return f"{p50:.1f} / {p95:.1f} / {p99:.1f} ms"
