"""CocoIndex takes a collection that is there already for one that it has made."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import grpc
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as proto

from image_search.adoption import Forwarder
from image_search.qdrant_nodes import Nodes
from tests.qdrant_standin import QdrantStandIn

SHAPE = {
    "embedding": models.VectorParams(size=4, distance=models.Distance.COSINE)
}
ON_DISK = {"embedding": SHAPE["embedding"].model_copy(update={"on_disk": True})}


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    server = QdrantStandIn(api_key="a key")
    yield server
    server.stop()


@pytest.fixture
def forwarder(server: QdrantStandIn) -> Iterator[Forwarder]:
    nodes = Nodes.at(server.url, "photos", has_key=True)

    def make() -> None:
        server.qdrant.create_collection("photos", vectors_config=ON_DISK)

    forwarder = Forwarder(nodes, "photos", make)
    yield forwarder
    forwarder.close()


def connect(forwarder: Forwarder, key: str) -> QdrantClient:
    return QdrantClient(
        forwarder.url,
        grpc_port=urlsplit(forwarder.url).port or 0,
        prefer_grpc=True,
        check_compatibility=False,
        api_key=key,
    )


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    assert isinstance(error, grpc.Call)
    code: grpc.StatusCode = error.code()
    return code


@pytest.mark.filterwarnings("ignore:Api key is used")
def test_a_collection_that_exists_is_not_made_again(
    server: QdrantStandIn, forwarder: Forwarder
) -> None:
    """To make one that is there succeeds and changes nothing; all else is handed on."""
    server.qdrant.create_collection("photos", vectors_config=ON_DISK)
    client = connect(forwarder, "a key")
    assert client.create_collection("photos", SHAPE)
    assert "Create" not in server.calls
    assert client.create_collection("others", SHAPE)
    assert "Create" in server.calls
    found = server.qdrant.get_collection("photos").config.params.vectors
    assert found == ON_DISK
    vector = {"embedding": [1.0, 0.0, 0.0, 0.0]}
    client.upsert("photos", [models.PointStruct(id=1, vector=vector)])
    assert client.count("photos").count == 1
    assert client.delete_collection("others")
    with pytest.raises(grpc.RpcError) as missing:
        client.count("others")
    assert code_of(missing.value) is grpc.StatusCode.NOT_FOUND
    server.stop()
    with pytest.raises(grpc.RpcError) as away:
        client.count("photos")
    assert code_of(away.value) is grpc.StatusCode.UNAVAILABLE
    client.close()


@pytest.mark.filterwarnings("ignore:Api key is used")
def test_the_collection_is_made_as_the_settings_say(
    server: QdrantStandIn, forwarder: Forwarder
) -> None:
    """What CocoIndex asks for is a plain one; it gets ours, under its own name alone."""
    client = connect(forwarder, "a key")
    for name, made in (("photos", ON_DISK), ("others", SHAPE)):
        assert client.create_collection(name, SHAPE)
        found = server.qdrant.get_collection(name).config.params.vectors
        assert found == made
    client.close()


def test_a_call_without_a_deadline_is_answered(
    server: QdrantStandIn, forwarder: Forwarder
) -> None:
    """CocoIndex's client sets none."""
    address = forwarder.url.removeprefix("http://")
    with grpc.insecure_channel(address) as channel:
        ask = proto.CollectionsStub(channel).List
        answer = ask(
            proto.ListCollectionsRequest(), metadata=[("api-key", "a key")]
        )
    assert list(answer.collections) == []
    assert server.calls == ["List"]


@pytest.mark.filterwarnings("ignore:Api key is used")
def test_who_asks_needs_the_servers_key(
    server: QdrantStandIn, forwarder: Forwarder
) -> None:
    """The forwarder has no key of its own, so that it opens the server to nobody."""
    server.qdrant.create_collection("photos", vectors_config=SHAPE)
    client = connect(forwarder, "another key")
    for ask in (
        lambda: client.count("photos"),
        lambda: client.create_collection("photos", SHAPE),
        lambda: client.create_collection("others", SHAPE),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            ask()
        assert code_of(refused.value) is grpc.StatusCode.UNAUTHENTICATED
    client.close()
