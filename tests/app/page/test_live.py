"""What the page tells of the index and the server, and how it follows them."""

import re
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.harness import App, NewApp, eventually
from tests.page import (
    INDEXING,
    LEFT_OUT,
    SAMPLES,
    STATUS,
    expect_results,
    first_photo,
    have_many,
    photos,
    search,
    set_status,
    tile,
)


def test_the_status_line(page: Page) -> None:
    """One line says how many photos there are; what they are found by is one click away."""
    page.goto("/")
    expect(page.get_by_role("contentinfo")).to_have_text(
        f"{len(SAMPLES)} photos"
    )
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.get_by_role("button", name="About this index").click()
    about = page.get_by_role("dialog", name="About this index")
    for fact in ("Modelstarter", "Runs oncpu", "Kept inQdrant Edge"):
        expect(about).to_contain_text(fact)
    expect(about.get_by_role("list")).to_have_count(0)


def test_progress_and_what_is_left_out(page: Page) -> None:
    """While photos are being indexed a bar says how far; what was left out is told, and why."""
    set_status(page, INDEXING | LEFT_OUT)
    page.goto("/")
    footer = page.get_by_role("contentinfo")
    expect(footer).to_contain_text(
        "312 of 1,000 photos indexed, about 4 min to go"
    )
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 312)
    page.evaluate("(status) => pushStatus(status)", STATUS | LEFT_OUT)
    expect(footer).to_contain_text("1,000 photos")
    page.get_by_role("button", name="1 file couldn’t be read").click()
    expect(page.get_by_role("list", name="Photos left out")).to_have_text(
        "a/b.jpgit is cut off"
    )
    page.get_by_role("button", name="Try them again").click()
    expect(page.get_by_text("They will be looked at again.")).to_be_visible()
    notice = "2024/usb is not there: its 812 photos are kept in the index."
    page.evaluate(
        "(status) => pushStatus(status)",
        STATUS | {"last_error": "The disk is full.", "notices": [notice]},
    )
    expect(footer).to_contain_text("The disk is full.")
    expect(footer).to_contain_text(notice)
    besides = {
        "skipped": 1502,
        "not_read": {".psd": 9, ".svg": 3},
        "raw_beside": 1,
        "damaged": 2,
        "damaged_photos": ["a.jpg", "b/c.png"],
    }
    page.evaluate("(status) => pushStatus(status)", STATUS | LEFT_OUT | besides)
    page.keyboard.press("Escape")
    page.get_by_role(
        "button", name="1,514 files couldn’t be read, 2 damaged"
    ).click()
    dialog = page.get_by_role("dialog", name="About this index")
    for sentence in (
        "12 files of kinds that are not read: 9 .psd, 3 .svg.",
        "1 RAW file beside a JPEG or HEIC, which is shown.",
        "2 photos are damaged, and shown as far as they can be read: a.jpg, b/c.png",
    ):
        expect(dialog.get_by_text(sentence)).to_be_visible()
    rest = dialog.get_by_role("link", name="and 1,501 photos more")
    expect(rest).to_have_attribute("href", "/status/skipped?format=csv")


def test_an_added_photo_appears(page: Page, app: App) -> None:
    """A photo that is put into the folder comes by itself to whoever is at the top."""
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    app.add("flower.jpg", "summer/my plant #1.jpg")
    image = page.get_by_role("img", name="my plant #1.jpg")
    expect(image).to_be_visible()
    loaded = "(img) => img.complete && img.naturalWidth > 0"
    eventually(lambda: image.evaluate(loaded))
    search(page, "flower")
    expect_results(page, "for “flower”")
    page.get_by_role("button", name="1 similar photo").click()
    expect(image).to_be_visible()
    # Or nothing would move under the pointer, and the focus.
    page.mouse.move(0, 0)
    page.get_by_role("contentinfo").click()
    (app.img / "summer" / "my plant #1.jpg").unlink()
    expect(image).to_have_count(0)


def test_a_changed_photo_is_shown_at_once(page: Page, app: App) -> None:
    """A photo that is replaced on the disk shows its new thumbnail, at a new address.

    The page waits as long as it takes to index the photo, some seconds for a large one.
    """
    image = page.get_by_role("img", name="changing.png")
    version = re.compile(r"&v=[0-9a-f]{16}$")

    def shown_ratio() -> float:
        ratio: float = image.evaluate(
            "(img) => img.complete && img.naturalWidth / img.naturalHeight"
        )
        return round(ratio, 1)

    app.add("coffee.png", "changing.png")
    eventually(lambda: "changing.png" in app.photos())
    page.goto("/")
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    expect(image).to_have_attribute("src", version)
    eventually(lambda: shown_ratio() == 1.5)
    before = image.get_attribute("src")
    assert before
    large = app.img.with_name("large.png")
    Image.new("RGB", (6000, 6000), "teal").save(large)
    large.replace(app.img / "changing.png")  # whole at once
    expect(image).not_to_have_attribute("src", before)
    expect(image).to_have_attribute("src", version)
    eventually(lambda: shown_ratio() == 1)
    (app.img / "changing.png").unlink()
    expect(image).to_have_count(0)


