"""Join the two towers into one model, and save it."""

import logging
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoTokenizer,
    # The variant that needs Pillow only, not torchvision.
    CLIPImageProcessorPil,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    VisionTextDualEncoderProcessor,
)

from image_search.starter.classes import embed_classes
from image_search.starter.image_tower import IMAGE_SIZE, build_image_tower
from image_search.starter.ingredients import CLASS_COUNT, TEXT_SIZE, find_minilm
from image_search.starter.text_tower import (
    TANH_SCALE,
    MiniLM,
    build_text_tower,
    unit,
)

# What the app calls it before people.
DISPLAY_NAME = "starter (object search)"
# An image with no class above the threshold still needs a direction.
FALLBACK_WEIGHT = 1e-3
# The shorter side before the centre crop, as in lite2's evaluation.
RESIZED_SIDE = IMAGE_SIZE + 32
# The length all-MiniLM-L6-v2 was trained with, says its model card.
QUERY_TOKENS = 128
# Pillow's number.
BICUBIC = 3


def write_model(folder: Path) -> None:
    """Build the model into a new folder."""
    transformers.utils.logging.set_verbosity(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    minilm = MiniLM.load(find_minilm())
    save_model(join_towers(minilm), folder)
    save_processor(folder)


@torch.no_grad()
def join_towers(minilm: MiniLM) -> VisionTextDualEncoderModel:
    """Project both towers into one space: text vectors minus a mean.

    All class vectors share that mean ("a thing in a photo"). Without it, what
    tells classes apart is left, and sums of many classes do not all look
    alike.
    """
    classes, samples = embed_classes(minilm)
    mean = classes.mean(dim=0)  # (384,)
    images = build_image_tower()
    texts = build_text_tower(minilm.bert, samples, mean)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        images.config, texts.config, projection_dim=TEXT_SIZE
    )
    config.display_name = DISPLAY_NAME
    model = VisionTextDualEncoderModel(
        config=config, vision_model=images, text_model=texts
    )

    # From class weights to a vector: (384, 1280).
    image_projection = model.visual_projection.weight
    image_projection.zero_()
    image_projection[:, :CLASS_COUNT] = (classes - mean).T
    image_projection[:, CLASS_COUNT] = FALLBACK_WEIGHT * unit(mean)
    text_projection = model.text_projection.weight
    text_projection.copy_(torch.eye(TEXT_SIZE) / TANH_SCALE)
    return model


def save_model(model: VisionTextDualEncoderModel, folder: Path) -> None:
    """Write the weights in half precision; they load as float32.

    Loading goes by the config's dtype, which is the model's, float32.
    """
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halves)
    # safetensors lets only the owner read it.
    (folder / "model.safetensors").chmod(0o644)


def save_processor(folder: Path) -> None:
    """Write what prepares the input: the image processor and the tokenizer."""
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": RESIZED_SIDE},
        crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        resample=BICUBIC,
        # Lite2 wants (pixel - 127) / 128, for pixels of 0 to 255.
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )
    tokenizer = AutoTokenizer.from_pretrained(
        find_minilm(), model_max_length=QUERY_TOKENS
    )
    processor = VisionTextDualEncoderProcessor(image_processor, tokenizer)
    processor.save_pretrained(folder)
