"""Apps that are asked in tests: within the process, or by a server as in life."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from image_search import refusals
from image_search.web import accept_any_path
from tests.harness import eventually


def app_with(files: ASGIApp) -> FastAPI:
    """An app that serves photos' files under /img."""
    accept_any_path()
    app = FastAPI()
    refusals.install(app)
    app.mount("/img", files)
    return app


def ask(
    files: ASGIApp, path: str, method: str = "GET", **headers: str
) -> httpx.Response:
    """The answer of such an app; `_` in the names of headers stands for a dash."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app_with(files))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost"
        ) as client:
            names = {key.replace("_", "-"): one for key, one in headers.items()}
            return await client.request(method, f"/img/{path}", headers=names)

    return asyncio.run(send())


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of a server that runs an app."""
    quiet = uvicorn.Config(app, log_config=None, lifespan="off")
    server = uvicorn.Server(quiet)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        sockets = {"sockets": [listening]}
        thread = threading.Thread(target=server.run, kwargs=sockets)
        thread.start()
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()
