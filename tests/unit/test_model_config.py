"""A model tells which languages it reads by its vocabulary."""

from types import SimpleNamespace
from typing import Any

import pytest

from image_search.model_config import languages_of


@pytest.mark.parametrize(
    ("model_type", "tokens", "languages"),
    [
        ("clip", 49408, ["en"]),
        ("siglip", 32000, ["en"]),
        ("vision-text-dual-encoder", 30522, ["en"]),
        ("siglip", 250000, None),
        ("siglip", 256000, None),
        ("siglip2", 256000, None),
        ("altclip", 250002, None),
        ("metaclip_2", 901629, None),
        ("chinese_clip", 21128, ["zh"]),
    ],
)
def test_a_model_reads_what_its_vocabulary_is_of(
    model_type: str, tokens: int, languages: Any
) -> None:
    """That of CLIP, of SigLIP and of the starter is English; SigLIP 2 reads many."""
    text = SimpleNamespace(vocab_size=tokens)
    config = SimpleNamespace(model_type=model_type, text_config=text)
    assert languages_of(config) == languages


@pytest.mark.parametrize("config", [object(), SimpleNamespace(text_config={})])
def test_of_an_unknown_model_nothing_is_claimed(config: Any) -> None:
    """Nobody is told that their words are not read where that is not known."""
    assert languages_of(config) is None
