"""The model as a person sets it: true sizes, and one that can't be loaded."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from image_search.clip import DualEncoder, Tower, load_tower
from image_search.packing import pack
from image_search.photos import read_pixels
from tests.harness import PHOTOS, STARTER, NewApp
from tests.models import true_clip


@pytest.mark.parametrize("size", ["ViT-L/14", "ViT-B/32"])
def test_precision_moves_no_vector(
    size: Literal["ViT-L/14", "ViT-B/32"], tiny_clip: Path
) -> None:
    """In 16 bits vectors stay within cosine 0.999 of float32's, at the true sizes."""
    exact = true_clip(size)
    side = exact.config.vision_config.image_size
    tower = load_tower(DualEncoder("tiny", tiny_clip), "text")
    processor = copy.copy(tower.processor)
    processor.image_processor = type(processor.image_processor)(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
    )
    image = read_pixels((PHOTOS / "cat.png").read_bytes(), side)
    words = "a cup of coffee", "a cat asleep in the sun"
    found = []
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        model = copy.deepcopy(exact).to(dtype)
        pack(model)
        tower = Tower(model, processor)
        vectors = tower.embed_images([image])
        found.append([*vectors, *map(tower.embed_text, words)])
    for vectors in zip(*found, strict=True):
        assert np.all(np.array(vectors) @ vectors[0] > 0.999)


def no_model(folder: Path) -> None:
    folder.mkdir()


def no_dual_encoder(folder: Path) -> None:
    small = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9
    )
    BertModel(small).save_pretrained(folder)


def broken_weights(folder: Path) -> None:
    folder.mkdir()
    for file in STARTER.iterdir():
        is_weights = file.suffix == ".safetensors"
        content = b"broken" if is_weights else file.read_bytes()
        (folder / file.name).write_bytes(content)


def nothing(_: Path) -> None:
    """The name is neither a folder's nor the hub's."""


@pytest.mark.parametrize(
    "make", [nothing, no_model, no_dual_encoder, broken_weights]
)
def test_a_model_that_cannot_be_loaded_stops_the_start(
    make: Callable[[Path], None], tmp_path: Path, new_app: NewApp
) -> None:
    """One sentence names CLIP_MODEL and what to do: no fallback, and no server.

    Nothing is written, so that another model finds an untouched DATA_DIR.
    """
    model = "no/such-model" if make is nothing else str(tmp_path / "model")
    make(tmp_path / "model")
    app = new_app("cat.png", CLIP_MODEL=model)
    said = app.refuses_to_start().splitlines()
    sentences = [line for line in said if f"CLIP_MODEL={model} " in line]
    assert len(sentences) == 1
    assert "Set CLIP_MODEL to " in sentences[0]
    assert not app.data.exists()
