"""DATA_DIR: who uses it, the room on its disk, CocoIndex's state in Postgres."""

import asyncio
import atexit
import functools
import hashlib
import multiprocessing
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote

import cocoindex
import portalocker

from image_search.in_flight import INFLIGHT_BYTES, rows_of_machine
from image_search.postgres import EmbeddedPostgres
from image_search.postgres_programs import PostgresError
from image_search.settings import Settings, StartupError, logger, settings
from image_search.starting_servers import wait_for_postgres

MIN_FREE_BYTES = 50 * 2**20
POSTGRES_CHECK_SECONDS = 2


class DiskFull(StartupError):
    """DATA_DIR's disk is nearly full."""


def check_free_space(data_dir: Path) -> None:
    """Raise DiskFull where little room is left. The folder may not be there yet.

    To write to a file that is mapped into memory would raise SIGBUS on a full disk.
    """
    place = data_dir
    while not place.exists() and place != place.parent:
        place = place.parent
    if shutil.disk_usage(place).free < MIN_FREE_BYTES:
        raise DiskFull(
            f"DATA_DIR={data_dir} is nearly full: make room on its disk."
        )


class EmbeddedStores:
    """The right to use the embedded stores in DATA_DIR, and the Postgres among them.

    They have one process at a time. An app whose stores are both servers needs none.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.data_dir
        self._lock: portalocker.PidFileLock | None = None
        self._records: portalocker.PidFileLock | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._starting = threading.Lock()

    def acquire(self) -> None:
        """Take DATA_DIR for this process; raises StartupError, or OSError."""
        if self._lock is not None:
            return
        check_free_space(self.folder)
        self._lock = self._take(
            "pid",
            "Its embedded stores can't be shared: stop it first, or"
            f" {self._way_out()}.",
        )
        atexit.register(self.close)  # on the command line there is no other end

    def acquire_records(self) -> None:
        """Take what is noted in DATA_DIR of the places of a collection.

        By it each place that an app has no more is forgotten: two apps would forget
        those of each other. Raises StartupError, or OSError.
        """
        if not (
            self.settings.qdrant_url and self.settings.cocoindex_database_url
        ):
            self.acquire()  # all of DATA_DIR
            return
        if self._records is not None:
            return
        collection = self.settings.qdrant_collection
        self._records = self._take(
            f"indexing-{collection}.pid",
            f"It indexes {collection} too: give each app that does a DATA_DIR of its"
            " own.",
        )

    def postgres_url(self) -> str:
        """The URL of the embedded Postgres, which is started if need be."""
        with self._starting:
            if self._postgres is None:
                self.acquire()
                try:
                    # Known before it has started: `close` may come at any moment.
                    self._postgres = EmbeddedPostgres(self.folder / "postgres")
                    self._postgres.start()
                except PostgresError as error:
                    self._postgres = None
                    raise StartupError(
                        f"The embedded Postgres in DATA_DIR={self.folder} does not"
                        f" start: {error}."
                    ) from None
            return self._postgres.url

    async def keep_postgres_running(self) -> None:
        """Start the embedded Postgres again should it be killed.

        A pass of CocoIndex would wait for it for ever.
        """
        last_reason = ""
        while True:
            await asyncio.sleep(POSTGRES_CHECK_SECONDS)
            if self._postgres is None:
                continue  # it is not in use
            try:
                await asyncio.to_thread(self._postgres.keep_running)
            except PostgresError as error:  # such as a full disk: it may pass
                if str(error) != last_reason:
                    last_reason = str(error)
                    logger.warning(
                        "The embedded Postgres does not start: %s.", error
                    )

    def close(self) -> None:
        """Stop Postgres, and leave DATA_DIR to others; from any thread."""
        atexit.unregister(self.close)
        postgres, self._postgres = self._postgres, None
        if postgres is not None:
            postgres.stop()
        for lock in (self._lock, self._records):
            if lock is not None:
                lock.release()
        self._lock = self._records = None

    def _take(self, name: str, advice: str) -> portalocker.PidFileLock:
        """Lock a file of DATA_DIR, which is made if need be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = portalocker.PidFileLock(self.folder / name)
        try:
            lock.acquire()
        except portalocker.AlreadyLocked:
            if multiprocessing.parent_process() is not None:
                advice += " Several of uvicorn's --workers need ROLE=search."
            raise StartupError(
                f"DATA_DIR={self.folder} is in use by process {lock.read_pid()}."
                f" {advice}"
            ) from None
        return lock

    def _way_out(self) -> str:
        missing = []
        if not self.settings.qdrant_url:
            missing.append("QDRANT_URL")
        if not self.settings.cocoindex_database_url:
            missing.append("COCOINDEX_DATABASE_URL")
        return f"set {' and '.join(missing)}"


@functools.cache
def embedded_stores() -> EmbeddedStores:
    """Those of this process; they are opened by who needs them."""
    return EmbeddedStores(settings)


@cocoindex.settings
@functools.cache  # it is asked several times a row
def cocoindex_settings() -> cocoindex.Settings:
    """Where CocoIndex keeps what it has done, with a name for each collection."""
    url = settings.cocoindex_database_url
    if url:
        wait_for_postgres(url)
    else:
        url = embedded_stores().postgres_url()
    database = cocoindex.DatabaseConnectionSpec(
        url=url, min_connections=1, max_connections=10
    )
    return cocoindex.Settings(
        database=database,
        app_namespace=state_name(settings),
        # Of all places together, which share the memory.
        global_execution_options=cocoindex.GlobalExecutionOptions(
            source_max_inflight_rows=rows_of_machine(),
            source_max_inflight_bytes=INFLIGHT_BYTES,
        ),
    )


def state_name(settings: Settings) -> str:
    """What the state of a collection is called in Postgres."""
    name = settings.qdrant_collection
    if settings.qdrant_url:
        # The same name on another server is another collection. Of several addresses
        # the first names it, so that one server may become a cluster.
        first = str(settings.qdrant_url[0])
        server = hashlib.sha256(first.encode()).hexdigest()
        name += f"_{server[:8]}"
    return name


def redact(error: Exception, database_url: str | None) -> str:
    """What CocoIndex says went wrong, in a line, without backtrace and password."""
    message = str(error).partition("Stack backtrace:")[0]
    text = " ".join(message.split())
    if not database_url:
        return text
    text = text.replace(database_url, "COCOINDEX_DATABASE_URL")
    in_the_url = r"(?<=:)[^/]+(?=@)|(?<=[?&]password=)[^&]+"
    for password in re.findall(in_the_url, database_url):
        for spelling in (password, unquote(password)):
            text = text.replace(spelling, "***")
    return text
