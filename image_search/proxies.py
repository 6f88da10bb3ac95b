"""For whom a request is: what proxies tell of that, where they are trusted."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from image_search import connections
from image_search.forwarded import (
    Network,
    Told,
    is_within,
    parse_forwarded,
    parse_networks,
    parse_x_forwarded,
    plain_address,
)
from image_search.settings import logger

HEADERS = b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"


class ProxyMiddleware:
    """Makes the client of a request the one for whom a trusted proxy asks.

    Of several it is the last that is no trusted proxy itself. Where nobody trusted
    asks, it is who is connected, whatever the server believed before: by default
    uvicorn believes all that comes from this machine.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self.app = app
        self.trusted = trusted
        # Then also what comes by a socket that has no addresses.
        self._trusts_everybody = {*parse_networks("*")} <= {*trusted}
        names = [str(network) for network in trusted]
        inner: Any = app
        self._believe: Any = ProxyHeadersMiddleware(
            inner, "*" if self._trusts_everybody else names
        )
        self._said: set[str] = set()

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        _tell_who_is_connected(scope)
        client = scope["client"][0] if scope.get("client") else ""
        if self._trusts_everybody or is_within(client, self.trusted):
            scope["headers"] = self._headers_to_believe(scope, client)
            await self._believe(scope, receive, send)
            return
        if any(name in HEADERS for name, _ in scope["headers"]):
            self._say_once(
                "%s says that it asks for others, which is not believed: if it is"
                " your proxy, set TRUSTED_PROXIES to its address.",
                client,
            )
        await self.app(scope, receive, send)

    def _headers_to_believe(
        self, scope: Scope, client: str
    ) -> list[tuple[bytes, bytes]]:
        """A request's headers, with what Forwarded tells as X-Forwarded-*.

        If it comes in both ways, only one of them may be the proxy's own: it lets
        the other through, as it came. So neither is believed unless they agree.
        """
        headers = Headers(scope=scope)
        lines = headers.getlist("forwarded")
        if not lines:
            return list(scope["headers"])
        told = parse_forwarded(", ".join(lines))
        rest = [pair for pair in scope["headers"] if pair[0] not in HEADERS]
        if told is None or _others_say(headers) not in {None, told}:
            self._say_once(
                "%s sends a Forwarded that is broken, or that X-Forwarded-For or"
                " -Proto contradicts, so neither is believed: let your proxy set one"
                " of them, and take the other away.",
                client,
            )
            return rest
        clients = ", ".join(told.clients).encode("latin-1")
        scheme = told.scheme.encode("latin-1")
        rest.append((b"x-forwarded-for", clients))
        return [*rest, (b"x-forwarded-proto", scheme)]

    def _say_once(self, sentence: str, client: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            logger.warning(sentence, client or "A socket without an address")


def _others_say(headers: Headers) -> Told | None:
    """What X-Forwarded-For and -Proto tell, if they are there."""
    hosts = headers.getlist("x-forwarded-for")
    scheme = headers.get("x-forwarded-proto", "")
    if not hosts and not scheme:
        return None
    return parse_x_forwarded(hosts, scheme)


def _tell_who_is_connected(scope: Scope) -> None:
    """Set a request's client and scheme to those of its connection.

    In place, so that the server's log has what is believed, as it does by itself.
    """
    if connection := connections.CURRENT.get():
        peer = connection.transport.get_extra_info("peername")
        # None: a socket without addresses.
        scope["client"] = tuple(peer[:2]) if peer else None
        is_secure = connection.transport.get_extra_info("sslcontext")
        scope["scheme"] = "https" if is_secure else "http"
    if scope.get("client"):
        host, port = scope["client"]
        scope["client"] = plain_address(host), port
