"""Hundreds of odd files, as a walk through them: right colours, sides and dates, or a plain reason."""

import base64
import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from image_search.photos import Reading, read_photo
from image_search.reasons import PhotoError
from image_search.workers import WorkerPool
from tests.browser import chromium
from tests.odd_files import COLUMNS, ROWS, TILES, Odd, odd_files, tile_means

SIDE = 64  # pixels that the model looks at
MOST_LEVELS = 6  # by which the mean colour of a tile may be off
SECONDS = 60
# A browser's own picture of a file, on white, as the mean colours of its tiles.
IN_A_BROWSER = """async ([content, type, columns, rows]) => {
    const image = new Image();
    image.src = `data:${type};base64,${content}`;
    try {
        await image.decode();
    } catch {
        return null;
    }
    const { naturalWidth: width, naturalHeight: height } = image;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0);
    const means = [];
    const across = Math.floor(width / columns), down = Math.floor(height / rows);
    for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
            const left = column * across + Math.floor(across / 5);
            const top = row * down + Math.floor(down / 5);
            const wide = Math.floor(across * 3 / 5), high = Math.floor(down * 3 / 5);
            const { data } = context.getImageData(left, top, wide, high);
            const mean = [0, 0, 0];
            for (let at = 0; at < data.length; at += 4)
                for (let band = 0; band < 3; band++) mean[band] += data[at + band];
            means.push(mean.map((sum) => sum / (data.length / 4)));
        }
    return { width, height, means };
}"""
TYPES = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp",
    "AVIF": "image/avif", "GIF": "image/gif", "BMP": "image/bmp",
}  # fmt: skip


# It turns no WebP, as others do, and takes BT.709's curve otherwise in a PNG than in an AVIF.
NOT_BY_CHROMIUM = {
    "numbers/cICP 9 1.png",
    *(f"turned/{number}.webp" for number in range(2, 9)),
}


class Read(NamedTuple):
    """An odd file, and what came of it."""

    odd: Odd
    reading: Reading | None
    reason: str

    @property
    def seen(self) -> Image.Image:
        assert self.reading is not None
        return Image.open(io.BytesIO(self.reading.thumbnail))


@pytest.fixture(scope="module")
def walk() -> list[Read]:
    """Every odd file as a worker reads it."""
    pool = WorkerPool(1, SECONDS)
    walk = []
    for odd in odd_files():
        try:
            reading = pool.run(read_photo, odd.content, SIDE)
            walk.append(Read(odd, reading, ""))
        except PhotoError as error:
            walk.append(Read(odd, None, str(error)))
    pool.close()
    return walk


def complain(wrong: dict[str, Any]) -> None:
    assert not wrong, "\n".join(f"{name}: {why}" for name, why in wrong.items())


def test_what_is_a_photo_is_read(walk: list[Read]) -> None:
    """What a person can look at elsewhere is read, and what is no picture is not."""
    complain(
        {
            read.odd.name: read.reason or "it was read"
            for read in walk
            if read.odd.is_photo not in {None, read.reading is not None}
        }
    )


def test_colours_and_sides_are_right(walk: list[Read]) -> None:
    """Each tile of the drawing has its colour, and is where it belongs."""
    wrong = {}
    for read in walk:
        if not (read.odd.look and read.reading):
            continue
        off = np.abs(tile_means(read.seen) - tile_means(read.odd.look)).max()
        facts = read.reading.facts
        if off > MOST_LEVELS:
            wrong[read.odd.name] = f"{off:.0f} levels off"
        elif (facts.width, facts.height) != read.odd.look.size:
            wrong[read.odd.name] = f"{facts.width} x {facts.height}"
    complain(wrong)


def test_dates_are_right(walk: list[Read]) -> None:
    """The first sane date of a header counts, however it is written."""
    wrong = {}
    for read in walk:
        if read.odd.taken and read.reading:
            taken = read.reading.facts.taken
            if taken is None or taken.time != read.odd.taken:
                wrong[read.odd.name] = taken
    complain(wrong)


def test_reasons_are_plain(walk: list[Read]) -> None:
    """Why a file is skipped is one sentence of ours, without a decoder's words."""
    jargon = re.compile(
        r"[\n\r<>_]|Error|exception|decoder|bomb|chunk|buffer|stream|b'|0x|-\d"
        r"|plugin|segment|marker|IFD|unpack|struct|seek|index|argument",
        re.IGNORECASE,
    )
    complain(
        {
            read.odd.name: read.reason
            for read in walk
            if read.reason and jargon.search(read.reason)
        }
    )


def test_damage_is_said(walk: list[Read]) -> None:
    """What is shown though a part is missing or wrong is marked so; what is whole is not."""
    wrong = {}
    for read in walk:
        if read.reading is None or read.odd.name.startswith("corrupted/"):
            continue
        is_damaged = read.odd.name.startswith(("cut/", "chunks/wrong"))
        if read.reading.is_damaged != is_damaged:
            wrong[read.odd.name] = f"damaged: {read.reading.is_damaged}"
    complain(wrong)


@pytest.fixture(scope="module")
def in_a_browser(walk: list[Read]) -> Iterator[dict[str, Any]]:
    """What Chromium makes of each file of a format that it knows, by name."""
    with chromium() as browser:
        page = browser.new_page()
        drawn = {}
        for read in walk:
            content = read.odd.content
            type_ = TYPES.get(format_of(content))
            if type_ is None:
                continue
            sent = base64.b64encode(content).decode()
            drawn[read.odd.name] = page.evaluate(
                IN_A_BROWSER, [sent, type_, COLUMNS, ROWS]
            )
        yield drawn


def format_of(content: bytes) -> str:
    try:
        return Image.open(io.BytesIO(content)).format or ""
    except Exception:  # noqa: BLE001, it is broken, in one of many ways
        return ""


def test_photos_look_as_in_a_browser(
    walk: list[Read], in_a_browser: dict[str, Any]
) -> None:
    """An independent reader sees the same colours at the same places, of every whole file."""
    wrong = {}
    compared = 0
    for read in walk:
        drawn = in_a_browser.get(read.odd.name)
        if not (drawn and read.reading and read.odd.is_photo):
            continue
        if read.odd.name in NOT_BY_CHROMIUM:
            continue
        compared += 1
        theirs = np.array(drawn["means"]).reshape(len(TILES), 3)
        off = np.abs(tile_means(read.seen) - theirs).max()
        if off > MOST_LEVELS:
            wrong[read.odd.name] = f"{off:.0f} levels off"
    complain(wrong)
    assert compared > 100


def test_what_a_browser_shows_is_shown(
    walk: list[Read], in_a_browser: dict[str, Any]
) -> None:
    """Cut files that a browser shows most of are not skipped here."""
    complain(
        {
            read.odd.name: read.reason
            for read in walk
            if read.odd.name.startswith(("cut/99", "cut/75", "cut/two"))
            and in_a_browser.get(read.odd.name)
            and not read.reading
        }
    )
