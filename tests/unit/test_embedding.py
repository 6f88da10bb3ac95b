"""A photo's vector is computed at most once, and its facts are read with it."""

import asyncio
import contextlib
import hashlib
import io
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from image_search.cache import EmbeddingCache
from image_search.clip import DualEncoder, Embedding
from image_search.colour import Pixels
from image_search.dates import NOT_TOLD, Taken
from image_search.device_batch import (
    import_libraries,
    measured_batch,
    start_images,
)
from image_search.embedded_photo import EmbeddedPhoto
from image_search.embedding import UPLOAD_SECONDS, Embedder, PhotoAway
from image_search.jpeg_decoders import DecoderJobs
from image_search.jpeg_messages import NAME_VARIABLE, address
from image_search.listing import STAND_IN
from image_search.photos import (
    THUMBNAIL_SIZE,
    Facts,
    read_facts,
    read_photo,
    read_pixels,
    read_thumbhash,
)
from image_search.reasons import OutOfMemory, PhotoError
from image_search.settings import Settings
from image_search.thumbnails import ThumbnailCache, version_of
from image_search.towers import Runner, TowerJobs, Towers
from image_search.workers import TRIES, PoolClosed, WorkerError, WorkerPool
from tests import jpeg_standin
from tests.harness import PHOTOS, eventually
from tests.models import embed_images, embed_text

SIDE = 32
TAKEN = Taken("2019-05-01T12:00:00", "exif")
FACTS = Facts(30, 40, TAKEN, {"camera": "Canon EOS 5D"})
DIGEST = hashlib.sha256(b"a photo").digest()


def vector_of(*numbers: float) -> Embedding:
    return np.array(numbers, np.float32)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(side: int) -> bytes:
    """A photo like no other, of `side` x `side` pixels."""
    image = Image.new("RGB", (side, side), (side, 255 - side, 100))
    return encode(image) + uuid.uuid4().bytes


# --- The embedder, with pools that run in this process ------------------------------


class PoolHere(WorkerPool):
    """Does jobs in this process, and notes which; some may be done in another way."""

    def __init__(self, **instead: Callable[..., Any]) -> None:
        super().__init__(1, 60)
        self.instead = instead
        self.jobs: list[str] = []
        self.options: list[dict[str, Any]] = []

    def run(
        self, function: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        self.jobs.append(function.__name__)
        self.options.append(options)
        return self.instead.get(function.__name__, function)(*arguments)


def fake_vectors(
    _: Any, images: list[Pixels], __: Any = None
) -> list[Embedding]:
    """Vectors that tell an image's size and colour."""
    return [vector_of(*image.shape[:2], *image[0, 0]) for image in images]


def no_work(*_: Any) -> Any:
    pytest.fail("this is no work for a model")


NewEmbedder = Callable[..., Embedder]


@pytest.fixture
def new_embedder(tmp_path: Path) -> Iterator[NewEmbedder]:
    """Make embedders on one cache, with pools and a batch size of a test's choice."""
    embedders = []

    def make(
        decode_pool: WorkerPool, image_pool: Runner, batch_size: int = 1
    ) -> Embedder:
        encoder: Any = SimpleNamespace(
            view=(SIDE, None),
            model_input=None,
            batch_size=batch_size,
            devices=("cpu",),
            on=lambda _: encoder,
        )
        jobs = TowerJobs(import_libraries, start_images, measured_batch)
        towers = Towers(encoder, lambda: image_pool, jobs)
        cache = EmbeddingCache(tmp_path / "vectors.sqlite", lambda: "model")
        thumbnails = ThumbnailCache(tmp_path / "thumbs")
        embedders.append(
            Embedder(encoder, cache, thumbnails, decode_pool, towers)
        )
        return embedders[-1]

    yield make
    for embedder in embedders:
        embedder.close()


def embed_all(embedder: Embedder, *photos: bytes) -> list[EmbeddedPhoto]:
    """Embed photos that are under way together."""

    async def embed() -> list[EmbeddedPhoto]:
        return list(await asyncio.gather(*map(embedder.embed_photo, photos)))

    return asyncio.run(embed())


def test_all_of_a_photo_is_known_after_one_visit(
    new_embedder: NewEmbedder,
) -> None:
    """A photo is read once: vector, facts, digest, thumbnail and ThumbHash come of it."""
    decode_pool = PoolHere()
    embedder = new_embedder(decode_pool, PoolHere(start_images=fake_vectors))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.DateTime] = "2019:05:01 12:00:00"
    exif[ExifTags.Base.Model] = "Canon EOS 5D"
    content = encode(Image.new("RGB", (40, 30), "red"), "JPEG", exif=exif)
    [made] = embed_all(embedder, content)
    digest = hashlib.sha256(content).hexdigest()
    assert made.embedding is not None
    assert made.embedding.tolist() == [40, 30, 254, 0, 0]
    assert (made.error, made.sha256) == (None, digest)
    assert (made.width, made.height) == (30, 40)
    assert made.taken == TAKEN
    assert made.details == {"camera": "Canon EOS 5D"}
    assert decode_pool.jobs == ["read_photo"]
    thumbnail = embedder.thumbnails.find(version_of(digest), THUMBNAIL_SIZE)
    assert thumbnail is not None
    reading = read_photo(content, SIDE)
    assert thumbnail.read_bytes() == reading.thumbnail
    assert made.thumbhash == reading.thumbhash


