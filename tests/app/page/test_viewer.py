"""The open photo."""

import io
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, ViewportSize, expect

from tests.harness import PHOTOS, App, eventually
from tests.page import (
    SAMPLES,
    against_wcag,
    answering,
    chips,
    expect_results,
    first_photo,
    photos,
)
from tests.viewer import Fingers, dialog, open_photo, picture, shown

TIMES = "\N{MULTIPLICATION SIGN}"

# --- Opening, turning, closing ----------------------------------------------------------


def test_a_photo_is_opened_turned_and_closed(page: Page) -> None:
    """A click opens a photo; arrows turn; Escape returns to the tile of the last one."""
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    names = [
        image.get_attribute("alt") or ""
        for image in photos(page).get_by_role("img").all()
    ]
    photos(page).nth(1).get_by_role("link").click()
    expect(picture(page, names[1])).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?photo="))
    page.keyboard.press("ArrowRight")
    expect(picture(page, names[2])).to_be_visible()
    previous = page.get_by_role("button", name="Previous photo")
    previous.click()
    previous.click()
    expect(picture(page, names[0])).to_be_visible()
    expect(previous).to_be_hidden()
    page.keyboard.press("End")
    expect(picture(page, names[-1])).to_be_visible()
    expect(page.get_by_role("button", name="Next photo")).to_be_hidden()
    page.keyboard.press("Home")
    page.reload()
    expect(picture(page, names[0])).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/$"))
    expect(photos(page).first.get_by_role("link")).to_be_focused()


