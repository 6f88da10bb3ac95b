"""A stand-in for a Qdrant server: its gRPC protocol on loopback, over qdrant-client's local mode.

For machines on which no Qdrant server can be had. It speaks the part of the protocol that CocoIndex
and the app use, asks for an API key if it has one, refuses what strict mode refuses, and can be
stopped and started again. Its codes and words for errors are those of Qdrant 1.18.
"""

import re
import threading
import unicodedata
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as proto
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

WRITES = {
    "Create",
    "Delete",
    "Update",
    "upsert_points",
    "delete_points",
    "update_batch",
    "create_field_index",
}
# What local mode says, and the server in its place: the code, and the words.
WORDS = {
    r"^Collection (\w+) not found": (
        "NOT_FOUND",
        "Not found: Collection `{0}` doesn't exist!",
    ),
    r"^Collection (\w+) already exists": (
        "ALREADY_EXISTS",
        "Wrong input: Collection `{0}` already exists!",
    ),
    r"^Point (\S+) is not found": (
        "NOT_FOUND",
        "Not found: No point with id {0} found",
    ),
    r"^Vector with name (\w+) for point": (
        "NOT_FOUND",
        'Not found: Vector with name "{0}" for point',
    ),
}


class Refused(Exception):
    """What a server answers in the place of a result."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = grpc.StatusCode[code]


def in_its_words(error: ValueError) -> Refused:
    for pattern, (code, details) in WORDS.items():
        if found := re.search(pattern, str(error)):
            return Refused(code, details.format(*found.groups()))
    return Refused("INVALID_ARGUMENT", f"Wrong input: {error}")


def call(
    method: Callable[[Any, Any], Any],
) -> Callable[[Any, Any, grpc.ServicerContext], Any]:
    """Answer one call as a server does: check the key, take turns, map errors to status codes."""
    name = method.__name__

    def answer(
        self: "QdrantStandIn", request: Any, context: grpc.ServicerContext
    ) -> Any:
        self.calls.append(name)
        metadata = dict(context.invocation_metadata())
        try:
            self.check_key(metadata.get("api-key"), name)
            with self.turn:
                return method(self, request)
        except Refused as error:
            refusal = error
        except ValueError as error:
            refusal = in_its_words(error)
        return context.abort(refusal.code, str(refusal))

    return answer


def fields_of(condition: Any) -> set[str]:
    """The payload fields that a filter of the protocol asks for."""
    found = set()
    for one in (*condition.must, *condition.must_not, *condition.should):
        if one.HasField("field"):
            found.add(one.field.key)
        if one.HasField("is_empty"):
            found.add(one.is_empty.key)
        if one.HasField("filter"):
            found |= fields_of(one.filter)
    return found


def folded(text: str) -> str:
    """As the server's ASCII folding has it, for letters with accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one))


def tokens_of(text: str, index: Any) -> list[str]:
    """The words of a text as the server's index of this kind has them."""
    lower = folded(text) if index.ascii_folding else text.lower()
    return re.findall(r"[^\W_]+", lower)


def has_text(value: Any, match: Any, index: Any) -> bool:
    """Whether a text index finds what is asked for in a text, or in one of a list."""
    if isinstance(value, list):
        return any(has_text(one, match, index) for one in value)
    if not isinstance(value, str):
        return False
    words = tokens_of(value, index)

    def is_there(token: str) -> bool:
        if index.tokenizer == proto.TokenizerType.Prefix:
            return any(word.startswith(token) for word in words)
        return token in words

    kind = match.WhichOneof("match_value")
    asked = tokens_of(getattr(match, kind), index)
    if not asked:
        return False
    match kind:
        case "text_any":
            return any(map(is_there, asked))
        case "text":
            return all(map(is_there, asked))
    if not index.phrase_matching:
        raise Refused(
            "INVALID_ARGUMENT",
            "Bad request: Phrase matching is not enabled for this index",
        )
    starts = range(len(words) - len(asked) + 1)
    return any(words[at : at + len(asked)] == asked for at in starts)


def value_at(payload: Any, key: str) -> Any:
    for name in key.split("."):
        payload = (payload or {}).get(name)
    return payload


