"""A worker's jobs, where a device does some while the next is made ready.

The device is given a job only when it is done with one before: whatever is
urgent then goes first, so that it waits for one job and never for two.
"""

import contextlib
import os
import pickle
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from image_search.worker_process import READY

# A function's module, its name and arguments -> whether it succeeded, and what it
# returned or raised.
RunJob = Callable[[Any], tuple[bool, Any]]


class Staged(ABC):
    """What a job returns whose work a device does by itself: it is ready to begin."""

    @property
    def at_once(self) -> int:
        """So many of these the device does beside each other."""
        return 1

    @abstractmethod
    def launch(self) -> None:
        """Have the device begin, and return at once."""

    @abstractmethod
    def wait(self) -> None:
        """Return once the device is done."""

    @abstractmethod
    def result(self) -> Any:
        """What came of it."""


class Job(NamedTuple):
    """One that came through the pipe."""

    number: int
    is_urgent: bool
    work: Any


class Waiting:
    """Jobs that nobody has begun: the urgent ones first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: deque[Job] = deque()
        self._others: deque[Job] = deque()

    def put(self, job: Job) -> None:
        with self._changed:
            (self._urgent if job.is_urgent else self._others).append(job)
            self._changed.notify()

    def get(self) -> Job:
        """The next one; waits for it."""
        with self._changed:
            while not (self._urgent or self._others):
                self._changed.wait()
            return (self._urgent or self._others).popleft()

    def get_urgent(self) -> Job | None:
        with self._changed:
            return self._urgent.popleft() if self._urgent else None


class StagedJobs:
    """Does jobs one after the other, each answered by its number."""

    def __init__(
        self, pipe: Connection, seconds: float, run_job: RunJob
    ) -> None:
        """`seconds`: in which something has to get done, or the system ends it all."""
        self.pipe = pipe
        self.seconds = seconds
        self.run_job = run_job
        self.waiting = Waiting()
        self._at_work = 0
        self._counting = threading.Lock()
        self._sending = threading.Lock()
        self._with_device = 0
        self._device = threading.Condition()

    def serve(self) -> None:
        """Do jobs until the other end of the pipe is gone."""
        threading.Thread(target=self._receive, daemon=True).start()
        with contextlib.suppress(OSError):  # which `_receive` sees
            self.pipe.send(READY)
        while True:
            self._do(self.waiting.get())

    def _receive(self) -> None:
        try:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    self.waiting.put(Job(*self.pipe.recv()))
        finally:  # the parent is gone: never outlive it, even amid a job
            os._exit(0)

    def _do(self, job: Job) -> None:
        """Do all of a job; of a staged one what comes before the device's part."""
        self._count(+1)
        succeeded, made = self.run_job(job.work)
        if not succeeded or not isinstance(made, Staged):
            self._answer(job.number, succeeded, made)
            return
        self._wait_for_device(made.at_once)
        while not job.is_urgent and (urgent := self.waiting.get_urgent()):
            self._do(urgent)
            self._wait_for_device(made.at_once)
        try:
            made.launch()
        except Exception as error:  # noqa: BLE001, it is the caller's
            self._answer(job.number, False, error)  # noqa: FBT003
            return
        self._change_with_device(+1)
        answers = threading.Thread(
            target=self._answer_once_done, args=(job.number, made), daemon=True
        )
        answers.start()

    def _wait_for_device(self, at_once: int) -> None:
        with self._device:
            self._device.wait_for(lambda: self._with_device < at_once)

    def _change_with_device(self, more: int) -> None:
        with self._device:
            self._with_device += more
            self._device.notify()

    def _answer_once_done(self, number: int, staged: Staged) -> None:
        try:
            try:
                staged.wait()
            finally:
                self._change_with_device(-1)
            answer = True, staged.result()
        except Exception as error:  # noqa: BLE001, it is the caller's
            answer = False, error
        self._answer(number, *answer)

    def _answer(self, number: int, succeeded: bool, answer: Any) -> None:  # noqa: FBT001
        self._count(-1)
        with self._sending:
            try:
                self.pipe.send((number, succeeded, answer))
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                told = RuntimeError(f"{answer!r}: {error}")
                self.pipe.send((number, False, told))
            except OSError:
                os._exit(0)  # the parent is gone

    def _count(self, more: int) -> None:
        """Have the system end this process, unless something happens again in time.

        What hangs may let no other thread run, so that nobody would see the parent go.
        """
        with self._counting:
            self._at_work += more
            seconds = self.seconds if self._at_work else 0
            signal.setitimer(signal.ITIMER_REAL, seconds)
