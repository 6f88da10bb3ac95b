"""One app with the sample photos, and a browser, for the tests of the page in a process.

Not for those that follow: a browser leaves no other event loop room.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser import chromium
from tests.harness import SCRATCH, App
from tests.page import IN_A_FOLDER, SAMPLES


@pytest.fixture(scope="package")
def app() -> Iterator[App]:
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    app = App(
        folder, tuple(name for name in SAMPLES if name != "temple.jpg"), {}
    )
    app.add("temple.jpg", IN_A_FOLDER)
    app.start()
    app.finds(*(name for name in SAMPLES if name != "temple.jpg"), IN_A_FOLDER)
    yield app
    app.stop()
    app.clear_away()


@pytest.fixture(autouse=True)
def tidy(app: App) -> Iterator[None]:
    """Leave the app as it was, though a test may have failed: the next one has the same."""
    if app.process is None or app.process_ended():
        app.start()
    before = {*app.img.rglob("*")}
    yield
    for left in {*app.img.rglob("*")} - before:
        if left.is_file():
            left.unlink()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def is_broken(answer: Response) -> bool:
    """Whether the page asked for what is not there; some of that is shown, or goes away."""
    shown = (
        "/search",
        "/thumb/",
        "/img/",
        "/photo/",
        "/folders",
        "/archive",
        "/duplicates",
        "pictures.example",
    )
    is_shown = any(part in answer.url for part in shown)
    return answer.status >= 400 and not is_shown


@pytest.fixture
def page(app: App, browser: Browser) -> Iterator[Page]:
    """A fresh page on the app; errors in its console, and what it can't load, fail the test."""
    page = browser.new_page(
        base_url=app.url, viewport={"width": 1280, "height": 800}
    )
    page.set_default_timeout(15_000)
    expect.set_options(timeout=15_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda m: (
            errors.append(m.text)
            if m.type == "error" and "Failed to load resource" not in m.text
            else None
        ),
    )
    page.on(
        "response",
        lambda answer: errors.append(answer.url) if is_broken(answer) else None,
    )
    yield page
    page.unroute_all(behavior="ignoreErrors")  # some answers are under way
    page.close()
    assert errors == []


@pytest.fixture
def phone(app: App, browser: Browser) -> Iterator[Page]:
    """A page on a phone with three pixels of the screen for one of CSS."""
    context = browser.new_context(
        base_url=app.url,
        viewport={"width": 390, "height": 844},
        device_scale_factor=3,
        has_touch=True,
        is_mobile=True,
    )
    page = context.new_page()
    yield page
    context.close()
