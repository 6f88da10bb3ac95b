"""Reads the words on a photo, by RapidOCR. Run it in a worker.

A look at a small copy tells whether and where there may be
text, and only there more is done, at as many pixels as its
letters take.
"""

import functools
import hashlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from image_search.colour import Pixels
from image_search.files import open_regular_file
from image_search.photos import THUMBNAIL_SIZE, load_image
from image_search.quiet import one_line
from image_search.reasons import OutOfMemory, PhotoError
from image_search.text_lines import (
    TextLine,
    believed,
    in_reading_order,
    written_in,
)
from image_search.text_model import TextModel
from image_search.text_pieces import cut_in_pieces, is_long, stretch

# A photo is decoded to no less than this a side, if it has as much: so letters of
# 16 pixels on a screen of 2560 are read as they are.
ENOUGH = 2000
HEAT = 0.3  # from which on the detector takes a pixel for one of text
LEAST_BLOB = 12  # pixels of these side by side
MARGIN = 0.03  # of the photo, around what may be text
AROUND = 1.5  # times the thickest blob, too
# Thinner or thicker blobs may be small letters, of which a small copy does not show
# all: then a larger one is looked at.
THIN, FAT = 3, 40
LEAST_IMAGE = 16  # pixels a side: nothing is written on less
CLOSER = 800  # pixels
# A line should be so thick to the detector, whose blobs are half as high as letters.
THICK = 8
# What the photo's longer side is then shrunk to, if it is longer.
LEAST_SIDE, MOST_SIDE = 1024, 1600
LETTERS = 96  # pixels: the recogniser sees 48
STANDS = 1.5  # as often as high as wide: such a line is written upwards or down

Corners = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class ReaderBroken(Exception):
    """No photo can be read, whichever it is; says why."""


class Glance(NamedTuple):
    """Where there may be text."""

    box: tuple[float, float, float, float]  # left, top, right, bottom; 0 to 1
    side: int  # what the longer side of the photo is best shrunk to
    is_unsure: bool = False  # a closer look may tell of more, or of none


class TextReading(NamedTuple):
    """What was read, of what was in the file."""

    sha256: str  # in hexadecimal
    lines: list[TextLine]


def find_text(small: bytes, model: TextModel) -> Glance | None:
    """Where there may be text on a photo, by a small copy; None: nowhere."""
    reader = load_reader(model)
    with Image.open(io.BytesIO(small)) as image:
        return reader.glance(image.convert("RGB"))


def read_text(
    photo: Path | bytes, glance: Glance | None, model: TextModel
) -> TextReading:
    """Read a photo's file, or what was in it; `glance`: what a look at it told.

    Raises OSError if the file is away, PhotoError, and ReaderBroken.
    """
    reader = load_reader(model)
    if isinstance(photo, bytes):
        content = photo
    else:
        # A link may have taken its name since it was looked up.
        with open_regular_file(photo, follows_link=False) as file:
            content = file.read()
    digest = hashlib.sha256(content).hexdigest()
    image = load_image(content, at_least=ENOUGH)
    del content
    return TextReading(digest, reader.read(image, glance))


def check_reader(model: TextModel) -> None:
    """Read a small picture without text; raises ReaderBroken."""
    load_reader(model).glance(Image.new("RGB", (64, 64), "white"))


@functools.cache  # a worker holds one
def load_reader(model: TextModel) -> "TextReader":
    """Load RapidOCR's models; raises ReaderBroken."""
    try:
        return TextReader(model)
    except Exception as error:  # noqa: BLE001, a package or a file is missing, or odd
        reason = one_line(str(error) or repr(error)).rstrip(".")
        raise ReaderBroken(
            f"Words on photos can't be read: {reason}. Install what"
            " pyproject.toml names again, mend OCR_LANGUAGES, or set OCR=off."
        ) from None


