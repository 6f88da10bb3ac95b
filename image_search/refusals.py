"""What a request is told that can't be answered."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from image_search.bucket_errors import BucketError
from image_search.reasons import PhotoError
from image_search.roles import NotOfThisRole
from image_search.search_errors import NotIndexedYet, SearchError, UnknownPhoto
from image_search.store_errors import StoreError
from image_search.turns import TooManySearches
from image_search.workers import PoolUnavailable, WorkerError

OUR_ERRORS = (
    BucketError,
    PhotoError,
    PoolUnavailable,
    SearchError,
    StoreError,
    WorkerError,
)

# By pydantic's name of an error; in braces what it knows of it.
SENTENCES = {
    "missing": "it has to be given",
    "extra_forbidden": "there is no parameter of this name",
    "string_pattern_mismatch": "it has to have the form {pattern}",
    "string_too_long": "it may have {max_length} characters at most",
    "string_too_short": "it has to have {min_length} characters at least",
    "too_long": "it may be given {max_length} times at most",
    "too_short": "it has to be given {min_length} times at least",
    "json_invalid": "write JSON",
    "list_type": "write a list",
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "finite_number": "write a number that is not infinite",
    "bool_parsing": "write true or false",
    "greater_than_equal": "write {ge} or more",
    "greater_than": "write more than {gt}",
    "less_than_equal": "write {le} or less",
    "less_than": "write less than {lt}",
    "literal_error": "write {expected}",
    "enum": "write {expected}",
    "timezone_naive": "write a local time, without a time zone",
}
DATE = "write a date, such as 2024-05-31, 2024-05, 2024, or 2024-05-31T18:30"
BLANK = "write a word, or leave it out"
NO_MORE = "it can't be understood as it is written"


def install(app: FastAPI) -> None:
    """Have an app answer so."""
    for error in OUR_ERRORS:
        app.add_exception_handler(error, explain)
    app.add_exception_handler(RequestValidationError, explain_parameters)


class Refusal(NamedTuple):
    """How one of our errors is answered: a status of HTTP, and a sentence."""

    status: int
    detail: str
    retry_after: int | None = None  # seconds


def refusal_of(error: Exception) -> Refusal:
    """A search that can't be answered says so, never that there is nothing to find."""
    detail = str(error)
    match error:
        case PhotoError() | WorkerError():
            return Refusal(422, f"This photo can't be read: {error}.")
        case UnknownPhoto():
            return Refusal(404, detail)
        case NotOfThisRole():
            return Refusal(503, detail)
        case NotIndexedYet() | TooManySearches():
            return Refusal(503, detail, 2)
        case BucketError() | StoreError() | PoolUnavailable():
            return Refusal(503, detail, 5)
    return Refusal(422, detail)


async def explain(request: Request, error: Exception) -> JSONResponse:
    """Answer it so."""
    status, detail, seconds = refusal_of(error)
    headers = {"Retry-After": str(seconds)} if seconds else {}
    return JSONResponse({"detail": detail}, status, headers)


def in_words(errors: Sequence[Any]) -> str:
    """What pydantic has to say of some parameters, in sentences."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: {_sentence(one)}" for one in errors
    )


async def explain_parameters(
    request: Request, error: Exception
) -> JSONResponse:
    """Answer 422, and what to write for each parameter.

    Each has `loc`, `msg` and `type`, as FastAPI has
    them.
    """
    errors: Sequence[Any] = ()
    if isinstance(error, RequestValidationError):
        errors = error.errors()
    detail = [
        {"type": one["type"], "loc": one["loc"], "msg": _sentence(one)}
        for one in errors
    ]
    return JSONResponse({"detail": detail}, 422)


def _sentence(error: Any) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "value_error":  # raised by our own checks
        return str(context.get("error") or NO_MORE)
    if kind.startswith(("datetime", "date_", "time_")):
        return DATE
    if kind == "string_pattern_mismatch" and context.get("pattern") == r"\S":
        return BLANK
    known = {
        name: f"{value:g}" if isinstance(value, float) else value
        for name, value in context.items()
    }
    return SENTENCES.get(kind, NO_MORE).format_map(known)
