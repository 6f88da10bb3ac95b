"""The system's Chromium, and what it knows of a visit: the figures that Lighthouse shows."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tests.harness import eventually

CHROMIUM = next(
    path
    for name in ("chromium", "chromium-browser", "google-chrome")
    if (path := shutil.which(name)) is not None
)
IN_SIGHT = """[...document.images].filter((img) => {
    const { top, bottom } = img.getBoundingClientRect();
    return bottom >= 0 && top <= innerHeight;
})"""
IN_SIGHT_IS_LOADED = (
    f"{IN_SIGHT}.every((img) => img.complete && img.naturalWidth > 0)"
)
FIGURES = """async () => {
    const seen = { "largest-contentful-paint": [], "layout-shift": [] };
    for (const type in seen)
        new PerformanceObserver((list) => seen[type].push(...list.getEntries()))
            .observe({ type, buffered: true });
    await new Promise((done) => setTimeout(done, 1000)); // for what comes late
    const loaded = performance.getEntriesByType("resource");
    const images = loaded.filter(({ initiatorType }) => initiatorType === "img");
    const shown = new Set(IN_SIGHT.map((img) => img.currentSrc));
    const ends = images.filter(({ name }) => shown.has(name)).map((entry) => entry.responseEnd);
    const code = loaded.filter(({ name }) => /\\.(js|css)$/.test(name));
    const sum = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
    return {
        first_paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
        largest_paint: seen["largest-contentful-paint"].at(-1).startTime,
        in_sight: Math.max(...ends),
        shift: sum(seen["layout-shift"].map(({ value }) => value)),
        code: sum(code.map(({ transferSize }) => transferSize)),
        images: images.map((entry) => [new URL(entry.name).pathname, entry.encodedBodySize]),
    };
}""".replace("IN_SIGHT", IN_SIGHT)


class Visit(NamedTuple):
    """What a visit of the page took: milliseconds since the page was asked for, and bytes."""

    first_paint: float
    largest_paint: float
    in_sight: float  # the last photo in the window has come
    shift: float  # of the layout, all of it: no less than the worst burst, which Lighthouse takes
    code: int  # JavaScript and CSS, with their headers, as they were sent
    images: list[tuple[str, int]]  # each that was loaded, with its size


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    quiet = [
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-sync", *quiet]
        yield playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments
        )


def visit(page: Page, address: str) -> Visit:
    """Open an address that shows photos, and wait until those in the window are loaded."""
    page.goto(address)
    page.locator(".photos img").first.wait_for()
    eventually(lambda: page.evaluate(IN_SIGHT_IS_LOADED))
    return Visit(**page.evaluate(FIGURES))
