"""Who may ask: known hosts, and who knows the password or has a key."""

import base64
import contextlib
import ipaddress
import re
import secrets
from collections.abc import Sequence

import prometheus_client
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_search.attempts import Attempts, TooManyAttempts
from image_search.key_file import KeyFile
from image_search.proxies import ProxyMiddleware
from image_search.root_path import path_below_root
from image_search.settings import Settings, logger

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
# What a key may do beside reading: searches and downloads by POST change nothing.
READING_METHODS = {"GET", "HEAD", "OPTIONS"}
READING_POSTS = {"/search", "/archive", "/mcp"}
REQUESTS = prometheus_client.Counter(
    "image_search_requests",
    "Requests, by the name of the key that they came with; without a name: by"
    " the password, or where none is asked for.",
    ["key"],
)


def protect(app: Starlette, settings: Settings) -> None:
    """Put before an app what each request must pass, the innermost first."""
    origins = settings.cors_origins.replace(",", " ").split()
    keys = settings.api_keys
    app.add_middleware(
        AccessMiddleware,
        password=settings.password,
        allowed_hosts=settings.allowed_hosts,
        cors_origins=origins,
        keys=KeyFile(keys) if keys else None,
    )
    # Outside of it: a browser asks what it may, before it knows a password.
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization"],
        )
    app.add_middleware(ProxyMiddleware, trusted=settings.trusted_proxies)


def is_private(settings: Settings) -> bool:
    """Whether only who knows the password, or has a key, may ask."""
    return bool(settings.password or settings.api_keys)


def check_at_start(settings: Settings) -> None:
    """Raise StartupError for keys that can't be read; warn if there is no lock."""
    if settings.api_keys:
        KeyFile(settings.api_keys).check_at_start()
    if not is_private(settings):
        warn_of_open_door(settings.host)


def warn_of_open_door(host: str) -> None:
    """Warn where the app listens to other machines, if nothing keeps them out."""
    is_local = host == "localhost"
    if _is_address(host):
        is_local = ipaddress.ip_address(host).is_loopback
    if not is_local:
        logger.warning(
            "Everyone who reaches %s can search these photos: set PASSWORD.",
            host,
        )


class AccessMiddleware:
    """What every request must pass, and what every response tells the browser.

    Unknown Host headers are refused, which protects against DNS rebinding; then the
    password or a key is asked for, if there is one.
    """

    def __init__(
        self,
        app: ASGIApp,
        password: str | None,
        allowed_hosts: str,
        cors_origins: Sequence[str] = (),
        keys: KeyFile | None = None,
    ) -> None:
        """`allowed_hosts`: names beside localhost and IP addresses, with commas.

        `cors_origins`: other sites whose pages may show what is here.
        `keys`: of programs, which open beside the password, but only to read.
        """
        self.app = app
        self.password = password
        self.keys = keys
        self.is_private = bool(password or keys)
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
                if self.is_private:
                    _keep_private(headers)
            await send(message)

        answer = self._foreign_host(asked)
        if answer is None:
            answer = await self._refusal(scope, asked)
        await (answer or self.app)(scope, receive, send_securely)

    def _foreign_host(self, headers: Headers) -> Response | None:
        """The answer to a request by a name that we don't go by."""
        host = _host_name(headers.get("host", ""))
        if host in self.hosts or _is_address(host):
            return None
        hint = f"Set ALLOWED_HOSTS to answer for {host[:99]!r}."
        return PlainTextResponse(hint, 400)

    async def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to who may not ask this; a request of anybody else is counted."""
        caller: str | None = ""
        if self.is_private:
            client = scope["client"][0] if scope.get("client") else ""
            try:
                caller = await self._caller(client, headers)
            except TooManyAttempts as error:
                hint = (
                    "Too many wrong passwords came from your network:"
                    " wait a little."
                )
                wait = {"Retry-After": str(error.retry_after)}
                return PlainTextResponse(hint, 429, wait)
        if caller is None:
            hint = "The password, please; any user name will do."
            if self.keys:
                hint = "A key, or the password with any user name, please."
            return PlainTextResponse(hint, 401, ASK_FOR_PASSWORD)
        REQUESTS.labels(caller).inc()
        if not caller or _only_reads(scope):
            return None
        told = "This changes something, and a key may only read and search."
        if self.password:
            told += " Use the password."
        return JSONResponse({"detail": told}, 403)

    async def _caller(self, client: str, headers: Headers) -> str | None:
        """The name of the key that is given, none of the password; None if wrong."""
        secret, is_key = _secret_in(headers)
        # A browser asks without any at first: that is no attempt.
        if not secret:
            return None
        caller = None

        def check() -> bool:
            nonlocal caller
            if not is_key and self._is_password(secret):
                caller = ""
            elif self.keys:
                caller = self.keys.name_of(secret)
            return caller is not None

        await self._attempts.succeeds(client, check)
        return caller

    def _is_password(self, given: str) -> bool:
        if not self.password:
            return False
        return secrets.compare_digest(given.encode(), self.password.encode())

    def _embedders(self, headers: Headers) -> str:
        """Whose pages may embed the answer, as an image: ours, and allowed ones."""
        page = "/".join(headers.get("referer", "").split("/")[:3])
        is_allowed = {page, headers.get("origin", "")} & self.origins
        return "cross-origin" if is_allowed else "same-origin"

    def _warn_of_strangers(self, scope: Scope) -> None:
        """Say once that another machine has asked, where no password keeps it out."""
        if self.is_private or self._has_warned or not scope.get("client"):
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


def _secret_in(headers: Headers) -> tuple[str, bool]:
    """What is given by HTTP Basic, with any user name, or else as a key."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip(), True
    with contextlib.suppress(ValueError):  # it is not in base 64, or not UTF-8
        given = base64.b64decode(given).decode().partition(":")[2]
    return given, False


def _only_reads(scope: Scope) -> bool:
    """Whether a request is of those that change nothing."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    is_search = scope["method"] == "POST" and path in READING_POSTS
    return is_search or scope["method"] in READING_METHODS


def _keep_private(headers: MutableHeaders) -> None:
    """Let no proxy on the way keep an answer; nor the browser, if it can't ask anew."""
    control = headers.get("cache-control", "")
    if "private" in control or "no-store" in control:
        return
    if not control:
        control = "no-cache" if "etag" in headers else "no-store"
    headers["cache-control"] = f"private, {control}"
