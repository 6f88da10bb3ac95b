"""Two products and a softmax see in an image what transformers' attention sees."""

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AttentionInterface

from image_search.attention import NAME, use_two_products
from image_search.clip import DualEncoder, load_tower
from tests.models import (
    save_tiny_blip,
    save_tiny_chinese_clip,
    save_tiny_clip,
    save_tiny_pair,
    save_tiny_siglip,
    save_tiny_siglip2,
)

SIDE = 32  # pixels
PATCHES, NUMBERS = 256, 16 * 16 * 3
Save = Callable[[Path], None]
Calls = list[torch.Tensor]
OF_SQUARES = [
    save_tiny_blip,
    save_tiny_chinese_clip,
    save_tiny_clip,
    save_tiny_pair,
    save_tiny_siglip,
]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What PyTorch's own attention is asked for, as queries."""
    asked: Calls = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def ask(query: torch.Tensor, *others: Any, **options: Any) -> Any:
        asked.append(query)
        return attend(query, *others, **options)

    functional = torch.nn.functional
    monkeypatch.setattr(functional, "scaled_dot_product_attention", ask)
    return asked


def loaded(save: Save, folder: Path) -> Any:
    save(folder)
    encoder = DualEncoder("any", folder)
    return encoder.load_half("image", torch.float32).eval()


def squares(number: int) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn(number, 3, SIDE, SIDE)}


def of_any_shape(*shapes: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Images of so many rows and columns of patches, as NaFlex models take them."""
    used = torch.tensor([rows * columns for rows, columns in shapes])
    mask = torch.arange(PATCHES) < used[:, None]
    return {
        "pixel_values": torch.randn(len(shapes), PATCHES, NUMBERS),
        "pixel_attention_mask": mask.int(),
        "spatial_shapes": torch.tensor(shapes),
    }


def before_and_after(
    model: Any, inputs: dict[str, torch.Tensor]
) -> list[torch.Tensor]:
    """Vectors of the model as it was loaded, and as it attends then."""
    vectors = [model.get_image_features(**inputs).pooler_output]
    use_two_products(model)
    return [*vectors, model.get_image_features(**inputs).pooler_output]


@torch.inference_mode()
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("save", OF_SQUARES)
def test_the_vector_stays_the_same(
    save: Save, number: int, tmp_path: Path
) -> None:
    """Of one image and of several, for models of several makes."""
    model = loaded(save, tmp_path)
    before, after = before_and_after(model, squares(number))
    torch.testing.assert_close(after, before)


@torch.inference_mode()
@pytest.mark.parametrize("shapes", [[(16, 16)], [(10, 20), (16, 16), (1, 3)]])
def test_patches_that_are_not_there_are_not_looked_at(
    shapes: list[tuple[int, int]], tmp_path: Path
) -> None:
    """Images of different shapes together keep their vectors."""
    model = loaded(save_tiny_siglip2, tmp_path)
    before, after = before_and_after(model, of_any_shape(*shapes))
    torch.testing.assert_close(after, before)


@torch.inference_mode()
@pytest.mark.parametrize("save", [save_tiny_clip, save_tiny_siglip])
def test_pytorchs_attention_is_not_asked(
    save: Save, calls: Calls, tmp_path: Path
) -> None:
    """Once two products are used, for images without a mask."""
    model = loaded(save, tmp_path)
    model.vision_model(**squares(2))
    assert calls
    use_two_products(model)
    calls.clear()
    model.vision_model.encoder(torch.randn(2, 16, 32))
    assert not calls


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_it_is_for_a_cpus_bfloat16(
    dtype: torch.dtype, calls: Calls, tiny_clip: Path
) -> None:
    """In float32 PyTorch's own is as quick, and stays."""
    precision = str(dtype).removeprefix("torch.")
    encoder = DualEncoder("tiny", tiny_clip, precision, ("cpu",))
    model = load_tower(encoder, "image").model
    model.vision_model.encoder.layers[0](
        torch.randn(1, 17, 32, dtype=dtype), None
    )
    assert bool(calls) == (dtype == torch.float32)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("layer", "heads", "options"),
    [
        ({}, 4, {}),
        ({"is_causal": True}, 4, {}),
        ({"is_causal": False}, 4, {"is_causal": True}),
        ({"is_causal": False}, 4, {"scaling": None}),
        ({"is_causal": False}, 4, {"attention_mask": torch.eye(9).bool()}),
        ({"is_causal": False}, 4, {"position_bias": torch.randn(1, 4, 9, 9)}),
        ({"is_causal": False, "num_key_value_groups": 2}, 2, {}),
        ({"is_causal": False}, 4, {}),
    ],
)
def test_a_layer_gets_what_it_asks_for(
    layer: dict[str, Any], heads: int, options: dict[str, Any], tmp_path: Path
) -> None:
    """As from transformers, also where that is more than an image's layers need."""
    use_two_products(loaded(save_tiny_clip, tmp_path))
    query = torch.randn(2, 4, 9, 8)
    key, value = torch.randn(2, 2, heads, 9, 8)
    asked = {"attention_mask": None, "scaling": 0.3} | options
    found, expected = (
        AttentionInterface()[name](
            SimpleNamespace(**layer), query, key, value, **asked
        )[0]
        for name in (NAME, "sdpa")
    )
    torch.testing.assert_close(found, expected)


def test_a_model_is_told_of_without_a_word(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """That one attends in a way of its own is no news to anybody."""
    model = loaded(save_tiny_blip, tmp_path)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        use_two_products(model)
    assert not caplog.records


def test_what_is_no_vision_model_is_let_alone() -> None:
    """A half for words has none, and other models call it otherwise."""
    use_two_products(torch.nn.Sequential(torch.nn.Linear(2, 2)))
