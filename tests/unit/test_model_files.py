"""A process reads one half of a model, and that half computes what the whole model would."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from image_search import model_files
from image_search.clip import DualEncoder
from image_search.model_files import Half, load_half, load_part
from image_search.settings import StartupError
from tests.models import (
    save_tiny_blip,
    save_tiny_chinese_clip,
    save_tiny_clip,
    save_tiny_pair,
    save_tiny_siglip,
    save_tiny_siglip2,
)

HALVES: tuple[Half, ...] = ("text", "image")


def halves_of(folder: Path) -> list[Any]:
    config = load_part("AutoConfig", "tiny", str(folder))
    return [load_half(half, config, "tiny", str(folder)) for half in HALVES]


def numbers(model: Any) -> int:
    """How many a model is made of."""
    return sum(part.numel() for part in model.parameters())


@pytest.mark.parametrize(
    "save", [save_tiny_blip, save_tiny_chinese_clip, save_tiny_pair]
)
def test_a_half_is_what_the_whole_model_is(
    save: Callable[[Path], None], tmp_path: Path
) -> None:
    """Words and images get the same vectors, and the other half's layers are not there."""
    save(tmp_path)
    whole = load_part("AutoModel", "tiny", str(tmp_path)).eval()
    text, image = (half.eval() for half in halves_of(tmp_path))
    words = {"input_ids": torch.arange(5, 15)[None]}
    pixels = {"pixel_values": torch.randn(1, 3, 32, 32)}
    for expected, found in (
        (whole.get_text_features(**words), text.get_text_features(**words)),
        (
            whole.get_image_features(**pixels),
            image.get_image_features(**pixels),
        ),
    ):
        assert torch.equal(expected.pooler_output, found.pooler_output)
    assert numbers(text) + numbers(image) < 1.3 * numbers(whole)


@pytest.mark.parametrize(
    "save", [save_tiny_clip, save_tiny_siglip, save_tiny_siglip2]
)
def test_a_half_tells_of_the_whole_model(
    save: Callable[[Path], None], tmp_path: Path
) -> None:
    """Its config is that of the files, with the layers that it was loaded without."""
    save(tmp_path)
    config = load_part("AutoConfig", "tiny", str(tmp_path))
    for half in halves_of(tmp_path):
        assert half.config is not None
        for part in ("text_config", "vision_config"):
            layers = getattr(half.config, part).num_hidden_layers
            assert layers == getattr(config, part).num_hidden_layers == 2


def test_nothing_is_said_of_what_is_left_out(
    tiny_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """That the other half's weights are not read is no news to anybody."""
    with caplog.at_level(logging.INFO):
        halves_of(tiny_clip)
    assert [record.getMessage() for record in caplog.records] == []


def test_weights_that_are_missing_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A model of which a file lacks a part finds nothing: its user learns which part."""
    save_tiny_clip(tmp_path)
    [file] = tmp_path.glob("*.safetensors")
    weights = load_file(file)
    del weights["text_projection.weight"]
    save_file(weights, file, {"format": "pt"})
    halves_of(tmp_path)
    assert "text_projection.weight" in caplog.text
    assert "random" in caplog.text


def test_a_model_that_needs_all_of_its_layers_has_them(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that can't be made without them is loaded whole."""
    load = load_part

    def refuse(*arguments: Any, **options: Any) -> Any:
        if "config" in options:
            raise StartupError("no layers") from ValueError("no layers")
        return load(*arguments, **options)

    expected = halves_of(tiny_clip)
    monkeypatch.setattr(model_files, "load_part", refuse)
    for half, other in zip(halves_of(tiny_clip), expected, strict=True):
        assert numbers(half) == numbers(other)


def test_files_that_are_not_there_are_asked_for_once(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that does not answer is not waited for twice."""
    asked = []
    config = load_part("AutoConfig", "tiny", str(tiny_clip))

    def refuse(*arguments: Any, **_: Any) -> Any:
        asked.append(arguments)
        raise StartupError("no such file") from OSError("no such file")

    monkeypatch.setattr(model_files, "load_part", refuse)
    with pytest.raises(StartupError, match="no such file"):
        load_half("text", config, "tiny", str(tiny_clip))
    assert len(asked) == 1


def test_an_encoder_loads_halves(tiny_clip: Path) -> None:
    """Its towers compute unit vectors of one space, each without the other's layers."""
    encoder = DualEncoder("tiny", tiny_clip).on("cpu")
    text = encoder.tower("text").embed_text("a cat")
    black = np.zeros((32, 32, 3), np.uint8)
    [image] = encoder.tower("image").embed_images([black])
    assert text.shape == image.shape == (encoder.dimension,)
