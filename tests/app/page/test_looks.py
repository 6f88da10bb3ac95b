"""How the page looks, what it weighs, and that everyone can use it."""

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import IN_SIGHT_IS_LOADED
from tests.harness import PHOTOS, ROOT, App, eventually
from tests.page import (
    INDEXING,
    LEFT_OUT,
    SAMPLES,
    SCHEMES,
    SCREENSHOTS,
    STATUS,
    against_wcag,
    answering,
    cut_after,
    expect_results,
    have_many,
    held,
    photos,
    search,
    set_status,
    tab_to,
    tile,
)


def test_everyone_can_use_it(page: Page) -> None:
    """Every state of the page keeps WCAG AA, light and dark, as far as axe-core can tell."""
    set_status(page, INDEXING | LEFT_OUT)
    broken = {}
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    broken["newest"] = against_wcag(page)
    page.get_by_role("button", name="1 file couldn’t be read").click()
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
    expect(page.get_by_role("treeitem", name="trips")).to_be_visible()
    broken["filters"] = against_wcag(page)
    page.keyboard.press("Escape")
    search(page, "trips")
    expect(
        page.get_by_role("list", name="Folders and times named like this")
    ).to_be_visible()
    search(page, "qzxv")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("listbox", name="Recent searches")).to_be_visible()
    page.keyboard.press("ArrowDown")
    broken["recent searches"] = against_wcag(page)
    page.goto("/?q=cat&rest=1&photo=cat.png")
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()
    broken["open photo"] = against_wcag(page)
    page.goto("/?folder=nowhere")
    expect(page.get_by_text("There is no folder “nowhere”")).to_be_visible()
    broken["no match"] = against_wcag(page)
    cut_after(page, 1)
    page.goto("/?q=cat")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
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
    expect(page.get_by_text("can’t be reached")).to_be_visible()
    broken["unreachable"] = against_wcag(page)
    page.unroute("**/search?*")
    page.goto("/?image=1abc")
    expect(page.get_by_text("not on this device")).to_be_visible()
    broken["not here"] = against_wcag(page)
    page.goto("/")
    page.dispatch_event(
        "body", "drop", {"dataTransfer": held(page, PHOTOS / "README.md")}
    )
    expect(
        page.get_by_text("This file isn’t a photo we can read")
    ).to_be_visible()
    broken["unreadable"] = against_wcag(page)
    have_many(page, 90)
    page.goto("/")
    expect(photos(page)).to_have_count(90)
    page.evaluate("scrollTo(0, 900)")
    page.unroute("**/search?*")
    have_many(page, 90, newer=5)
    more = STATUS | {"indexed": 1005, "last_error": "The disk is full."}
    page.evaluate("(status) => pushStatus(status)", more)
    expect(page.get_by_role("button", name="5 new")).to_be_visible()
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    broken["new photos and an error"] = against_wcag(page)
    page.unroute("**/search?*")
    page.route("**/search?*", lambda _route: None)
    page.goto("/?q=cat")
    expect(page.locator(".skeleton")).to_be_visible()
    broken["loading"] = against_wcag(page)
    assert not any(broken.values()), broken


@pytest.mark.parametrize("width", [1280, 390])
def test_screenshots(app: App, browser: Browser, width: int) -> None:
    """The page fits its window, wide and narrow, light and dark; a picture of each is kept."""
    page = browser.new_page(
        base_url=app.url, viewport={"width": width, "height": 800}
    )

    def is_dark() -> bool:
        colour = page.evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) < 200

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
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            should_be_dark = scheme == "dark" or name == "photo"
            eventually(lambda: is_dark() == should_be_dark)  # noqa: B023
            page.screenshot(
                path=SCREENSHOTS / f"{name}-{width}-{scheme}.jpg",
                type="jpeg",
                animations="disabled",
                quality=85,
            )
    page.close()


def test_it_is_light() -> None:
    """All the JavaScript of the page is less than 62.5 kB, gzipped.

    60 did until words were found as well. What is read on a photo has to be framed,
    marked, listed and copied, equal photos compared, and each sentence of that said in
    two languages: 2.8 kB, of which 0.3 were won back from what loads the chunks.
    """
    scripts = list((ROOT / "frontend" / "dist").rglob("*.js"))
    assert scripts
    assert (
        sum(len(gzip.compress(script.read_bytes())) for script in scripts)
        < 62_500
    )


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


