"""Words on photos, in the app: they follow the vectors, and nothing is read twice."""

import functools
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness import App, NewApp, eventually
from tests.processes import kill_all, of_each
from tests.texts import RenderedText, render_texts

LOWEST = 19


@pytest.fixture(scope="module")
def texts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[RenderedText]]:
    folder = tmp_path_factory.mktemp("texts")
    return folder, render_texts(folder, seed=7, count=5)


@pytest.fixture(scope="module")
def app(
    new_app: NewApp, texts: tuple[Path, list[RenderedText]]
) -> Iterator[App]:
    """An app that was killed amid its reading, and started again."""
    folder, rendered = texts
    app = new_app("cat.png", "flower.jpg", OCR="on")
    for one in rendered:
        (app.img / one.name).write_bytes((folder / one.name).read_bytes())
    app.start()
    eventually(lambda: words(app)["read"] > 0, within=120)
    app.kill()
    app.start()
    eventually(lambda: has_read_all(app), within=120)
    yield app
    if app.process is not None:
        app.stop()


def words(app: App) -> dict[str, Any]:
    told: dict[str, Any] = app.status()["words"]
    return told


def has_read_all(app: App) -> bool:
    now = app.status()
    told = now["words"]
    return bool(now["state"] == "ready" and told["read"] == told["photos"])


def text_on(app: App, name: str) -> Any:
    """None while it is not in the index, or not read."""
    return app.get(f"/photo/{name}").json().get("text")


def readers(app: App) -> list[psutil.Process]:
    """The processes that read words: there is none before it has to."""
    priorities = of_each(app.children(), lambda one: (one.nice(), one))
    return [one for priority, one in priorities if priority == LOWEST]


def test_words_are_read_though_it_was_killed(
    app: App, texts: tuple[Path, list[RenderedText]]
) -> None:
    """Each photo's record has its lines, and one without any says so."""
    now = words(app)
    assert now["photos"] == 7
    assert now["languages"] is None
    assert now["trouble"] == ""
    for one in texts[1]:
        lines = app.get(f"/photo/{one.name}").json()["text"]
        said = " ".join(line["text"] for line in lines)
        assert one.key.casefold() in said.casefold()
        for line in lines:
            assert len(line["box"]) == 8
            assert all(0 <= number <= 1 for number in line["box"])
            assert 0.7 <= line["confidence"] <= 1
    assert app.get("/photo/cat.png").json()["text"] == []


def test_restarts_moves_and_copies_read_nothing(
    app: App, texts: tuple[Path, list[RenderedText]]
) -> None:
    """Their words are there, and no process that reads was ever started."""
    app.stop(signal.SIGTERM)
    app.start()
    one, other = texts[1][:2]
    content = (app.img / one.name).read_bytes()
    (app.img / "trips").mkdir()
    (app.img / "trips" / one.name).write_bytes(content)
    (app.img / other.name).rename(app.img / "trips" / other.name)
    for photo in (one, other):
        eventually(functools.partial(text_on, app, f"trips/{photo.name}"))
    eventually(lambda: has_read_all(app))
    assert readers(app) == []


def test_what_comes_is_found_by_meaning_first(app: App, tmp_path: Path) -> None:
    """New photos are all in the index before the words of all are read."""
    new = render_texts(tmp_path, seed=8, count=3)
    for one in new:
        (tmp_path / one.name).rename(app.img / f"new-{one.name}")
    names = {f"new-{one.name}" for one in new}
    eventually(lambda: names <= {*app.photos()})
    now = words(app)
    assert now["read"] < now["photos"]
    eventually(lambda: has_read_all(app), within=120)


def test_a_reader_that_is_killed_is_replaced(app: App, tmp_path: Path) -> None:
    """Nobody misses it: searches go on, and so does the reading."""
    kill_all(readers(app))
    [one] = render_texts(tmp_path, seed=9, count=1)
    (tmp_path / one.name).rename(app.img / f"last-{one.name}")
    eventually(lambda: text_on(app, f"last-{one.name}"), within=120)
    assert words(app)["trouble"] == ""


def test_it_ends_at_once_amid_a_photo(app: App, tmp_path: Path) -> None:
    """As ever: within 3 seconds, and no process is left."""
    before = words(app)["read"]
    for one in render_texts(tmp_path, seed=10, count=5):
        (tmp_path / one.name).rename(app.img / f"more-{one.name}")
    eventually(lambda: words(app)["read"] > before)
    app.stop(within=4)
    eventually(lambda: not app.processes(), within=15)
