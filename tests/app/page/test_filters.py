"""Filters, the order of photos, and what fits less well."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.harness import App
from tests.page import (
    SAMPLES,
    answering,
    chips,
    cut_after,
    expect_results,
    first_photo,
    have_many,
    photos,
    tile,
)


def open_filters(page: Page) -> Locator:
    page.get_by_role("button", name=re.compile("^Filters")).click()
    form = page.get_by_role("form", name="Filters")
    expect(form).to_be_visible()
    return form


def test_filters(page: Page) -> None:
    """A folder and days narrow the photos down, show that they do, and can be cleared."""
    page.goto("/")
    form = open_filters(page)
    form.get_by_label("Folder", exact=True).fill("trips")
    form.get_by_role("button", name="Apply").click()
    expect(photos(page)).to_have_count(1)
    assert first_photo(page) == "temple.jpg"
    expect(page).to_have_url(re.compile(r"\?folder=trips$"))
    expect(page.get_by_role("status")).to_have_text(re.compile("^1 photo"))
    page.get_by_role("button", name="Filters 1 active").click()
    form.get_by_label("From", exact=True).fill("1999-01-01")
    form.get_by_label("To", exact=True).fill("1999-12-31")
    form.get_by_role("button", name="Apply").click()
    expect(
        page.get_by_text(
            "No photos in trips, from January 1, 1999, until December 31, 1999"
        )
    ).to_be_visible()
    expect(chips(page)).to_have_text(
        ["trips", "From January 1, 1999", "Until December 31, 1999"]
    )
    # Programs are asked with the first day that no longer counts.
    expect(page).to_have_url(re.compile("before=2000-01-01"))
    page.reload()
    page.get_by_role("button", name="Filters 3 active").click()
    expect(form.get_by_label("From", exact=True)).to_have_value("1999-01-01")
    expect(form.get_by_label("To", exact=True)).to_have_value("1999-12-31")
    form.get_by_label("Folder", exact=True).fill("elsewhere")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters 3 active").click()
    # What was not applied is gone.
    expect(form.get_by_label("Folder", exact=True)).to_have_value("trips")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear the filters").click()
    expect(photos(page)).to_have_count(len(SAMPLES))


def test_both_ends_count(page: Page, app: App) -> None:
    """From a day to the same day finds what was taken on it, also in links of before."""
    [taken] = {
        hit["taken"][:10]
        for hit in app.get("/search").json()["results"]
        if hit["filename"] == "cat.png"
    }
    page.goto("/")
    form = open_filters(page)
    form.get_by_label("From", exact=True).fill(taken)
    form.get_by_label("To", exact=True).fill(taken)
    form.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("img", name="cat.png")).to_be_visible()
    for before, day in (
        ("2024", "December 31, 2023"),
        ("2024-03", "February 29, 2024"),
        ("2024-03-01T12:00", "March 1, 2024"),
        ("2024-03-01T00:00:00", "February 29, 2024"),
    ):
        page.goto(f"/?before={before}")
        expect(chips(page)).to_have_text([f"Until {day}"])
        form = open_filters(page)
        form.get_by_role("button", name="Apply").click()
        # Nothing was changed, and nothing of it is rounded.
        assert parse_qs(urlsplit(page.url).query)["before"] == [before]


def test_days_by_one_click(page: Page) -> None:
    """Often meant spans are one click; which days there are photos of is said."""
    page.goto("/")
    form = open_filters(page)
    expect(form.get_by_text("There are photos from")).to_be_visible()
    year = page.evaluate("new Date().getFullYear()")
    for name, days in (
        ("This year", (f"{year}-01-01", f"{year}-12-31")),
        ("Last year", (f"{year - 1}-01-01", f"{year - 1}-12-31")),
    ):
        form.get_by_role("button", name=name).click()
        expect(form.get_by_label("From", exact=True)).to_have_value(days[0])
        expect(form.get_by_label("To", exact=True)).to_have_value(days[1])
        expect(form.get_by_role("button", name=name)).to_have_attribute(
            "aria-pressed", "true"
        )
    form.get_by_role("button", name="Last 30 days").click()
    span = page.evaluate(
        """() => {
            const [from, to] = document.querySelectorAll("#filters [type=date]");
            return (to.valueAsNumber - from.valueAsNumber) / 864e5 + 1;
        }"""
    )
    assert span == 30


def test_an_end_before_the_beginning_is_refused(page: Page) -> None:
    """An inverted span is told while it is entered, and is never asked for."""
    page.goto("/")
    form = open_filters(page)
    form.get_by_label("From", exact=True).fill("2024-05-02")
    form.get_by_label("To", exact=True).fill("2024-05-01")
    expect(form.get_by_role("alert")).to_have_text("“To” is before “From”.")
    form.get_by_role("button", name="Apply").click()
    expect(form).to_be_visible()
    expect(page).to_have_url(re.compile(r"/$"))
    form.get_by_label("To", exact=True).fill("2024-05-02")
    expect(form.get_by_role("alert")).to_have_count(0)
    form.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("after=2024-05-02&before=2024-05-03"))


def test_a_folder_that_is_not_there_is_said_at_once(page: Page) -> None:
    """In the form before it is asked for; in an address with the folder that may be meant."""
    page.goto("/")
    form = open_filters(page)
    field = form.get_by_label("Folder", exact=True)
    field.fill("elsewhere")
    expect(form.get_by_role("alert")).to_have_text(
        "There is no folder “elsewhere”"
    )
    form.get_by_role("button", name="Apply").click()
    expect(form).to_be_visible()
    # Case does not count, nor do slashes.
    field.fill("/TRIPS/athens/")
    expect(form.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?folder=trips%2Fathens$"))
    page.goto("/?folder=Trips&q=temple")
    expect(page.get_by_text("There is no folder “Trips”")).to_be_visible()
    page.get_by_role("button", name="trips", exact=True).click()
    expect_results(page, "for “temple”", "temple.jpg")


def test_the_keyboard_goes_along_the_folders(page: Page) -> None:
    """One Tab stop; arrows go up and down, unfold and fold, Enter chooses."""
    page.goto("/")
    form = open_filters(page)
    tree = form.get_by_role("tree", name="Folders")
    rows = tree.get_by_role("treeitem")
    expect(rows).to_have_text(["trips1"])  # and its count
    form.get_by_label("Folder", exact=True).press("ArrowDown")
    expect(rows.first).to_be_focused()
    expect(rows.first).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(rows).to_have_text(["trips1", "athens1"])
    expect(rows.nth(1)).to_have_attribute("aria-level", "2")
    page.keyboard.press("ArrowRight")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(rows.first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(rows).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(form.get_by_label("Folder", exact=True)).to_have_value(
        "trips/athens"
    )
    form.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"\?folder=trips%2Fathens$"))


def test_ten_thousand_folders(page: Page) -> None:
    """As many are shown as can be looked through; a word finds each of the others."""
    many = [{"folder": f"Trip {n}", "photos": 2} for n in range(10_000)]
    answer = {"folders": many, "total": 10_000, "oldest": None, "newest": None}
    page.route("**/folders?*", answering(200, answer))
    page.goto("/")
    form = open_filters(page)
    rows = form.get_by_role("treeitem")
    expect(rows).to_have_count(200)
    expect(form.get_by_text("9,800 more folders")).to_be_visible()
    form.get_by_label("Folder", exact=True).fill("trip 777")
    expect(form.get_by_text("more folders")).to_have_count(0)
    form.get_by_label("Folder", exact=True).fill("9999")
    expect(rows).to_have_text(["Trip 99992"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?folder=Trip\+9999$"))


def test_folders_that_can_not_be_had_stop_nobody(page: Page) -> None:
    """While the server doesn't tell its folders, what is typed is asked for as it is."""
    page.route("**/folders?*", answering(503, {"detail": "Not now"}))
    page.goto("/")
    form = open_filters(page)
    form.get_by_label("Folder", exact=True).fill("trips")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?folder=trips$"))
    expect(photos(page)).to_have_count(1)