def test_the_next_key_is_the_pages(page: Page) -> None:
    """Escape gives the keyboard back at once, while the photo still flies into its tile.

    A loaded browser takes its time to go back, too.
    """
    page.add_init_script(
        "const back = history.back.bind(history);"
        "history.back = () => setTimeout(back, 300)"
    )
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    expect(picture(page, "cat.png")).to_be_visible()
    for key in ("Escape", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(dialog(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Previous photo")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox")).to_be_focused()


def test_back_closes_the_photo(page: Page) -> None:
    """Back closes an open photo, however many were turned, and Forward opens it again."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    expect(picture(page, "cat.png")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.go_back()
    expect(dialog(page)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?q=cat&rest=1$"))
    expect(photos(page).first.get_by_role("link")).to_be_focused()
    page.go_forward()
    expect(picture(page, "cat.png")).to_be_visible()


def test_a_click_beside_the_photo_closes_it(page: Page) -> None:
    """Where there is no photo and no button, a click leads back to the page."""
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.mouse.click(60, 700)
    expect(dialog(page)).to_have_count(0)


def test_a_swipe_follows_the_finger(phone: Page) -> None:
    """The photo moves with the finger, and the next one comes when it is let go."""
    open_photo(phone, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    before = picture(phone, "cat.png").bounding_box()
    assert before

    def moved() -> float:
        box = picture(phone, "cat.png").bounding_box()
        return box["x"] - before["x"] if box else 0

    finger = Fingers(phone)
    finger.put((300, 400))
    for x in range(290, 190, -10):
        finger.move((x, 400))
    eventually(lambda: -110 < moved() < -70)
    for x in range(190, 30, -10):
        finger.move((x, 400))
    finger.lift()
    expect(dialog(phone, "cat.png")).to_have_count(0)
    expect(phone.get_by_role("button", name="Previous photo")).to_be_enabled()


def test_a_drag_downwards_closes(phone: Page) -> None:
    """A photo that is drawn down goes back into its tile."""
    open_photo(phone, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    finger = Fingers(phone)
    finger.put((200, 400))
    for y in range(410, 700, 20):
        finger.move((200, y))
    finger.lift()
    expect(dialog(phone)).to_have_count(0)


# --- What is known of it, and done with it ------------------------------------------------


def have_told(page: Page, **told: Any) -> None:
    """Have the server tell this of each photo."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        if "results" in body:
            body["results"] = [hit | told for hit in body["results"]]
        route.fulfill(response=response, json=body | told)

    page.route("**/search?*", answer)
    page.route("**/photo/**", answer)


def panel(page: Page) -> Locator:
    return dialog(page).get_by_role("complementary")


DETAILS = {
    "camera": "Canon EOS 5D",
    "lens": "EF50mm f/1.8",
    "exposure": 0.004,
    "aperture": 2.8,
    "iso": 200,
    "focal_length": 50,
    "place": {"lat": 41.9, "lon": -12.5},
    "altitude": 0,
    "rating": 4,
    "title": "A <b>title</b>",
    "description": "What is seen. " * 200,
    "keywords": ["cat", "Rome"],
}


def test_the_details_are_told(page: Page) -> None:
    """Whose the date is, the camera and its settings, the file, the place, and words."""
    have_told(
        page, taken="2024-05-01T15:30:00", taken_from="exif", details=DETAILS
    )
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    expect(panel(page)).to_have_count(0)
    page.keyboard.press("i")
    size = (PHOTOS / "cat.png").stat().st_size / 1000
    for fact in (
        "TitleA <b>title</b>",
        "TakenMay 1, 2024 at 3:30",
        f"Size451 {TIMES} 300 · 0.1 MP · {size:.0f} kB",
        "LensEF50mm f/1.8",
        "Exposure1/250 s, f/2.8, ISO 200, 50 mm",
        "Altitude0 m",
        "Rating4 of 5",
        "KeywordscatRome",
    ):
        expect(panel(page)).to_contain_text(fact)
    expect(panel(page)).to_contain_text(re.compile(r"Score0\.\d{3}"))
    place = panel(page).get_by_role("link", name="Show on a map")
    expect(place).to_have_attribute(
        "href", re.compile(r"^https://www\.openstreetmap\.org/.*41\.9/-12\.5$")
    )
    expect(picture(page, "cat.png")).to_be_visible()
    page.reload()  # it is remembered
    expect(panel(page)).to_contain_text("Exposure1/250 s")
    page.get_by_role("button", name="Hide the details").click()
    expect(panel(page)).to_have_count(0)


@pytest.mark.parametrize(
    ("link", "query"),
    [
        ("Canon EOS 5D", {"camera": "Canon EOS 5D"}),
        ("41.9000, -12.5000", {"near": "41.9,-12.5,1"}),
        ("Rome", {"q": "Rome"}),
        ("A <b>title</b>", {"q": "A <b>title</b>"}),
        ("trips/athens", {"folder": "trips/athens"}),
    ],
)
def test_what_is_known_is_a_search(
    page: Page, link: str, query: dict[str, str]
) -> None:
    """A click on a detail shows what has it as well, as the address says."""
    have_told(page, details=DETAILS)
    name = "trips/athens/temple.jpg"
    open_photo(page, f"/?q=temple&rest=1&photo={name}", name)
    page.keyboard.press("i")
    panel(page).get_by_role("link", name=link, exact=True).click()
    expect(dialog(page)).to_have_count(0)
    asked = {key: [value] for key, value in query.items()}
    eventually(lambda: parse_qs(urlsplit(page.url).query) == asked)


def test_a_day_is_a_search(page: Page) -> None:
    """A click on a photo's date shows the photos of that day, and this one among them."""
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.keyboard.press("i")
    panel(page).get_by_role("link", name=re.compile(r"\d:\d\d")).click()
    expect(dialog(page)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"after=\d{4}-\d\d-\d\d&"))
    expect(photos(page).get_by_role("img", name="cat.png")).to_be_visible()