def test_a_known_photo_costs_no_work(new_embedder: NewEmbedder) -> None:
    """A photo that is moved or copied, or seen after a restart, costs no work at all."""
    content = photo(20)
    [first] = embed_all(
        new_embedder(PoolHere(), PoolHere(start_images=fake_vectors)), content
    )
    idle = PoolHere(
        read_photo=no_work,
        read_facts=no_work,
        read_thumbhash=no_work,
        start_images=no_work,
    )
    [again] = embed_all(new_embedder(idle, idle), content)
    assert np.array_equal(again.embedding, first.embedding)  # type: ignore[arg-type]
    again.embedding = first.embedding
    assert again == first


def test_facts_of_a_known_vector_cost_no_model(
    new_embedder: NewEmbedder,
) -> None:
    """A photo that a version embedded which kept no facts has them read, once."""
    decode_pool = PoolHere(read_photo=no_work)
    embedder = new_embedder(decode_pool, PoolHere(start_images=no_work))
    content = photo(20)
    digest = hashlib.sha256(content).digest()
    embedder.cache.keep(digest, vector=vector_of(0.6, 0.8))
    for _ in range(2):
        [made] = embed_all(embedder, content)
        assert made.embedding is not None
        assert made.embedding.tolist() == pytest.approx([0.6, 0.8])
        assert (made.width, made.height) == (20, 20)
    assert decode_pool.jobs == ["read_facts", "read_thumbhash"]


@pytest.mark.parametrize("has_thumbnail", [True, False])
def test_a_thumbhash_comes_of_the_thumbnail_if_there_is_one(
    new_embedder: NewEmbedder, *, has_thumbnail: bool
) -> None:
    """A photo of a version that made none costs no model, and no decoding but once."""
    content = photo(20)
    digest = hashlib.sha256(content).digest()
    seen = []

    def look(content: bytes) -> str:
        seen.append(content)
        return read_thumbhash(content)

    decode_pool = PoolHere(read_photo=no_work, read_thumbhash=look)
    embedder = new_embedder(decode_pool, PoolHere(start_images=no_work))
    embedder.cache.keep(digest, vector=vector_of(0.6, 0.8))
    small = encode(Image.new("RGB", (512, 384), "red"), "JPEG")
    if has_thumbnail:
        version = version_of(digest.hex())
        embedder.thumbnails.put(version, THUMBNAIL_SIZE, small)
    made = [embed_all(embedder, content)[0].thumbhash for _ in range(2)]
    assert seen == [small if has_thumbnail else content]
    assert made == [read_thumbhash(seen[0])] * 2


def test_a_photo_without_a_thumbhash_is_a_photo(
    new_embedder: NewEmbedder,
) -> None:
    """Where none can be made of a known photo it is indexed as before."""

    def fail(_: bytes) -> str:
        raise WorkerError("it crashed the decoder")

    decode_pool = PoolHere(read_photo=no_work, read_thumbhash=fail)
    embedder = new_embedder(decode_pool, PoolHere(start_images=no_work))
    content = photo(20)
    digest = hashlib.sha256(content).digest()
    embedder.cache.keep(digest, vector=vector_of(0.6, 0.8))
    [made] = embed_all(embedder, content)
    assert (made.error, made.thumbhash) == (None, None)
    assert made.embedding is not None