def test_it_can_be_installed(page: Page) -> None:
    """The page has all that a browser wants of an app: a manifest, its icons, a colour."""
    page.goto("/")
    session = page.context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["url"].endswith("/manifest.webmanifest")
    assert manifest["errors"] == []
    errors = session.send("Page.getInstallabilityErrors")[
        "installabilityErrors"
    ]
    # A test's browser keeps nothing, as a private window does.
    assert {error["errorId"] for error in errors} <= {"in-incognito"}
    icons = json.loads(manifest["data"])["icons"]
    links = page.locator("link[rel*=icon]").evaluate_all(
        "all => all.map((link) => link.href)"
    )
    for address in [*(icon["src"] for icon in icons), *links]:
        answer = page.request.get(address)
        assert answer.ok, address
        assert answer.headers["content-type"].startswith("image/"), address


def test_the_browser_chooses_the_language(app: App, browser: Browser) -> None:
    """Who reads German gets German, numbers and dates as well; who reads neither gets English."""
    for locale, language, box, filters, date in (
        ("de-AT", "de", "Suchen", "Filter", r"\d\d?\. [^\d ]+ \d{4}"),
        ("en-GB", "en", "Search", "Filters", r"\d\d? \w+ \d{4}"),
        ("fr-FR", "en", "Search", "Filters", r"\w+ \d\d?, \d{4}"),
    ):
        context = browser.new_context(base_url=app.url, locale=locale)
        page = context.new_page()
        page.goto("/?after=2001-01-01&photo=cat.png")
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("i")
        written = re.compile(rf"(^|\D){date}(\D|$)")
        expect(page.get_by_role("dialog")).to_contain_text(written)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name=box, exact=True)).to_be_visible()
        # All the page's dates are written so: of its filters, its photos, and what it has.
        expect(page.locator(".terms")).to_have_text(written)
        expect(page.locator(".caption").first).to_have_text(written)
        page.get_by_role("button", name=re.compile(f"^{filters}")).click()
        expect(page.locator(".range")).to_have_text(written)
        context.close()


# What can't be come at: each control is brought to the middle of the window, and is to lie there
# whole, below nothing else.
OUT_OF_REACH = """(within) => [...document.querySelector(within).querySelectorAll(
    "a, button, [role=treeitem], input:not([type=hidden], [type=file])"
)].filter((one) => {
    if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const { left, right, top, bottom } = one.getBoundingClientRect();
    const isWhole = left > -1 && top > -1 && right < innerWidth + 1 && bottom < innerHeight + 1;
    const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return !isWhole || !one.contains(seen);
}).map((one) => one.outerHTML)"""


def test_all_is_in_reach_at_400_percent(page: Page) -> None:
    """In a window of 1280 by 1024, enlarged four times, nothing is cut off or lies below another."""
    page.set_viewport_size({"width": 320, "height": 256})
    # What is looked at while it is out of sight would never come to the end of a transition.
    page.emulate_media(reduced_motion="reduce")
    set_status(page, INDEXING | LEFT_OUT)
    have_many(page, 30)
    page.goto("/?q=cat&rest=1&folder=trips&after=2001-01-01")
    expect(tile(page, 29)).to_be_attached()
    broken = {"results": page.evaluate(OUT_OF_REACH, "body")}
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("button", name="Filters 2 active").click()
    expect(page.get_by_role("treeitem")).not_to_have_count(0)
    broken["filters"] = page.evaluate(OUT_OF_REACH, "#filters")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="About").click()
    broken["about"] = page.evaluate(OUT_OF_REACH, "#about")
    page.keyboard.press("Escape")
    tile(page, 29).get_by_role("link").focus()
    page.keyboard.press("x")
    expect(page.get_by_role("region", name="Selection")).to_be_visible()
    broken["selection"] = page.evaluate(OUT_OF_REACH, "body")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    broken["axe"] = against_wcag(page)
    assert not any(broken.values()), broken


