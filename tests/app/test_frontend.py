"""The page, in a real browser on the real app: what a person sees and does."""

import base64
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    JSHandle,
    Locator,
    Page,
    Response,
    Route,
    expect,
)

from tests.browser import IN_SIGHT_IS_LOADED, chromium, visit
from tests.harness import PHOTOS, ROOT, App, NewApp, eventually

SAMPLES = tuple(sorted(p.name for p in PHOTOS.iterdir() if p.suffix != ".md"))
# Where the temple lies; all others are at the top.
IN_A_FOLDER = "trips/athens/temple.jpg"
SCREENSHOTS = ROOT / ".data" / "screenshots"
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SCHEMES: dict[Literal["light", "dark"], list[str]] = {
    "light": WCAG_AA,
    "dark": ["color-contrast"],
}
STATUS: dict[str, Any] = {
    "state": "ready", "model": "a model", "photos": 1000, "indexed": 1000, "waiting": 0,
    "skipped": 0, "skipped_photos": [], "damaged": 0, "damaged_photos": [], "not_read": {},
    "raw_beside": 0, "seconds_to_go": None, "last_change": None,
    "notices": [], "last_error": None,
}  # fmt: skip
INDEXING: dict[str, Any] = STATUS | {
    "state": "indexing",
    "indexed": 312,
    "waiting": 685,
    "seconds_to_go": 240,
}
LEFT_OUT: dict[str, Any] = {
    "skipped": 1,
    "skipped_photos": [{"filename": "a/b.jpg", "reason": "it is cut off"}],
}


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    app = new_app(*(name for name in SAMPLES if name != "temple.jpg"))
    app.add("temple.jpg", IN_A_FOLDER)
    app.start()
    app.finds(*(name for name in SAMPLES if name != "temple.jpg"), IN_A_FOLDER)
    yield app
    app.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def is_broken(answer: Response) -> bool:
    """Whether the page asked for what is not there; searches are refused, and photos go away."""
    is_shown = "/search" in answer.url or "/thumb/" in answer.url
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
    page.close()
    assert errors == []


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")


def photos(page: Page) -> Locator:
    return page.get_by_role("list", name="Photos", exact=True).get_by_role(
        "listitem"
    )


def chips(page: Page) -> Locator:
    return page.get_by_role("list", name="Search terms").get_by_role("listitem")


def first_photo(page: Page) -> str | None:
    return photos(page).first.get_by_role("img").get_attribute("alt")


def expect_results(page: Page, phrase: str, first: str | None = None) -> None:
    """Wait for the photos of a search, the first of which may be named."""
    expect(page.get_by_role("status")).to_have_text(
        re.compile(rf"^(The first )?[\d,]+ photos? {re.escape(phrase)}$")
    )
    if first:
        assert first_photo(page) == first


def set_status(page: Page, status: dict[str, Any]) -> None:
    """Have the server's events say this, from the next page load on, or else at once."""
    page.add_init_script(
        f"""window.EventSource = class {{
            constructor() {{
                window.pushStatus = (status) => this.onmessage({{ data: JSON.stringify(status) }});
                setTimeout(() => pushStatus({json.dumps(status)}));
            }}
            close() {{}}
        }}"""
    )


def have_many(page: Page, total: int, good: int = 1000) -> None:
    """Have the server hold many photos of one shape, made up; the first is photo-0.jpg.

    The good ones, if it is to cut, are the first; in the order of time they are the last.
    """

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        start, limit = (
            int(asked.get("offset", ["0"])[0]),
            int(asked["limit"][0]),
        )
        shape = {
            "score": None,
            "width": 300,
            "height": 200,
            "taken": "2024-05-01T12:00:00",
            "version": "0123456789abcdef",
        }
        every = [
            {"filename": f"photo-{number}.jpg", **shape}
            for number in range(total)
        ]
        best = (
            every[-good:] if asked.get("sort") == ["newest"] else every[:good]
        )
        kept = best if "cutoff" in asked else every
        found = kept[start : start + limit]
        route.fulfill(
            json={"results": found, "more": start + len(found) < total}
        )

    thumb = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(thumb, "JPEG")
    page.route("**/search?*", answer)
    page.route(
        "**/thumb/*",
        lambda route: route.fulfill(
            body=thumb.getvalue(), content_type="image/jpeg"
        ),
    )


def answering(status: int, body: dict[str, Any]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json=body)


def cut_after(page: Page, count: int) -> None:
    """Have the server leave out what follows, as far as it was asked to."""

    def answer(route: Route) -> None:
        whole = re.sub(r"&cutoff=[\d.]+", "", route.request.url)
        response = route.fetch(url=whole)
        body = response.json()
        if whole != route.request.url:
            body = {"results": body["results"][:count], "more": True}
        route.fulfill(response=response, json=body)

    page.route("**/search?*", answer)


def held(page: Page, photo: Path) -> JSHandle:
    """What the browser holds while this photo is dragged over the page, or pasted into it."""
    return page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [base64.b64encode(photo.read_bytes()).decode(), photo.name],
    )


def against_wcag(page: Page) -> list[str]:
    """What axe-core finds against WCAG AA in light, and in the dark's colours: rule and place."""
    found = []
    for scheme, rules in SCHEMES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(
            # One that is broken off, as its element goes, is over as well.
            "Promise.allSettled(document.getAnimations().map(({ finished }) => finished))"
        )
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text())
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        answer = page.evaluate(
            "(options) => axe.run(document, options)", options
        )
        for rule in answer["violations"]:
            found += [
                f"{scheme} {rule['id']}: {node['html']}"
                for node in rule["nodes"]
            ]
    return found


