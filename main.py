"""Image search: say in plain words what you want to see; the right photos come back.

    photo file -> embed_image -> point in a vector store     CocoIndex keeps it current
    words -> embed_query -> nearest points -> results        FastAPI answers it

Run it:     make run, or `uvicorn main:app`, or `cocoindex update main`
Ask it:     /  (the page)  /search  /img  /thumb  /folders  /status  /metrics  /docs

Read it from top to bottom: the flow, the live updates, the API. What they stand on lies
in image_search/, whose __init__.py is the map.
"""

# First of all: Ctrl-C amid the imports, which take seconds, prints no traceback.
from image_search.stopping import Stop, end_at_once

undo_end_at_once = end_at_once()

# Then this: it loads .env, which cocoindex reads when it is imported.
from image_search.settings import PAGE, logger, settings  # isort: split

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Annotated, Any

import cocoindex
import prometheus_client
import uvicorn
from cocoindex.setup import flow_names_with_setup
from cocoindex.typing import VectorInfo
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.middleware.gzip import GZipMiddleware

from image_search import (
    access,
    archive,
    connections,
    duplicates,
    examples,
    export,
    folders,
    monitoring,
    months,
    photo_record,
    refusals,
    roles,
    skipped,
    web,
)
from image_search.bucket_source import PhotosOfBucket
from image_search.clip import DualEncoder, Embedding
from image_search.dates import Taken
from image_search.early_answers import EarlyAnswerMiddleware
from image_search.embedded_photo import EmbeddedPhoto
from image_search.embedding import BEHAVIOR_VERSION, Embedder
from image_search.engines import open_store
from image_search.flows import flow_def
from image_search.follow import Follower
from image_search.hits import SearchResponse
from image_search.hits_table import as_asked
from image_search.in_flight import INFLIGHT_BYTES
from image_search.index import Index
from image_search.kinds import PHOTO_PATTERNS
from image_search.mcp_endpoint import PATH as MCP_PATH
from image_search.mcp_endpoint import McpEndpoint
from image_search.mcp_tools import PhotoTools
from image_search.own_places import Places
from image_search.photos import make_thumbnail
from image_search.place import Place
from image_search.place_files import PlaceFiles
from image_search.place_locks import places_of
from image_search.places import AnyPlace, open_places
from image_search.points import Described
from image_search.question import MAX_QUERY_LENGTH, Search
from image_search.readiness import load_model, set_up, use_once
from image_search.reasons import log_reading
from image_search.replica import Replica
from image_search.replica_files import ReplicaFiles
from image_search.root_path import RootPathMiddleware
from image_search.search import Searcher
from image_search.sources import MAX_FILE_BYTES, PhotoFolder
from image_search.state import check_free_space, embedded_stores
from image_search.status import Equipment, StatusBoard
from image_search.store import Store
from image_search.text import read_words
from image_search.turns import SearchTurns
from image_search.upkeep import keep_up

# --- The flow -------------------------------------------------------------------------

encoder = DualEncoder.from_settings(settings)
places = open_places(settings.image_dir, settings.exclude)
places_by_name = {place.address.name: place for place in places}


@functools.cache
def get_embedder() -> Embedder:
    return Embedder.from_settings(settings, encoder)


@functools.cache
def get_store() -> Store:
    return open_store(settings, encoder.key, encoder.dimension)


class EmbedImage(cocoindex.op.FunctionSpec):
    """What makes one function `embed_image` another: CocoIndex calls it anew then."""

    model: str
    dimension: int


