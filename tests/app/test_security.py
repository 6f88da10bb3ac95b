"""Who asks, and for what: a password, known hosts, nothing but photos, and no end of nonsense."""

import base64
import concurrent.futures
import contextlib
import os
import re
import resource
import select
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from image_search.keys import make_key
from tests.harness import PHOTOS, App, NewApp, eventually, png_of_many_pixels

SECRET = "open: sesame ☂"
KEY, LINE = make_key("laptop")


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    """An app as it is without any setting."""
    app = new_app("cat.png", "coffee.png")
    (app.img / "page.html").write_text("<script>alert(1)</script>")
    (app.img / "drawing.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'/>"
    )
    (app.img / "script.jpg").write_text("<script>alert(1)</script>")
    app.start()
    app.finds("cat.png", "coffee.png")
    yield app
    app.stop()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(LINE)
    return path


@pytest.fixture(scope="module")
def locked(new_app: NewApp, key_file: Path) -> Iterator[App]:
    """An app with a password, a key, a second name, and another site that may ask it.

    It believes for whom a proxy on this machine asks.
    """
    app = new_app(
        "cat.png",
        API_KEYS=str(key_file),
        TRUSTED_PROXIES="127.0.0.1",
        HOST="0.0.0.0",  # noqa: S104
        PASSWORD=SECRET,
        ALLOWED_HOSTS="photos.example, NAS.local",
        CORS_ORIGINS="https://friend.example",
    )
    app.start()
    yield app
    app.stop()


PATHS = ("/", "/search?q=cat", "/img/cat.png", "/thumb/cat.png", "/photo/cat.png", "/status",
         "/status/events", "/status/skipped", "/health", "/metrics", "/docs", "/openapi.json")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_the_password_is_asked_for_everywhere(locked: App, path: str) -> None:
    """Without the password, or with another, every address answers 401, and asks for one."""
    wrong = [
        "",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"user:wrong").decode(),
        "Bearer x",
    ]
    for authorization in wrong:
        response = locked.http.get(
            path,
            # By a proxy on this machine, for somebody who has not tried before.
            headers={
                "Authorization": authorization,
                "X-Forwarded-For": f"10.1.0.{PATHS.index(path)}",
            },
        )
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic ")
    for taking in ("/search", "/archive"):
        assert locked.http.post(taking, content=b"x").status_code == 401


def test_the_password_opens(locked: App) -> None:
    """With the password, and any user's name, everything works as it does without one."""
    right = httpx.BasicAuth("anyone", SECRET)
    eventually(
        lambda: locked.http.get("/health", auth=right).status_code == 200
    )
    found = locked.http.get("/search", params={"q": "cat"}, auth=right).json()[
        "results"
    ]
    assert found[0]["filename"] == "cat.png"
    assert SECRET not in locked.log.read_text()
    assert SECRET not in locked.http.get("/status", auth=right).text


def test_wrong_passwords_cost_time(locked: App) -> None:
    """To guess is slow, whoever else knows the password is not, and the log stays short."""
    before = len(locked.log.read_text())
    guesses: list[int] = []
    end = time.monotonic() + 4

    def guess(number: int) -> None:
        while time.monotonic() < end:
            answer = locked.http.get(
                "/status",
                auth=httpx.BasicAuth("anyone", f"guess {number}"),
                headers={"X-Forwarded-For": "10.2.0.1"},
            )
            guesses.append(answer.status_code)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        guessing = [pool.submit(guess, number) for number in range(4)]
        began = time.monotonic()
        for client in ("10.2.0.2", "2001:db8::1"):
            right = locked.http.get(
                "/status",
                auth=httpx.BasicAuth("anyone", SECRET),
                headers={"X-Forwarded-For": client},
            )
            assert right.status_code == 200
        assert time.monotonic() - began < 2
        for one in guessing:
            one.result()
    assert set(guesses) <= {401, 429}
    assert guesses.count(401) < 15
    said = locked.log.read_text()[before:]
    assert said.count("10.2.0.1") == 1
    assert "guess" not in said


