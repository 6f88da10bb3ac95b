"""Stands between CocoIndex and Qdrant, where CocoIndex can't do what is needed.

CocoIndex's Qdrant target makes its collection itself, plainly. One that is there
already stops its first setup, and is deleted by the second. Its way round that,
`setup_by_user`, can never be changed for an index that exists: CocoIndex would delete
the collection. And it knows one address, and no certificate authority of one's own.

So in the process that first sets a collection up, and in each where there are several
addresses or such an authority, CocoIndex talks to a forwarder, which hands everything
on to a node that is there. A collection that exists it leaves as it is, and says that
it was made; one that doesn't it has made as the settings say. From then on CocoIndex
holds it for its own.
"""

import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from qdrant_client import grpc as proto
from qdrant_client import models

from image_search.qdrant_errors import Server
from image_search.qdrant_nodes import UNLIMITED, Nodes, Unanswered
from image_search.settings import StartupError

CREATE = "/qdrant.Collections/Create"
EXISTS = "/qdrant.Collections/CollectionExists"
THREADS = 8
LONGEST_SECONDS = 60.0


class Forwarder:
    """A Qdrant server on this machine's loopback that stands for the nodes of another.

    Who calls it has to know the key of those: it is handed on. `make` makes the
    collection. `roots`: certificates of authorities in PEM, if not the usual ones.
    """

    def __init__(
        self,
        nodes: Nodes,
        collection: str,
        make: Callable[[], None],
        roots: bytes | None = None,
    ) -> None:
        self.nodes = nodes
        self._collection = collection
        self._make = make
        self._roots = roots
        self._channels: dict[Server, grpc.Channel] = {}
        self._connecting = threading.Lock()
        self._server = grpc.server(
            futures.ThreadPoolExecutor(THREADS),
            [self],
            options=[*UNLIMITED.items()],
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.url = f"http://127.0.0.1:{port}"
        self._server.start()

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        """How a method is answered, for gRPC: bytes in, bytes out."""

        def answer(request: bytes, context: grpc.ServicerContext) -> Any:
            key = [
                (name, value)
                for name, value in context.invocation_metadata()
                if name in {"api-key", "authorization"}
            ]
            # Without a deadline it is some hundred years, which gRPC takes for none.
            timeout = min(context.time_remaining(), LONGEST_SECONDS)
            forward = self._forward
            if call.method == CREATE:
                forward = self._create
            try:
                return forward(call.method, request, timeout, key)
            except Unanswered as error:
                failed = error.failures[-1]
                return context.abort(failed.code, failed.details)

        return grpc.unary_unary_rpc_method_handler(answer)

    def close(self) -> None:
        self._server.stop(grace=None)
        for channel in self._channels.values():
            channel.close()

    def _forward(
        self, method: str, request: bytes, timeout: float, key: Any
    ) -> Any:
        def question(server: Server) -> Any:
            ask = self._channel(server).unary_unary(method)
            return ask(request, timeout, key)

        return self.nodes.ask(question)

    def _create(
        self, method: str, request: bytes, timeout: float, key: Any
    ) -> Any:
        name = proto.CreateCollection.FromString(request).collection_name
        exists = proto.CollectionExistsRequest(collection_name=name)
        asked = exists.SerializeToString()
        answer = self._forward(EXISTS, asked, timeout, key)
        found = proto.CollectionExistsResponse.FromString(answer)
        if not found.result.exists:
            if name != self._collection:
                return self._forward(method, request, timeout, key)
            self._make()
        done = proto.CollectionOperationResponse(result=True)
        return done.SerializeToString()

    def _channel(self, server: Server) -> grpc.Channel:
        with self._connecting:
            if server not in self._channels:
                self._channels[server] = self._connect(server)
            return self._channels[server]

    def _connect(self, server: Server) -> grpc.Channel:
        options = [*self.nodes.channel_options.items()]
        if not server.is_tls:
            return grpc.insecure_channel(server.address, options)
        tls = grpc.ssl_channel_credentials(self._roots)
        return grpc.secure_channel(server.address, tls, options)


def refuse_another_shape(
    info: models.CollectionInfo,
    collection: str,
    shape: dict[str, models.VectorParams],
) -> None:
    """Raise StartupError where a collection can't hold our vectors."""
    [(name, ours)] = shape.items()
    difference = _difference(info.config.params.vectors, name, ours)
    if difference:
        raise StartupError(
            f"Qdrant's collection {collection} was not made by this app with this"
            f" CLIP_MODEL, and is left alone: {difference}. Set QDRANT_COLLECTION to a"
            " new name."
        )


def refuse_points(collection: str, found: int, ours: int) -> None:
    """Raise StartupError where a collection holds what CocoIndex did not write."""
    whose = f"{found - ours} of them not this app's"
    if found == ours:
        whose = "of which CocoIndex's database knows nothing"
    if found:
        raise StartupError(
            f"Qdrant's collection {collection} holds {found} points, {whose}, and is"
            " left alone: set QDRANT_COLLECTION to a new name, or empty it."
        )


def describe_foreign_points(collection: str, number: int) -> str | None:
    """What is said of points that lie in a collection beside ours."""
    match number:
        case 0:
            return None
        case 1:
            points, left = "1 point", "is not this app's: it is left alone"
        case _:
            points = f"{number} points"
            left = "are not this app's: they are left alone"
    return f"{points} in the collection {collection} {left}."


def _difference(
    vectors: Any, name: str, ours: models.VectorParams
) -> str | None:
    if not isinstance(vectors, dict):
        return f"its vector has no name, and needs the name {name}"
    vector = vectors.get(name)
    if vector is None:
        others = ", ".join(vectors) or "none"
        return f"it has no vector of the name {name} (it has {others})"
    if vector.size != ours.size:
        return (
            f"it has {vector.size} numbers a vector, CLIP_MODEL has {ours.size}"
        )
    if vector.distance != ours.distance:
        return f"its distance is {vector.distance.value}, and has to be Cosine"
    if vector.multivector_config is not None:
        return f"its vector {name} is a multivector"
    return None
