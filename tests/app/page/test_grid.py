"""The grid of photos."""

from playwright.sync_api import Page, expect

from tests.browser import visit
from tests.harness import eventually
from tests.page import box, have_many, photos, search


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
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    # There is one stop for all the photos.
    expect(photos(page).locator(":focus")).to_have_count(0)
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value("")


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