# --- Searching and refining ---------------------------------------------------


def test_type_and_see(page: Page) -> None:
    """Words typed and Enter pressed show the right photo first, as a thumbnail that is sharp."""
    page.goto("/")
    search(page, "a cup of coffee")
    expect_results(page, "for “a cup of coffee”", "coffee.png")
    card = photos(page).first
    expect(card).to_contain_text("coffee.png")
    expect(card).to_contain_text(re.compile(r"0\.\d\d"))
    source, has, needs = card.get_by_role("img").evaluate(
        """async (img) => {
            await img.decode();
            const file = new Image();
            file.src = img.currentSrc;
            await file.decode();
            return [img.currentSrc, file.naturalWidth, img.width];
        }"""
    )
    assert "/thumb/coffee.png?size=" in source
    assert has >= needs  # it is sharp


def test_the_newest_photos_come_first(page: Page) -> None:
    """Without a query the page shows the folder's photos, an invitation, and no jumps."""
    page.goto("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Newest photos")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page.get_by_text("Say in plain words")).to_be_visible()
    shift = page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) =>
            done(list.getEntries().reduce((sum, { value }) => sum + value, 0))
        ).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 500))"""
    )
    assert shift < 0.01


def test_an_example_is_a_search(page: Page) -> None:
    """An example is one click, and teaches the minus."""
    page.goto("/")
    page.get_by_role("button", name="a cup of coffee").click()
    expect_results(page, "for “a cup of coffee”", "coffee.png")
    page.get_by_role("link", name="Image Search").click()
    page.get_by_role("button", name="animal -cat").click()
    expect_results(page, "for “animal”, without “cat”")
    expect(page.get_by_role("searchbox")).to_have_value("animal")


def test_the_query_is_in_the_address(page: Page) -> None:
    """A reload, a shared address, Back and Forward show the search they stand for."""
    page.goto(f"/?q={quote('rocket launch')}")
    expect(page.get_by_role("searchbox")).to_have_value("rocket launch")
    expect_results(page, "for “rocket launch”", "rocket.jpg")
    search(page, "cat")
    expect(page).to_have_url(re.compile(r"\?q=cat$"))
    expect(page).to_have_title(re.compile("cat"))
    expect_results(page, "for “cat”")
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("cat")
    expect_results(page, "for “cat”", "cat.png")
    page.go_back()
    expect_results(page, "for “rocket launch”", "rocket.jpg")
    expect(page.get_by_role("searchbox")).to_have_value("rocket launch")
    page.go_forward()
    expect_results(page, "for “cat”", "cat.png")


def test_a_minus_leaves_out(page: Page) -> None:
    """A minus in the box becomes a term to do without, which goes away at a click."""
    page.goto("/")
    search(page, 'an animal -cat -"green leaves"')
    expect_results(page, "for “an animal”, without “cat”, “green leaves”")
    expect(page.get_by_role("searchbox")).to_have_value("an animal")
    assert parse_qs(urlsplit(page.url).query)["minus"] == [
        "cat",
        "green leaves",
    ]
    assert first_photo(page) != "cat.png"
    page.get_by_role("button", name="Remove green leaves").click()
    expect_results(page, "for “an animal”, without “cat”")
    page.get_by_role("button", name="Remove cat").click()
    expect_results(page, "for “an animal”")


def test_exclude_is_a_minus_for_everyone(page: Page) -> None:
    """The Exclude button takes a term to do without from those who know no minus sign."""
    page.goto("/?q=an+animal")
    page.get_by_role("button", name="Exclude…").click()
    page.keyboard.type("cat")
    page.keyboard.press("Enter")
    expect_results(page, "for “an animal”, without “cat”")
    expect(chips(page)).to_have_text(["an animal", "without cat"])
    exclude = page.get_by_role("button", name="Exclude…")
    expect(exclude).to_be_focused()
    exclude.click()
    page.keyboard.press("Escape")
    expect(exclude).to_be_focused()


def test_the_keyboard_removes_terms(page: Page) -> None:
    """With a term that the keyboard removes the focus goes to the next one, at last to the box."""
    page.goto("/?q=an+animal&minus=cat&minus=dog")
    page.get_by_role("button", name="Remove cat").press("Enter")
    expect(page.get_by_role("button", name="Remove dog")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_more_like_this(page: Page) -> None:
    """From a photo it is one click to its like, without itself, and words refine that."""
    page.goto("/?q=cat")
    photos(page).first.hover()
    page.get_by_role("button", name="More like cat.png").click()
    expect_results(page, "like cat.png")
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.get_by_role("img", name="cat.png")).to_have_count(0)
    expect(chips(page)).to_have_text(["Like cat.png"])
    picture = chips(page).locator("img")
    assert picture.evaluate(
        "async (img) => (await img.decode(), img.naturalWidth > 0)"
    )
    search(page, "flower")
    expect_results(page, "for “flower”, like cat.png")
    page.get_by_role("button", name="Remove Like cat.png").click()
    expect_results(page, "for “flower”", "flower.jpg")


def test_filters(page: Page) -> None:
    """A folder and a time narrow the photos down, show that they do, and can be cleared."""
    page.goto("/")
    page.get_by_role("button", name="Filters", exact=True).click()
    page.get_by_label("Folder").fill("trips")
    page.get_by_role("button", name="Apply").click()
    expect(photos(page)).to_have_count(1)
    assert first_photo(page) == "temple.jpg"
    expect(page).to_have_url(re.compile(r"\?folder=trips$"))
    page.get_by_role("button", name="Filters 1 active").click()
    page.get_by_label("Taken before").fill("1999-12-31")
    page.get_by_label("Taken from").fill("1999-01-01")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Nothing found with these filters")).to_be_visible()
    expect(chips(page)).to_have_text(
        ["trips", "From 1 January 1999", "Before 31 December 1999"]
    )
    page.reload()
    page.get_by_role("button", name="Filters 3 active").click()
    expect(page.get_by_label("Taken before")).to_have_value("1999-12-31")
    expect(page.get_by_label("Taken from")).to_have_value("1999-01-01")
    page.get_by_label("Folder").fill("elsewhere")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters 3 active").click()
    # What was not applied is gone.
    expect(page.get_by_label("Folder")).to_have_value("trips")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear the filters").click()
    expect(photos(page)).to_have_count(len(SAMPLES))


def test_sort(page: Page) -> None:
    """The photos of a search can be put in the order of their time."""
    page.goto("/?q=cat")
    with page.expect_request(lambda request: "sort=newest" in request.url):
        page.get_by_role("button", name="Newest").click()
    expect(page).to_have_url(re.compile("sort=newest"))
    expect(page.get_by_role("button", name="Newest")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_show_the_rest(page: Page) -> None:
    """What fits less well is left out until it is wanted, and then follows what is shown."""
    cut_after(page, 2)
    page.goto("/?q=cat")
    expect_results(page, "for “cat”", "cat.png")
    expect(photos(page)).to_have_count(2)
    page.get_by_role("button", name="Show the rest").click()
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page).to_have_url(re.compile("rest=1"))
    page.reload()
    expect(photos(page)).to_have_count(len(SAMPLES))
    page.go_back()
    expect(photos(page)).to_have_count(2)


def test_the_rest_in_the_order_of_time(page: Page) -> None:
    """In the order of time the rest lies between what is shown; none is lost on the way."""
    have_many(page, 120, good=30)
    page.goto("/?q=cat&sort=newest")
    expect(photos(page)).to_have_count(30)
    page.get_by_role("button", name="Show the rest").click()
    expect(photos(page)).to_have_count(100)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(photos(page)).to_have_count(120)
    shown = photos(page).evaluate_all(
        "all => all.map((photo) => photo.dataset.photo)"
    )
    assert shown == [f"photo-{number}.jpg" for number in range(120)]


def test_the_cut_may_fall_between_two_pages(page: Page) -> None:
    """Where all that was loaded is good, and none of what follows, the rest is offered too."""
    have_many(page, 120, good=100)
    page.goto("/?q=cat")
    expect(photos(page)).to_have_count(100)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("button", name="Show the rest").click()
    expect(photos(page)).to_have_count(120)
    assert page.evaluate("scrollY") > 1000


def test_the_cut_leaves_no_page_empty(page: Page) -> None:
    """Where the cut would leave nothing at all, everything is shown."""
    cut_after(page, 0)
    page.goto("/?q=cat")
    expect(photos(page)).to_have_count(len(SAMPLES))


# --- A photo of one's own -----------------------------------------------------


def test_pick_a_photo(page: Page) -> None:
    """A photo that is picked finds its like; reload and Back bring it again, on this device."""
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search with a photo").click()
    chooser.value.set_files(PHOTOS / "rocket.jpg")
    expect_results(page, "like your photo", "rocket.jpg")
    expect(chips(page)).to_have_text(["Your photo"])
    picture = chips(page).locator("img")
    assert picture.evaluate(
        "async (img) => (await img.decode(), img.naturalWidth > 0)"
    )
    expect(page).to_have_url(re.compile(r"\?image=\w+$"))
    page.reload()
    expect_results(page, "like your photo", "rocket.jpg")
    search(page, "a flower")
    expect_results(page, "for “a flower”, like your photo")
    page.go_back()
    expect_results(page, "like your photo", "rocket.jpg")


def test_drop_a_photo(page: Page) -> None:
    """A photo may be dropped anywhere; while it is held over the page, the page says so."""
    page.goto("/?q=cat")
    expect_results(page, "for “cat”")
    transfer = held(page, PHOTOS / "motorcycle.jpg")
    page.dispatch_event("footer", "dragover", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the photo")).to_be_visible()
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the photo")).to_be_hidden()
    expect_results(page, "like your photo", "motorcycle.jpg")


def test_a_photo_from_a_phone(page: Page, tmp_path: Path) -> None:
    """A HEIC file, which few browsers can show, finds its siblings like any other photo."""
    phone = tmp_path / "IMG_0001.HEIC"
    pillow_heif.from_pillow(Image.open(PHOTOS / "cat.png").convert("RGB")).save(
        phone
    )
    page.goto("/")
    page.dispatch_event("body", "drop", {"dataTransfer": held(page, phone)})
    expect_results(page, "like your photo", "cat.png")
    expect(chips(page)).to_have_text(["Your photo"])
    # There is a sign in its place, nothing broken.
    expect(chips(page).locator("img")).to_have_count(0)


def test_paste_a_photo(page: Page) -> None:
    """A photo in the clipboard is pasted, whatever has the focus."""
    page.goto("/")
    page.evaluate(
        "clipboardData => document.activeElement.dispatchEvent("
        "new ClipboardEvent('paste', { clipboardData, bubbles: true }))",
        held(page, PHOTOS / "flower.jpg"),
    )
    expect_results(page, "like your photo", "flower.jpg")


def test_an_unreadable_photo_says_why(page: Page) -> None:
    """A file that is no photo shows the server's reason, and a way on."""
    page.goto("/")
    page.dispatch_event(
        "body", "drop", {"dataTransfer": held(page, PHOTOS / "README.md")}
    )
    expect(page.get_by_role("alert")).to_contain_text(
        "This photo cannot be used"
    )
    expect(page.get_by_role("alert").locator("p")).not_to_be_empty()
    page.get_by_role("button", name="Search without it").click()
    expect(page.get_by_role("status")).to_have_text("Newest photos")


