"""A photo's vector, computed at most once: by a cache, two pools, and in batches."""

import asyncio
import hashlib
import itertools
import os
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from image_search.clip import DualEncoder, Embedding, TextEncoder, embed_images
from image_search.photos import (
    PREPROCESSING,
    THUMBNAIL_SIZE,
    Facts,
    PhotoError,
    Pixels,
    Reading,
    read_facts,
    read_photo,
    read_pixels,
)
from image_search.settings import Settings, logger
from image_search.thumbnails import ThumbnailCache, version_of
from image_search.workers import WorkerError, WorkerPool

# Count up when more, or other things, are read of a photo's header.
FACTS_VERSION = 1
# When it changes, CocoIndex looks at every photo again.
BEHAVIOR_VERSION = 10 * PREPROCESSING + FACTS_VERSION
DECODE_SECONDS = 60  # the most that a photo may take
UPLOAD_SECONDS = 10  # the most that one that is sent may take
# More than any photo takes that is not refused: the system ends who wants more.
DECODER_BYTES = 3 * 2**30
EMBED_SECONDS = 600
CORES = os.cpu_count() or 1
# The threads that numpy's BLAS starts, which no decoder needs, spin for a while.
# Only in the workers that decode: some builds of PyTorch use a BLAS of this name.
DECODER_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


@dataclass
class EmbeddedPhoto:
    """What came of a photo: a vector and facts, or the reason why there are none."""

    embedding: Embedding | None
    error: str | None
    width: int  # pixels, upright; 0 if it can't be read
    height: int
    taken: str | None  # ISO 8601, local time; None if EXIF doesn't say
    sha256: str  # of the file, in hexadecimal


class EmbeddingCache:
    """Vectors and facts by what is in a photo: one moved or copied costs no model.

    A database in DATA_DIR that several processes may use. It is whole after a loss of
    power, and made anew where it is damaged.
    """

    TABLES = """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        CREATE TABLE IF NOT EXISTS vectors
            (model, photo, vector, PRIMARY KEY (model, photo)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS facts
            (version, photo, width, height, taken, PRIMARY KEY (version, photo))
            WITHOUT ROWID;
    """

    def __init__(self, file: Path, model: str) -> None:
        """`model` names the space of the vectors."""
        self.file = file
        self.space = f"{model}/{PREPROCESSING}"
        self._database: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def vector(self, digest: bytes) -> Embedding | None:
        """The vector of shape (d,) of a photo with this SHA-256, if it is known."""
        ask = "SELECT vector FROM vectors WHERE (model, photo) = (?, ?)"
        for (vector,) in self._execute(ask, self.space, digest):
            return np.frombuffer(vector, np.float32)
        return None

    def facts(self, digest: bytes) -> Facts | None:
        """What its header tells, if it is known."""
        ask = "SELECT width, height, taken FROM facts WHERE (version, photo) = (?, ?)"
        for row in self._execute(ask, FACTS_VERSION, digest):
            return Facts(*row)
        return None

    def put_vector(self, digest: bytes, vector: Embedding) -> None:
        put = "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)"
        self._execute(put, self.space, digest, vector)

    def put_facts(self, digest: bytes, facts: Facts) -> None:
        put = "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)"
        row = facts.width, facts.height, facts.taken
        self._execute(put, FACTS_VERSION, digest, *row)

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


