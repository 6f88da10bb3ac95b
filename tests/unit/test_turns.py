"""Searches wait for their turn without a thread, not for long, and only while they are awaited."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

import numpy as np
import pytest
from anyio import to_thread
from starlette.requests import Request
from starlette.types import Message

from image_search.question import Search
from image_search.search import Searcher
from image_search.store import Query
from image_search.turns import (
    MOST_SEARCHES,
    MOST_TEXTS,
    SearcherGone,
    SearchTurns,
    TooManySearches,
)
from tests.harness import eventually
from tests.unit.memory_store import MemoryStore


class SlowEmbedder:
    """Embeds a text once it is told to; "known" is known."""

    def __init__(self) -> None:
        self.known = {"known"}
        self.asked: list[str] = []
        self.may_go_on = threading.Semaphore(0)

    def knows_query(self, text: str) -> bool:
        return text in self.known

    async def prepare_query(self, text: str) -> None:
        await asyncio.to_thread(self.embed_query, text)

    def embed_query(self, text: str) -> Any:
        if text not in self.known:
            self.asked.append(text)
            assert self.may_go_on.acquire(timeout=30)
            self.known.add(text)
        return np.eye(3, dtype=np.float32)[0]

    def embed_upload(self, _: bytes) -> Any:
        return np.eye(3, dtype=np.float32)[1]


class Client:
    """Who asks, until they hang up."""

    def __init__(self, address: str = "192.168.1.7") -> None:
        self.address = address
        self.has_gone = asyncio.Event()

    async def receive(self) -> Message:
        await self.has_gone.wait()
        return {"type": "http.disconnect"}

    def request(self) -> Request:
        scope = {"type": "http", "headers": [], "client": (self.address, 1)}
        return Request(scope, self.receive)


@pytest.fixture
def embedder() -> Any:
    return SlowEmbedder()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put("a.jpg", np.eye(3, dtype=np.float32)[0])
    return store


NewTurns = Callable[[], SearchTurns]


@pytest.fixture
def new_turns(embedder: Any, store: MemoryStore) -> NewTurns:
    return lambda: SearchTurns(Searcher(embedder, store))


async def until(condition: Callable[[], Any]) -> None:
    await asyncio.to_thread(eventually, condition, 10)


def ask(
    turns: SearchTurns, client: Client, **query: Any
) -> "asyncio.Task[Any]":
    answer: Coroutine[Any, Any, Any] = turns.search(
        client.request(), Search(**query)
    )
    return asyncio.create_task(answer)


def test_waiting_searches_hold_no_thread(
    new_turns: NewTurns, embedder: SlowEmbedder
) -> None:
    """However many wait for the model, known words, photos and threads are there for others."""

    async def scenario() -> None:
        turns = new_turns()
        waiting = [
            ask(turns, Client(), q=f"new {number}")
            for number in range(MOST_TEXTS // 2)
        ]
        await until(lambda: embedder.asked)
        threads = to_thread.current_default_thread_limiter()
        assert threads.borrowed_tokens == 0
        for query in ({"q": "known"}, {"like": ["a.jpg"]}, {}):
            answer = await asyncio.wait_for(ask(turns, Client(), **query), 10)
            assert answer.results or query.get("like")
        assert len(embedder.asked) == 1
        embedder.may_go_on.release(len(waiting))
        for one in await asyncio.gather(*waiting):
            assert one.results

    asyncio.run(scenario())


def test_texts_take_turns(new_turns: NewTurns, embedder: SlowEmbedder) -> None:
    """A search with many new words lets another have its turn after each of them."""

    async def scenario() -> None:
        turns = new_turns()
        many = ask(turns, Client(), minus=[f"minus {n}" for n in range(10)])
        await until(lambda: embedder.asked)
        one = ask(turns, Client("192.168.1.8"), q="one")
        await asyncio.sleep(0)
        embedder.may_go_on.release(11)
        assert (await one).results
        await many
        assert embedder.asked.index("one") <= 2

    asyncio.run(scenario())


def test_too_many_are_put_off(
    new_turns: NewTurns, embedder: SlowEmbedder
) -> None:
    """What would wait for too long is refused; of one network's half as much."""

    async def scenario() -> None:
        turns = new_turns()
        waiting = []
        for address in ("192.168.1.7", "192.168.1.8"):
            waiting += [
                ask(turns, Client(address), q=f"{address} {number}")
                for number in range(MOST_TEXTS // 2)
            ]
            await asyncio.sleep(0)
            if len(waiting) == MOST_TEXTS // 2:
                with pytest.raises(TooManySearches):
                    await ask(turns, Client(address), q="one more")
        with pytest.raises(TooManySearches):
            await ask(turns, Client("192.168.1.9"), q="one more")
        assert (await ask(turns, Client("192.168.1.7"), q="known")).results
        embedder.may_go_on.release(len(waiting) + 1)
        await asyncio.gather(*waiting)
        assert (await ask(turns, Client("192.168.1.9"), q="one more")).results

    asyncio.run(scenario())


def test_who_hangs_up_leaves_the_queue(
    new_turns: NewTurns, embedder: SlowEmbedder
) -> None:
    """The texts of a client that has gone are not embedded, and its places are free."""

    async def scenario() -> None:
        turns = new_turns()
        first = ask(turns, Client(), q="first")
        await until(lambda: embedder.asked)
        clients = [Client() for _ in range(MOST_TEXTS // 2 - 1)]
        left = [
            ask(turns, client, q=f"left {number}")
            for number, client in enumerate(clients)
        ]
        await asyncio.sleep(0)
        for client in clients:
            client.has_gone.set()
        for one in left:
            with pytest.raises(SearcherGone):
                await asyncio.wait_for(one, 10)
        stays = ask(turns, Client(), q="stays")
        embedder.may_go_on.release(2)
        assert (await first).results
        assert (await stays).results
        assert embedder.asked == ["first", "stays"]

    asyncio.run(scenario())


def test_a_photo_that_is_sent_is_searched_by(new_turns: NewTurns) -> None:
    """A photo, with known words or without, needs no turn for the model's text half."""

    async def scenario() -> None:
        turns = new_turns()
        for query in (Search(), Search(q="known")):
            found = await turns.search(Client().request(), query, b"a photo")
            assert found.results

    asyncio.run(scenario())


class WatchedStore(MemoryStore):
    """Knows which threads asked it."""

    def __init__(self, *, holds_gil: bool) -> None:
        super().__init__()
        self.holds_gil = holds_gil
        self.threads: set[int] = set()

    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        self.threads.add(threading.get_ident())
        return super().query_all(queries)

    def _query(self, query: Query) -> Sequence[Any]:
        self.threads.add(threading.get_ident())
        return super()._query(query)


SHORT = {"q": "known"}
LONGER: list[dict[str, Any]] = [
    SHORT | {"limit": 100, "offset": 1},
    SHORT | {"fold": True},
    SHORT | {"sort": "newest"},
    SHORT | {"around": "a.jpg"},
    {"q": "long " * 20},
]


@pytest.mark.parametrize(
    "query", [SHORT, {"q": "new"}, {}, {"like": ["a.jpg"]}]
)
@pytest.mark.parametrize("holds_gil", [False, True])
def test_where_no_other_thread_runs_none_is_asked(
    embedder: SlowEmbedder, query: dict[str, Any], *, holds_gil: bool
) -> None:
    """A store in this process is asked at once, one on a server by a thread that waits."""
    embedder.may_go_on.release()
    answer, is_here = asked_here(embedder, query, holds_gil=holds_gil)
    assert answer.results or query.get("like")
    assert is_here is holds_gil


@pytest.mark.parametrize("query", LONGER)
def test_what_takes_longer_has_a_thread(
    embedder: SlowEmbedder, query: dict[str, Any]
) -> None:
    """Others are answered while many photos are looked at."""
    embedder.may_go_on.release(2)
    answer, is_here = asked_here(embedder, query, holds_gil=True)
    assert answer.results or query.get("offset")
    assert not is_here


def test_of_one_network_not_all_are_answered_at_once(
    embedder: SlowEmbedder,
) -> None:
    """However short their searches are, others find room beside them."""
    store = WatchedStore(holds_gil=True)
    store.put("a.jpg", np.eye(3, dtype=np.float32)[0])
    turns = SearchTurns(Searcher(cast("Any", embedder), store))

    async def scenario() -> None:
        many = [ask(turns, Client(), **SHORT) for _ in range(MOST_SEARCHES)]
        other = ask(turns, Client("192.168.9.8"), **SHORT)
        answers = await asyncio.gather(*many, return_exceptions=True)
        refused = [one for one in answers if isinstance(one, TooManySearches)]
        assert len(refused) == MOST_SEARCHES // 2
        assert (await other).results

    asyncio.run(scenario())


def asked_here(
    embedder: Any, query: dict[str, Any], *, holds_gil: bool
) -> tuple[Any, bool]:
    """What is answered, and whether it was in the event loop's own thread."""
    store = WatchedStore(holds_gil=holds_gil)
    store.put("a.jpg", np.eye(3, dtype=np.float32)[0])
    embedder.unread = lambda _: ""
    turns = SearchTurns(Searcher(embedder, store))

    async def scenario() -> Any:
        return await ask(turns, Client(), **query)

    answer = asyncio.run(scenario())
    return answer, store.threads == {threading.get_ident()}
