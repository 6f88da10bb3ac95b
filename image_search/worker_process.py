"""One process that does jobs, as its parent sees it: started, asked, and ended."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "image_search.workers"
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


class WorkerProcess(NamedTuple):
    """One process, and our end of the pipe to it."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    # How often the system had run out of memory before.
    memory_shortages: int | None

    @classmethod
    def start(
        cls,
        seconds: float,
        environment: Mapping[str, str],
        memory: int | None,
        niceness: int,
        kind: str = "",
    ) -> "WorkerProcess":
        """Start one whose jobs may take `seconds`, with some more variables.

        `kind`: "staged" for one that takes the next job while it does one.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            numbers = theirs.fileno(), seconds, memory or 0, niceness
            arguments = *map(str, numbers), kind
            process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM, *arguments],
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


def _memory_shortages() -> int | None:
    """How many processes Linux has killed for want of memory; None elsewhere."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return None
