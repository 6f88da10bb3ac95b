"""The points of photos, and the one search over them, whatever engine holds them.

A point is a photo's vector and its payload. `EdgeStore` keeps them in this process,
`ServerStore` on a Qdrant server; for another engine write a third such class.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from image_search.clip import Embedding
from image_search.filters import EVERYTHING, READABLE, Condition, Filter
from image_search.points import OF_HITS, PAYLOAD, Payload
from image_search.settings import StartupError
from image_search.starting_servers import wait_for_server
from image_search.store_errors import (
    ForeignPoint,
    StoreRefuses,
    StoreUnavailable,
)

VECTOR_NAME = "embedding"
SCROLLED = 1_000  # points at a time, where all are asked for
Change = tuple[Filter, Mapping[str, Any]]  # which points get which fields


class Point(NamedTuple):
    """A photo in the store; `score` is its cosine with what was searched for."""

    id: Any
    payload: Payload
    score: float
    vector: Embedding | None


@dataclass(frozen=True)
class Query:
    """What a store is asked for: the nearest, or the first in some order, or any."""

    limit: int
    where: Filter = EVERYTHING
    offset: int = 0
    vector: Embedding | None = None  # of shape (d,)
    order_by: str | None = None  # a field, its largest values first
    oldest_first: bool = False  # or its smallest
    with_vectors: bool = False
    fields: tuple[str, ...] = OF_HITS  # that are wanted of the payload


class Store(ABC):
    """Holds the points of photos, and finds the nearest."""

    name: str  # for a person
    address = ""  # the setting that says where it is, for a message
    holds_gil = False  # no other thread runs while it answers
    _is_in_order = False  # each point has a sort key

    @abstractmethod
    def target(self, place: str = "", *, is_set_up: bool = True) -> Any:
        """The CocoIndex target by which the flow of a place writes to this store.

        `is_set_up`: CocoIndex has set up those of all places before.
        """

    @abstractmethod
    def check(self, *, is_set_up: bool = True) -> None:
        """See that the points can be kept and searched, and mend what can be mended.

        `is_set_up`: CocoIndex has set the target up. Raises StartupError where the
        place is somebody else's, StoreError where it can't be told.
        """

    def check_at_start(self, *, is_set_up: bool) -> None:
        """Check, and wait for a server that is starting; raises StartupError."""

        def check() -> None:
            try:
                self.check(is_set_up=is_set_up)
            except StoreRefuses as error:
                # It would go on refusing.
                raise StartupError(str(error)) from None

        wait_for_server(
            self.address,
            check,
            StoreUnavailable,
            explain=lambda error: error.details or str(error),
        )

    def find_out(
        self, photos: Collection[str], where: Filter = EVERYTHING
    ) -> None:
        """Look into why the points are not those of these photos, by their names.

        Raises as `check`.
        """
        self.check()

    @abstractmethod
    def delete(self, where: Filter) -> None:
        """Delete the points that a filter lets through."""

    @abstractmethod
    def set_payloads(self, changes: Sequence[Change]) -> None:
        """Give points more fields, or others; the rest of them stays as it is."""

    @abstractmethod
    def count(self, where: Filter = EVERYTHING) -> int:
        """How many photos there are, of those that a filter lets through."""

    def notice(self) -> str | None:
        """What a person should know, though nothing is wrong."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held open."""

    @abstractmethod
    def _query(self, query: Query) -> Sequence[Any]:
        """Qdrant's points, best first."""

    @abstractmethod
    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        """Qdrant's points for each of several, asked at once; raises StoreError."""

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
        """The `limit` points after `offset` that are nearest to a vector of shape (d,).

        Without one they are the newest, or the oldest. `with_vectors`: their own are
        wanted too.
        Ties are in the order of their names, so that pages join up. Raises StoreError.
        """
        query = Query(
            limit,
            where,
            offset,
            vector,
            oldest_first=oldest_first,
            with_vectors=with_vectors,
        )
        if vector is None:
            query = replace(query, order_by=self.order())
        # One more at each end shows whether ties are cut off there.
        start, end = max(0, offset - 1), offset + limit + 1
        while True:
            page = self._ask(replace(query, offset=start, limit=end - start))
            ranks = [_rank(point, query.order_by) for point in page]
            first, last = offset - start, offset - start + limit - 1
            is_cut_off = len(page) == end - start and ranks[last] == ranks[-1]
            is_cut_on = (
                start > 0 and first < len(page) and ranks[first] == ranks[0]
            )
            if not is_cut_off and not is_cut_on:
                break
            more = end - start
            start, end = max(0, start - more), end + more
        page.sort(key=lambda point: point.payload.filename)
        page.sort(
            key=lambda point: _rank(point, query.order_by),
            reverse=not (query.order_by and oldest_first),
        )
        return page[first : last + 1]

    def record_of(self, filename: str) -> Point | None:
        """The point of a photo with all of its payload, also of an unreadable one."""
        is_it = Filter((Condition("filename", equals=filename),))
        return next(iter(self._ask(Query(1, is_it, fields=PAYLOAD))), None)

    def names(self, where: Filter, limit: int) -> set[str]:
        """The names of so many photos that a filter lets through."""
        return {one.payload.filename for one in self.search(None, limit, where)}

    def count_near(self, score: float, query: Query) -> int:
        """How many of the points that are asked for have a score, or a higher one."""
        found = self._query(replace(query, fields=()))
        return sum(one.score >= score for one in found)

    def every(
        self, where: Filter = EVERYTHING, *, with_vectors: bool = False
    ) -> Iterator[Point]:
        """All points that a filter lets through, in no order, as they come.

        Raises StoreError, also amid them.
        """
        for one in self._scroll(where, with_vectors=with_vectors):
            point = read_point(one)
            if point and self._is_ours(point):
                yield point

    @abstractmethod
    def _scroll(self, where: Filter, *, with_vectors: bool) -> Iterator[Any]:
        """Qdrant's points, in no order."""

    @abstractmethod
    def folders(self) -> dict[str, int]:
        """Each folder with photos that can be read, and how many in and below it."""

    def points_of(
        self, filename: str, *, with_vectors: bool = False
    ) -> list[Point]:
        """The point of a photo that is in the index and can be read, or none."""
        is_it = (Condition("filename", equals=filename), *READABLE.must)
        return self._ask(Query(1, Filter(is_it), with_vectors=with_vectors))

    def vectors_of(self, filenames: Sequence[str]) -> dict[str, Embedding]:
        """By name the vectors, of shape (d,), of those photos that can be read."""
        if not filenames:
            return {}
        are_they = Condition("filename", any_of=tuple(filenames))
        where = Filter((are_they, *READABLE.must))
        query = Query(len(filenames), where, with_vectors=True)
        return {
            point.payload.filename: point.vector
            for point in self._ask(query)
            if point.vector is not None
        }

    def digest_of(self, filename: str) -> str | None:
        """The SHA-256 of a photo that is in the index and can be read, or None."""
        points = self.points_of(filename)
        return points[0].payload.sha256 if points else None

    def _ask(self, query: Query) -> list[Point]:
        while True:
            found = self._query(query)
            points = [
                point
                for one in found
                if (point := read_point(one)) and self._is_ours(point)
            ]
            if len(points) == len(found):
                return points
            known = {point.id for point in points}
            self._leave_out([one.id for one in found if one.id not in known])

    def _is_ours(self, point: Point | None) -> bool:
        return point is not None

    def _leave_out(self, ids: Sequence[Any]) -> None:
        """Never find these points again, which are not this app's."""
        raise ForeignPoint(
            "The vector store holds points that this app did not make."
        )

    def order(self) -> str:
        """The field by which photos are the newest.

        Points of an earlier version have no sort key until CocoIndex has been there.
        """
        if not self._is_in_order:
            has_none = Filter(must=(Condition("sort_key", is_empty=True),))
            self._is_in_order = self.count(has_none) == 0
        return "sort_key" if self._is_in_order else "taken"


def read_point(found: Any) -> Point | None:
    """A point as Qdrant returns it, in our types; None if this app did not make it."""
    try:
        payload = Payload.model_validate(found.payload)
    except ValidationError:
        return None
    vector = (getattr(found, "vector", None) or {}).get(VECTOR_NAME)
    array = None if vector is None else np.asarray(vector, np.float32)
    return Point(found.id, payload, getattr(found, "score", 0.0), array)


def _rank(point: Point, order_by: str | None) -> Any:
    return getattr(point.payload, order_by) if order_by else point.score