def test_a_photo_that_is_elsewhere(page: Page) -> None:
    """An address with a photo that another device holds says so honestly."""
    page.goto("/?image=1abc")
    expect(page.get_by_role("alert")).to_contain_text("not on this device")
    page.get_by_role("button", name="Search without it").click()
    expect(photos(page)).to_have_count(len(SAMPLES))


# --- The grid and the lightbox ------------------------------------------------


def test_the_lightbox(page: Page) -> None:
    """A click opens a photo with all about it; arrows turn; Escape returns to the card."""
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    names = [
        image.get_attribute("alt")
        for image in photos(page).get_by_role("img").all()
    ]
    photos(page).nth(1).get_by_role("link").click()
    dialog = page.get_by_role("dialog", name=names[1])
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("img")).to_have_attribute(
        "src", re.compile(r"size=1024&v=[0-9a-f]{16}$")
    )
    expect(dialog).to_contain_text(re.compile(r"Size[\d,]{3,} \S [\d,]{3,}"))
    expect(dialog).to_contain_text(
        re.compile(r"(Taken|Modified)\d{1,2} [A-Z][a-z]+ 20\d\d")
    )
    expect(page).to_have_url(re.compile(r"\?photo="))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name=names[2])).to_be_visible()
    page.get_by_role("button", name="Previous photo").click()
    page.get_by_role("button", name="Previous photo").click()
    expect(page.get_by_role("dialog", name=names[0])).to_be_visible()
    expect(page.get_by_role("button", name="Previous photo")).to_be_hidden()
    page.reload()
    reopened = page.get_by_role("dialog", name=names[0])
    expect(reopened).to_contain_text("Size")  # the cards are there by then
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/$"))
    expect(photos(page).first.get_by_role("link")).to_be_focused()


