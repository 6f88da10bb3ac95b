"""One box finds what is seen, named and written, whoever asks, in both stores."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import assistant
from tests.browser import chromium
from tests.harness import ROOT, App, NewApp, eventually, names
from tests.page import first_photo, search
from tests.texts import write_sign

SEEN = ("cat.png", "coffee.png", "temple.jpg")
# By the names of their files, in no order that they are asked for in.
WRITTEN = {
    "a.png": ("INVOICE 4712", "Coffee and cake"),
    "b.png": ("INVOICE 4711", "Total 20.00"),
    "c.png": ("EXIT", "Staff and visitors only"),
    "d.png": ("EXIT ONLY",),
    "e.png": ("A CUP OF TEA",),
    "f.png": ("COFFEE",),
}
NAMED = {"IMG_4005.jpg", "IMG_4006.jpg", "2024/summer/x.jpg", "2024/y.jpg"}
QUESTIONS = [
    ("invoice 4711", "b.png", "text"),
    ('"exit only"', "d.png", "text"),
    ("IMG_4006", "IMG_4006.jpg", "name"),
    ("2024/summer", "2024/summer/x.jpg", "name"),
    ("a cup of coffee", "coffee.png", "meaning"),
]


@pytest.fixture(scope="module", params=["embedded", "server"])
def app(
    request: pytest.FixtureRequest,
    new_app: NewApp,
    shared_qdrant_settings: dict[str, str],
) -> Iterator[App]:
    is_server = request.param == "server"
    servers = shared_qdrant_settings if is_server else {}
    app = new_app(*SEEN, OCR="on", **servers)
    for name, lines in WRITTEN.items():
        write_sign(app.img / name, *lines)
    for name in NAMED:
        app.add("flower.jpg", name, alike=False)
    app.start()
    eventually(lambda: has_read_all(app), within=120)
    yield app
    app.stop()


def has_read_all(app: App) -> bool:
    told = app.status()["words"]
    photos = len(SEEN) + len(WRITTEN) + len(NAMED)
    return bool(told["read"] == told["photos"] == photos)


@pytest.mark.parametrize(("q", "name", "why"), QUESTIONS)
def test_by_curl(app: App, q: str, name: str, why: str) -> None:
    """The right one is first, and says why."""
    first = app.search(q)[0]
    assert (first["filename"], first["why"][0]) == (name, why)


def test_by_the_command(app: App) -> None:
    """It asks the app that runs."""
    for q, name, _ in QUESTIONS:
        assert names(asked_by_command(app, q))[0] == name
    written = asked_by_command(app, "tea", "--in", "text")
    assert names(written) == ["e.png"]


def asked_by_command(app: App, q: str, *options: str) -> Any:
    words = "search", q, "--json", *options
    done = subprocess.run(
        [sys.executable, "-m", "image_search", *words], cwd=ROOT, env=app.env,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["results"]


def test_by_an_assistant(app: App) -> None:
    """The same photos come by MCP."""
    for q, name, _ in QUESTIONS:
        result = assistant.call(
            f"{app.url}/mcp", "search_photos", query=q, pictures=0
        )
        [part] = result.content
        found = json.loads(getattr(part, "text", ""))["photos"]
        assert found[0]["filename"] == name


def test_on_the_page(app: App) -> None:
    """And there a person sees them."""
    with chromium() as browser:
        page = browser.new_page(base_url=app.url)
        for q, name, _ in QUESTIONS:
            page.goto("/")
            search(page, q)
            shown = Path(name).name
            eventually(lambda shown=shown: first_photo(page) == shown)  # type: ignore[misc]


def test_a_file_that_leaves_takes_its_words_along(app: App) -> None:
    """What was written on it is found no more."""
    Path(app.img / "e.png").unlink()
    eventually(lambda: app.search("tea", limit=1)[0]["filename"] != "e.png")
    answer = app.get("/search", **{"q": "tea", "in": "text"})
    assert answer.json()["results"] == []
