"""Copies and bursts of a photo are one group; photos that are merely similar are not."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from image_search.clip import l2_normalize
from image_search.folding import fold, nearly_equal
from image_search.placeholder import thumbhash_of
from image_search.points import Payload
from tests.harness import PHOTOS
from tests.unit.memory_store import payload_of

SAMPLES = sorted(PHOTOS.glob("*.[jpw]*"))
# Stars, and a rocket on a grey sky: nothing is to be seen of them from afar.
DIM = {"galaxies.jpg", "rocket.jpg"}
RICH = [photo for photo in SAMPLES if photo.name not in DIM]
SEEN = l2_normalize(np.arange(1, 9))


def payload(name: str, image: Image.Image, **facts: Any) -> Payload:
    width, height = image.size
    return Payload.model_validate(
        payload_of(
            name,
            width=width,
            height=height,
            thumbhash=thumbhash_of(image),
            **facts,
        )
    )


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def next_of_a_burst(image: Image.Image) -> Image.Image:
    """What a hand that trembles takes a moment later."""
    width, height = image.size
    return image.crop((width // 40, height // 50, width, height))


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "small": lambda image: image.resize((image.width // 3, image.height // 3)),
    "compressed": compressed,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "of a burst": next_of_a_burst,
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("sample", RICH, ids=lambda photo: photo.stem)
def test_a_copy_is_nearly_equal(sample: Any, edit: str) -> None:
    """One of another size, compressed anew, brighter, or of the next moment."""
    image = Image.open(sample).convert("RGB")
    both = payload("a.jpg", image), payload("b.jpg", EDITS[edit](image))
    assert fold(both, [SEEN, SEEN], 9) == [[0, 1]]


def test_other_photos_are_not_nearly_equal() -> None:
    """Whatever the model thinks of them: they are laid out in another way."""
    images = [Image.open(sample).convert("RGB") for sample in SAMPLES]
    payloads = [
        payload(f"{number}.jpg", image) for number, image in enumerate(images)
    ]
    assert len(fold(payloads, [SEEN] * len(images), 99)) == len(images)


def test_what_the_model_tells_apart_is_not_nearly_equal() -> None:
    """Two photos that are laid out alike may show different things."""
    image = Image.open(SAMPLES[0]).convert("RGB")
    both = payload("a.jpg", image), payload("b.jpg", image)
    other = l2_normalize(np.arange(8)[::-1])
    assert fold(both, [SEEN, other], 9) == [[0], [1]]


def page_of_text(seed: int) -> Image.Image:
    chance = np.random.default_rng(seed)
    image = Image.new("RGB", (500, 700), "white")
    drawing = ImageDraw.Draw(image)
    for line in range(30):
        words = "".join(chance.choice([*"abcdefgh   "], 60))
        drawing.text((40, 40 + 20 * line), words, fill="black")
    return image


def test_pages_of_text_are_told_apart() -> None:
    """All look alike from afar, to a model too: only the same file is the same page."""
    pages = [payload(f"{seed}.jpg", page_of_text(seed)) for seed in range(9)]
    pages.append(payload("copy.jpg", page_of_text(3), sha256="3.jpg's"))
    groups = fold(pages, [SEEN] * 10, 99)
    assert [group for group in groups if len(group) > 1] == [[3, 9]]


@pytest.mark.parametrize(
    ("words", "others", "is_one"),
    [
        ("ROAD CLOSED 1189 Station", "TICKETS 1224 Elevator Hall", False),
        ("Road closed\n1189 Station", "ROAD CLOSED Statlon 1189", True),
        ("Road closed 1189", None, True),  # not read yet, or nothing on it
        ("Road closed 1189", "x", True),
    ],
)
def test_words_tell_signs_apart(
    words: str, others: str | None, *, is_one: bool
) -> None:
    """Two signs of one kind are two photos, as far as their words could be read."""
    image = Image.open(RICH[0]).convert("RGB")
    sign = payload("a.jpg", image, text=words)
    other = payload("b.jpg", compressed(image), text=others)
    assert (fold([sign, other], [SEEN, SEEN], 9) == [[0, 1]]) == is_one


def test_the_same_file_is_the_same_photo() -> None:
    """Also where nothing is known of it but its digest, as of an earlier version."""
    payloads = [
        Payload.model_validate(payload_of(name, sha256=digest))
        for name, digest in (("a", "1"), ("b", "2"), ("c", "1"))
    ]
    assert fold(payloads, [None, None, None], 9) == [[0, 2], [1]]
    assert nearly_equal(payloads, [SEEN, SEEN, SEEN]).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]


def test_groups_end_before_one_too_many() -> None:
    """All photos up to there are in them, each once; of none there are no groups."""
    payloads = [
        Payload.model_validate(payload_of(str(place), sha256=digest))
        for place, digest in enumerate("aabacbdae")
    ]
    vectors = [None] * len(payloads)
    assert fold(payloads, vectors, 3) == [[0, 1, 3], [2, 5], [4]]
    assert fold(payloads, vectors, 1) == [[0, 1]]
    assert fold([], [], 3) == []
