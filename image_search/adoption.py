"""Lets CocoIndex set a Qdrant collection up that a person made beforehand.

CocoIndex's Qdrant target makes its collection itself. One that is there already stops
its first setup, and is deleted by the second. Its way round that, `setup_by_user`, can
never be changed for an index that exists: CocoIndex would delete the collection.

So in the process that first sets such a collection up, CocoIndex talks to a forwarder,
which hands everything on to the server, but leaves a collection that exists as it is,
and says that it was made. From then on CocoIndex holds it for its own.
"""

from concurrent import futures
from typing import Any

import grpc
from qdrant_client import grpc as proto
from qdrant_client import models

from image_search.qdrant_errors import Server
from image_search.settings import StartupError

CREATE = "/qdrant.Collections/Create"
EXISTS = "/qdrant.Collections/CollectionExists"
THREADS = 8
LONGEST_SECONDS = 60.0
UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class Forwarder:
    """A Qdrant server on this machine's loopback that stands for another.

    Who calls it has to know the key of that one: it is handed on.
    """

    def __init__(self, server: Server) -> None:
        if server.is_tls:
            tls = grpc.ssl_channel_credentials()
            channel = grpc.secure_channel(server.address, tls, UNLIMITED)
        else:
            channel = grpc.insecure_channel(server.address, UNLIMITED)
        self.channel = channel
        self._server = grpc.server(
            futures.ThreadPoolExecutor(THREADS), [self], options=UNLIMITED
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
            try:
                if call.method == CREATE and self._exists(
                    request, key, timeout
                ):
                    done = proto.CollectionOperationResponse(result=True)
                    return done.SerializeToString()
                forward = self.channel.unary_unary(call.method)
                return forward(request, timeout, key)
            except grpc.RpcError as error:
                failed: Any = error  # its type has no code
                return context.abort(failed.code(), failed.details())

        return grpc.unary_unary_rpc_method_handler(answer)

    def close(self) -> None:
        self._server.stop(grace=None)
        self.channel.close()

    def _exists(self, request: bytes, key: Any, timeout: Any) -> bool:
        name = proto.CreateCollection.FromString(request).collection_name
        question = proto.CollectionExistsRequest(collection_name=name)
        ask = self.channel.unary_unary(EXISTS)
        answer = ask(question.SerializeToString(), timeout, key)
        found = proto.CollectionExistsResponse.FromString(answer)
        return bool(found.result.exists)


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
