"""A model's last layer computes what is looked at.

CLIP looks at one token of what the last layer gives: that of
the class. All others would be computed for nobody, which is
a fourteenth of ViT-B/32's work, and a 29th of ViT-L/14's.
The vector stays the same.
"""

from typing import Any

# By their classes in transformers: a model that looks at the
# first token alone, its layers, and their attention.
MODELS = {"CLIPVisionModel", "CLIPVisionTransformer"}
LAYER, ATTENTION = "CLIPEncoderLayer", "CLIPAttention"


def compute_class_alone(model: Any) -> None:
    """Let a model's last layer give the first token alone, in place.

    A model of another class stays as it is.
    """
    vision: Any = getattr(model, "vision_model", None)
    if type(vision).__name__ not in MODELS:
        return
    last = vision.encoder.layers[-1]
    names = type(last).__name__, type(last.self_attn).__name__
    if names == (LAYER, ATTENTION):
        last.forward = _first_token_of(last)


def _first_token_of(layer: Any) -> Any:
    """What stands in for the layer's own `forward`."""

    def forward(tokens: Any, *_: Any, **__: Any) -> Any:
        """(n, tokens, width) -> (n, 1, width)."""
        first = tokens[:, :1]
        looked_at = layer.layer_norm1(tokens)
        first = first + _attention(layer.self_attn, looked_at)
        made: Any = first + layer.mlp(layer.layer_norm2(first))
        return made

    return forward


def _attention(layer: Any, tokens: Any) -> Any:
    """What the first token takes of all of them.

    (n, tokens, width) -> (n, 1, width).
    """
    from torch.nn.functional import scaled_dot_product_attention

    def by_heads(rows: Any) -> Any:
        """(n, rows, width) -> (n, heads, rows, width of a head)."""
        heads = rows.unflatten(2, (layer.num_heads, layer.head_dim))
        return heads.transpose(1, 2)

    taken = scaled_dot_product_attention(
        by_heads(layer.q_proj(tokens[:, :1])),
        by_heads(layer.k_proj(tokens)),
        by_heads(layer.v_proj(tokens)),
        scale=layer.scale,
    )
    return layer.out_proj(taken.transpose(1, 2).flatten(2))
