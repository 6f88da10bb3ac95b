"""Photos with known texts on them: screenshots, receipts, signs, whiteboards, captions.

They are rendered in several fonts and sizes, and most of them "photographed": in perspective, on
an uneven light, blurred, noisy, as JPEGs. The same seed gives the same photos.
"""

import importlib.util
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.harness import PHOTOS

Colour = tuple[int, int, int]
# Some of packages, by package and file; Pillow's own has no umlauts.
SERIF = "font_caladea", "Caladea-Regular.ttf"
ITALIC = "font_caladea", "Caladea-BoldItalic.ttf"
SANS = "font_hanken_grotesk", "HankenGrotesk-Medium.otf"
LIGHT = "font_hanken_grotesk", "HankenGrotesk-Light.otf"
ROUND = "font_fredoka_one", "FredokaOne-Regular.ttf"
HANDWRITTEN = "font_amatic_sc", "AmaticSC-Bold.ttf"
PRINT = (SERIF, ITALIC, SANS, LIGHT)
HAND = (ROUND, HANDWRITTEN)
# Nothing that is to be seen on the sample photos.
ALL_WORDS = """
    Amount Annual Balance Bicycle Bottle Breakfast Bridge Budget Calendar Candle Ceiling
    Chapter Climate Concert Contract Copper Corner Customer Delivery Deposit Diesel Dinner
    Discount Document Elevator Engine Entrance Estimate Exhibit Factory Ferry Fiction Filter
    Flight Forward Gallery Garage Garden Glacier Granite Harbour Heating History Holiday
    Hospital Housing Imports Insurance Interest Island Journal Kitchen Ladder Language Leather
    Library Lighting Magnet Manager Margin Market Meeting Member Mineral Monday Monitor Museum
    Napkin Network Number Office Orange Orchard Packing Parking Passport Payment Pencil Permit
    Planning Platform Pocket Pottery Printer Profit Project Quarter Railway Receipt Recipe
    Refund Report Reserve Return River Rubber Sailing Sample Saturday Schedule Seminar Service
    Shipping Silver Station Storage Studio Subtotal Summer Supplier Ticket Timber Tobacco
    Total Tractor Traffic Treasury Tuesday Tunnel Umbrella Update Valley Velvet Version
    Village Vinegar Voucher Walnut Warranty Weather Weekend Window Winter Workshop Yellow
    Ausgang Bahnhof Brücke Ermäßigung Frühstück Gebühr Gemüse Größe Käse Küche Lösung Mühle
    Öffnung Prüfung Rückgabe Schlüssel Straße Tür Übersicht Währung Zubehör
"""
WORDS = ALL_WORDS.split()
SIGNS = (
    "EXIT ONLY",
    "NO PARKING",
    "MIND THE GAP",
    "WET FLOOR",
    "STAFF ONLY",
    "PUSH BAR TO OPEN",
    "KEEP CLEAR",
    "TICKETS",
    "WAY OUT",
    "CAUTION HOT SURFACE",
    "FIRE EXIT",
    "PLEASE RING BELL",
    "CLOSED ON MONDAY",
    "NO ENTRY",
    "RECEPTION",
    "TOWN HALL",
    "LOST PROPERTY",
    "PLATFORM CHANGE",
    "DIVERSION",
    "ROAD AHEAD CLOSED",
)
SIGN_COLOURS: list[tuple[Colour, Colour]] = [
    ((250, 250, 245), (20, 20, 20)),
    ((20, 90, 50), (245, 245, 245)),
    ((180, 25, 30), (250, 250, 250)),
    ((245, 205, 30), (25, 20, 10)),
    ((25, 60, 140), (250, 250, 250)),
]


