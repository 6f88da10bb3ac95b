"""What a store is asked for, as Qdrant's client says it."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from qdrant_client import models

from image_search.store import Query


def in_qdrants_terms(query: Query) -> Any:
    """The query; what it is limited to is said beside it."""
    if query.order_by:
        ways = models.Direction
        way = ways.ASC if query.oldest_first else ways.DESC
        order = models.OrderBy(key=query.order_by, direction=way)
        return models.OrderByQuery(order_by=order)
    return query.vector


def count_values(points: Iterable[Any], field: str) -> dict[str, int]:
    """How many points have each value of a field, which has several."""
    counts: Counter[str] = Counter()
    for point in points:
        counts.update((point.payload or {}).get(field) or [])
    return dict(counts)
