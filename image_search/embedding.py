"""A photo's vector, computed at most once: by a cache, two pools, and in batches."""

import asyncio
import contextlib
import functools
import hashlib

from image_search.cache import FACTS_VERSION, EmbeddingCache, Known
from image_search.clip import DualEncoder, Embedding
from image_search.dates import NOT_TOLD
from image_search.device_batch import (
    import_libraries,
    measured_batch,
    start_images,
)
from image_search.embedded_photo import EmbeddedPhoto
from image_search.hardware import usable_cores
from image_search.in_flight import rows_for
from image_search.jpeg_decoders import JpegDecoders
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
from image_search.text_encoder import TextEncoder
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
# Bytes whose hash takes no longer than to have another thread make it.
HASHED_AT_ONCE = 2**18
CORES = usable_cores()
# The threads that numpy's BLAS starts, which no decoder needs, spin for a while.
# Only in the workers that decode: some builds of PyTorch use a BLAS of this name.
DECODER_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}


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
        jpeg_decoders: JpegDecoders | None = None,
    ) -> None:
        self.encoder = encoder
        self.cache = cache
        self.thumbnails = thumbnails
        self.decode_pool = decode_pool
        self.towers = towers  # the model's image tower, on each device
        self.jpeg_decoders = jpeg_decoders
        self.text = TextEncoder(encoder)  # this process holds the text tower
        self.pulse = Pulse()
        self._decoding = asyncio.Semaphore(CORES)
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    def from_settings(
        cls, settings: Settings, encoder: DualEncoder
    ) -> "Embedder":
        vectors = settings.data_dir / "vectors.sqlite"
        jpeg_decoders = JpegDecoders(settings.data_dir / "jpeg-notes")
        variables = DECODER_ENVIRONMENT | jpeg_decoders.environment
        return cls(
            encoder,
            EmbeddingCache(vectors, lambda: encoder.key),
            ThumbnailCache(settings.thumbnail_folder),
            # Indexing takes all but one, so that requests need not wait.
            WorkerPool(CORES + 1, DECODE_SECONDS, variables, DECODER_BYTES),
            Towers(
                encoder,
                functools.partial(Pipeline, EMBED_SECONDS, depth=CORES + 1),
                TowerJobs(import_libraries, start_images, measured_batch),
            ),
            jpeg_decoders,
        )

    async def embed_photo(self, content: bytes) -> EmbeddedPhoto:
        """Embed a photo of the folder, and read what is to know about it."""
        if content == STAND_IN:
            raise PhotoAway
        with self.pulse.working():
            return await self._embed_photo(content)

    async def _embed_photo(self, content: bytes) -> EmbeddedPhoto:
        digest, known = await self._look_up(content)
        remarks: list[str] = []
        try:
            if known.vector is None:
                known = await self._earlier_vector(digest, content, known)
            if known.vector is None:
                reading = await self._decode(content)
                remarks = reading.remarks
                vector = await self.towers.embed(reading.pixels)
                known = await asyncio.to_thread(
                    self._keep, digest, vector, reading
                )
            facts = known.facts
            if facts is None:
                async with self._decoding:
                    facts = await asyncio.to_thread(
                        self._read_facts, digest, content
                    )
        except (PhotoError, WorkerError) as error:
            return EmbeddedPhoto.skipped(digest, error)
        thumbhash = known.thumbhash or await self._thumbhash(digest, content)
        return EmbeddedPhoto(
            embedding=known.vector,
            error=None,
            width=facts.width,
            height=facts.height,
            taken=facts.taken or NOT_TOLD,
            sha256=digest.hex(),
            damaged=known.is_damaged,
            remarks="; ".join(remarks) or None,
            details={**facts.details},
            thumbhash=thumbhash,
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

    async def prepare_query(self, text: str) -> None:
        """Have the model embed a description that it does not know yet."""
        await self.text.prepare(text)

    def knows_query(self, text: str) -> bool:
        """Whether a description costs no model: it was asked for before."""
        return self.text.knows(text)

    def unread(self, text: str) -> str:
        """The end of a description that the model has no room for, or ""."""
        return self.text.unread(text)

    def load_image_tower(self) -> None:
        """Have workers load it; should it fail, the first photo's error says why."""
        self.towers.load()
        if self.jpeg_decoders:
            self.jpeg_decoders.start(self.towers.devices)

    def end_workers(self) -> None:
        """End them without waiting for their work; from any thread."""
        self.decode_pool.close()
        self.towers.close()
        if self.jpeg_decoders:
            self.jpeg_decoders.close()

    def close(self) -> None:
        self.end_workers()
        self.text.close()
        self.cache.close()

    async def _look_up(self, content: bytes) -> tuple[bytes, Known]:
        """Its SHA-256, and what is known of it."""
        if len(content) > HASHED_AT_ONCE:
            digest = await asyncio.to_thread(_digest, content)
        else:
            digest = _digest(content)
        return digest, self.cache.known(digest)

    async def _earlier_vector(
        self, digest: bytes, content: bytes, known: Known
    ) -> Known:
        """With the vector that the version before computed, if it saw the same."""
        if not known.has_earlier_vector:
            return known
        look = functools.partial(
            self.decode_pool.run, looks_as_before, content, tries=1
        )
        async with self._decoding:
            with contextlib.suppress(WorkerError):
                if await asyncio.to_thread(look):
                    keep = self.cache.keep_earlier_vector
                    await asyncio.to_thread(keep, digest)
        return await asyncio.to_thread(self.cache.known, digest)

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
        self.cache.keep(digest, facts=facts)
        return facts

    async def _thumbhash(self, digest: bytes, content: bytes) -> str | None:
        """Of a known photo that has none yet: its small copy is looked at."""
        small = self.thumbnails.find(version_of(digest.hex()), THUMBNAIL_SIZE)
        async with self._decoding:
            with contextlib.suppress(OSError, PhotoError, WorkerError):
                if small:
                    content = await asyncio.to_thread(small.read_bytes)
                look = functools.partial(
                    self.decode_pool.run, read_thumbhash, content, tries=1
                )
                made: str = await asyncio.to_thread(look)
                keep = functools.partial(self.cache.keep, thumbhash=made)
                await asyncio.to_thread(keep, digest)
                return made
        return None

    def _keep(
        self, digest: bytes, vector: Embedding, reading: Reading
    ) -> Known:
        version = version_of(digest.hex())
        self.thumbnails.forget(version)
        self.thumbnails.put(version, THUMBNAIL_SIZE, reading.thumbnail)
        facts, thumbhash = reading.facts, reading.thumbhash
        is_damaged = reading.is_damaged
        self.cache.keep(
            digest,
            vector=vector,
            facts=facts,
            thumbhash=thumbhash,
            is_damaged=is_damaged,
        )
        return Known(vector, facts, thumbhash, is_damaged)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
