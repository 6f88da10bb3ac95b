"""What a store is asked for, as Qdrant Edge says it."""

from collections.abc import Iterable
from typing import Any

import qdrant_edge as edge

from image_search.filters import EVERYTHING, Dialect, Filter, Id, in_terms_of
from image_search.points import BY_BEGINNINGS, PAYLOAD_INDEXES
from image_search.store import VECTOR_NAME, Query

# A search compares two bits of each number, and scores so many candidates by a byte of
# each: 200,000 vectors take 6 ms, and scores are within 0.002.
RESCORED = 2000
# Up to so many results all candidates are the same, so that pages join up.
QUANTIZED_LIMIT = 1024


def is_deep(query: Query) -> bool:
    return bool(query.order_by and query.offset)


def request_of(query: Query) -> edge.QueryRequest:
    wanted: Any = None
    if query.order_by:
        ways = edge.Direction
        way = ways.Asc if query.oldest_first else ways.Desc
        wanted = edge.OrderBy(query.order_by, way)
    elif query.vector is not None:
        array: Any = query.vector  # any sequence of numbers will do
        wanted = edge.Query.Nearest(array, using=VECTOR_NAME)
    quantization = edge.QuantizationSearchParams(
        ignore=query.limit > QUANTIZED_LIMIT,
        rescore=True,
        oversampling=max(1, RESCORED / query.limit),
    )
    return edge.QueryRequest(
        query.limit,
        offset=query.offset,
        query=wanted,
        filter=filter_of(query.where),
        params=edge.SearchParams(quantization=quantization),
        # Of all that is skipped it would be read as well.
        with_payload=[] if is_deep(query) else [*query.fields],
        with_vector=query.with_vectors,
    )


def make_indexes(shard: edge.EdgeShard) -> None:
    """Those that are there already stay as they are."""
    for field, kind in PAYLOAD_INDEXES.items():
        index = edge.UpdateOperation.create_field_index(
            field, _index_of(field, kind)
        )
        shard.update(index)


def _index_of(field: str, kind: str) -> Any:
    if kind != "text":
        # Its filters take a bool for the number that it is in Python.
        name = "Integer" if kind == "bool" else kind.title()
        return getattr(edge.PayloadSchemaType, name)
    by_beginnings = field == BY_BEGINNINGS
    kinds = edge.TokenizerType
    return edge.TextIndexParams(
        tokenizer=kinds.Prefix if by_beginnings else kinds.Word,
        lowercase=True,
        ascii_folding=True,
        phrase_matching=not by_beginnings,
    )


def filter_of(where: Filter) -> Any:
    if where == EVERYTHING:
        return None  # quicker than a filter without conditions
    return in_edges_terms(where)


def in_edges_terms(where: Filter) -> Any:
    dialect = Dialect(edge, edge.RangeDateTime, edge.RangeFloat, _has_id)
    return in_terms_of(dialect, where)


def _has_id(ids: Iterable[Id]) -> edge.HasIdCondition:
    return edge.HasIdCondition({*ids})
