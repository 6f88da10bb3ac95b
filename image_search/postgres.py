"""The embedded Postgres: made whole or not at all, started on good data, stopped.

Data are made in a folder beside their own, and get its name once they are whole. Good
are those on which a server starts and answers. What isn't good, while new data can be
made here, is set aside under another name: nothing but what was half made is deleted.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from image_search.postgres_programs import (
    PostgresError,
    Programs,
    complaint,
    end,
    end_leftovers,
)
from image_search.settings import logger

PORT = 5432  # it names the socket, the only way in
SOCKET = f".s.PGSQL.{PORT}"
# What a server keeps while it runs. One that was killed leaves them behind, and the
# pids in them, which may be anybody's by now, would keep the next one from starting.
LOCK_FILES = ("postmaster.pid", SOCKET, f"{SOCKET}.lock")
LOG = "log"
REPLACED = {*LOCK_FILES, LOG}  # at each start
# What a loss of power takes then, half a second's work at most, CocoIndex does again.
LESS_WAITING = ("-c", "synchronous_commit=off")
LONGEST_SOCKET = 100  # bytes; every system takes 103
START_SECONDS = 120  # after a loss of power it has work to do before it answers
LONGEST_PAUSE = 0.5  # seconds between two questions whether it answers
# This database is the last thing that initdb makes.
IS_WHOLE = "SELECT 1 FROM pg_database WHERE datname = 'postgres'"


class DataDamaged(PostgresError):
    """No server starts on these data, or they are not whole."""


class EmbeddedPostgres:
    """A Postgres whose data lie in a folder, of which nobody else makes use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = Programs()
        self._socket_folder = folder

    @property
    def url(self) -> str:
        # CocoIndex's driver takes no URL without a host, even where it is a socket.
        server = f"postgresql://postgres@localhost:{PORT}/postgres"
        return f"{server}?host={quote(os.fsencode(self._socket_folder))}"

    def start(self) -> None:
        """Start it, on new data where there are no good ones; raises PostgresError."""
        try:
            self._prepare()
            reason = self._start_on_its_data()
            if reason is None:
                return
            # Should this fail, then it is not the data that are in the way.
            new = self._make()
            self._set_aside(reason)
            new.rename(self.folder)
            self._start_server()
        except OSError as error:
            raise PostgresError(str(error)) from error

    def keep_running(self) -> None:
        """Start it again if it has ended; raises PostgresError."""
        if not self._programs.has_ended():
            return
        try:
            self._end_leftovers()
            self._start_server()
        except OSError as error:
            raise PostgresError(str(error)) from error

    def stop(self) -> None:
        """End it, and what makes its data, at any moment and from any thread."""
        self._programs.close()
        if self._socket_folder != self.folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    # --- The data ---------------------------------------------------------------------

    def _prepare(self) -> None:
        """Clear away what is left of an earlier start, and take the files over."""
        self._end_leftovers()
        for leftover in self._half_made():
            shutil.rmtree(leftover, ignore_errors=True)
        self._take_ownership()
        self._programs.let_pass(self._programs.folder)
        self._programs.let_pass(self.folder.parent)
        if self.folder.is_dir():  # or a link to one that lies elsewhere
            self._programs.let_pass(self.folder.resolve().parent)
        if len(os.fsencode(self.folder / SOCKET)) > LONGEST_SOCKET:
            elsewhere = tempfile.mkdtemp(prefix="image-search-")
            self._socket_folder = Path(elsewhere)
            self._programs.give(self._socket_folder)

    def _half_made(self) -> Iterable[Path]:
        return self.folder.parent.glob(f"{self.folder.name}.new-*")

    def _end_leftovers(self) -> None:
        end_leftovers([self.folder, *self._half_made()])

    def _take_ownership(self) -> None:
        """See that Postgres's user has the files: it takes no others."""
        user = self._programs.user_id
        for path in (self.folder, *self.folder.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_uid == user or path.name in REPLACED:
                    continue
                if not self._programs.user:
                    raise PostgresError(
                        f"{path} belongs to another user; give it to yourself, by"
                        f" `sudo chown -R {user} '{self.folder.parent}'`"
                    )
                os.chown(path, user, -1, follow_symlinks=False)
        if self.folder.is_dir():
            # A copy may let others in, which Postgres refuses.
            self.folder.chmod(0o700)

    def _make(self) -> Path:
        """Make new data in a folder of their own, and return it."""
        name = f"{self.folder.name}.new-"
        new = Path(tempfile.mkdtemp(prefix=name, dir=self.folder.parent))
        self._programs.give(new)
        options = ("--auth=trust", "--encoding=utf8", "--username=postgres")
        with tempfile.TemporaryFile() as log:
            initdb = self._programs.start(
                "initdb", *options, f"--pgdata={new}", folder=new, log=log
            )
            code = initdb.wait()
            log.seek(0)
            said = complaint(log.read())
        if code:
            shutil.rmtree(new, ignore_errors=True)
            self._programs.check_open()
            raise PostgresError(said or f"initdb has ended with {code}")
        return new

    def _set_aside(self, reason: str) -> None:
        """Let what goes by the folder's name, if anything, go by another one."""
        if not os.path.lexists(self.folder) or _is_empty(self.folder):
            return
        name = f"{self.folder.name}.damaged-{time.strftime('%Y-%m-%d')}"
        aside = self.folder.with_name(name)
        number = 1
        while os.path.lexists(aside):
            number += 1
            aside = self.folder.with_name(f"{name}-{number}")
        self.folder.rename(aside)
        logger.warning(
            "The embedded Postgres is made anew, for its data are damaged (%s);"
            " they are kept in %s.",
            reason,
            aside,
        )

    # --- The server -------------------------------------------------------------------

    def _start_on_its_data(self) -> str | None:
        """Start it on the data that are there; returns why they are no good."""
        if not os.path.lexists(self.folder) or _is_empty(self.folder):
            return "there are none"
        if not self.folder.is_dir():
            return "they are no folder"
        try:
            self._start_server()
        except DataDamaged:
            # Processes of an earlier one may have needed time to end.
            self._end_leftovers()
            try:
                self._start_server()
            except DataDamaged as error:
                return str(error)
        return None

    def _start_server(self) -> None:
        for folder in {self.folder, self._socket_folder}:
            for name in LOCK_FILES:
                _remove(folder / name)
        log_file = self.folder / LOG
        _remove(log_file)  # what it holds is to tell why this start fails
        data = ("-D", self.folder)
        # No TCP; the folder is one of a list, as Postgres quotes it.
        quoted = str(self._socket_folder).replace('"', '""')
        address = ("-p", PORT, "-k", f'"{quoted}"', "-c", "listen_addresses=")
        with log_file.open("xb") as log:
            self._programs.give(log_file)
            server = self._programs.start(
                "postgres",
                *data,
                *address,
                *LESS_WAITING,
                folder=self.folder,
                log=log,
            )
        try:
            self._wait_until_it_answers(server, log_file)
        except PostgresError:
            end(server)
            raise

    def _wait_until_it_answers(
        self, server: subprocess.Popen[bytes], log_file: Path
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        pause = 0.05
        while server.poll() is None:
            answer = self._programs.query(self._socket_folder, PORT, IS_WHOLE)
            if answer:
                return
            if answer is not None:
                raise DataDamaged("they were never made to their end")
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"it has not answered for {START_SECONDS} s, its log is"
                    f" {log_file}"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._programs.check_open()
        code = server.returncode
        if code in {0, -signal.SIGKILL}:
            raise PostgresError("something else has ended it while it started")
        said = complaint(log_file.read_bytes())
        raise DataDamaged(said or f"it has ended with {code}")


def _is_empty(path: Path) -> bool:
    """Whether it is a folder, no link, with nothing in it."""
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _remove(path: Path) -> None:
    """Delete what goes by a name, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