def test_a_key_only_reads(locked: App, key_file: Path) -> None:
    """A program searches with its key, changes nothing, and is counted; a new line is a new key."""
    http = locked.http

    def by(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    mine = by(KEY)
    eventually(lambda: http.get("/health", headers=mine).status_code == 200)
    found = http.get("/search?q=cat", headers=mine).json()["results"]
    assert found[0]["filename"] == "cat.png"
    assert http.get("/img/cat.png", auth=("any", KEY)).status_code == 200
    photo = (PHOTOS / "cat.png").read_bytes()
    for answer in (
        http.post("/search", headers=mine, content=photo),
        http.post("/archive", headers=mine, data={"names": '["cat.png"]'}),
    ):
        assert answer.status_code == 200
    refused = http.post("/status/retry", headers=mine)
    assert refused.status_code == 403
    assert "may only read" in refused.json()["detail"]
    right = httpx.BasicAuth("anyone", SECRET)
    assert http.post("/status/retry", auth=right).status_code == 202
    told = http.get("/metrics", headers=mine).text
    counted = re.search(r'_requests_total\{key="laptop"\} (\S+)', told)
    assert counted
    assert float(counted[1]) >= 7
    assert '_requests_total{key=""}' in told

    key, line = make_key("phone")
    key_file.write_text(f"{LINE}\n{line}\n")
    from_afar = by(key) | {"X-Forwarded-For": "10.3.0.1"}
    eventually(
        lambda: http.get("/status", headers=from_afar).status_code == 200
    )
    said = locked.log.read_text() + http.get("/status", headers=mine).text
    for secret in (KEY, key, *line.split(":")[1:]):
        assert secret not in said


def test_answers_stay_with_who_asked(locked: App, app: App) -> None:
    """With a password nothing that tells of photos is for a proxy, or another site, to keep."""
    right = httpx.BasicAuth("anyone", SECRET)
    eventually(
        lambda: locked.http.get("/health", auth=right).status_code == 200
    )
    version = locked.http.get("/search", auth=right).json()["results"][0][
        "version"
    ]
    for path in ("/", "/search?q=cat", "/img/cat.png", f"/img/cat.png?v={version}",
                 "/thumb/cat.png", f"/thumb/cat.png?v={version}", "/status", "/metrics",
                 "/health", "/openapi.json", "/img/no.jpg"):  # fmt: skip
        told = locked.http.get(path, auth=right).headers
        assert "private" in told["cache-control"], path
        assert "public" not in told["cache-control"]
        assert told["cross-origin-resource-policy"] == "same-origin"
        assert ("immutable" in told["cache-control"]) == ("v=" in path)
        friend = {"Referer": "https://friend.example/page"}
        told = locked.http.get(path, auth=right, headers=friend).headers
        assert told["cross-origin-resource-policy"] == "cross-origin"
        told = app.http.get(path, headers=friend).headers
        assert told["cross-origin-resource-policy"] == "same-origin"


def test_only_known_hosts_are_answered(locked: App) -> None:
    """A name that we don't go by gets 400, so that no foreign page can pose as this one."""
    right = httpx.BasicAuth("anyone", SECRET)
    codes = {
        host: locked.http.get("/status", headers={"Host": host}, auth=right).status_code
        for host in ("localhost", "127.0.0.1:99", "[::1]:80", "192.168.1.7", "nas.local:8000",
                     "Photos.example", "evil.example", "localhost.evil.example")
    }  # fmt: skip
    refused = {host for host, code in codes.items() if code == 400}
    assert refused == {"evil.example", "localhost.evil.example"}
    assert set(codes.values()) == {200, 400}


def test_other_sites_are_not_told(app: App, locked: App) -> None:
    """No other site may read an answer, but those in CORS_ORIGINS, and those by their name only."""
    right = httpx.BasicAuth("anyone", SECRET)
    for origin in ("https://friend.example", "https://evil.example", "null"):
        headers = {"Origin": origin}
        answer = app.http.get("/status", headers=headers)
        assert "access-control-allow-origin" not in answer.headers
        answer = locked.http.get("/status", headers=headers, auth=right)
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed == (origin if "friend" in origin else None)
        headers |= {
            "Access-Control-Request-Method": "POST",  # to send a photo
            "Access-Control-Request-Headers": "Authorization, Content-Type",
        }
        may = locked.http.options("/search", headers=headers).status_code == 200
        assert may == ("friend" in origin)


@pytest.mark.parametrize("path", PATHS)
def test_browsers_are_told_to_be_strict(app: App, path: str) -> None:
    """Every response forbids foreign scripts and guesses at its type (the docs use a CDN's)."""
    with app.http.stream("GET", path) as response:
        assert response.headers["x-content-type-options"] == "nosniff"
        if path != "/docs":
            assert (
                "default-src 'self'"
                in response.headers["content-security-policy"]
            )


def test_what_looks_like_a_photo_is_sent_as_one(app: App) -> None:
    """HTML by a photo's name is sent as a photo, which no browser runs; other files never."""
    response = app.get("/img/script.jpg")
    assert response.headers["content-type"] == "image/jpeg"
    for name in ("page.html", "drawing.svg"):
        assert app.get(f"/img/{name}").status_code == 404
        assert app.get(f"/thumb/{name}").status_code == 404


def test_listening_to_everyone_without_a_password_is_warned_of(
    new_app: NewApp, locked: App
) -> None:
    """Beyond this machine's own address the start warns, unless there is a password."""
    assert "PASSWORD" not in locked.log.read_text()
    app = new_app("cat.png", HOST="0.0.0.0")  # noqa: S104
    app.start()
    app.stop()
    assert "PASSWORD" in app.log.read_text()


def test_uploads_have_bounds(app: App) -> None:
    """A photo too large is refused before it is held, by whatever way it comes."""

    def endless() -> Iterator[bytes]:
        for _ in range(80):
            yield bytes(2**20)

    for content in (endless(), b"x" * (65 * 2**20)):
        # It hangs up before all is sent.
        with contextlib.suppress(httpx.WriteError):
            response = app.http.post("/search", content=content, timeout=60)
            assert response.status_code == 413
    with contextlib.suppress(httpx.WriteError):
        form = {"image": b"x" * (65 * 2**20)}
        assert (
            app.http.post("/search", files=form, timeout=60).status_code == 413
        )


def test_an_upload_of_unknown_length_is_read(app: App) -> None:
    """A photo that comes in chunks, as `curl -T -` sends it, is searched by."""
    photo = (PHOTOS / "cat.png").read_bytes()

    def in_chunks() -> Iterator[bytes]:
        for start in range(0, len(photo), 50_000):
            yield photo[start : start + 50_000]

    response = app.http.post("/search", content=in_chunks())
    assert response.json()["results"][0]["filename"] == "cat.png"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n", (400, 413)),
        ("Content-Length: 1\r\nContent-Type: multipart/form-data; boundary=x; charset=undefined",
         b"x", (400, 422)),
        ("Content-Length: 0\r\nHost: two words", b"", (400,)),
        ("Content-Length: 0\r\nHost: evil@localhost", b"", (400,)),
    ],
)  # fmt: skip
def test_odd_requests_are_refused(
    app: App, headers: str, body: bytes, code: tuple[int]
) -> None:
    """A length that is none, an encoding that is none, a host that is none: refused, not served."""
    host = "" if "Host" in headers else "Host: localhost\r\n"
    with socket.create_connection(("127.0.0.1", app.port)) as connection:
        connection.sendall(
            f"POST /search HTTP/1.1\r\n{host}{headers}\r\n\r\n".encode() + body
        )
        assert int(connection.recv(99).split()[1]) in code


