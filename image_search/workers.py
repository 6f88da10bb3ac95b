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
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TRIES = 3  # that a job has, if its workers die of it
KILLS = 10  # that a job bears with, if its workers are killed by others
START_SECONDS = 60  # that a worker may take until it is ready
READY = "ready"
# The signals by which a process ends that did something wrong itself.
CRASHES = {
    -signal.SIGABRT,
    -signal.SIGALRM,
    -signal.SIGBUS,
    -signal.SIGFPE,
    -signal.SIGILL,
    -signal.SIGSEGV,
    -signal.SIGSYS,
    -signal.SIGTRAP,
}
KILL_SECONDS = 1  # that a killed process is waited for
NICENESS = 15  # the server, which answers searches, goes first


class WorkerError(Exception):
    """No answer came out of a worker: it died or was too slow, at each try."""


class PoolUnavailable(Exception):
    """No worker can be had just now, whatever the job is."""


class PoolClosed(PoolUnavailable):
    """The pool was closed: the app is being stopped."""


class Worker(NamedTuple):
    """One process, and our end of the pipe to it."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    # How often the system had run out of memory before.
    memory_shortages: int | None

    @classmethod
    def start(cls, seconds: float, environment: Mapping[str, str]) -> "Worker":
        """Start one whose jobs may take `seconds`, with some more variables."""
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = str(theirs.fileno()), str(seconds)
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, *arguments],
                cwd=ROOT,  # where `-m` finds this package
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C in a terminal, which goes to a whole session, is ours.
                start_new_session=True,
            )
        shortages = _memory_shortages()
        return cls(process, Connection(ours.detach()), shortages)

    def is_ready(self) -> bool:
        """Wait until it takes jobs; False if it died on the way, or is too slow."""
        with contextlib.suppress(OSError, EOFError):
            return bool(
                self.pipe.poll(START_SECONDS) and self.pipe.recv() == READY
            )
        return False

    def run(self, job: Any, seconds: float) -> Any:
        """Send a job, and wait for what came of it; raises OSError or EOFError."""
        self.pipe.send(job)
        if not self.pipe.poll(seconds):
            raise TimeoutError
        return self.pipe.recv()

    def was_killed(self) -> bool:
        """Whether one that has gone was ended by somebody else, not by its job.

        A system that runs out of memory kills like anybody else does: where it
        counts how often it did (on Linux), the count tells.
        """
        try:
            code = self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        if code >= 0 or code in CRASHES:
            return False
        shortages = _memory_shortages()
        return code != -signal.SIGKILL or (
            shortages is not None and shortages == self.memory_shortages
        )

    def kill(self) -> None:
        self.process.kill()
        # One that waits for a disk dies once the disk answers.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(KILL_SECONDS)
        self.pipe.close()


class WorkerPool:
    """Up to `size` workers with one job each at a time, started when there is work."""

    def __init__(
        self,
        size: int,
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`seconds`: how long a job may take before its worker is killed.

        `environment`: variables that the workers have besides those of this process.
        """
        self.seconds = seconds
        self.environment = environment or {}
        self.failure = (
            f"it crashed the decoder, or took {seconds:g} s, three times"
        )
        self.trouble = ""  # why no worker can be had, since one could
        self._closed = False
        self._lock = threading.Lock()
        self._running: set[Worker] = set()
        # The one that worked last comes first: its caches are warm.
        self._slots: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        tries: int = TRIES,
    ) -> Any:
        """Call a module's function in a worker, and return or raise what it does.

        Raises WorkerError if so many workers died of it or took too long, and
        PoolUnavailable if there is no worker to be had, whatever the job is: none
        starts, they are killed by others, or the pool was closed.
        """
        job = function.__module__, function.__qualname__, arguments
        kills = 0
        worker = self._slots.get()
        try:
            while True:
                worker = worker or self._start()
                try:
                    succeeded, answer = worker.run(job, self.seconds)
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
                    raise WorkerError(self.failure)
                if kills == KILLS:
                    raise self._unavailable(
                        "Workers are killed again and again"
                    )
        finally:
            self._slots.put(worker)
        if not succeeded:
            raise answer
        return answer

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

    def _start(self) -> Worker:
        with self._lock:  # so that `close` misses none
            if self._closed:
                raise PoolClosed("The app is being stopped.")
            try:
                worker = Worker.start(self.seconds, self.environment)
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

    def _end(self, worker: Worker) -> None:
        with self._lock:
            self._running.discard(worker)
        worker.kill()


def _memory_shortages() -> int | None:
    """How many processes Linux has killed for want of memory; None elsewhere."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return None


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


if __name__ == "__main__":
    # Whoever sends it: Ctrl-C is the parent's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    _serve(Connection(int(sys.argv[1])), float(sys.argv[2]))
