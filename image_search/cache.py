"""Vectors and facts by what is in a photo: one moved or copied costs no model."""

import json
import sqlite3
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from image_search.dates import Taken
from image_search.looks import PREPROCESSING
from image_search.photos import Facts
from image_search.settings import logger

# Count up when more, or other things, are read of a photo's header.
FACTS_VERSION = 2
# A vector of shape (d,).
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


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

    def __init__(self, file: Path, model: str) -> None:
        """`model` names the space of the vectors."""
        self.file = file
        self.space = f"{model}/{PREPROCESSING}"
        self.earlier_space = f"{model}/{PREPROCESSING - 1}"
        self._database: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def vector(self, digest: bytes) -> Vector | None:
        """The vector of shape (d,) of a photo with this SHA-256, if it is known."""
        ask = "SELECT vector FROM vectors WHERE (model, photo) = (?, ?)"
        for (vector,) in self._execute(ask, self.space, digest):
            return np.frombuffer(vector, np.float32)
        return None

    def has_earlier_vector(self, digest: bytes) -> bool:
        """Whether there is one of when photos were seen in another way."""
        key = self.earlier_space, digest
        return bool(
            self._execute(
                "SELECT 1 FROM vectors WHERE (model, photo) = (?, ?)",
                *key,
            )
        )

    def keep_earlier_vector(self, digest: bytes) -> None:
        """Take it for one of now: this photo is seen as it was."""
        self._execute(
            "UPDATE OR REPLACE vectors SET model = ?"
            " WHERE (model, photo) = (?, ?)",
            self.space,
            self.earlier_space,
            digest,
        )

    def is_damaged(self, digest: bytes) -> bool:
        """Whether a photo that is shown is damaged."""
        ask = "SELECT 1 FROM damaged WHERE photo = ?"
        return bool(self._execute(ask, digest))

    def put_damage(self, digest: bytes, *, is_damaged: bool) -> None:
        """Remember that a photo is damaged, or is not."""
        change = "DELETE FROM damaged WHERE photo = ?"
        if is_damaged:
            change = "INSERT OR IGNORE INTO damaged VALUES (?)"
        self._execute(change, digest)

    def facts(self, digest: bytes) -> Facts | None:
        """What its header tells, if it is known."""
        ask = "SELECT facts FROM headers WHERE (version, photo) = (?, ?)"
        for (facts,) in self._execute(ask, FACTS_VERSION, digest):
            told = json.loads(facts)
            taken = told.pop("taken")
            return Facts(**told, taken=taken and Taken(**taken))
        return None

    def thumbhash(self, digest: bytes) -> str | None:
        """A picture of it in some 25 bytes, in base64, if one was made."""
        ask = "SELECT thumbhash FROM thumbhashes WHERE photo = ?"
        for (thumbhash,) in self._execute(ask, digest):
            return str(thumbhash)
        return None

    def put_thumbhash(self, digest: bytes, thumbhash: str) -> None:
        put = "INSERT OR REPLACE INTO thumbhashes VALUES (?, ?)"
        self._execute(put, digest, thumbhash)

    def text(self, reader: int, digest: bytes) -> str | None:
        """What this version of the reader kept of a photo, if it has read it."""
        ask = "SELECT text FROM texts WHERE (reader, photo) = (?, ?)"
        for (text,) in self._execute(ask, reader, digest):
            return str(text)
        return None

    def put_text(self, reader: int, digest: bytes, text: str) -> None:
        put = "INSERT OR REPLACE INTO texts VALUES (?, ?, ?)"
        self._execute(put, reader, digest, text)

    def put_vector(self, digest: bytes, vector: Vector) -> None:
        put = "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)"
        self._execute(put, self.space, digest, vector)

    def put_facts(self, digest: bytes, facts: Facts) -> None:
        put = "INSERT OR REPLACE INTO headers VALUES (?, ?, ?)"
        self._execute(put, FACTS_VERSION, digest, json.dumps(asdict(facts)))

    def has_vectors(self) -> bool:
        """Whether there is any; makes no database.

        Raises OSError or sqlite3.Error.
        """
        if not self.file.exists():
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
        with self._lock:
            try:
                return self._connect().execute(statement, values).fetchall()
            except sqlite3.OperationalError:
                raise  # such as a full disk
            except sqlite3.DatabaseError as error:
                logger.error("The table of embeddings is made anew: %s", error)
            self._close()
            for file in self.file.parent.glob(f"{self.file.name}*"):
                file.unlink()
            return self._connect().execute(statement, values).fetchall()

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
