"""The open photo."""

import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.harness import PHOTOS
from tests.page import (
    SAMPLES,
    against_wcag,
    chips,
    expect_results,
    first_photo,
    photos,
)


def test_the_lightbox(page: Page) -> None:
    """A click opens a photo with all about it; arrows turn; Escape returns to the card."""
    page.goto("/")
    expect(photos(page)).to_have_count(len(SAMPLES))
    names = [
        image.get_attribute("alt")
        for image in photos(page).get_by_role("img").all()
    ]
    photos(page).nth(1).get_by_role("link").click()
    dialog = page.get_by_role("dialog", name=names[1])
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("img")).to_have_attribute(
        "src", re.compile(r"size=1024&v=[0-9a-f]{16}$")
    )
    expect(dialog).to_contain_text(re.compile(r"Size[\d,]{3,} \S [\d,]{3,}"))
    expect(dialog).to_contain_text(
        re.compile(r"(Taken|Modified)[A-Z][a-z]+ \d{1,2}, 20\d\d")
    )
    expect(page).to_have_url(re.compile(r"\?photo="))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name=names[2])).to_be_visible()
    page.get_by_role("button", name="Previous photo").click()
    page.get_by_role("button", name="Previous photo").click()
    expect(page.get_by_role("dialog", name=names[0])).to_be_visible()
    expect(page.get_by_role("button", name="Previous photo")).to_be_hidden()
    page.reload()
    reopened = page.get_by_role("dialog", name=names[0])
    expect(reopened).to_contain_text("Size")  # the cards are there by then
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/$"))
    expect(photos(page).first.get_by_role("link")).to_be_focused()


def have_told(page: Page, **told: Any) -> None:
    """Have the server tell this of each photo."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        body["results"] = [hit | told for hit in body["results"]]
        route.fulfill(response=response, json=body)

    page.route("**/search?*", answer)


def test_the_lightbox_tells_what_the_header_does(page: Page) -> None:
    """Whose the date is, the camera and its settings, the place, and words."""
    details = {
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
    have_told(page, taken_from="exif", details=details)
    page.goto("/?q=cat&rest=1&photo=cat.png")
    dialog = page.get_by_role("dialog", name="cat.png")
    for fact in (
        "TitleA <b>title</b>",
        "LensEF50mm f/1.8",
        "Exposure1/250 s, f/2.8, ISO 200, 50 mm",
        "Altitude0 m",
        "Rating4 of 5",
        "Keywordscat, Rome",
    ):
        expect(dialog).to_contain_text(fact)
    expect(dialog).to_contain_text(re.compile(r"Taken[A-Z]"))
    place = dialog.get_by_role("link", name="41.9000, -12.5000")
    expect(place).to_have_attribute(
        "href", re.compile(r"^https://www\.openstreetmap\.org/.*41\.9/-12\.5$")
    )
    picture = dialog.get_by_role("img").bounding_box()
    assert picture
    assert picture["height"] > 200  # however much there is to read
    assert against_wcag(page) == []


def test_a_file_time_is_no_shot(page: Page) -> None:
    """A date that is only the file's is called what it is; nothing told is nothing shown."""
    have_told(page, taken_from="file", details={})
    page.goto("/?q=cat&rest=1&photo=cat.png")
    dialog = page.get_by_role("dialog", name="cat.png")
    expect(dialog).to_contain_text(re.compile(r"Modified[A-Z]"))
    for name in ("Taken", "Camera", "Exposure", "Place", "Keywords"):
        expect(dialog).not_to_contain_text(name)


def test_a_camera_is_a_search(page: Page) -> None:
    """A click on an open photo's camera shows what was taken with it, until it is removed."""
    page.goto("/?q=cat&rest=1&photo=cat.png")
    dialog = page.get_by_role("dialog", name="cat.png")
    dialog.get_by_role("link", name="PENTAX K100D Super").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
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


def test_a_shared_photo_is_loaded_once(page: Page) -> None:
    """A photo opened by a link is shown before its version is known, and stays then."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/?q=cat&rest=1&photo=coffee.png")
    dialog = page.get_by_role("dialog", name="coffee.png")
    expect(dialog).to_contain_text("Score")  # its version is known by then
    picture = dialog.get_by_role("img")
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("(img) => img.naturalWidth") == 600
    large = [url for url in asked if "/thumb/coffee.png?size=1024" in url]
    assert [url.partition("size=1024")[2] for url in large] == [""]


def test_a_photo_that_is_gone(page: Page) -> None:
    """An address with a photo that is no more says so, and offers nothing to do with it."""
    page.goto("/?q=cat&photo=2024%2Fgone.png")
    dialog = page.get_by_role("dialog", name="gone.png")
    expect(dialog.get_by_role("alert")).to_contain_text("moved or deleted")
    expect(dialog.get_by_role("img")).to_have_count(0)
    expect(dialog.get_by_text("Download")).to_have_count(0)
    assert not against_wcag(page)
    page.keyboard.press("Escape")
    expect_results(page, "for “cat”", "cat.png")


def test_back_closes_the_lightbox(page: Page) -> None:
    """Back closes an open photo, however many were turned, and Forward opens it again."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()
    expect(
        page.get_by_role("dialog").get_by_text(re.compile(r"^-?0\.\d{3}$"))
    ).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?q=cat&rest=1$"))
    page.go_forward()
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()


def test_from_the_lightbox_on(page: Page) -> None:
    """The open photo can be downloaded as it is, and leads to its like; Back opens it again."""
    page.goto("/?q=temple")
    photos(page).first.get_by_role("link").click()
    dialog = page.get_by_role("dialog", name="temple.jpg")
    expect(dialog).to_contain_text("trips/athens")
    link = dialog.get_by_role("link", name="Download")
    expect(link).to_have_attribute("href", re.compile(r"\?v=[0-9a-f]{16}$"))
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "temple.jpg"
    assert (
        download.value.path().read_bytes()
        == (PHOTOS / "temple.jpg").read_bytes()
    )
    dialog.get_by_role("button", name="More like this").click()
    expect_results(page, "like temple.jpg")
    expect(dialog).to_be_hidden()
    page.go_back()
    expect(dialog).to_be_visible()


def test_a_swipe_turns(page: Page) -> None:
    """A finger drawn to the left shows the next photo."""
    page.goto("/?q=cat&rest=1")
    photos(page).first.get_by_role("link").click()
    expect(page.get_by_role("dialog", name="cat.png")).to_be_visible()
    page.get_by_role("dialog").get_by_role("img").evaluate(
        """(target) => {
            const at = (clientX) => [new Touch({ identifier: 1, target, clientX, clientY: 300 })];
            const fire = (type, touches) => target.dispatchEvent(
                new TouchEvent(type, { ...touches, bubbles: true }));
            fire("touchstart", { touches: at(700) });
            fire("touchend", { changedTouches: at(500) });
        }"""
    )
    expect(page.get_by_role("dialog", name="cat.png")).to_be_hidden()
    expect(page.get_by_role("button", name="Previous photo")).to_be_visible()
