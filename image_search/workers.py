"""Processes that may crash or hang without harm to anybody else.

A pool starts them as `python -m image_search.workers`, each with a pipe of its
own: a pipe that several share would hang once one of them dies while it answers.
A worker imports only the modules of the functions it is asked to run. (Python's
`multiprocessing` would run `main.py` again in each of them.)
"""

import contextlib
import importlib
import os
import pickle
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from image_search.staged_jobs import StagedJobs
from image_search.worker_process import READY, WorkerProcess

TRIES = 3  # that a job has, if its workers die of it
KILLS = 10  # that a job bears with, if its workers are killed by others
KILL_SECONDS = 1  # that killed processes are waited for
NICENESS = 15  # the server, which answers searches, goes first


class WorkerError(Exception):
    """No answer came out of a worker: it died or was too slow, at each try."""


class PoolUnavailable(Exception):
    """No worker can be had just now, whatever the job is."""


class PoolClosed(PoolUnavailable):
    """The pool was closed: the app is being stopped."""


class WorkerPool:
    """Up to `size` workers with one job each at a time, started when there is work."""

    def __init__(
        self,
        size: int,
        seconds: float,
        environment: Mapping[str, str] | None = None,
        memory: int | None = None,
        niceness: int = NICENESS,
    ) -> None:
        """`seconds`: how long a job may take before its worker is killed.

        `environment`: variables that the workers have besides those of this process.
        `memory`: bytes that each may hold, where the system can see to that.
        """
        self.seconds = seconds
        self.memory = memory
        self.niceness = niceness  # 19 gives way to all
        self.environment = environment or {}
        self.failure = (
            f"it crashed the decoder, or took {seconds:g} s, three times"
        )
        self.trouble = ""  # why no worker can be had, since one could
        self._closed = False
        self._lock = threading.Lock()
        self._running: set[WorkerProcess] = set()
        # The one that worked last comes first: its caches are warm.
        self._slots: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        tries: int = TRIES,
        seconds: float | None = None,
    ) -> Any:
        """Call a module's function in a worker, and return or raise what it does.

        `seconds`: what a try may take, if less than others may; also what it waits
        for a worker. Raises WorkerError if so many workers died of it or took too
        long, and PoolUnavailable if there is no worker to be had, whatever the job
        is: all are busy, none starts, they are killed by others, or the pool was
        closed.
        """
        job = function.__module__, function.__qualname__, arguments
        kills = 0
        try:
            worker = self._slots.get(timeout=seconds)
        except queue.Empty:
            raise PoolUnavailable("Too much is being done just now.") from None
        try:
            while True:
                worker = worker or self._start()
                try:
                    succeeded, answer = worker.run(job, seconds or self.seconds)
                    break
                except TimeoutError:
                    tries -= 1
                except (OSError, EOFError):  # it has gone
                    if worker.was_killed():
                        kills += 1
                    else:
                        tries -= 1
                self._end(worker)
                worker = None
                if tries == 0:
                    raise WorkerError(self._failure(seconds))
                if kills == KILLS:
                    raise self._unavailable(
                        "Workers are killed again and again"
                    )
        finally:
            self._slots.put(worker)
        if not succeeded:
            raise answer
        return answer

    def _failure(self, seconds: float | None) -> str:
        if seconds is None:
            return self.failure
        return f"it crashed the decoder, or took {seconds:g} s"

    def workers(self) -> list[int]:
        """The process ids of those that run."""
        with self._lock:
            return [worker.process.pid for worker in self._running]

    def close(self) -> None:
        """End the workers, without waiting for their work."""
        with self._lock:
            self._closed = True
            for worker in self._running:
                worker.process.kill()
            for worker in self._running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(KILL_SECONDS)
            self._running.clear()

    def _start(self) -> WorkerProcess:
        with self._lock:  # so that `close` misses none
            if self._closed:
                raise PoolClosed("The app is being stopped.")
            try:
                worker = WorkerProcess.start(
                    self.seconds, self.environment, self.memory, self.niceness
                )
            except OSError as error:
                raise self._unavailable(
                    f"The system starts no more processes: {error.strerror}"
                ) from error
            self._running.add(worker)
        if not worker.is_ready():
            self._end(worker)
            raise self._unavailable("A worker ends before it is ready")
        self.trouble = ""
        return worker

    def _unavailable(self, trouble: str) -> PoolUnavailable:
        if self._closed:
            return PoolClosed("The app is being stopped.")
        self.trouble = f"{trouble}."
        return PoolUnavailable(self.trouble)

    def _end(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._running.discard(worker)
        worker.kill()


def _run_job(job: Any) -> tuple[bool, Any]:
    """Whether a job succeeded, and what it returned or raised."""
    module, name, arguments = job
    try:
        function = getattr(importlib.import_module(module), name)
        return True, function(*arguments)
    except Exception as error:  # noqa: BLE001, whatever it is, it is the caller's
        return False, error


def _serve(pipe: Connection, seconds: float) -> None:
    """Do jobs until the other end of the pipe is gone."""
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive() -> None:
        try:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    jobs.put(pipe.recv())
        finally:  # the parent is gone: never outlive it, even amid a job
            os._exit(0)

    threading.Thread(target=receive, daemon=True).start()
    with contextlib.suppress(
        OSError
    ):  # the parent is gone, which `receive` sees
        pipe.send(READY)
    while True:
        job = jobs.get()
        # A decoder that hangs may let no other thread run, so that nobody would see the
        # parent go: then the system ends this process by SIGALRM.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        result = _run_job(job)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            pipe.send(result)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            pipe.send((False, RuntimeError(f"{result[1]!r}: {error}")))
        except OSError:
            return  # the parent is gone
        # Not kept until the next one is done: an error holds all that its job had.
        del job, result


def _limit_memory(size: int) -> None:
    """Have the system refuse more than so many bytes: then a job ends by itself."""
    with contextlib.suppress(ValueError, OSError):  # this system can't
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (size, most))


if __name__ == "__main__":
    # Whoever sends it: Ctrl-C is the parent's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(int(sys.argv[4]))
    if memory := int(sys.argv[3]):
        _limit_memory(memory)
    pipe, limit = Connection(int(sys.argv[1])), float(sys.argv[2])
    if sys.argv[5] == "staged":
        StagedJobs(pipe, limit, _run_job).serve()
    _serve(pipe, limit)
