"""Processes, each of which may end at any moment, also while it is looked at."""

import contextlib
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")


def of_each(
    processes: Iterable[psutil.Process], question: Callable[[psutil.Process], T]
) -> list[T]:
    """What each says; one that ends meanwhile says nothing."""
    answers = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            answers.append(question(process))
    return answers


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill those that still run: a server's own end by themselves when it is killed."""
    of_each(processes, psutil.Process.kill)