@cocoindex.op.executor_class(cache=True, behavior_version=BEHAVIOR_VERSION)
class EmbedImageExecutor:
    """The function itself: a photo's bytes -> its vector of shape (d,), and facts."""

    spec: EmbedImage

    def analyze(self) -> Any:
        """EmbeddedPhoto, but with d, which Qdrant has to know and the model alone says.

        A plain function would have to write it into its annotation.
        """
        vector = Annotated[Embedding, VectorInfo(self.spec.dimension)] | None
        fields = dataclasses.fields(EmbeddedPhoto)
        types: dict[str, Any] = {field.name: field.type for field in fields}
        types |= {"embedding": vector, "details": cocoindex.Json}
        return dataclasses.make_dataclass("EmbeddedPhoto", types.items())

    async def __call__(self, content: bytes) -> EmbeddedPhoto:
        return await get_embedder().embed_photo(content)


@cocoindex.op.function()
async def describe_photo(
    file: str,
    taken: Taken,
    error: str | None,
    remarks: str | None,
    place: str,
) -> Described:
    """Complete what is known of a photo; if it can't be read, log why.

    `file`: its name in the place. `place`: the name of that, if it has one.
    """
    filename = f"{place}/{file}" if place else file
    get_embedder().pulse.beat()
    log_reading(logger, filename, error, remarks)
    if not taken.time:
        taken = await asyncio.to_thread(places_by_name[place].taken, file)
    return Described.by(filename, taken.time, taken.source)


def source_of(folder: AnyPlace) -> cocoindex.op.SourceSpec:
    """Where CocoIndex finds the photos of a place."""
    if not isinstance(folder, PhotoFolder):
        return PhotosOfBucket.of(folder)
    return cocoindex.sources.LocalFile(
        path=str(folder.shown),
        binary=True,
        included_patterns=PHOTO_PATTERNS,
        excluded_patterns=folder.excluded_patterns(),
        max_file_size=MAX_FILE_BYTES,
    )


@flow_def(name="ImageSearch", places=places)
def image_search_flow(
    flow_builder: cocoindex.FlowBuilder,
    data_scope: cocoindex.DataScope,
    folder: AnyPlace,
) -> None:
    """Every photo of a folder -> its vector and payload -> one point in the store.

    CocoIndex runs this when the flow is first used, and each time it is reopened.
    """
    is_set_up = image_search_flow.of(folder).is_set_up()
    folder.check_at_start(is_set_up=is_set_up)
    embed_image = EmbedImage(encoder.key, encoder.dimension)

    data_scope["images"] = flow_builder.add_source(
        source_of(folder),
        refresh_interval=timedelta(seconds=settings.refresh_seconds),
        max_inflight_rows=folder.rows_in_flight(),
        max_inflight_bytes=INFLIGHT_BYTES,
    )
    photos = data_scope.add_collector()
    with data_scope["images"].row() as image:
        image["embedded"] = image["content"].transform(embed_image)
        embedded: Any = image["embedded"]
        image["described"] = image["filename"].transform(
            describe_photo,
            embedded["taken"],
            embedded["error"],
            embedded["remarks"],
            folder.address.name,
        )
        described: Any = image["described"]
        photos.collect(
            id=described["id"],
            filename=described["filename"],
            embedding=embedded["embedding"],
            error=embedded["error"],
            width=embedded["width"],
            height=embedded["height"],
            taken=described["taken"],
            taken_from=described["taken_from"],
            folders=described["folders"],
            sort_key=described["sort_key"],
            name_words=described["name_words"],
            name_starts=described["name_starts"],
            sha256=embedded["sha256"],
            details=embedded["details"],
            thumbhash=embedded["thumbhash"],
            damaged=embedded["damaged"],
        )
    store = get_store()
    store.check_at_start(is_set_up=bool(flow_names_with_setup()))
    are_set_up = image_search_flow.are_set_up()
    target = store.target(folder.address.name, is_set_up=are_set_up)
    photos.export("photos", target, primary_key_fields=["id"])


