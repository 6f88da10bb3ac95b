"""What a store is asked for, as Qdrant's client says it."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from qdrant_client import models

from image_search.filters import Filter, in_terms_of
from image_search.store import Change, Query

# What each point of ours has, and hardly any of somebody else's: to ask whether it is
# there costs next to nothing, where to ask for its type takes as long as the search.
NEVER_EMPTY = ("filename", "sha256", "taken", "width", "height")


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


def additions(
    changes: Sequence[Change], left_out: Collection[Any]
) -> list[models.UpdateOperation]:
    """Fields that points of this app are to have, for one question."""
    return [
        models.SetPayloadOperation(
            set_payload=models.SetPayload(
                payload={**fields}, filter=points_of_ours(where, left_out)
            )
        )
        for where, fields in changes
    ]


def points_of_ours(where: Filter, left_out: Collection[Any]) -> models.Filter:
    """The points of this app that a filter lets through.

    But for those of these ids.
    """
    ranges = models.DatetimeRange, models.Range
    wanted = in_terms_of(models, *ranges, where)
    must_not: list[Any] = [
        models.FieldCondition(key=field, is_empty=True) for field in NEVER_EMPTY
    ]
    if left_out:
        must_not.append(models.HasIdCondition(has_id=[*left_out]))
    must_not += wanted.must_not
    return models.Filter(must=wanted.must, must_not=must_not)
