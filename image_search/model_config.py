"""What the files of a model of transformers tell of it, before it is loaded.

Which languages it reads is told by its vocabulary: those of
English models are few, and well known.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

ENGLISH = ["en"]
# By how many tokens they have; all others are taken for
# models of several languages.
ENGLISH_VOCABULARIES = {
    49408,  # CLIP's own, which most of its successors took over
    32000,  # SigLIP's, made of English texts
    30522,  # BERT's
    30524,  # BLIP's: BERT's, and two signs
    50265,  # RoBERTa's
}
# The family of models for one other language.
CHINESE = "chinese_clip"


class Unloaded(NamedTuple):
    """What a model is going to be, and where."""

    config: Any
    device: str
    dtype: Any


def languages_of(config: Any) -> list[str] | None:
    """Codes of the languages that a model reads; None if they are many, or unknown.

    `config`: transformers'.
    """
    if getattr(config, "model_type", "") == CHINESE:
        return ["zh"]
    text = getattr(config, "text_config", None)
    if isinstance(text, dict):
        vocabulary = text.get("vocab_size")
    else:
        vocabulary = getattr(text, "vocab_size", None)
    return [*ENGLISH] if vocabulary in ENGLISH_VOCABULARIES else None


def dimension_of(config: Any) -> int | None:
    """The length of a model's vectors; None if it is no dual encoder."""
    text = getattr(config, "text_config", None)
    if text is None:
        return None
    # CLIP projects both towers to `projection_dim`, SigLIP to its text tower's size.
    dimension = getattr(config, "projection_dim", None)
    dimension = dimension or getattr(text, "projection_size", None)
    return dimension and int(dimension)


def digest_of_weights(folder: Path | None) -> str:
    """The SHA-256 of the weights in a folder, in hexadecimal; of none elsewhere."""
    digest = hashlib.sha256()
    weights = []
    if folder:
        weights = sorted(folder.glob("*.safetensors"))
    for path in weights:
        with path.open("rb") as file:
            part = hashlib.file_digest(file, "sha256")
        digest.update(part.digest())
    return digest.hexdigest()
