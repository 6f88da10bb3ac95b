"""Answers that are given before all of a request has come arrive nevertheless."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI, HTTPException

from image_search.early_answers import EarlyAnswerMiddleware
from tests.harness import eventually

MEGABYTE = 2**20
LENGTH = 20 * MEGABYTE
LONGEST = 3


@pytest.fixture
def port() -> Iterator[int]:
    """Where a server refuses whatever is sent to it, before it looks at it."""
    app = FastAPI()

    @app.post("/")
    async def refuse() -> None:
        raise HTTPException(413, "It is too large.")

    app.add_middleware(EarlyAnswerMiddleware, longest=LONGEST)
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        sockets = {"sockets": [listening]}
        thread = threading.Thread(target=server.run, kwargs=sockets)
        thread.start()
        eventually(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def begin(port: int, *headers: str, version: str = "1.1") -> socket.socket:
    """Send the header of a request; of its body nothing."""
    lines = [f"POST / HTTP/{version}", "Host: localhost", *headers, "", ""]
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall("\r\n".join(lines).encode())
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", ["Connection: close", f"Content-Length: {LENGTH}"]),
        ("1.0", [f"Content-Length: {LENGTH}"]),
    ],
)
def test_who_sends_on_gets_the_answer(
    port: int, version: str, headers: list[str]
) -> None:
    """One that reads only when all is sent, as a proxy does, is told, and then let go."""
    with begin(port, *headers, version=version) as connection:
        assert b" 413 " in connection.recv(2000, socket.MSG_PEEK)
        for _ in range(LENGTH // MEGABYTE):
            connection.sendall(bytes(MEGABYTE))
        assert b"It is too large." in rest(connection)


def test_a_body_in_parts_is_taken_to_its_end(port: int) -> None:
    """One whose length is not told either."""
    with begin(
        port, "Connection: close", "Transfer-Encoding: chunked"
    ) as connection:
        assert b" 413 " in connection.recv(2000, socket.MSG_PEEK)
        for _ in range(20):
            connection.sendall(b"100000\r\n" + bytes(MEGABYTE) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert b"It is too large." in rest(connection)


def test_who_asks_first_is_not_waited_for(port: int) -> None:
    """A client that sends its body only when it is told to sends none, and is let go."""
    expecting = "Expect: 100-continue", f"Content-Length: {LENGTH}"
    with begin(port, "Connection: close", *expecting) as connection:
        began = time.monotonic()
        assert b" 413 " in rest(connection)
        assert time.monotonic() - began < LONGEST


def test_who_stops_sending_is_let_go(port: int) -> None:
    """What never comes is waited for only so long; the answer is there at once."""
    with begin(
        port, "Connection: close", f"Content-Length: {LENGTH}"
    ) as connection:
        connection.sendall(bytes(1000))
        assert b"It is too large." in rest(connection)
