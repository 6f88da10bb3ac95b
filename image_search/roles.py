"""What a process is for: ROLE says whether it searches, indexes, or does both."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

from starlette.requests import Request

from image_search.filters import EVERYTHING, lies_in
from image_search.hits import SearchResponse
from image_search.question import Search
from image_search.search import Searcher
from image_search.search_errors import SearchError
from image_search.settings import BASE, Settings, StartupError
from image_search.status import Equipment, StatusBoard
from image_search.store import Store
from image_search.text_model import TextModel
from image_search.text_status import WordsBoard
from image_search.turns import SearchTurns

ONLY_INDEXES = (
    "This process only indexes (ROLE=index): ask one with ROLE=search, or with"
    " ROLE=all."
)
# Asked by monitors; raises what keeps this process from its work.
Health = Callable[[Request], Awaitable[None]]


class NotOfThisRole(SearchError):
    """Another process is to be asked."""


class Searches(Protocol):
    """What answers searches."""

    searcher: Searcher

    async def search(
        self, request: Request, query: Search, photo: bytes | None = None
    ) -> SearchResponse:
        """Answer one; raises SearchError, StoreError, PhotoError."""

    async def answer(self, query: Search, client: str) -> SearchResponse:
        """The same, for a client at an address that is waited for."""


class NoSearches:
    """Of a process that only indexes: the model's text half is not in its memory."""

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher

    async def search(
        self, request: Request, query: Search, photo: bytes | None = None
    ) -> SearchResponse:
        """Say who answers."""
        raise NotOfThisRole(ONLY_INDEXES)

    async def answer(self, query: Search, client: str) -> SearchResponse:
        """Say who answers."""
        raise NotOfThisRole(ONLY_INDEXES)


def check_at_start(settings: Settings) -> None:
    """Raise StartupError where a role can't be played with the other settings."""
    if settings.role == "search" and not settings.qdrant_url:
        raise StartupError(
            "ROLE=search needs QDRANT_URL: it searches what a process with ROLE=index"
            " keeps on a Qdrant server. The embedded store belongs to one process,"
            " with ROLE=all."
        )


def health_of(settings: Settings, searches: Searches, store: Store) -> Health:
    """How it is found out whether a process does its work."""

    async def searches_are_answered(request: Request) -> None:
        await searches.search(request, Search(q="photo", limit=1))

    async def store_answers(request: Request) -> None:
        await asyncio.to_thread(store.count)

    if settings.role == "index":
        return store_answers
    return searches_are_answered


def searches_of(settings: Settings, searcher: Searcher) -> Searches:
    """What answers searches in a process of this role."""
    if settings.role == "index":
        return NoSearches(searcher)
    return SearchTurns(searcher)


def board_of(
    settings: Settings, store: Store, equipment: Equipment
) -> StatusBoard:
    """Where a process of this role tells its status.

    Others may keep their places on the same server: one that only indexes tells of its
    own, and who searches of all.
    """
    own = EVERYTHING
    if settings.role != "search" and settings.qdrant_url:
        own = lies_in(*(address.name for address in settings.image_dir))
    board = StatusBoard(
        store,
        equipment,
        settings.root_path,
        own=own,
        told=own if settings.role == "index" else EVERYTHING,
    )
    if settings.ocr:
        model = TextModel.of(settings.ocr_languages, BASE)
        reads = settings.role != "search"
        board.words = WordsBoard.of(model, reads=reads)
    return board


def refuse_retry() -> NoReturn:
    """Say who tries skipped photos again."""
    raise NotOfThisRole(
        "This process only searches (ROLE=search): ask one with ROLE=index."
    )
