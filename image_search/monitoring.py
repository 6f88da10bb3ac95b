"""What monitors ask.

Whether searches can be answered, how many were,
and how many photos there are.
"""

import prometheus_client
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from image_search.roles import Health
from image_search.status import StatusBoard

PHOTO_COUNT = prometheus_client.Gauge(
    "image_search_photos", "Photos of the folder.", ["state"]
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
