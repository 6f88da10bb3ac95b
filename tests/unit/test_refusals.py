"""What can't be answered is told in sentences of our own, parameter by parameter."""

import asyncio
import json
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from image_search import folders, photo_record, refusals, skipped
from image_search.question import Search

REQUEST: Any = None
PYDANTICS = ("Input", "Value error", "should", "String", "valid", "Extra")


def told(query: dict[str, Any]) -> list[dict[str, Any]]:
    """The errors that a wrong search is answered with."""
    try:
        Search.model_validate(query)
    except ValidationError as error:
        wrong = RequestValidationError(error.errors())
        answer = asyncio.run(refusals.explain_parameters(REQUEST, wrong))
        assert answer.status_code == 422
        return list(json.loads(bytes(answer.body))["detail"])
    raise AssertionError(query)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"q": " "}, "write a word, or leave it out"),
        ({"q": "a" * 1001}, "it may have 1000 characters at most"),
        ({"minus": ["a"] * 11}, "it may be given 10 times at most"),
        ({"like": ["a"] * 51}, "it may be given 50 times at most"),
        ({"unlike": ["a"] * 51}, "it may be given 50 times at most"),
        ({"limit": "many"}, "write a whole number"),
        ({"limit": 0}, "write 1 or more"),
        ({"limit": 101}, "write 100 or less"),
        ({"cutoff": "nan"}, "write 1 or less"),
        ({"cutoff": "x"}, "write a number"),
        ({"sort": "oldst"}, "write 'score'"),
        ({"after": "foo"}, "write a date, such as 2024-05-31"),
        ({"after": "2024-02-30"}, "write a date, such as 2024-05-31"),
        ({"before": "2024-05-01T12:00:00Z"}, "write a local time"),
        ({"near": "Rome"}, "write latitude, longitude and kilometres"),
        ({"query": "cat"}, "there is no parameter of this name"),
    ],
)
def test_each_wrong_parameter_is_told_what_to_write(
    wrong: dict[str, Any], sentence: str
) -> None:
    """Each sentence is ours, begins with what to do, and names its parameter."""
    [error] = told(wrong)
    assert error["loc"][0] == next(iter(wrong))
    assert error["msg"].startswith(sentence)
    assert not any(word in error["msg"] for word in PYDANTICS)
    assert {*error} == {"type", "loc", "msg"}


def test_every_kind_of_parameter_has_sentences() -> None:
    """No parameter of any route can be wrong in a way that is not put into our words."""
    app = FastAPI()
    for room in (folders, photo_record, skipped):
        app.include_router(room.router)

    @app.get("/search")
    def search(query: Annotated[Search, Query()]) -> None: ...

    parameters = [
        parameter
        for route in app.openapi()["paths"].values()
        for parameter in route.get("get", {}).get("parameters", [])
    ]
    assert len(parameters) > 15
    for parameter in parameters:
        for kind in (
            parameter["schema"],
            *parameter["schema"].get("anyOf", []),
        ):
            for limit in ("minimum", "maximum", "pattern", "enum"):
                if limit in kind:
                    assert _explained(limit), (parameter["name"], limit)


def _explained(limit: str) -> bool:
    kinds = {
        "minimum": "greater_than_equal",
        "maximum": "less_than_equal",
        "pattern": "string_pattern_mismatch",
        "enum": "literal_error",
    }
    return kinds[limit] in refusals.SENTENCES


def test_what_is_not_foreseen_is_still_a_sentence() -> None:
    """An error of another kind is answered too, and shows nothing of pydantic's."""
    try:
        TypeAdapter(dict[str, int]).validate_python("x")
    except ValidationError as error:
        wrong = RequestValidationError(error.errors())
    answer = asyncio.run(refusals.explain_parameters(REQUEST, wrong))
    [told] = json.loads(bytes(answer.body))["detail"]
    assert told["msg"] == refusals.NO_MORE
