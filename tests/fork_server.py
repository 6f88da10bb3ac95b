"""Starts the app in the time that its own imports take, by forks of a process that has PyTorch.

To import PyTorch and transformers takes four seconds of CPU, which each of some two hundred starts
would take. What is forked has nothing else: it runs `main.py` as Python does, with an environment,
a session and a log of its own. Tests of the very start begin `python main.py` itself.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MESSAGE_BYTES = 1 << 20  # more than any environment has
# The classes of the models that are tested with, and what loads them.
IMPORTED = (
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.processing_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.clip.modeling_clip",
    "transformers.models.efficientnet.modeling_efficientnet",
)


class Forked:
    """A forked process, with what tests use of subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal; raises subprocess.TimeoutExpired."""
        if not self.ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired("main.py", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that forks, as the tests see it; it ends with them."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._socket, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.fork_server",
                    str(theirs.fileno()),
                ],
                cwd=ROOT,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self._close)
        self._asking = threading.Lock()
        self._started = threading.Condition()
        self._last: Forked | None = None
        self._running: dict[int, Forked] = {}
        threading.Thread(target=self._receive, daemon=True).start()

    def start(self, environment: dict[str, str], log: int) -> Forked:
        """Start `main.py`; `log` is the file that it writes to."""
        with self._asking, self._started:
            self._last = None
            request = json.dumps(environment).encode()
            socket.send_fds(self._socket, [request], [log])
            self._started.wait_for(lambda: self._last)
            assert self._last
            return self._last

    def _close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()

    def _receive(self) -> None:
        """A thread: hear of processes that were started, or ended."""
        while message := self._socket.recv(MESSAGE_BYTES):
            told = json.loads(message)
            pid = told["pid"]
            if "code" not in told:
                with self._started:
                    self._last = self._running[pid] = Forked(pid)
                    self._started.notify_all()
                continue
            ended = self._running.pop(pid)
            ended.returncode = told["code"]
            ended.ended.set()


@functools.cache
def fork_server(**environment: str) -> ForkServer:
    """The one of this process for an environment; its forks may have other settings."""
    return ForkServer(environment)


def _serve(connection: socket.socket) -> None:
    """Fork whenever it is asked for, until the tests are gone."""
    for module in IMPORTED:
        importlib.import_module(module)
    children, wakeup = socket.socketpair()
    for end in children, wakeup:
        end.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup.fileno())

    while True:
        ready, _, _ = select.select([connection, children], [], [])
        if children in ready:
            children.recv(1024)
            _tell_who_ended(connection)
        if connection in ready:
            request, logs, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 1)
            if not request:
                return
            pid = os.fork()
            if not pid:
                connection.close()
                _become_the_app(json.loads(request), logs[0])
            os.close(logs[0])
            connection.send(json.dumps({"pid": pid}).encode())


def _tell_who_ended(connection: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            connection.send(json.dumps({"pid": pid, "code": code}).encode())


def _become_the_app(environment: dict[str, str], log: int) -> None:
    """Do what `python main.py` does, and end as it does."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = ["main.py"]
    sys.path[0] = str(ROOT)
    runpy.run_path("main.py", run_name="__main__")


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
