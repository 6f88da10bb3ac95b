"""The open photo is sharp on every screen, and can be enlarged."""

import io
from collections.abc import Callable, Iterator

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from tests.harness import PHOTOS, App, eventually
from tests.viewer import Fingers, is_sharp, open_photo, picture, shown

LARGE = "large/IMG_4002.JPG"
PANORAMA = "large/pano.jpg"
LONG_PAGE = "large/page.png"
TIFF = "large/scan.tiff"
MISNAMED = "large/in truth a HEIC.jpg"
TINY = "large/icon.png"


def enlarged(name: str, width: int, height: int) -> Image.Image:
    with Image.open(PHOTOS / name) as photo:
        return photo.convert("RGB").resize((width, height))


@pytest.fixture(scope="module")
def large(app: App) -> Iterator[App]:
    """The app with photos of many pixels, few, and of kinds that browsers don't show."""
    folder = app.img / "large"
    folder.mkdir()
    enlarged("cat.png", 4032, 3024).save(app.img / LARGE, quality=70)
    enlarged("temple.jpg", 12_000, 1500).save(app.img / PANORAMA, quality=70)
    Image.new("RGB", (1080, 9000), "ivory").save(app.img / LONG_PAGE)
    enlarged("coffee.png", 2600, 2000).save(app.img / TIFF)
    enlarged("cat.png", 40, 40).save(app.img / TINY)
    heic = io.BytesIO()
    pillow_heif.from_pillow(enlarged("flower.jpg", 2400, 1600)).save(heic)
    (app.img / MISNAMED).write_bytes(heic.getvalue())
    names = {LARGE, PANORAMA, LONG_PAGE, TIFF, MISNAMED, TINY}
    eventually(lambda: names <= {*app.photos()})
    yield app
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    eventually(lambda: not names & {*app.photos()})


SCREENS: list[tuple[ViewportSize, float]] = [
    ({"width": 2560, "height": 1440}, 1),
    ({"width": 1440, "height": 900}, 2),
    ({"width": 390, "height": 844}, 3),
    ({"width": 844, "height": 390}, 3),
]


@pytest.mark.parametrize(("viewport", "ratio"), SCREENS)
def test_an_open_photo_is_sharp(
    large: App, browser: Browser, viewport: ViewportSize, ratio: float
) -> None:
    """It is drawn from at least as many pixels as it covers, as it is opened and enlarged."""
    context = browser.new_context(
        base_url=large.url, viewport=viewport, device_scale_factor=ratio
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    own = f"/img/{LARGE}?v="
    page.goto(f"/?folder=large&photo={LARGE}")
    eventually(lambda: is_sharp(page, LARGE))
    small = shown(page, LARGE)
    assert (own in small.url) == (small.covered > 2048)
    page.keyboard.press("z")
    eventually(lambda: shown(page, LARGE).pixels == 4032)
    eventually(lambda: shown(page, LARGE).width > 1.9 * small.width)
    assert own in shown(page, LARGE).url
    page.keyboard.press("z")
    eventually(lambda: shown(page, LARGE).width == small.width)
    assert len([url for url in asked if own in url]) == 1
    context.close()


@pytest.mark.parametrize(
    ("name", "width"), [(TIFF, 2600), (MISNAMED, 2400)], ids=["tiff", "heic"]
)
def test_what_browsers_do_not_show_is_seen_whole(
    large: App, page: Page, name: str, width: int
) -> None:
    """Of a photo of another kind, whatever its name promises, a copy has all pixels."""
    open_photo(page, f"/?folder=large&photo={name}", name)
    page.keyboard.press("z")
    eventually(lambda: shown(page, name).pixels == width)
    assert "size=full" in shown(page, name).url


def test_strips_and_pages_can_be_read(large: App, page: Page) -> None:
    """A long page comes to its full width, and a key leads down; a panorama to its height."""
    open_photo(page, f"/?folder=large&photo={LONG_PAGE}", LONG_PAGE)
    assert shown(page, LONG_PAGE).width < 100
    page.keyboard.press("z")
    eventually(lambda: shown(page, LONG_PAGE).width == 1080)

    def top() -> float:
        box = picture(page, LONG_PAGE).bounding_box()
        assert box
        return box["y"]

    eventually(lambda: top() == 0)
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    eventually(lambda: -400 < top() < -100)
    open_photo(page, f"/?folder=large&photo={PANORAMA}", PANORAMA)
    page.keyboard.press("z")
    eventually(lambda: shown(page, PANORAMA).height == 1500)
    eventually(lambda: is_sharp(page, PANORAMA))


def test_a_small_photo_is_shown_twice_as_large(large: App, page: Page) -> None:
    """A photo of few pixels is not lost in the dark, and comes as the file itself."""
    open_photo(page, f"/?folder=large&photo={TINY}", TINY)
    eventually(lambda: shown(page, TINY).width == 80)
    assert "/img/" in shown(page, TINY).url


def test_every_way_to_zoom(large: App, page: Page) -> None:
    """Click, wheel, plus and minus, and the button; the photo fits again at the end."""
    open_photo(page, f"/?folder=large&photo={LARGE}", LARGE)
    eventually(lambda: is_sharp(page, LARGE))
    whole = shown(page, LARGE).width

    def is_larger() -> bool:
        return shown(page, LARGE).width > 1.2 * whole

    def fits() -> bool:
        return abs(shown(page, LARGE).width - whole) < 1

    def click(name: str) -> None:
        page.get_by_role("button", name=name).click()

    def wheel_back() -> None:
        for _ in range(6):
            page.mouse.wheel(0, 400)

    eventually(fits)
    ways: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (
            lambda: page.mouse.click(600, 400),
            lambda: page.mouse.click(600, 400),
        ),
        (lambda: page.mouse.wheel(0, -300), wheel_back),
        (lambda: page.keyboard.press("+"), lambda: page.keyboard.press("-")),
        (lambda: click("Zoom in"), lambda: click("Zoom out")),
    ]
    for act, undo in ways:
        act()
        eventually(is_larger)
        undo()
        eventually(fits)


def test_fingers_zoom(large: App, phone: Page) -> None:
    """Two taps enlarge a photo, and two fingers that part."""
    open_photo(phone, f"/?folder=large&photo={LARGE}", LARGE)
    eventually(lambda: shown(phone, LARGE).width == 390)
    phone.touchscreen.tap(200, 420)
    phone.touchscreen.tap(200, 420)
    eventually(lambda: shown(phone, LARGE).width > 780)
    phone.keyboard.press("z")
    eventually(lambda: shown(phone, LARGE).width == 390)
    fingers = Fingers(phone)
    fingers.put((180, 420), (220, 420))
    for apart in range(10, 110, 10):
        fingers.move((180 - apart, 420), (220 + apart, 420))
    fingers.lift()
    eventually(lambda: shown(phone, LARGE).width > 780)
    eventually(lambda: shown(phone, LARGE).pixels == 4032)
