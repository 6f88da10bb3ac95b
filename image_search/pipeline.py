"""One worker with two jobs under way: the next is sent while one is done.

So what it works with, a GPU say, never waits for the pipe.
"""

import contextlib
import itertools
import pickle
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from image_search.worker_process import KILL_SECONDS, WorkerProcess
from image_search.workers import (
    KILLS,
    NICENESS,
    TRIES,
    PoolClosed,
    PoolUnavailable,
    WorkerError,
)

DEPTH = 2  # jobs under way: one is done, the next made ready
Answer = tuple[bool, Any]  # whether it succeeded; what was returned or raised


class Lost(Exception):
    """The worker has gone, with all that was under way."""

    def __init__(self, *, was_killed: bool, jobs: int) -> None:
        super().__init__()
        self.was_killed = was_killed  # by others, and not by a job
        self.jobs = jobs


class Turns:
    """Some jobs are under way together, or one alone."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._under_way = 0
        self._is_alone = False
        self._want_to_be_alone = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, *, alone: bool, urgent: bool) -> Iterator[None]:
        """Wait for a turn; an urgent job waits for one that is alone, and no other."""
        with self._changed:
            if alone:
                self._want_to_be_alone += 1
                self._changed.wait_for(lambda: not self._under_way)
                self._want_to_be_alone -= 1
            else:
                self._changed.wait_for(
                    lambda: not self._is_alone and (urgent or self._has_room())
                )
            self._is_alone = alone
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._under_way -= 1
                self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._under_way < self.most and not self._want_to_be_alone


class Pipeline:
    """Runs jobs in one worker, first come first served, started when there is work."""

    def __init__(
        self, seconds: float, depth: int = DEPTH, niceness: int = NICENESS
    ) -> None:
        """`seconds`: how long a job may take before its worker is killed."""
        self.seconds = seconds
        self.niceness = niceness
        self.failure = (
            f"it crashed the decoder, or took {seconds:g} s, three times"
        )
        self.trouble = ""  # why no worker can be had, since one could
        self._turns = Turns(depth)
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._closed = False

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        tries: int = TRIES,
        urgent: bool = False,
        alone: bool = False,
    ) -> Any:
        """Call a module's function in the worker, and return or raise what it does.

        `urgent`: before all others that wait; `alone`: beside no other. A worker that
        dies with several jobs under way is no fault of any of them: each is done again
        alone, and that is what counts. Raises WorkerError if so many workers died of
        it or took too long, and PoolUnavailable if there is none to be had, whatever
        the job is.
        """
        job = function.__module__, function.__qualname__, arguments
        kills = 0
        while True:
            try:
                with self._turns.taken(alone=alone, urgent=urgent):
                    answer = self._running().submit(job, urgent=urgent)
                    succeeded, result = answer.result()
                break
            except Lost as lost:
                if self._closed:
                    raise self._unavailable("") from None
                if lost.was_killed:
                    kills += 1
                elif lost.jobs > 1:
                    alone = True
                else:
                    tries -= 1
            if tries == 0:
                raise WorkerError(self.failure)
            if kills == KILLS:
                raise self._unavailable("Workers are killed again and again")
        if not succeeded:
            raise result
        return result

    def workers(self) -> list[int]:
        """The process id of the one that runs, if one does."""
        worker = self._worker
        return [worker.pid] if worker and not worker.is_lost else []

    def close(self) -> None:
        """End the worker, without waiting for its work."""
        with self._lock:
            self._closed = True
            if self._worker:
                self._worker.end()

    def _running(self) -> "_Worker":
        with self._lock:  # so that `close` misses none
            if self._closed:
                raise self._unavailable("")
            if self._worker is None or self._worker.is_lost:
                self._worker = self._start()
            return self._worker

    def _start(self) -> "_Worker":
        try:
            process = WorkerProcess.start(
                self.seconds, {}, None, self.niceness, "staged"
            )
        except OSError as error:
            raise self._unavailable(
                f"The system starts no more processes: {error.strerror}"
            ) from error
        if not process.is_ready():
            process.kill()
            raise self._unavailable("A worker ends before it is ready")
        self.trouble = ""
        return _Worker(process, self.seconds)

    def _unavailable(self, trouble: str) -> PoolUnavailable:
        if self._closed:
            return PoolClosed("The app is being stopped.")
        self.trouble = f"{trouble}."
        return PoolUnavailable(self.trouble)


class _Worker:
    """A process, and the jobs that it has not answered yet."""

    def __init__(self, process: WorkerProcess, seconds: float) -> None:
        self.process = process
        self.pid = process.process.pid
        self.seconds = seconds
        self.is_lost = False
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._numbers = itertools.count()
        self._under_way: dict[int, Future[Answer]] = {}
        threading.Thread(target=self._receive, daemon=True).start()

    def submit(self, job: Any, *, urgent: bool) -> "Future[Answer]":
        """Send a job; what it comes to may be Lost."""
        answer: Future[Answer] = Future()
        with self._changed:
            number = next(self._numbers)
            if self.is_lost:
                answer.set_exception(Lost(was_killed=True, jobs=1))
                return answer
            self._under_way[number] = answer
            self._changed.notify()
        try:
            with self._sending:
                self.process.pipe.send((number, urgent, job))
        except OSError:
            pass  # it has gone, which `_receive` sees
        except (pickle.PicklingError, TypeError, AttributeError):
            with self._changed:
                self._under_way.pop(number, None)
            raise
        return answer

    def end(self) -> None:
        """Kill it: all that is under way is lost."""
        self.process.process.kill()
        with self._changed:
            self.is_lost = True
            self._changed.notify()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.process.wait(KILL_SECONDS)

    def _receive(self) -> None:
        """Hand answers to those who wait for them, until the process is gone."""
        hangs = False
        try:
            while self._has_work():
                if not self.process.pipe.poll(self.seconds):
                    hangs = True
                    break
                number, *answer = self.process.pipe.recv()
                with self._changed:
                    told = self._under_way.pop(number)
                told.set_result((answer[0], answer[1]))
        except (OSError, EOFError):
            pass
        was_killed = not hangs and self.process.was_killed()
        self.process.kill()
        with self._changed:
            self.is_lost = True
            lost = [*self._under_way.values()]
            self._under_way.clear()
        for one in lost:
            one.set_exception(Lost(was_killed=was_killed, jobs=len(lost)))

    def _has_work(self) -> bool:
        """Wait for a job that is under way; False once this is to end."""
        with self._changed:
            while not self._under_way and not self.is_lost:
                self._changed.wait()
            return bool(self._under_way)
