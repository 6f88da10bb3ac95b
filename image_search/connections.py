"""Who is connected: not too many, and nobody who says or takes nothing for long.

uvicorn ends a connection that is idle between two requests, but none that never says
anything, says half a header, or takes no answer; and it has no limit of connections
that leaves the newest in. So each connection passes through a `Connection` here.
"""

import asyncio
import contextlib
import functools
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from image_search.guests import OnceAMinute, network_of
from image_search.settings import logger

# For a request's header, and between two requests. uvicorn's own 5 s, which begin with
# an answer, come first; a wrong password is answered late.
IDLE_SECONDS = 15
STALLED_SECONDS = 120  # without a byte taken of an answer
FILES = 10_000  # that this process would like to have open; a connection is one
# Of them for databases, workers and the like. A connection that takes a photo is two.
SPARE_FILES = 384
FEWEST_CONNECTIONS = 64
MOST_CONNECTIONS = 4096
# A tenth of the files is for those who wait to be accepted: it happens for all of them
# at once. With too few who comes just then has to knock twice, a second later.
LONGEST_BACKLOG = 1024
MOST_STREAMS = 200  # answers that never end: each costs work at each change

CURRENT: ContextVar["Connection | None"] = ContextVar("current", default=None)


def raise_file_limit() -> int:
    """Raise the number of files that this process may have open; returns it."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now == resource.RLIM_INFINITY:
        return FILES
    reachable = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    wanted = max(now, reachable)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    except (ValueError, OSError):  # the system gives fewer
        return now
    return wanted


class Connection(asyncio.Protocol):
    """One connection, between the system and the server's own protocol for it."""

    def __init__(self, inner: asyncio.Protocol, all_: "Connections") -> None:
        self.inner = inner
        self.all = all_
        self.network = ""
        self.requests = 0  # that are being answered now
        self.transport: Any = None
        self._loop = asyncio.get_running_loop()
        self._idle_since = self._loop.time()
        self._taken_at = self._idle_since  # when a byte of an answer was taken
        self._left = 0  # bytes of an answer that are not taken yet

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.network = network_of(peer[0]) if peer else ""
        self.all.add(self)
        self._loop.call_later(IDLE_SECONDS, self._look)
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        # The task that answers starts in here, and inherits this.
        CURRENT.set(self)
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self._taken_at = self._loop.time()
        self.inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self.all.discard(self)
        self.inner.connection_lost(error)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """While a request is answered that may be answered, it is not idle."""
        self.requests += 1
        self.all.sort_in(self)
        try:
            yield
        finally:
            self.requests -= 1
            self._idle_since = self._loop.time()
            self.all.sort_in(self)

    def end(self) -> None:
        """End it at once, whatever is still to be said."""
        self.all.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        """End it if nothing happens any more, else look again later."""
        if self not in self.all:
            return
        now = self._loop.time()
        left = self.transport.get_write_buffer_size()
        if left == 0 or left != self._left:
            self._left, self._taken_at = left, now
        if left:
            is_over = now >= self._taken_at + STALLED_SECONDS
        else:
            is_over = not self.requests
            is_over = is_over and now >= self._idle_since + IDLE_SECONDS
        if is_over:
            self.end()
            return
        next_look: float = IDLE_SECONDS
        if not (left or self.requests):
            next_look = self._idle_since + IDLE_SECONDS - now
        self._loop.call_later(next_look, self._look)


class Connections:
    """All connections of a server, at most so many: for a new one an old one goes."""

    def __init__(self, most: int, backlog: int = 128) -> None:
        """`backlog`: of those who wait to be accepted."""
        self.most = most
        self.backlog = backlog
        # In order: the one that has been so for longest comes first.
        self._idle: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}
        self._streams: dict[Connection, None] = {}

    @classmethod
    def for_files(cls, files: int) -> "Connections":
        """As many as a process may have that may open so many files."""
        backlog = min(files // 10, LONGEST_BACKLOG)
        most = (files - SPARE_FILES - backlog) // 2
        most = min(MOST_CONNECTIONS, max(FEWEST_CONNECTIONS, most))
        return cls(most, backlog)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._idle or connection in self._busy

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def add(self, connection: Connection) -> None:
        if len(self) >= self.most:
            self._end_one()
        self._idle[connection] = None

    def discard(self, connection: Connection) -> None:
        for group in (self._idle, self._busy, self._streams):
            group.pop(connection, None)

    def sort_in(self, connection: Connection) -> None:
        """Move it to the idle ones, or the busy ones, at their end."""
        if connection not in self:
            return
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)
        group = self._busy if connection.requests else self._idle
        group[connection] = None

    @contextlib.contextmanager
    def streaming(self, connection: Connection) -> Iterator[None]:
        """While its answer is one that never ends; of too many an old one goes."""
        if len(self._streams) >= MOST_STREAMS:
            _oldest_of_most_frequent(self._streams).end()
        self._streams[connection] = None
        try:
            yield
        finally:
            self._streams.pop(connection, None)

    @contextlib.contextmanager
    def bound(self) -> Iterator[None]:
        """Bound those of every server that this event loop starts from now on.

        Neither asyncio nor uvicorn has a place for it, so this loop's `create_server`
        gets one. Where a loop doesn't let it be replaced, nothing is bounded.
        """
        loop: Any = asyncio.get_running_loop()
        create_server = loop.create_server

        @functools.wraps(create_server)
        async def create_bounded_server(
            factory: Callable[[], Any], *arguments: Any, **options: Any
        ) -> Any:
            options["backlog"] = self.backlog
            if options.get("ssl"):
                options.setdefault("ssl_handshake_timeout", IDLE_SECONDS)
            return await create_server(
                lambda: self._watched(factory()), *arguments, **options
            )

        try:
            loop.create_server = create_bounded_server
        except AttributeError:
            logger.warning("This event loop's connections can't be bounded.")
            yield
            return
        try:
            yield
        finally:
            del loop.create_server

    def _watched(self, protocol: Any) -> Any:
        if isinstance(protocol, asyncio.Protocol):
            return Connection(protocol, self)
        return protocol  # of another kind, which no server has yet

    def _end_one(self) -> None:
        """End who has been idle for longest, else one of those who take the most."""
        if self._idle:
            next(iter(self._idle)).end()
        elif self._busy:
            _oldest_of_most_frequent(self._busy).end()


def _oldest_of_most_frequent(connections: Iterable[Connection]) -> Connection:
    """The first connection of the network that has the most of them."""
    counted = Counter(connection.network for connection in connections)
    [(network, _)] = counted.most_common(1)
    return next(one for one in connections if one.network == network)


@contextlib.contextmanager
def unending_answer() -> Iterator[None]:
    """While an answer is sent that never ends: of too many an old one is cut off.

    A browser's EventSource asks again by itself.
    """
    connection = CURRENT.get()
    if connection is None:
        yield
        return
    with connection.all.streaming(connection):
        yield


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Bound those of the server that this event loop will start, and its warnings."""
    everybody = Connections.for_files(raise_file_limit())
    warnings = OnceAMinute()
    with everybody.bound(), warnings.applied("uvicorn.error", "asyncio"):
        yield


class ConnectionMiddleware:
    """Tells a connection when a request of it is answered.

    Its place is inside of whatever refuses requests: who is refused is no less idle.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        connection = CURRENT.get() if scope["type"] == "http" else None
        if connection is None:
            await self.app(scope, receive, send)
            return
        with connection.answering():
            await self.app(scope, receive, send)
