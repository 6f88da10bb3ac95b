"""Who may ask: known hosts, and who knows the password."""

import base64
import contextlib
import ipaddress
import re
import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_search.attempts import Attempts, TooManyAttempts
from image_search.root_path import path_below_root
from image_search.settings import logger

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none';"
        # Pictures by their links, which the browser fetches.
        " connect-src 'self' http: https: data:;"
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
        self,
        app: ASGIApp,
        password: str | None,
        allowed_hosts: str,
        cors_origins: Sequence[str] = (),
    ) -> None:
        """`allowed_hosts`: names beside localhost and IP addresses, with commas.

        `cors_origins`: other sites whose pages may show what is here.
        """
        self.app = app
        self.password = password
        names = allowed_hosts.lower().replace(",", " ").split()
        self.hosts = {"localhost", *names}
        self.origins = {*cors_origins}
        self._attempts = Attempts()
        self._has_warned = False

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._warn_of_strangers(scope)
        asked = Headers(scope=scope)
        is_docs = path_below_root(scope) == "/docs"

        async def send_securely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers["Cross-Origin-Resource-Policy"] = self._embedders(asked)
                if is_docs:  # its scripts come from a CDN
                    del headers["Content-Security-Policy"]
                if self.password:
                    _keep_private(headers)
            await send(message)

        answer = self._foreign_host(asked)
        if answer is None and self.password:
            client = scope["client"][0] if scope.get("client") else ""
            answer = await self._ask_for_password(client, self.password, asked)
        await (answer or self.app)(scope, receive, send_securely)

    def _foreign_host(self, headers: Headers) -> Response | None:
        """The answer to a request by a name that we don't go by."""
        host = _host_name(headers.get("host", ""))
        if host in self.hosts or _is_address(host):
            return None
        hint = f"Set ALLOWED_HOSTS to answer for {host[:99]!r}."
        return PlainTextResponse(hint, 400)

    async def _ask_for_password(
        self, client: str, password: str, headers: Headers
    ) -> Response | None:
        """The answer to a request without the right one."""
        given = _password_in(headers)
        right, tried = password.encode(), given.encode()
        try:
            # A browser asks without any at first: that is no attempt.
            if given and await self._attempts.succeeds(
                client, lambda: secrets.compare_digest(tried, right)
            ):
                return None
        except TooManyAttempts as error:
            hint = "Too many wrong passwords came from your network: wait a little."
            wait = {"Retry-After": str(error.retry_after)}
            return PlainTextResponse(hint, 429, wait)
        hint = "The password, please; any user name will do."
        return PlainTextResponse(hint, 401, ASK_FOR_PASSWORD)

    def _embedders(self, headers: Headers) -> str:
        """Whose pages may embed the answer, as an image: ours, and allowed ones."""
        page = "/".join(headers.get("referer", "").split("/")[:3])
        is_allowed = {page, headers.get("origin", "")} & self.origins
        return "cross-origin" if is_allowed else "same-origin"

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


def _password_in(headers: Headers) -> str:
    """What is given as the password, by HTTP Basic with any user name."""
    given = headers.get("authorization", "").partition(" ")[2]
    with contextlib.suppress(ValueError):  # it is not in base 64, or not UTF-8
        given = base64.b64decode(given).decode().partition(":")[2]
    return given


def _keep_private(headers: MutableHeaders) -> None:
    """Let no proxy on the way keep an answer; nor the browser, if it can't ask anew."""
    control = headers.get("cache-control", "")
    if "private" in control or "no-store" in control:
        return
    if not control:
        control = "no-cache" if "etag" in headers else "no-store"
    headers["cache-control"] = f"private, {control}"
