"""Searches take turns, and while they wait they hold no thread.

The threads that answer requests are shared by all of them. What a search waits for
most is the model's text half, which embeds one text at a time.
"""

import asyncio
import contextlib
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import anyio
from anyio import to_thread
from starlette.requests import Request

from image_search.guests import network_of
from image_search.hits import SearchResponse
from image_search.question import Search
from image_search.search import MODEL_SECONDS, Searcher
from image_search.search_errors import SearchError
from image_search.text_encoder import SURELY_READ

STORE_THREADS = 8
# Searches that may ask the store or wait for it; each takes it some milliseconds.
MOST_SEARCHES = 512
# New texts that may wait for the model, which takes some 20 to 100 ms for each.
MOST_TEXTS = 128
# Photos that a short search looks at.
FEW = 100


class TooManySearches(SearchError):
    """One more would have to wait for too long."""

    def __init__(self) -> None:
        super().__init__("Too many searches are waiting: try again soon.")


class SearcherGone(SearchError):
    """Who asked has hung up, and will never see the answer."""


class Places:
    """So many in all, and half as many for one network."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: Counter[str] = Counter()

    @contextlib.contextmanager
    def take(self, network: str, number: int = 1) -> Iterator[None]:
        """Hold some places; raises TooManySearches if there are not as many."""
        its_own = self._taken[network] + number
        if its_own > self.most // 2 or self._taken.total() + number > self.most:
            raise TooManySearches
        self._taken[network] += number
        try:
            yield
        finally:
            self._taken[network] -= number
            if not self._taken[network]:
                del self._taken[network]


class SearchTurns:
    """Has each search wait for its turn: first for the model, then for the store.

    A search whose words are known does not wait for the model. One with many new
    words gets a turn for each, so that others need not wait for all of them. A short
    one is answered by the event loop where a thread would be of no use.
    """

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self._model_turn = asyncio.Lock()
        self._store_turn = anyio.CapacityLimiter(STORE_THREADS)
        self._texts = Places(MOST_TEXTS)
        self._searches = Places(MOST_SEARCHES)

    async def search(
        self, request: Request, query: Search, photo: bytes | None = None
    ) -> SearchResponse:
        """Answer a search; raises what a Searcher does, and TooManySearches.

        Whoever hangs up leaves the queue: then it raises SearcherGone.
        """
        client = request.client.host if request.client else ""
        if photo is None and self._is_short(query):
            return await self.answer(query, client)  # before they could hang up
        async with _until_hung_up(request):
            return await self.answer(query, client, photo)
        raise SearcherGone

    async def answer(
        self, query: Search, client: str, photo: bytes | None = None
    ) -> SearchResponse:
        """The same, for a client at an address that is waited for."""
        network = network_of(client)
        # Photos that are sent are few at a time, and wait for other things.
        turn = self._store_turn if photo is None else None
        with self._searches.take(network):
            began = time.perf_counter()
            await self._embed_new_texts(query, network)
            if photo is None and self._is_short(query):
                # Whoever asks at the same time is counted first.
                await asyncio.sleep(0)
                return self._search(query, None, began)
            search = functools.partial(self._search, query, photo, began)
            return await to_thread.run_sync(search, limiter=turn)

    def _search(
        self, query: Search, photo: bytes | None, began: float
    ) -> SearchResponse:
        """`began`: when the model was first waited for."""
        try:
            vector = self.searcher.query_vector(query, photo)
        finally:
            MODEL_SECONDS.observe(time.perf_counter() - began)
        return self.searcher.find(query, vector, is_sent=photo is not None)

    def _is_short(self, query: Search) -> bool:
        """Whether a thread would be of no use: a store in this process holds the GIL.

        And nothing else is waited for.
        """
        is_deep = query.offset + query.limit > FEW or query.around is not None
        return (
            self.searcher.store.holds_gil
            and not is_deep
            and not query.fold
            and query.sort == "score"
            # A longer one is looked at by the model's tokenizer.
            and len(query.q or "") <= SURELY_READ
            and not self._new_texts(query)
        )

    async def _embed_new_texts(self, query: Search, network: str) -> None:
        """Have the model embed what it has not embedded yet, one by one."""
        new = self._new_texts(query)
        if not new:
            return
        with self._texts.take(network, len(new)):
            for text in new:
                async with self._model_turn:
                    await self.searcher.embedder.prepare_query(text)

    def _new_texts(self, query: Search) -> list[str]:
        """What the model has not embedded yet."""
        texts = {*query.minus, query.meaning or ""} - {""}
        knows = self.searcher.embedder.knows_query
        return [text for text in texts if not knows(text)]


@contextlib.asynccontextmanager
async def _until_hung_up(request: Request) -> AsyncIterator[None]:
    """Cancel what is done in here once the client has gone."""
    with anyio.CancelScope() as scope:
        listening = asyncio.create_task(_cancel_when_hung_up(request, scope))
        try:
            yield
        finally:
            listening.cancel()


async def _cancel_when_hung_up(
    request: Request, scope: anyio.CancelScope
) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
