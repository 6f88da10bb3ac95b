"""`image-search search`, `status` and `index`: for shells and programs.

An app that runs is asked. Where none runs, the index is opened for as long as it
takes.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from image_search.hits import Hit, SearchResponse
    from image_search.running_app import RunningApp
    from image_search.status_fields import Status

PROGRESS_SECONDS = 1.0

photos_option = click.option(
    "--photos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder whose index is meant: IMAGE_DIR unless told.",
)
FORMATS = ("text", "json", "csv", "paths0")


def format_option(name: str, says: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{name}", "form", flag_value=name, default="text", help=says
    )


@click.command()
@click.argument("words", nargs=-1)
@click.option("--limit", default=20, show_default=True, help="Photos at most.")
@click.option("--offset", default=0, help="How many to skip.")
@click.option(
    "--in",
    help="Where WORDS are looked for: meaning, name, text, description, with commas.",
)
@click.option("--minus", multiple=True, help="What you don't want to see.")
@click.option(
    "--like", multiple=True, help="A photo of the index, to find its like."
)
@click.option("--folder", help="In this folder, or below it.")
@click.option("--after", help="Taken then or later, such as 2024 or 2024-06.")
@click.option("--before", help="Taken before then.")
@click.option(
    "--sort", type=click.Choice(["score", "newest", "oldest"]), default="score"
)
@format_option("json", "The whole answer, as /search gives it.")
@format_option("csv", "A table.")
@format_option("paths0", "Where files are, each with a NUL behind: xargs -0.")
@photos_option
def search(
    words: tuple[str, ...],
    form: str,
    photos: Path | None,
    **asked: Any,
) -> None:
    """Find photos by WORDS that say what is seen, best first.

    Or what a photo or folder is called, or what is written
    on it: a phrase in quotes ('"exit only"') comes first.
    Without words they are the newest. A score says only how photos compare.
    """
    use_photos(photos)
    asked |= {"q": " ".join(words)}
    unsaid = (None, "", ())
    parameters = {
        name: value for name, value in asked.items() if value not in unsaid
    }
    answer = _answer_to(parameters)
    for part in _FORMS[form](answer):
        click.echo(part, nl=False)
    if answer.fits is False:
        click.echo("None of them fits well.", err=True)


@click.command()
@click.option("--json", "is_json", is_flag=True, help="All that is known.")
@photos_option
def status(photos: Path | None, *, is_json: bool) -> None:
    """Say how far the indexing of the app that runs is."""
    use_photos(photos)
    app = _running_app()
    if app is None:
        raise click.ClickException(
            "No app runs that has this index: `image-search serve` starts one."
        )
    now = _status_of(app)
    if is_json:
        click.echo(now.model_dump_json(indent=2))
        return
    click.echo(describe(now))
    for notice in filter(None, [*now.notices, now.last_error]):
        click.echo(notice, err=True)


@click.command()
@photos_option
def index(photos: Path | None) -> None:
    """Bring the index up to date, and end: for a timer, or before the first search.

    The exit code is 1 where photos are left to be indexed, and it is said why. While
    an app runs, which does the same, it is waited for.
    """
    use_photos(photos)
    app = _running_app()
    now = _await(app) if app else _index_here()
    if now.last_error:
        raise click.ClickException(now.last_error)
    click.echo(describe(now))


def use_photos(folder: Path | None) -> None:
    """Mean the index of this folder; before any setting is read."""
    if folder:
        os.environ["IMAGE_DIR"] = str(folder.absolute())


def describe(now: "Status") -> str:
    """How far the indexing is, in a line."""
    parts = [f"{now.indexed:,} photos are indexed"]
    if now.waiting:
        parts.append(f"{now.waiting:,} wait")
    if now.skipped:
        parts.append(f"{now.skipped:,} can't be read")
    return ", ".join(parts) + "."


def _running_app() -> "RunningApp | None":
    from image_search.running_app import RunningApp
    from image_search.settings import settings

    return RunningApp.of(settings)


def _answer_to(parameters: dict[str, Any]) -> "SearchResponse":
    """The answer of the app that runs, or of the index itself."""
    from image_search.hits import SearchResponse
    from image_search.running_app import NotAnswered

    app = _running_app()
    try:
        if app:
            answer = app.ask("/search", parameters)
            return SearchResponse.model_validate_json(answer)
    except NotAnswered as error:
        raise click.ClickException(str(error)) from None
    return _answer_by_itself(parameters)


def _answer_by_itself(parameters: dict[str, Any]) -> "SearchResponse":
    from pydantic import ValidationError

    from image_search import refusals
    from image_search.by_itself import NothingIndexed, search_by_itself
    from image_search.question import Search

    try:
        return search_by_itself(Search.model_validate(parameters))
    except ValidationError as error:
        said = refusals.in_words(error.errors())
    except NothingIndexed:
        said = "Nothing is indexed yet: `image-search index` does it."
    except refusals.OUR_ERRORS as error:
        said = refusals.refusal_of(error).detail
    raise click.ClickException(said)


def _status_of(app: "RunningApp") -> "Status":
    from image_search.running_app import NotAnswered
    from image_search.status_fields import Status

    try:
        return Status.model_validate_json(app.ask("/status"))
    except NotAnswered as error:
        raise click.ClickException(str(error)) from None


def _await(app: "RunningApp") -> "Status":
    """Wait until the app has indexed all."""
    from image_search.by_itself import is_done

    while not is_done(now := _status_of(app)):
        _tell(now)
        time.sleep(PROGRESS_SECONDS)
    return now


def _index_here() -> "Status":
    from image_search.by_itself import index_by_itself
    from image_search.programs import get_model
    from image_search.settings import settings

    get_model(settings.clip_model)
    return asyncio.run(index_by_itself(_tell))


def _tell(now: "Status") -> None:
    """To a person who waits; no line for each second in a log."""
    if sys.stderr.isatty():
        click.echo(f"\r{describe(now)}\033[K", nl=False, err=True)


def _as_text(answer: "SearchResponse") -> Iterator[str]:
    """Those that are called what was asked for, and then those that show it."""
    for hit in answer.named:
        yield f" name  {_printable(hit)}\n"
    for hit in answer.results:
        score = "" if hit.score is None else f"{hit.score:.3f}"
        yield f"{score:>5}  {_printable(hit)}\n"


def _printable(hit: "Hit") -> str:
    """A name that is one line, and moves no cursor."""
    name = hit.filename
    return name if name.isprintable() else repr(name)


def _as_json(answer: "SearchResponse") -> Iterator[str]:
    known = answer.model_dump(mode="json")
    yield json.dumps(known, ensure_ascii=False, indent=2) + "\n"


def _as_csv(answer: "SearchResponse") -> Iterator[str]:
    from image_search.hits_table import COLUMNS, rows
    from image_search.spreadsheet import csv_lines

    return csv_lines(COLUMNS, rows(answer))


def _as_paths(answer: "SearchResponse") -> Iterator[str]:
    from image_search.settings import settings

    prefixes = {one.name: one.where for one in settings.image_dir}
    for hit in answer.results:
        place, _, within = hit.filename.partition("/")
        if "" in prefixes:
            yield f"{prefixes['']}/{hit.filename}\0"
        else:
            yield f"{prefixes[place]}/{within}\0"


_FORMS: dict[str, Callable[["SearchResponse"], Iterator[str]]] = {
    "text": _as_text,
    "json": _as_json,
    "csv": _as_csv,
    "paths0": _as_paths,
}
