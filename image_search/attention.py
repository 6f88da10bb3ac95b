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
# What an image's attention is told, which changes nothing
# where it is none.
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
    scaling: float,
    **options: Any,
) -> tuple[Any, None]:
    """As transformers asks for it.

    Three of shape (n, heads, tokens, width of a head) ->
    (n, tokens, heads, width of a head), and no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if attention_mask is not None or not _is_plain(layer, options):
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


def _is_plain(layer: Any, options: dict[str, Any]) -> bool:
    """Whether each token looks at all others, and nothing is added."""
    if layer.is_causal or not {*options} <= OPTIONS:
        return False
    return not any(options.values())
