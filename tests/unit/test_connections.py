"""Connections: not too many, and none that is idle or takes nothing for long."""

import asyncio
import contextlib
import resource
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from starlette.types import Scope

from image_search import connections
from image_search.connections import (
    CURRENT,
    Connection,
    ConnectionMiddleware,
    Connections,
    raise_file_limit,
    unending_answer,
)
from tests.unit.virtual_time import VirtualLoop


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it where minutes pass at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario)


class Wire:
    """A transport: who is at its other end, and what is not taken there yet."""

    def __init__(self, client: str = "192.168.1.7") -> None:
        self.client = client
        self.left = 0
        self.connection: Connection | None = None

    def get_extra_info(self, name: str) -> Any:
        return (self.client, 1234) if name == "peername" else None

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        assert self.connection is not None
        ended, self.connection = self.connection, None
        asyncio.get_running_loop().call_soon(ended.connection_lost, None)


def connect(everybody: Connections, client: str = "192.168.1.7") -> Wire:
    wire = Wire(client)
    wire.connection = Connection(asyncio.Protocol(), everybody)
    wire.connection.connection_made(wire)
    return wire


def is_open(wire: Wire) -> bool:
    return wire.connection is not None


def connection_of(wire: Wire) -> Connection:
    assert wire.connection is not None
    return wire.connection


# --- Time -----------------------------------------------------------------------


def test_who_says_nothing_is_ended() -> None:
    """A connection without a whole request is ended after a while, whatever drips in."""

    async def scenario() -> None:
        everybody = Connections(100)
        silent, dripping = connect(everybody), connect(everybody)
        for _ in range(connections.IDLE_SECONDS - 1):
            connection_of(dripping).data_received(b"x")
            await asyncio.sleep(1)
        assert is_open(silent)
        assert is_open(dripping)
        await asyncio.sleep(1.1)
        assert not is_open(silent)
        assert not is_open(dripping)
        assert len(everybody) == 0

    run(scenario())


def test_who_is_answered_is_not_idle() -> None:
    """However long an answer takes its connection stays, and as long as others after it."""

    async def scenario() -> None:
        everybody = Connections(100)
        wire = connect(everybody)
        with connection_of(wire).answering():
            await asyncio.sleep(3600)
            assert is_open(wire)
        await asyncio.sleep(connections.IDLE_SECONDS - 1)
        assert is_open(wire)
        await asyncio.sleep(2)
        assert not is_open(wire)

    run(scenario())


def test_two_answers_on_one_connection() -> None:
    """A connection is idle only when the last of its answers is done."""

    async def scenario() -> None:
        wire = connect(Connections(100))
        with connection_of(wire).answering():
            with connection_of(wire).answering():
                await asyncio.sleep(100)
            await asyncio.sleep(100)
            assert is_open(wire)

    run(scenario())


@pytest.mark.parametrize("is_answered", [True, False])
def test_who_takes_nothing_is_ended(*, is_answered: bool) -> None:
    """An answer of which nothing is taken is given up, also when all of it is said."""

    async def scenario() -> None:
        everybody = Connections(100)
        wire = connect(everybody)
        wire.left = 70_000
        with contextlib.ExitStack() as answers:
            if not is_answered:
                answers.enter_context(connection_of(wire).answering())
            await asyncio.sleep(connections.STALLED_SECONDS - 1)
            assert is_open(wire)
            await asyncio.sleep(2 * connections.IDLE_SECONDS)
            assert not is_open(wire)

    run(scenario())


@pytest.mark.parametrize("sees_room", [True, False])
def test_who_takes_it_slowly_is_not_ended(*, sees_room: bool) -> None:
    """An answer that is taken by drops goes on, for hours."""

    async def scenario() -> None:
        wire = connect(Connections(100))
        wire.left = 10**9
        with connection_of(wire).answering():
            for _ in range(100):
                if sees_room:
                    connection_of(wire).resume_writing()
                else:
                    wire.left -= 1
                await asyncio.sleep(connections.STALLED_SECONDS / 2)
            assert is_open(wire)

    run(scenario())


# --- Number ---------------------------------------------------------------------


def test_for_a_new_one_the_oldest_idle_goes() -> None:
    """At the limit a newcomer is let in, and who has been idle for longest is ended."""

    async def scenario() -> None:
        everybody = Connections(3)
        first, second, third = [connect(everybody) for _ in range(3)]
        with connection_of(first).answering():
            fourth = connect(everybody)
            assert [*map(is_open, (first, second, third, fourth))] == [
                True,
                False,
                True,
                True,
            ]
        # It is the one that has become idle last.
        connect(everybody)
        assert is_open(first)
        assert not is_open(third)

    run(scenario())


