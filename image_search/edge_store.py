"""Points in Qdrant Edge: Qdrant's own engine in this process, a shard in a folder."""

import atexit
import contextlib
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cocoindex
import qdrant_edge as edge
from cocoindex.op import TargetStateCompatibility

from image_search.clip import Embedding
from image_search.settings import StartupError, logger
from image_search.state import EmbeddedStores, check_free_space
from image_search.store import (
    EVERYTHING,
    PAYLOAD_INDEXES,
    VECTOR_NAME,
    Filter,
    Point,
    Store,
    StoreUnavailable,
    in_terms_of,
)

# A search compares two bits of each number, and scores so many candidates by a byte of
# each: 200,000 vectors take 6 ms, and scores are within 0.002.
RESCORED = 2000
# Up to so many results all candidates are the same, so that pages join up.
QUANTIZED_LIMIT = 1024


class QdrantEdge(cocoindex.op.TargetSpec):
    """The CocoIndex target; `cocoindex.targets.Qdrant` is that of a server."""

    collection: str
    model: str  # another model's vectors need another shard
    dimension: int


class EdgeStore(Store):
    """A shard that is opened when it is first asked, and made if need be."""

    name = "Qdrant Edge"

    def __init__(
        self,
        folder: Path,
        collection: str,
        model: str,
        dimension: int,
        stores: EmbeddedStores,
    ) -> None:
        self.folder = folder
        self.collection = collection
        self.model = model
        self.dimension = dimension
        self._stores = stores
        self._shard: edge.EdgeShard | None = None
        self._lock = threading.RLock()

    def target(self) -> QdrantEdge:
        QdrantEdgeConnector.stores[self.collection] = self
        return QdrantEdge(self.collection, self.model, self.dimension)

    def check(self, *, is_set_up: bool = True) -> None:
        """Nobody else writes here, and `shard` mends what can be mended."""

    def count(self, where: Filter = EVERYTHING) -> int:
        with _as_store_errors():
            request = edge.CountRequest(filter=_filter(where))
            return int(self.shard().count(request))

    def search(
        self,
        vector: Embedding | None,
        limit: int,
        where: Filter = EVERYTHING,
        *,
        with_vectors: bool = False,
    ) -> list[Point]:
        """As in Store.

        Beyond QUANTIZED_LIMIT results the search is exact, and what the quantized one
        found stays in front, so that pages join up.
        """
        near = limit if vector is None else min(limit, QUANTIZED_LIMIT - 1)
        points = super().search(vector, near, where, with_vectors=with_vectors)
        if near < limit and len(points) == near:
            known = {point.id for point in points}
            every = super().search(
                vector, limit, where, with_vectors=with_vectors
            )
            points += [point for point in every if point.id not in known]
        return points[:limit]

    def shard(self) -> edge.EdgeShard:
        """The open shard."""
        with self._lock:
            if self._shard is None:
                self._stores.acquire()
                check_free_space(self._stores.folder)
                self._shard = self._load() or self._create()
                atexit.register(self.close)
                for field, kind in PAYLOAD_INDEXES.items():
                    schema = getattr(edge.PayloadSchemaType, kind.title())
                    index = edge.UpdateOperation.create_field_index(
                        field, schema
                    )
                    self._shard.update(index)
            return self._shard

    def write(self, points: dict[uuid.UUID, dict[str, Any] | None]) -> None:
        """Write payloads, each with its vector in it, or None to delete a point."""
        shard = self.shard()
        check_free_space(self._stores.folder)
        changed: list[edge.Point] = []
        gone: list[int | uuid.UUID | str] = []
        for id, payload in points.items():
            if payload is None:
                gone.append(id)
                continue
            vector = payload.pop(VECTOR_NAME)
            # A photo that can't be read has no vector, and is never a hit.
            vectors = {} if vector is None else {VECTOR_NAME: vector}
            changed.append(edge.Point(id, vectors, payload=payload))
        if changed:
            shard.update(edge.UpdateOperation.upsert_points(changed))
        if gone:
            shard.update(edge.UpdateOperation.delete_points(gone))

    def reset(self) -> None:
        """Delete all points: the shard is made anew when it is next opened."""
        with self._lock:
            self._stores.acquire()
            self.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        atexit.unregister(self.close)
        with self._lock:
            if self._shard is not None:
                self._shard.close()
                self._shard = None

    def _query(
        self,
        vector: Embedding | None,
        limit: int,
        where: Filter,
        *,
        with_vectors: bool,
    ) -> Sequence[Any]:
        query: Any = edge.OrderBy("taken", edge.Direction.Desc)
        if vector is not None:
            array: Any = vector  # any sequence of numbers will do
            query = edge.Query.Nearest(array, using=VECTOR_NAME)
        quantization = edge.QuantizationSearchParams(
            ignore=limit > QUANTIZED_LIMIT,
            rescore=True,
            oversampling=max(1, RESCORED / limit),
        )
        request = edge.QueryRequest(
            limit,
            query=query,
            filter=_filter(where),
            params=edge.SearchParams(quantization=quantization),
            with_payload=True,
            with_vector=with_vectors,
        )
        with _as_store_errors():
            return self.shard().query(request)

    def _load(self) -> edge.EdgeShard | None:
        """Open the shard in the folder; None if there is none, or it is broken."""
        try:
            return edge.EdgeShard.load(str(self.folder))
        except Exception as error:  # noqa: BLE001, Edge's errors have no common type
            if self.folder.exists():
                logger.error("The embedded store is made anew: %s", error)
                shutil.rmtree(self.folder)
            return None

    def _create(self) -> edge.EdgeShard:
        two_bits = edge.TurboQuantQuantizationConfig(
            always_ram=True, bits=edge.TurboQuantBitSize.Bits2
        )
        vector = edge.EdgeVectorParams(
            self.dimension,
            edge.Distance.Cosine,
            quantization_config=two_bits,
            datatype=edge.VectorStorageDatatype.Turbo8,
        )
        config = edge.EdgeConfig(vectors={VECTOR_NAME: vector})
        return edge.EdgeShard.create(str(self.folder), config)