@image_search_flow.query_handler(
    cocoindex.QueryHandlerResultFields(score="score")
)
def query_photos(query: str) -> cocoindex.QueryOutput[dict[str, Any]]:
    """The search of CocoInsight's query pane: the same as /search?q=."""
    searcher = Searcher(get_embedder(), get_store())
    search = Search(q=query.strip()[:MAX_QUERY_LENGTH] or None)
    found = searcher.search(search).model_dump(mode="json")
    metric = cocoindex.VectorSimilarityMetric.COSINE_SIMILARITY
    info = cocoindex.QueryInfo(searcher.query_vector(search), metric)
    return cocoindex.QueryOutput(found["results"], info)


# --- Live updates ---------------------------------------------------------------------


async def update_index(
    locks: Places, folder: Place, *, reopen: bool, reexport: bool
) -> None:
    """Bring the store up to date with a folder, in one pass of CocoIndex."""
    flow = image_search_flow.of(folder)
    once = cocoindex.FlowLiveUpdaterOptions(
        live_mode=False, reexport_targets=reexport
    )
    async with locks.holding(folder.address.name):
        if reopen:
            flow.reopen()
        async with cocoindex.FlowLiveUpdater(flow.flow, once) as updater:
            await updater.wait_async()


def prepare_answers(
    app: FastAPI, embedder: Embedder, store: Store
) -> StatusBoard:
    """Put what the routes ask for into the app's state."""
    indexes_only = settings.role == "index"
    model = encoder.unloaded if indexes_only else embedder.text.tower().model
    equipment = Equipment.of(model, encoder, store)
    board = roles.board_of(settings, store, equipment)
    searcher = Searcher(embedder, store, board.unfinished, board.unread)
    app.state.indexes = []
    app.state.status_board = board
    app.state.searches = roles.searches_of(settings, searcher)
    app.state.duplicates = duplicates.DuplicateFinder(board)
    app.state.health = roles.health_of(settings, app.state.searches, store)
    app.state.thumbnails = web.Thumbnails(
        photo_files,
        embedder.thumbnails,
        functools.partial(embedder.decode_pool.run, make_thumbnail),
        store.digest_of,
    )
    return board


async def begin_indexing(
    app: FastAPI, embedder: Embedder, store: Store
) -> list[Awaitable[None]]:
    """Set all up that indexes; returns what goes on then. Raises StartupError."""
    stores = embedded_stores()
    locks = await asyncio.to_thread(places_of, settings)
    await set_up(settings, stores, image_search_flow, embedder, store, locks)
    board = prepare_answers(app, embedder, store)
    board.trouble = locks.trouble
    update = functools.partial(update_index, locks)
    indexes = [
        Index(place, store, update, board, settings, embedder)
        for place in places
    ]
    app.state.indexes = indexes
    going_on = [locks.keep(), stores.keep_postgres_running()]
    if settings.role != "index":
        await asyncio.to_thread(use_once, embedder, store)
        going_on += [keep_up(app.state.searches.searcher.remarks, board)]
    await board.refresh()
    going_on += [read_words(settings, store, embedder, photo_files, board)]
    seconds = settings.refresh_seconds
    return [*going_on, *(Follower(one, seconds).run() for one in indexes)]


