"""Who asks: known hosts alone, who knows the password, and browsers that are told to be strict."""

import asyncio
import base64
from typing import Any, NamedTuple

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from image_search.access import (
    SECURITY_HEADERS,
    AccessMiddleware,
    warn_of_open_door,
)
from image_search.attempts import FIRST_DELAY, FREE_ATTEMPTS
from tests.unit.virtual_time import VirtualLoop

SECRET = "open: sesame ☂"
STRANGER = "192.168.1.7"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that greets whoever comes through to it."""
    headers = [(b"content-type", b"text/plain"), (b"referrer-policy", b"lax")]
    await send(
        {"type": "http.response.start", "status": 200, "headers": headers}
    )
    await send({"type": "http.response.body", "body": b"Come in"})


def ask(middleware: AccessMiddleware, *who: Any, **more: Any) -> Answer:
    """Send a request straight to the middleware."""
    return asyncio.run(ask_within(middleware, *who, **more))


async def ask_within(
    middleware: AccessMiddleware,
    host: str | None = "localhost",
    authorization: str | None = None,
    *,
    path: str = "/",
    client: str | None = "127.0.0.1",
    **more: str,
) -> Answer:
    headers = [
        (name.encode(), value.encode("latin-1")) for name, value in more.items()
    ]
    if host is not None:
        headers.append((b"host", host.encode("latin-1")))
    if authorization is not None:
        headers.append((b"authorization", authorization.encode("latin-1")))
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": headers,
        "client": client and (client, 1234),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await middleware(scope, receive, send)
    start, *bodies = sent
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(message["body"] for message in bodies)
    return Answer(start["status"], told, body)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def opened() -> AccessMiddleware:
    """As it is without any setting."""
    return AccessMiddleware(app, password=None, allowed_hosts="")


@pytest.fixture
def locked() -> AccessMiddleware:
    """With a password, and two more names to go by."""
    return AccessMiddleware(
        app, SECRET, allowed_hosts="photos.example, NAS.local"
    )


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8000",
        "127.0.0.1",
        "127.0.0.1:99",
        "192.168.1.7",
        "[::1]",
        "[::1]:80",
        "[fe80::1]:8000",
    ],
)
def test_a_known_host_is_answered(opened: AccessMiddleware, host: str) -> None:
    """Localhost and addresses are always known: no foreign page can have them as its name."""
    assert ask(opened, host)[::2] == (200, b"Come in")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "evil@localhost",
        "localhost:80:80",
        "two words",
        "127.0.0.1.evil.example",
        "photos.example",
        "ev\xefl.example",
    ],
)
def test_an_unknown_host_is_refused(
    opened: AccessMiddleware, host: str | None
) -> None:
    """A name that we don't go by gets 400, and what to set, so that no page can pose as us."""
    answer = ask(opened, host)
    assert answer.status == 400
    assert b"Set ALLOWED_HOSTS" in answer.body
    assert b"Come in" not in answer.body


@pytest.mark.parametrize(
    "host", ["photos.example", "Photos.Example:443", "nas.local", "localhost"]
)
def test_allowed_hosts_are_answered(
    locked: AccessMiddleware, host: str
) -> None:
    """Names in ALLOWED_HOSTS are known in any case, beside those that always are."""
    assert ask(locked, host, basic("anyone", SECRET)).status == 200


def test_a_long_host_is_not_echoed(opened: AccessMiddleware) -> None:
    """The answer to a host of any length is short."""
    answer = ask(opened, "a" * 10_000)
    assert answer.status == 400
    assert len(answer.body) < 200


