"""What a person sees and does on the page, for the tests in a real browser."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import JSHandle, Locator, Page, Route, expect

from tests.harness import PHOTOS, ROOT

SAMPLES = tuple(sorted(p.name for p in PHOTOS.iterdir() if p.suffix != ".md"))
# Where the temple lies; all others are at the top.
IN_A_FOLDER = "trips/athens/temple.jpg"
SCREENSHOTS = ROOT / ".data" / "screenshots"
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SCHEMES: dict[Literal["light", "dark"], list[str]] = {
    "light": WCAG_AA,
    "dark": ["color-contrast"],
}
STATUS: dict[str, Any] = {
    "state": "ready", "model": "a model", "device": "cpu", "store": "a store", "photos": 1000, "indexed": 1000, "waiting": 0,
    "skipped": 0, "skipped_photos": [], "damaged": 0, "damaged_photos": [], "not_read": {},
    "raw_beside": 0, "seconds_to_go": None, "last_change": None,
    "notices": [], "last_error": None,
}  # fmt: skip
INDEXING: dict[str, Any] = STATUS | {
    "state": "indexing",
    "indexed": 312,
    "waiting": 685,
    "seconds_to_go": 240,
}
LEFT_OUT: dict[str, Any] = {
    "skipped": 1,
    "skipped_photos": [{"filename": "a/b.jpg", "reason": "it is cut off"}],
}


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Describe what you want to see")


def search(page: Page, text: str) -> None:
    box(page).fill(text)
    page.keyboard.press("Enter")


def photos(page: Page) -> Locator:
    return page.get_by_role("list", name="Photos", exact=True).get_by_role(
        "listitem"
    )


def chips(page: Page) -> Locator:
    """What the photos are limited to."""
    filters = page.get_by_role("list", name="Active filters")
    return filters.get_by_role("listitem")


def tokens(page: Page) -> Locator:
    """The photos in the box."""
    inside = page.get_by_role("list", name="Photos searched by")
    return inside.get_by_role("listitem")


def first_photo(page: Page) -> str | None:
    return photos(page).first.get_by_role("img").get_attribute("alt")


def expect_results(page: Page, phrase: str, first: str | None = None) -> None:
    """Wait for the photos of a search, the first of which may be named."""
    expect(page.get_by_role("status")).to_have_text(
        re.compile(
            rf"^(More than |[\d,]+ of )?[\d,]+ photos? {re.escape(phrase)}$"
        )
    )
    if first:
        assert first_photo(page) == first


def tile(page: Page, number: int) -> Locator:
    """One of the photos that `have_many` makes up."""
    return page.locator(f'[data-photo="photo-{number}.jpg"]')


def set_status(page: Page, status: dict[str, Any]) -> None:
    """Have the server's events say this, from the next page load on, or else at once."""
    page.add_init_script(
        f"""window.EventSource = class {{
            constructor() {{
                window.pushStatus = (status) => this.onmessage({{ data: JSON.stringify(status) }});
                setTimeout(() => pushStatus({json.dumps(status)}));
            }}
            close() {{}}
        }};
        delete window.SharedWorker; // its events would be those of the server"""
    )


def have_many(page: Page, total: int, good: int = 1000, newer: int = 0) -> None:
    """Have the server hold many photos of one shape, made up; the first is photo-0.jpg.

    Unless there are newer ones, beginning with newer-0.jpg.

    The good ones, if it is to cut, are the first; in the order of time they are the last.
    """

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        start, limit = (
            int(asked.get("offset", ["0"])[0]),
            int(asked["limit"][0]),
        )
        shape = {
            "score": None,
            "width": 300,
            "height": 200,
            "taken": "2024-05-01T12:00:00",
            "version": "0123456789abcdef",
        }
        names = [
            *(f"newer-{number}.jpg" for number in range(newer)),
            *(f"photo-{number}.jpg" for number in range(total)),
        ]
        every = [{"filename": name, **shape} for name in names]
        best = (
            every[-good:] if asked.get("sort") == ["newest"] else every[:good]
        )
        kept = best if "cutoff" in asked else every
        found = kept[start : start + limit]
        route.fulfill(
            json={"results": found, "more": start + len(found) < len(every)}
        )

    month = {"month": "2024-05", "photos": total}
    page.route(
        "**/months?*",
        lambda route: route.fulfill(json={"months": [month], "photos": total}),
    )
    thumb = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(thumb, "JPEG")
    page.route("**/search?*", answer)
    page.route(
        "**/thumb/*",
        lambda route: route.fulfill(
            body=thumb.getvalue(), content_type="image/jpeg"
        ),
    )


def answering(status: int, body: dict[str, Any]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json=body)


def cut_after(page: Page, count: int) -> None:
    """Have the server leave out what follows, as far as it was asked to."""

    def answer(route: Route) -> None:
        whole = re.sub(r"&cutoff=[\d.]+", "", route.request.url)
        response = route.fetch(url=whole)
        body = response.json()
        if whole != route.request.url:
            body = {"results": body["results"][:count], "more": True}
        route.fulfill(response=response, json=body)

    page.route("**/search?*", answer)


def held(page: Page, photo: Path) -> JSHandle:
    """What the browser holds while this photo is dragged over the page, or pasted into it."""
    return page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [base64.b64encode(photo.read_bytes()).decode(), photo.name],
    )


# Whether what has the focus is in the window, and a ring around it, or around the box.
SHOWS_THE_FOCUS = """() => {
    const one = document.activeElement;
    const { left, right, top, bottom } = one.getBoundingClientRect();
    const isInside = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
    const ringed = [one, one.parentElement].map((any) => getComputedStyle(any).outlineStyle);
    return isInside && ringed.some((style) => style !== "none");
}"""


def tab_to(page: Page, target: Locator) -> None:
    """Go there by the Tab key alone; it is seen at each stop where one is."""
    for _ in range(40):
        page.keyboard.press("Tab")
        here = page.evaluate("document.activeElement.outerHTML")
        assert page.evaluate(SHOWS_THE_FOCUS), here
        if target.evaluate("(one) => one === document.activeElement"):
            return
    pytest.fail(f"no Tab leads to {target}, but to {here}")


def against_wcag(page: Page) -> list[str]:
    """What axe-core finds against WCAG AA in light, and in the dark's colours: rule and place."""
    found = []
    for scheme, rules in SCHEMES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(
            # One that is broken off, as its element goes, is over as well.
            "Promise.allSettled(document.getAnimations().map(({ finished }) => finished))"
        )
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text())
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        answer = page.evaluate(
            "(options) => axe.run(document, options)", options
        )
        for rule in answer["violations"]:
            found += [
                f"{scheme} {rule['id']}: {node['html']}"
                for node in rule["nodes"]
            ]
    return found
