"""The flow's steps, and what CocoIndex reads of their types."""

import asyncio
import dataclasses
import uuid
from datetime import datetime
from typing import Any, get_type_hints

import pytest

from image_search.dates import NOT_TOLD, Taken
from image_search.embedded_photo import EmbeddedPhoto
from tests.harness import PHOTOS

TAKEN = Taken("2019-05-01T12:00:00", "exif")


def describe(
    file: str, taken: Taken, error: str | None = None, place: str = ""
) -> Any:
    """As of the sample photos, which are the places where none are named."""
    import main

    described = main.describe_photo(file, taken, error, None, place)
    return asyncio.run(described)


@pytest.fixture(scope="module")
def described() -> Any:
    return describe("cat.png", NOT_TOLD)


def test_a_photo_has_one_point_whatever_it_shows(described: Any) -> None:
    """A point's id goes by the photo's name alone, so that no photo is there twice."""
    assert described.id == uuid.uuid5(uuid.NAMESPACE_URL, "cat.png")
    other = describe("cat.png", TAKEN, "it is cut off")
    assert other.id == described.id
    assert describe("coffee.png", NOT_TOLD).id != described.id


def test_a_photo_lies_in_every_folder_above_it() -> None:
    """Its folders are all those above it, the innermost first; none at the top."""
    deep = describe("trips/rome/a.jpg", TAKEN)
    assert deep.folders == ["trips/rome", "trips"]
    top = describe("a.jpg", TAKEN)
    assert top.folders == []


def test_a_photo_without_a_date_was_taken_when_it_was_written(
    described: Any,
) -> None:
    """Its header's date goes first, else the file's; and the point says which it is."""
    written = datetime.fromtimestamp(int((PHOTOS / "cat.png").stat().st_mtime))
    assert datetime.fromisoformat(described.taken) == written
    assert described.taken_from == "file"
    dated = describe("cat.png", TAKEN)
    assert (dated.taken, dated.taken_from) == (TAKEN.time, TAKEN.source)


def test_a_bug_is_not_explained_away() -> None:
    """Only our own exceptions become answers: a bug of a route stays a 500."""
    import main
    from image_search import refusals

    explained = {
        kind.__module__.partition(".")[0]
        for kind, handler in main.app.exception_handlers.items()
        if handler is refusals.explain and isinstance(kind, type)
    }
    assert explained == {"image_search"}


def test_the_vector_of_the_flow_has_the_models_length() -> None:
    """CocoIndex is told the length of the vectors, which is the model's own."""
    import main

    executor = main.EmbedImageExecutor()
    executor.spec = main.EmbedImage("any", 24)
    hints = get_type_hints(executor.analyze(), include_extras=True)
    assert "dim=24" in str(hints["embedding"])
    fields = [field.name for field in dataclasses.fields(EmbeddedPhoto)]
    assert list(hints) == fields