@pytest.mark.parametrize("user", ["", "anyone", "ünal", "a user"])
def test_the_password_opens(locked: AccessMiddleware, user: str) -> None:
    """With the password, and any user's name, one comes in."""
    assert ask(locked, authorization=basic(user, SECRET))[::2] == (
        200,
        b"Come in",
    )


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic =",
        "Bearer x",
        basic("user", "wrong"),
        basic("user", ""),
        basic("user", SECRET + " "),
        basic("user", SECRET.upper()),
        basic(SECRET, ""),
        "Basic " + base64.b64encode(SECRET.partition(":")[0].encode()).decode(),
        "Basic " + base64.b64encode(b"user:\xff\xfe").decode(),
        "Basic \xff",
    ],
)
def test_nothing_else_opens(
    locked: AccessMiddleware, authorization: str | None
) -> None:
    """Without the password, or with another, the answer is 401, and asks for one in UTF-8."""
    answer = ask(locked, authorization=authorization)
    assert answer.status == 401
    assert b"Come in" not in answer.body
    asked = answer.headers["www-authenticate"]
    assert asked.startswith("Basic ")
    assert 'charset="UTF-8"' in asked
    assert SECRET.encode() not in answer.body


def test_wrong_passwords_are_slow(
    locked: AccessMiddleware, caplog: pytest.LogCaptureFixture
) -> None:
    """They are answered ever later, and told in one line, without what was tried."""

    async def seconds_of(client: str, password: str) -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(
            ask, locked, "localhost", basic("user", password), client=client
        )
        return asyncio.get_running_loop().time() - began

    for _ in range(FREE_ATTEMPTS + 1):
        assert (
            ask(
                locked, authorization=basic("user", "a slip"), client=STRANGER
            ).status
            == 401
        )
    slow = asyncio.run(seconds_of(STRANGER, "a slip"))
    assert slow > FIRST_DELAY
    assert asyncio.run(seconds_of("192.168.1.8", SECRET)) < slow
    [line] = caplog.messages
    assert STRANGER in line
    assert "slip" not in line


def test_many_at_once_are_not_looked_at(locked: AccessMiddleware) -> None:
    """Of very many at the same time most get 429, and when to come again."""

    async def ask_often() -> list[Answer]:
        asked = (
            ask_within(locked, authorization=basic("user", f"wrong {number}"))
            for number in range(60)
        )
        return list(await asyncio.gather(*asked))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        answers = runner.run(ask_often())
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) > 30
    assert {answer.status for answer in answers} == {401, 429}
    for answer in refused:
        assert int(answer.headers["retry-after"]) > 0
        assert b"wait" in answer.body


