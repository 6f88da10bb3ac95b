"""All groups of near-equal photos are found, by the rule by which results are folded."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_search import near_equals
from image_search.clip import l2_normalize
from image_search.folding import fold
from image_search.near_equals import BrokenOff, find_groups
from image_search.placeholder import thumbhash_of
from image_search.points import Payload
from image_search.store_errors import StoreUnavailable
from tests.harness import PHOTOS
from tests.unit.memory_store import MemoryStore
from tests.unit.test_folding import EDITS, RICH, page_of_text

DIMENSION = 16


def put(
    store: MemoryStore, name: str, image: Any, axis: int, **facts: Any
) -> None:
    width, height = image.size
    store.put(
        name,
        l2_normalize(np.eye(DIMENSION)[axis] + 0.05),
        width=width,
        height=height,
        thumbhash=thumbhash_of(image),
        **facts,
    )


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    """The samples, each with its copies, pages of text, and what can't be read."""
    store = MemoryStore()
    for axis, sample in enumerate(RICH):
        image = Image.open(sample).convert("RGB")
        put(
            store,
            sample.name,
            image,
            axis,
            taken=f"20{axis + 10}-01-01T00:00:00",
        )
        for edit, change in EDITS.items():
            put(store, f"{edit}/{sample.name}", change(image), axis)
    for seed in range(5):
        put(store, f"page-{seed}.jpg", page_of_text(seed), 15)
    put(store, "b/page-3.jpg", page_of_text(3), 15, sha256="page-3.jpg's")
    cat = Image.open(RICH[0]).convert("RGB")
    for name, words in (
        ("one", "Road closed 1189"),
        ("two", "Tickets 1224 Hall"),
    ):
        put(store, f"sign {name}.jpg", cat, 14, text=words)
    store.put("broken.jpg", None, error="it is empty", sha256="page-3.jpg's")
    store.put("no thumbhash.jpg", l2_normalize(np.eye(DIMENSION)[0]))
    return store


def test_groups_are_those_of_folding(store: MemoryStore) -> None:
    """Whatever is folded where all photos are one answer, the largest first."""
    found = find_groups(store)
    points = [
        (Payload.model_validate(payload), vector)
        for payload, vector in store.points.values()
        if not payload["error"]
    ]
    points.sort(
        key=lambda one: (
            -one[0].width * one[0].height,
            one[0].taken,
            one[0].filename,
        )
    )
    payloads = [payload for payload, _ in points]
    groups = fold(payloads, [vector for _, vector in points], len(points))
    expected = [
        {payloads[place].filename for place in group}
        for group in groups
        if len(group) > 1
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    assert len(found) == len(RICH) + 1
    assert ["b/page-3.jpg", "page-3.jpg"] in found
    for group in found:
        sizes = [
            store.points[name][0]["width"] * store.points[name][0]["height"]
            for name in group
        ]
        assert sizes[0] == max(sizes)


def test_the_newest_group_comes_first(store: MemoryStore) -> None:
    taken = [store.points[group[0]][0]["taken"] for group in find_groups(store)]
    assert taken == sorted(taken, reverse=True)


def test_many_are_compared_piece_by_piece() -> None:
    """However many a burst has, and in however many pieces it is looked at."""
    store = MemoryStore()
    image = Image.open(PHOTOS / "cat.png").convert("RGB").resize((64, 64))
    hash_of_it = thumbhash_of(image)
    vector = l2_normalize(np.ones(DIMENSION))
    # More than are compared at once.
    number = int(near_equals.PAIRS**0.5) + 500
    for place in range(number):
        facts = {"width": 64, "height": 64, "thumbhash": hash_of_it}
        store.put(f"{place:05}.jpg", vector, **facts)
    [group] = find_groups(store)
    assert group == sorted(store.points)


def test_an_empty_index_has_none() -> None:
    assert find_groups(MemoryStore()) == []


def test_it_is_broken_off_once_nobody_waits(store: MemoryStore) -> None:
    with pytest.raises(BrokenOff):
        find_groups(store, lambda: True)


def test_a_store_that_is_away_is_no_index_without_duplicates() -> None:
    store = MemoryStore()
    store.failure = StoreUnavailable("It is away.")
    with pytest.raises(StoreUnavailable):
        find_groups(store)
