"""A store in memory, for rooms that need some store; it keeps the contract of the true ones."""

import math
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy as np

from image_search.asked_words import tokens_of
from image_search.clip import Embedding
from image_search.filters import (
    EVERYTHING,
    READABLE,
    Circle,
    Condition,
    Either,
    Filter,
    HasId,
    Part,
)
from image_search.name_words import name_words
from image_search.points import point_id, sort_key
from image_search.settings import StartupError
from image_search.store import VECTOR_NAME, Change, Query, Store
from image_search.store_errors import CollectionMissing


def payload_of(filename: str, **facts: Any) -> dict[str, Any]:
    """A point's payload as the flow exports it, with some facts of one's own."""
    *above, _ = filename.split("/")
    folders = ["/".join(above[:depth]) for depth in range(len(above), 0, -1)]
    payload = {
        "filename": filename,
        "folders": folders,
        "width": 4,
        "height": 3,
        "name_words": name_words(filename),
        "name_starts": name_words(filename),
    }
    payload |= {
        "taken": "2022-02-02T00:00:00",
        "sha256": f"{filename}'s",
        "error": None,
    }
    payload |= facts
    key = sort_key(str(payload["taken"]), filename)
    return {"sort_key": key} | payload


def id_of(filename: str) -> uuid.UUID:
    return point_id(filename)


class MemoryStore(Store):
    """Points by filename; it keeps a list of what it was asked, and can be made to fail."""

    name = "a store in memory"

    def __init__(self) -> None:
        self.points: dict[str, tuple[dict[str, Any], Embedding | None]] = {}
        self.calls: list[str] = []
        self.failure: Exception | None = None
        self.rounding = 0.0  # by which scores are too large
        self.is_missing = False  # until it is checked
        self.is_shared = False  # with somebody else
        self.said: str | None = None  # to a person

    def put(self, filename: str, vector: Any = None, **facts: Any) -> None:
        self.points[filename] = payload_of(filename, **facts), vector

    def target(self, place: str = "", *, is_set_up: bool = True) -> Any:
        return None

    def delete(self, where: Filter) -> None:
        self.points = {
            name: (payload, vector)
            for name, (payload, vector) in self.points.items()
            if not _passes(payload, where)
        }

    def set_payloads(self, changes: Sequence[Change]) -> None:
        self.calls.append("set_payloads")
        self._fail_if_asked_to()
        for where, fields in changes:
            for payload, _ in self.points.values():
                if _passes(payload, where):
                    payload.update(fields)

    def check(self, *, is_set_up: bool = True) -> None:
        self.calls.append("check")
        self._fail_if_asked_to()
        if self.is_shared:
            raise StartupError("The collection is somebody else's.")
        self.is_missing = False

    def count(self, where: Filter = EVERYTHING) -> int:
        self.calls.append("count")
        self._fail_if_asked_to()
        if self.is_missing:
            raise CollectionMissing("There is no collection.")
        return sum(
            _passes(payload, where) for payload, _ in self.points.values()
        )

    def folders(self) -> dict[str, int]:
        self.calls.append("folders")
        self._fail_if_asked_to()
        return dict(
            Counter(
                folder
                for payload, _ in self.points.values()
                if _passes(payload, READABLE)
                for folder in payload["folders"]
            )
        )

    def notice(self) -> str | None:
        return self.said

    def close(self) -> None:
        self.calls.append("close")

    def _query(self, query: Query) -> Sequence[Any]:
        self.calls.append("query")
        self._fail_if_asked_to()
        is_near = query.vector is not None
        found = []
        for payload, stored in self.points.values():
            if not _passes(payload, query.where):
                continue
            if is_near and stored is None:
                continue
            if query.order_by and payload.get(query.order_by) is None:
                continue  # as Qdrant has it
            vectors = {VECTOR_NAME: stored} if query.with_vectors else None
            score = 0.0
            if is_near:
                score = _cosine(query.vector, stored) + self.rounding
            id = point_id(payload["filename"])
            shown = {
                name: value
                for name, value in payload.items()
                if name in query.fields
            }
            found.append(
                SimpleNamespace(
                    id=id, payload=shown, score=score, vector=vectors
                )
            )
        if query.order_by:
            field = query.order_by
            found.sort(
                key=lambda one: one.payload[field],
                reverse=not query.oldest_first,
            )
        elif is_near:
            found.sort(key=lambda one: float(one.score), reverse=True)
        return found[query.offset : query.offset + query.limit]

    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        return [self._query(query) for query in queries]

    def _scroll(self, where: Filter, *, with_vectors: bool) -> Iterator[Any]:
        every = Query(len(self.points), where, with_vectors=with_vectors)
        return iter(self._query(every))

    def _fail_if_asked_to(self) -> None:
        if self.failure is not None:
            raise self.failure


def _cosine(one: Any, other: Any) -> float:
    return float(
        np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
    )


def _distance(place: dict[str, float], circle: Circle) -> float:
    """In metres, on a sphere as large as the earth."""
    lat, lon, other_lat, other_lon = map(
        math.radians, (place["lat"], place["lon"], circle.lat, circle.lon)
    )
    over = math.sin((lat - other_lat) / 2) ** 2
    aside = math.sin((lon - other_lon) / 2) ** 2
    chord = over + math.cos(lat) * math.cos(other_lat) * aside
    return 2 * 6_371_000 * math.asin(math.sqrt(chord))


def _has(payload: dict[str, Any], field: str, words: str) -> bool:
    """Words one after the other; of some fields the last may only begin so."""
    value: Any = payload
    for name in field.split("."):
        value = (value or {}).get(name)
    texts = value if isinstance(value, list) else [value or ""]
    end = "" if field == "name_starts" else " "
    asked = f" {' '.join(tokens_of(words))}{end}"
    return any(asked in f" {' '.join(tokens_of(text))} " for text in texts)


def _passes(payload: dict[str, Any], where: Filter) -> bool:
    return all(_meets(payload, one) for one in where.must) and not any(
        _meets(payload, one) for one in where.must_not
    )


def _meets(payload: dict[str, Any], one: Part) -> bool:
    match one:
        case Filter():
            return _passes(payload, one)
        case Either(conditions):
            return any(_meets(payload, some) for some in conditions)
        case HasId(ids):
            return point_id(payload["filename"]) in ids
    if words := one.has_word or one.phrase:
        return _has(payload, one.field, words)
    return _is_so(payload, one)


def _is_so(payload: dict[str, Any], one: Condition) -> bool:  # noqa: PLR0911
    value: Any = payload
    for name in one.field.split("."):
        value = (value or {}).get(name)
    if one.within is not None:
        return bool(value) and _distance(value, one.within) <= one.within.metres
    if one.is_empty:
        return value in (None, [])
    if one.any_of:
        return value in one.any_of
    if one.equals is not None:
        return one.equals in (value if isinstance(value, list) else [value])
    if isinstance(one.above, float):
        return value is not None and value > one.above
    moment = datetime.fromisoformat(str(value))
    if one.above is not None:
        return moment > datetime.fromisoformat(one.above)
    is_late_enough = not one.at_least or moment >= datetime.fromisoformat(
        one.at_least
    )
    is_early_enough = not one.before or moment < datetime.fromisoformat(
        one.before
    )
    return is_late_enough and is_early_enough