async def begin_replica(
    app: FastAPI, embedder: Embedder, store: Any
) -> list[Awaitable[None]]:
    """Search what others index; returns what goes on then. Raises StartupError."""
    board = prepare_answers(app, embedder, store)
    replica = Replica(store, app.state.searches.searcher.remarks, board)
    await replica.start()
    return [replica.run()]


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the app stands on, follow the places, and close it all again.

    What is pushed on the stack first is closed last.
    """
    web.end_streams_by_ourselves()
    roles.check_at_start(settings)
    access.check_at_start(settings)
    check_free_space(settings.data_dir)
    stores, embedder = embedded_stores(), get_embedder()
    stop = Stop(embedder.end_workers, stores.close)
    begin = begin_replica if settings.role == "search" else begin_indexing
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(stop.listening())
        stack.enter_context(connections.bounded())
        stack.callback(stores.close)
        stack.callback(embedder.close)
        # Before any photo is touched: it may raise StartupError.
        loading = await load_model(embedder, settings.role)
        store = await asyncio.to_thread(get_store)
        stack.callback(store.close)
        stack.callback(cocoindex.stop)
        # Before CocoIndex stops, since it would wait for their work.
        stack.callback(embedder.end_workers)
        going_on = await begin(app, embedder, store)
        keeping = asyncio.gather(loading, *going_on, return_exceptions=True)
        board: StatusBoard = app.state.status_board
        tools = PhotoTools(app.state.searches, app.state.thumbnails, board)
        await stack.enter_async_context(mcp.serving(tools))
        # Indexing goes first: that its workers end is no trouble to be told of.
        stop.has_started(keeping.cancel, board.close, uploads.close)
        yield
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await app.state.duplicates.close()


# --- The API --------------------------------------------------------------------------

SEARCH_SECONDS = prometheus_client.Histogram(
    "image_search_seconds", "Time that searches took."
)

web.accept_any_path()
app = FastAPI(title="Image search", redoc_url=None, lifespan=lifespan)
app.add_middleware(GZipMiddleware, exclude_content_types=web.NOT_COMPRESSED)
app.add_middleware(connections.ConnectionMiddleware)
access.protect(app, settings)
app.add_middleware(RootPathMiddleware, root_path=settings.root_path)
app.add_middleware(web.StartupErrorMiddleware)
app.add_middleware(EarlyAnswerMiddleware)
photo_files = PlaceFiles.of(places, is_private=access.is_private(settings))
if settings.role == "search":
    photo_files = ReplicaFiles(
        photo_files, lambda name: get_store().digest_of(name)
    )
uploads = web.Uploads()
mcp = McpEndpoint()
refusals.install(app)


async def get_searches(request: Request) -> SearchTurns:
    searches: SearchTurns = request.app.state.searches
    return searches


TheSearches = Annotated[SearchTurns, Depends(get_searches)]


@app.get("/search", response_model=SearchResponse)
async def search(
    request: Request, query: Annotated[Search, Query()], searches: TheSearches
) -> Response:
    """Find photos by words, by photos of the folder, or both, best first."""
    with SEARCH_SECONDS.time():
        answer = await searches.search(request, query)
    return as_asked(request, query, answer)


@app.post(
    "/search",
    response_model=SearchResponse,
    max_body_size=web.UPLOAD_BYTES,
    openapi_extra={"requestBody": web.UPLOAD_BODY},
)
async def search_by_photo(
    request: Request, query: Annotated[Search, Query()], searches: TheSearches
) -> Response:
    """Find photos like the one that is sent: as the form field `image`, or the body."""
    async with uploads.receive(request) as photo:
        with SEARCH_SECONDS.time():
            answer = await searches.search(request, query, photo)
    return as_asked(request, query, answer)


for room in (
    archive,
    duplicates,
    examples,
    export,
    folders,
    monitoring,
    months,
    photo_record,
    skipped,
):
    app.include_router(room.router)


@app.get("/thumb/{filename:path}", response_class=Response)
async def thumbnail(
    request: Request,
    filename: str,
    size: web.ThumbnailSize = "256",
    v: Annotated[str, Query(pattern="^[0-9a-f]{16}$")] = "",
) -> Response:
    """A JPEG copy within `size` pixels a side; `full`: as large as browsers show it."""
    thumbnails: web.Thumbnails = request.app.state.thumbnails
    known = request.headers.get("if-none-match", "")
    return await thumbnails.respond(filename, size, v, known)


app.mount("/img", photo_files)
app.add_route(MCP_PATH, mcp)  # type: ignore[arg-type]  # it is an ASGI app
if PAGE.is_dir():  # built by `make run`
    app.frontend("/", directory=PAGE, fallback=None)

if __name__ == "__main__":
    uvicorn.run(app, host=settings.host, port=settings.port, access_log=False)
else:
    undo_end_at_once()