def have_told(page: Page, **told: Any) -> None:
    """Have the server tell this of each photo."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        body["results"] = [hit | told for hit in body["results"]]
        route.fulfill(response=response, json=body)

    page.route("**/search?*", answer)


def test_the_lightbox_tells_what_the_header_does(page: Page) -> None:
    """Whose the date is, the camera and its settings, the place, and words."""
    details = {
        "camera": "Canon EOS 5D",
        "lens": "EF50mm f/1.8",
        "exposure": 0.004,
        "aperture": 2.8,
        "iso": 200,
        "focal_length": 50,
        "place": {"lat": 41.9, "lon": -12.5},
        "altitude": 0,
        "rating": 4,
        "title": "A <b>title</b>",
        "description": "What is seen. " * 200,
        "keywords": ["cat", "Rome"],
    }
    have_told(page, taken_from="exif", details=details)
    page.goto("/?q=cat&rest=1&photo=cat.png")
    dialog = page.get_by_role("dialog", name="cat.png")
    for fact in (
        "TitleA <b>title</b>",
        "LensEF50mm f/1.8",
        "Exposure1/250 s, f/2.8, ISO 200, 50 mm",
        "Altitude0 m",
        "Rating4 of 5",
        "Keywordscat, Rome",
    ):
        expect(dialog).to_contain_text(fact)
    expect(dialog).to_contain_text(re.compile(r"Taken\d"))
    place = dialog.get_by_role("link", name="41.9000, -12.5000")
    expect(place).to_have_attribute(
        "href", re.compile(r"^https://www\.openstreetmap\.org/.*41\.9/-12\.5$")
    )
    picture = dialog.get_by_role("img").bounding_box()
    assert picture
    assert picture["height"] > 200  # however much there is to read
    assert against_wcag(page) == []


def test_a_file_time_is_no_shot(page: Page) -> None:
    """A date that is only the file's is called what it is; nothing told is nothing shown."""
    have_told(page, taken_from="file", details={})
    page.goto("/?q=cat&rest=1&photo=cat.png")
    dialog = page.get_by_role("dialog", name="cat.png")
    expect(dialog).to_contain_text(re.compile(r"Modified\d"))
    for name in ("Taken", "Camera", "Exposure", "Place", "Keywords"):
        expect(dialog).not_to_contain_text(name)


def test_a_camera_is_a_search(page: Page) -> None:
    """A click on an open photo's camera shows what was taken with it, until it is removed."""
    page.goto("/?q=cat&rest=1&photo=cat.png")
    dialog = page.get_by_role("dialog", name="cat.png")
    dialog.get_by_role("link", name="PENTAX K100D Super").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?camera=PENTAX\+K100D\+Super$"))
    expect(photos(page)).to_have_count(1)
    assert first_photo(page) == "cat.png"
    expect(chips(page)).to_have_text(["PENTAX K100D Super"])
    page.reload()
    expect(photos(page)).to_have_count(1)
    page.get_by_role("button", name="Remove PENTAX K100D Super").click()
    expect(photos(page)).to_have_count(len(SAMPLES))
    page.goto("/?near=41.9,12.5,10")
    expect(chips(page)).to_have_text(["Near 41.9, 12.5 (10 km)"])
    expect(page.get_by_text("Nothing found with these filters")).to_be_visible()


