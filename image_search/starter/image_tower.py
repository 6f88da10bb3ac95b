"""The image tower: EfficientNet-lite2, as a stock model that classifies.

The stock EfficientNet gives features, but no scores of classes. Its eighth
stage, which lite2 does not have, is therefore made to classify.
"""

import torch
from torch import Tensor
from transformers import EfficientNetConfig, EfficientNetModel

from image_search.starter.ingredients import CLASS_COUNT, find_lite2

# Channels before lite2's classifier, and of the stock model's last layer.
HEAD_SIZE = 1280

# In an image's vector a class has the weight
# SCORE_SLOPE * (score - SCORE_THRESHOLD), which relu6 cuts to 0..6. Scores
# are logits, shifted so that the 1,000 scores of an image have mean 0.
#
# Nearly all classes of an image score less: noise, which stays out.
SCORE_THRESHOLD = 3.0
# relu6 then cuts at a score of 15, which is more than images reach.
SCORE_SLOPE = 0.5

# These are lite2's own: the side of its square image in pixels, its number of
# blocks (the classifier becomes block 21, counting from 0), and epsilon.
IMAGE_SIZE = 260
BACKBONE_BLOCKS = 21
BATCHNORM_EPSILON = 1e-3
# The backbone ends in a map of 9 x 9 cells.
FINAL_SIDE = 9
# sigmoid(40) == 1 in float32.
SATURATED = 40.0

# The stock model's name for a part of a block -> lite2's.
BLOCK_PARTS = {
    "expansion.expand_conv": "_expand_conv",
    "expansion.expand_bn": "_bn0",
    "depthwise_conv.depthwise_conv": "_depthwise_conv",
    "depthwise_conv.depthwise_norm": "_bn1",
    "projection.project_conv": "_project_conv",
    "projection.project_bn": "_bn2",
}
LAYER_TENSORS = ("weight", "bias", "running_mean", "running_var")

# Parameter name -> tensor, as state_dict() gives it: to write into a tensor
# is to write into the model.
Weights = dict[str, Tensor]


def build_image_tower() -> EfficientNetModel:
    """EfficientNet-lite2, with class weights as its output.

    Its pooler_output has the shape (images, 1280): 1,000 class weights, a 1,
    and 279 zeros.
    """
    lite2: Weights = torch.load(
        find_lite2(), map_location="cpu", weights_only=True
    )
    model = EfficientNetModel(configure_image_tower())
    weights: Weights = model.state_dict()
    copy_backbone(weights, lite2)
    write_classifier(weights, lite2)
    return model


def configure_image_tower() -> EfficientNetConfig:
    """Configure lite2 with an eighth stage, which will classify.

    Lite2 is B0 with 1.1 times the channels (rounded to multiples of 8) and
    1.2 times the blocks (rounded up). All of the lite family keep B0's stem
    and head, and the number of blocks in its first and last stage.
    """
    config = EfficientNetConfig(
        image_size=IMAGE_SIZE,
        # The lists below are scaled already.
        width_coefficient=1.0,
        depth_coefficient=1.0,
        # One number per stage from here on.
        in_channels=[32, 16, 24, 48, 88, 120, 208, 352],
        out_channels=[16, 24, 48, 88, 120, 208, 352, CLASS_COUNT],
        num_block_repeats=[1, 3, 3, 4, 4, 5, 1, 1],
        strides=[1, 2, 2, 2, 1, 2, 1, 2],
        kernel_sizes=[3, 3, 5, 3, 5, 5, 3, 2 * FINAL_SIDE - 1],
        # 4 * 352 = 1408 channels hold the head's 1280.
        expand_ratios=[1, 6, 6, 6, 6, 6, 6, 4],
        # Blocks with TensorFlow's "SAME" padding. A block that halves a map
        # of even side pads right and bottom; one that halves an odd side
        # (these have 65, 33, 17 and 9) pads all edges. It follows that the
        # model is right for one image size only.
        depthwise_padding=[4, 7, 15, BACKBONE_BLOCKS],
        hidden_dim=HEAD_SIZE,
        # Lite's; the other EfficientNets have swish.
        hidden_act="relu6",
        batch_norm_eps=BATCHNORM_EPSILON,
        # Lite has no squeeze-excite: make it one channel thin.
        squeeze_expansion_ratio=1e-6,
    )
    # The name under which the dual encoder looks for hidden_dim.
    config.hidden_size = HEAD_SIZE
    return config


