"""A photo's vector, computed at most once: by a cache, two pools, and in batches."""

import asyncio
import contextlib
import functools
import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from image_search.cache import FACTS_VERSION, EmbeddingCache
from image_search.clip import DualEncoder, Embedding, TextEncoder
from image_search.dates import NOT_TOLD, Taken
from image_search.device_batch import (
    import_libraries,
    measured_batch,
    start_images,
)
from image_search.in_flight import rows_for
from image_search.listing import STAND_IN
from image_search.looks import PREPROCESSING, READERS, looks_as_before
from image_search.photos import (
    THUMBNAIL_SIZE,
    Facts,
    Reading,
    read_facts,
    read_photo,
    read_pixels,
    read_thumbhash,
)
from image_search.pipeline import Pipeline
from image_search.pulse import Pulse
from image_search.reasons import OutOfMemory, PhotoError
from image_search.settings import Settings
from image_search.thumbnails import ThumbnailCache, version_of
from image_search.towers import TowerJobs, Towers
from image_search.workers import TRIES, WorkerError, WorkerPool

WITH_THUMBHASH = 1
# When it changes, CocoIndex looks at every photo again.
BEHAVIOR_VERSION = 100 * PREPROCESSING + 10 * FACTS_VERSION + WITH_THUMBHASH
DECODE_SECONDS = 60  # the most that a photo may take
UPLOAD_SECONDS = 10  # the most that one that is sent may take
# More than any photo takes that is not refused: the system ends who wants more.
DECODER_BYTES = 3 * 2**30
EMBED_SECONDS = 600
CORES = os.cpu_count() or 1
# The threads that numpy's BLAS starts, which no decoder needs, spin for a while.
# Only in the workers that decode: some builds of PyTorch use a BLAS of this name.
DECODER_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}


@dataclass
class EmbeddedPhoto:
    """What came of a photo: a vector and facts, or the reason why there are none."""

    embedding: Embedding | None
    error: str | None
    width: int  # pixels, upright; 0 if it can't be read
    height: int
    taken: Taken  # NOT_TOLD by its header: CocoIndex hands no null over
    sha256: str  # of the file, in hexadecimal
    damaged: bool = (
        False  # a part of its file is missing, or wrong, and it is shown
    )
    remarks: str | None = None  # what its decoder said, for the log
    # metadata.Details; CocoIndex would take a dict's type for a table.
    details: Any = field(default_factory=dict)
    thumbhash: str | None = None  # a picture of it in some 25 bytes, in base64


class PhotoAway(Exception):
    """What was read is a file in place of a photo that is away: leave it as it is."""


