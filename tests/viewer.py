"""An open photo, as a person sees it and touches it, for the tests in a real browser."""

from typing import NamedTuple

from playwright.sync_api import CDPSession, Locator, Page, expect

# How many pixels a photo has that was loaded, and how many of the screen it covers.
COVERED = """(img) => {
    const { width, height } = img.getBoundingClientRect();
    return {
        pixels: img.complete ? img.naturalWidth : 0,
        covered: width * devicePixelRatio,
        width, height,
        url: img.currentSrc,
    };
}"""


class Shown(NamedTuple):
    """The picture of an open photo."""

    pixels: int  # of the file's width; 0 while it is loaded
    covered: float  # of the screen's width
    width: float  # CSS pixels
    height: float
    url: str


def dialog(page: Page, filename: str = "") -> Locator:
    """The open photo, of this name if one is given."""
    name = filename.rpartition("/")[2]
    return page.locator("dialog.viewer").and_(
        page.get_by_role("dialog", name=name) if name else page.locator("*")
    )


def picture(page: Page, filename: str) -> Locator:
    name = filename.rpartition("/")[2]
    return dialog(page, filename).get_by_role("img", name=name)


def shown(page: Page, filename: str) -> Shown:
    return Shown(**picture(page, filename).evaluate(COVERED))


def is_sharp(page: Page, filename: str) -> bool:
    now = shown(page, filename)
    return now.pixels >= now.covered - 1 > 1


def open_photo(page: Page, address: str, filename: str) -> None:
    page.goto(address)
    expect(picture(page, filename)).to_have_js_property("complete", value=True)


class Fingers:
    """Fingers on a page's screen, as the browser itself sees them."""

    def __init__(self, page: Page) -> None:
        self.client: CDPSession = page.context.new_cdp_session(page)

    def _send(self, kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": x, "y": y, "id": number}
            for number, (x, y) in enumerate(places)
        ]
        event = {"type": kind, "touchPoints": points}
        self.client.send("Input.dispatchTouchEvent", event)

    def put(self, *places: tuple[float, float]) -> None:
        self._send("touchStart", *places)

    def move(self, *places: tuple[float, float]) -> None:
        self._send("touchMove", *places)

    def lift(self) -> None:
        self._send("touchEnd")
