"""Real dual encoders, small and with random weights, as any other that the app could be given."""

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BlipConfig,
    BlipModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Processor,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
)

from image_search.clip import DualEncoder, Embedding, load_tower
from image_search.colour import Pixels
from image_search.model_input import ModelInput

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TEXT: dict[str, Any] = SMALL | {
    "vocab_size": 100,
    "max_position_embeddings": 64,
}
VISION: dict[str, Any] = SMALL | {"image_size": 32, "patch_size": 8}


def save_tiny_clip(folder: Path, dimension: int = 24, seed: int = 0) -> None:
    """Save a CLIPModel with its processor; images 32 x 32, vectors of shape (dimension,)."""
    save_clip(
        folder,
        SMALL,
        SMALL | {"image_size": 32, "patch_size": 8},
        dimension,
        seed,
    )


def save_clip(
    folder: Path,
    text: dict[str, int],
    vision: dict[str, int],
    dimension: int,
    seed: int = 0,
) -> None:
    """Save a CLIPModel of any sizes with its processor, whose tokens are letters."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens = [*words, "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=[]
    )
    last = len(tokens) - 1
    ends = {
        "bos_token_id": last - 1,
        "eos_token_id": last,
        "pad_token_id": last,
    }
    sizes = {"vocab_size": len(tokens), "max_position_embeddings": 77} | text
    config = CLIPConfig(
        text_config=sizes | ends, vision_config=vision, projection_dim=dimension
    )
    torch.manual_seed(seed)
    CLIPModel(config).save_pretrained(folder)
    side = vision["image_size"]
    images = CLIPImageProcessor(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    CLIPProcessor(images, tokenizer).save_pretrained(folder)


def true_clip(size: Literal["ViT-L/14", "ViT-B/32"]) -> Any:
    """A CLIP of the published size with random weights, but for its words, which are bytes."""
    wide, layers, heads, patch, text = {
        "ViT-L/14": (1024, 24, 16, 14, 768), "ViT-B/32": (768, 12, 12, 32, 512),
    }[size]  # fmt: skip
    config = CLIPConfig(
        text_config={
            "hidden_size": text, "intermediate_size": 4 * text, "num_hidden_layers": 12,
            "num_attention_heads": text // 64,
        },
        vision_config={
            "hidden_size": wide, "intermediate_size": 4 * wide, "num_hidden_layers": layers,
            "num_attention_heads": heads, "patch_size": patch, "image_size": 224,
        },
        projection_dim=text,
    )  # fmt: skip
    torch.manual_seed(0)
    return CLIPModel(config).eval().requires_grad_(requires_grad=False)


def save_tiny_siglip(folder: Path) -> None:
    """Save a SiglipModel, as which SigLIP and SigLIP 2 come; images 32 x 32, vectors (32,)."""
    config = SiglipConfig(
        text_config=_siglip_text(),
        vision_config=SMALL | {"image_size": 32, "patch_size": 8},
    )
    torch.manual_seed(0)
    SiglipModel(config).save_pretrained(folder)
    images = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    SiglipProcessor(images, _byte_tokenizer()).save_pretrained(folder)


def save_tiny_siglip2(folder: Path) -> None:
    """Save a Siglip2Model, the one for images of any shape (NaFlex); vectors (32,)."""
    config = Siglip2Config(
        text_config=_siglip_text(),
        vision_config=SMALL | {"num_patches": 256, "patch_size": 16},
    )
    torch.manual_seed(0)
    Siglip2Model(config).save_pretrained(folder)
    images = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=256)
    Siglip2Processor(images, _byte_tokenizer()).save_pretrained(folder)


def save_tiny_blip(folder: Path) -> None:
    """Save a BlipModel without its processor; images 32 x 32, vectors of shape (24,)."""
    torch.manual_seed(0)
    BlipModel(
        BlipConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)
    ).save_pretrained(folder)


def save_tiny_chinese_clip(folder: Path) -> None:
    """Save a ChineseCLIPModel without its processor; as BLIP above."""
    torch.manual_seed(0)
    ChineseCLIPModel(
        ChineseCLIPConfig(
            text_config=TEXT, vision_config=VISION, projection_dim=24
        )
    ).save_pretrained(folder)


def save_tiny_pair(folder: Path) -> None:
    """Save a dual encoder of two other models, without a processor; as BLIP above."""
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        ViTConfig(**VISION), BertConfig(**TEXT), projection_dim=24
    )
    torch.manual_seed(0)
    VisionTextDualEncoderModel(config).save_pretrained(folder)


def _siglip_text() -> dict[str, int]:
    return SMALL | {
        "vocab_size": 300,
        "max_position_embeddings": 64,
        "projection_size": 32,
    }


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of single bytes that, like Gemma's in SigLIP 2, tells upper case from lower."""
    words = ["<pad>", "<eos>", "<unk>", *sorted(ByteLevel.alphabet())]
    tokenizer = Tokenizer(
        BPE(vocab={word: n for n, word in enumerate(words)}, merges=[])
    )
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", words.index("<eos>"))]
    )
    specials = {
        "pad_token": "<pad>",
        "eos_token": "<eos>",
        "unk_token": "<unk>",
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids"],  # SigLIP attends to its padding
        **specials,
    )


def embed_images(
    encoder: DualEncoder,
    images: list[Pixels],
    made_by: ModelInput | None = None,
) -> list[Embedding]:
    """Embed RGB images of shape (height, width, 3)."""
    return load_tower(encoder, "image").embed_images(images, made_by)


def embed_text(encoder: DualEncoder, text: str) -> Embedding:
    """Embed a description; what is too long for the model is cut off."""
    return load_tower(encoder, "text").embed_text(text)