def optional(request: Any, field: str) -> Any:
    return getattr(request, field) if request.HasField(field) else None


def metadata_in(request: Any) -> Any:
    """What a collection is to say of itself; None if that is nothing."""
    return GrpcToRest.convert_payload(request.metadata) or None


def show_how_it_was_made(info: models.CollectionInfo, made: Any) -> None:
    """Put what a collection was made with into what is told of it."""
    params = info.config.params
    params.shard_number = optional(made, "shard_number") or 1
    params.replication_factor = optional(made, "replication_factor") or 1
    params.write_consistency_factor = (
        optional(made, "write_consistency_factor") or 1
    )
    params.on_disk_payload = optional(made, "on_disk_payload")
    info.config.hnsw_config.on_disk = made.hnsw_config.on_disk
    if quantization := optional(made, "quantization_config"):
        info.config.quantization_config = (
            GrpcToRest.convert_quantization_config(quantization)
        )


def refuse(error: str, advice: str) -> None:
    """What strict mode says."""
    raise Refused("INVALID_ARGUMENT", f"Bad request: {error}. Help: {advice}")


class QdrantStandIn(proto.CollectionsServicer):
    """`beside`: another node of its cluster, with the same collections. `tls`: key and certificate."""

    def __init__(
        self,
        api_key: str | None = None,
        read_only_key: str | None = None,
        *,
        beside: "QdrantStandIn | None" = None,
        tls: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.tls = tls
        self.api_key = api_key
        self.read_only_key = read_only_key
        self.calls: list[str] = []
        # How many points each query asked for.
        self.limits: list[int] = []
        # The calls that are not answered for now.
        self.refused: set[str] = set()
        # How each query was to be searched.
        self.params: list[models.SearchParams | None] = []
        # The payload indexes of each collection; local mode knows none.
        self.indexes: dict[str, str] = beside.indexes if beside else {}
        # How those of texts divide them into words.
        self.texts: dict[str, Any] = beside.texts if beside else {}
        # What each collection was made with; local mode keeps a part of it.
        self.made: dict[str, Any] = beside.made if beside else {}
        # What the owner of the collections does not let pass.
        self.strict: models.StrictModeConfig | None = None
        # Local mode is not made for threads.
        self.turn: Any = beside.turn if beside else threading.Lock()
        self.qdrant: QdrantClient = (
            beside.qdrant if beside else QdrantClient(":memory:")
        )
        self.port = 0
        self.start()

    def check_key(self, key: str | None, method: str) -> None:
        if method in self.refused:
            raise Refused("INVALID_ARGUMENT", "Bad request: Not now")
        if not self.api_key:
            return
        if key is None:
            raise Refused(
                "UNAUTHENTICATED",
                "Must provide an API key or an Authorization bearer token",
            )
        if key not in {self.api_key, self.read_only_key}:
            raise Refused("UNAUTHENTICATED", "Invalid API key or JWT")
        if method in WRITES and key == self.read_only_key:
            raise Refused(
                "PERMISSION_DENIED",
                "Forbidden: Global manage access is required",
            )

    def check_strict_mode(self, request: Any, *, exact: bool = False) -> None:
        """Refuse what the strict mode does; the order and the words are the server's."""
        strict = self.strict
        if strict is None or not strict.enabled:
            return
        most = strict.max_query_limit
        limit = getattr(request, "limit", 0)
        if most and limit > most:
            refuse(
                f'Limit exceeded {limit} > {most} for "limit"',
                f'Reduce the "limit" parameter to or below {most}.',
            )
        params: Any = getattr(request, "params", proto.SearchParams())
        wanted = params.quantization.oversampling
        widest = strict.search_max_oversampling
        if widest and wanted > widest:
            refuse(
                f'Limit exceeded {wanted} > {widest} for "oversampling"',
                f'Reduce the "oversampling" parameter to or below {widest}.',
            )
        if strict.unindexed_filtering_retrieve is False:
            for field in fields_of(request.filter) - {*self.indexes}:
                refuse(
                    f'Index required but not found for "{field}" of one of the'
                    " following types: [keyword]",
                    "Create an index for this key or use a different filter.",
                )
        if exact and strict.search_allow_exact is False:
            refuse("Exact search disabled!", "Set exact=false.")

    def condition(self, request: Any) -> Any:
        """The filter of a request; local mode is told who has which words."""
        if not request.HasField("filter"):
            return None
        collection = request.collection_name
        wanted = proto.Filter()
        wanted.CopyFrom(request.filter)
        self._find_texts(collection, wanted)
        return GrpcToRest.convert_filter(wanted)

    def _find_texts(self, collection: str, wanted: Any) -> None:
        """Put ids in the place of what text indexes answer."""
        for one in (*wanted.must, *wanted.must_not, *wanted.should):
            if one.HasField("filter"):
                self._find_texts(collection, one.filter)
            field = one.field
            index = self.texts.get(field.key) if one.HasField("field") else None
            if index is None or not field.HasField("match"):
                continue
            points, _ = self.qdrant.scroll(collection, limit=1_000_000)
            ids = [
                RestToGrpc.convert_extended_point_id(point.id)
                for point in points
                if has_text(
                    value_at(point.payload, field.key), field.match, index
                )
            ]
            one.has_id.CopyFrom(proto.HasIdCondition(has_id=ids))

    def start(self) -> None:
        """Listen on a free port, or, after a stop, on the same port with the same collections."""
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        proto.add_CollectionsServicer_to_server(self, self.server)
        # Both services have a Get, a Create and a Delete: points get a face of their own.
        proto.add_PointsServicer_to_server(_Points(self), self.server)
        address = f"127.0.0.1:{self.port}"
        if self.tls:
            credentials = grpc.ssl_server_credentials([self.tls])
            self.port = self.server.add_secure_port(address, credentials)
        else:
            self.port = self.server.add_insecure_port(address)
        self.server.start()

    def stop(self) -> None:
        self.server.stop(grace=None).wait()

    @property
    def url(self) -> str:
        if self.tls:  # a certificate is for a name
            return f"https://localhost:{self.port}"
        return f"http://127.0.0.1:{self.port}"

    @call
    def Get(self, request: Any) -> Any:  # noqa: N802, the protocol's name, as all below
        info = self.qdrant.get_collection(request.collection_name)
        info.payload_schema = {
            field: models.PayloadIndexInfo(data_type=kind, points=0)
            for field, kind in self.indexes.items()
        }
        if made := self.made.get(request.collection_name):
            show_how_it_was_made(info, made)
        strict: Any = self.strict
        info.config.strict_mode_config = strict
        result = RestToGrpc.convert_collection_info(info)
        return proto.GetCollectionInfoResponse(result=result)

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
        self.indexes.clear()
        self.texts.clear()
        vectors = GrpcToRest.convert_vectors_config(request.vectors_config)
        done = self.qdrant.create_collection(
            request.collection_name,
            vectors_config=vectors,
            metadata=metadata_in(request),
        )
        self.made[request.collection_name] = request
        return proto.CollectionOperationResponse(result=done)

    @call
    def Update(self, request: Any) -> Any:  # noqa: N802
        done = self.qdrant.update_collection(
            request.collection_name, metadata=metadata_in(request)
        )
        return proto.CollectionOperationResponse(result=done)

    @call
    def Delete(self, request: Any) -> Any:  # noqa: N802
        self.indexes.clear()
        self.texts.clear()
        self.made.pop(request.collection_name, None)
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
    def update_batch(self, request: Any) -> Any:
        operations = [
            GrpcToRest.convert_points_update_operation(one)
            for one in request.operations
        ]
        for one in request.operations:
            self.check_strict_mode(one.set_payload.points_selector)
        self.qdrant.batch_update_points(request.collection_name, operations)
        done = [_COMPLETED.result for _ in operations]
        return proto.UpdateBatchResponse(result=done)

    @call
    def query_points(self, request: Any) -> Any:
        return proto.QueryResponse(result=self.find(request))

    @call
    def query_batch_points(self, request: Any) -> Any:
        most = self.strict and self.strict.search_max_batchsize
        number = len(request.query_points)
        if self.strict and self.strict.enabled and most and number > most:
            refuse(
                f'Limit exceeded {number} > {most} for "search batch size"',
                f'Reduce the "search batch size" parameter to or below {most}.',
            )
        results = [self.find(one) for one in request.query_points]
        return proto.QueryBatchResponse(
            result=[proto.BatchResult(result=one) for one in results]
        )

    def find(self, request: Any) -> Any:
        """The points that one query finds."""
        self.check_strict_mode(request)
        self.limits.append(request.limit)
        params = optional(request, "params")
        self.params.append(params and GrpcToRest.convert_search_params(params))
        query = None
        if request.HasField("query"):
            query = GrpcToRest.convert_query(request.query)
        found = self.qdrant.query_points(
            request.collection_name,
            query=query,
            using=request.using or None,
            query_filter=self.condition(request),
            limit=optional(request, "limit") or 10,
            offset=optional(request, "offset"),
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
        return [
            RestToGrpc.convert_scored_point(point) for point in found.points
        ]

    @call
    def scroll_points(self, request: Any) -> Any:
        self.check_strict_mode(request)
        start = None
        if request.HasField("offset"):
            start = GrpcToRest.convert_point_id(request.offset)
        found, beyond = self.qdrant.scroll(
            request.collection_name,
            self.condition(request),
            limit=optional(request, "limit") or 10,
            offset=start,
            with_payload=GrpcToRest.convert_with_payload_selector(
                request.with_payload
            ),
            with_vectors=GrpcToRest.convert_with_vectors_selector(
                request.with_vectors
            ),
        )
        for one in found:
            one.payload = one.payload or {}
        points = [RestToGrpc.convert_record(one) for one in found]
        answer = proto.ScrollResponse(result=points)
        if beyond is not None:
            beyond_id = RestToGrpc.convert_extended_point_id(beyond)
            answer.next_page_offset.CopyFrom(beyond_id)
        return answer

    @call
    def count_points(self, request: Any) -> Any:
        is_exact = not request.HasField("exact") or request.exact
        self.check_strict_mode(request, exact=is_exact)
        found = self.qdrant.count(
            request.collection_name, count_filter=self.condition(request)
        )
        return proto.CountResponse(result=proto.CountResult(count=found.count))

    @call
    def facet_points(self, request: Any) -> Any:
        is_exact = request.HasField("exact") and request.exact
        self.check_strict_mode(request, exact=is_exact)
        if request.key not in self.indexes:  # local mode would not mind
            raise ValueError(f"No facet index for `{request.key}`")
        found = self.qdrant.facet(
            request.collection_name,
            request.key,
            self.condition(request),
            optional(request, "limit") or 10,
        )
        hits = [
            proto.FacetHit(
                value=proto.FacetValue(string_value=str(hit.value)),
                count=hit.count,
            )
            for hit in found.hits
        ]
        return proto.FacetResponse(hits=hits)

    @call
    def create_field_index(self, request: Any) -> Any:
        strict = self.strict or models.StrictModeConfig()
        most = strict.max_payload_index_count
        if strict.enabled and most and len(self.indexes) >= most:
            refuse(
                f"Collection already has the maximum number of payload indices ({most})",
                "Please delete an existing index before creating a new one.",
            )
        kind = proto.FieldType.Name(request.field_type)
        self.indexes[request.field_name] = kind.removeprefix(
            "FieldType"
        ).lower()
        params = request.field_index_params
        if params.HasField("text_index_params"):
            self.texts[request.field_name] = params.text_index_params
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
        setattr(self, "UpdateBatch", standin.update_batch)  # noqa: B010
        setattr(self, "Query", standin.query_points)  # noqa: B010
        setattr(self, "QueryBatch", standin.query_batch_points)  # noqa: B010
        setattr(self, "Scroll", standin.scroll_points)  # noqa: B010
        setattr(self, "Count", standin.count_points)  # noqa: B010
        setattr(self, "Facet", standin.facet_points)  # noqa: B010
        setattr(self, "CreateFieldIndex", standin.create_field_index)  # noqa: B010