@cocoindex.op.target_connector(spec_cls=QdrantEdge, persistent_key_type=str)
class QdrantEdgeConnector:
    """What CocoIndex calls to set an EdgeStore up and to write to it."""

    stores: ClassVar[dict[str, EdgeStore]] = {}  # by collection

    @staticmethod
    def get_persistent_key(spec: QdrantEdge) -> str:
        return spec.collection

    @staticmethod
    def check_state_compatibility(
        desired: QdrantEdge, existing: QdrantEdge
    ) -> Any:
        if desired == existing:
            return TargetStateCompatibility.COMPATIBLE
        return TargetStateCompatibility.NOT_COMPATIBLE

    @classmethod
    def apply_setup_change(
        cls, key: str, previous: Any, current: QdrantEdge | None
    ) -> None:
        cls.stores[key].reset()

    @classmethod
    def prepare(cls, spec: QdrantEdge) -> QdrantEdge:
        # A store that is in use elsewhere stops the update here, not at each row.
        cls.stores[spec.collection].shard()
        return spec

    @classmethod
    def mutate(cls, *changes: tuple[QdrantEdge, dict[uuid.UUID, Any]]) -> None:
        for spec, points in changes:
            cls.stores[spec.collection].write(points)


@contextlib.contextmanager
def _as_store_errors() -> Iterator[None]:
    """Turn Edge's errors, which have no common type, into the store's own."""
    try:
        yield
    except StartupError:
        raise  # another process has the store
    except Exception as error:
        raise StoreUnavailable(
            f"The embedded store cannot answer just now: {error}."
        ) from error


def _filter(where: Filter) -> Any:
    return in_terms_of(edge, edge.RangeDateTime, where)