# The buttons in the window, and circles that are ticked: what each is called, whether it is
# pressed, and where it is.
BUTTONS = """() => [...(document.querySelector("dialog[open]") ?? document)
    .querySelectorAll("button, a.round, [aria-checked=true]")]
    .filter((one) => one.matches(":not([aria-checked=false], :disabled)"))
    .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .map((one) => ({ name: one.ariaLabel || one.textContent, pressed: one.ariaPressed === "true",
        in: one.getBoundingClientRect().toJSON() }))
    .filter(({ in: { top, bottom, width } }) => width > 1 && top >= 0 && bottom <= innerHeight)"""


def unseen_buttons(page: Page) -> list[str]:
    """Those in whose middle nothing is drawn, or that are pressed and do not look it."""
    eventually(lambda: page.evaluate(IN_SIGHT_IS_LOADED))
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        drawn = np.asarray(picture.convert("L"), dtype=int)
    unseen = []
    for button in page.evaluate(BUTTONS):
        left, top, width, height = (
            round(button["in"][side]) for side in ("x", "y", "width", "height")
        )
        rows = drawn[top + height // 4 : top + height * 3 // 4]
        middle = rows[:, left + width // 4 : left + width * 3 // 4]
        inside_and_outside = drawn[top + height // 2, [left + 6, left - 2]]
        stands_out = np.ptp(inside_and_outside) > 50 or not button["pressed"]
        if np.ptp(middle) < 100 or not stands_out:
            unseen.append(button["name"])
    return unseen


def what_is_wrong(page: Page) -> list[str]:
    """Buttons that are not seen, and what axe finds but colours: these are the system's own."""
    found = [one for one in against_wcag(page) if "color-contrast" not in one]
    return unseen_buttons(page) + found


def test_forced_colours(app: App, browser: Browser) -> None:
    """Where the system sets all colours, every button is seen, and what has the focus."""
    context = browser.new_context(
        base_url=app.url,
        forced_colors="active",
        reduced_motion="reduce",
        viewport={"width": 1280, "height": 800},
    )
    page = context.new_page()
    set_status(page, STATUS)
    broken = {}
    page.goto("/")
    expect(page.get_by_role("list", name="Examples")).to_be_visible()
    broken["home"] = what_is_wrong(page)
    page.goto("/?q=cat&rest=1")
    first = photos(page).first
    first.hover()
    broken["results"] = what_is_wrong(page)
    tab_to(page, first.get_by_role("link"))
    page.keyboard.press("x")
    expect(page.get_by_role("region", name="Selection")).to_be_visible()
    broken["selection"] = what_is_wrong(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    tab_to(page, viewer.get_by_role("button", name="Details"))
    page.keyboard.press("Enter")
    expect(viewer.get_by_role("complementary")).to_be_visible()
    broken["viewer"] = what_is_wrong(page)
    assert not any(broken.values()), broken
    context.close()


def test_something_is_there_at_once(page: Page) -> None:
    """On a slow network the page is outlined before its style sheet and its code have come."""
    held_back: list[Route] = []
    page.route("**/assets/*", lambda route: held_back.append(route))  # noqa: PLW0108, Playwright names it
    page.goto("/", wait_until="commit")
    expect(page.locator("#app > svg")).to_be_visible()
    painted = (
        """performance.getEntriesByName("first-contentful-paint").length"""
    )
    eventually(lambda: page.evaluate(painted))
    assert held_back
    for route in held_back:
        route.continue_()
    page.unroute("**/assets/*")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page.locator("#app > svg")).to_have_count(0)


def test_texts_are_sent_compressed(app: App) -> None:
    """What the page is made of, and answers, are compressed for the way; photos are as they are."""
    page = app.get("/").text
    code = re.findall(r'(?:src|href)="\.(/assets/[^"]+)"', page)
    assert len(code) >= 2
    for path in ("/search?limit=100", *code):
        headers = {"Accept-Encoding": "gzip"}
        answer = app.http.get(path, headers=headers)
        assert answer.headers["content-encoding"] == "gzip", path
    for path in ("/img/coffee.png", "/thumb/coffee.png"):
        assert "content-encoding" not in app.get(path).headers
