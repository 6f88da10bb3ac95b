"""Vectors and facts by what is in a photo: one moved or copied costs no model."""

import functools
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from image_search.dates import Taken
from image_search.looks import PREPROCESSING
from image_search.photos import Facts
from image_search.settings import logger

# Count up when more, or other things, are read of a photo's header.
FACTS_VERSION = 2
# A vector of shape (d,).
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """What is known of a photo; None: it is not."""

    vector: Vector | None = None
    facts: Facts | None = None
    thumbhash: str | None = None  # a picture of it in some 25 bytes, in base64
    is_damaged: bool = False  # though it is shown
    # There is a vector of when photos were seen in another way.
    has_earlier_vector: bool = False


class EmbeddingCache:
    """A database in DATA_DIR that several processes may use.

    It is whole after a loss of power, and made anew where it is damaged.
    """

    TABLES = """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        CREATE TABLE IF NOT EXISTS vectors
            (model, photo, vector, PRIMARY KEY (model, photo)) WITHOUT ROWID;
        DROP TABLE IF EXISTS facts; -- of versions that knew less
        CREATE TABLE IF NOT EXISTS headers
            (version, photo, facts, PRIMARY KEY (version, photo)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS damaged
            (photo PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS thumbhashes
            (photo PRIMARY KEY, thumbhash) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS texts
            (reader, photo, text, PRIMARY KEY (reader, photo)) WITHOUT ROWID;
    """

    def __init__(self, file: Path, model: Callable[[], str]) -> None:
        """`model` names the space of the vectors, which may take a second."""
        self.file = file
        self._model = model
        self._database: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @functools.cached_property
    def space(self) -> str:
        return f"{self._model()}/{PREPROCESSING}"

    @functools.cached_property
    def earlier_space(self) -> str:
        return f"{self._model()}/{PREPROCESSING - 1}"

    def exists(self) -> bool:
        """Whether there is a database, with anything in it or not."""
        return self.file.exists()

    def known(self, digest: bytes) -> Known:
        """What is known of the photo with this SHA-256."""
        # In one question: it is asked of each photo.
        ask = """
            SELECT
                (SELECT vector FROM vectors WHERE (model, photo) = (?, ?)),
                (SELECT facts FROM headers WHERE (version, photo) = (?, ?)),
                (SELECT thumbhash FROM thumbhashes WHERE photo = ?),
                EXISTS (SELECT 1 FROM damaged WHERE photo = ?),
                EXISTS (SELECT 1 FROM vectors WHERE (model, photo) = (?, ?))
        """
        now = self.space, digest, FACTS_VERSION, *3 * (digest,)
        earlier = self.earlier_space, digest
        [(vector, facts, thumbhash, is_damaged, has_earlier)] = self._execute(
            ask, *now, *earlier
        )
        return Known(
            None if vector is None else np.frombuffer(vector, np.float32),
            None if facts is None else _read_facts(facts),
            thumbhash,
            bool(is_damaged),
            bool(has_earlier),
        )

    def keep(
        self,
        digest: bytes,
        *,
        vector: Vector | None = None,
        facts: Facts | None = None,
        thumbhash: str | None = None,
        is_damaged: bool | None = None,
    ) -> None:
        """Keep what is given of a photo: all of it, or nothing."""
        changes: list[tuple[str, tuple[Any, ...]]] = []
        if facts:
            put = "INSERT OR REPLACE INTO headers VALUES (?, ?, ?)"
            told = json.dumps(asdict(facts))
            changes.append((put, (FACTS_VERSION, digest, told)))
        if thumbhash:
            put = "INSERT OR REPLACE INTO thumbhashes VALUES (?, ?)"
            changes.append((put, (digest, thumbhash)))
        if is_damaged:
            put = "INSERT OR IGNORE INTO damaged VALUES (?)"
            changes.append((put, (digest,)))
        elif is_damaged is not None:
            forget = "DELETE FROM damaged WHERE photo = ?"
            changes.append((forget, (digest,)))
        if vector is not None:
            put = "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)"
            changes.append((put, (self.space, digest, vector)))

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.execute("BEGIN")
                for change, values in changes:
                    database.execute(change, values)

        self._run(write)

    def keep_earlier_vector(self, digest: bytes) -> None:
        """Take it for one of now: this photo is seen as it was."""
        self._execute(
            "UPDATE OR REPLACE vectors SET model = ?"
            " WHERE (model, photo) = (?, ?)",
            self.space,
            self.earlier_space,
            digest,
        )

    def text(self, reader: int, digest: bytes) -> str | None:
        """What this version of the reader kept of a photo, if it has read it."""
        ask = "SELECT text FROM texts WHERE (reader, photo) = (?, ?)"
        for (text,) in self._execute(ask, reader, digest):
            return str(text)
        return None

    def put_text(self, reader: int, digest: bytes, text: str) -> None:
        put = "INSERT OR REPLACE INTO texts VALUES (?, ?, ?)"
        self._execute(put, reader, digest, text)

    def has_vectors(self) -> bool:
        """Whether there is any; makes no database.

        Raises OSError or sqlite3.Error.
        """
        if not self.exists():
            return False
        ask = "SELECT 1 FROM vectors WHERE model = ? LIMIT 1"
        return bool(self._execute(ask, self.space))

    def open(self) -> None:
        """Make the tables if need be; raises OSError or sqlite3.Error."""
        self._execute("SELECT 1")

    def close(self) -> None:
        with self._lock:
            self._close()

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        return self._run(
            lambda database: database.execute(statement, values).fetchall()
        )

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the database; again with a new one if it is damaged."""
        with self._lock:
            try:
                return work(self._connect())
            except sqlite3.OperationalError:
                raise  # such as a full disk
            except sqlite3.DatabaseError as error:
                logger.error("The table of embeddings is made anew: %s", error)
            self._close()
            for file in self.file.parent.glob(f"{self.file.name}*"):
                file.unlink()
            return work(self._connect())

    def _connect(self) -> sqlite3.Connection:
        if self._database is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(
                self.file, isolation_level=None, check_same_thread=False
            )
            try:
                database.executescript(self.TABLES)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _read_facts(written: str) -> Facts:
    told = json.loads(written)
    taken = told.pop("taken")
    return Facts(**told, taken=taken and Taken(**taken))
