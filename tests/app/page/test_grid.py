"""The grid of photos."""

import json
import re
from datetime import datetime

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import IN_SIGHT_IS_LOADED, visit
from tests.harness import App, eventually
from tests.page import (
    STATUS,
    against_wcag,
    box,
    have_many,
    photos,
    search,
    tab_to,
    tile,
)


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
    second = photos(page).nth(1).bounding_box()
    assert second
    assert abs(column - second["x"]) < 1
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
    # Its link and what can be done with it; then there is one stop for all the photos.
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(photos(page).locator(":focus")).to_have_count(0)
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value("")


def test_a_whole_visit_by_keys(page: Page) -> None:
    """From the first Tab to filters, photos, a selection, an open photo, its details, and back."""
    page.goto("/")
    expect(photos(page)).not_to_have_count(0)
    tab_to(page, page.get_by_role("button", name="Filters"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("From", exact=True))
    page.keyboard.type("01012001")
    tab_to(page, page.get_by_role("button", name="Apply"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("after=2001-01-01"))
    expect(page.get_by_role("status")).to_have_text(re.compile("^[0-9]+ photo"))
    first = photos(page).first.get_by_role("link")
    tab_to(page, first)
    page.keyboard.press("x")
    bar = page.get_by_role("region", name="Selection")
    tab_to(page, bar.get_by_role("button", name="Copy paths"))
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    tab_to(page, viewer.get_by_role("button", name="Details"))
    page.keyboard.press("Enter")
    day = viewer.get_by_role("complementary").get_by_role("link").first
    tab_to(page, day)
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(first).to_be_focused()
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()


ROWS = """[...document.querySelectorAll(".row")].map((row) => {
    const { width, height } = row.getBoundingClientRect();
    return { photos: row.children.length, width, height };
})"""


def test_scrolling_brings_more(page: Page) -> None:
    """All the photos come as one scrolls, each once; no row but the last is not full."""
    have_many(page, 250)
    page.goto("/?q=cat&rest=1")
    expect(tile(page, 90)).to_be_attached()
    for number in (150, 249):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(tile(page, number)).to_be_attached()
    expect(page.get_by_text("Loading more")).to_have_count(0)
    names = photos(page).evaluate_all(
        "all => all.map((li) => li.dataset.photo)"
    )
    assert names == [f"photo-{number}.jpg" for number in range(250)]
    *full, last = page.evaluate(ROWS)
    [width] = {row["width"] for row in full}
    assert page.evaluate("document.documentElement.clientWidth") - width < 80
    assert last["width"] < width
    heights = [row["height"] for row in (*full, last)]
    assert max(heights) < 1.35 * min(heights)


@pytest.mark.parametrize("query", ["/", "/?q=cat&rest=1"])
def test_a_row_waits_until_it_is_full(page: Page, query: str) -> None:
    """While more is to come no row is shown that others would change; then all are."""
    have_many(page, 120)
    held_back: list[Route] = []

    def hold(route: Route) -> None:
        held_back.append(route)

    page.route("**/search?*offset=*", hold)
    page.goto(query)
    expect(tile(page, 90)).to_be_attached()
    before = page.evaluate(ROWS)
    assert len({row["width"] for row in before}) == 1
    assert sum(row["photos"] for row in before) < 100
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    eventually(lambda: page.evaluate("scrollY") and held_back)
    held_back[0].fallback()
    expect(tile(page, 119)).to_be_attached()
    assert page.evaluate(ROWS)[: len(before)] == before


SHIFTS = """
window.shifts = [];
const tell = ({ value, sources }) => [value, sources.map(({ node }) => node?.className)];
new PerformanceObserver((list) => shifts.push(...list.getEntries().map(tell)))
    .observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("query", ["/", "/?q=cat&rest=1"])
def test_nothing_moves_while_one_scrolls(page: Page, query: str) -> None:
    """To the end of a thousand photos, as fast as it goes, hardly anything shifts."""
    have_many(page, 1000)
    page.add_init_script(SHIFTS)
    page.goto(query)
    expect(tile(page, 0)).to_be_visible()
    eventually(lambda: page.evaluate(IN_SIGHT_IS_LOADED))
    for number in range(100, 1000, 100):
        page.mouse.wheel(0, 6000)
        expect(tile(page, number)).to_be_attached()
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < 0.02, shifts


def test_more_that_does_not_come(page: Page) -> None:
    """Photos shown stay where the next ones can't be loaded, and these can be asked for again."""
    have_many(page, 120)
    page.route("**/search?*offset=*", lambda route: route.abort())
    page.goto("/")
    expect(tile(page, 90)).to_be_attached()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(tile(page, 90)).to_be_attached()
    page.unroute("**/search?*offset=*")
    page.get_by_role("button", name="Try again").click()
    expect(photos(page)).to_have_count(120)


def test_back_to_where_one_was(page: Page) -> None:
    """Back and a reload lead to the place on the page where it was left."""
    have_many(page, 250)
    page.goto("/")
    expect(tile(page, 90)).to_be_attached()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(tile(page, 190)).to_be_attached()
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
    assert photos(page).count() >= 190


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


# --- What lies on a photo, and in its place -------------------------------------------


def test_captions_are_for_who_points_at_them(page: Page) -> None:
    """A photo's name shows on pointing and on focus, its date in the order of time, no score."""
    page.goto("/?q=cat&rest=1")
    first, second = photos(page).nth(0), photos(page).nth(1)
    caption = first.locator(".caption")
    expect(caption).to_have_css("opacity", "0")
    first.hover()
    expect(caption).to_have_css("opacity", "1")
    expect(caption).to_have_text("cat.png")
    second.get_by_role("link").focus()
    page.keyboard.press("ArrowLeft")
    page.mouse.move(0, 0)
    expect(caption).to_have_css("opacity", "1")
    page.goto("/?q=cat&rest=1&sort=newest")
    expect(photos(page).first.locator(".caption")).to_contain_text(
        re.compile(r"\w+ \d{1,2}, \d{4}$")
    )


def test_a_place_is_held_by_a_picture_of_the_photo(page: Page) -> None:
    """Before the first byte of an image is there its tile shows what it will look like."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/thumb/**", hold)
    page.goto("/?q=cat&rest=1")
    links = photos(page).get_by_role("link")
    place = "(link) => getComputedStyle(link).backgroundImage"
    eventually(
        lambda: links.first.evaluate(place).startswith('url("data:image/png')
    )
    for route in waiting:
        route.continue_()
    eventually(lambda: links.first.evaluate(place) == "none")


EVENTS = """
window.EventSource = class {
    constructor() {
        window.events = this;
        setTimeout(() => this.onmessage({ data: STATUS }));
    }
    close() {}
};
delete window.SharedWorker;
"""


def test_photos_that_failed_come_by_themselves(page: Page) -> None:
    """Once the server is back, without a click, and while it is away no broken image shows."""
    status = json.dumps(json.dumps(STATUS))
    page.add_init_script(EVENTS.replace("STATUS", status))
    page.route("**/thumb/**", lambda route: route.abort())
    page.goto("/?q=cat&rest=1")
    image = photos(page).get_by_role("img").first
    expect(image).to_have_attribute("data-failed", "")
    expect(image).to_have_css("opacity", "0")
    page.evaluate("events.onerror(), events.onerror()")
    page.unroute("**/thumb/**")
    page.evaluate("events.onopen?.()")
    page.evaluate(f"events.onmessage({{ data: {status} }})")
    loaded = "(img) => img.complete && img.naturalWidth > 0"
    eventually(lambda: image.evaluate(loaded))
    expect(image).to_have_css("opacity", "1")


def test_a_tile_that_is_dragged_out_is_the_photo(page: Page) -> None:
    """What another window or the desktop gets is the file's own address and name."""
    page.goto("/?q=cat&rest=1")
    transfer = page.evaluate_handle("new DataTransfer()")
    photos(page).get_by_role("link").first.dispatch_event(
        "dragstart", {"dataTransfer": transfer}
    )
    address = transfer.evaluate("(data) => data.getData('text/uri-list')")
    assert re.search(r"/img/cat\.png\?v=[0-9a-f]{16}$", address)
    assert page.request.get(address).headers["content-type"] == "image/png"
    named = transfer.evaluate("(data) => data.getData('DownloadURL')")
    assert named == f"image/png:cat.png:{address}"


# --- Months ---------------------------------------------------------------------------


def test_each_month_has_a_heading(page: Page, app: App) -> None:
    """With how many photos it has, the newest first, or the oldest."""
    months = app.get("/months").json()["months"]
    assert len(months) > 1

    def heading(month: str, count: int) -> str:
        name = datetime.fromisoformat(f"{month}-01").strftime("%B %Y")
        return f"{name}{count} {'photo' if count == 1 else 'photos'}"

    expected = [heading(one["month"], one["photos"]) for one in months]
    page.goto("/")
    headings = page.get_by_role("heading", level=2)
    expect(headings).to_have_text(expected)
    names = photos(page).evaluate_all(
        "all => all.map((li) => li.dataset.photo)"
    )
    page.get_by_role("button", name="Oldest").click()
    expect(page).to_have_url(re.compile("sort=oldest"))
    expect(headings).to_have_text(expected[::-1])
    assert (
        photos(page).evaluate_all("all => all.map((li) => li.dataset.photo)")
        == names[::-1]
    )
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(names))
    expect(headings).to_have_count(0)


def have_years(page: Page, total: int = 1200) -> list[str]:
    """Have the server hold photos of many months, 20 each; returns these, newest first."""
    have_many(page, total)
    months = [
        f"{2024 - number // 12}-{12 - number % 12:02}"
        for number in range(total // 20)
    ]

    def answer(route: Route) -> None:
        before = re.search(r"before=(\d{4}-\d\d)", route.request.url)
        offset = re.search(r"offset=(\d+)", route.request.url)
        start = int(offset[1]) if offset else 0
        held = [month for month in months if not before or month < before[1]]
        every = [
            {
                "filename": f"{month}/{number}.jpg",
                "score": None,
                "width": 300,
                "height": 200,
                "taken": f"{month}-{28 - number:02}T12:00:00",
                "version": "0123456789abcdef",
            }
            for month in held
            for number in range(20)
        ]
        found = every[start : start + 100]
        more = start + len(found) < len(every)
        route.fulfill(json={"results": found, "more": more})

    page.route("**/search?*", answer)
    counts = [{"month": month, "photos": 20} for month in months]
    page.route(
        "**/months?*",
        lambda route: route.fulfill(json={"months": counts, "photos": total}),
    )
    return months


def test_a_month_is_gone_to_by_the_keyboard(page: Page) -> None:
    """The scrubber says each month; near ones are scrolled to, far ones begin the page."""
    months = have_years(page)
    page.goto("/")
    scrubber = page.get_by_role("slider", name="Go to a month")
    expect(scrubber).to_have_attribute("aria-valuetext", "December 2024")
    scrubber.focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(scrubber).to_have_attribute("aria-valuetext", "October 2024")
    expect(page.get_by_role("heading", name="October 2024")).to_be_in_viewport()
    assert "at=" not in page.url
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile(rf"at={months[-1]}"))
    expect(page.get_by_role("heading", level=2).first).to_contain_text(
        "January 2020"
    )
    expect(scrubber).to_be_focused()
    assert against_wcag(page) == []
    page.get_by_role("button", name="February 2020").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(
        "February 2020"
    )
    page.go_back()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(
        "January 2020"
    )
    page.go_back()
    expect(page.get_by_role("heading", name="December 2024")).to_be_attached()


def test_the_scrubber_follows_the_page(page: Page) -> None:
    """It stands at the month that is in sight; on a narrow window there is none."""
    have_years(page)
    page.goto("/")
    scrubber = page.get_by_role("slider", name="Go to a month")
    expect(scrubber).to_be_visible()
    page.locator('[data-month="2024-09"]').evaluate(
        "(section) => section.scrollIntoView()"
    )
    expect(scrubber).to_have_attribute("aria-valuetext", "September 2024")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(scrubber).to_have_count(0)


# --- Photos that are nearly the same --------------------------------------------------


def test_copies_are_one_tile_that_unfolds(page: Page, app: App) -> None:
    """With a count, by keys too; in the order of time all photos stand as they were taken."""
    for number in range(2):
        app.add("raccoon.webp", f"copies/{number}.webp")
    eventually(lambda: "copies/1.webp" in app.photos())
    page.goto("/?q=raccoon&rest=1")
    count = page.get_by_role("button", name="2 similar photos")
    expect(count).to_have_text("+2")
    expect(count).to_have_attribute("aria-expanded", "false")
    shown = photos(page).count()
    assert against_wcag(page) == []
    page.locator(".photo", has=count).get_by_role("link").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(count).to_be_focused()
    page.keyboard.press("Enter")
    expect(photos(page)).to_have_count(shown + 2)
    expect(count).to_have_attribute("aria-expanded", "true")
    expect(count).to_be_focused()
    assert against_wcag(page) == []
    names = photos(page).evaluate_all(
        "all => all.map((li) => li.dataset.photo)"
    )
    assert {*names[:3]} == {"raccoon.webp", "copies/0.webp", "copies/1.webp"}
    page.keyboard.press("Enter")
    expect(photos(page)).to_have_count(shown)
    page.goto("/")
    expect(photos(page)).to_have_count(shown + 2)
    for number in range(2):
        (app.img / f"copies/{number}.webp").unlink()
    eventually(lambda: len(app.photos()) == shown)


# --- Size, and where the focus goes ---------------------------------------------------


def row_heights(page: Page) -> set[int]:
    return {round(row["height"]) for row in page.evaluate(ROWS)}


def test_photos_are_as_large_as_one_likes(page: Page) -> None:
    """By buttons, keys and Ctrl with the wheel; what one looks at stays, and so does the size."""
    have_many(page, 400)
    page.goto("/?q=cat&rest=1")
    expect(tile(page, 90)).to_be_attached()
    [normal] = row_heights(page)
    page.get_by_role("button", name="Smaller photos").click()
    [small] = row_heights(page)
    assert small < 0.8 * normal
    page.reload()
    expect(tile(page, 90)).to_be_attached()
    assert row_heights(page) == {small}
    tile(page, 0).get_by_role("link").focus()
    page.keyboard.press("+")
    assert row_heights(page) == {normal}
    tile(page, 60).scroll_into_view_if_needed()
    tile(page, 60).hover()
    before = tile(page, 60).bounding_box()
    tile(page, 60).get_by_role("link").focus()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -60)
    page.keyboard.up("Control")
    eventually(lambda: min(row_heights(page)) > normal)
    after = tile(page, 60).bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 2
    assert page.evaluate("visualViewport.scale") == 1


def test_the_focus_goes_to_what_is_new(page: Page) -> None:
    """After "Show all" it is on the first photo that was not there: Tab skips none."""
    have_many(page, 60, good=24)
    page.goto("/?q=cat")
    expect(photos(page)).to_have_count(24)
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    expect(tile(page, 24).get_by_role("link")).to_be_focused()


def test_more_like_a_photo_by_keys_leads_to_its_photos(page: Page) -> None:
    """The focus is on the first of them, where the arrow keys go on."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="More like cat.png")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("like=cat.png"))
    expect(photos(page).first.get_by_role("link")).to_be_focused()


@pytest.mark.parametrize("width", [320, 390, 820, 2560])
def test_the_grid_fits_any_window(page: Page, width: int) -> None:
    """No photo is wider than the window, and nothing scrolls sideways, enlarged four times too."""
    page.set_viewport_size({"width": width, "height": 640})
    have_many(page, 60)
    page.goto("/")
    expect(tile(page, 50)).to_be_attached()
    tile(page, 3).locator(".select").dispatch_event("click")
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert all(row["width"] <= width for row in page.evaluate(ROWS))
