"""Points on a Qdrant server or cluster, written by CocoIndex's own Qdrant target."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import cocoindex
import grpc
from qdrant_client import QdrantClient, models

from image_search.clip import Embedding
from image_search.settings import StartupError
from image_search.store import (
    EVERYTHING,
    PAYLOAD_INDEXES,
    VECTOR_NAME,
    CollectionMissing,
    Condition,
    Filter,
    Store,
    StoreUnavailable,
    in_terms_of,
)

DEFAULT_GRPC_PORT = 6334
TIMEOUT = 9  # seconds
# No point of ours: each of them has one.
HAS_NO_DIGEST = Condition("sha256", is_empty=True)


class ServerStore(Store):
    """A collection on the server at a gRPC address."""

    def __init__(
        self, url: str, api_key: str | None, collection: str, dimension: int
    ) -> None:
        address = urlsplit(url)
        self.url = url
        self.name = f"Qdrant at {address.hostname}"
        self.address = f"QDRANT_URL={url}"
        self.api_key = api_key
        self.collection = collection
        self.shape = models.VectorParams(
            size=dimension, distance=models.Distance.COSINE
        )
        self._port = address.port or DEFAULT_GRPC_PORT

    @functools.cached_property
    def client(self) -> QdrantClient:
        return QdrantClient(
            self.url,
            grpc_port=self._port,
            prefer_grpc=True,
            timeout=TIMEOUT,
            api_key=self.api_key,
            check_compatibility=False,
        )

    def target(self) -> Any:
        return cocoindex.targets.Qdrant(self.collection, self._connection)

    def check(self, *, is_set_up: bool = True) -> None:
        """See that the collection is ours and has its indexes.

        Once CocoIndex has set it up, a lost collection is made anew (and filled from
        CocoIndex's cache). One that CocoIndex did not make, or that has another shape,
        is somebody else's.
        """
        with _as_store_errors():
            if self.client.collection_exists(self.collection):
                is_foreign = self.has_foreign_points(self.count())
                if not is_set_up or not self._has_our_shape() or is_foreign:
                    raise StartupError(
                        f"Qdrant's collection {self.collection} was not made by this"
                        " app with this CLIP_MODEL, and is left alone: set"
                        " QDRANT_COLLECTION to a new name."
                    )
            elif is_set_up:
                vectors = {VECTOR_NAME: self.shape}
                self.client.create_collection(self.collection, vectors)
            if is_set_up:
                for field, kind in PAYLOAD_INDEXES.items():
                    schema = models.PayloadSchemaType(kind)
                    self.client.create_payload_index(
                        self.collection, field, schema
                    )

    def count(self, where: Filter = EVERYTHING) -> int:
        return self._count(Filter(where.must, (*where.must_not, HAS_NO_DIGEST)))

    def has_foreign_points(self, ours: int) -> bool:
        return self._count(EVERYTHING) > ours

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    @functools.cached_property
    def _connection(self) -> Any:
        """The server, by reference: CocoIndex writes no API key to Postgres then."""
        server = cocoindex.targets.QdrantConnection(self.url, self.api_key)
        return cocoindex.add_auth_entry("qdrant", server)

    def _has_our_shape(self) -> bool:
        vectors = self.client.get_collection(
            self.collection
        ).config.params.vectors
        vector = vectors.get(VECTOR_NAME) if isinstance(vectors, dict) else None
        if vector is None:
            return False
        shape = self.shape.size, self.shape.distance
        return (vector.size, vector.distance) == shape

    def _count(self, where: Filter) -> int:
        with _as_store_errors():
            found = self.client.count(
                self.collection, count_filter=_filter(where)
            )
            return int(found.count)

    def _query(
        self,
        vector: Embedding | None,
        limit: int,
        where: Filter,
        *,
        with_vectors: bool,
    ) -> Sequence[Any]:
        query: Any = vector
        if vector is None:
            newest = models.OrderBy(
                key="taken", direction=models.Direction.DESC
            )
            query = models.OrderByQuery(order_by=newest)
        with _as_store_errors():
            found = self.client.query_points(
                self.collection,
                query,
                using=None if vector is None else VECTOR_NAME,
                query_filter=_filter(where),
                limit=limit,
                with_vectors=with_vectors,
            )
            return found.points


@contextlib.contextmanager
def _as_store_errors() -> Iterator[None]:
    """Turn the errors of gRPC's calls into the store's own."""
    try:
        yield
    except grpc.RpcError as error:
        call: Any = error  # it has a code, without a type that says so
        kind = StoreUnavailable
        if call.code() is grpc.StatusCode.NOT_FOUND:
            kind = CollectionMissing
        raise kind(
            f"The vector store cannot answer just now: {call.code().name}.",
            call.details() or "",
        ) from error


def _filter(where: Filter) -> Any:
    return in_terms_of(models, models.DatetimeRange, where)