def test_the_count_is_of_all_photos(page: Page) -> None:
    """What is shown, of how many; all of a folder, though a page has a hundred of them."""
    shape: dict[str, Any] = {"score": None, "width": 3, "height": 2}
    shape |= {"taken": "2024-05-01", "version": "0" * 16}
    found = [{"filename": f"{number}.jpg"} | shape for number in range(100)]
    about: dict[str, Any] = {"results": found, "more": True}
    about |= {"total": 250, "searched": 250}
    page.route("**/search?*", lambda route: route.fulfill(json=about))
    page.goto("/?folder=big")
    expect(page.get_by_role("status")).to_have_text(re.compile("^250 photos"))
    about |= {"total": 97, "searched": 1047}
    page.goto("/?q=dog")
    expect(page.get_by_role("status")).to_have_text(
        re.compile("^97 of 1,047 photos")
    )
    about |= {"total": None}
    page.goto("/?q=cat")
    expect(page.get_by_role("status")).to_have_text(
        re.compile("^More than 100 photos")
    )


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


def test_what_fits_less_well_can_be_hidden_again(page: Page) -> None:
    """Where all are shown there is a way back to the best, by keys too."""
    cut_after(page, 2)
    page.goto("/?q=cat")
    fewer = page.get_by_role("button", name="Show fewer")
    expect(photos(page)).to_have_count(2)
    expect(fewer).to_have_count(0)
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    fewer.focus()
    page.keyboard.press("Enter")
    expect(photos(page)).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?q=cat$"))
    expect(page.get_by_role("button", name="Show all")).to_be_visible()


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
