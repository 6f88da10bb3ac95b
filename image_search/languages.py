"""Which languages a model reads, as its config tells it.

Not by its own words, of which no config has any, but by its
vocabulary: those of English models are few, and well known.
"""

from typing import Any

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
