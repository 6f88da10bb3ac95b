"""For whom a request is: only a trusted proxy's word counts, and only for its own clients."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from image_search.connections import CURRENT
from image_search.forwarded import parse_networks
from image_search.proxies import ProxyMiddleware

PROXY = "10.0.0.2"
OTHER_PROXY = "10.0.0.3"
PERSON = "203.0.113.9"
FORGED = "198.51.100.1"
Seen = tuple[str | None, str]


def ask(
    *headers: tuple[str, str],
    client: str | None = PROXY,
    trusted: str = "10.0.0.0/8",
    connection: Any = None,
) -> Seen:
    """The client and the scheme that an app sees of a request."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> Any:
        return None

    scope = {
        "type": "http",
        "scheme": "http",
        "client": client and (client, 1234),
        "headers": [(a.encode(), b.encode("latin-1")) for a, b in headers],
    }
    middleware = ProxyMiddleware(app, parse_networks(trusted))

    async def within() -> None:
        CURRENT.set(connection)
        await middleware(scope, nothing, nothing)

    asyncio.run(within())
    [found] = seen
    return found["client"] and found["client"][0], found["scheme"]


def x_for(*clients: str) -> tuple[str, str]:
    return "x-forwarded-for", ", ".join(clients)


def forwarded(header: str) -> tuple[str, str]:
    return "forwarded", header


HTTPS = ("x-forwarded-proto", "https")


@pytest.mark.parametrize(
    "headers",
    [
        [x_for(PERSON), HTTPS],
        [x_for(FORGED, PERSON), HTTPS],
        [x_for(FORGED), x_for(PERSON), HTTPS],
        [x_for(FORGED, PERSON, OTHER_PROXY), HTTPS],
        [forwarded(f"for={PERSON};proto=https")],
        [forwarded(f'for={FORGED}, for="{PERSON}:99";proto=https')],
        [forwarded(f"for={FORGED}"), forwarded(f"for={PERSON};proto=https")],
        [forwarded(f"for={PERSON};proto=https"), x_for(PERSON), HTTPS],
    ],
)
def test_a_trusted_proxy_is_believed(headers: list[tuple[str, str]]) -> None:
    """Who asks is the last one that is no trusted proxy, whatever that one says of others."""
    assert ask(*headers) == (PERSON, "https")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [x_for("")],
        # By one header comes what the proxy says, by the other what its client does.
        [x_for(PERSON), HTTPS, forwarded(f"for={FORGED}")],
        [x_for(FORGED), forwarded(f"for={PERSON};proto=https")],
        [x_for(FORGED, PERSON), forwarded(f"for={PERSON}")],
        [HTTPS, forwarded(f"for={FORGED};proto=http")],
        [forwarded(f'for="{FORGED}, for={PERSON}')],
    ],
)
def test_what_may_be_forged_is_not_believed(
    headers: list[tuple[str, str]],
) -> None:
    """Where nothing is told, or two things, or what is broken, it is the proxy that asks."""
    assert ask(*headers) == (PROXY, "http")


@pytest.mark.parametrize("trusted", ["", "127.0.0.1", "10.0.0.3, fd00::/8"])
def test_nobody_else_is_believed(trusted: str) -> None:
    """By default no header counts; and never one from elsewhere."""
    for headers in ([x_for(FORGED), HTTPS], [forwarded(f"for={FORGED}")]):
        assert ask(*headers, trusted=trusted) == (PROXY, "http")


@pytest.mark.parametrize(
    ("trusted", "client"), [("0.0.0.0/0", None), ("*", FORGED)]
)
def test_who_has_no_address_is_one_of_everybody(
    trusted: str, client: str | None
) -> None:
    """A proxy at a socket that has no addresses is believed where everybody is."""
    told = ask(x_for(FORGED), client=None, trusted=trusted)
    assert told == (client, "http")


class Connection:
    """What the server is connected to."""

    def __init__(self, peer: Any, *, is_secure: bool = False) -> None:
        self.told = {"peername": peer, "sslcontext": is_secure}
        self.transport = self

    def get_extra_info(self, name: str) -> Any:
        return self.told[name]


@pytest.mark.parametrize(
    ("connection", "trusted", "seen"),
    [
        (Connection((PROXY, 9)), "", (PROXY, "http")),
        (Connection((PROXY, 9)), PROXY, (FORGED, "https")),
        (Connection((f"::ffff:{PROXY}", 9, 0, 0)), PROXY, (FORGED, "https")),
        (Connection((PERSON, 9), is_secure=True), PROXY, (PERSON, "https")),
        (Connection(""), "*", (FORGED, "https")),
        (Connection(""), PROXY, (None, "http")),
    ],
)
def test_what_the_server_believed_is_undone(
    connection: Connection, trusted: str, seen: Seen
) -> None:
    """Uvicorn has taken a header for the client by then: who is connected counts, not that."""
    headers = [x_for(FORGED), HTTPS]
    told = ask(*headers, client=FORGED, trusted=trusted, connection=connection)
    assert told == seen


def test_a_proxy_that_is_not_trusted_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who has set up a proxy, and has not named it, is told to; nobody can fill the log so."""

    async def app(*_: Any) -> None:
        """Take it."""

    async def nothing(*_: Any) -> Any:
        return None

    middleware = ProxyMiddleware(app, ())

    def send(*headers: tuple[bytes, bytes]) -> None:
        scope = {"type": "http", "client": (PROXY, 1), "headers": [*headers]}
        asyncio.run(middleware(scope, nothing, nothing))

    send((b"host", b"localhost"))
    assert caplog.messages == []
    for number in range(9):
        send((b"x-forwarded-for", f"1.1.1.{number}".encode()))
    [said] = caplog.messages
    assert PROXY in said
    assert "set TRUSTED_PROXIES" in said
    assert "1.1.1" not in said


def test_what_is_no_request_goes_through() -> None:
    """The server's own messages come to the app as they are."""
    seen: list[Any] = []

    async def app(*what: Any) -> None:
        seen.append(what)

    async def nothing(*_: Any) -> Any:
        return None

    scope = {"type": "lifespan"}
    asyncio.run(ProxyMiddleware(app, ())(scope, nothing, nothing))
    assert seen == [(scope, nothing, nothing)]
