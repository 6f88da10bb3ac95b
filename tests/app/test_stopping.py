"""Ctrl-C and SIGTERM end the app at any moment: soon, without a traceback, and all of it."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness import App, NewApp, copy_code, eventually
from tests.processes import of_each

SOON = 3
MAIN = ("main.py",)
UVICORN = ("-m", "uvicorn", "main:app", "--port")
RELOAD = ("-m", "uvicorn", "--reload", "main:app", "--port")


def begin(app: App, command: tuple[str, ...]) -> None:
    """Start a command of Python's on an installation, and do not wait for it."""
    code = app.img.parent / "code"  # of its own, which a reloader watches
    code.mkdir()
    copy_code(code)
    port = (str(app.port),) if "uvicorn" in command else ()
    app.begin(sys.executable, *command, *port, cwd=code)


def end(app: App, how: signal.Signals) -> list[str]:
    """End it, by Ctrl-C as a terminal does, or as a supervisor; returns what it said then."""
    process = app.process
    assert process is not None
    before = len(app.log.read_text())
    began = time.monotonic()
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    code = process.wait(15)
    left = began + SOON - time.monotonic()
    assert left > 0
    eventually(lambda: not app.processes(), within=left)
    app.process = None
    assert code in {0, -how, 128 + how}
    log = app.log.read_text()
    for trouble in ("Traceback", "ERROR", "Error", "Cancel", "leaked"):
        assert trouble not in log
    return log[before:].splitlines()


def is_importing(app: App) -> bool:
    """Whether it is amid its imports: some of them are done."""
    assert app.process
    maps = psutil.Process(app.process.pid).memory_maps()
    return any("pydantic_core" in file.path for file in maps)


def makes_postgres(app: App) -> bool:
    return any(app.data.glob("postgres.new-*/base"))


def loads_model(app: App) -> bool:
    """Whether a worker has begun to load PyTorch."""
    assert app.process
    children = psutil.Process(app.process.pid).children()
    for maps in of_each(children, psutil.Process.memory_maps):
        if any("torch" in file.path for file in maps):
            return True
    return False


@pytest.mark.parametrize(
    ("command", "moment", "how"),
    [
        (MAIN, is_importing, signal.SIGINT),
        (UVICORN, loads_model, signal.SIGINT),
        (MAIN, makes_postgres, signal.SIGTERM),
        (RELOAD, makes_postgres, signal.SIGINT),
    ],
)
def test_amid_the_start(
    new_app: NewApp,
    command: tuple[str, ...],
    moment: Callable[[App], bool],
    how: signal.Signals,
) -> None:
    """Whatever the start is at, it ends, with a line at most of the app's own."""
    app = new_app("cat.png")
    begin(app, command)
    eventually(lambda: moment(app), within=60)
    assert len(end(app, how)) <= (2 if command is RELOAD else 1)


@pytest.fixture
def slow_server() -> Iterator[tuple[str, threading.Event]]:
    """An address where something answers, a byte at a time, and whether it was asked."""
    asked = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(1)
            asked.set()
            client.sendall(b"HTTP/1.1 200 OK\r\nETag: ")
            while True:
                client.sendall(b"x")
                threading.Event().wait(0.2)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(
                    target=trickle, args=[client], daemon=True
                ).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (MAIN, signal.SIGTERM),
        (("-m", "image_search.download"), signal.SIGINT),
    ],
)
def test_amid_a_download(
    new_app: NewApp,
    tmp_path: Path,
    slow_server: tuple[str, threading.Event],
    command: tuple[str, ...],
    how: signal.Signals,
) -> None:
    """A model that trickles in is not waited for, by the app nor by what comes before it."""
    address, asked = slow_server
    app = new_app("cat.png", CLIP_MODEL="somebody/clip")
    app.env |= {
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": f"http://{address}",
        "HF_HOME": str(tmp_path),
    }
    begin(app, command)
    assert asked.wait(60)
    end(app, how)


def test_amid_a_wait_for_postgres(
    new_app: NewApp, slow_server: tuple[str, threading.Event]
) -> None:
    """A server that never says anything of use keeps the app from nothing."""
    address, asked = slow_server
    url = f"postgres://me@{address}/db"
    app = new_app("cat.png", COCOINDEX_DATABASE_URL=url)
    begin(app, MAIN)
    assert asked.wait(60)
    end(app, signal.SIGTERM)


UPLOAD = (
    b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: %s\r\n\r\n--x\r\nContent-Disposition: form-data; name=image\r\n"
)
KINDS = (b"image/jpeg", b"multipart/form-data; boundary=x")


def ask(app: App, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", app.port), timeout=10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(request)
    return connection


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes the connection."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(4096), b""))
    return b""


@pytest.mark.parametrize(
    ("command", "how"),
    [(MAIN, signal.SIGTERM), (UVICORN, signal.SIGINT), (RELOAD, signal.SIGINT)],
)
def test_while_it_runs(
    new_app: NewApp, command: tuple[str, ...], how: signal.Signals
) -> None:
    """Uploads half sent are answered, event streams end, who reads nothing is cut off.

    And a photo that is being read is no error.
    """
    app = new_app("cat.png")
    with (app.img / "large.jpg").open("wb") as file:
        file.truncate(50 * 2**20)
    begin(app, command)
    eventually(lambda: app.process_ended() or app.answers(), within=120)
    eventually(lambda: "cat.png" in app.photos())
    uploads = [ask(app, UPLOAD % kind) for kind in KINDS]
    streams = [ask(app, get("/status/events")) for _ in range(3)]
    for stream in streams:
        stream.recv(1000)
    idle = [ask(app, b"GET / HT"), ask(app, get("/img/large.jpg"))]
    app.of_each_process(
        lambda one: "image_search.workers" in one.cmdline() and one.suspend()
    )
    app.add("coffee.png", "coffee.png")
    eventually(lambda: app.status()["waiting"] == 1)
    end(app, how)
    for upload in uploads:
        assert b"503" in rest(upload)
    for stream in streams:
        assert rest(stream).endswith(b"0\r\n\r\n")
    for connection in (*uploads, *streams, *idle):
        connection.close()
