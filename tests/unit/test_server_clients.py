"""Any node of a cluster may be away: searches, counts and CocoIndex's writes go on."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from image_search.server_store import ServerStore
from image_search.store_errors import StoreRefuses, StoreUnavailable
from tests.qdrant_standin import QdrantStandIn
from tests.unit.memory_store import id_of, payload_of

VECTOR = np.array([1, 0, 0, 0], np.float32)
PATIENCE = 4  # seconds, on a machine that has other things to do as well


def run_openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments], cwd=folder, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate of an authority, and with what it certified: localhost."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    new = "req", "-newkey", "rsa:2048", "-nodes"
    run_openssl(
        folder, *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem",
        "-days", "2", "-subj", "/CN=An authority of our own",
    )  # fmt: skip
    run_openssl(
        folder, *new, "-keyout", "key.pem", "-out", "request",
        "-subj", "/CN=localhost",
    )  # fmt: skip
    run_openssl(
        folder, "x509", "-req", "-in", "request", "-CA", "ca.pem",
        "-CAkey", "ca.key", "-CAcreateserial", "-out", "certificate.pem",
        "-days", "2", "-extfile", "names",
    )  # fmt: skip
    return folder


@pytest.fixture
def cluster() -> Iterator[list[QdrantStandIn]]:
    """Three nodes with the same collections."""
    first = QdrantStandIn()
    nodes = [first, QdrantStandIn(beside=first), QdrantStandIn(beside=first)]
    yield nodes
    for node in nodes:
        node.stop()


@contextlib.contextmanager
def store_at(*urls: str, roots: bytes | None = None) -> Iterator[ServerStore]:
    store = ServerStore(",".join(urls), None, "photos", 4, roots=roots)
    yield store
    store.close()


@contextlib.contextmanager
def as_cocoindex(store: ServerStore) -> Iterator[QdrantClient]:
    """A client of what CocoIndex is given for a server."""
    url = store.url_for_cocoindex
    client = QdrantClient(
        url,
        grpc_port=urlsplit(url).port or 0,
        prefer_grpc=True,
        check_compatibility=False,
        timeout=60,
    )
    yield client
    client.close()


def photo(name: str) -> models.PointStruct:
    vector = {"embedding": VECTOR.tolist()}
    id = str(id_of(name))
    return models.PointStruct(id=id, vector=vector, payload=payload_of(name))


@pytest.mark.parametrize("away", [0, 1, 2])
def test_any_node_may_be_away(cluster: list[QdrantStandIn], away: int) -> None:
    """The one that is named first included: all that is asked is answered, and all is kept."""
    with (
        store_at(*(node.url for node in cluster)) as store,
        as_cocoindex(store) as cocoindex,
    ):
        store.check()
        cocoindex.upsert("photos", [photo("a.jpg")])
        cluster[away].stop()
        cocoindex.upsert("photos", [photo("trips/b.jpg")])
        store.check()
        assert len(store.search(VECTOR, 9)) == store.count() == 2
        assert store.folders() == {"trips": 1}
        said = store.notice() or ""
        assert (cluster[away].url in said) == (away == 0)
        cluster[away].start()
        assert len(store.search(VECTOR, 9)) == 2


def test_two_of_three_may_be_away(cluster: list[QdrantStandIn]) -> None:
    """Whoever is left is found, each time; and with none left all addresses are named."""
    with store_at(*(node.url for node in cluster)) as store:
        store.check()
        cluster[0].stop()
        cluster[2].stop()
        assert store.count() == 0
        cluster[1].stop()
        cluster[2].start()
        assert store.count() == 0
        cluster[2].stop()
        with pytest.raises(StoreUnavailable) as away:
            store.count()
    assert not isinstance(away.value, StoreRefuses)
    for node in cluster:
        assert node.url in str(away.value)


def test_a_node_that_says_nothing_costs_little(
    cluster: list[QdrantStandIn],
) -> None:
    """As a host that was switched off: one search waits a second or two for it, others don't."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        store_at(
            f"http://127.0.0.1:{silent.getsockname()[1]}", cluster[1].url
        ) as store,
        as_cocoindex(store) as cocoindex,
    ):
        began = time.monotonic()
        store.check()
        for number in range(20):
            cocoindex.upsert("photos", [photo(f"{number}.jpg")])
            assert store.count() == number + 1
        assert time.monotonic() - began < PATIENCE


def test_an_authority_of_ones_own_is_trusted(authority: Path) -> None:
    """By searches and by CocoIndex, whose client knows only the system's."""
    key, certificate, roots = (
        (authority / name).read_bytes()
        for name in ("key.pem", "certificate.pem", "ca.pem")
    )
    server = QdrantStandIn(tls=(key, certificate))
    with (
        store_at(server.url, roots=roots) as store,
        as_cocoindex(store) as cocoindex,
    ):
        store.check()
        cocoindex.upsert("photos", [photo("a.jpg")])
        assert len(store.search(VECTOR, 9)) == 1
    with (
        store_at(server.url) as store,
        pytest.raises(StoreRefuses, match="set QDRANT_CA"),
    ):
        store.check()
    server.stop()