def test_what_is_no_photo_says_so(new_embedder: NewEmbedder) -> None:
    """A photo that can't be read has a reason in place of a vector, and no facts."""
    embedder = new_embedder(PoolHere(), PoolHere(start_images=no_work))
    [made] = embed_all(embedder, b"no photo")
    digest = hashlib.sha256(b"no photo").hexdigest()
    reason = "a text with a photo's name"
    assert (made.embedding, made.error, made.sha256) == (None, reason, digest)
    assert (made.width, made.height, made.taken) == (0, 0, NOT_TOLD)
    assert made.remarks is not None


def test_what_is_seen_as_before_keeps_its_vector(
    new_embedder: NewEmbedder,
) -> None:
    """Of an earlier version's vectors those stay whose photos look the same; a header tells."""
    decode_pool = PoolHere()
    image_pool = PoolHere(start_images=fake_vectors)
    embedder = new_embedder(decode_pool, image_pool)
    sorts = Image.new("RGB", (20, 20), "red"), Image.new("RGBA", (20, 20))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    same, different = (
        encode(image, icc_profile=profile.tobytes()) for image in sorts
    )
    cache = embedder.cache
    now, cache.space = cache.space, cache.earlier_space
    for content in (same, different):
        digest = hashlib.sha256(content).digest()
        cache.keep(digest, vector=vector_of(0.6, 0.8), facts=FACTS)
    cache.space = now
    look = "looks_as_before"
    for jobs in ([look, look, "read_photo", "read_thumbhash"], []):
        decode_pool.jobs.clear()
        first, second = embed_all(embedder, same, different)
        assert first.embedding is not None
        assert first.embedding.tolist() == pytest.approx([0.6, 0.8])
        assert second.embedding is not None
        assert len(second.embedding) == 5
        assert sorted(decode_pool.jobs) == jobs


def test_damage_is_remembered(new_embedder: NewEmbedder) -> None:
    """A damaged photo that is shown is known for it, after a restart too."""
    whole = encode(Image.new("RGB", (40, 30), "red"), "JPEG")
    for _ in range(2):
        embedder = new_embedder(PoolHere(), PoolHere(start_images=fake_vectors))
        made = embed_all(embedder, whole, whole[:-2])
        assert [one.error for one in made] == [None, None]
        assert [one.damaged for one in made] == [False, True]


def fail(reason: str) -> Any:
    raise WorkerError(reason)


def test_a_photo_that_crashes_the_decoder_says_so(
    new_embedder: NewEmbedder,
) -> None:
    """A photo that no worker gets through has the pool's reason for an error."""
    pool = PoolHere(read_photo=lambda *_: fail("it crashed"))
    [made] = embed_all(new_embedder(pool, PoolHere()), photo(20))
    assert (made.embedding, made.error) == (None, "it crashed")


def test_memory_that_was_short_is_tried_again_alone(
    new_embedder: NewEmbedder,
) -> None:
    """A photo that failed beside others is decoded again, by itself, with three tries."""
    lock = threading.Lock()
    at_work: list[int] = [0]
    others: list[int] = []
    number = os.cpu_count() or 1
    all_at_work = threading.Barrier(number)

    def decode(content: bytes, *view: Any) -> Any:
        with lock:
            at_work[0] += 1
            others.append(at_work[0] - 1)
            is_first_try = len(others) <= number
        try:
            if is_first_try:
                all_at_work.wait(10)
                raise OutOfMemory
            return read_photo(content, *view)
        finally:
            with lock:
                at_work[0] -= 1

    pool = PoolHere(read_photo=decode)
    embedder = new_embedder(pool, PoolHere(start_images=fake_vectors))
    made = embed_all(embedder, *(photo(20) for _ in range(number)))
    assert [one.error for one in made] == [None] * number
    assert others[number:] == [0] * number
    tries = [options["tries"] for options in pool.options]
    assert tries == [1] * number + [TRIES] * number


def test_what_stands_for_a_photo_that_is_away_is_no_photo(
    new_embedder: NewEmbedder,
) -> None:
    """It is an error, which leaves what is known of the photo as it is."""
    embedder = new_embedder(PoolHere(read_photo=no_work), PoolHere())
    with pytest.raises(PhotoAway):
        embed_all(embedder, STAND_IN)