@dataclass(frozen=True)
class RenderedText:
    """A photo with a text on it."""

    name: str  # of its file
    kind: str  # which of KINDS
    lines: tuple[str, ...]  # as they are written, from the top
    key: str  # two words that no other photo of the set has beside each other

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def render_texts(folder: Path, seed: int, count: int) -> list[RenderedText]:
    """Write so many photos with texts into a folder, of each kind as many."""
    kinds = [*KINDS]
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        chance = random.Random(f"{seed}/{number}")
        key = f"{chance.choice(WORDS)} {1000 + 7 * number}"
        image, lines, ending = KINDS[kind](chance, key)
        name = f"{kind}-{number:04}.{ending}"
        if ending == "png":
            image.save(folder / name)
        else:
            _save_as_phone(image, folder / name, chance)
        made.append(RenderedText(name, kind, tuple(lines), key))
    return made


def write_sign(path: Path, *lines: str) -> None:
    """Write a photo of a plain sign."""
    board = Image.new("RGB", (900, 130 * len(lines) + 80), (250, 250, 245))
    draw = ImageDraw.Draw(board)
    for number, line in enumerate(lines):
        draw.text((60, 40 + 130 * number), line, (20, 20, 20), _font(SANS, 80))
    path.parent.mkdir(parents=True, exist_ok=True)
    board.save(path)


Made = tuple[Image.Image, list[str], str]


def _screenshot(chance: random.Random, key: str) -> Made:
    """Small letters on a large screen, without any noise."""
    is_dark = chance.random() < 0.4
    paper: Colour = (30, 32, 38) if is_dark else (252, 252, 252)
    ink: Colour = (215, 218, 222) if is_dark else (25, 25, 30)
    image = Image.new("RGB", chance.choice([(2560, 1440), (1920, 1080)]), paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width, 60), fill=(90, 110, 150))
    size = chance.choice([16, 18, 22, 28])
    font = _font(chance.choice(PRINT), size)
    lines = [_line(chance, chance.randint(3, 8)) for _ in range(12)]
    lines[chance.randrange(len(lines))] += f" {key}"
    left = chance.randint(60, 700)
    for number, line in enumerate(lines):
        draw.text((left, 130 + 2.2 * size * number), line, ink, font)
    return image, lines, "png"


def _receipt(chance: random.Random, key: str) -> Made:
    """A narrow paper on a table, photographed by a phone."""
    font = _font(chance.choice(PRINT), 40)
    lines = [chance.choice(WORDS).upper() + " " + chance.choice(WORDS).upper()]
    for _ in range(chance.randint(6, 14)):
        price = f"{chance.randint(1, 80)}.{chance.randint(0, 99):02}"
        lines.append(f"{chance.choice(WORDS)} {chance.choice(WORDS)} {price}")
    lines += [
        key,
        f"Total {chance.randint(20, 400)}.{chance.randint(0, 99):02}",
    ]
    paper = Image.new("RGB", (760, 110 + 64 * len(lines)), (244, 242, 236))
    draw = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        draw.text((50, 50 + 64 * number), line, (45, 45, 50), font)
    ground = _background(chance, (1500, 2000))
    share = min(1.0, 1800 / paper.height)
    return _photographed(chance, paper, ground, share), lines, "jpg"


def _sign(chance: random.Random, key: str) -> Made:
    """Large letters on a board somewhere in a photo."""
    paper_colour, ink = chance.choice(SIGN_COLOURS)
    lines = [chance.choice(SIGNS), key]
    font = _font(chance.choice((*PRINT, ROUND)), 90)
    width = max(int(font.getbbox(line)[2]) for line in lines) + 120
    board = Image.new("RGB", (width, 320), paper_colour)
    draw = ImageDraw.Draw(board)
    for number, line in enumerate(lines):
        draw.text((60, 40 + 120 * number), line, ink, font)
    ground = _background(chance, (1600, 1200))
    share = chance.uniform(0.4, 0.95) * min(1.0, 1300 / width)
    return _photographed(chance, board, ground, share), lines, "jpg"