def push(page: Page, **status: Any) -> None:
    """Have the server tell another status."""
    page.evaluate("(status) => pushStatus(status)", STATUS | status)


def show_many(page: Page, total: int = 90) -> None:
    """Open the page on many photos that are made up."""
    have_many(page, total)
    set_status(page, STATUS)
    page.goto("/")
    expect(photos(page)).to_have_count(min(total, 100))
    expect(page.get_by_role("contentinfo")).to_contain_text("1,000 photos")
    page.unroute("**/search?*")


def test_new_photos_wait_for_whoever_reads_on(page: Page) -> None:
    """Further down nothing moves when photos are added: they are counted, and offered."""
    show_many(page)
    page.evaluate("scrollTo(0, 900)")
    have_many(page, 90, newer=5)
    push(page, indexed=1005)
    offer = page.get_by_role("button", name="5 new", exact=True)
    expect(offer).to_be_visible()
    assert page.evaluate("scrollY") == 900
    expect(photos(page)).to_have_count(90)
    offer.click()
    expect(photos(page)).to_have_count(95)
    assert first_photo(page) == "newer-0.jpg"
    expect(offer).to_be_hidden()


def test_no_photo_moves_under_the_pointer(page: Page) -> None:
    """While a photo is pointed at new ones are offered, however near the top it is."""
    show_many(page)
    photos(page).nth(3).hover()
    have_many(page, 90, newer=5)
    push(page, indexed=1005)
    expect(page.get_by_role("button", name="5 new", exact=True)).to_be_visible()
    assert first_photo(page) == "photo-0.jpg"


def test_photos_that_went_are_told(page: Page) -> None:
    """Where photos were deleted, and none added, no new ones are promised."""
    show_many(page)
    photos(page).nth(3).hover()
    have_many(page, 80)
    push(page, indexed=990)
    expect(page.get_by_role("button", name="Refresh")).to_be_visible()
    expect(photos(page)).to_have_count(90)


def test_older_photos_follow_unasked(page: Page) -> None:
    """What comes after all that is shown moves nothing: it is there when one gets there."""
    show_many(page)
    photos(page).nth(3).hover()
    have_many(page, 150)
    push(page, indexed=1060)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(photos(page)).to_have_count(150)
    expect(page.locator(".strong.floating")).to_have_count(0)


def test_what_is_the_same_is_not_offered(page: Page) -> None:
    """A change that makes no difference to what is shown is passed over in silence."""
    show_many(page)
    page.evaluate("scrollTo(0, 900)")
    have_many(page, 90)
    with page.expect_response("**/search?*"):
        push(page, indexed=1005)
    have_many(page, 90, newer=5)
    push(page, indexed=1010)
    # Had the first change been told, it would have been by then.
    expect(page.locator(".strong.floating")).to_have_text("5 new")


def test_a_refresh_that_fails_takes_nothing_away(page: Page) -> None:
    """What is shown stays when it can't be made fresh, and is made so later."""
    show_many(page)
    failed: list[str] = []

    def fail(route: Route) -> None:
        failed.append(route.request.url)
        route.abort()

    page.route("**/search?*", fail)
    push(page, indexed=1005)
    # It has been tried twice, and so the first failure was seen to.
    eventually(lambda: page.evaluate("1") and len(failed) > 1)
    expect(photos(page)).to_have_count(90)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.unroute("**/search?*")
    have_many(page, 90, newer=5)
    expect(photos(page)).to_have_count(95)


def test_much_that_is_new_is_told_now_and_then(page: Page) -> None:
    """While many photos are being indexed it is looked for news every 15 seconds, no sooner."""
    page.clock.install()
    searches: list[str] = []
    have_many(page, 90)
    page.on(
        "request",
        lambda asked: (
            searches.append(asked.url) if "/search?" in asked.url else None
        ),
    )
    set_status(page, INDEXING)
    page.goto("/")
    page.clock.run_for(1000)
    expect(photos(page)).to_have_count(90)
    photos(page).nth(3).hover()

    def index_for(seconds: int) -> int:
        """How many searches the page makes meanwhile."""
        before = len(searches)
        for second in range(seconds):
            push(page, **INDEXING | {"indexed": 400 + second + before})
            page.clock.run_for(1000)
        return len(searches) - before

    assert index_for(12) <= 1
    assert index_for(48) in (3, 4)