def test_a_disk_without_room_for_thumbnails_stops_nothing(
    new_embedder: NewEmbedder, tmp_path: Path
) -> None:
    """A photo is embedded where its thumbnail can't be kept."""
    (tmp_path / "thumbs").write_text("not a folder")
    embedder = new_embedder(PoolHere(), PoolHere(start_images=fake_vectors))
    [made] = embed_all(embedder, photo(20))
    assert made.error is None


@pytest.mark.parametrize("batch_size", [1, 3])
def test_each_photo_of_many_gets_its_own_vector(
    batch_size: int, new_embedder: NewEmbedder
) -> None:
    """Photos under way together, alone or in batches, get vectors of their own."""
    photos = [photo(side) for side in range(20, 32)]
    decoded: list[int] = []
    batches: list[int] = []

    def decode(content: bytes, *view: Any) -> Any:
        reading = read_photo(content, *view)
        decoded.append(reading.facts.width)
        return reading

    def embed(encoder: Any, images: list[Pixels], _: Any) -> list[Embedding]:
        if not batches:  # meanwhile the others come to wait for it
            eventually(lambda: len(decoded) == len(photos))
        batches.append(len(images))
        return fake_vectors(encoder, images)

    embedder = new_embedder(
        PoolHere(read_photo=decode), PoolHere(start_images=embed), batch_size
    )
    made = embed_all(embedder, *photos)
    for side, found in zip(range(20, 32), made, strict=True):
        assert found.embedding is not None
        assert found.embedding.tolist() == [side, side, side, 255 - side, 100]
    assert sum(batches) == len(photos)
    assert max(batches) == batch_size


def test_a_photo_that_crashes_takes_no_other_along(
    new_embedder: NewEmbedder,
) -> None:
    """Of a batch that crashed each is tried by itself: only the one at fault is lost."""

    def embed(encoder: Any, images: list[Pixels], _: Any) -> list[Embedding]:
        if any(len(image) == 13 for image in images):
            fail("it crashed")
        return fake_vectors(encoder, images)

    embedder = new_embedder(
        PoolHere(), PoolHere(start_images=embed), batch_size=3
    )
    made = embed_all(embedder, *(photo(side) for side in (20, 21, 13, 22, 23)))
    assert [one.error for one in made] == [None, None, "it crashed", None, None]
    sides = [
        None if one.embedding is None else one.embedding[0] for one in made
    ]
    assert sides == [20, 21, None, 22, 23]


def test_only_as_many_are_decoded_as_there_are_cores(
    new_embedder: NewEmbedder,
) -> None:
    """However many photos are under way, requests find a decoder: one is never taken."""
    lock = threading.Lock()
    at_work: list[int] = [0]
    most: list[int] = [0]
    wait_for_others = threading.Barrier(os.cpu_count() or 1)

    def decode(content: bytes, *view: Any) -> Any:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        with contextlib.suppress(threading.BrokenBarrierError):
            wait_for_others.wait(1)
        with lock:
            at_work[0] -= 1
        return read_photo(content, *view)

    embedder = new_embedder(
        PoolHere(read_photo=decode), PoolHere(start_images=fake_vectors)
    )
    photos = [photo(20) for _ in range(3 * wait_for_others.parties)]
    made = embed_all(embedder, *photos)
    assert all(one.error is None for one in made)
    assert most[0] == wait_for_others.parties


# --- What is sent -----------------------------------------------------------------


def test_a_photo_that_is_sent_is_not_kept(new_embedder: NewEmbedder) -> None:
    """An upload is embedded as a photo of the folder is, and leaves no trace."""
    decode_pool = PoolHere()
    embedder = new_embedder(decode_pool, PoolHere(start_images=fake_vectors))
    content = photo(20)
    assert embedder.embed_upload(content).tolist() == [20, 20, 20, 235, 100]
    assert decode_pool.jobs == ["read_pixels"]
    # Whoever sends photos that crash a decoder costs us no more than that.
    assert decode_pool.options == [{"tries": 1, "seconds": UPLOAD_SECONDS}]
    digest = hashlib.sha256(content).digest()
    assert embedder.cache.known(digest).vector is None
    assert not embedder.thumbnails.folder.exists()
    [indexed] = embed_all(embedder, content)
    assert indexed.embedding is not None
    assert indexed.embedding.tolist() == [20, 20, 20, 235, 100]


