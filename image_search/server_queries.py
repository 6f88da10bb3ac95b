"""What a store is asked for, as Qdrant's client says it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from qdrant_client import QdrantClient, models

from image_search.filters import Dialect, Filter, in_terms_of
from image_search.points import BY_BEGINNINGS, PAYLOAD_INDEXES
from image_search.store import VECTOR_NAME, Change, Query

# What each point of ours has, and hardly any of somebody else's: to ask whether it is
# there costs next to nothing, where to ask for its type takes as long as the search.
NEVER_EMPTY = ("filename", "sha256", "taken", "width", "height")


def request_of(
    query: Query, where: models.Filter, params: models.SearchParams | None
) -> models.QueryRequest:
    """A query, of the points that a filter lets through."""
    is_scored = query.vector is not None
    return models.QueryRequest(
        query=in_qdrants_terms(query),
        using=VECTOR_NAME if is_scored else None,
        filter=where,
        params=params,
        limit=query.limit,
        offset=query.offset,
        with_payload=[*query.fields] or False,
        with_vector=[VECTOR_NAME] if query.with_vectors else False,
    )


def ask_once(
    qdrant: QdrantClient, collection: str, asked: models.QueryRequest
) -> list[models.ScoredPoint]:
    """The points that a query finds; raises as the client does."""
    found = qdrant.query_points(
        collection,
        asked.query,
        using=asked.using,
        query_filter=asked.filter,
        search_params=asked.params,
        limit=asked.limit or 0,
        offset=asked.offset,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )
    return found.points


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
    wanted = in_terms_of(Dialect(models, *ranges, _has_id), where)
    must_not: list[Any] = [
        models.FieldCondition(key=field, is_empty=True) for field in NEVER_EMPTY
    ]
    if left_out:
        must_not.append(_has_id(left_out))
    must_not += wanted.must_not
    return models.Filter(must=wanted.must, must_not=must_not)


def _has_id(ids: Iterable[Any]) -> models.HasIdCondition:
    return models.HasIdCondition(has_id=[*ids])


def missing_indexes(
    made: Mapping[str, models.PayloadIndexInfo],
) -> dict[str, models.PayloadSchemaType | models.TextIndexParams]:
    """The payload indexes that a collection has to get, by their fields."""
    return {
        field: _index_of(field, kind)
        for field, kind in PAYLOAD_INDEXES.items()
        if field not in made or made[field].data_type.value != kind
    }


def _index_of(
    field: str, kind: str
) -> models.PayloadSchemaType | models.TextIndexParams:
    """How a field is indexed; a server leaves out what it doesn't know.

    Phrases need Qdrant 1.15, accents 1.16.
    """
    if kind != "text":
        return models.PayloadSchemaType(kind)
    by_beginnings = field == BY_BEGINNINGS
    kinds = models.TokenizerType
    return models.TextIndexParams(
        type=models.TextIndexType.TEXT,
        tokenizer=kinds.PREFIX if by_beginnings else kinds.WORD,
        lowercase=True,
        ascii_folding=True,
        phrase_matching=not by_beginnings,
    )