def test_a_shared_photo_is_loaded_once(page: Page) -> None:
    """A photo opened by a link is shown before its version is known, and stays then."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/?q=cat&rest=1&photo=coffee.png")
    dialog = page.get_by_role("dialog", name="coffee.png")
    expect(dialog).to_contain_text("Score")  # its version is known by then
    picture = dialog.get_by_role("img")
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("(img) => img.naturalWidth") == 600
    large = [url for url in asked if "/thumb/coffee.png?size=1024" in url]
    assert [url.partition("size=1024")[2] for url in large] == [""]


def test_a_photo_that_is_gone(page: Page) -> None:
    """An address with a photo that is no more says so, and offers nothing to do with it."""
    page.goto("/?q=cat&photo=2024%2Fgone.png")
    dialog = page.get_by_role("dialog", name="gone.png")
    expect(dialog.get_by_role("alert")).to_contain_text("moved or deleted")
    expect(dialog.get_by_role("img")).to_have_count(0)
    expect(dialog.get_by_text("Download")).to_have_count(0)
    assert not against_wcag(page)
    page.keyboard.press("Escape")
    expect_results(page, "for “cat”", "cat.png")


def test_back_closes_the_lightbox(page: Page) -> None:
    """Back closes an open photo, however many were turned, and Forward opens it again."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()
    expect(
        page.get_by_role("dialog").get_by_text(re.compile(r"^-?0\.\d{3}$"))
    ).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?q=cat&rest=1$"))
    page.go_forward()
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()


def test_from_the_lightbox_on(page: Page) -> None:
    """The open photo can be downloaded as it is, and leads to its like; Back opens it again."""
    page.goto("/?q=temple")
    photos(page).first.get_by_role("link").click()
    dialog = page.get_by_role("dialog", name="temple.jpg")
    expect(dialog).to_contain_text("trips/athens")
    link = dialog.get_by_role("link", name="Download")
    expect(link).to_have_attribute("href", re.compile(r"\?v=[0-9a-f]{16}$"))
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "temple.jpg"
    assert (
        download.value.path().read_bytes()
        == (PHOTOS / "temple.jpg").read_bytes()
    )
    dialog.get_by_role("button", name="More like this").click()
    expect_results(page, "like temple.jpg")
    expect(dialog).to_be_hidden()
    page.go_back()
    expect(dialog).to_be_visible()


def test_a_swipe_turns(page: Page) -> None:
    """A finger drawn to the left shows the next photo."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()
    page.get_by_role("dialog").get_by_role("img").evaluate(
        """(target) => {
            const at = (clientX) => [new Touch({ identifier: 1, target, clientX, clientY: 300 })];
            const fire = (type, touches) => target.dispatchEvent(
                new TouchEvent(type, { ...touches, bubbles: true }));
            fire("touchstart", { touches: at(700) });
            fire("touchend", { changedTouches: at(500) });
        }"""
    )
    expect(page.get_by_role("dialog", name="cat.png")).to_be_hidden()
    expect(page.get_by_role("button", name="Previous photo")).to_be_visible()


def test_the_keyboard_does_it_all(page: Page) -> None:
    """Slash goes to the box, arrows go over rows and columns, Enter opens, Escape leaves."""
    have_many(page, 30)
    page.goto("/")
    expect(photos(page)).to_have_count(30)
    page.keyboard.press("ArrowDown")
    link = photos(page).get_by_role("link")
    expect(link.nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(link.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    column = page.evaluate("document.activeElement.getBoundingClientRect().x")
    box = photos(page).nth(1).bounding_box()
    assert box
    assert abs(column - box["x"]) < 1
    expect(link.nth(1)).not_to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(link.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(link.nth(29)).to_be_in_viewport()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="photo-0.jpg")).to_be_visible()
    page.keyboard.press("Escape")
    expect(link.nth(0)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    # There is one stop for all the photos.
    expect(photos(page).locator(":focus")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_scrolling_brings_more(page: Page) -> None:
    """All the photos come as one scrolls, each once, in rows that fill the window."""
    have_many(page, 250)
    page.goto("/")
    expect(photos(page)).to_have_count(100)
    for count in (200, 250):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(photos(page)).to_have_count(count)
    expect(page.get_by_text("Loading more")).to_have_count(0)
    links = (
        photos(page)
        .get_by_role("link")
        .evaluate_all("all => all.map(a => a.href)")
    )
    assert len(set(links)) == 250
    edges = photos(page).evaluate_all(
        "all => all.map(li => li.getBoundingClientRect().right)"
    )
    width = page.evaluate("document.documentElement.clientWidth")
    assert width - max(edges) < 50
    # As many rows end there.
    assert sum(max(edges) - edge < 1 for edge in edges) >= 250 // 6


def test_more_that_does_not_come(page: Page) -> None:
    """Photos shown stay where the next ones can't be loaded, and these can be asked for again."""
    have_many(page, 120)
    page.route("**/search?*offset=*", lambda route: route.abort())
    page.goto("/")
    expect(photos(page)).to_have_count(100)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(photos(page)).to_have_count(100)
    page.unroute("**/search?*offset=*")
    page.get_by_role("button", name="Try again").click()
    expect(photos(page)).to_have_count(120)


def test_back_to_where_one_was(page: Page) -> None:
    """Back and a reload lead to the place on the page where it was left."""
    have_many(page, 250)
    page.goto("/")
    expect(photos(page)).to_have_count(100)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(photos(page)).to_have_count(200)
    page.evaluate("scrollTo(0, document.body.scrollHeight - 2000)")
    place = page.evaluate("scrollY")
    assert place > 3000
    search(page, "cat")
    expect(page.get_by_role("status")).to_contain_text("for “cat”")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    eventually(
        lambda: page.evaluate("[scrollY, history.state.y]") == [place, place]
    )
    page.reload()
    eventually(lambda: page.evaluate("scrollY") == place)
    assert photos(page).count() >= 200


# --- The index and the server -------------------------------------------------


