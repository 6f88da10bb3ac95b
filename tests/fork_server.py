"""Starts the app in the time that its own imports take, by forks of a process that has PyTorch.

To import PyTorch and transformers takes three seconds of CPU, which each of some two hundred starts
would take, and each of the workers that embed. What is forked has nothing else: it runs a program
as Python does, with an environment, a session and files of its own. Tests of the very start begin
`python main.py` itself.

A worker is started by the app, as a child of its own: what the app takes for Python borrows a fork
(tests/borrower.py), and lives and dies with it.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
MESSAGE_BYTES = 1 << 20  # more than any environment has
# What takes long, and starts no thread; of the models the classes of those that are tested with.
IMPORTED = (
    "fastapi",
    "pydantic_settings",
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
        self._folder = Path(tempfile.mkdtemp(prefix="image-search-forks-"))
        _make_python(self._folder)
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
                    str(self._folder),
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

    def start(
        self,
        environment: dict[str, str],
        files: Sequence[int],
        *command: str,
    ) -> Forked:
        """Start a program, or -m and a module; `files` are its stdin, stdout and stderr."""
        wanted = {"environment": environment, "command": command}
        with self._asking, self._started:
            self._last = None
            request = json.dumps(wanted).encode()
            socket.send_fds(self._socket, [request], files)
            self._started.wait_for(lambda: self._last)
            assert self._last
            return self._last

    def _close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

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


def _make_python(folder: Path) -> None:
    """Make what the app takes for Python."""
    python = folder / "python"
    code = (ROOT / "tests" / "borrower.py").read_text()
    # Isolated, and without what is installed: it starts in no time.
    python.write_text(f"#!{sys.executable} -IS\n{code}")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)


class _Server:
    """What forks whenever it is asked to, until the tests are gone."""

    def __init__(self, connection: socket.socket, folder: Path) -> None:
        self.connection = connection
        self.python = folder / "python"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(folder / "socket"))
        self.listener.listen(100)
        self.children, wakeup = socket.socketpair()
        for end in self.children, wakeup:
            end.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup.fileno())
        self.wakeup = wakeup  # kept open
        self.borrowers: dict[int, socket.socket] = {}
        self.lent: set[int] = set()

    def serve(self) -> None:
        with selectors.DefaultSelector() as self.selector:
            for one in (self.children, self.connection, self.listener):
                self.selector.register(one, selectors.EVENT_READ)
            while True:
                for key, _ in self.selector.select():
                    if key.fileobj is self.children:
                        self.children.recv(1024)
                        self._tell_who_ended()
                    elif key.fileobj is self.listener:
                        self._lend()
                    elif key.fileobj is not self.connection:
                        self._take_back(key.data)
                    elif not self._start():
                        return

    def _start(self) -> bool:
        """Start a program for the tests; False if they are gone."""
        request, files, _, _ = socket.recv_fds(
            self.connection, MESSAGE_BYTES, 3
        )
        if not request:
            return False
        pid = os.fork()
        if not pid:
            wanted = json.loads(request)
            self._leave()
            _begin(wanted["environment"], files, [0, 1, 2])
            # Its workers are lent ones.
            sys.executable = str(self.python)
            _run(*wanted["command"])
        for file in files:
            os.close(file)
        self.connection.send(json.dumps({"pid": pid}).encode())
        return True

    def _lend(self) -> None:
        """Start a module for an app, which has a child that lives and dies with it."""
        borrower, _ = self.listener.accept()
        request, files, _, _ = socket.recv_fds(borrower, MESSAGE_BYTES, 200)
        if not request:  # it has gone already
            borrower.close()
            return
        pid = os.fork()
        if not pid:
            wanted = json.loads(request)
            borrower.close()
            self._leave()
            _begin(wanted["environment"], files, wanted["files"])
            _run("-m", *wanted["command"])
        for file in files:
            os.close(file)
        self.lent.add(pid)
        self.borrowers[pid] = borrower
        self.selector.register(borrower, selectors.EVENT_READ, pid)
        self._tell(borrower, pid=pid)

    def _leave(self) -> None:
        """In a fork: close what is the server's, which else would be closed at its end.

        By then the numbers of these files are those of others.
        """
        signal.set_wakeup_fd(-1)
        self.selector.close()
        sockets = self.connection, self.listener, self.children, self.wakeup
        for one in (*sockets, *self.borrowers.values()):
            one.close()

    def _take_back(self, pid: int) -> None:
        """The app has killed its child."""
        self._forget(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _forget(self, pid: int) -> None:
        borrower = self.borrowers.pop(pid)
        self.selector.unregister(borrower)
        borrower.close()

    def _tell(self, whom: socket.socket, **what: Any) -> None:
        with contextlib.suppress(OSError):  # it has gone
            whom.send(json.dumps(what).encode())

    def _tell_who_ended(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                code = os.waitstatus_to_exitcode(status)
                if pid not in self.lent:
                    self._tell(self.connection, pid=pid, code=code)
                elif pid in self.borrowers:
                    self._tell(self.borrowers[pid], code=code)
                    self._forget(pid)
                self.lent.discard(pid)


def _begin(
    environment: dict[str, str], files: list[int], numbers: list[int]
) -> None:
    """Make a fork of this process a process of its own, which has these files alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    is_open = [int(one.name) for one in Path("/proc/self/fd").iterdir()]
    above = 1 + max(*is_open, *numbers)
    moved = [os.dup2(file, above + file) for file in files]
    os.closerange(0, above)
    for file, number in zip(moved, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)


def _run(program: str, *arguments: str) -> NoReturn:
    """Do what Python does with a program, or with -m and a module, and end as it does."""
    if program == "-m":
        sys.argv[:] = arguments
        sys.path[0] = str(ROOT)
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = [program, *arguments]
        sys.path[0] = str(Path(program).absolute().parent)
        runpy.run_path(program, run_name="__main__")
    sys.exit()


def _main(connection: int, folder: str) -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # to look through it would copy it, in each fork
    _Server(socket.socket(fileno=connection), Path(folder)).serve()


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
