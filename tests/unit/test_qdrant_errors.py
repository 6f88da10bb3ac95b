"""What a server, or what stands in its place, answers becomes a sentence that says what to do."""

import http.server
import logging
import re
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from image_search.qdrant_errors import Server, explain
from image_search.server_store import ServerStore
from image_search.store_errors import StoreError, StoreRefuses
from tests.harness import free_port
from tests.serving import serving

HERE = Server(
    "qdrant.lan", 6334, is_tls=False, has_key=True, collection="photos"
)


def said_by(url: str) -> StoreError:
    """What a store says that is asked there."""
    store = ServerStore(url, None, "photos", 4)
    with pytest.raises(StoreError) as error:
        store.count()
    store.close()
    text = str(error.value)
    assert "StatusCode" not in text
    assert "_Inactive" not in text
    assert "UNAVAILABLE" not in text
    return error.value


@pytest.fixture
def rest() -> Iterator[int]:
    """The port of a server that speaks HTTP/1, as Qdrant's REST port."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler
    )
    with serving(server):
        yield server.server_port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate that nobody has reason to trust."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
         "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


@pytest.fixture
def with_tls(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The port of a gRPC server that speaks TLS."""
    pair = tuple(path.read_bytes() for path in certificate)
    server = grpc.server(futures.ThreadPoolExecutor(1))
    credentials = grpc.ssl_server_credentials([pair])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture
def without_tls() -> Iterator[int]:
    """The port of a gRPC server without TLS, and without Qdrant."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


def test_the_rest_port_is_said(rest: int) -> None:
    """What speaks HTTP/1 is no gRPC port, whatever its number; a person has to change it."""
    said = said_by(f"http://127.0.0.1:{rest}")
    assert isinstance(said, StoreRefuses)
    expected = f"{rest} is Qdrant's REST port: use its gRPC port, 6334."
    assert expected in str(said)


def test_a_server_with_tls_is_said(with_tls: int) -> None:
    """Where https:// is needed, and where the certificate is not trusted."""
    assert "write https:// in QDRANT_URL" in str(
        said_by(f"http://127.0.0.1:{with_tls}")
    )
    said = str(said_by(f"https://127.0.0.1:{with_tls}"))
    assert "its TLS certificate can't be trusted: self signed" in said


def test_http_with_tls_is_said(certificate: tuple[Path, Path]) -> None:
    """A REST port with TLS, asked without, has TLS."""
    key, pem = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler
    )
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as address:
        said = str(said_by(f"http://{address}"))
    assert "write https:// in QDRANT_URL" in said


def test_a_server_without_tls_is_said(without_tls: int, rest: int) -> None:
    """Where http:// is needed."""
    for port in (without_tls, rest):
        said = str(said_by(f"https://127.0.0.1:{port}"))
        assert "write http:// in QDRANT_URL" in said


def test_another_kind_of_server_is_said(without_tls: int) -> None:
    """What speaks gRPC and is no Qdrant."""
    said = str(said_by(f"http://127.0.0.1:{without_tls}"))
    assert "what answers there is no Qdrant" in said


def test_nobody_there_is_said() -> None:
    """Nothing listens, or the host is not known: it may pass."""
    port = free_port()
    for url, reason in (
        (f"http://127.0.0.1:{port}", "connection refused"),
        ("http://nowhere.invalid", "no host has that name"),
    ):
        said = said_by(url)
        assert not isinstance(said, StoreRefuses)
        assert f"Qdrant at {url}" in str(said)
        assert f"can't be reached: {reason}." in str(said)


def test_a_closed_connection_is_said() -> None:
    """What hangs up at once, as a server does that is just being stopped."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def hang_up() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=hang_up)
        thread.start()
        port = listener.getsockname()[1]
        said = str(said_by(f"http://127.0.0.1:{port}"))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "it closed the connection" in said


CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "details", "said"),
    [
        (CODE.NOT_FOUND, "Not found: Collection `photos` doesn't exist!", "photos is gone"),
        (CODE.DEADLINE_EXCEEDED, "Deadline Exceeded", "does not answer in time"),
        (CODE.UNAVAILABLE, "last error: UNKNOWN: ipv4:10.0.0.1:6334: No route to host", "no way"),
        (CODE.UNAVAILABLE, "Shard temporarily unavailable: no active replicas", "no active replicas"),
        (CODE.PERMISSION_DENIED, "Forbidden: Write access to collection photos is required",
         "may only read"),
        (CODE.PERMISSION_DENIED, "Forbidden: Global access is required",
         "make photos beforehand"),
        (CODE.PERMISSION_DENIED, "Forbidden: Access to collection photos is required",
         "not for the collection photos"),
        (CODE.UNAUTHENTICATED, "Invalid API key or JWT", "not a key of its"),
        (CODE.INVALID_ARGUMENT, 'Bad request: Limit exceeded 102 > 9 for "limit". Help: …', "max_query_limit"),
        (CODE.INVALID_ARGUMENT, "Bad request: Exact search disabled!. Help: Set exact=false.",
         "search_allow_exact"),
        (CODE.INVALID_ARGUMENT, "Bad request: Filter condition limit reached (9 > 5). Help: …",
         "filter_max_conditions"),
        (CODE.RESOURCE_EXHAUSTED, "Rate limiting exceeded: Read rate limit exceeded, retry after 3s",
         "read_rate_limit"),
        (CODE.RESOURCE_EXHAUSTED, "Insufficient storage: disk is full", "no room: disk is full"),
        (CODE.INTERNAL, "Service internal error: 1 of 1 read operations failed", "1 of 1 read"),
        (CODE.UNKNOWN, "", "it says unknown"),
    ],
)  # fmt: skip
def test_a_servers_own_errors_are_said(
    code: grpc.StatusCode, details: str, said: str
) -> None:
    """Each of Qdrant's codes and texts is a sentence, without the code, in a line."""
    explanation = explain(code, details, HERE)
    assert said in explanation.reason
    assert code.name not in explanation.reason
    assert not re.search(r"\n|Bad request|Forbidden", explanation.reason)


@pytest.mark.parametrize(
    ("host", "is_said"),
    [
        ("http://localhost", False),
        ("http://127.0.0.2:6334", False),
        ("http://[::1]:6334", False),
        ("https://qdrant.example", False),
        ("http://qdrant.example", True),
        ("http://10.0.0.1:6334", True),
    ],
)
def test_a_key_in_plain_text_is_said_once(
    caplog: pytest.LogCaptureFixture, host: str, *, is_said: bool
) -> None:
    """Over a network without TLS everyone can read it; the client's own warning is silent."""
    caplog.set_level(logging.WARNING)
    store = ServerStore(host, "a secret", "photos", 4)
    with warnings.catch_warnings(action="error"):
        for _ in range(2):
            store.qdrant.ask(type)  # connects, and asks nothing
    store.close()
    lines = [one.getMessage() for one in caplog.records]
    assert ["QDRANT_API_KEY" in line for line in lines] == [True] * is_said
    assert "a secret" not in caplog.text


def test_a_password_in_the_address_is_not_said() -> None:
    """Neither in a message at the start, nor in one while it runs."""
    url = f"http://me:secret@127.0.0.1:{free_port()}?api_key=hidden"
    store: Any = ServerStore(url, None, "photos", 4)
    with pytest.raises(StoreError) as error:
        store.count()
    store.close()
    for text in (str(error.value), store.address, store.name):
        assert "secret" not in text
        assert "hidden" not in text
