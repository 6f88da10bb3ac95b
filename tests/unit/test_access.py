"""Who asks: known hosts alone, who knows the password, and browsers that are told to be strict."""

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import prometheus_client
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from image_search.access import (
    SECURITY_HEADERS,
    AccessMiddleware,
    check_at_start,
    is_private,
)
from image_search.attempts import FIRST_DELAY, FREE_ATTEMPTS
from image_search.key_file import KeyFile
from image_search.settings import Settings, StartupError
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
    method: str = "GET",
    root_path: str = "",
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
        "method": method,
        "path": path,
        "root_path": root_path,
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
    check_at_start(Settings(host=host, password=SECRET))
    assert caplog.messages == []
    check_at_start(Settings(host=host))
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


def bearer(key: str) -> str:
    return f"Bearer {key}"


# One that is always the same: tests are named for it.
KEY = "Zq3-RkyJ0b7nUe4T_xV1sWcA9oLhG5dMf8iPtB2uEmY"
LINE = f"laptop:{hashlib.sha256(KEY.encode()).hexdigest()}"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    (tmp_path / "keys").write_text(LINE)
    return KeyFile(tmp_path / "keys")


@pytest.fixture
def both(keys: KeyFile) -> AccessMiddleware:
    """With a password, and a key beside it."""
    return AccessMiddleware(app, SECRET, "", keys=keys)


@pytest.fixture
def keys_alone(keys: KeyFile) -> AccessMiddleware:
    return AccessMiddleware(app, None, "", keys=keys)


def asked_by(name: str) -> float:
    """How many requests the metrics count for a key."""
    sample = prometheus_client.REGISTRY.get_sample_value
    return sample("image_search_requests_total", {"key": name}) or 0


@pytest.mark.parametrize(
    "authorization",
    [bearer(KEY), f"bearer  {KEY} ", basic("", KEY), basic("anyone", KEY)],
)
def test_a_key_opens(
    both: AccessMiddleware, keys_alone: AccessMiddleware, authorization: str
) -> None:
    """By itself, or as the password of HTTP Basic; and what it asks is counted by its name."""
    before = asked_by("laptop"), asked_by("")
    for middleware in (both, keys_alone):
        answer = ask(middleware, authorization=authorization)
        assert answer[::2] == (200, b"Come in")
        assert answer.headers["cache-control"] == "private, no-store"
    assert (asked_by("laptop"), asked_by("")) == (before[0] + 2, before[1])


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer ", bearer("wrong"), bearer(KEY[:-1]), bearer("open: sesame"),
     basic(KEY, ""), basic("user", "wrong"), bearer(LINE), f"Basic {KEY[:-1]}",
     bearer(LINE.partition(":")[2]), "Bearer \xff"],
)  # fmt: skip
def test_nothing_but_a_key_opens(
    both: AccessMiddleware,
    keys_alone: AccessMiddleware,
    authorization: str | None,
) -> None:
    """No other word, nor what the file says, comes in, with or without a password beside."""
    before = asked_by("laptop"), asked_by("")
    for middleware in (both, keys_alone):
        answer = ask(middleware, authorization=authorization)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert b"key" in answer.body
    assert (asked_by("laptop"), asked_by("")) == before


def test_the_password_is_no_key(
    both: AccessMiddleware, keys_alone: AccessMiddleware
) -> None:
    """Beside keys it opens all, as by itself; where there is none, an empty one opens nothing."""
    before = asked_by("")
    right = basic("anyone", SECRET)
    assert ask(both, authorization=right, method="POST").status == 200
    assert asked_by("") == before + 1
    as_key = bearer(SECRET.encode().decode("latin-1"))
    assert ask(both, authorization=as_key).status == 401
    for nothing in (basic("", ""), basic("user", ""), right):
        assert ask(keys_alone, authorization=nothing).status == 401


@pytest.mark.parametrize("root_path", ["", "/photos"])
@pytest.mark.parametrize(
    ("method", "path", "may"),
    [
        ("GET", "/status", True),
        ("HEAD", "/health", True),
        ("POST", "/search", True),
        ("POST", "/archive", True),
        ("POST", "/status/retry", False),
        ("POST", "/search/x", False),
        ("POST", "/", False),
        ("DELETE", "/search", False),
        ("PUT", "/img/cat.png", False),
    ],
)
def test_a_key_only_reads(
    both: AccessMiddleware,
    method: str,
    path: str,
    root_path: str,
    *,
    may: bool,
) -> None:
    """It searches by any way, and changes nothing: that is refused in a sentence."""
    asking: dict[str, Any] = {
        "method": method,
        "path": root_path + path,
        "root_path": root_path,
    }
    answer = ask(both, authorization=bearer(KEY), **asking)
    assert answer.status == (200 if may else 403)
    if not may:
        assert b"a key may only read" in answer.body
        assert b"Use the password" in answer.body
        assert b"Come in" not in answer.body
    right = basic("anyone", SECRET)
    assert ask(both, authorization=right, **asking).status == 200


def test_wrong_keys_are_slow(
    both: AccessMiddleware, caplog: pytest.LogCaptureFixture
) -> None:
    """A key is guessed as slowly as a password, and never told in the log."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def seconds_of(key: str) -> float:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await ask_within(both, authorization=bearer(key), client=STRANGER)
            return loop.time() - began

        waits = [runner.run(seconds_of(f"guess {n}")) for n in range(20)]
        assert runner.run(seconds_of(KEY)) == 0
    assert waits[FREE_ATTEMPTS] >= FIRST_DELAY
    assert waits[-1] > waits[FREE_ATTEMPTS]
    assert any(STRANGER in line for line in caplog.messages)
    assert "guess" not in caplog.text
    assert KEY not in caplog.text


def test_without_a_lock_requests_are_counted(opened: AccessMiddleware) -> None:
    """Where nothing is asked for they have no name; those by a foreign name are no requests."""
    before = asked_by("")
    ask(opened, authorization=bearer(KEY))
    ask(opened, "evil.example")
    assert asked_by("") == before + 1


def test_where_keys_open_nobody_is_warned_of(
    keys: KeyFile,
    keys_alone: AccessMiddleware,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Keys keep strangers out as a password does, from the start on."""
    everyone = "0.0.0.0"  # noqa: S104
    settings = Settings(host=everyone, api_keys=keys.path)
    check_at_start(settings)
    assert is_private(settings)
    assert not is_private(Settings())
    ask(keys_alone, authorization=bearer(KEY), client=STRANGER)
    assert caplog.messages == []


def test_wrong_keys_stop_the_start(tmp_path: Path) -> None:
    """Where the file of keys is missing the app does not start, with or without a password."""
    for password in (None, SECRET):
        settings = Settings(password=password, api_keys=tmp_path / "none")
        with pytest.raises(StartupError, match="API_KEYS="):
            check_at_start(settings)