def test_a_camera_is_a_search(page: Page) -> None:
    """A click on an open photo's camera shows what was taken with it, until it is removed."""
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.keyboard.press("i")
    panel(page).get_by_role("link", name="PENTAX K100D Super").click()
    expect(dialog(page)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?camera=PENTAX\+K100D\+Super$"))
    expect(photos(page)).to_have_count(1)
    assert first_photo(page) == "cat.png"
    expect(chips(page)).to_have_text(["PENTAX K100D Super"])
    page.reload()
    expect(photos(page)).to_have_count(1)
    page.get_by_role("button", name="Remove PENTAX K100D Super").click()
    expect(photos(page)).to_have_count(len(SAMPLES))
    page.goto("/?near=41.9,12.5,10")
    expect(chips(page)).to_have_text(["Near 41.9, 12.5 (10 km)"])
    expect(page.get_by_text("No photos near this place")).to_be_visible()


def test_a_file_time_is_no_shot(page: Page) -> None:
    """A date that is only the file's is called what it is; nothing told is nothing shown."""
    have_told(page, taken_from="file", details={})
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.keyboard.press("i")
    expect(panel(page)).to_contain_text(re.compile(r"Modified[A-Z]"))
    for name in ("Taken", "Camera", "Exposure", "Place", "Keywords"):
        expect(panel(page)).not_to_contain_text(name)


def test_from_the_photo_on(page: Page) -> None:
    """The open photo can be downloaded as it is, and leads to its like; Back opens it again."""
    page.goto("/?q=temple")
    photos(page).first.get_by_role("link").click()
    link = dialog(page).get_by_role("link", name="Download")
    expect(link).to_have_attribute("href", re.compile(r"\?v=[0-9a-f]{16}$"))
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename == "temple.jpg"
    assert (
        download.value.path().read_bytes()
        == (PHOTOS / "temple.jpg").read_bytes()
    )
    original = dialog(page).get_by_role("link", name="Open original")
    expect(original).to_have_attribute("href", re.compile(r"^/img/trips/"))
    with page.context.expect_page() as opened:
        page.keyboard.press("o")
    expect(opened.value).to_have_url(re.compile(r"/img/trips/athens/temple"))
    dialog(page).get_by_role("button", name="More like this").click()
    expect_results(page, "like temple.jpg")
    expect(dialog(page)).to_have_count(0)
    page.go_back()
    expect(picture(page, "temple.jpg")).to_be_visible()


def test_an_action_has_one_picture(page: Page) -> None:
    """It is the same wherever the action is offered, and that of no other: none is mistaken."""
    page.goto("/?q=cat&rest=1")
    mask = "(button) => getComputedStyle(button, '::before').maskImage"
    on_tile = photos(page).first.locator(".like").evaluate(mask)
    photos(page).first.get_by_role("link").click()
    path = "(button) => [button.title, button.querySelector('path').getAttribute('d')]"
    pictures = dict(
        controls(page).locator(".round").evaluate_all(f"all => all.map({path})")
    )
    assert {"More like this", "Copy image", "Copy path"} <= {*pictures}
    assert len({*pictures.values()}) == len(pictures)
    assert pictures["More like this"] in on_tile


def test_the_arrows_are_level_with_the_photo(page: Page) -> None:
    """They stand at the middle of its height, and within its part of the window."""
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    following = page.get_by_role("button", name="Next photo")
    for width, height in ((1280, 800), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for _ in ("alone", "with its details"):

            def is_level() -> bool:
                arrow = following.bounding_box()
                photo = picture(page, "cat.png").bounding_box()
                assert arrow
                assert photo
                below = arrow["y"] - photo["y"]
                middle = below + (arrow["height"] - photo["height"]) / 2
                right = arrow["x"] + arrow["width"]
                stage = dialog(page).locator(".stage").bounding_box()
                assert stage
                return abs(middle) <= 1 and right <= stage["width"]

            eventually(is_level)
            page.keyboard.press("i")


def test_path_and_picture_are_copied(page: Page) -> None:
    """The clipboard has the path below the image folder, or the picture as a PNG; it is said."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    name = "trips/athens/temple.jpg"
    open_photo(page, f"/?q=temple&photo={name}", name)
    page.keyboard.press("c")
    expect(dialog(page).get_by_role("status")).to_have_text("Path copied")
    assert page.evaluate("navigator.clipboard.readText()") == name
    page.get_by_role("button", name="Copy image").click()
    expect(dialog(page).get_by_role("status")).to_have_text("Image copied")
    size = page.evaluate("""async () => {
        const [item] = await navigator.clipboard.read();
        const picture = await createImageBitmap(await item.getType("image/png"));
        return [picture.width, picture.height];
    }""")
    with Image.open(PHOTOS / "temple.jpg") as temple:
        assert tuple(size) == temple.size


def test_the_keys_are_listed(page: Page) -> None:
    """A question mark shows all keys, on the page and over a photo, but is typed in the box."""
    page.goto("/?q=cat&rest=1")
    expect(photos(page).first).to_be_visible()
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.get_by_role("combobox").fill("what")
    page.keyboard.press("?")
    expect(page.get_by_role("combobox")).to_have_value("what?")
    expect(keys).to_be_hidden()
    photos(page).first.get_by_role("link").focus()
    page.keyboard.press("?")
    expect(keys).to_contain_text("Zoom to full size and back")
    assert against_wcag(page) == []
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("Enter")
    expect(picture(page, "cat.png")).to_be_visible()
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(dialog(page, "cat.png")).to_be_visible()


def test_a_slideshow_goes_on_by_itself(page: Page) -> None:
    """Space starts it and stops it; each photo is seen for some seconds."""
    page.clock.install()
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.clock.run_for(6000)
    expect(dialog(page, "cat.png")).to_have_count(0)
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Slideshow")).to_be_visible()
    address = page.url
    page.clock.run_for(20_000)
    expect(page).to_have_url(address)


# --- Controls that go out of the way --------------------------------------------------------


def controls(page: Page) -> Locator:
    return dialog(page).locator(".bar")


def test_the_controls_fade(page: Page) -> None:
    """They go when the mouse rests on the photo, and come back as it moves, or a key is used."""
    page.clock.install()
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.mouse.move(500, 500)
    page.mouse.move(510, 500)
    expect(controls(page)).to_have_css("opacity", "1")
    page.clock.run_for(4000)
    expect(controls(page)).to_have_css("opacity", "0")
    page.mouse.move(520, 500)
    expect(controls(page)).to_have_css("opacity", "1")
    page.keyboard.press("ArrowRight")
    page.clock.run_for(20_000)
    expect(controls(page)).to_have_css("opacity", "1")
    close = page.get_by_role("button", name="Close")
    close.hover()
    page.clock.run_for(20_000)
    expect(controls(page)).to_have_css("opacity", "1")


def test_the_controls_stay_for_who_wants_nothing_to_move(page: Page) -> None:
    """Under prefers-reduced-motion nothing goes by itself."""
    page.emulate_media(reduced_motion="reduce")
    page.clock.install()
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.mouse.move(500, 500)
    page.mouse.move(510, 500)
    page.clock.run_for(20_000)
    expect(controls(page)).to_have_css("opacity", "1")


def test_a_tap_takes_the_controls_away(phone: Page) -> None:
    """On a phone one tap hides them, and the next shows them again."""
    open_photo(phone, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    phone.touchscreen.tap(200, 420)
    expect(controls(phone)).to_have_css("opacity", "0")
    phone.touchscreen.tap(200, 420)
    expect(controls(phone)).to_have_css("opacity", "1")


# --- A link to any photo ----------------------------------------------------------------------


def made_up(number: int, **facts: Any) -> dict[str, Any]:
    photo = {
        "filename": f"photo-{number}.jpg",
        "score": 0.5,
        "width": 300,
        "height": 200,
        "taken": "2024-05-01T12:00:00",
        "version": "0123456789abcdef",
        "in_browsers": False,
    }
    return photo | facts


def have_far(page: Page, total: int) -> None:
    """Have the server hold many photos, made up; it knows each, and what is around it."""
    every = [made_up(number, score=None) for number in range(total)]
    names = [photo["filename"] for photo in every]

    def answer(route: Route) -> None:
        asked = {
            name: values[0]
            for name, values in parse_qs(
                urlsplit(route.request.url).query
            ).items()
        }
        start, limit = int(asked.get("offset", 0)), int(asked["limit"])
        if around := asked.get("around"):
            if around not in names:
                route.fulfill(status=404, json={"detail": "It is not there."})
                return
            start = max(0, names.index(around) - limit // 2)
        found = every[start : start + limit]
        more = start + len(found) < total
        route.fulfill(json={"results": found, "more": more, "offset": start})

    def tell(route: Route) -> None:
        name = unquote(urlsplit(route.request.url).path.rpartition("/")[2])
        route.fulfill(json=every[names.index(name)] | {"file_bytes": 1234})

    thumb = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(thumb, "JPEG")
    page.route("**/search?*", answer)
    page.route("**/photo/*", tell)
    page.route(
        "**/thumb/*",
        lambda route: route.fulfill(
            body=thumb.getvalue(), content_type="image/jpeg"
        ),
    )


def test_a_link_leads_to_any_photo(page: Page) -> None:
    """A photo far down opens whole, with its details; one turns both ways, to either end."""
    have_far(page, 400)
    open_photo(page, "/?photo=photo-250.jpg", "photo-250.jpg")
    page.keyboard.press("i")
    expect(panel(page)).to_contain_text(f"300 {TIMES} 200 · 1.2 kB")
    for key, name in (
        ("ArrowRight", "photo-251.jpg"),
        ("ArrowLeft", "photo-250.jpg"),
        ("ArrowLeft", "photo-249.jpg"),
    ):
        page.keyboard.press(key)
        expect(picture(page, name)).to_be_visible()
    # Beyond the page of photos around it there are more, on both sides.
    for far, key, step in (("Home", "ArrowLeft", -1), ("End", "ArrowRight", 1)):
        address = page.url
        page.keyboard.press(far)
        expect(page).not_to_have_url(address)
        at = int(re.findall(r"\d+", page.url)[-1])
        assert (at - 250) * step >= 49
        side = "Next photo" if step > 0 else "Previous photo"
        for _ in range(3):
            expect(page.get_by_role("button", name=side)).to_be_visible()
            at += step
            page.keyboard.press(key)
            expect(page).to_have_url(re.compile(rf"photo-{at}\.jpg$"))
        expect(picture(page, f"photo-{at}.jpg")).to_be_visible()


def turned_to(page: Page, answer: dict[str, Any], first: int) -> list[int]:
    """The photos that come one after the other from the first of a search's answer."""
    have_far(page, 20)
    page.route("**/search?*", answering(200, {"more": False} | answer))
    open_photo(page, f"/?q=photo&photo=photo-{first}.jpg", f"photo-{first}.jpg")
    numbers = [first]
    following = page.get_by_role("button", name="Next photo")
    while following.is_visible():
        address = page.url
        page.keyboard.press("ArrowRight")
        expect(page).not_to_have_url(address)
        numbers.append(int(re.findall(r"\d+", page.url)[-1]))
        expect(picture(page, f"photo-{numbers[-1]}.jpg")).to_be_visible()
    for number in numbers[-2::-1]:
        page.keyboard.press("ArrowLeft")
        expect(picture(page, f"photo-{number}.jpg")).to_be_visible()
    return numbers


def test_what_is_called_so_comes_first(page: Page) -> None:
    """From a photo of the row of names one turns to the row's others, and to the results."""
    results = [made_up(number) for number in (0, 9, 1)]
    named = [made_up(8), made_up(9)]
    answer = {"results": results, "named": named}
    assert turned_to(page, answer, 8) == [8, 9, 0, 1]


def test_a_pile_is_spread_out(page: Page) -> None:
    """From a photo that was folded into another one turns to the rest of them."""
    pile = made_up(0, similar=[made_up(5), made_up(6)])
    assert turned_to(page, {"results": [pile, made_up(1)]}, 5) == [5, 6, 1]


def test_a_shared_photo_is_loaded_once(page: Page) -> None:
    """A photo opened by a link is asked for by one address, and only in the size it needs."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_photo(page, "/?q=cat&rest=1&photo=coffee.png", "coffee.png")
    page.keyboard.press("i")
    expect(panel(page)).to_contain_text("Score")
    assert shown(page, "coffee.png").pixels == 600
    files = {url for url in asked if "/img/" in url or "size=1024" in url}
    assert len([url for url in files if "coffee" in url]) == 1


# --- What is wrong with it ----------------------------------------------------------------------


def alert(page: Page) -> Locator:
    return dialog(page).get_by_role("alert")


def test_a_photo_that_nobody_knows(page: Page) -> None:
    """A link with another name says that there is none, and offers nothing to do with it."""
    page.goto("/?q=cat&photo=2024%2Fgone.png")
    expect(alert(page)).to_have_text("No photo of this name is in the index.")
    for kind, name in (("button", "Download"), ("button", "More like this")):
        expect(dialog(page).get_by_role(kind, name=name)).to_be_disabled()  # type: ignore[arg-type]
    assert not against_wcag(page)
    page.keyboard.press("Escape")
    expect_results(page, "for “cat”", "cat.png")


def test_a_photo_that_is_deleted_meanwhile(page: Page, app: App) -> None:
    """It is said as soon as the index knows; what can't work is not offered any more."""
    app.add("coffee.png", "deleted.png", alike=False)
    eventually(lambda: "deleted.png" in app.photos())
    page.goto("/")
    expect(page.get_by_role("contentinfo")).to_contain_text("photos")
    page.get_by_role("link", name="deleted.png").click()
    expect(picture(page, "deleted.png")).to_be_visible()
    expect(alert(page)).to_have_count(0)
    (app.img / "deleted.png").unlink()
    expect(alert(page)).to_contain_text("Deleted")
    expect(picture(page, "deleted.png")).to_be_visible()
    for name in ("Download", "More like this", "Open original"):
        expect(dialog(page).get_by_role("button", name=name)).to_be_disabled()
    assert not against_wcag(page)
    address = page.url
    for key in "ldo":
        page.keyboard.press(key)
    expect(page).to_have_url(address)
    eventually(lambda: "deleted.png" not in app.photos())


def test_a_server_that_is_away(page: Page) -> None:
    """That it is away is said, never that a photo is gone; the photo comes by itself later."""
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    page.evaluate("localStorage.setItem('details', 'hidden')")
    away = re.compile(r"/(thumb|img|photo)/")
    page.route(away, lambda route: route.abort())
    page.keyboard.press("End")
    expect(alert(page)).to_contain_text("The server can’t be reached")
    expect(alert(page)).not_to_contain_text(re.compile("deleted|moved"))
    assert not against_wcag(page)
    page.unroute(away)
    expect(alert(page)).to_have_count(0)
    last = page.get_by_role("dialog").get_by_role("img")
    eventually(lambda: last.evaluate("(img) => img.naturalWidth > 0"))


def test_a_photo_that_can_not_be_shown_says_why(page: Page) -> None:
    """The reason is the server's own, and it is no other photo's."""
    why = "This photo can't be read: it is cut off."
    page.route("**/thumb/coffee.png?*", answering(422, {"detail": why}))
    page.route("**/img/coffee.png*", answering(422, {"detail": why}))
    page.goto("/?q=cat&rest=1&photo=coffee.png")
    expect(alert(page)).to_contain_text("it is cut off")
    page.keyboard.press("Home")
    expect(picture(page, "cat.png")).to_be_visible()
    expect(alert(page)).to_have_count(0)


def test_a_photo_that_changes_meanwhile(page: Page, app: App) -> None:
    """What is in the file now is shown, without being opened once more."""
    app.add("coffee.png", "turning.png", alike=False)
    eventually(lambda: "turning.png" in app.photos())
    open_photo(page, "/?photo=turning.png", "turning.png")
    eventually(lambda: shown(page, "turning.png").pixels == 600)
    app.add("cat.png", "turning.png", alike=False)
    eventually(lambda: shown(page, "turning.png").pixels == 451)
    expect(alert(page)).to_have_count(0)
    (app.img / "turning.png").unlink()
    eventually(lambda: "turning.png" not in app.photos())


# --- For everyone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "viewport",
    [
        {"width": 1280, "height": 800},
        {"width": 844, "height": 390},
        {"width": 320, "height": 640},
        {"width": 320, "height": 200},  # a window of 1280 by 800 at 400 %
    ],
    ids=lambda size: f"{size['width']}x{size['height']}",
)
def test_everyone_can_use_an_open_photo(
    page: Page, viewport: ViewportSize
) -> None:
    """In each state it keeps WCAG AA, at each size, and all of it can be reached."""
    have_told(page, taken_from="exif", details=DETAILS)
    page.set_viewport_size(viewport)
    open_photo(page, "/?q=cat&rest=1&photo=cat.png", "cat.png")
    broken = {"open": against_wcag(page)}
    page.keyboard.press("z")
    expect(page.get_by_role("button", name="Zoom out")).to_be_visible()
    broken["zoomed"] = against_wcag(page)
    page.keyboard.press("z")
    page.keyboard.press("i")
    expect(panel(page)).to_contain_text("Score")
    broken["details"] = against_wcag(page)
    for name in ("Close", "Details", "More like this"):
        button = controls(page).get_by_role("button", name=name)
        expect(button).to_be_in_viewport(ratio=1)
    panel(page).get_by_text("Description").scroll_into_view_if_needed()
    expect(panel(page).get_by_text("Description")).to_be_in_viewport()
    box = picture(page, "cat.png").bounding_box()
    assert box
    assert box["height"] >= min(80, viewport["height"] / 3)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not any(broken.values()), broken
