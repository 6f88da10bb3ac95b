"""JPEGs look as libjpeg makes them, whoever decodes them. Here on a CPU."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_search.colour import Pixels
from image_search.jpeg_codec import JpegCodec, UnlikeLibjpeg
from image_search.jpeg_messages import Request
from tests.harness import PHOTOS

WIDTH, HEIGHT = 1203, 899
KINDS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 8},
}


@pytest.fixture(scope="module")
def codec() -> JpegCodec:
    return JpegCodec("cpu")


def encode(name: str = "coffee", mode: str = "RGB", **options: Any) -> bytes:
    photo = Image.open(PHOTOS / f"{name}.png").convert("RGB")
    buffer = io.BytesIO()
    photo = photo.resize((WIDTH, HEIGHT)).convert(mode)
    photo.save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def by_pillow(content: bytes, scale: int = 1) -> Any:
    image = Image.open(io.BytesIO(content))
    image.draft(None, (WIDTH // scale, HEIGHT // scale))
    return np.asarray(image).astype(int)


def request(content: bytes, scale: int = 1, bands: int = 3) -> Request:
    return Request(WIDTH, HEIGHT, scale, bands, content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_pixels_are_those_of_libjpeg(
    codec: JpegCodec, kind: str, scale: int
) -> None:
    """The whole within 2 levels of 255; smaller ones hardly differ in the mean."""
    content = encode(**KINDS[kind])
    [pixels] = codec.decode([request(content, scale)])
    expected = by_pillow(content, scale)
    assert pixels is not None
    assert pixels.shape == expected.shape
    difference = np.abs(pixels - expected)
    if scale == 1:
        assert difference.max() <= 2
    # In its smaller sizes libjpeg blends the colours of 4:2:2 across.
    is_blended = kind == "4:2:2" and scale > 1
    assert difference.mean() < (4 if is_blended else 1)
    assert np.percentile(difference, 99) <= (32 if is_blended else 4)


@pytest.mark.parametrize("scale", [1, 4])
def test_grey_is_grey(codec: JpegCodec, scale: int) -> None:
    content = encode(mode="L")
    [pixels] = codec.decode([request(content, scale, bands=1)])
    assert pixels is not None
    assert np.abs(pixels[:, :, 0] - by_pillow(content, scale)).max() <= 8


def test_a_batch_keeps_its_order(codec: JpegCodec) -> None:
    """Whole and small ones, each has its own; what is broken takes no other with it."""
    cat, coffee = encode("cat"), encode("coffee")
    asked = [
        request(cat, 8),
        request(coffee),
        request(coffee[: len(coffee) // 2], 8),
        request(b"no JPEG"),
        request(cat),
        request(coffee, 8),
    ]
    found = codec.decode(asked)
    assert [one is None for one in found] == [False] * 2 + [True] * 2 + [
        False
    ] * 2
    for one, expected in (
        (found[0], by_pillow(cat, 8)),
        (found[1], by_pillow(coffee)),
        (found[4], by_pillow(cat)),
        (found[5], by_pillow(coffee, 8)),
    ):
        assert one is not None
        assert np.abs(one - expected).mean() < 1
    assert codec.decode([]) == []


def test_another_size_than_told_is_refused(codec: JpegCodec) -> None:
    """What a request says of a file bounds the memory: it is held to it."""
    wrong = Request(WIDTH, HEIGHT - 1, 1, 3, encode())
    assert codec.decode([wrong]) == [None]


class Swapped(JpegCodec):
    """Blue is red."""

    def decode(self, batch: Any) -> list[Pixels | None]:
        return [
            None if one is None else one[:, :, ::-1]
            for one in super().decode(batch)
        ]


class Broken(JpegCodec):
    def decode(self, batch: Any) -> list[Pixels | None]:
        return [None] * len(batch)


def test_a_device_that_sees_otherwise_is_not_used(codec: JpegCodec) -> None:
    """It is compared with libjpeg before it gets a photo."""
    codec.check()
    with pytest.raises(UnlikeLibjpeg, match="levels"):
        Swapped("cpu").check()
    with pytest.raises(UnlikeLibjpeg, match="sound"):
        Broken("cpu").check()


def test_it_says_nothing_by_itself(
    codec: JpegCodec, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the library has to say on damaged files is not in the log."""
    JpegCodec("cpu")
    codec.decode([request(encode()[:-1000])])
    assert capfd.readouterr() == ("", "")
