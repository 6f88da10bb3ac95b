"""The points of photos, and the one search over them, whatever engine holds them.

A point is a photo's vector and its payload. `EdgeStore` keeps them in this process,
`ServerStore` on a Qdrant server; for another engine write a third such class.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ValidationError

from image_search.clip import Embedding
from image_search.settings import Settings
from image_search.state import wait_for_server

VECTOR_NAME = "embedding"
# What a point carries beside its vector, as far as it is searched by; Qdrant's types.
PAYLOAD_INDEXES = {
    "filename": "keyword",
    "folders": "keyword",
    "sha256": "keyword",
    "error": "keyword",
    "taken": "datetime",
    "width": "integer",
    "height": "integer",
}


class StoreError(Exception):
    """The store can't answer; never to be taken for an empty answer."""


class StoreUnavailable(StoreError):
    """The store is away, or refuses to answer; `details` are its own words."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class CollectionMissing(StoreUnavailable):
    """The server answers, but has no collection of that name (any more)."""


class ForeignPoint(StoreError):
    """The collection holds a point that this app did not make."""


class Payload(BaseModel):
    """What a point carries beside its vector.

    A new field needs a default: points that were written before have none.
    """

    filename: str
    width: int  # pixels, upright; 0 if the photo can't be read
    height: int
    taken: datetime  # local time; by EXIF, else when the file was last written
    folders: list[str]  # every folder above it, the innermost first
    sha256: str  # of the file, in hexadecimal
    error: str | None = None  # why the photo can't be read


class Point(NamedTuple):
    """A photo in the store; `score` is its cosine with what was searched for."""

    id: Any
    payload: Payload
    score: float
    vector: Embedding | None


@dataclass(frozen=True)
class Condition:
    """What a payload field has to be: a value (or to hold it), in a range, or there."""

    field: str
    equals: str | None = None
    at_least: str | None = None  # ISO 8601, as the next
    before: str | None = None
    is_empty: bool = False


@dataclass(frozen=True)
class Filter:
    """Which points a search is limited to."""

    must: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.must or self.must_not)


EVERYTHING = Filter()
READABLE = Filter(must=(Condition("error", is_empty=True),))
UNREADABLE = Filter(must_not=(Condition("error", is_empty=True),))


class Store(ABC):
    """Holds the points of photos, and finds the nearest."""

    name: str  # for a person
    address = ""  # the setting that says where it is, for a message

    @abstractmethod
    def target(self) -> Any:
        """The CocoIndex target that writes to this store."""

    @abstractmethod
    def check(self, *, is_set_up: bool = True) -> None:
        """See that the points can be kept and searched, and mend what can be mended.

        `is_set_up`: CocoIndex has set the target up. Raises StartupError where the
        place is somebody else's, StoreError where it can't be told.
        """

    def check_at_start(self, *, is_set_up: bool) -> None:
        """Check, and wait for a server that is starting; raises StartupError."""
        wait_for_server(
            self.address,
            lambda: self.check(is_set_up=is_set_up),
            StoreUnavailable,
            explain=lambda error: error.details or str(error),
        )

    @abstractmethod
    def count(self, where: Filter = EVERYTHING) -> int:
        """How many photos there are, of those that a filter lets through."""

    def has_foreign_points(self, ours: int) -> bool:
        """Whether somebody else's points lie among so many of ours."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held open."""

    @abstractmethod
    def _query(
        self,
        vector: Embedding | None,
        limit: int,
        where: Filter,
        *,
        with_vectors: bool,
    ) -> Sequence[Any]:
        """Qdrant's points, best first: by cosine, or the newest without a vector."""

    def search(
        self,
        vector: Embedding | None,
        limit: int,
        where: Filter = EVERYTHING,
        *,
        with_vectors: bool = False,
    ) -> list[Point]:
        """The `limit` points nearest to a vector of shape (d,); the newest without one.

        Ties are in the order of their names, so that pages join up. Raises StoreError.
        """
        depth = limit + 1
        while True:
            found = self._query(vector, depth, where, with_vectors=with_vectors)
            points = [_point(one) for one in found]
            # Ties with the last one may be cut off: ask for more.
            has_all_ties = len(points) < depth or _rank(
                points[-1], vector
            ) != _rank(points[limit - 1], vector)
            if has_all_ties:
                break
            depth *= 2
        points.sort(key=lambda point: point.payload.filename)
        points.sort(key=lambda point: _rank(point, vector), reverse=True)
        return points[:limit]

    def points_of(
        self, filename: str, *, with_vectors: bool = False
    ) -> list[Point]:
        """The point of a photo that is in the index and can be read, or none."""
        is_it = Filter(
            must=(Condition("filename", equals=filename), *READABLE.must)
        )
        return self.search(None, 1, is_it, with_vectors=with_vectors)

    def digest_of(self, filename: str) -> str | None:
        """The SHA-256 of a photo that is in the index and can be read, or None."""
        for point in self.points_of(filename):
            return point.payload.sha256
        return None

    def exists(self, filename: str) -> bool:
        """Whether a photo is in the index and can be read."""
        is_it = Filter(
            must=(Condition("filename", equals=filename), *READABLE.must)
        )
        return self.count(is_it) > 0


def open_store(settings: Settings, model: str, dimension: int) -> Store:
    """The store that the settings ask for, not connected yet.

    `model` names the space of its vectors, which are of shape (dimension,).
    """
    # The client of the server takes as long to import as all else.
    if settings.qdrant_url:
        from image_search.server_store import ServerStore

        return ServerStore(
            str(settings.qdrant_url),
            settings.qdrant_api_key,
            settings.qdrant_collection,
            dimension,
        )
    from image_search.edge_store import EdgeStore
    from image_search.state import embedded_stores

    return EdgeStore(
        settings.data_dir / "edge" / settings.qdrant_collection,
        settings.qdrant_collection,
        model,
        dimension,
        embedded_stores(),
    )


def in_terms_of(library: Any, date_range: Any, where: Filter) -> Any:
    """A filter as one of Qdrant's two libraries has it: their names are the same.

    Only the class of a range of dates has a name of its own in each. None is quicker
    than a filter without conditions.
    """
    if not where:
        return None

    def condition(one: Condition) -> Any:
        if one.is_empty:
            return library.FieldCondition(key=one.field, is_empty=True)
        if one.equals is not None:
            match = library.MatchValue(value=one.equals)
            return library.FieldCondition(key=one.field, match=match)
        ends = {"gte": one.at_least, "lt": one.before}
        given = {name: end for name, end in ends.items() if end}
        return library.FieldCondition(key=one.field, range=date_range(**given))

    return library.Filter(
        must=[condition(one) for one in where.must],
        must_not=[condition(one) for one in where.must_not],
    )


def _point(found: Any) -> Point:
    """A point as Qdrant returns it, in our types; raises ForeignPoint."""
    try:
        payload = Payload.model_validate(found.payload)
    except ValidationError:
        raise ForeignPoint(
            "The vector store holds points that this app did not make."
        ) from None
    vector = (found.vector or {}).get(VECTOR_NAME)
    array = None if vector is None else np.asarray(vector, np.float32)
    return Point(found.id, payload, found.score, array)


def _rank(point: Point, vector: Embedding | None) -> Any:
    return point.payload.taken if vector is None else point.score
