"""Points on a Qdrant server or cluster, written by CocoIndex's own Qdrant target."""

import contextlib
import functools
import uuid
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import cocoindex
import grpc
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from image_search.adoption import (
    Forwarder,
    describe_foreign_points,
    refuse_another_shape,
    refuse_points,
)
from image_search.filters import EVERYTHING, READABLE, Filter
from image_search.points import MOST_FOLDERS, PAYLOAD_INDEXES, Payload, point_id
from image_search.qdrant_errors import (
    DEFAULT_GRPC_PORT,
    Server,
    explain,
    warn_of_open_key,
)
from image_search.server_queries import (
    count_values,
    in_qdrants_terms,
    points_of_ours,
)
from image_search.store import (
    VECTOR_NAME,
    CollectionMissing,
    Point,
    Query,
    Store,
    StoreError,
    StoreRefuses,
    StoreUnavailable,
    read_point,
)

TIMEOUT = 9  # seconds
SCROLLED = 10_000  # points at a time
PAYLOAD = [*Payload.model_fields]


class ServerStore(Store):
    """A collection on the server at a gRPC address."""

    def __init__(
        self, url: str, api_key: str | None, collection: str, dimension: int
    ) -> None:
        address = urlsplit(url)
        self.url = url
        self.server = Server(
            address.hostname or "",
            address.port or DEFAULT_GRPC_PORT,
            is_tls=address.scheme == "https",
            has_key=bool(api_key),
            collection=collection,
        )
        self.name = f"Qdrant at {address.hostname}"
        self.address = f"QDRANT_URL={self.server.url}"  # no password in it
        self.api_key = api_key
        self.collection = collection
        cosine = models.Distance.COSINE
        vector = models.VectorParams(size=dimension, distance=cosine)
        self.shape = {VECTOR_NAME: vector}
        self._forwarder: Forwarder | None = None
        self._left_out: set[Any] = set()  # what looks like ours, and is not
        self._most: int | None = None  # points that one question may ask for

    @functools.cached_property
    def client(self) -> QdrantClient:
        warn_of_open_key(self.server)
        with warnings.catch_warnings(action="ignore"):  # it says the same
            return QdrantClient(
                self.url,
                grpc_port=self.server.port,
                prefer_grpc=True,
                timeout=TIMEOUT,
                api_key=self.api_key,
                check_compatibility=False,
            )

    def target(self, place: str = "", *, is_set_up: bool = True) -> Any:
        if place and not is_set_up:
            # The flow of another place may make the collection before this one's.
            self._forwarder = self._forwarder or Forwarder(self.server)
        return cocoindex.targets.Qdrant(self.collection, self._connection)

    def check(self, *, is_set_up: bool = True) -> None:
        """See that the collection is ours, has its indexes, and may be written to.

        Once CocoIndex has set it up, a lost collection is made anew (and filled from
        CocoIndex's cache). Before that, one which a person made is taken as it is if
        it is empty. One of another shape is somebody else's.
        """
        with self._as_store_errors():
            exists = self.client.collection_exists(self.collection)
            if not exists and not is_set_up:
                return  # CocoIndex is about to make it
            if not exists:
                self.client.create_collection(self.collection, self.shape)
            info = self.client.get_collection(self.collection)
            refuse_another_shape(info, self.collection, self.shape)
            self._note_limits(info)
            # Whatever is there may be another by now.
            self._left_out, self._is_in_order = set(), False
            if not is_set_up:
                self._adopt()
            self._make_indexes(info)
            # CocoIndex would not say why it can't write: nothing has this id.
            nothing = models.PointIdsList(points=[str(uuid.uuid4())])
            self.client.delete(self.collection, nothing)

    def find_out(self, photos: int, where: Filter = EVERYTHING) -> None:
        """As in Store; what looks like a point of ours, and is none, is found out."""
        self.check()
        if self.count(where) > photos:
            for one in self._scroll(self._ours(where), PAYLOAD):
                if not self._is_ours(read_point(one)):
                    self._leave_out([one.id])

    def count(self, where: Filter = EVERYTHING) -> int:
        return self._count(self._ours(where))

    def delete(self, where: Filter) -> None:
        points = models.FilterSelector(filter=self._ours(where))
        with self._as_store_errors():
            self.client.delete(self.collection, points)

    def folders(self) -> dict[str, int]:
        where = self._ours(READABLE)
        try:
            with self._as_store_errors():
                found = self.client.facet(
                    self.collection, "folders", where, MOST_FOLDERS, exact=True
                )
        except StoreRefuses as refusal:
            if refusal.setting != "search_allow_exact":
                raise
            return count_values(self._scroll(where, ["folders"]), "folders")
        return {str(hit.value): hit.count for hit in found.hits}

    def notice(self) -> str | None:
        foreign = self._count(models.Filter(must_not=[self._ours(EVERYTHING)]))
        return describe_foreign_points(self.collection, foreign)

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()
        if self._forwarder:
            self._forwarder.close()

    @functools.cached_property
    def _connection(self) -> Any:
        """The server, by reference: CocoIndex writes no API key to Postgres then."""
        url = self._forwarder.url if self._forwarder else self.url
        server = cocoindex.targets.QdrantConnection(url, self.api_key)
        return cocoindex.add_auth_entry("qdrant", server)

    def _note_limits(self, info: models.CollectionInfo) -> None:
        strict = info.config.strict_mode_config
        self._most = None
        if strict is not None and strict.enabled:
            self._most = strict.max_query_limit

    def _adopt(self) -> None:
        """Have CocoIndex take an empty collection that it did not make."""
        found = [*self._scroll(None, PAYLOAD)] if self._count(None) else []
        ours = [one for one in found if self._is_ours(read_point(one))]
        refuse_points(self.collection, len(found), len(ours))
        self._forwarder = self._forwarder or Forwarder(self.server)

    def _make_indexes(self, info: models.CollectionInfo) -> None:
        for field, kind in PAYLOAD_INDEXES.items():
            made = info.payload_schema.get(field)
            if made is None or made.data_type.value != kind:
                schema = models.PayloadSchemaType(kind)
                self.client.create_payload_index(self.collection, field, schema)

    def _ours(self, where: Filter) -> models.Filter:
        """The points of this app that a filter lets through."""
        return points_of_ours(where, self._left_out)

    def _is_ours(self, point: Point | None) -> bool:
        if point is None:
            return False
        return str(point.id) == str(point_id(point.payload.filename))

    def _leave_out(self, ids: Sequence[Any]) -> None:
        self._left_out.update(ids)

    def _count(self, where: models.Filter | None) -> int:
        try:
            with self._as_store_errors():
                found = self.client.count(self.collection, count_filter=where)
                return int(found.count)
        except StoreRefuses as refusal:
            if refusal.setting != "search_allow_exact":
                raise
            return sum(1 for _ in self._scroll(where, []))

    def _scroll(
        self, where: models.Filter | None, payload: list[str]
    ) -> Iterator[Any]:
        """All points that a filter lets through, with these fields, in no order."""
        start: Any = None
        while True:
            with self._as_store_errors():
                points, start = self.client.scroll(
                    self.collection,
                    where,
                    limit=min(SCROLLED, self._most or SCROLLED),
                    offset=start,
                    with_payload=payload or False,
                )
            yield from points
            if start is None:
                return

    def _query(self, query: Query) -> Sequence[Any]:
        try:
            return self._query_in_parts(query)
        except StoreRefuses as refusal:
            known = self._most
            if refusal.setting != "max_query_limit":
                raise
            with self._as_store_errors():  # a person has set it since
                self._note_limits(self.client.get_collection(self.collection))
            if self._most in {None, known}:
                raise
            return self._query_in_parts(query)

    def _query_in_parts(self, query: Query) -> Sequence[Any]:
        """In as many questions as the server's limit makes of it, mostly one."""
        found: dict[Any, Any] = {}
        asked = 0
        while asked < query.limit:
            limit = min(query.limit - asked, self._most or query.limit)
            offset = query.offset + asked
            part = self._query_once(replace(query, offset=offset, limit=limit))
            found |= {one.id: one for one in part}
            asked += limit
            if len(part) < limit:
                break
        return [*found.values()]

    def _query_once(self, query: Query) -> Sequence[Any]:
        is_scored = query.vector is not None
        with self._as_store_errors():
            found = self.client.query_points(
                self.collection,
                in_qdrants_terms(query),
                using=VECTOR_NAME if is_scored else None,
                query_filter=self._ours(query.where),
                limit=query.limit,
                offset=query.offset,
                with_payload=PAYLOAD if query.with_payload else False,
                with_vectors=[VECTOR_NAME] if query.with_vectors else False,
            )
            return found.points

    @contextlib.contextmanager
    def _as_store_errors(self) -> Iterator[None]:
        """Turn the errors of gRPC's calls into the store's own."""
        try:
            yield
        except ResourceExhaustedResponse as error:
            exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
            raise self._error(exhausted, error.message) from error
        except grpc.RpcError as error:
            call: Any = error  # it has a code, without a type that says so
            raise self._error(call.code(), call.details() or "") from error

    def _error(self, code: grpc.StatusCode, details: str) -> StoreError:
        why = explain(code, details, self.server)
        message = f"Qdrant at {self.server.url} {why.verb}: {why.reason}."
        if code is grpc.StatusCode.NOT_FOUND:
            return CollectionMissing(message, why.reason)
        if why.is_passing:
            return StoreUnavailable(message, why.reason)
        return StoreRefuses(message, why.reason, why.setting)