def copy_backbone(weights: Weights, lite2: Weights) -> None:
    """Copy lite2's stem and 21 blocks; make squeeze-excites multiply by 1."""
    copy_layer(weights, "embeddings.convolution", lite2, "_conv_stem")
    copy_layer(weights, "embeddings.batchnorm", lite2, "_bn0")
    for block in range(BACKBONE_BLOCKS):
        # Block 0 has no expansion on either side.
        for stock_part, lite2_part in BLOCK_PARTS.items():
            copy_layer(
                weights,
                f"encoder.blocks.{block}.{stock_part}",
                lite2,
                f"_blocks.{block}.{lite2_part}",
            )
    # They multiply by sigmoid(0 * x + bias).
    for name, tensor in weights.items():
        if "squeeze_excite" in name:
            is_bias = name.endswith("expand.bias")
            tensor.fill_(SATURATED if is_bias else 0.0)


def write_classifier(weights: Weights, lite2: Weights) -> None:
    """Write lite2's classifier into the eighth stage and the top layer.

    The shapes for one image:

        (352, 9, 9)    from the backbone
        (1408, 9, 9)   expansion: lite2's head
        (1408, 5, 5)   depthwise: the mean over the map
        (1000, 5, 5)   projection: the scores
        (1280, 5, 5)   top layer: the class weights

    The 25 cells are equal, so the stock model's own mean over them, which
    comes last, changes nothing.
    """
    block = f"encoder.blocks.{BACKBONE_BLOCKS}"
    expansion = f"{block}.expansion"
    copy_layer(weights, f"{expansion}.expand_conv", lite2, "_conv_head")
    copy_layer(weights, f"{expansion}.expand_bn", lite2, "_bn1")
    write_global_mean(weights, f"{block}.depthwise_conv")
    write_scores(weights, f"{block}.projection", lite2)
    write_thresholds(weights)


def write_global_mean(weights: Weights, name: str) -> None:
    """Make a depthwise convolution put the mean of its map everywhere.

    A 17 x 17 kernel on a 9 x 9 map padded by 8 covers the whole map wherever
    it stands. Stride 2 saves work: 25 cells instead of 81.
    """
    kernel = weights[f"{name}.depthwise_conv.weight"]
    kernel.fill_(1.0 / FINAL_SIDE**2)
    set_batch_norm(
        weights, f"{name}.depthwise_norm", scale=1.0, shift=torch.zeros(1)
    )


def write_scores(weights: Weights, name: str, lite2: Weights) -> None:
    """Make a projection compute the scores of the classes.

    A score is a logit minus the mean of the image's logits. That is linear,
    so the classifier's weights can do it.
    """
    matrix = lite2["_fc.weight"]  # (1000, 1280)
    bias = lite2["_fc.bias"]  # (1000,)
    projection = weights[f"{name}.project_conv.weight"]  # (1000, 1408, 1, 1)
    projection.zero_()
    projection[:, :HEAD_SIZE, 0, 0] = matrix - matrix.mean(dim=0)
    set_batch_norm(
        weights, f"{name}.project_bn", scale=1.0, shift=bias - bias.mean()
    )


def write_thresholds(weights: Weights) -> None:
    """Make the top layer turn scores into class weights.

    It computes relu6(slope * score - slope * threshold), and relu6(1) in the
    channel after the classes.
    """
    top = weights["encoder.top_conv.weight"]  # (1280, 1000, 1, 1)
    top.zero_()
    top[:CLASS_COUNT, :, 0, 0] = torch.eye(CLASS_COUNT)
    shift = torch.zeros(HEAD_SIZE)
    shift[:CLASS_COUNT] = -SCORE_SLOPE * SCORE_THRESHOLD
    shift[CLASS_COUNT] = 1.0
    set_batch_norm(weights, "encoder.top_bn", SCORE_SLOPE, shift)


def copy_layer(
    weights: Weights, name: str, source: Weights, source_name: str
) -> None:
    """Copy a convolution or a batch norm.

    Channels that the source does not have stay silent.
    """
    for kind in LAYER_TENSORS:
        tensor = source.get(f"{source_name}.{kind}")
        if tensor is None:
            continue
        target = weights[f"{name}.{kind}"]
        target.fill_(1.0 if kind == "running_var" else 0.0)
        target[: len(tensor)] = tensor


def set_batch_norm(
    weights: Weights, name: str, scale: float, shift: Tensor
) -> None:
    """Make a batch norm compute scale * x + shift.

    `shift` has one number per channel, or one for all.
    """
    weights[f"{name}.weight"].fill_(scale)
    weights[f"{name}.bias"].copy_(shift)
    weights[f"{name}.running_mean"].zero_()
    # It divides by sqrt(variance + epsilon), which is to be 1.
    weights[f"{name}.running_var"].fill_(1.0 - BATCHNORM_EPSILON)