def test_the_status_line(page: Page) -> None:
    """One line says how many photos there are, and by which model they are found."""
    page.goto("/")
    expect(page.get_by_role("contentinfo")).to_contain_text(
        f"{len(SAMPLES)} photos · starter"
    )
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_progress_and_what_is_left_out(page: Page) -> None:
    """While photos are being indexed a bar says how far; what was left out is told, and why."""
    set_status(page, INDEXING | LEFT_OUT)
    page.goto("/")
    footer = page.get_by_role("contentinfo")
    expect(footer).to_contain_text(
        "312 of 1,000 photos indexed, about 4 min to go"
    )
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 312)
    page.evaluate("(status) => pushStatus(status)", STATUS | LEFT_OUT)
    expect(footer).to_contain_text("1,000 photos · a model")
    page.get_by_role("button", name="1 left out").click()
    expect(page.get_by_role("list", name="Photos left out")).to_have_text(
        "a/b.jpgit is cut off"
    )
    page.get_by_role("button", name="Try them again").click()
    expect(page.get_by_text("They will be looked at again.")).to_be_visible()
    notice = "2024/usb is not there: its 812 photos are kept in the index."
    page.evaluate(
        "(status) => pushStatus(status)",
        STATUS | {"last_error": "The disk is full.", "notices": [notice]},
    )
    expect(footer).to_contain_text("The disk is full.")
    expect(footer).to_contain_text(notice)
    besides = {
        "skipped": 1502,
        "not_read": {".psd": 9, ".svg": 3},
        "raw_beside": 1,
        "damaged": 2,
        "damaged_photos": ["a.jpg", "b/c.png"],
    }
    page.evaluate("(status) => pushStatus(status)", STATUS | LEFT_OUT | besides)
    page.get_by_role("button", name="1,514 left out, 2 damaged").click()
    dialog = page.get_by_role("dialog", name="Photos left out")
    for sentence in (
        "12 files of kinds that are not read: 9 .psd, 3 .svg.",
        "1 RAW file beside a JPEG or HEIC, which is shown.",
        "2 photos are damaged, and shown as far as they can be read: a.jpg, b/c.png",
    ):
        expect(dialog.get_by_text(sentence)).to_be_visible()
    rest = dialog.get_by_role("link", name="and 1,501 photos more")
    expect(rest).to_have_attribute("href", "/status/skipped?format=csv")


def test_an_added_photo_appears(page: Page, app: App) -> None:
    """A photo that is put into the folder comes by itself to whoever is at the top."""
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    app.add("flower.jpg", "summer/my flower #1.jpg")
    image = page.get_by_role("img", name="my flower #1.jpg")
    expect(image).to_be_visible()
    loaded = "(img) => img.complete && img.naturalWidth > 0"
    eventually(lambda: image.evaluate(loaded))
    search(page, "flower")
    expect_results(page, "for “flower”")
    expect(image).to_be_visible()
    (app.img / "summer" / "my flower #1.jpg").unlink()
    expect(image).to_have_count(0)


def test_a_changed_photo_is_shown_at_once(page: Page, app: App) -> None:
    """A photo that is replaced on the disk shows its new thumbnail, at a new address.

    The page waits as long as it takes to index the photo, some seconds for a large one.
    """
    image = page.get_by_role("img", name="changing.png")
    version = re.compile(r"&v=[0-9a-f]{16}$")

    def shown_ratio() -> float:
        ratio: float = image.evaluate(
            "(img) => img.complete && img.naturalWidth / img.naturalHeight"
        )
        return round(ratio, 1)

    app.add("coffee.png", "changing.png")
    eventually(lambda: "changing.png" in app.photos())
    page.goto("/")
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    expect(image).to_have_attribute("src", version)
    eventually(lambda: shown_ratio() == 1.5)
    before = image.get_attribute("src")
    assert before
    large = app.img.with_name("large.png")
    Image.new("RGB", (9000, 9000), "teal").save(large)
    large.replace(app.img / "changing.png")  # whole at once
    expect(image).not_to_have_attribute("src", before)
    expect(image).to_have_attribute("src", version)
    eventually(lambda: shown_ratio() == 1)
    (app.img / "changing.png").unlink()
    expect(image).to_have_count(0)


def test_new_photos_wait_for_whoever_reads_on(page: Page) -> None:
    """Further down nothing moves when photos are added: they are offered."""
    have_many(page, 90)
    set_status(page, STATUS)
    page.goto("/")
    expect(photos(page)).to_have_count(90)
    expect(page.get_by_role("contentinfo")).to_contain_text("1,000 photos")
    page.evaluate("scrollTo(0, 900)")
    page.unroute("**/search?*")
    have_many(page, 95)
    page.evaluate("(status) => pushStatus(status)", STATUS | {"indexed": 1005})
    offer = page.get_by_role("button", name="Show new photos")
    expect(offer).to_be_visible()
    assert page.evaluate("scrollY") == 900
    expect(photos(page)).to_have_count(90)
    offer.click()
    expect(photos(page)).to_have_count(95)
    expect(offer).to_be_hidden()


def test_server_gone_and_back(page: Page, app: App) -> None:
    """Without the server the page says so, "Try again" is there, and it goes on by itself."""
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    app.stop()
    search(page, "motorcycle")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(page.get_by_role("contentinfo")).to_contain_text(
        "Waiting for the server"
    )
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    app.start()
    expect_results(page, "for “motorcycle”", "motorcycle.jpg")
    expect(page.get_by_role("contentinfo")).to_contain_text(
        f"{len(SAMPLES)} photos"
    )


