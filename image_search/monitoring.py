"""How it goes, over HTTP, for people and monitors.

Whether searches can be answered, how many were,
and how far the indexing is.
"""

from collections.abc import AsyncIterator

import prometheus_client
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from sse_starlette import EventSourceResponse

from image_search import connections
from image_search.roles import Health
from image_search.status import StatusBoard
from image_search.status_fields import Status

PHOTO_COUNT = prometheus_client.Gauge(
    "image_search_photos", "Photos of the folder.", ["state"]
)
WORDS_READ = prometheus_client.Gauge(
    "image_search_words_read", "Photos on which words were looked for."
)

router = APIRouter()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """For Prometheus.

    Searches, how long they took, and how many
    photos there are.
    """
    board: StatusBoard = request.app.state.status_board
    now = await board.refresh()
    for state in ("indexed", "waiting", "skipped"):
        PHOTO_COUNT.labels(state).set(getattr(now, state))
    if now.words is not None:
        WORDS_READ.set(now.words.read)
    latest = prometheus_client.generate_latest()
    return Response(latest, media_type=prometheus_client.CONTENT_TYPE_LATEST)


@router.head(
    "/health", include_in_schema=False
)  # some monitors ask for no more
@router.get("/health")
async def health(request: Request) -> dict[str, str]:
    """200 once searches can be answered.

    Which is seen by answering one; 503 and why
    before. Where ROLE=index: once the store answers.
    """
    is_well: Health = request.app.state.health
    await is_well(request)
    return {"status": "ok"}


@router.get("/status")
async def status(request: Request) -> Status:
    """How the indexing goes."""
    board: StatusBoard = request.app.state.status_board
    return await board.refresh()


@router.get("/status/events", response_class=EventSourceResponse)
async def status_events(request: Request) -> EventSourceResponse:
    """Send /status at once, and again whenever it changes.

    As server-sent events.
    """
    board: StatusBoard = request.app.state.status_board

    async def events() -> AsyncIterator[dict[str, str]]:
        with connections.unending_answer():
            async for now in board.statuses():
                yield {"data": now.model_dump_json()}

    return EventSourceResponse(events())
