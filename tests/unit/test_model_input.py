"""What a worker makes for a model is what the model's own image processor makes."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from image_search.clip import DualEncoder, load_tower
from image_search.model_input import Cropped, ModelInput, Patches, Stretched
from image_search.photos import read_pixels
from image_search.pixel_values import pixel_values
from tests.harness import PHOTOS, STARTER
from tests.models import (
    embed_images,
    save_tiny_clip,
    save_tiny_siglip,
    save_tiny_siglip2,
)

SAVE: dict[str, Callable[[Path], None]] = {
    "clip": save_tiny_clip,
    "siglip": save_tiny_siglip,
    "siglip2": save_tiny_siglip2,
}
KINDS = {
    "clip": Cropped,
    "siglip": Stretched,
    "siglip2": Patches,
    "starter": Cropped,
}
# Width and height, beside the photos: strips, the smallest, odd ones, the exact size.
SIZES = [
    (640, 427),
    (427, 640),
    (500, 31),
    (31, 500),
    (1, 1),
    (3, 7),
    (33, 35),
    (32, 32),
]


@pytest.fixture(scope="module", params=KINDS)
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DualEncoder:
    kind = request.param
    if kind == "starter":
        return DualEncoder(kind, STARTER, "float32")
    folder = tmp_path_factory.mktemp(kind)
    SAVE[kind](folder)
    return DualEncoder(kind, folder, "float32")


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def test_the_models_take_what_is_made(encoder: DualEncoder) -> None:
    """Images of any sizes together become the numbers that the processor makes of them."""
    made_by = encoder.model_input
    assert type(made_by) is KINDS[encoder.name]
    images = [noise(*size) for size in SIZES]
    processor = encoder.load_processor().image_processor
    expected = processor(images=images, return_tensors="pt")
    made = [made_by.make(image) for image in images]
    assert all(one.dtype == np.uint8 for one in made)
    model: Any = SimpleNamespace(
        device=torch.device("cpu"), dtype=torch.float32
    )
    found = pixel_values(made, made_by, processor, model)
    assert {*found} == {*expected}
    for name, values in found.items():
        assert values.shape == expected[name].shape
        assert torch.allclose(values.float(), expected[name].float(), atol=1e-5)


@pytest.mark.parametrize("name", ["cat.png", "rocket.jpg", "raccoon.webp"])
def test_a_photo_keeps_its_vector(name: str, encoder: DualEncoder) -> None:
    """Made in a worker, in the model's process, or by its processor, it is the same."""
    content = (PHOTOS / name).read_bytes()
    side, made_by = encoder.view
    shown = read_pixels(content, side)
    made = read_pixels(content, side, made_by)
    assert made.nbytes < shown.nbytes
    [vector] = embed_images(encoder, [made], made_by)
    [same] = embed_images(encoder, [shown])
    model, processor = load_tower(encoder, "image")
    inputs = processor(images=[Image.fromarray(shown)], return_tensors="pt")
    features = model.get_image_features(**inputs).pooler_output[0].numpy()
    for other in (same, features / np.linalg.norm(features)):
        assert vector @ other > 0.9999


@pytest.mark.parametrize(
    "other",
    [
        {"do_resize": False},
        {"do_rescale": False},
        {"do_normalize": False},
        {"do_center_crop": False},
        {"crop_size": {"height": 64, "width": 64}},
        {"size": {"shortest_edge": 32, "longest_edge": 64}},
    ],
)
def test_another_way_is_left_to_the_processor(
    tiny_clip: Path, other: dict[str, Any]
) -> None:
    """What is not known to be the same, a worker does not do."""
    processor = DualEncoder("tiny", tiny_clip).load_processor().image_processor
    assert ModelInput.of(processor)
    changed = type(processor)(**processor.to_dict() | other)
    assert ModelInput.of(changed) is None

    class Another(type(processor)):  # type: ignore[misc]
        """One that may do anything."""

    assert ModelInput.of(Another(**processor.to_dict())) is None