def test_not_ready_then_ready(page: Page) -> None:
    """A 503 shows the server's own reason, and the page goes on by itself once it is over."""
    reason = "The first photos are still being indexed: try again in a moment."
    page.route(
        "**/search?*",
        lambda route: route.fulfill(status=503, json={"detail": reason}),
    )
    page.goto("/?q=cat")
    expect(page.get_by_role("alert")).to_contain_text(reason)
    page.unroute("**/search?*")
    expect_results(page, "for “cat”", "cat.png")


def test_a_refused_search_says_why(page: Page) -> None:
    """Any other error shows its reason, not an empty page."""
    page.route(
        "**/search?*",
        lambda route: route.fulfill(status=422, json={"detail": "Too odd"}),
    )
    page.goto("/?q=cat")
    expect(page.get_by_role("alert")).to_contain_text("Too odd")


def test_a_senseless_address(page: Page) -> None:
    """An address that asks for nonsense shows what is wrong with it, and how to go on."""
    page.goto("/?after=yesterday&like=nothing.jpg&photo=nothing.jpg&rest")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text(
        "This search did not work"
    )
    page.get_by_role("button", name="Remove From yesterday").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing.jpg")
    page.get_by_role("button", name="Remove Like nothing.jpg").click()
    expect(photos(page)).to_have_count(len(SAMPLES))


def test_loading(page: Page) -> None:
    """While a search runs there are placeholders, and a word for those who don't see them."""
    page.route("**/search?*", lambda _route: None)  # it never comes back
    page.goto("/?q=cat")
    expect(page.get_by_role("status")).to_have_text("Searching for “cat”…")
    expect(page.locator(".skeleton")).to_be_visible()


def test_an_empty_folder(page: Page, new_app: NewApp) -> None:
    """An empty folder is told as what it is, and the page fills as soon as it does."""
    app = new_app().start()
    eventually(lambda: app.get("/health").status_code == 200)
    assert app.search("cat") == []
    page.goto(app.url)
    expect(page.get_by_text("Put photos into the image folder")).to_be_visible()
    app.add("cat.png", "cat.png")
    expect(photos(page)).to_have_count(1)
    app.stop()


def test_a_folder_that_vanished(page: Page, app: App) -> None:
    """A folder that is gone is told below the photos, which stay."""
    page.goto("/")
    away = app.img.with_name("away")
    app.img.rename(away)
    expect(page.get_by_text("has no photos any more")).to_be_visible()
    expect(photos(page)).to_have_count(len(SAMPLES))
    away.rename(app.img)
    expect(page.get_by_text("has no photos any more")).to_be_hidden()


# --- The look, and what it takes ----------------------------------------------


def test_everyone_can_use_it(page: Page) -> None:
    """Every state of the page keeps WCAG AA, light and dark, as far as axe-core can tell."""
    set_status(page, INDEXING | LEFT_OUT)
    broken = {}
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    broken["newest"] = against_wcag(page)
    page.get_by_role("button", name="1 left out").click()
    broken["left out"] = against_wcag(page)
    page.dispatch_event(
        "body", "dragover", {"dataTransfer": held(page, PHOTOS / "cat.png")}
    )
    broken["drop"] = against_wcag(page)
    page.goto("/?q=animal&like=raccoon.webp&minus=leaf&before=2100-01-01")
    expect_results(page, "for “animal”, like raccoon.webp, without “leaf”")
    photos(page).first.hover()
    broken["results"] = against_wcag(page)
    page.get_by_role("button", name="Exclude…").click()
    broken["exclude"] = against_wcag(page)
    page.get_by_role("button", name="Filters 1 active").click()
    broken["filters"] = against_wcag(page)
    page.goto("/?q=cat&rest=1&photo=cat.png")
    expect(page.get_by_role("dialog").get_by_text("Score")).to_be_visible()
    broken["lightbox"] = against_wcag(page)
    page.goto("/?folder=nowhere")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    broken["no match"] = against_wcag(page)
    cut_after(page, 1)
    page.goto("/?q=cat")
    expect(page.get_by_role("button", name="Show the rest")).to_be_visible()
    broken["cut"] = against_wcag(page)
    assert not any(broken.values()), broken


