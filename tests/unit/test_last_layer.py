"""A last layer that computes one token gives the vector that all of them gave."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from image_search.clip import DualEncoder
from image_search.last_layer import compute_class_alone
from tests.models import save_tiny_clip, save_tiny_siglip, save_tiny_siglip2


def loaded(save: Callable[[Path], None], folder: Path) -> Any:
    save(folder)
    return DualEncoder("any", folder).load("AutoModel").eval()


def rows_computed(model: Any, images: torch.Tensor) -> list[int]:
    """How many tokens each layer's last product was given, and the vectors."""
    rows: list[int] = []
    for layer in model.vision_model.encoder.layers:
        layer.mlp.fc2.register_forward_pre_hook(
            lambda _, given: rows.append(given[0].shape[1])
        )
    model.get_image_features(pixel_values=images)
    return rows


@torch.inference_mode()
@pytest.mark.parametrize("number", [1, 3])
def test_the_vector_stays_the_same(number: int, tmp_path: Path) -> None:
    """Of one image and of several."""
    model = loaded(save_tiny_clip, tmp_path)
    images = torch.rand(number, 3, 32, 32)
    before = model.get_image_features(pixel_values=images).pooler_output
    compute_class_alone(model)
    after = model.get_image_features(pixel_values=images).pooler_output
    torch.testing.assert_close(after, before)


@torch.inference_mode()
def test_no_other_token_is_computed(tmp_path: Path) -> None:
    """The last layer's products have one row for each image; those before have all."""
    model = loaded(save_tiny_clip, tmp_path)
    compute_class_alone(model)
    patches = (32 // 8) ** 2
    assert rows_computed(model, torch.rand(2, 3, 32, 32)) == [patches + 1, 1]


@torch.inference_mode()
@pytest.mark.parametrize("save", [save_tiny_siglip, save_tiny_siglip2])
def test_a_model_that_looks_at_all_tokens_computes_them(
    save: Callable[[Path], None], tmp_path: Path
) -> None:
    """SigLIP pools what all of them are."""
    model = loaded(save, tmp_path)
    changed = copy.deepcopy(model)
    compute_class_alone(changed)
    kept = model.vision_model.encoder.layers[-1].forward
    now = changed.vision_model.encoder.layers[-1].forward
    assert now.__func__ is kept.__func__


def test_what_is_no_vision_model_is_let_alone() -> None:
    """A half for words has none, and other models call it otherwise."""
    model = nn.Sequential(nn.Linear(2, 2))
    compute_class_alone(model)
    assert "forward" not in vars(model)
