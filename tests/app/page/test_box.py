"""The box: words, photos, and what is asked for beside them."""

import re
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pillow_heif
from PIL import Image
from playwright.sync_api import Page, expect

from tests.harness import PHOTOS
from tests.page import (
    SAMPLES,
    chips,
    expect_results,
    first_photo,
    held,
    photos,
    search,
)


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
    expect(page.get_by_text("Drop a photo")).to_be_visible()
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop a photo")).to_be_hidden()
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
        "This file isn’t a photo we can read"
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
