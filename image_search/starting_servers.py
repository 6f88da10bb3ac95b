"""Waits for servers that are starting, as they do when all of a machine starts."""

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg

from image_search.settings import StartupError

RETRY_PAUSES = (1, 2, 4, 8)  # seconds, while a server may still be starting
ANSWER_SECONDS = 3

E = TypeVar("E", bound=Exception)


class NotYet(Exception):
    """A Postgres does not answer, or says that it is starting or recovering."""


def wait_for_server(
    name: str,
    ask: Callable[[], None],
    unanswered: type[E],
    explain: Callable[[E], str] = str,
) -> None:
    """Ask until no `unanswered` is raised; raises StartupError after some 15 s."""
    for pause in RETRY_PAUSES:
        try:
            return ask()
        except unanswered:
            time.sleep(pause)
    try:
        ask()
    except unanswered as error:
        raise StartupError(
            f"{name} does not answer: {explain(error)}."
        ) from None


def wait_for_postgres(url: str) -> None:
    """Wait until it takes connections; raises StartupError after some 15 s.

    CocoIndex's driver would be silent for 40 s. The URL of a socket, and one that is
    wrong, is left to the driver.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 5432
    except ValueError:
        return
    if not host or "%" in host or "host" in parts.query:
        return

    def ask() -> None:
        try:
            socket.create_connection((host, port), ANSWER_SECONDS).close()
        except OSError as error:
            raise NotYet(str(error)) from None
        # There may be an event loop in this thread already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _connect(url)).result()

    wait_for_server("COCOINDEX_DATABASE_URL", ask, NotYet)


async def _connect(url: str) -> None:
    """Connect once; raises NotYet."""
    try:
        connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS)
    except (OSError, asyncpg.CannotConnectNowError) as error:
        raise NotYet(str(error) or "no answer in time") from None
    except (ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return  # who uses it says what is wrong
    await connection.close()
