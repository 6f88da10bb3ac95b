"""Words on photos are read as they are written; where there are none, next to nothing is done."""

import importlib.util
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from image_search.photos import make_thumbnail
from image_search.text_lines import TextLine
from image_search.text_model import TextModel
from image_search.text_reader import (
    ReaderBroken,
    TextReader,
    find_text,
    load_reader,
    read_text,
)
from tests.harness import PHOTOS
from tests.texts import RenderedText, render_texts

MODEL = TextModel()


@pytest.fixture(scope="module")
def reader() -> TextReader:
    """The real models."""
    return load_reader(MODEL)


@pytest.fixture(scope="module")
def rendered(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[RenderedText]]:
    """A photo of each kind."""
    folder = tmp_path_factory.mktemp("texts")
    return folder, render_texts(folder, seed=3, count=5)


def paper(*lines: str, size: tuple[int, int] = (900, 600)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(40)
    for number, line in enumerate(lines):
        draw.text((80, 60 + 90 * number), line, "black", font)
    return image


def as_png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def read(photo: Path) -> list[TextLine]:
    """As the queue has it done: by a look at the small copy first."""
    digest, small = make_thumbnail(photo, 512)
    glance = find_text(small, MODEL)
    if glance is None:
        return []
    reading = read_text(photo, glance, MODEL)
    assert reading.sha256 == digest
    return reading.lines


def test_texts_of_each_kind_are_read(
    rendered: tuple[Path, list[RenderedText]],
) -> None:
    """Screenshot, receipt, sign, whiteboard, caption: nine words in ten, the key above all."""
    folder, texts = rendered
    for one in texts:
        words = " ".join(line.text for line in read(folder / one.name))
        wanted = {*one.text.casefold().split()}
        missed = wanted - {*words.casefold().split()}
        assert len(missed) <= len(wanted) / 10, (one.name, missed)
        assert one.key.casefold() in words.casefold()


@pytest.mark.parametrize("name", ["cat.png", "flower.jpg", "temple.jpg"])
def test_photos_without_text_have_none(name: str) -> None:
    """Leaves and roofs are no letters."""
    assert read(PHOTOS / name) == []


def test_boxes_are_where_the_lines_are(reader: TextReader) -> None:
    """Clockwise from a line's own top left, as fractions of the upright image."""
    [line] = reader.read(paper("Invoice 4711"))
    assert line.text == "Invoice 4711"
    x0, y0, x1, y1, x2, y2, x3, y3 = line.box
    assert 0.05 < x0 < 0.1 < x1 < 0.6
    assert x3 < x1
    assert y0 < y3 < 0.25
    assert y1 < y2
    assert x2 == pytest.approx(x1, abs=0.02)


@pytest.mark.parametrize("turn", [90, 270])
def test_lines_may_be_written_upwards_or_down(
    reader: TextReader, turn: int
) -> None:
    """They are read, and their corners begin at their own top left."""
    image = paper("Platform change 12").rotate(turn, expand=True)
    [line] = reader.read(image)
    assert line.text == "Platform change 12"
    left, top = line.box[0], line.box[1]
    right, bottom = line.box[4], line.box[5]
    if turn == 90:  # counter-clockwise: it is read upwards
        assert left < right
        assert top > bottom
    else:
        assert left > right
        assert top < bottom


def test_a_turned_photo_is_read_upright() -> None:
    """As EXIF has it."""
    image = paper("Mind the gap").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    [line] = read_text(file.getvalue(), None, MODEL).lines
    assert line.text == "Mind the gap"
    assert line.box[1] == pytest.approx(line.box[3], abs=0.02)


def test_a_long_picture_is_read_to_its_end() -> None:
    """Lines all along it, each once."""
    image = Image.new("RGB", (600, 5000), "white")
    draw = ImageDraw.Draw(image)
    said = [f"Message number {1000 + number}" for number in range(9)]
    for number, line in enumerate(said):
        place = 40, 60 + 590 * number
        draw.text(place, line, "black", ImageFont.load_default(36))
    lines = read_text(as_png(image), None, MODEL).lines
    assert [line.text for line in lines] == said


def test_a_picture_of_few_pixels_is_no_error(reader: TextReader) -> None:
    """Nor is one of noise."""
    assert reader.read(Image.new("RGB", (1, 1))) == []
    assert reader.read(Image.new("RGB", (3000, 2))) == []
    noise = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
    assert reader.read(Image.fromarray(noise)) == []


def test_a_model_of_ones_own_reads(tmp_path: Path) -> None:
    """OCR_LANGUAGES may be the path of one, here of a copy of RapidOCR's."""
    spec = importlib.util.find_spec("rapidocr")
    assert spec is not None
    assert spec.origin
    [own] = Path(spec.origin).parent.glob("models/*_rec_*.onnx")
    shutil.copy(own, tmp_path / "mine.onnx")
    model = TextModel.of("mine.onnx", tmp_path)
    [line] = read_text(as_png(paper("Wet floor")), None, model).lines
    assert line.text == "Wet floor"


@pytest.mark.parametrize(
    "model",
    [
        TextModel(("klingon",)),
        TextModel((), "/no/such/file.onnx"),
        TextModel((), str(PHOTOS / "cat.png")),
    ],
)
def test_what_can_not_be_read_with_says_why(model: TextModel) -> None:
    """An unknown language, and a file that is away, or no model."""
    with pytest.raises(ReaderBroken, match=r"OCR_LANGUAGES"):
        load_reader(model)