class TextReader:
    """RapidOCR, which finds lines, and reads each."""

    def __init__(self, model: TextModel) -> None:
        import cv2
        from rapidocr import ModelType, OCRVersion, RapidOCR

        cv2.setNumThreads(1)
        self.cv2: Any = cv2
        self.model = model
        models: Any = RapidOCR
        known = models.list_supported_langs(
            "rec", OCRVersion.PPOCRV6, ModelType.SMALL
        )
        for name in model.languages:
            if name not in known:
                raise ValueError(
                    f"OCR_LANGUAGES={name} is none of {', '.join(known)}, and no"
                    " .onnx file of a recognition model"
                )
        self.engine: Any = RapidOCR(params=model.engine_options())
        # It loads its parts when they are first asked for.
        nothing = np.zeros((48, 96, 3), np.uint8)
        self.engine(nothing, use_det=True, use_cls=False, use_rec=False)
        self.engine(nothing, use_det=False, use_cls=True, use_rec=True)

    def glance(
        self, image: Image.Image, size: int = THUMBNAIL_SIZE
    ) -> Glance | None:
        """Where there may be text, by a look at a copy of some size."""
        wide_one = stretch(*image.size)
        small = image.copy()
        small.thumbnail((int(size * wide_one),) * 2)
        if min(small.size) < LEAST_IMAGE:
            return None
        detector = self.engine.text_det
        prepared = detector.get_preprocess()(_as_bgr(small))
        heat = detector.session(prepared)[0, 0]
        is_hot = (heat > HEAT).astype(np.uint8)
        _, _, blobs, _ = self.cv2.connectedComponentsWithStats(is_hot)
        left, top, width, height, area = blobs[1:].T
        is_large = area >= LEAST_BLOB
        if not is_large.any():
            return None
        thickness = (area / np.hypot(width, height))[is_large]
        thinnest = float(np.percentile(thickness, 10))
        side = max(small.size) * THICK / thinnest
        is_unsure = thinnest < THIN or bool(thickness.max() > FAT)
        high, wide = heat.shape
        # Letters are larger than their blobs, and are read by what is around them:
        # of those that are cut too tightly the spaces are lost.
        around = AROUND * thickness.max()
        box = (
            float((left[is_large].min() - around) / wide),
            float((top[is_large].min() - around) / high),
            float(((left + width)[is_large].max() + around) / wide),
            float(((top + height)[is_large].max() + around) / high),
        )
        side = np.clip(side, LEAST_SIDE * wide_one, MOST_SIDE * wide_one)
        return Glance(box, int(side), is_unsure)

    def read(
        self, image: Image.Image, glance: Glance | None = None
    ) -> list[TextLine]:
        """The lines on an upright RGB image, in reading order.

        `glance`: what a look at a small copy told, if there was one. Raises PhotoError.
        """
        lines: list[TextLine] = []
        try:
            pieces = cut_in_pieces(*image.size)
            for piece in pieces:
                part, look = image, glance
                if is_long(*image.size):
                    # A small copy has shown nothing of its letters.
                    part, look = image.crop(piece.box), None
                read = self._read_piece(part, look)
                lines += piece.own_lines(read, image.size)
        except MemoryError:
            raise OutOfMemory from None
        except Exception as error:  # noqa: BLE001, libraries of three makers
            told = PhotoError("its words can't be read")
            told.add_note(one_line(str(error) or repr(error)))
            raise told from None
        lines = written_in(self.model.languages, lines)
        return in_reading_order(believed(lines))

    def _read_piece(
        self, image: Image.Image, glance: Glance | None
    ) -> list[TextLine]:
        glance = glance or self.glance(image)
        if glance and glance.is_unsure:
            glance = self.glance(image, CLOSER)
        if glance is None:
            return []
        size = np.array(image.size, np.float32)
        low = np.maximum(np.array(glance.box[:2]) - MARGIN, 0) * size
        high = np.minimum(np.array(glance.box[2:]) + MARGIN, 1) * size
        corner = np.floor(low).astype(int)
        region = image.crop((*corner, *np.ceil(high).astype(int)))
        share = min(1.0, glance.side / max(image.size))
        small = region
        if share < 1:
            wide, high_ = (max(32, round(one * share)) for one in region.size)
            small = region.resize((wide, high_), Image.Resampling.BOX)
        found = self.engine.text_det(_as_bgr(small))
        if found.boxes is None:
            return []
        scale = np.array(region.size) / np.array(small.size)
        corners = (found.boxes * scale).astype(np.float32)
        return self._recognise(_as_bgr(region), corners, corner, size)

    def _recognise(
        self, pixels: Pixels, corners: Corners, corner: Any, size: Any
    ) -> list[TextLine]:
        """Read the lines at some corners, each of shape (4, 2), in a region.

        `corner`: where that begins in the image. `size`: of the image.
        """
        from rapidocr.ch_ppocr_rec import TextRecInput

        strips = []
        for number, line in enumerate(corners):
            strip = self._cut_out(pixels, line)
            if strip.shape[0] >= STANDS * strip.shape[1]:
                # Written down; turned round, if it is written upwards.
                strip, turns = np.rot90(strip), 1
                if self._is_upside_down(strip):
                    strip, turns = np.rot90(strip, 2), 3
                corners[number] = np.roll(line, -turns, axis=0)
            strips.append(np.ascontiguousarray(strip))
        read = self.engine.text_rec(TextRecInput(img=strips))
        boxes = (corners + corner) / size
        return [
            TextLine(
                text.strip(),
                tuple(round(float(one), 5) for one in box.ravel()),
                round(float(score), 3),
            )
            for text, score, box in zip(
                read.txts, read.scores, boxes, strict=True
            )
        ]

    def _cut_out(self, pixels: Pixels, line: Corners) -> Pixels:
        """A line by itself, straight, of at most so many pixels as are seen."""
        top, right, bottom, left = (
            float(np.linalg.norm(line[one] - line[other]))
            for one, other in ((0, 1), (1, 2), (2, 3), (3, 0))
        )
        width, height = max(top, bottom, 2), max(left, right, 2)
        share = min(1.0, LETTERS / min(width, height))
        wide, high = max(2, int(width * share)), max(2, int(height * share))
        straight = [[0, 0], [wide, 0], [wide, high], [0, high]]
        cut: Pixels = self.cv2.warpPerspective(
            pixels,
            self.cv2.getPerspectiveTransform(
                line, np.array(straight, np.float32)
            ),
            (wide, high),
            borderMode=self.cv2.BORDER_REPLICATE,
            flags=self.cv2.INTER_CUBIC if share == 1 else self.cv2.INTER_LINEAR,
        )
        return cut

    def _is_upside_down(self, strip: Pixels) -> bool:
        return bool(self.engine.text_cls([strip]).cls_res[0][0] == "180")


def _as_bgr(image: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
