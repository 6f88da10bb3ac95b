"""A collection tells which model its vectors are of, and no other one is compared with them."""

from types import SimpleNamespace
from typing import Any

import pytest

from image_search.settings import StartupError
from image_search.vector_space import (
    MARK,
    NO_WEIGHTS,
    are_alike,
    check_model,
    mark_of,
)

HUBS = f"openai/clip@{NO_WEIGHTS}"


def info(**metadata: Any) -> Any:
    config = SimpleNamespace(metadata=metadata or None)
    return SimpleNamespace(config=config)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (HUBS, HUBS, True),
        (HUBS, f"google/siglip@{NO_WEIGHTS}", False),
        # The same weights in another folder, and others in the same one.
        ("/a@123456789abc", "/b@123456789abc", True),
        ("/a@123456789abc", "/a@cba987654321", False),
        # A folder may hold what the hub has.
        ("/a@123456789abc", HUBS, True),
    ],
)
def test_models_are_told_apart(one: str, other: str, *, alike: bool) -> None:
    """By their weights, or by their names on the hub."""
    assert are_alike(one, other) is alike
    assert are_alike(other, one) is alike


def test_another_model_is_refused() -> None:
    """Both are named, and what to do is said."""
    asked: list[Any] = []
    other = "/b@cba987654321"
    with pytest.raises(StartupError) as refused:
        check_model(
            info(**{MARK: "/a@123456789abc"}), "photos", other, asked.append
        )
    said = str(refused.value.message)
    assert "collection photos has vectors of /a" in said
    assert "CLIP_MODEL=/b is another model" in said
    assert asked == []


def test_what_tells_none_is_marked_once() -> None:
    """A collection of a version before is marked, one that tells its model is left alone."""
    asked: list[Any] = []
    check_model(info(), "photos", HUBS, asked.append)
    check_model(info(**mark_of(HUBS)), "photos", HUBS, asked.append)
    assert len(asked) == 1
    # An engine that has no key for its model.
    check_model(info(), "photos", "", asked.append)
    assert mark_of("") == {}
    assert len(asked) == 1
