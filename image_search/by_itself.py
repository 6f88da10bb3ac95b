"""What the command does where no app runs: it opens the index, and closes it again."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from image_search.filters import READABLE
from image_search.hits import SearchResponse
from image_search.question import Search
from image_search.search import Searcher
from image_search.settings import IS_INSTALLED, StartupError
from image_search.status import StatusBoard
from image_search.status_fields import Status


class NothingIndexed(Exception):
    """There is nothing that could be found."""


def load_main() -> Any:
    """The module `main`, which knows how all of it is put together."""
    return importlib.import_module(
        "image_search.main" if IS_INSTALLED else "main"
    )


@contextlib.contextmanager
def opened() -> Iterator[Searcher]:
    """What searches the index; raises StartupError, StoreError, NothingIndexed."""
    main = load_main()
    with contextlib.ExitStack() as stack:
        embedder, store = main.get_embedder(), main.get_store()
        stack.callback(embedder.close)
        stack.callback(store.close)
        photos = store.count(READABLE)
        if not photos:
            raise NothingIndexed
        searcher = Searcher(embedder, store)
        names = [one.payload.filename for one in store.every(READABLE)]
        searcher.remarks.indexed = photos
        searcher.remarks.names.follow(names)
        yield searcher


def search_by_itself(query: Search) -> SearchResponse:
    """Search once; raises as `opened`, and SearchError."""
    with opened() as searcher:
        return searcher.search(query)


async def index_by_itself(tell: Callable[[Status], None]) -> Status:
    """Bring the index up to date as the app does, without its page.

    `tell` is told how far it is. Ends when all places are indexed, or can't be;
    raises StartupError.
    """
    app = load_main().app
    try:
        async with app.router.lifespan_context(app):
            board: StatusBoard = app.state.status_board
            async for status in board.statuses():
                tell(status)
                if is_done(status):
                    return status
    except RuntimeError as error:
        raise StartupError(str(error)) from None
    raise asyncio.CancelledError


def is_done(status: Status) -> bool:
    """Whether a wait for more would be in vain."""
    return status.state == "ready" or status.last_error is not None
