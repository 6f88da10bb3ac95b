"""Several photos at once: how they are selected, and what can be done with them."""

import io
import re
import zipfile
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Download, Locator, Page, Route, expect

from tests.harness import PHOTOS, App
from tests.page import (
    IN_A_FOLDER,
    SAMPLES,
    against_wcag,
    answering,
    box,
    expect_results,
    have_many,
    photos,
    search,
    tile,
    tokens,
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
    for number in (2, 18, 31):
        tile(page, number).get_by_role("link").focus()
        page.keyboard.press("x")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(tile(page, 150)).to_be_attached()
    assert selected(page) == [2, 18, 31]
    page.get_by_role("button", name="Larger photos").click()
    assert selected(page) == [2, 18, 31]
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


def have_none_of(page: Page, name: str) -> None:
    """Have the page ask for a file that has gone, instead of this one."""

    def ask_for_another(route: Route) -> None:
        asked = route.request.post_data or ""
        route.continue_(post_data=asked.replace(name, "gone.png"))

    page.route("**/archive*", ask_for_another)


def test_a_file_that_fails_is_told(page: Page) -> None:
    """The others are saved, and its name is said; where all fail nothing is saved."""
    have_none_of(page, "cat.png")
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    for number in range(2):
        photos(page).nth(number).hover()
        photos(page).nth(number).get_by_role("checkbox").click()
    download = bar(page).get_by_role("button", name="Download")
    with page.expect_download() as started:
        download.click()
    with zipfile.ZipFile(started.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 2
        assert archive.read("missing photos.txt").endswith(b"gone.png\n")
    said = "1 file could not be downloaded: "
    expect(bar(page)).to_contain_text(f"{said}gone.png")
    downloads: list[Download] = []

    def note(download: Download) -> None:
        downloads.append(download)

    page.on("download", note)
    photos(page).nth(1).get_by_role("checkbox").click()
    expect(bar(page)).to_contain_text("1 selected")
    with page.expect_response("**/archive?check=true"):
        download.click()
    expect(bar(page)).to_contain_text(f"{said}cat.png")
    expect(download).to_be_enabled()
    assert downloads == []


def test_a_download_that_is_refused_says_why(page: Page) -> None:
    """The page stays as it is, whether the server says no or is away."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.hover()
    photos(page).first.get_by_role("checkbox").click()
    refusal = {"detail": "Too many are downloading: wait a little."}
    page.route("**/archive*", answering(429, refusal))
    download = bar(page).get_by_role("button", name="Download")
    download.click()
    expect(bar(page)).to_contain_text(refusal["detail"])
    page.route("**/archive*", lambda route: route.abort())
    download.click()
    expect(bar(page)).to_contain_text("The server can’t be reached")
    expect(photos(page)).to_have_count(len(SAMPLES))


def select_first(page: Page, number: int) -> list[str]:
    """Select so many photos, and say which."""
    for place in range(number):
        photos(page).nth(place).get_by_role("link").focus()
        page.keyboard.press("x")
    names: list[str] = photos(page).evaluate_all(
        f"all => all.slice(0, {number}).map((photo) => photo.dataset.photo)"
    )
    return names


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def act(page: Page, name: str) -> Locator:
    return bar(page).get_by_role("button", name=name)


def test_more_like_these(page: Page) -> None:
    """Those that are selected are the new question: no words, limits or order stay."""
    page.goto("/?q=animal&before=2100-01-01&sort=oldest&rest=1&minus=leaf")
    expect(photos(page)).to_have_count(len(SAMPLES))
    names = select_first(page, 2)
    act(page, "More like these").click()
    expect(tokens(page)).to_have_text(
        [f"Like {name.split('/')[-1]}" for name in names]
    )
    assert asked(page) == {"like": names}
    expect_results(page, "like 2 photos")
    for name in names:
        expect(page.locator(f'[data-photo="{name}"]')).to_have_count(0)
    expect(bar(page)).to_have_count(0)
    expect(photos(page).first.get_by_role("link")).to_be_focused()
    page.go_back()
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(bar(page)).to_have_count(0)
    select_first(page, 1)
    act(page, "More like this").click()
    expect(tokens(page)).to_have_count(1)


def expect_phrase(page: Page, phrase: str) -> None:
    """However well the photos fit that are left."""
    said = re.compile(rf" {re.escape(phrase)}$")
    expect(page.get_by_role("status")).to_have_text(said)


def test_exclude_these(page: Page) -> None:
    """They are taken from the present question, until their tokens are."""
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    names = select_first(page, 2)
    act(page, "Exclude these").click()
    expect(photos(page)).to_have_count(len(SAMPLES) - 2)
    assert asked(page) == {"q": ["cat"], "rest": ["1"], "unlike": names}
    expect_phrase(page, "for “cat”, without 2 photos")
    expect(tokens(page)).to_have_text([f"Without {name}" for name in names])
    expect(box(page)).to_have_value("cat")
    # Words beside them are changed, and they stay.
    search(page, "dog")
    expect_phrase(page, "for “dog”, without 2 photos")
    page.get_by_role("button", name=f"Remove Without {names[0]}").click()
    expect_phrase(page, f"for “dog”, without {names[1]}")
    expect(box(page)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    expect_phrase(page, "for “dog”")
    expect(tokens(page)).to_have_count(0)


def test_without_a_question_they_are_left_out(page: Page) -> None:
    """The rest stays in the order of time, under its months, and is counted so."""
    page.goto("/?folder=trips")
    expect(photos(page)).to_have_count(1)
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    [name] = select_first(page, 1)
    with page.expect_response("**/months?unlike=*"):
        act(page, "Exclude this").click()
    expect(photos(page)).to_have_count(len(SAMPLES) - 1)
    expect(page.get_by_role("status")).to_contain_text("Newest photos")
    assert asked(page) == {"unlike": [name]}
    page.goto(f"/?folder=trips&unlike={IN_A_FOLDER}")
    said = page.get_by_text("No photos in trips, without temple.jpg")
    expect(said).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(photos(page)).to_have_count(len(SAMPLES))


def test_too_many_are_told(page: Page) -> None:
    """Where more are selected than can be asked for, the bar says how many may be."""
    have_many(page, 60)
    page.goto("/?q=cat&rest=1")
    tile(page, 0).get_by_role("link").focus()
    page.keyboard.press("x")
    page.keyboard.press("End")
    page.keyboard.press("Shift+X")
    expect(bar(page)).to_contain_text("60 selected")
    for name in ("More like these", "Exclude these"):
        act(page, name).click()
        expect(bar(page)).to_contain_text("At most 50 photos at once")
        assert asked(page) == {"q": ["cat"], "rest": ["1"]}
    tile(page, 3).get_by_role("checkbox").click()
    expect(bar(page)).to_contain_text("59 selected")


@pytest.mark.parametrize("width", [320, 1280])
def test_many_tokens_hide_behind_a_number(page: Page, width: int) -> None:
    """The first are shown, with how many more there are; a click shows them all."""
    page.set_viewport_size({"width": width, "height": 720})
    like = "".join(f"&like={name}" for name in SAMPLES if name != "temple.jpg")
    page.goto(f"/?unlike={IN_A_FOLDER}{like}")
    shown = 3 if width > 500 else 1
    expect(tokens(page)).to_have_count(shown + 1)
    number = len(SAMPLES) - shown
    more = tokens(page).get_by_role("button", name=f"{number} photos more")
    expect(more).to_have_text(f"+{number}")
    assert against_wcag(page) == []
    more.focus()
    page.keyboard.press("Enter")
    expect(tokens(page)).to_have_count(len(SAMPLES))
    first_more = tokens(page).nth(shown).get_by_role("button")
    expect(first_more).to_be_focused()
    expect(tokens(page).last).to_have_text("Without temple.jpg")
    assert against_wcag(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box(page).focus()
    page.keyboard.press("Backspace")
    expect(tokens(page)).to_have_count(len(SAMPLES) - 1)
    expect(page).not_to_have_url(re.compile("unlike"))


# --- By drawing around them -----------------------------------------------------------


def beside(page: Page, number: int) -> tuple[float, float]:
    """A place left of the photos, at the height of one."""
    found = tile(page, number).bounding_box()
    assert found
    return 4, found["y"] + found["height"] / 2


def middle(page: Page, number: int) -> tuple[float, float]:
    found = tile(page, number).bounding_box()
    assert found
    return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2


def draw(page: Page, *places: tuple[float, float]) -> None:
    """Press, move from place to place, and leave the button pressed."""
    start, *others = places
    page.mouse.move(*start)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=4)


def rows(page: Page) -> list[list[int]]:
    """The numbers of the photos, row by row."""
    found: list[list[str]] = page.locator(".photos .row").evaluate_all(
        """all => all.map((row) => [...row.children].map((tile) => tile.dataset.photo))"""
    )
    return [[int(re.findall(r"\d+", name)[0]) for name in row] for row in found]


def test_a_rectangle_selects_what_it_touches(many: Page) -> None:
    """Drawn from beside the photos; anew each time, and with Ctrl besides what was selected."""
    first, second, third, *_ = rows(many)
    draw(many, beside(many, first[0]), middle(many, second[1]))
    touched = [*first[:2], *second[:2]]
    expect(many.locator(".marquee")).to_be_visible()
    assert selected(many) == touched
    many.mouse.move(*middle(many, first[1]), steps=4)
    assert selected(many) == first[:2]
    many.mouse.up()
    expect(many.locator(".marquee")).to_have_count(0)
    expect(bar(many)).to_contain_text("2 selected")
    many.keyboard.down("Control")
    draw(many, beside(many, third[0]), middle(many, third[0]))
    many.mouse.up()
    many.keyboard.up("Control")
    assert selected(many) == [*first[:2], third[0]]
    draw(many, beside(many, second[0]), middle(many, second[0]))
    many.mouse.up()
    assert selected(many) == [second[0]]


def test_escape_gives_a_rectangle_up(many: Page) -> None:
    """What was selected before is, and the button may be let go of anywhere."""
    first, second, *_ = rows(many)
    draw(many, beside(many, first[0]), middle(many, first[0]))
    many.mouse.up()
    draw(many, beside(many, second[0]), middle(many, second[2]))
    assert selected(many) == second[:3]
    many.keyboard.press("Escape")
    assert selected(many) == [first[0]]
    many.mouse.move(*middle(many, second[1]))
    many.mouse.up()
    assert selected(many) == [first[0]]


def test_with_shift_a_rectangle_begins_on_a_photo(many: Page) -> None:
    """Without it a photo is dragged out of the window, and nothing is selected."""
    first, second, *_ = rows(many)
    many.keyboard.down("Shift")
    draw(many, middle(many, first[1]), middle(many, second[2]))
    many.mouse.up()
    many.keyboard.up("Shift")
    touched = selected(many)
    assert {first[1], second[2]} <= {*touched}
    assert first[0] not in touched
    expect(many.get_by_role("dialog")).to_have_count(0)
    many.keyboard.press("Escape")
    many.get_by_role("button", name="Clear the selection").click()
    draw(many, middle(many, first[1]), middle(many, second[2]))
    many.mouse.up()
    assert selected(many) == []


def test_a_rectangle_goes_on_beyond_the_window(page: Page) -> None:
    """At the window's foot the page scrolls on, and what is passed is selected."""
    have_many(page, 300)
    page.goto("/?q=cat&rest=1")
    expect(tile(page, 90)).to_be_attached()
    draw(page, beside(page, 0), (600, 400), (600, 795))
    expect(bar(page)).to_contain_text(re.compile(r"^[6-9]\d selected"))
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.evaluate("scrollY") > 400
    assert selected(page) == []


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


def test_a_finger_that_moves_on_selects_what_it_passes(phone: Page) -> None:
    """After the long press it selects all up to where it is, and does not scroll."""
    have_many(phone, 60)
    phone.goto("/?q=cat&rest=1")
    expect(tile(phone, 10)).to_be_visible()
    touch = phone.context.new_cdp_session(phone)

    def put_finger(kind: str, number: int) -> None:
        x, y = middle(phone, number)
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        touch.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
        )

    put_finger("touchStart", 2)
    expect(bar(phone)).to_contain_text("1 selected")
    put_finger("touchMove", 4)
    put_finger("touchMove", 7)
    expect(bar(phone)).to_contain_text("6 selected")
    put_finger("touchMove", 5)
    expect(bar(phone)).to_contain_text("4 selected")
    put_finger("touchEnd", 5)
    assert selected(phone) == [2, 3, 4, 5]
    assert phone.evaluate("scrollY") == 0
    expect(phone.get_by_role("dialog")).to_have_count(0)


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
