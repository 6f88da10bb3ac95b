"""Words: those that a photo was found by, those on it, and what the model does not read."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.harness import App, eventually
from tests.page import STATUS, against_wcag, chips, photos, set_status
from tests.viewer import dialog, picture

LINES: list[dict[str, Any]] = [
    {
        "text": "INVOICE 4711",
        "box": [0.1, 0.1, 0.5, 0.1, 0.5, 0.2, 0.1, 0.2],
        "confidence": 0.9,
    },
    {
        "text": "Thank you",
        "box": [0.2, 0.6, 0.8, 0.6, 0.8, 0.7, 0.2, 0.7],
        "confidence": 0.8,
    },
]
# Of the first three results; all others are found by what they show alone.
FOUND: list[tuple[list[str], dict[str, list[str]]]] = [
    (["text", "meaning"], {"text": ["invoice", "4711"]}),
    (["name", "meaning"], {"name": []}),
    (["description"], {"description": ["holiday"]}),
]


def have_words(page: Page, asked: list[str] | None = None) -> None:
    """Have the server find by words, and know those on each photo."""

    def search(route: Route) -> None:
        address = urlsplit(route.request.url)
        if asked is not None:
            asked.extend(parse_qs(address.query).get("in", []))
        plain = re.sub(r"&in=[^&]*", "", route.request.url)
        response = route.fetch(url=plain)
        body = response.json()
        for hit, (why, matches) in zip(body["results"], FOUND, strict=False):
            hit["why"], hit["matches"] = why, dict(matches)
            if "name" in matches:
                hit["matches"]["name"] = [hit["filename"][:3]]
        for hit in body["results"][len(FOUND) :]:
            hit["why"], hit["matches"] = ["meaning"], {}
        route.fulfill(response=response, json=body)

    def record(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"text": LINES})

    page.route("**/search?*", search)
    page.route("**/photo/*", record)


def test_a_photo_says_what_it_was_found_by(page: Page) -> None:
    """The words that match stand on it, where it is not meaning alone; all can read them."""
    have_words(page)
    page.goto("/?q=cat&rest=1")
    said = photos(page).locator(".why")
    expect(said).to_have_count(3)
    expect(said.nth(0)).to_have_text("Words on it: invoice 4711")
    marked = said.nth(1).locator("mark")
    name = photos(page).nth(1).get_by_role("img").get_attribute("alt") or ""
    expect(said.nth(1)).to_have_text(f"Named: {name}")
    expect(marked).to_have_text(name[:3])
    expect(said.nth(2)).to_have_text("Described: holiday")
    link = photos(page).first.get_by_role("link")
    expect(link).to_have_accessible_name(
        re.compile("Words on it: invoice 4711")
    )
    assert against_wcag(page) == []


def edges(one: Locator) -> list[float]:
    box = one.bounding_box()
    assert box
    return [
        box["x"],
        box["y"],
        box["x"] + box["width"],
        box["y"] + box["height"],
    ]


def expect_the_frame_on_the_words(page: Page, name: str) -> None:
    """It lies where the words are on the photo, as large as that is now."""

    def is_there() -> bool:
        left, top, right, bottom = edges(picture(page, name))
        x0, y0, _, _, x1, y1, _, _ = LINES[0]["box"]
        width, height = right - left, bottom - top
        wanted = [
            left + x0 * width,
            top + y0 * height,
            left + x1 * width,
            top + y1 * height,
        ]
        frame = edges(dialog(page).locator(".marks polygon"))
        return frame == pytest.approx(wanted, abs=4)

    eventually(is_there, within=15)


def test_words_on_the_open_photo(page: Page) -> None:
    """Those that were found are framed, wherever it is moved to; all are listed and copied."""
    have_words(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    name = photos(page).first.get_by_role("img").get_attribute("alt") or ""
    expect(picture(page, name)).to_be_visible()
    page.keyboard.press("i")
    words = dialog(page).get_by_role("region", name="Words on this photo")
    expect(words.get_by_role("listitem")).to_have_text(
        [line["text"] for line in LINES]
    )
    expect(words.locator("mark")).to_have_text(["INVOICE", "4711"])
    expect(
        dialog(page).get_by_text("Words on it: invoice 4711")
    ).to_be_visible()
    assert against_wcag(page) == []

    expect_the_frame_on_the_words(page, name)
    page.keyboard.press("z")
    page.keyboard.press("ArrowDown")
    expect_the_frame_on_the_words(page, name)
    page.keyboard.press("z")

    words.get_by_role("button", name="Copy").press("Enter")
    expect(dialog(page).get_by_role("status")).to_have_text("Words copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "INVOICE 4711\nThank you"

    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)


def test_what_is_looked_in_is_chosen(page: Page) -> None:
    """It is in the address, said above the photos, and taken away there."""
    asked: list[str] = []
    have_words(page, asked)
    page.goto("/?q=cat")
    page.get_by_role("button", name="Filters").click()
    form = page.get_by_role("form", name="Filters")
    for name in ("Meaning", "Names", "Words"):
        choice = form.get_by_role("button", name=name)
        expect(choice).to_have_attribute("aria-pressed", "true")
    for name in ("Meaning", "Names", "Words"):  # the last one stays
        form.get_by_role("button", name=name).press("Space")
    form.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("in=text%2Cdescription"))
    expect(chips(page)).to_have_text("Only Words")
    assert asked[-1] == "text,description"
    page.reload()
    expect(chips(page)).to_have_text("Only Words")
    page.get_by_role("button", name="Remove Only Words").click()
    expect(chips(page)).to_have_count(0)
    assert "in=" not in page.url


def test_the_reading_of_words_is_told(page: Page) -> None:
    """How far it is, and what is in its way; of an app that reads none there is nothing."""
    words = {"read": 812, "photos": 5000, "languages": ["en"], "trouble": ""}
    set_status(page, STATUS | {"words": words})
    page.goto("/")
    foot = page.get_by_role("contentinfo")
    expect(foot).to_contain_text("Reading words: 812 of 5,000")
    expect(page.get_by_role("progressbar", name="Words read")).to_be_visible()
    page.get_by_role("button", name="About this index").click()
    about = page.get_by_role("dialog", name="About this index")
    expect(about).to_contain_text("812 of 5,000 photos (English)")
    assert against_wcag(page) == []

    def say(**facts: Any) -> None:
        status = STATUS | facts
        page.evaluate("(status) => pushStatus(status)", status)

    whole = words | {"read": 5000, "trouble": "The reader has no memory left."}
    say(words=whole)
    expect(foot).to_contain_text("The reader has no memory left.")
    expect(foot).not_to_contain_text("Reading words")
    say(words=None)
    expect(foot).not_to_contain_text("memory")


# Words, the language of the page, whether they fit, and whether a hint is given.
UNREAD: list[tuple[str, str, bool, bool]] = [
    ("собака", "en", True, True),
    ("a dog", "en", False, False),
    ("ein Hund", "de", False, True),
    ("hund", "de", True, False),
]


@pytest.mark.parametrize(("words", "language", "fits", "is_told"), UNREAD)
def test_who_is_not_understood_is_told_once(
    app: App,
    browser: Browser,
    words: str,
    language: str,
    fits: bool,  # noqa: FBT001
    is_told: bool,  # noqa: FBT001
) -> None:
    """In another script, or in the page's own language where nothing fits: quietly."""
    page = browser.new_page(base_url=app.url, locale=language)

    def search(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"fits": fits})

    page.route("**/search?*", search)
    set_status(page, STATUS | {"languages": ["en"]})
    page.goto(f"/?q={words}")
    expect(page.locator(".photos img").first).to_be_visible()
    hint = page.get_by_role("note")
    expect(hint).to_have_count(int(is_told))
    if is_told:
        expect(hint).to_contain_text(
            "English" if language == "en" else "Englisch"
        )
        page.get_by_role("combobox").fill("кошка" if fits else "eine Katze")
        with page.expect_response("**/search?*"):
            page.keyboard.press("Enter")
        expect(page.locator(".results.busy")).to_have_count(0)
        expect(hint).to_have_count(0)
    page.unroute_all(behavior="ignoreErrors")
    page.close()


def answers_with(**facts: Any) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | facts)

    return answer


def test_words_that_are_too_many_are_told(page: Page) -> None:
    """What the model has no room for is said: the photos are found without it."""
    page.route("**/search?*", answers_with(unread="the last words"))
    page.goto("/?q=cat")
    expect(page.get_by_role("note")).to_contain_text("“the last words”")


def test_phones_quotes_are_quotes(page: Page) -> None:
    """However they are written, quotes ask for these very words."""
    page.goto("/?q=cat")
    page.get_by_role("combobox").fill("“exit only” -„no entry”")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox")).to_have_value(
        '"exit only" -"no entry"'
    )
