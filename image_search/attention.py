"""A CPU's attention in bfloat16, by two products and a softmax.

PyTorch's own goes through the scores block by block, so
that they are never in memory all at once. That is of use
for texts of thousands of tokens; an image has some
hundreds. It computes in float32 between its products, and
takes half as long again, or twice as long. Measured on a
CPU with AVX512-BF16 and no AMX.
"""

from typing import Any

from image_search.reports import without_reports

NAME = "two_products"
# What an image's layers ask for, which is nothing.
OPTIONS = {"dropout", "is_causal"}


def use_two_products(model: Any) -> None:
    """Let the image half of a model of transformers attend so, in place.

    One that computes attention in a way of its own keeps it.
    """
    from transformers import (
        AttentionInterface,
        AttentionMaskInterface,
        PreTrainedModel,
    )
    from transformers.masking_utils import sdpa_mask

    vision: Any = getattr(model, "vision_model", None)
    if not isinstance(vision, PreTrainedModel):
        return
    AttentionInterface.register(NAME, _two_products)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    with without_reports():
        vision.set_attn_implementation(NAME)


def _two_products(
    layer: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Any, None]:
    """As transformers asks for it.

    Three of shape (n, heads, tokens, width of a head) ->
    (n, tokens, heads, width of a head), and no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    is_usual = scaling is not None and query.shape[1] == key.shape[1]
    if not (is_usual and _sees_all(layer, attention_mask, options)):
        # Such as images of fewer patches than others have.
        return sdpa_attention_forward(
            layer,
            query,
            key,
            value,
            attention_mask,
            scaling=scaling,
            **options,
        )
    scores = (query * scaling) @ key.transpose(2, 3)
    seen = scores.softmax(3) @ value
    return seen.transpose(1, 2), None


def _sees_all(layer: Any, mask: Any, options: dict[str, Any]) -> bool:
    """Whether each token looks at all others, and nothing is added."""
    # As transformers has it, a layer that does not say so looks back alone.
    if mask is not None or getattr(layer, "is_causal", True):
        return False
    return {*options} <= OPTIONS and not any(options.values())