@pytest.mark.parametrize("broken", ["decode_pool", "image_pool"])
def test_an_upload_that_crashes_is_the_senders(
    broken: str, new_embedder: NewEmbedder
) -> None:
    """What no worker gets through is a PhotoError, which the sender is told."""
    crash = PoolHere(
        read_pixels=lambda *_: fail("it crashed"),
        start_images=lambda *_: fail("it crashed"),
    )
    pools = {"decode_pool": PoolHere(), "image_pool": crash} | {broken: crash}
    with pytest.raises(PhotoError, match="it crashed"):
        new_embedder(**pools).embed_upload(photo(20))
    with pytest.raises(PhotoError, match="a text with a photo's name"):
        new_embedder(PoolHere(), crash).embed_upload(b"no photo")


# --- The whole, with workers ------------------------------------------------------


def test_photos_and_words_meet_in_one_space(
    tiny_clip: Path, tmp_path: Path
) -> None:
    """By its own workers the app makes of photos and words what the model does here.

    The worker that embeds has no server, no store and nothing of CocoIndex; closed,
    the embedder has no workers.
    """
    settings = Settings(clip_model=str(tiny_clip), data_dir=tmp_path)
    encoder = DualEncoder.from_settings(settings)
    embedder = Embedder.from_settings(settings, encoder)
    try:
        embedder.load_image_tower()
        content = (PHOTOS / "cat.png").read_bytes()
        [expected] = embed_images(encoder, [read_pixels(content, SIDE)])
        [made] = embed_all(embedder, content)
        assert made.embedding is not None
        assert made.embedding @ expected > 0.9999
        facts = read_facts(content)
        assert (facts.width, facts.height) == (made.width, made.height)
        assert (facts.taken or NOT_TOLD) == made.taken
        assert facts.details == made.details
        assert embedder.embed_upload(content) @ expected > 0.9999
        words = embedder.embed_query("a cat")
        assert np.array_equal(words, embed_text(encoder, "a cat"))
        assert words.shape == made.embedding.shape

        [tower] = embedder.towers.all()
        modules = tower.runner.run(eval, "list(__import__('sys').modules)")
        loaded = {module.partition(".")[0] for module in modules}
        assert "torch" in loaded
        assert not loaded & {"fastapi", "uvicorn", "cocoindex", "qdrant_client"}
        workers = embedder.decode_pool.workers() + embedder.towers.workers()
        assert len(workers) == 2
    finally:
        embedder.close()
    assert embedder.decode_pool.workers() == []
    assert embedder.towers.workers() == []
    with pytest.raises(PoolClosed):
        embed_all(embedder, b"another photo")


def test_a_decoder_of_jpegs_is_asked_and_not_needed(
    tiny_clip: Path, tmp_path: Path
) -> None:
    """Workers find the one that was started; what kills it is embedded all the same."""
    settings = Settings(clip_model=str(tiny_clip), data_dir=tmp_path)
    encoder = DualEncoder.from_settings(settings)
    embedder = Embedder.from_settings(settings, encoder)
    decoders = embedder.jpeg_decoders
    assert decoders
    decoders.kind = encoder.devices[0]
    decoders.jobs = DecoderJobs(jpeg_standin.check, jpeg_standin.serve)
    with Image.open(PHOTOS / "cat.png") as image:
        picture = image.convert("RGB").resize((jpeg_standin.CRASHES, 1000))
    content = encode(picture, "JPEG")
    try:
        embedder.load_image_tower()
        name = decoders.environment[NAME_VARIABLE]
        eventually(lambda: is_there(name))
        [made] = embed_all(embedder, content)
        assert len([*decoders.notes.iterdir()]) == 1
        seen = read_photo(content, *encoder.view).pixels
        [expected] = embed_images(encoder, [seen], encoder.model_input)
        assert made.embedding is not None
        assert made.embedding @ expected > 0.9999
    finally:
        embedder.close()
    assert decoders.workers() == []
    assert not decoders.notes.exists()


def is_there(name: str) -> bool:
    """Whether a decoder takes requests."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(address(name, 0)) == 0