@pytest.mark.parametrize(
    "name", ["a%00.jpg", 300 * "a" + ".jpg", 2500 * "a/" + "x.jpg"]
)
def test_impossible_names_are_no_photos(app: App, name: str) -> None:
    """A name that no file can have is a 404, as any other name without a photo."""
    for place in ("img", "thumb"):
        assert app.get(f"/{place}/{name}").status_code == 404


def test_a_link_shows_nothing_hidden(app: App) -> None:
    """A photo's name that leads to a hidden file, or to another kind, is not served nor found."""
    (app.img / ".hidden.jpg").write_bytes((PHOTOS / "rocket.jpg").read_bytes())
    (app.img / "blob").write_bytes((PHOTOS / "rocket.jpg").read_bytes())
    links = {
        "link.jpg": ".hidden.jpg",
        "link.png": "page.html",
        "blob.jpg": "blob",
    }
    for name, target in links.items():
        (app.img / name).symlink_to(target)

    def left_out() -> bool:
        skipped = {
            photo["filename"] for photo in app.status()["skipped_photos"]
        }
        return skipped >= {*links}

    eventually(left_out)
    assert not {*links} & {*app.photos()}
    for name in links:
        assert app.get(f"/img/{name}").status_code == 404
        assert app.get(f"/thumb/{name}").status_code == 404
        (app.img / name).unlink()
    (app.img / "blob").unlink()


