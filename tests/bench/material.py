"""What the benchmark works on: models of the true sizes, and photos as cameras make them.

The weights are random, so that nothing is downloaded: they are as quick or slow as any others. All
of it is kept below .data/bench for the next run.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from tests import harness
from tests.harness import PHOTOS, ROOT
from tests.models import save_clip

# A trial run, of no meaning.
QUICK = "--quick" in sys.argv or bool(os.environ.get("QUICK"))
FOLDER = ROOT / ".data" / "bench"

LARGE, SMALL, STARTER = "ViT-L/14", "ViT-B/32", "the starter model"
OF_RCLIP = "ViT-B/32 at 256 pixels"
Sizes = dict[str, Any]


def tower(width: int, layers: int, heads: int, **more: Any) -> Sizes:
    """The sizes of a transformer, in transformers' words."""
    layers = 2 if QUICK else layers
    sizes: Sizes = {"hidden_size": width, "intermediate_size": 4 * width}
    return (
        sizes
        | {"num_hidden_layers": layers, "num_attention_heads": heads}
        | more
    )


# Text half, vision half, length of the vectors: openai/clip-vit-large-patch14 and -base-patch32,
# and the DataComp model of rclip.
MODELS: dict[str, tuple[Sizes, Sizes, int]] = {
    LARGE: (
        tower(768, 12, 12, vocab_size=49408),
        tower(1024, 24, 16, image_size=224, patch_size=14),
        768,
    ),
    SMALL: (
        tower(512, 12, 8, vocab_size=49408),
        tower(768, 12, 12, image_size=224, patch_size=32),
        512,
    ),
    OF_RCLIP: (
        tower(512, 12, 8, vocab_size=49408, hidden_act="gelu"),
        tower(768, 12, 12, image_size=256, patch_size=32, hidden_act="gelu"),
        512,
    ),
}


def model(name: str) -> Path:
    """The folder of a model; it is made at the first time."""
    if name not in MODELS:
        return harness.STARTER
    folder = (
        FOLDER
        / "models"
        / (
            name.replace("/", "-").replace(" ", "-")
            + ("-quick" if QUICK else "")
        )
    )
    if not folder.exists():
        partial = folder.with_suffix(".part")
        save_clip(partial, *MODELS[name])
        partial.rename(folder)
    return folder


def gigaflops(name: str) -> float:
    """The work that the vision half has with one image: 2 for each multiplication and addition."""
    _, vision, dimension = MODELS[name]
    width, patch = vision["hidden_size"], vision["patch_size"]
    patches = (vision["image_size"] // patch) ** 2
    tokens = patches + 1
    linear = 4 * width**2 + 2 * width * vision["intermediate_size"]
    # Attention: scores, and the sum by them.
    layer = tokens * linear + 2 * tokens**2 * width
    ends = patches * 3 * patch**2 * width + width * dimension
    return float(2 * (vision["num_hidden_layers"] * layer + ends) / 1e9)


def photos(width: int, height: int) -> list[Path]:
    """The sample photos in a size, with noise of a sensor: a JPEG of 12 megapixels has 4 MB."""
    folder = FOLDER / "photos" / f"{width}x{height}"
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    for sample in sorted(PHOTOS.glob("*.[jpw]*")):
        file = folder / f"{sample.stem}.jpg"
        if not file.exists():
            image = ImageOps.fit(
                Image.open(sample).convert("RGB"), (width, height)
            )
            grain = noise.normal(0, 8, (height, width, 1))
            pixels = (np.asarray(image) + grain).clip(0, 255).astype(np.uint8)
            partial = file.with_suffix(".part")
            Image.fromarray(pixels).save(partial, "JPEG", quality=90)
            partial.rename(file)
    return sorted(folder.glob("*.jpg"))
