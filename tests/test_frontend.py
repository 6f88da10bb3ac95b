"""The page, in a real browser on the real app: what a person sees and does."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import main
from tests.conftest import PHOTOS, ROOT, App, NewApp, eventually, free_port

SAMPLES = tuple(sorted(p.name for p in PHOTOS.iterdir() if p.suffix in main.PHOTO_FORMATS))
SCREENSHOTS = ROOT / ".data" / "screenshots"
CHROMIUM = next(
    path
    for name in ("chromium", "chromium-browser", "google-chrome")
    if (path := shutil.which(name)) is not None
)


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    app = new_app(*SAMPLES).start()
    app.finds(*SAMPLES)
    yield app
    app.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-sync", *quiet]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


@pytest.fixture
def page(app: App, browser: Browser) -> Iterator[Page]:
    """A fresh page on the app; errors in its console fail the test."""
    page = browser.new_page(base_url=app.url, viewport={"width": 1280, "height": 800})
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
    yield page
    page.close()
    assert errors == []


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")


def first_photo(page: Page) -> str | None:
    return page.get_by_role("main").get_by_role("img").first.get_attribute("alt")


def test_type_and_see(page: Page) -> None:
    """Words typed and Enter pressed show the photos, the right one first, with name and score."""
    page.goto("/")
    search(page, "a cup of coffee")
    expect(page.get_by_role("status")).to_have_text(f"{len(SAMPLES)} photos for “a cup of coffee”")
    assert first_photo(page) == "coffee.png"
    card = page.get_by_role("listitem").first
    expect(card).to_contain_text("coffee.png")
    expect(card).to_contain_text(re.compile(r"score 0\.\d{3}"))
    width = card.get_by_role("img").evaluate("async img => (await img.decode(), img.naturalWidth)")
    assert width == 600
    assert card.get_by_role("link").get_attribute("href") == "/img/coffee.png"


def test_the_query_is_in_the_address(page: Page) -> None:
    """A reload, a shared address, Back and Forward show the search they stand for."""
    page.goto(f"/?q={quote('rocket launch')}")
    expect(page.get_by_role("searchbox")).to_have_value("rocket launch")
    expect(page.get_by_role("listitem")).to_have_count(len(SAMPLES))
    assert first_photo(page) == "rocket.jpg"
    search(page, "cat")
    expect(page).to_have_url(re.compile(r"\?q=cat$"))
    expect(page).to_have_title(re.compile("cat"))
    expect(page.get_by_role("status")).to_contain_text("photos for “cat”")
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("cat")
    expect(page.get_by_role("status")).to_contain_text("photos for “cat”")
    assert first_photo(page) == "cat.png"
    page.go_back()
    expect(page.get_by_role("status")).to_contain_text("photos for “rocket launch”")
    expect(page.get_by_role("searchbox")).to_have_value("rocket launch")
    assert first_photo(page) == "rocket.jpg"


def test_an_example_is_a_search(page: Page) -> None:
    """The page without a query invites to one; an example is one click."""
    page.goto("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("button", name="a cup of coffee").click()
    expect(page.get_by_role("status")).to_contain_text("photos for “a cup of coffee”")
    assert first_photo(page) == "coffee.png"


def test_an_added_photo_appears(page: Page, app: App) -> None:
    """A photo that is put into the folder is on the page at the next search."""
    app.add("flower.jpg", "summer/my flower #1.jpg")
    app.finds(*SAMPLES, "summer/my flower #1.jpg")
    page.goto("/?q=flower")
    image = page.get_by_role("img", name="my flower #1.jpg")
    expect(image).to_be_visible()
    assert image.evaluate("async img => (await img.decode(), img.naturalWidth)") == 640
    (app.img / "summer" / "my flower #1.jpg").unlink()
    app.finds(*SAMPLES)


def test_server_gone_and_back(page: Page, app: App) -> None:
    """Without the server the page says so, and "Try again" works once it is back."""
    page.goto("/?q=cat")
    expect(page.get_by_role("listitem")).to_have_count(len(SAMPLES))
    app.stop()
    search(page, "motorcycle")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    app.start()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_contain_text("photos for “motorcycle”")
    assert first_photo(page) == "motorcycle.jpg"


def test_not_ready_then_ready(page: Page) -> None:
    """A 503 shows the server's own reason, and the page goes on by itself once it is over."""
    reason = "The first photos are still being indexed: try again in a moment."
    page.route("**/search?*", lambda route: route.fulfill(status=503, json={"detail": reason}))
    page.goto("/?q=cat")
    expect(page.get_by_role("alert")).to_contain_text(reason)
    page.unroute("**/search?*")
    expect(page.get_by_role("status")).to_contain_text("photos for “cat”")
    assert first_photo(page) == "cat.png"


def test_a_refused_search_says_why(page: Page) -> None:
    """Any other error shows its reason, not an empty page."""
    page.route("**/search?*", lambda route: route.fulfill(status=422, json={"detail": "Too odd"}))
    page.goto("/?q=cat")
    expect(page.get_by_role("alert")).to_contain_text("Too odd")


def test_loading_and_empty(new_app: NewApp, page: Page) -> None:
    """While a search runs there are placeholders; an empty folder is told as what it is."""
    app = new_app().start()
    eventually(lambda: app.get("/health").status_code == 200)
    page.route("**/search?*", lambda _route: None)  # it never comes back
    page.goto(f"{app.url}/?q=cat")
    expect(page.get_by_role("status")).to_have_text("Searching for “cat”…")
    expect(page.locator(".skeleton")).to_be_visible()
    page.unroute("**/search?*")
    page.goto(f"{app.url}/?q=dog")
    expect(page.get_by_text("Put photos into the image folder")).to_be_visible()
    app.add("cat.png", "cat.png")
    expect(page.get_by_role("img", name="cat.png")).to_be_visible()
    app.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_screenshots(
    app: App, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    """The page fits its window, wide and narrow, light and dark; a picture of each is kept."""
    context = browser.new_context(
        base_url=app.url, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto("/?q=a+cup+of+coffee")
    expect(page.get_by_role("status")).to_contain_text("photos for")
    for image in page.get_by_role("main").get_by_role("img").all():
        image.scroll_into_view_if_needed()
        image.evaluate("img => img.decode()")
    page.evaluate("scrollTo(0, 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", dark)[:3])
    assert (brightness < 200) == (scheme == "dark")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"results-{width}-{scheme}.jpg", type="jpeg", quality=85)
    context.close()


def test_the_development_server(app: App) -> None:
    """`npm run dev` serves the page and passes searches and photos on to the app."""
    port = free_port()
    # Where the system has no Node, `make` has put one beside Python.
    path = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    settings = {"PORT": str(app.port), "PATH": path}
    npm = subprocess.Popen(
        ["npm", "run", "dev", "--", "--port", str(port), "--strictPort", "--host", "127.0.0.1"],
        cwd=ROOT / "frontend", env=os.environ | settings, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        page = eventually(lambda: httpx.get(url))
        assert '<div id="app">' in page.text
        found = httpx.get(f"{url}/search", params={"q": "cat"}).json()["results"]
        assert found[0]["filename"] == "cat.png"
        assert httpx.get(f"{url}/img/cat.png").content == Path(PHOTOS / "cat.png").read_bytes()
    finally:
        os.killpg(npm.pid, signal.SIGTERM)
        npm.wait(15)