def _whiteboard(chance: random.Random, key: str) -> Made:
    """Handwriting, as far as a font has it, in coloured pens."""
    board = Image.new("RGB", (1500, 1000), (236, 238, 240))
    draw = ImageDraw.Draw(board)
    font = _font(chance.choice(HAND), chance.choice([70, 90]))
    lines = [_line(chance, chance.randint(2, 3)) for _ in range(5)]
    lines[chance.randrange(len(lines))] = key
    for number, line in enumerate(lines):
        pen = chance.choice([(20, 40, 120), (150, 25, 30), (20, 20, 20)])
        place = 90 + chance.randint(0, 60), 70 + 170 * number
        draw.text(place, line, pen, font)
    ground = Image.new("RGB", (1600, 1200), (150, 145, 140))
    return _photographed(chance, board, ground, 0.95), lines, "jpg"


def _caption(chance: random.Random, key: str) -> Made:
    """Outlined words written across a photo."""
    image = _background(chance, (1400, 1000), blur=0)
    draw = ImageDraw.Draw(image)
    font = _font(chance.choice((*PRINT, ROUND)), chance.choice([60, 80]))
    lines = [_line(chance, 2), key]
    for line, top in zip(lines, (70, 840), strict=True):
        left = (image.width - font.getbbox(line)[2]) / 2
        draw.text(
            (left, top),
            line,
            "white",
            font,
            stroke_width=5,
            stroke_fill="black",
        )
    return image, lines, "jpg"


KINDS: dict[str, Callable[[random.Random, str], Made]] = {
    "screenshot": _screenshot,
    "receipt": _receipt,
    "sign": _sign,
    "whiteboard": _whiteboard,
    "caption": _caption,
}


def _line(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def _font(name: tuple[str, str], size: int) -> ImageFont.FreeTypeFont:
    package, file = name
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "files"
    return ImageFont.truetype(folder / file, size)


def _background(
    chance: random.Random, size: tuple[int, int], blur: float = 3
) -> Image.Image:
    """A part of a sample photo that has no text on it, enlarged."""
    # The others have some: a flag's, a plate's, a cup's.
    name = chance.choice(
        ["cat.png", "flower.jpg", "galaxies.jpg", "temple.jpg"]
    )
    with Image.open(PHOTOS / name) as photo:
        image = photo.convert("RGB").resize(size)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def _photographed(
    chance: random.Random,
    paper: Image.Image,
    ground: Image.Image,
    share: float,
) -> Image.Image:
    """What lies on a ground, turned, in perspective, in an uneven light."""
    width, height = paper.width * share, paper.height * share
    center = np.array([ground.width, ground.height]) / 2
    angle = np.radians(chance.uniform(-9, 9))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    corners = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = center + turn @ np.array([x * width / 2, y * height / 2])
        away = [chance.uniform(-0.03, 0.03) * min(width, height) for _ in "xy"]
        corners.append(corner + away)
    coefficients = _perspective(corners, paper.size)
    way = Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    seen = paper.transform(ground.size, *way)
    mask = Image.new("L", paper.size, 255).transform(ground.size, *way)
    ground.paste(seen, (0, 0), mask)
    left, right = chance.uniform(0.6, 1.05), chance.uniform(0.6, 1.05)
    light = np.linspace(left, right, ground.width)[None, :, None]
    return Image.fromarray(
        np.clip(np.asarray(ground) * light, 0, 255).astype(np.uint8)
    )


def _perspective(
    corners: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]],
    size: tuple[int, int],
) -> list[float]:
    """Pillow's eight numbers by which these corners show a whole image."""
    width, height = size
    rows, wanted = [], []
    origins = (0, 0), (width, 0), (width, height), (0, height)
    for (x, y), (u, v) in zip(corners, origins, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        wanted += [u, v]
    return [*map(float, np.linalg.solve(np.array(rows), np.array(wanted)))]


def _save_as_phone(
    image: Image.Image, path: Path, chance: random.Random
) -> None:
    """Blur it, add noise, and write a JPEG; a third lie on their side, by EXIF."""
    image = image.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1.4)))
    noise = np.random.default_rng(chance.randrange(2**32))
    pixels = np.asarray(image).astype(np.float32)
    pixels += noise.normal(0, chance.uniform(0, 12), pixels.shape[:2])[
        ..., None
    ]
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    exif = Image.Exif()
    if chance.random() < 1 / 3:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    image.save(path, quality=chance.randint(55, 92), exif=exif)
