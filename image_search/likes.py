"""Photos that others are to be like, or not, and how much each counts.

`cat.png` counts once, `2:cat.png` twice, `0.5:cat.png` half.

A store of Qdrant's can be asked for a recommendation from
examples as well. It ranks by the same sum of vectors, but knows
neither weights nor words beside the photos, and its scores are
no cosines with what was asked. So the sum is made here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from image_search.clip import Embedding
from image_search.filters import READABLE, Condition, Filter
from image_search.question import Filters
from image_search.store import Store

# Whatever begins with a digit or a sign and has a colon after it.
TERM = re.compile(r"(-?[0-9.][0-9.,e+-]*|-):(.+)", re.DOTALL)
WEIGHT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?|\.[0-9]{1,6}")
LEAST, MOST = 0.01, 100.0

Q = TypeVar("Q", bound=Filters)


class BadWeight(ValueError):
    """What stands before a photo's name is no weight."""

    def __init__(self, term: str) -> None:
        super().__init__(
            f"{term} is no photo of the index, and what stands before the colon"
            f" no weight: write a number from {LEAST:g} to {MOST:g}, such as"
            " 2:cat.png or 0.5:cat.png."
        )


class NoSuchPhoto(LookupError):
    """The index has no photo of that name that can be read."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        self.filename = filename


def examples(
    store: Store, like: Sequence[str], unlike: Sequence[str]
) -> tuple[Embedding | None, Embedding | None]:
    """What some photos come to, and others; what is in both is in neither.

    Raises BadWeight, NoSuchPhoto and StoreError.
    """
    liked, unliked = weights_of(store, like), weights_of(store, unlike)
    named = sorted({*liked, *unliked})
    vectors = store.vectors_of(named)
    for name in named:
        if name not in vectors:
            raise NoSuchPhoto(name)
    return (
        mean(liked.keys() - unliked.keys(), liked, vectors),
        mean(unliked.keys() - liked.keys(), unliked, vectors),
    )


def weights_of(store: Store, terms: Sequence[str]) -> dict[str, float]:
    """The names in some terms, and how much each counts.

    A photo whose name really begins like a weight is meant by that name. What is
    named twice counts for both. The store is asked only where a weight may be.
    Raises BadWeight and StoreError.
    """
    found: dict[str, float] = defaultdict(float)
    known = _known(store, terms)
    for term in terms:
        parts = TERM.fullmatch(term)
        if not parts or term in known:
            found[term] += 1
        else:
            found[parts[2]] += _weight(term, parts[1])
    return dict(found)


def by_name(store: Store, query: Q) -> Q:
    """The same question, with names alone; raises BadWeight and StoreError."""
    fields = {"like", "unlike"} & {*type(query).model_fields}
    plain = {
        field: sorted(weights_of(store, getattr(query, field)))
        for field in fields
        if any(map(TERM.fullmatch, getattr(query, field)))
    }
    return query.model_copy(update=plain) if plain else query


def mean(
    names: Iterable[str],
    weights: dict[str, float],
    vectors: dict[str, Embedding],
) -> Embedding | None:
    """The mean of some photos' vectors, each times its weight; None of none.

    Without weights it is as long as one photo's vector at the most, and weighs as
    much as words do; a single photo of the weight 2 weighs twice as much.
    """
    each = [weights[name] * vectors[name] for name in sorted(names)]
    return np.asarray(np.mean(each, axis=0)) if each else None


def _known(store: Store, terms: Sequence[str]) -> set[str]:
    """Of the terms that look like weights those that are photos."""
    unclear = tuple(term for term in terms if TERM.fullmatch(term))
    if not unclear:
        return set()
    are_they = Condition("filename", any_of=unclear)
    where = Filter((are_they, *READABLE.must))
    return store.names(where, len(unclear))


def _weight(term: str, text: str) -> float:
    weight = float(text) if WEIGHT.fullmatch(text) else 0.0
    if not LEAST <= weight <= MOST:
        raise BadWeight(term)
    return weight
