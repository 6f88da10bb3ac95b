"""A stand-in for a Qdrant server: its gRPC protocol on loopback, over qdrant-client's local mode.

For machines on which no Qdrant server can be had. It speaks the part of the protocol that CocoIndex
and the app use, asks for an API key if it has one, and can be stopped and started again.
"""

import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as proto
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc


def call(
    method: Callable[[Any, Any], Any],
) -> Callable[[Any, Any, grpc.ServicerContext], Any]:
    """Answer one call as a server does: check the key, take turns, map errors to status codes."""

    def answer(
        self: "QdrantStandIn", request: Any, context: grpc.ServicerContext
    ) -> Any:
        self.calls.append(method.__name__)
        if method.__name__ in self.refused:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Not now")
        metadata = dict(context.invocation_metadata())
        if self.api_key and metadata.get("api-key") != self.api_key:
            context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "Must provide an API key"
            )
        with self.turn:
            try:
                return method(self, request)
            except ValueError as error:
                is_missing = "not found" in str(error)
                status = "NOT_FOUND" if is_missing else "INVALID_ARGUMENT"
                context.abort(grpc.StatusCode[status], str(error))

    return answer


def optional(request: Any, field: str) -> Any:
    return getattr(request, field) if request.HasField(field) else None


def condition(request: Any) -> Any:
    return (
        GrpcToRest.convert_filter(request.filter)
        if request.HasField("filter")
        else None
    )


class QdrantStandIn(proto.CollectionsServicer):
    def __init__(self, api_key: str | None = None) -> None:
        self.api_key = api_key
        self.calls: list[str] = []
        # The calls that are not answered for now.
        self.refused: set[str] = set()
        self.indexes: set[str] = set()
        self.turn = threading.Lock()  # local mode is not made for threads
        self.qdrant = QdrantClient(":memory:")
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen on a free port, or, after a stop, on the same port with the same collections."""
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        proto.add_CollectionsServicer_to_server(self, self.server)
        # Both services have a Get, a Create and a Delete: points get a face of their own.
        proto.add_PointsServicer_to_server(_Points(self), self.server)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def stop(self) -> None:
        self.server.stop(grace=None).wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @call
    def Get(self, request: Any) -> Any:  # noqa: N802, the protocol's name, as all below
        info = RestToGrpc.convert_collection_info(
            self.qdrant.get_collection(request.collection_name)
        )
        return proto.GetCollectionInfoResponse(result=info)

    @call
    def List(self, _request: Any) -> Any:  # noqa: N802
        names = [
            collection.name
            for collection in self.qdrant.get_collections().collections
        ]
        collections = [proto.CollectionDescription(name=name) for name in names]
        return proto.ListCollectionsResponse(collections=collections)

    @call
    def CollectionExists(self, request: Any) -> Any:  # noqa: N802
        exists = self.qdrant.collection_exists(request.collection_name)
        return proto.CollectionExistsResponse(
            result=proto.CollectionExists(exists=exists)
        )

    @call
    def Create(self, request: Any) -> Any:  # noqa: N802
        vectors = GrpcToRest.convert_vectors_config(request.vectors_config)
        done = self.qdrant.create_collection(
            request.collection_name, vectors_config=vectors
        )
        return proto.CollectionOperationResponse(result=done)

    @call
    def Delete(self, request: Any) -> Any:  # noqa: N802
        done = self.qdrant.delete_collection(request.collection_name)
        return proto.CollectionOperationResponse(result=done)

    @call
    def upsert_points(self, request: Any) -> Any:
        points = [
            GrpcToRest.convert_point_struct(point) for point in request.points
        ]
        self.qdrant.upsert(request.collection_name, points)
        return _COMPLETED

    @call
    def delete_points(self, request: Any) -> Any:
        points = GrpcToRest.convert_points_selector(request.points)
        self.qdrant.delete(request.collection_name, points)
        return _COMPLETED

    @call
    def query_points(self, request: Any) -> Any:
        query = GrpcToRest.convert_query(request.query)
        found = self.qdrant.query_points(
            request.collection_name,
            query=query,
            using=request.using or None,
            query_filter=condition(request),
            limit=optional(request, "limit") or 10,
            with_payload=GrpcToRest.convert_with_payload_selector(
                request.with_payload
            ),
            with_vectors=GrpcToRest.convert_with_vectors_selector(
                request.with_vectors
            ),
        )
        if isinstance(query, models.OrderByQuery):
            order: Any = query.order_by
            if order.key not in self.indexes:  # local mode would not mind
                raise ValueError(
                    f"No range index for `order_by` key: `{order.key}`"
                )
        hits = [
            RestToGrpc.convert_scored_point(point) for point in found.points
        ]
        return proto.QueryResponse(result=hits)

    @call
    def count_points(self, request: Any) -> Any:
        found = self.qdrant.count(
            request.collection_name, count_filter=condition(request)
        )
        return proto.CountResponse(result=proto.CountResult(count=found.count))

    @call
    def create_field_index(self, request: Any) -> Any:
        self.indexes.add(request.field_name)
        return _COMPLETED


_COMPLETED = proto.PointsOperationResponse(
    result=proto.UpdateResult(
        operation_id=0, status=proto.UpdateStatus.Completed
    )
)


class _Points(proto.PointsServicer):
    def __init__(self, standin: QdrantStandIn) -> None:
        setattr(self, "Upsert", standin.upsert_points)  # noqa: B010, as a call of the protocol
        setattr(self, "Delete", standin.delete_points)  # noqa: B010
        setattr(self, "Query", standin.query_points)  # noqa: B010
        setattr(self, "Count", standin.count_points)  # noqa: B010
        setattr(self, "CreateFieldIndex", standin.create_field_index)  # noqa: B010