def test_the_next_photos_come_once_the_server_is_back(page: Page) -> None:
    """A page of photos that could not be loaded comes by itself when the server is back."""
    have_many(page, 120)
    page.route("**/search?*offset=*", lambda route: route.abort())
    set_status(page, STATUS)
    page.goto("/")
    expect(tile(page, 90)).to_be_attached()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.evaluate("pushStatus(null)")
    expect(page.get_by_role("contentinfo")).to_contain_text("can’t be reached")
    page.unroute("**/search?*offset=*")
    push(page)
    expect(photos(page)).to_have_count(120)


def test_all_windows_are_served(browser: Browser, app: App) -> None:
    """Nine windows that are seen at once all answer, and all are told of a change."""
    context = browser.new_context()
    windows = [context.new_page() for _ in range(9)]
    try:
        for window in windows:
            window.goto(app.url)
        for window in windows:
            expect(photos(window)).to_have_count(len(SAMPLES))
            expect(window.get_by_role("contentinfo")).to_have_text(
                f"{len(SAMPLES)} photos"
            )
        app.add("flower.jpg", "another flower.jpg")
        for window in windows:
            expect(photos(window)).to_have_count(len(SAMPLES) + 1)
        (app.img / "another flower.jpg").unlink()
        expect(photos(windows[0])).to_have_count(len(SAMPLES))
    finally:
        context.close()


def test_server_gone_and_back(page: Page, app: App) -> None:
    """Without the server the page says so, "Try again" is there, and it goes on by itself."""
    page.goto("/?q=cat&rest=1")
    expect(photos(page)).to_have_count(len(SAMPLES))
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    app.stop()
    search(page, "motorcycle")
    expect(page.get_by_role("alert")).to_contain_text("can’t be reached")
    expect(page.get_by_role("contentinfo")).to_contain_text(
        "The server can’t be reached"
    )
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("can’t be reached")
    app.start()
    expect_results(page, "for “motorcycle”", "motorcycle.jpg")
    expect(page.get_by_role("contentinfo")).to_contain_text(
        f"{len(SAMPLES)} photos"
    )


def test_not_ready_then_ready(page: Page) -> None:
    """A 503 shows the server's own reason, and the page goes on by itself once it is over."""
    reason = "The first photos are still being indexed: try again in a moment."
    page.route(
        "**/search?*",
        lambda route: route.fulfill(status=503, json={"detail": reason}),
    )
    page.goto("/?q=cat")
    expect(page.get_by_role("alert")).to_contain_text(reason)
    page.unroute("**/search?*")
    expect_results(page, "for “cat”", "cat.png")


def test_a_refused_search_says_why(page: Page) -> None:
    """Any other error shows its reason, not an empty page."""
    page.route(
        "**/search?*",
        lambda route: route.fulfill(status=422, json={"detail": "Too odd"}),
    )
    page.goto("/?q=cat")
    expect(page.get_by_role("alert")).to_contain_text("Too odd")


def test_loading(page: Page) -> None:
    """While a search runs there are placeholders, and a word for those who don't see them."""
    page.route("**/search?*", lambda _route: None)  # it never comes back
    page.goto("/?q=cat")
    expect(page.get_by_role("status")).to_have_text("Searching… for “cat”")
    expect(page.locator(".skeleton")).to_be_visible()


def test_an_empty_folder(page: Page, new_app: NewApp) -> None:
    """An empty folder is told as what it is, and the page fills as soon as it does."""
    app = new_app().start()
    eventually(lambda: app.get("/health").status_code == 200)
    assert app.search("cat") == []
    page.goto(app.url)
    expect(page.get_by_text("Put photos into the image folder")).to_be_visible()
    app.add("cat.png", "cat.png")
    expect(photos(page)).to_have_count(1)
    app.stop()


def test_a_folder_that_vanished(page: Page, app: App) -> None:
    """A folder that is gone is told below the photos, which stay."""
    page.goto("/")
    away = app.img.with_name("away")
    app.img.rename(away)
    try:
        expect(page.get_by_text("has no photos any more")).to_be_visible()
        expect(photos(page)).to_have_count(len(SAMPLES))
    finally:
        away.rename(app.img)
    expect(page.get_by_text("has no photos any more")).to_be_hidden()