class Embedder:
    """Embeds the folder's photos, photos that are sent, and words.

    The folder's photos are decoded one by one and embedded batch by batch; a photo
    which is sent never waits for more than one of them.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        cache: EmbeddingCache,
        thumbnails: ThumbnailCache,
        decode_pool: WorkerPool,
        towers: Towers,
    ) -> None:
        self.encoder = encoder
        self.cache = cache
        self.thumbnails = thumbnails
        self.decode_pool = decode_pool
        self.towers = towers  # the model's image tower, on each device
        self.text = TextEncoder(encoder)  # this process holds the text tower
        self.pulse = Pulse()
        self._decoding = asyncio.Semaphore(CORES)
        self._one_at_a_time = asyncio.Lock()

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
            Towers(
                encoder,
                functools.partial(Pipeline, EMBED_SECONDS),
                TowerJobs(import_libraries, start_images, measured_batch),
            ),
        )

    async def embed_photo(self, content: bytes) -> EmbeddedPhoto:
        """Embed a photo of the folder, and read what is to know about it."""
        if content == STAND_IN:
            raise PhotoAway
        with self.pulse.working():
            return await self._embed_photo(content)

    async def _embed_photo(self, content: bytes) -> EmbeddedPhoto:
        digest, vector, facts = await asyncio.to_thread(self._look_up, content)
        if vector is None:
            vector = await self._earlier_vector(digest, content)
        remarks: list[str] = []
        try:
            if vector is None:
                reading = await self._decode(content)
                facts, remarks = reading.facts, reading.remarks
                vector = await self.towers.embed(reading.pixels)
                await asyncio.to_thread(self._keep, digest, vector, reading)
            elif facts is None:
                async with self._decoding:
                    facts = await asyncio.to_thread(
                        self._read_facts, digest, content
                    )
        except (PhotoError, WorkerError) as error:
            notes = getattr(error, "__notes__", [])
            return EmbeddedPhoto(
                embedding=None,
                error=str(error),
                width=0,
                height=0,
                taken=NOT_TOLD,
                sha256=digest.hex(),
                damaged=False,
                remarks="; ".join(notes) or None,
            )
        return EmbeddedPhoto(
            embedding=vector,
            error=None,
            width=facts.width,
            height=facts.height,
            taken=facts.taken or NOT_TOLD,
            sha256=digest.hex(),
            damaged=await asyncio.to_thread(self.cache.is_damaged, digest),
            remarks="; ".join(remarks) or None,
            details={**facts.details},
            thumbhash=await self._thumbhash(digest, content),
        )

    @property
    def readers(self) -> str:
        """What photos are read with, by versions: others may read what these can't."""
        return f"{READERS}, {self.encoder.key}, {BEHAVIOR_VERSION}"

    @property
    def passing_errors(self) -> set[str]:
        """Why a photo can't be read that may well be read after a restart."""
        return {self.towers.failure, str(OutOfMemory())}

    def most_rows(self) -> int:
        """How many photos under way keep the devices busy."""
        return rows_for(self.towers.images_under_way())

    @property
    def trouble(self) -> str:
        """Why no worker can be had just now, or nothing."""
        return self.decode_pool.trouble or self.towers.trouble

    def embed_upload(self, content: bytes) -> Embedding:
        """Embed a photo that was sent; raises PhotoError."""
        try:
            view, seconds = self.encoder.view, UPLOAD_SECONDS
            pixels = self.decode_pool.run(
                read_pixels, content, *view, tries=1, seconds=seconds
            )
            return self.towers.embed_at_once(pixels)
        except WorkerError as error:
            raise PhotoError(str(error)) from None

    def embed_query(self, text: str) -> Embedding:
        """Embed a description, in the photos' space; one asked again costs no model."""
        return self.text.embed(text)

    def knows_query(self, text: str) -> bool:
        """Whether a description costs no model: it was asked for before."""
        return self.text.knows(text)

    def unread(self, text: str) -> str:
        """The end of a description that the model has no room for, or ""."""
        return self.text.unread(text)

    def load_image_tower(self) -> None:
        """Have workers load it; should it fail, the first photo's error says why."""
        self.towers.load()

    def end_workers(self) -> None:
        """End them without waiting for their work; from any thread."""
        self.decode_pool.close()
        self.towers.close()

    def close(self) -> None:
        self.end_workers()
        self.text.close()
        self.cache.close()

    def _look_up(
        self, content: bytes
    ) -> tuple[bytes, Embedding | None, Facts | None]:
        digest = hashlib.sha256(content).digest()
        return digest, self.cache.vector(digest), self.cache.facts(digest)

    async def _earlier_vector(
        self, digest: bytes, content: bytes
    ) -> Embedding | None:
        """The vector that the version before computed, if it saw the same."""
        if not await asyncio.to_thread(self.cache.has_earlier_vector, digest):
            return None
        look = functools.partial(
            self.decode_pool.run, looks_as_before, content, tries=1
        )
        async with self._decoding:
            with contextlib.suppress(WorkerError):
                if await asyncio.to_thread(look):
                    keep = self.cache.keep_earlier_vector
                    await asyncio.to_thread(keep, digest)
        return await asyncio.to_thread(self.cache.vector, digest)

    async def _decode(self, content: bytes) -> Reading:
        """Read a photo beside others; by itself if that fails.

        Memory may have been short, or a worker ended, because of another one.
        """
        async with self._decoding:
            with contextlib.suppress(WorkerError, OutOfMemory):
                return await asyncio.to_thread(self._read, content, tries=1)
        async with self._one_at_a_time, contextlib.AsyncExitStack() as places:
            for _ in range(CORES):
                await places.enter_async_context(self._decoding)
            return await asyncio.to_thread(self._read, content)

    def _read(self, content: bytes, tries: int = TRIES) -> Reading:
        reading: Reading = self.decode_pool.run(
            read_photo, content, *self.encoder.view, tries=tries
        )
        return reading

    def _read_facts(self, digest: bytes, content: bytes) -> Facts:
        """For a photo whose vector was computed by a version that kept no facts."""
        facts: Facts = self.decode_pool.run(read_facts, content)
        self.cache.put_facts(digest, facts)
        return facts

    async def _thumbhash(self, digest: bytes, content: bytes) -> str | None:
        """A known photo's; where it has none yet, its small copy is looked at."""
        look_up = self.cache.thumbhash
        if known := await asyncio.to_thread(look_up, digest):
            return known
        small = self.thumbnails.find(version_of(digest.hex()), THUMBNAIL_SIZE)
        async with self._decoding:
            with contextlib.suppress(OSError, PhotoError, WorkerError):
                if small:
                    content = await asyncio.to_thread(small.read_bytes)
                look = functools.partial(
                    self.decode_pool.run, read_thumbhash, content, tries=1
                )
                made: str = await asyncio.to_thread(look)
                await asyncio.to_thread(self.cache.put_thumbhash, digest, made)
                return made
        return None

    def _keep(self, digest: bytes, vector: Embedding, reading: Reading) -> None:
        version = version_of(digest.hex())
        self.thumbnails.forget(version)
        self.thumbnails.put(version, THUMBNAIL_SIZE, reading.thumbnail)
        self.cache.put_facts(digest, reading.facts)
        self.cache.put_thumbhash(digest, reading.thumbhash)
        self.cache.put_damage(digest, is_damaged=reading.is_damaged)
        self.cache.put_vector(digest, vector)
