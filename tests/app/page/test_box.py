"""The box: words, photos, and what is asked for beside them."""

import re
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.harness import PHOTOS, App
from tests.page import (
    SAMPLES,
    against_wcag,
    box,
    chips,
    expect_results,
    first_photo,
    held,
    photos,
    search,
    tokens,
)


def test_type_and_see(page: Page) -> None:
    """Words typed and Enter pressed show the right photo first, as a thumbnail that is sharp."""
    page.goto("/")
    search(page, "a cup of coffee")
    expect_results(page, "for “a cup of coffee”", "coffee.png")
    card = photos(page).first
    expect(card).to_contain_text("coffee.png")
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
    expect(box(page)).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Newest photos")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(box(page)).to_have_attribute(
        "placeholder", re.compile(rf"^Search {len(SAMPLES)} photos")
    )
    shift = page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) =>
            done(list.getEntries().reduce((sum, { value }) => sum + value, 0))
        ).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 500))"""
    )
    assert shift < 0.01


def test_an_example_is_a_search(page: Page) -> None:
    """Examples are of what these photos show: one click finds it, and it fits."""
    page.goto("/")
    examples = page.get_by_role("list", name="Examples").get_by_role("button")
    expect(examples).not_to_have_count(0)
    said = examples.all_inner_texts()
    assert "a cup of coffee" in said
    expect(page.get_by_text("A minus leaves something out")).to_be_visible()
    for example in said:
        page.goto("/")
        page.get_by_role("button", name=example).click()
        expect_results(page, f"for “{example}”")
        expect(box(page)).to_have_value(example)


def test_the_query_is_in_the_address(page: Page) -> None:
    """A reload, a shared address, Back and Forward show the search they stand for."""
    page.goto(f"/?q={quote('rocket launch')}")
    expect(box(page)).to_have_value("rocket launch")
    expect_results(page, "for “rocket launch”", "rocket.jpg")
    search(page, "cat")
    expect(page).to_have_url(re.compile(r"\?q=cat$"))
    expect(page).to_have_title(re.compile("cat"))
    expect_results(page, "for “cat”")
    page.reload()
    expect(box(page)).to_have_value("cat")
    expect_results(page, "for “cat”", "cat.png")
    page.go_back()
    expect_results(page, "for “rocket launch”", "rocket.jpg")
    expect(box(page)).to_have_value("rocket launch")
    page.go_forward()
    expect_results(page, "for “cat”", "cat.png")


def test_a_minus_leaves_out(page: Page) -> None:
    """A minus stays in the box as it was typed, and is removed there; links have it too."""
    page.goto("/")
    search(page, 'an animal -cat -"green leaves"')
    expect_results(page, "for “an animal”, without “cat”, “green leaves”")
    expect(box(page)).to_have_value('an animal -cat -"green leaves"')
    assert parse_qs(urlsplit(page.url).query)["minus"] == [
        "cat",
        "green leaves",
    ]
    assert first_photo(page) != "cat.png"
    page.reload()
    expect(box(page)).to_have_value('an animal -cat -"green leaves"')
    search(page, "an animal")
    expect_results(page, "for “an animal”")
    expect(page).to_have_url(re.compile(r"\?q=an\+animal$"))


def test_exclude_is_a_minus_for_everyone(page: Page) -> None:
    """The Exclude button begins a minus in the box, for those who know none."""
    page.goto("/?q=an+animal")
    page.get_by_role("button", name="Exclude…").click()
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value("an animal -")
    # A minus that nothing follows leaves nothing out.
    page.keyboard.press("Enter")
    expect_results(page, "for “an animal”")
    page.get_by_role("button", name="Exclude…").click()
    page.keyboard.type("cat")
    page.keyboard.press("Enter")
    expect_results(page, "for “an animal”, without “cat”")
    expect(box(page)).to_have_value("an animal -cat")


def test_new_words_are_a_new_question(page: Page) -> None:
    """Enter asks for what is typed alone: no photo and no minus of before stays; filters do."""
    page.goto("/?like=motorcycle.jpg&before=2100-01-01")
    expect(tokens(page)).to_have_text(["Like motorcycle.jpg"])
    search(page, "flower")
    expect_results(page, "for “flower”", "flower.jpg")
    expect(tokens(page)).to_have_count(0)
    assert set(parse_qs(urlsplit(page.url).query)) == {"q", "before"}
    expect(chips(page)).to_have_text(["Until December 31, 2099"])


def test_words_are_added_to_a_photo_on_demand(page: Page) -> None:
    """A photo stands in the box as a token; a plus adds words to it, Backspace takes it away."""
    page.goto("/?q=cat")
    photos(page).first.hover()
    page.get_by_role("button", name="More like cat.png").click()
    expect_results(page, "like cat.png")
    expect(box(page)).to_have_value("")
    expect(page.get_by_role("img", name="cat.png")).to_have_count(0)
    expect(tokens(page)).to_have_text(["Like cat.png"])
    picture = tokens(page).locator("img")
    assert picture.evaluate(
        "async (img) => (await img.decode(), img.naturalWidth > 0)"
    )
    page.get_by_role("button", name="Add words to the photo").click()
    expect(box(page)).to_be_focused()
    page.keyboard.type("flower -leaf")
    page.keyboard.press("Enter")
    expect_results(page, "for “flower”, like cat.png, without “leaf”")
    # What is there already is changed together.
    search(page, "a red flower")
    expect_results(page, "for “a red flower”, like cat.png")
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    expect_results(page, "for “a red flower”", "flower.jpg")
    expect(box(page)).to_be_focused()
    page.go_back()
    expect(tokens(page)).to_have_text(["Like cat.png"])
    page.get_by_role("button", name="Remove Like cat.png").click()
    expect_results(page, "for “a red flower”", "flower.jpg")


def test_the_box_is_cleared_at_once(page: Page) -> None:
    """The cross takes words and photos away, and asks; filters stay, and so does the focus."""
    page.goto("/?q=cat&like=flower.jpg&folder=trips")
    page.get_by_role("button", name="Clear", exact=True).first.click()
    expect(page).to_have_url(re.compile(r"/\?folder=trips$"))
    expect(photos(page)).to_have_count(1)
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value("")


def test_nonsense_is_no_match(page: Page) -> None:
    """What fits no better than chance is said to, and shown as the closest there is."""
    page.goto("/?q=qzxvkp")
    expect(page.get_by_role("status")).to_contain_text(
        "Nothing fits “qzxvkp” well. Closest photos:"
    )
    expect(photos(page)).not_to_have_count(0)


def test_photos_are_found_by_name(page: Page) -> None:
    """Photos of the name that is typed come first, each once; folders of it are links."""
    page.goto("/")
    search(page, "athens")
    row = page.get_by_role("list", name="Photos named like this")
    expect(photos(page).first).to_contain_text("Named: trips/athens")
    expect(row).to_have_count(0)
    page.get_by_role("link", name="trips/athens", exact=True).click()
    expect(page).to_have_url(re.compile(r"/\?folder=trips%2Fathens$"))
    expect(photos(page)).to_have_count(1)
    search(page, "no such name")
    expect(page.get_by_role("status")).to_contain_text("no such name")
    expect(row).to_have_count(0)


def test_a_time_that_is_typed_is_offered_as_one(page: Page) -> None:
    """A year, a month and a day are one click from the photos that were taken then."""
    for typed, after, before in (
        ("2024", "2024-01-01", "2025-01-01"),
        ("2024-12", "2024-12-01", "2025-01-01"),
        ("2024-02-28", "2024-02-28", "2024-02-29"),
    ):
        page.goto(f"/?q={typed}")
        page.get_by_role("link", name=f"Taken in {typed}").click()
        asked = f"after={after}&before={before}$"
        expect(page).to_have_url(re.compile(asked))
    page.goto("/?q=4006")
    expect(page.get_by_role("status")).to_contain_text("4006")
    expect(page.get_by_role("link", name="Taken in")).to_have_count(0)


def test_recent_searches(page: Page) -> None:
    """They open on demand, narrow down as one types, and go away one by one; all by keys."""
    page.goto("/")
    listed = page.get_by_role("listbox", name="Recent searches")
    for words in ("flower", "a cup of coffee -table", "rocket"):
        search(page, words)
        expect(page).to_have_title(re.compile(words.split(" -", maxsplit=1)[0]))
    page.goto("/")
    expect(photos(page)).not_to_have_count(0)
    # The focus that the box has from the start covers nothing.
    expect(box(page)).to_be_focused()
    expect(listed).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(listed.get_by_role("option")).to_have_text(
        ["rocket", "a cup of coffee -table", "flower"]
    )
    expect(box(page)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Delete")
    expect(listed.get_by_role("option")).to_have_count(2)
    page.keyboard.type("cof")
    expect(listed.get_by_role("option")).to_have_text(
        ["a cup of coffee -table"]
    )
    page.keyboard.press("ArrowDown")
    active = box(page).get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute(
        "aria-selected", "true"
    )
    page.keyboard.press("Enter")
    expect_results(page, "for “a cup of coffee”, without “table”", "coffee.png")
    expect(listed).to_have_count(0)
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()
    page.reload()
    page.locator("body").press("Control+k")
    expect(listed.get_by_role("option")).to_have_text(["flower"])
    page.keyboard.press("Escape")
    expect(listed).to_have_count(0)


def test_the_ring_is_soft_until_keys_are_used(page: Page) -> None:
    """The box has the focus from the start, quietly; who goes by keys sees a strong ring."""
    page.goto("/")
    ring = "getComputedStyle(document.querySelector('.search')).outlineStyle"
    expect(box(page)).to_be_focused()
    assert page.evaluate(ring) == "none"
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(ring) == "solid"


def test_pick_a_photo(page: Page) -> None:
    """A photo that is picked finds its like; reload and Back bring it again, on this device."""
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search with a photo").click()
    chooser.value.set_files(PHOTOS / "rocket.jpg")
    expect_results(page, "like your photo", "rocket.jpg")
    expect(tokens(page)).to_have_text(["Your photo"])
    picture = tokens(page).locator("img")
    assert picture.evaluate(
        "async (img) => (await img.decode(), img.naturalWidth > 0)"
    )
    expect(page).to_have_url(re.compile(r"\?image=\w+$"))
    page.reload()
    expect_results(page, "like your photo", "rocket.jpg")
    page.get_by_role("button", name="Add words to the photo").click()
    page.keyboard.type("a flower")
    page.keyboard.press("Enter")
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
    expect(tokens(page)).to_have_text(["Your photo"])
    # There is a sign in its place, nothing broken.
    expect(tokens(page).locator("img")).to_have_count(0)


def test_paste_a_photo(page: Page) -> None:
    """A photo in the clipboard is pasted, whatever has the focus."""
    page.goto("/")
    page.evaluate(
        "clipboardData => document.activeElement.dispatchEvent("
        "new ClipboardEvent('paste', { clipboardData, bubbles: true }))",
        held(page, PHOTOS / "flower.jpg"),
    )
    expect_results(page, "like your photo", "flower.jpg")


def test_of_two_photos_the_first_is_taken(page: Page) -> None:
    """Which of several files is searched by is said."""
    page.goto("/")
    both = page.evaluate_handle(
        """([one, other]) => {
            for (const file of other.files) one.items.add(file);
            return one;
        }""",
        [held(page, PHOTOS / "cat.png"), held(page, PHOTOS / "flower.jpg")],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": both})
    expect(page.get_by_role("alert")).to_contain_text(
        "Searching by cat.png, the first of 2 files"
    )
    expect_results(page, "like your photo", "cat.png")
    page.get_by_role("alert").get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def bring_link(page: Page, link: str, how: str) -> None:
    """Paste a link, or drop it, as the browser hands it over."""
    kind = "text/plain" if how == "paste" else "text/uri-list"
    page.evaluate(
        """([link, how, kind]) => {
            const data = new DataTransfer();
            data.setData(kind, link);
            const options = { bubbles: true, cancelable: true };
            const event = how === "paste"
                ? new ClipboardEvent(how, { ...options, clipboardData: data })
                : new DragEvent(how, { ...options, dataTransfer: data });
            document.activeElement.dispatchEvent(event);
        }""",
        [link, how, kind],
    )


ELSEWHERE = "https://pictures.example/a%20rocket.jpg"


@pytest.mark.parametrize("how", ["paste", "drop", "Enter"])
def test_a_link_is_fetched_by_the_browser(page: Page, how: str) -> None:
    """The picture at a link is searched by; the browser fetches it, without telling from where."""
    asked: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        asked.append(route.request.headers)
        route.fulfill(
            path=PHOTOS / "rocket.jpg",
            content_type="image/jpeg",
            headers={"Access-Control-Allow-Origin": "*"},
        )

    page.route("https://pictures.example/**", answer)
    page.goto("/?q=cat")
    expect_results(page, "for “cat”")
    if how == "Enter":
        search(page, ELSEWHERE)
    else:
        bring_link(page, ELSEWHERE, how)
    expect_results(page, "like your photo", "rocket.jpg")
    [headers] = asked
    assert not {"referer", "cookie"} & {*headers}


def test_a_link_that_leads_nowhere_says_what_to_do(page: Page) -> None:
    """A site that refuses, has nothing there, or has a page there, is told from the others."""
    page.goto("/?q=cat")
    for answer, sentence in (
        (lambda route: route.abort(), "Save it there, then drop the file here."),
        (lambda route: fulfill(route, 404, "image/png"), "no picture at this link (404)"),
        (lambda route: fulfill(route, 200, "text/html"), "leads to a page, not to a picture"),
    ):  # fmt: skip
        page.route("https://pictures.example/**", answer)
        bring_link(page, ELSEWHERE, "paste")
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        page.unroute("https://pictures.example/**")
    expect(page).to_have_url(re.compile(r"\?q=cat$"))


def fulfill(route: Route, status: int, kind: str) -> None:
    anyone = {"Access-Control-Allow-Origin": "*"}
    route.fulfill(status=status, content_type=kind, headers=anyone, body="x")


def test_a_link_to_ones_own_photo_needs_no_fetching(
    page: Page, app: App
) -> None:
    """The address of a photo of this index asks for its like."""
    page.goto("/?q=cat")
    for path in ("/img/flower.jpg?v=1", "/thumb/flower.jpg?size=256", "/?photo=flower.jpg"):  # fmt: skip
        bring_link(page, app.url + path, "paste")
        expect_results(page, "like flower.jpg")
        page.goto("/?q=cat")


def test_other_text_is_pasted_as_text(page: Page) -> None:
    """Words that have a link among them are words."""
    page.goto("/")
    bring_link(page, "see https://pictures.example/a.jpg", "paste")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/$"))


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


@pytest.mark.parametrize(
    ("width", "height"), [(320, 256), (320, 640), (2560, 1440)]
)
def test_the_box_at_any_width(page: Page, width: int, height: int) -> None:
    """Tokens, recent searches and the form fit windows of any size, and axe finds nothing."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/?q=flower")
    search(page, "coffee")
    page.goto(
        "/?q=flower&like=cat.png&minus=leaf&folder=trips&after=2001-01-01"
    )
    expect(tokens(page)).to_have_count(1)
    broken = {"tokens": against_wcag(page)}
    page.keyboard.press("Control+k")
    page.keyboard.press("Delete")
    expect(page.get_by_role("listbox")).to_be_visible()
    broken["recent searches"] = against_wcag(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters 2 active").click()
    expect(page.get_by_role("treeitem", name="trips")).to_be_visible()
    page.get_by_label("To", exact=True).fill("2000-01-01")
    broken["filters"] = against_wcag(page)
    apply = page.get_by_role("button", name="Apply")
    apply.scroll_into_view_if_needed()
    expect(apply).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not any(broken.values()), broken


def test_all_of_it_by_keys(page: Page) -> None:
    """From an empty box to a filtered combination, and back, without a pointer."""
    page.goto("/")
    expect(box(page)).to_be_focused()
    page.keyboard.type("flower")
    page.keyboard.press("Enter")
    expect_results(page, "for “flower”", "flower.jpg")
    for _ in range(
        4
    ):  # the cross, the camera, the glass, and on to the filters
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Filters")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("tri")
    expect(page.get_by_role("treeitem")).to_have_text(
        ["trips1", "trips/athens1"]
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    field = page.get_by_label("Folder", exact=True)
    expect(field).to_have_value("trips")
    field.press("Enter")
    expect(page).to_have_url(re.compile("folder=trips"))
    expect(page.get_by_role("form", name="Filters")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?folder=trips$"))
