"""Several photos at once: how they are selected, and what can be done with them."""

import io
import re
import zipfile

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.harness import PHOTOS, App
from tests.page import (
    IN_A_FOLDER,
    SAMPLES,
    against_wcag,
    box,
    have_many,
    photos,
    tile,
)


def bar(page: Page) -> Locator:
    return page.get_by_role("region", name="Selection")


def circle(page: Page, number: int) -> Locator:
    return tile(page, number).get_by_role("checkbox")


def selected(page: Page) -> list[int]:
    names = page.locator(".photo.selected").evaluate_all(
        "all => all.map((photo) => photo.dataset.photo)"
    )
    checked = page.get_by_role("checkbox", checked=True).count()
    assert checked == len(names)
    return [int(re.findall(r"\d+", name)[0]) for name in names]


@pytest.fixture
def many(page: Page) -> Page:
    have_many(page, 60)
    page.goto("/?q=cat&rest=1")
    expect(tile(page, 50)).to_be_attached()
    return page


def test_the_circle_selects(many: Page) -> None:
    """One photo by a click on its circle; with Shift all up to it; then a click on any photo."""
    expect(bar(many)).to_have_count(0)
    tile(many, 3).hover()
    circle(many, 3).click()
    expect(bar(many)).to_contain_text("1 selected")
    tile(many, 7).hover()
    circle(many, 7).click(modifiers=["Shift"])
    assert selected(many) == [3, 4, 5, 6, 7]
    expect(bar(many)).to_contain_text("5 selected")
    tile(many, 5).get_by_role("link").click()
    assert selected(many) == [3, 4, 6, 7]
    expect(many.get_by_role("dialog")).to_have_count(0)
    many.get_by_role("button", name="Clear the selection").click()
    assert selected(many) == []
    expect(bar(many)).to_have_count(0)
    tile(many, 5).get_by_role("link").click()
    expect(many.get_by_role("dialog")).to_be_visible()


def test_keys_alone_select(many: Page) -> None:
    """x, Shift with the arrows, Ctrl+A for what is in sight, and Escape for none."""
    tile(many, 0).get_by_role("link").focus()
    many.keyboard.press("x")
    assert selected(many) == [0]
    many.keyboard.press("x")
    assert selected(many) == []
    many.keyboard.press("Shift+ArrowRight")
    many.keyboard.press("Shift+ArrowRight")
    assert selected(many) == [0, 1, 2]
    many.keyboard.press("ArrowRight")
    many.keyboard.press("ArrowRight")
    many.keyboard.press("Shift+X")
    assert selected(many) == [0, 1, 2, 3, 4] or selected(many) == [0, 1, 2, 4]
    many.keyboard.press("Escape")
    assert selected(many) == []
    expect(tile(many, 4).get_by_role("link")).to_be_focused()
    many.keyboard.press("Control+a")
    in_sight = selected(many)
    assert in_sight == [*range(len(in_sight))]
    assert 8 < len(in_sight) < 40
    many.keyboard.press("Escape")
    many.keyboard.press("Escape")
    expect(box(many)).to_be_focused()


def test_a_selection_outlives_more_photos(page: Page) -> None:
    """What is selected stays so while others come, and while sizes change."""
    have_many(page, 250)
    page.goto("/?q=cat&rest=1")
    tile(page, 2).hover()
    circle(page, 2).click()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(tile(page, 150)).to_be_attached()
    assert selected(page) == [2]
    page.get_by_role("button", name="Larger photos").click()
    assert selected(page) == [2]
    page.goto("/?q=dog&rest=1")
    expect(tile(page, 50)).to_be_attached()
    assert selected(page) == []


def test_files_come_as_one_archive(page: Page) -> None:
    """The files as they are, each under its own path: no two have one name."""
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    photos(page).first.hover()
    photos(page).first.get_by_role("checkbox").click()
    page.keyboard.press("Control+a")
    expect(bar(page)).to_contain_text(f"{len(SAMPLES)} selected")
    with page.expect_download() as started:
        bar(page).get_by_role("button", name="Download").click()
    assert started.value.suggested_filename == "photos.zip"
    content = started.value.path().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    expected = {
        IN_A_FOLDER if name == "temple.jpg" else name: (
            PHOTOS / name
        ).read_bytes()
        for name in SAMPLES
    }
    assert held == expected
    expect(bar(page)).to_contain_text(f"{len(SAMPLES)} selected")


def test_a_file_that_fails_is_told(page: Page) -> None:
    """The others are saved, and its name is said; where all fail nothing is saved."""
    page.route("**/img/cat.png*", lambda route: route.abort())
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    for number in range(2):
        photos(page).nth(number).hover()
        photos(page).nth(number).get_by_role("checkbox").click()
    download = bar(page).get_by_role("button", name="Download")
    with page.expect_download() as started:
        download.click()
    with zipfile.ZipFile(started.value.path()) as archive:
        assert len(archive.namelist()) == 1
    said = "1 file could not be downloaded: cat.png"
    expect(bar(page)).to_contain_text(said)
    photos(page).nth(1).get_by_role("checkbox").click()
    download.click()
    expect(bar(page)).to_contain_text(said)
    expect(download).to_be_enabled()


def test_paths_are_copied(page: Page, app: App) -> None:
    """One a line, as they lie below the image folder."""
    page.context.grant_permissions(
        ["clipboard-read", "clipboard-write"], origin=app.url
    )
    page.goto("/?q=temple&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    for number in (0, 1):
        photos(page).nth(number).hover()
        photos(page).nth(number).get_by_role("checkbox").click()
    names = photos(page).evaluate_all(
        "all => all.slice(0, 2).map((photo) => photo.dataset.photo)"
    )
    assert IN_A_FOLDER in names
    bar(page).get_by_role("button", name="Copy paths").click()
    expect(bar(page)).to_contain_text("2 paths copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == names


def test_a_finger_that_stays_selects(app: App, browser: Browser) -> None:
    """On a touch screen a long press begins a selection, and a tap goes on with it."""
    context = browser.new_context(
        base_url=app.url,
        has_touch=True,
        is_mobile=True,
        viewport={"width": 390, "height": 844},
    )
    page = context.new_page()
    have_many(page, 60)
    page.goto("/?q=cat&rest=1")
    link = tile(page, 1).get_by_role("link")
    box = link.bounding_box()
    assert box
    where = {"x": box["x"] + 30, "y": box["y"] + 30}
    touch = context.new_cdp_session(page)
    touch.send(
        "Input.dispatchTouchEvent",
        {"type": "touchStart", "touchPoints": [where]},
    )
    expect(bar(page)).to_contain_text("1 selected")
    touch.send(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )
    expect(page.get_by_role("dialog")).to_have_count(0)
    tile(page, 2).get_by_role("link").tap()
    expect(bar(page)).to_contain_text("2 selected")
    assert selected(page) == [1, 2]
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
def test_everyone_can_select(page: Page, width: int) -> None:
    """The grid with a selection keeps WCAG AA, and fits a narrow window."""
    page.set_viewport_size({"width": width, "height": 720})
    have_many(page, 60)
    page.goto("/?q=cat&rest=1")
    tile(page, 0).get_by_role("link").focus()
    page.keyboard.press("x")
    expect(bar(page)).to_be_visible()
    assert against_wcag(page) == []
    box = bar(page).bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