def test_to_ask_without_a_password_is_no_attempt(
    locked: AccessMiddleware, caplog: pytest.LogCaptureFixture
) -> None:
    """A browser asks so at first: it is told to ask for one, at once and in silence."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def ask_often() -> float:
            for authorization in (None, "", "Basic", "Basic "):
                for _ in range(50):
                    answer = await ask_within(
                        locked, authorization=authorization
                    )
                    assert answer.status == 401
            return asyncio.get_running_loop().time()

        assert runner.run(ask_often()) == 0
    assert caplog.messages == []


def test_the_host_is_asked_first(locked: AccessMiddleware) -> None:
    """A foreign page is not even asked for the password."""
    assert ask(locked, "evil.example", basic("user", SECRET)).status == 400


def test_browsers_are_told_to_be_strict(
    opened: AccessMiddleware, locked: AccessMiddleware
) -> None:
    """Every response, a refusal too, forbids foreign scripts and guesses at its type."""
    for answer in (ask(opened), ask(opened, "evil.example"), ask(locked)):
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name.lower()] == value
    assert ask(opened).headers["content-type"] == "text/plain"
    assert "default-src 'self'" in SECURITY_HEADERS["Content-Security-Policy"]
    assert SECURITY_HEADERS["X-Content-Type-Options"] == "nosniff"


FRIEND = "https://friend.example"


@pytest.mark.parametrize(
    ("more", "embedders"),
    [
        ({}, "same-origin"),
        ({"referer": "http://localhost/?q=cat"}, "same-origin"),
        ({"referer": "https://evil.example/"}, "same-origin"),
        ({"referer": FRIEND + ".evil.example/"}, "same-origin"),
        ({"referer": f"https://evil.example/{FRIEND}/"}, "same-origin"),
        ({"referer": "nonsense"}, "same-origin"),
        ({"referer": FRIEND + "/a/page?x"}, "cross-origin"),
        ({"referer": FRIEND}, "cross-origin"),
        ({"origin": FRIEND}, "cross-origin"),
    ],
)
def test_only_allowed_sites_embed_photos(
    more: dict[str, str], embedders: str
) -> None:
    """An image is shown on our own pages, and on those of sites in CORS_ORIGINS."""
    middleware = AccessMiddleware(app, None, "", [FRIEND])
    answer = ask(middleware, **more)
    assert answer.headers["cross-origin-resource-policy"] == embedders
    other = ask(AccessMiddleware(app, None, ""), **more)
    assert other.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("given", "control"),
    [
        ({}, "private, no-store"),
        ({"etag": '"x"'}, "private, no-cache"),
        ({"cache-control": "max-age=9"}, "private, max-age=9"),
        ({"cache-control": "private, max-age=9"}, "private, max-age=9"),
        ({"cache-control": "no-store"}, "no-store"),
    ],
)
def test_with_a_password_nobody_else_keeps_answers(
    given: dict[str, str], control: str
) -> None:
    """No proxy may keep what was told to one who knows it; without one it is left alone."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("x", headers=given)(scope, receive, send)

    knowing = {"authorization": basic("user", SECRET)}
    locked = ask(AccessMiddleware(answer, SECRET, ""), **knowing)
    assert locked.headers["cache-control"] == control
    opened = ask(AccessMiddleware(answer, None, ""))
    assert opened.headers.get("cache-control") == given.get("cache-control")
    refused = ask(AccessMiddleware(answer, SECRET, ""))
    assert refused.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    ("path", "is_exempt"),
    [
        ("/docs", True),
        ("/docs/x", False),
        ("/docs.jpg", False),
        ("/img/docs", False),
    ],
)
def test_the_docs_may_load_their_scripts(
    opened: AccessMiddleware, path: str, *, is_exempt: bool
) -> None:
    """The page /docs, and it alone, is free to load scripts from a CDN."""
    headers = ask(opened, path=path).headers
    assert ("content-security-policy" not in headers) == is_exempt
    assert headers["x-content-type-options"] == "nosniff"


def test_a_stranger_is_warned_of_once(
    opened: AccessMiddleware, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no password keeps others out, the first from another machine is named, once."""
    ask(opened)
    assert caplog.messages == []
    for client in (STRANGER, STRANGER, "10.0.0.1"):
        assert ask(opened, client=client).status == 200
    [warning] = caplog.messages
    assert STRANGER in warning
    assert "set PASSWORD" in warning


@pytest.mark.parametrize(
    "client", ["127.0.0.1", "127.1.2.3", "::1", "testclient", None]
)
def test_this_machine_is_no_stranger(
    opened: AccessMiddleware,
    caplog: pytest.LogCaptureFixture,
    client: str | None,
) -> None:
    """Whoever asks from here, also over a socket that has no address, is not warned of."""
    assert ask(opened, client=client).status == 200
    assert caplog.messages == []


def test_with_a_password_nobody_is_warned_of(
    locked: AccessMiddleware, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has a password need not be told to set one, nor of those who don't know it."""
    for authorization in (basic("user", SECRET), None):
        ask(locked, authorization=authorization, client=STRANGER)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),  # noqa: S104
        ("::", True),
        ("192.168.1.7", True),
        ("nas.local", True),
    ],
)
def test_listening_to_everyone_is_warned_of(
    caplog: pytest.LogCaptureFixture, host: str, *, is_open: bool
) -> None:
    """Beyond this machine's own address the start warns, unless there is a password."""
    warn_of_open_door(host, SECRET)
    assert caplog.messages == []
    warn_of_open_door(host, None)
    assert [host in message for message in caplog.messages] == [True] * is_open


def test_what_is_no_request_goes_through() -> None:
    """The server's own messages, of its start and its end, are not asked for a password."""
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    async def nothing(*_: Any) -> Any:
        return None

    middleware = AccessMiddleware(inner, SECRET, "")
    scope = {"type": "lifespan"}
    asyncio.run(middleware(scope, nothing, nothing))
    assert seen == [(scope, nothing, nothing)]