class Embedder:
    """Embeds the folder's photos, photos that are sent, and words.

    The folder's photos are decoded one by one and embedded batch by batch, so that
    a photo which is sent never waits for more than one of them.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        cache: EmbeddingCache,
        thumbnails: ThumbnailCache,
        decode_pool: WorkerPool,
        image_pool: WorkerPool,
    ) -> None:
        self.encoder = encoder
        self.cache = cache
        self.thumbnails = thumbnails
        self.decode_pool = decode_pool
        self.image_pool = image_pool  # its worker holds the model's image tower
        self.text = TextEncoder(encoder)  # this process holds the text tower
        self._decoding = asyncio.Semaphore(CORES)
        self._embedding = asyncio.Lock()
        self._waiting: dict[asyncio.Future[Embedding], Pixels] = {}

    @classmethod
    def from_settings(
        cls, settings: Settings, encoder: DualEncoder
    ) -> "Embedder":
        return cls(
            encoder,
            EmbeddingCache(settings.data_dir / "vectors.sqlite", encoder.key),
            ThumbnailCache(settings.thumbnail_folder),
            # Indexing takes all but one, so that requests need not wait.
            WorkerPool(
                CORES + 1, DECODE_SECONDS, DECODER_ENVIRONMENT, DECODER_BYTES
            ),
            WorkerPool(1, EMBED_SECONDS),
        )

    async def embed_photo(self, content: bytes) -> EmbeddedPhoto:
        """Embed a photo of the folder, and read what is to know about it."""
        digest, vector, facts = await asyncio.to_thread(self._look_up, content)
        try:
            if vector is None:
                async with self._decoding:
                    reading = await asyncio.to_thread(self._read, content)
                facts = reading.facts
                vector = await self._embed(reading.pixels)
                await asyncio.to_thread(self._keep, digest, vector, reading)
            elif facts is None:
                async with self._decoding:
                    facts = await asyncio.to_thread(
                        self._read_facts, digest, content
                    )
        except (PhotoError, WorkerError) as error:
            return EmbeddedPhoto(None, str(error), 0, 0, None, digest.hex())
        return EmbeddedPhoto(
            vector, None, facts.width, facts.height, facts.taken, digest.hex()
        )

    def embed_upload(self, content: bytes) -> Embedding:
        """Embed a photo that was sent; raises PhotoError."""
        try:
            side = self.encoder.image_size
            pixels = self.decode_pool.run(
                read_pixels, content, side, tries=1, seconds=UPLOAD_SECONDS
            )
            vectors = self.image_pool.run(embed_images, self.encoder, [pixels])
        except WorkerError as error:
            raise PhotoError(str(error)) from None
        vector: Embedding = vectors[0]
        return vector

    def embed_query(self, text: str) -> Embedding:
        """Embed a description, in the photos' space; one asked again costs no model."""
        return self.text.embed(text)

    def knows_query(self, text: str) -> bool:
        """Whether a description costs no model: it was asked for before."""
        return self.text.knows(text)

    def load_image_tower(self) -> None:
        """Have the worker load it, and use it once."""
        black = np.zeros((64, 64, 3), np.uint8)
        self.image_pool.run(embed_images, self.encoder, [black])

    def close(self) -> None:
        self.decode_pool.close()
        self.image_pool.close()
        self.text.close()
        self.cache.close()

    def _look_up(
        self, content: bytes
    ) -> tuple[bytes, Embedding | None, Facts | None]:
        digest = hashlib.sha256(content).digest()
        return digest, self.cache.vector(digest), self.cache.facts(digest)

    def _read(self, content: bytes) -> Reading:
        reading: Reading = self.decode_pool.run(
            read_photo, content, self.encoder.image_size
        )
        return reading

    def _read_facts(self, digest: bytes, content: bytes) -> Facts:
        """For a photo whose vector was computed by a version that kept no facts."""
        facts: Facts = self.decode_pool.run(read_facts, content)
        self.cache.put_facts(digest, facts)
        return facts

    def _keep(self, digest: bytes, vector: Embedding, reading: Reading) -> None:
        self.thumbnails.put(
            version_of(digest.hex()), THUMBNAIL_SIZE, reading.thumbnail
        )
        self.cache.put_facts(digest, reading.facts)
        self.cache.put_vector(digest, vector)

    async def _embed(self, image: Pixels) -> Embedding:
        """Embed an image, together with others that wait where that is quicker."""
        mine = asyncio.Future[Embedding]()
        self._waiting[mine] = image
        try:
            async with self._embedding:  # first come, first served
                if not mine.done():
                    await self._embed_batch_with(mine)
            return mine.result()
        finally:
            self._waiting.pop(mine)

    async def _embed_batch_with(self, mine: asyncio.Future[Embedding]) -> None:
        """Embed the images that have waited longest: `mine` comes first."""
        first = itertools.islice(self._waiting.items(), self.encoder.batch_size)
        batch = dict(first)
        try:
            vectors = await self._run_image_tower([*batch.values()])
        except WorkerError:
            if len(batch) == 1:
                raise
            # By itself, so that it does not fail for another one.
            batch = {mine: self._waiting[mine]}
            vectors = await self._run_image_tower([*batch.values()])
        for waiting, vector in zip(batch, vectors, strict=True):
            waiting.set_result(vector)

    async def _run_image_tower(self, images: list[Pixels]) -> list[Embedding]:
        vectors: list[Embedding] = await asyncio.to_thread(
            self.image_pool.run, embed_images, self.encoder, images
        )
        return vectors
