"""Photos that are there more than once, side by side."""

import re
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.harness import PHOTOS, App, eventually
from tests.page import against_wcag, answering, photos, search
from tests.viewer import dialog, picture


@pytest.fixture(autouse=True)
def copies(app: App) -> Iterator[None]:
    """The cat twice, and the raccoon in small."""
    app.add("cat.png", "copies/kitten.png")
    with Image.open(PHOTOS / "raccoon.webp") as raccoon:
        size = (raccoon.width // 2, raccoon.height // 2)
        small = raccoon.convert("RGB").resize(size)
    small.save(app.img / "copies" / "small.jpg")
    names = {"copies/kitten.png", "copies/small.jpg"}
    eventually(lambda: names <= {*app.photos()})
    eventually(lambda: app.get("/duplicates").json().get("is_current"))
    yield
    for name in names:
        (app.img / name).unlink(missing_ok=True)
    eventually(lambda: not names & {*app.photos()})


def groups(page: Page) -> Locator:
    return page.locator("main section").filter(has=page.get_by_role("list"))


def test_duplicates_lie_side_by_side(page: Page) -> None:
    """In groups, each photo with what tells it from the others; it opens as any does."""
    page.goto("/")
    page.get_by_role("button", name="About this index").click()
    page.get_by_role("link", name="Show duplicates").click()
    expect(page).to_have_url(re.compile(r"\?duplicates=1$"))
    expect(page.get_by_role("status")).to_contain_text(
        "2 groups of equal or nearly equal photos"
    )
    expect(groups(page)).to_have_count(2)
    same = groups(page).filter(has_text="2 times the same file")
    expect(same.get_by_role("listitem")).to_have_count(2)
    near = groups(page).filter(has_text="2 nearly equal photos")
    whole, small = near.get_by_role("listitem").all()
    with Image.open(PHOTOS / "raccoon.webp") as raccoon:
        size = raccoon.size
    times = "\N{MULTIPLICATION SIGN}"
    expect(whole).to_contain_text(f"{size[0]:,} {times} {size[1]:,}")
    expect(small).to_contain_text(f"{size[0] // 2:,} {times} {size[1] // 2:,}")
    expect(small).to_contain_text("copies")
    assert against_wcag(page) == []

    small.get_by_role("link").click()
    expect(picture(page, "small.jpg")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(picture(page, "raccoon.webp")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?duplicates=1$"))

    page.keyboard.press("x")
    bar = page.get_by_role("region", name="Selection")
    expect(bar).to_contain_text("1 selected")
    expect(bar.get_by_role("button", name="Download")).to_be_visible()
    page.keyboard.press("Escape")
    search(page, "cat")
    expect(page).to_have_url(re.compile(r"/\?q=cat$"))


def test_what_is_not_known_yet_is_not_called_none(page: Page) -> None:
    """While photos are compared that is said, and none is an answer of its own."""
    wait = answering(503, {"detail": "All photos are being compared."})
    page.route("**/duplicates?*", wait)
    page.goto("/?duplicates=1")
    expect(page.get_by_role("alert")).to_contain_text("being compared")
    page.unroute("**/duplicates?*")
    none = {
        "groups": [],
        "sizes": [],
        "total": 0,
        "more": False,
        "is_current": True,
    }
    page.route("**/duplicates?*", answering(200, none | {"next_offset": 0}))
    expect(page.get_by_role("heading", name="No duplicates")).to_be_visible()
    expect(photos(page)).to_have_count(0)