def test_everyone_sees_what_is_wrong(page: Page) -> None:
    """Every state in which the page can't show photos keeps WCAG AA too."""
    set_status(page, STATUS)
    broken = {}
    for state, code, answer in (
        ("empty", 200, {"results": [], "more": False}),
        ("not ready", 503, {"detail": "Still indexing."}),
        ("error", 500, {}),
    ):
        page.route("**/search?*", answering(code, answer))
        page.goto("/?q=cat")
        expect(page.get_by_role("heading", level=2).first).to_be_visible()
        broken[state] = against_wcag(page)
        page.unroute("**/search?*")
    page.route("**/search?*", lambda route: route.abort())
    page.goto("/?q=cat")
    expect(page.get_by_text("cannot be reached")).to_be_visible()
    broken["unreachable"] = against_wcag(page)
    page.unroute("**/search?*")
    page.goto("/?image=1abc")
    expect(page.get_by_text("not on this device")).to_be_visible()
    broken["not here"] = against_wcag(page)
    page.goto("/")
    page.dispatch_event(
        "body", "drop", {"dataTransfer": held(page, PHOTOS / "README.md")}
    )
    expect(page.get_by_text("This photo cannot be used")).to_be_visible()
    broken["unreadable"] = against_wcag(page)
    have_many(page, 90)
    page.goto("/")
    expect(photos(page)).to_have_count(90)
    page.evaluate("scrollTo(0, 900)")
    more = STATUS | {"indexed": 1005, "last_error": "The disk is full."}
    page.evaluate("(status) => pushStatus(status)", more)
    expect(page.get_by_role("button", name="Show new photos")).to_be_visible()
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    broken["new photos and an error"] = against_wcag(page)
    page.unroute("**/search?*")
    page.route("**/search?*", lambda _route: None)
    page.goto("/?q=cat")
    expect(page.locator(".skeleton")).to_be_visible()
    broken["loading"] = against_wcag(page)
    assert not any(broken.values()), broken


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_screenshots(
    app: App, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    """The page fits its window, wide and narrow, light and dark; a picture of each is kept."""
    context = browser.new_context(
        base_url=app.url,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    page = context.new_page()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    terms = "&minus=leaf&minus=grass&minus=a+dark+sky&after=2001-01-01"
    for name, address in {
        "terms": f"/?q=animal&like=raccoon.webp&rest=1{terms}",
        "results": "/?q=a+cup+of+coffee&rest=1",
        "photo": "/?q=animal&rest=1&photo=raccoon.webp",
    }.items():
        page.goto(address)
        expect(photos(page).first).to_be_attached()
        eventually(lambda: page.evaluate(IN_SIGHT_IS_LOADED))
        page.evaluate(
            "Promise.all([...document.images].map((img) => img.decode().catch(() => 0)))"
        )
        assert page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth"
        )
        page.screenshot(
            path=SCREENSHOTS / f"{name}-{width}-{scheme}.jpg",
            type="jpeg",
            quality=85,
        )
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    colour = page.evaluate(
        "getComputedStyle(document.documentElement).backgroundColor"
    )
    brightness = sum(int(part) for part in re.findall(r"\d+", colour)[:3])
    assert (brightness < 200) == (scheme == "dark")
    context.close()


def test_it_is_light() -> None:
    """All the JavaScript of the page is less than 30 kB, gzipped."""
    scripts = list((ROOT / "frontend" / "dist").rglob("*.js"))
    assert scripts
    assert (
        sum(len(gzip.compress(script.read_bytes())) for script in scripts)
        < 30_000
    )


def test_results_stay_put(page: Page) -> None:
    """Nothing jumps while a search's photos come in, each a thumbnail no larger than is sharp."""
    seen = visit(page, "/?q=cat&rest=1")
    assert seen.shift < 0.1
    assert seen.images
    for path, size in seen.images:
        assert path.startswith("/thumb/")
        assert size < 100_000, path
    cards = page.locator(".photos img").evaluate_all(
        "all => all.map((img) => img.currentSrc)"
    )
    assert not [source for source in cards if "size=1024" in source]


def test_thumbnails_are_kept_for_good(page: Page) -> None:
    """A browser asks once for a thumbnail, which is a JPEG, and never again."""
    kinds: list[str | None] = []
    page.on(
        "response",
        lambda answer: (
            kinds.append(answer.header_value("content-type"))
            if "/thumb/" in answer.url
            else None
        ),
    )
    sent = """performance.getEntriesByType("resource")
        .filter(({ name }) => name.includes("/thumb/"))
        .map(({ transferSize }) => transferSize)"""
    visit(page, "/?q=cat&rest=1")
    assert {*kinds} == {"image/jpeg"}
    assert all(size > 0 for size in page.evaluate(sent))
    visit(page, "/?q=cat&rest=1")
    sizes = page.evaluate(sent)
    assert sizes
    assert not any(sizes)


def test_a_strict_policy_is_kept(page: Page) -> None:
    """The page works under a Content-Security-Policy that forbids all that is inline."""

    def strict(route: Route) -> None:
        policy = "default-src 'self'; img-src 'self' blob: data:"
        response = route.fetch()
        headers = response.headers | {"content-security-policy": policy}
        route.fulfill(response=response, headers=headers)

    page.route(re.compile(r"/(\?.*)?$"), strict)
    page.goto("/?q=cat&rest=1&photo=cat.png")
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()
    box = photos(page).first.bounding_box()
    assert box
    assert abs(box["width"] / box["height"] - 451 / 300) < 0.02


def test_the_development_server(app: App, tmp_path: Path) -> None:
    """`npm run dev` serves the page on port 5174, or the next one that is free.

    It passes all else on to the app, events as they come.
    """
    # Where the system has no Node, `make` has put one beside Python.
    path = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    settings = {"PORT": str(app.port), "PATH": path, "NO_COLOR": "1"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        npm = subprocess.Popen(
            ["npm", "run", "dev", "--", "--host", "127.0.0.1"],
            cwd=ROOT / "frontend", env=os.environ | settings, start_new_session=True,
            stdout=output, stderr=output,
        )  # fmt: skip
    try:
        ports = eventually(
            lambda: re.findall(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        )
        assert 5174 <= int(ports[0]) < 5174 + 20
        url = f"http://127.0.0.1:{ports[0]}"
        assert '<div id="app">' in app.http.get(url).text
        found = app.http.get(f"{url}/search", params={"q": "cat"}).json()[
            "results"
        ]
        assert found[0]["filename"] == "cat.png"
        original = app.http.get(f"{url}/img/cat.png").content
        assert original == (PHOTOS / "cat.png").read_bytes()
        assert app.http.get(f"{url}/thumb/cat.png?size=256").is_success
        with app.http.stream("GET", f"{url}/status/events") as events:
            assert next(events.iter_lines()).startswith("data:")
        for route in app.get("/openapi.json").json()["paths"]:
            with app.http.stream("GET", f"{url}{route}") as answer:
                assert "text/html" not in answer.headers["content-type"], route
    finally:
        os.killpg(npm.pid, signal.SIGTERM)
        npm.wait(15)
