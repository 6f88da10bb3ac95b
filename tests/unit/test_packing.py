"""A packed model gives the vectors that it gave before, and holds its weights once."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from image_search.clip import DualEncoder, Tower
from image_search.packing import pack
from image_search.photos import read_pixels
from tests.harness import PHOTOS, STARTER
from tests.models import (
    SMALL,
    save_clip,
    save_tiny_clip,
    save_tiny_siglip,
    save_tiny_siglip2,
)

FEATURES = torch.cpu.get_capabilities()
PACKS = {
    torch.float32: bool(FEATURES.get("avx2")),
    torch.bfloat16: bool(FEATURES.get("avx512_bf16")),
    torch.float16: False,
}
TEXTS = "a cat asleep in the sun", "cup"


def save_clip_with_gelu(folder: Path) -> None:
    """As OpenCLIP's own models have it, in place of OpenAI's quick GELU."""
    more = {"hidden_act": "gelu"}
    sizes: Any = SMALL | more
    vision = sizes | {"image_size": 40, "patch_size": 8}
    save_clip(folder, sizes, vision, 24)


def save_starter(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to(STARTER)


SAVES = [
    save_tiny_clip,
    save_clip_with_gelu,
    save_tiny_siglip,
    save_tiny_siglip2,
    save_starter,
]


@pytest.fixture(
    scope="module", params=SAVES, ids=lambda save: save.__name__.strip("save_")
)
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DualEncoder:
    folder = tmp_path_factory.mktemp("model")
    save: Callable[[Path], None] = request.param
    save(folder)
    return DualEncoder("any", folder)


def loaded(encoder: DualEncoder, dtype: torch.dtype) -> Any:
    model = encoder.load("AutoModel", dtype=dtype).eval()
    return model.requires_grad_(requires_grad=False)


def vectors(encoder: DualEncoder, model: Any) -> Iterator[np.ndarray]:
    """Of two photos at once, and of texts."""
    tower = Tower(model, encoder.load_processor())
    names = "cat.png", "rocket.jpg"
    photos = [
        read_pixels((PHOTOS / name).read_bytes(), encoder.image_size)
        for name in names
    ]
    yield from tower.embed_images(photos)
    yield from map(tower.embed_text, TEXTS)


@pytest.mark.parametrize(
    ("dtype", "least"),
    [(torch.float32, 0.99999), (torch.bfloat16, 0.999), (torch.float16, 0.999)],
)
def test_packing_changes_no_vector(
    dtype: torch.dtype, least: float, encoder: DualEncoder
) -> None:
    """Vectors stay within 0.99999 of those before in 32 bits, within 0.999 in 16."""
    exact = loaded(encoder, torch.float32)
    model = loaded(encoder, dtype)
    pack(model)
    both = zip(vectors(encoder, exact), vectors(encoder, model), strict=True)
    for before, after in both:
        assert before @ after > least


@pytest.mark.parametrize("dtype", PACKS)
def test_weights_are_held_once(
    dtype: torch.dtype, encoder: DualEncoder
) -> None:
    """What is packed holds no weight as it was; where nothing can be packed all stays."""
    model = loaded(encoder, dtype)
    before = {
        name: layer.weight.numel()
        for name, layer in model.named_modules()
        if type(layer) is nn.Linear
    }
    pack(model)
    left = {name: model.get_submodule(name).weight.numel() for name in before}
    assert left == (dict.fromkeys(before, 0) if PACKS[dtype] else before)


def test_a_model_is_packed_once(tiny_clip: Path) -> None:
    """To pack what is packed changes nothing."""
    encoder = DualEncoder("tiny", tiny_clip)
    model = loaded(encoder, torch.float32)
    pack(model)
    once = [*vectors(encoder, model)]
    pack(model)
    np.testing.assert_array_equal(once, [*vectors(encoder, model)])


def test_layers_of_other_classes_stay_as_they_are() -> None:
    """A layer that is more than its base class computes what it computed."""

    class Doubled(nn.Linear):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(rows)

    class Model(nn.Module):
        dtype = torch.float32

        def __init__(self) -> None:
            super().__init__()
            self.first = Doubled(8, 8)
            self.overlapping = nn.Conv2d(3, 8, 4, stride=2)
            self.padded = nn.Conv2d(8, 8, 2, stride=2, padding=1)
            self.grouped = nn.Conv2d(8, 8, 2, stride=2, groups=2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen = self.grouped(self.padded(self.overlapping(images)))
            made: torch.Tensor = self.first(seen.flatten(2).transpose(1, 2))
            return made

    model = Model().requires_grad_(requires_grad=False)
    packed = copy.deepcopy(model)
    pack(packed)
    images = torch.rand(2, 3, 24, 24)
    assert torch.equal(packed(images), model(images))


@pytest.mark.parametrize("side", [24, 27])
def test_patches_are_cut_as_a_convolution_cuts_them(side: int) -> None:
    """Also of an image whose edge is no whole patch, with a bias and without."""

    class Model(nn.Module):
        dtype = torch.float32

        def __init__(self, *, bias: bool) -> None:
            super().__init__()
            self.cut = nn.Conv2d(3, 16, 8, stride=8, bias=bias)

    images = torch.rand(2, 3, side, side)
    for bias in (True, False):
        model = Model(bias=bias).requires_grad_(requires_grad=False)
        expected = model.cut(images)
        pack(model)
        torch.testing.assert_close(model.cut(images), expected)
