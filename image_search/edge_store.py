"""Points in Qdrant Edge: Qdrant's own engine in this process, a shard in a folder."""

import atexit
import contextlib
import functools
import shutil
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from image_search.clip import Embedding
from image_search.edge_queries import (
    QUANTIZED_LIMIT,
    filter_of,
    in_edges_terms,
    is_deep,
    make_indexes,
    request_of,
)
from image_search.edge_target import QdrantEdge, QdrantEdgeConnector
from image_search.filters import EVERYTHING, UNREADABLE, Filter
from image_search.points import MOST_FOLDERS, PAYLOAD
from image_search.settings import StartupError, logger
from image_search.state import EmbeddedStores, check_free_space
from image_search.store import (
    SCROLLED,
    VECTOR_NAME,
    Change,
    Point,
    Query,
    Store,
)
from image_search.store_errors import StoreUnavailable


class EdgeStore(Store):
    """A shard that is opened when it is first asked, and made if need be."""

    name = "Qdrant Edge"
    holds_gil = True

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

    def target(self, place: str = "", *, is_set_up: bool = True) -> QdrantEdge:
        QdrantEdgeConnector.write_to(self.collection, self)
        return QdrantEdge(self.collection, self.model, self.dimension, place)

    def check(self, *, is_set_up: bool = True) -> None:
        """Nobody else writes here, and `shard` mends what can be mended."""

    def find_out(
        self, photos: Collection[str], where: Filter = EVERYTHING
    ) -> None:
        """As in Store; a point of another photo, which only this app wrote, goes.

        A loss of power takes what CocoIndex noted last, so that it knows nothing of it.
        """
        self.check()
        every = self.every(where)
        gone = [one.id for one in every if one.payload.filename not in photos]
        self.write(dict.fromkeys(gone))

    def count(self, where: Filter = EVERYTHING) -> int:
        with _as_store_errors():
            request = edge.CountRequest(filter=filter_of(where))
            return int(self.shard().count(request))

    def folders(self) -> dict[str, int]:
        every = self._facet("folders", EVERYTHING)
        # To count these and take them off takes a quarter of the time. There may be
        # some that came since, in folders that had none.
        skipped = self._facet("folders", UNREADABLE)
        left = {
            folder: photos - skipped.get(folder, 0)
            for folder, photos in every.items()
        }
        return {folder: photos for folder, photos in left.items() if photos > 0}

    def _facet(self, field: str, where: Filter) -> dict[str, int]:
        request = edge.FacetRequest(
            field, MOST_FOLDERS, exact=True, filter=filter_of(where)
        )
        with _as_store_errors():
            hits = self.shard().facet(request).hits
            return {str(hit.value): hit.count for hit in hits}

    def search(
        self,
        vector: Embedding | None,
        limit: int,
        where: Filter = EVERYTHING,
        *,
        offset: int = 0,
        oldest_first: bool = False,
        with_vectors: bool = False,
    ) -> list[Point]:
        """As in Store.

        Beyond QUANTIZED_LIMIT results the search is exact, and what the quantized one
        found stays in front, so that pages join up.
        """
        if vector is None:
            return super().search(
                None,
                limit,
                where,
                offset=offset,
                oldest_first=oldest_first,
                with_vectors=with_vectors,
            )
        search = functools.partial(
            super().search, where=where, with_vectors=with_vectors
        )
        depth = offset + limit
        near = min(depth, QUANTIZED_LIMIT - 1)
        points = search(vector, near)
        if near < depth and len(points) == near:
            known = {point.id for point in points}
            every = search(vector, depth)
            points += [point for point in every if point.id not in known]
        return points[offset:depth]

    def shard(self) -> edge.EdgeShard:
        """The open shard."""
        with self._lock:
            if self._shard is None:
                self._stores.acquire()
                check_free_space(self._stores.folder)
                self._shard = self._load() or self._create()
                atexit.register(self.close)
                make_indexes(self._shard)
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
            for name, value in payload.items():
                if isinstance(value, bool):
                    payload[name] = int(value)
            changed.append(edge.Point(id, vectors, payload=payload))
        if changed:
            shard.update(edge.UpdateOperation.upsert_points(changed))
        if gone:
            shard.update(edge.UpdateOperation.delete_points(gone))

    def delete(self, where: Filter) -> None:
        """As in Store; one without any points is made anew, maybe for another model."""
        with _as_store_errors():
            delete = edge.UpdateOperation.delete_points_by_filter
            self.shard().update(delete(in_edges_terms(where)))
        if not self.count():
            self.reset()

    def set_payloads(self, changes: Sequence[Change]) -> None:
        with _as_store_errors():
            shard = self.shard()
            check_free_space(self._stores.folder)
            change = edge.UpdateOperation.set_payload_by_filter
            for where, fields in changes:
                shard.update(change(in_edges_terms(where), {**fields}))

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

    def _query(self, query: Query) -> Sequence[Any]:
        with _as_store_errors():
            found = self.shard().query(request_of(query))
            if not is_deep(query):
                return found
            ids = [one.id for one in found]
            points = self.shard().retrieve(
                ids,
                with_payload=[*query.fields],
                with_vector=query.with_vectors,
            )
            known = {point.id: point for point in points}
            return [known[id] for id in ids if id in known]

    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        requests = [request_of(query) for query in queries]
        with _as_store_errors():
            batch = edge.QueryBatchRequest(requests)
            return self.shard().query_batch(batch)

    def _scroll(self, where: Filter, *, with_vectors: bool) -> Iterator[Any]:
        start: Any = None
        while True:
            request = edge.ScrollRequest(
                offset=start,
                limit=SCROLLED,
                filter=filter_of(where),
                with_payload=[*PAYLOAD],
                with_vector=with_vectors,
            )
            with _as_store_errors():
                points, start = self.shard().scroll(request)
            yield from points
            if start is None:
                return

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
