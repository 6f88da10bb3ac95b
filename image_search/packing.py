"""A model's layers as a CPU computes them soonest: packed, and with what follows them.

oneDNN takes weights as they are, but lays them out for itself at each product. Here
that is done once. The function after a product, such as GELU, is computed while its
numbers are in the CPU's cache, and a convolution that cuts an image into patches is
a product as well.

The operators are PyTorch's own, not public: Inductor's `fx_passes/mkldnn_fusion.py`
uses them in the same way, but needs a C++ compiler at run time. Where PyTorch or the
CPU lacks them a model stays as it is; so do layers of classes not named here.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from image_search.hardware import cpu_features

# By their classes in transformers: a linear layer, and the function of what it gives.
FOLLOWED = {
    "BertIntermediate": ("dense", "intermediate_act_fn"),
    "CLIPMLP": ("fc1", "activation_fn"),
    "Siglip2MLP": ("fc1", "activation_fn"),
    "SiglipMLP": ("fc1", "activation_fn"),
}


class Function(NamedTuple):
    """A function of each number, in oneDNN's words."""

    name: str
    algorithm: str = ""


# Its `attention` looks at (n, rows, width), and multiplies (rows, n, width).
POOLING = {
    "Siglip2MultiheadAttentionPoolingHead",
    "SiglipMultiheadAttentionPoolingHead",
}
NONE = Function("none")
FUNCTIONS = {
    "GELUActivation": Function("gelu", "none"),
    "GELUTanh": Function("gelu", "tanh"),
}
# Quick GELU is x * sigmoid(1.702 * x), oneDNN's swish is x * sigmoid(x).
QUICK_GELU, QUICK_FACTOR = "QuickGELUActivation", 1.702
SWISH = Function("swish")


def pack(model: Any) -> None:
    """Prepare a model that lies on a CPU, in place: its vectors stay what they are."""
    import torch

    if not _can_pack(model.dtype):
        return
    layers: list[Any] = list(model.modules())
    for layer in layers:
        _fuse_function(layer)
        if type(layer).__name__ in POOLING:
            layer.attention.register_forward_pre_hook(_put_in_order)
    for layer in layers:
        if type(layer) is torch.nn.Linear and _has_weight(layer):
            _pack_linear(layer)
        if type(layer) is torch.nn.Conv2d and _cuts_patches(layer):
            _pack_patches(layer)


def _can_pack(dtype: Any) -> bool:
    """Whether PyTorch and the CPU have oneDNN's products in this precision."""
    import torch

    onednn = torch.ops.mkldnn
    for name in ("_reorder_linear_weight", "_linear_pointwise"):
        if not hasattr(onednn, name):
            return False
    needed = {torch.float32: "avx2", torch.bfloat16: "avx512_bf16"}
    return needed.get(dtype) in cpu_features()


def _has_weight(layer: Any) -> bool:
    """Whether it is not packed yet."""
    return bool(layer.weight.numel())


def _product(
    weight: Any, bias: Any, function: Function = NONE
) -> Callable[[Any], Any]:
    """Rows -> function(rows @ weight.T + bias), with the weight packed."""
    import torch

    onednn = torch.ops.mkldnn
    return functools.partial(
        onednn._linear_pointwise,
        W=onednn._reorder_linear_weight(weight),
        B=bias,
        attr=function.name,
        scalars=[],
        algorithm=function.algorithm,
    )


def _pack_linear(layer: Any, function: Function = NONE) -> None:
    layer.forward = _product(layer.weight, layer.bias, function)
    layer.weight.data = layer.weight.new_empty(0)


def _fuse_function(layer: Any) -> None:
    """Let a linear layer compute the function that follows it."""
    import torch

    names = FOLLOWED.get(type(layer).__name__)
    if not names:
        return
    first, following = (getattr(layer, name) for name in names)
    kind = type(following).__name__
    function = FUNCTIONS.get(kind)
    if kind == QUICK_GELU:
        # With x' = 1.702 * x it is swish(x') / 1.702.
        function = SWISH
        first.weight.data *= QUICK_FACTOR
        first.bias.data *= QUICK_FACTOR
        layer.fc2.weight.data /= QUICK_FACTOR
    if function:
        _pack_linear(first, function)
        setattr(layer, names[1], torch.nn.Identity())


def _put_in_order(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Lay out what is looked at as it is multiplied.

    Otherwise PyTorch copies the weight for each row, once there are two images:
    600 MB and 0.3 s for images of 256 patches.
    """
    query, key, *_ = arguments
    rows = key.transpose(0, 1).contiguous().transpose(0, 1)
    return query, rows, rows


def _cuts_patches(layer: Any) -> bool:
    """Whether a convolution looks at squares of pixels beside each other."""
    return (
        _has_weight(layer)
        and layer.kernel_size == layer.stride
        and min(layer.stride) > 1
        and layer.padding in {(0, 0), "valid"}
        and layer.dilation == (1, 1)
        and layer.groups == 1
    )


def _pack_patches(layer: Any) -> None:
    product = _product(layer.weight.flatten(1), layer.bias)
    height, width = layer.kernel_size

    def forward(images: Any) -> Any:
        """(n, channels, height, width) -> (n, features, rows, columns)."""
        patches = images.unfold(2, height, height).unfold(3, width, width)
        # n, channels, rows, columns, height, width
        rows = patches.permute(0, 2, 3, 1, 4, 5).flatten(3)
        return product(rows).permute(0, 3, 1, 2)

    layer.forward = forward
    layer.weight.data = layer.weight.new_empty(0)