def test_a_flood_leaves_the_busy_alone() -> None:
    """Thousands who say nothing end one another, and nobody who is answered."""

    async def scenario() -> None:
        everybody = Connections(50)
        owner = connect(everybody, "10.0.0.1")
        with connection_of(owner).answering():
            for _ in range(5000):
                connect(everybody)
                assert len(everybody) <= 50
            assert is_open(owner)
        newcomer = connect(everybody, "10.0.0.2")
        assert is_open(newcomer)

    run(scenario())


def test_where_all_are_busy_who_has_most_gives_way() -> None:
    """A network with many answers under way loses one to a newcomer, others none."""

    async def scenario() -> None:
        everybody = Connections(5)
        owner = connect(everybody, "10.0.0.1")
        greedy = [connect(everybody) for _ in range(4)]
        with contextlib.ExitStack() as answers:
            for wire in (owner, *greedy):
                answers.enter_context(connection_of(wire).answering())
            newcomer = connect(everybody, "10.0.0.2")
            assert is_open(owner)
            assert is_open(newcomer)
            assert [*map(is_open, greedy)] == [False, True, True, True]

    run(scenario())


def test_streams_are_few() -> None:
    """Of answers that never end there are so many at most: an old one makes room."""
    most = connections.MOST_STREAMS

    async def scenario() -> None:
        everybody = Connections(most + 100)
        owner = connect(everybody, "10.0.0.1")
        greedy = [connect(everybody) for _ in range(most + 10)]

        async def follow(wire: Wire) -> None:
            CURRENT.set(connection_of(wire))
            with unending_answer():
                await asyncio.Event().wait()

        following = [
            asyncio.create_task(follow(wire)) for wire in (owner, *greedy)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert is_open(owner)
        assert sum(map(is_open, greedy)) == most - 1
        assert is_open(greedy[-1])
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    run(scenario())


# --- The server -----------------------------------------------------------------


def test_the_middleware_tells_of_answers() -> None:
    """While the app answers, the connection that asked is busy; without one it is nothing."""
    seen = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        connection = CURRENT.get()
        seen.append(connection and connection.requests)

    async def nothing(*_: Any) -> Any:
        return None

    async def scenario() -> None:
        middleware = ConnectionMiddleware(app)
        await middleware({"type": "http"}, nothing, nothing)
        wire = connect(Connections(9))
        connection_of(wire).data_received(b"GET")
        await middleware({"type": "http"}, nothing, nothing)
        assert connection_of(wire).requests == 0
        await middleware({"type": "lifespan"}, nothing, nothing)

    run(scenario())
    assert seen == [None, 1, 0]


def test_a_server_of_the_loop_is_bounded() -> None:
    """What the loop's servers accept passes through, and is bounded; afterwards no more."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        everybody = Connections(2)
        with everybody.bound():
            server = await loop.create_server(
                Echo, "127.0.0.1", 0, backlog=2048
            )
        port = server.sockets[0].getsockname()[1]
        clients = []
        for _ in range(5):
            clients.append(await asyncio.open_connection("127.0.0.1", port))
            reader, writer = clients[-1]
            writer.write(b"hello")
            assert await reader.read(9) == b"hello"
        ended = [reader for reader, _ in clients[:3]]
        for reader in ended:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read(9) == b""
        assert len(everybody) == 2
        for _, writer in clients:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        while len(everybody):
            await asyncio.sleep(0)
        server.close()
        assert "create_server" not in vars(loop)

    asyncio.run(scenario())


# --- Files ----------------------------------------------------------------------


@pytest.fixture
def file_limit() -> Iterator[tuple[int, int]]:
    """The numbers of files that this process may have open, now and at most."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield limits
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_many_files_may_be_open(file_limit: tuple[int, int]) -> None:
    """The number of open files is raised as far as it goes, and never lowered."""
    most = file_limit[1]
    for now in (256, min(20_000, most)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
        raised = raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, most)
        assert raised == max(now, min(connections.FILES, most))


@pytest.mark.parametrize("files", [256, 1024, 2000, 10_000, 1_000_000])
def test_connections_leave_files_for_others(files: int) -> None:
    """With all connections there, each taking a photo, files are left for the app itself."""
    everybody = Connections.for_files(files)
    assert everybody.most >= connections.FEWEST_CONNECTIONS
    if files > 700:
        taken = 2 * everybody.most + everybody.backlog
        assert files - taken >= connections.SPARE_FILES