def test_a_fifo_holds_nobody_up(app: App) -> None:
    """What is no file, but goes by a photo's name, is a 404 at once, however often asked for."""
    os.mkfifo(app.img / "fifo.jpg")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        asked = [
            pool.submit(app.http.get, f"/{place}/fifo.jpg", timeout=10)
            for place in 45 * ["img"] + 5 * ["thumb"]
        ]
        codes = {response.result().status_code for response in asked}
    assert codes == {404}
    (app.img / "fifo.jpg").unlink()


def test_new_words_hold_nobody_else_up(app: App) -> None:
    """Under any load of searches for new words everything else answers as it did.

    Of those that ask too much some are put off; none waits for minutes.
    """
    assert app.get("/search", q="known words").status_code == 200
    is_over = threading.Event()
    codes: list[int] = []

    def search_on_and_on() -> None:
        while not is_over.is_set():
            words = [uuid.uuid4().hex for _ in range(11)]
            query = {"q": words[0], "minus": words[1:]}
            answer = app.http.get("/search", params=query, timeout=60)
            codes.append(answer.status_code)
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) > 0
                is_over.wait(0.2)

    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        load = [pool.submit(search_on_and_on) for _ in range(48)]
        try:
            eventually(lambda: codes)
            for _ in range(3):
                for path in ("/img/cat.png", "/thumb/cat.png", "/status", "/metrics",
                             "/search?q=known words", "/search?like=cat.png", "/search",
                             "/health", "/docs"):  # fmt: skip
                    began = time.monotonic()
                    assert app.get(path).status_code == 200, path
                    assert time.monotonic() - began < 3, path
        finally:
            is_over.set()
        for one in load:
            one.result()
    assert set(codes) == {200, 503}


def bombs() -> Iterator[bytes]:
    """Four small photos that would take gigabytes to decode."""
    yield from 2 * [png_of_many_pixels(14_000, 14_000)]
    yield from 2 * [png_of_many_pixels(190_000, 1000)]


def test_bombs_leave_room_for_a_photo(app: App) -> None:
    """Photos that would fill the memory are refused with the reason, and hold up no other."""
    sent = [*bombs()]
    assert all(len(bomb) < 2**20 for bomb in sent)
    photo = (PHOTOS / "cat.png").read_bytes()
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [
            pool.submit(app.http.post, "/search", content=bomb) for bomb in sent
        ]
        fifth = eventually(
            lambda: app.http.post("/search", content=photo).status_code == 200,
            within=10,
        )
        assert fifth
        # One may find the photo in its place, and is put off.
        refused = [answer.result() for answer in answers]
        assert {answer.status_code for answer in refused} <= {422, 429}
        told = [answer.json()["detail"] for answer in refused]
        assert any("of memory to decode" in reason for reason in told)
    assert time.monotonic() - began < 15


def test_many_uploads_at_once_are_put_off(app: App) -> None:
    """More photos at once than are worked on get 429 and Retry-After; a search is not held up."""
    photo = (PHOTOS / "motorcycle.jpg").read_bytes()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        sent = [pool.submit(app.http.post, "/search", content=photo, timeout=60)
                for _ in range(24)]  # fmt: skip
        assert app.get("/search", q="cat").status_code == 200
        codes = {response.result().status_code for response in sent}
    assert codes <= {200, 429}
    assert 200 in codes
    assert (
        app.http.post("/search", content=photo, timeout=60).status_code == 200
    )


def test_slow_uploads_do_not_stop_an_upload(app: App) -> None:
    """However many photos come by drops, there is a place within seconds for one that is sent."""
    photo = (PHOTOS / "cat.png").read_bytes()
    slow = []
    for _ in range(4):  # as many as there are places
        slow.append(
            socket.create_connection(("127.0.0.1", app.port), timeout=15)
        )
        slow[-1].sendall(
            b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"
        )
        # It has come before the next one does, and before the photo below.
        assert app.get("/status").status_code == 200

    def answer() -> httpx.Response:
        return app.http.post("/search", content=photo, timeout=60)

    eventually(lambda: answer().status_code == 429, within=5)
    assert answer().headers["retry-after"] == "1"
    eventually(lambda: answer().status_code == 200, within=15)
    given_up, _, _ = select.select(slow, [], [], 0)
    assert len(given_up) == 1  # the one that came last
    assert given_up[0].recv(99).startswith(b"HTTP/1.1 408 ")
    for connection in slow:
        connection.close()


