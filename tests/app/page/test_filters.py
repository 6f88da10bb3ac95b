"""Filters, the order of photos, and what fits less well."""

import re

from playwright.sync_api import Page, expect

from tests.page import (
    SAMPLES,
    chips,
    cut_after,
    expect_results,
    first_photo,
    have_many,
    photos,
    tile,
)


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
        ["trips", "From January 1, 1999", "Before December 31, 1999"]
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
    page.get_by_role("button", name="Show all").click()
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
    page.get_by_role("button", name="Show all").click()
    expect(tile(page, 0).get_by_role("link")).to_be_focused()
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
    expect(tile(page, 90)).to_be_attached()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(photos(page)).to_have_count(100)
    page.get_by_role("button", name="Show all").click()
    expect(photos(page)).to_have_count(120)
    assert page.evaluate("scrollY") > 1000


def test_the_cut_leaves_no_page_empty(page: Page) -> None:
    """Where the cut would leave nothing at all, everything is shown."""
    cut_after(page, 0)
    page.goto("/?q=cat")
    expect(photos(page)).to_have_count(len(SAMPLES))
