"""Who may ask: known hosts, and who knows the password."""

import base64
import contextlib
import ipaddress
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_search.settings import logger

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
ASK_FOR_PASSWORD = {
    "WWW-Authenticate": 'Basic realm="Image search", charset="UTF-8"'
}


def warn_of_open_door(host: str, password: str | None) -> None:
    """Warn where the app listens to other machines, and no password keeps them out."""
    is_local = host == "localhost"
    if _is_address(host):
        is_local = ipaddress.ip_address(host).is_loopback
    if not is_local and not password:
        logger.warning(
            "Everyone who reaches %s can search these photos: set PASSWORD.",
            host,
        )


class AccessMiddleware:
    """What every request must pass, and what every response tells the browser.

    Unknown Host headers are refused, which protects against DNS rebinding; then the
    password is asked for, if there is one.
    """

    def __init__(
        self, app: ASGIApp, password: str | None, allowed_hosts: str
    ) -> None:
        """`allowed_hosts`: names beside localhost and IP addresses, with commas."""
        self.app = app
        self.password = password
        names = allowed_hosts.lower().replace(",", " ").split()
        self.hosts = {"localhost", *names}
        self._has_warned = False

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._warn_of_strangers(scope)

        async def send_securely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                if scope["path"] == "/docs":  # its scripts come from a CDN
                    del headers["Content-Security-Policy"]
            await send(message)

        answer = self.refusal(Headers(scope=scope)) or self.app
        await answer(scope, receive, send_securely)

    def refusal(self, headers: Headers) -> Response | None:
        """The answer to a request that may not pass."""
        host = _host_name(headers.get("host", ""))
        if host not in self.hosts and not _is_address(host):
            hint = f"Set ALLOWED_HOSTS to answer for {host[:99]!r}."
            return PlainTextResponse(hint, 400)
        if self.password and not _knows(self.password, headers):
            hint = "The password, please; any user name will do."
            return PlainTextResponse(hint, 401, ASK_FOR_PASSWORD)
        return None

    def _warn_of_strangers(self, scope: Scope) -> None:
        """Say once that another machine has asked, where no password keeps it out."""
        if self.password or self._has_warned or not scope.get("client"):
            return
        client = scope["client"][0]
        if not _is_address(client) or ipaddress.ip_address(client).is_loopback:
            return
        self._has_warned = True
        logger.warning(
            "%s has asked from another machine, and everyone who reaches this one can"
            " search these photos: set PASSWORD.",
            client,
        )


def _host_name(header: str) -> str:
    """The name in a Host header, without the port and an IPv6 address's brackets."""
    return re.sub(r":\d+$", "", header.lower()).strip("[]")


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _knows(password: str, headers: Headers) -> bool:
    """Whether a request has the password, by HTTP Basic with any user name."""
    given = headers.get("authorization", "").partition(" ")[2]
    with contextlib.suppress(ValueError):  # it is not in base 64, or not UTF-8
        given = base64.b64decode(given).decode().partition(":")[2]
    return secrets.compare_digest(given.encode(), password.encode())