def test_slow_and_idle_strangers_do_not_stop_a_search(app: App) -> None:
    """5,000 connections that say little or nothing leave searches as they were."""
    idle = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for number in range(5000):
        connection = socket.create_connection(("127.0.0.1", app.port))
        if number % 2:
            connection.sendall(
                b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
            )
        idle.append(connection)
    assert app.get("/search", q="cat").status_code == 200
    for connection in idle:
        connection.close()


@pytest.fixture(scope="module")
def small(new_app: NewApp) -> Iterator[App]:
    """An app with a password and few files to open, as `uvicorn main:app` starts it."""
    app = new_app("cat.png", PASSWORD=SECRET)
    uvicorn = Path(sys.executable).with_name("uvicorn")
    app.start(
        "prlimit",
        "--nofile=2000",
        str(uvicorn),
        "main:app",
        f"--port={app.port}",
    )
    yield app
    app.stop()


def test_who_holds_all_connections_locks_nobody_out(small: App) -> None:
    """With more idle sockets than the app has files the owner gets in, and the log is short."""
    before = len(small.log.read_text())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    idle = []
    for number in range(2300):
        connection = socket.create_connection(("127.0.0.1", small.port))
        if number % 2:
            with contextlib.suppress(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        idle.append(connection)
    right = httpx.BasicAuth("anyone", SECRET)
    for path in ("/status", "/img/cat.png", "/search?q=cat"):
        began = time.monotonic()
        assert small.http.get(path, auth=right).status_code == 200
        assert time.monotonic() - began < 5

    def all_ended() -> bool:
        """Whether the server has hung up on each of them."""
        for connection in idle:
            connection.settimeout(0)
            with contextlib.suppress(ConnectionResetError):
                try:
                    if connection.recv(9):
                        return False
                except BlockingIOError:
                    return False
        return True

    eventually(all_ended, within=60)
    for connection in idle:
        connection.close()
    assert len(small.log.read_text()) - before < 2000


def test_nobody_is_believed_unless_trusted(small: App) -> None:
    """By default who is connected has tried a password, whoever he says that he asks for."""
    wrong = httpx.BasicAuth("anyone", "wrong")
    stranger = {"X-Forwarded-For": "10.9.9.9"}
    answer = small.http.get("/status", auth=wrong, headers=stranger)
    assert answer.status_code == 401
    said = small.log.read_text()
    assert "came from 127.0.0.1" in said
    assert "10.9.9.9" not in said
    assert "set TRUSTED_PROXIES" in said


def test_metrics(app: App) -> None:
    """/metrics counts searches and photos, in the format of Prometheus."""
    before = app.get("/metrics").text
    app.search("cat")
    after = app.get("/metrics").text
    for state, number in (("indexed", 2), ("waiting", 0), ("skipped", 1)):
        assert f'image_search_photos{{state="{state}"}} {number}.0' in after

    def seconds(text: str, of: str) -> list[float]:
        """How many there were, and how long they took."""
        lines = [
            line
            for line in text.splitlines()
            if line.startswith(f"image_search_{of}seconds")
        ]
        [number] = [line for line in lines if "_count" in line]
        [total] = [line for line in lines if "_sum" in line]
        return [float(line.split()[1]) for line in (number, total)]

    for of in ("", "model_"):
        assert seconds(after, of)[0] == seconds(before, of)[0] + 1
        assert seconds(after, of)[1] > seconds(before, of)[1]
    app.get("/health")  # what a monitor asks is no search
    assert seconds(app.get("/metrics").text, "") == seconds(after, "")


@pytest.mark.parametrize("generation", list(schemathesis.GenerationMode))
def test_the_api_survives_its_own_description(
    app: App, generation: schemathesis.GenerationMode
) -> None:
    """Whatever the OpenAPI document allows, and what it forbids, is answered without a 500."""
    schema: Any = schemathesis.openapi.from_url(f"{app.url}/openapi.json")
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert {"/search", "/thumb/{filename}", "/status"} <= {
        o.path for o in operations
    }
    for operation in operations:
        if operation.path == "/status/events":
            continue  # never ends its answer

        @given(case=operation.as_strategy(generation_mode=generation))
        @settings(
            max_examples=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        def survives(case: schemathesis.Case[Any]) -> None:
            response = case.call(base_url=app.url, timeout=30)
            assert response.status_code < 500, (
                response.status_code,
                response.text,
            )

        # Nothing wrong can be sent where nothing is asked.
        with contextlib.suppress(Unsatisfiable):
            survives()
