"""An image, or a text, becomes a unit vector.

By CLIP, or another dual encoder.

Radford et al., 2021,
https://arxiv.org/abs/2103.00020
"""

import bisect
import functools
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from image_search.attention import use_two_products
from image_search.colour import Pixels
from image_search.devices import choose_devices
from image_search.garbage import all_stays
from image_search.hardware import (
    best_batch_size,
    choose_hardware,
    devices_here,
    return_freed_memory,
)
from image_search.last_layer import compute_class_alone
from image_search.model_config import Unloaded, digest_of_weights, dimension_of
from image_search.model_files import Half, load_half, load_part
from image_search.model_input import ModelInput
from image_search.packing import pack
from image_search.pixel_values import pixel_values
from image_search.settings import Settings, StartupError

# Shape (d,), length 1; d is the model's, 768 for CLIP ViT-L/14. Written out,
# since CocoIndex reads it: numpy's alias NDArray is, from numpy 2.5 on, of a kind
# that CocoIndex 0.3 can't look through.
Embedding = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
# A query that comes meanwhile waits for all of them: three times
# as long as for one.
TEXTS_AT_ONCE = 8


class Tower(NamedTuple):
    """One half of a model, and what prepares its input."""

    model: Any
    processor: Any

    def embed_images(
        self, images: list[Pixels], made_by: ModelInput | None = None
    ) -> list[Embedding]:
        """Embed RGB images of shape (height, width, 3).

        `made_by`: what made them what the model looks
        at, if anything did.
        """
        processor = self.processor.image_processor
        if not made_by:
            pictures = [Image.fromarray(image) for image in images]
            made_by = ModelInput.of(processor)
            if not made_by:
                inputs = self.processor(images=pictures, return_tensors="pt")
                device, dtype = self.model.device, self.model.dtype
                return self._embed(inputs.to(device, dtype))
            images = [made_by.make(picture) for picture in pictures]
        return self._embed(pixel_values(images, made_by, processor, self.model))

    def _embed(self, inputs: Mapping[str, Any]) -> list[Embedding]:
        features = self.model.get_image_features(**inputs).pooler_output
        return _unit_vectors(features)

    def embed_text(self, text: str) -> Embedding:
        """Embed a description; what is too long for the model is cut off."""
        [vector] = self.embed_texts([text])
        return vector

    @property
    def texts_at_once(self) -> int:
        """How many are quicker together than one by one.

        Not those that are padded to full length.
        """
        return 1 if self._is_siglip else TEXTS_AT_ONCE

    @property
    def _is_siglip(self) -> bool:
        name: str = self.model.config.model_type
        return name.startswith("siglip")

    def embed_texts(self, texts: list[str]) -> list[Embedding]:
        """Embed descriptions; what is too long for the model is cut off.

        As they are: prompts around it, such as "a photo of",
        are for names of classes. The starter tells its
        samples apart by 0.27 without them, 0.25 with.
        """
        # SigLIP was trained on lower-case texts padded to full length.
        is_siglip = self._is_siglip
        most = self.model.config.text_config.max_position_embeddings
        inputs = self.processor(
            text=[text.lower() if is_siglip else text for text in texts],
            padding="max_length" if is_siglip else True,
            max_length=most,
            truncation=True,
            return_tensors="pt",
        ).to(self.model.device)
        features = self.model.get_text_features(**inputs).pooler_output
        return _unit_vectors(features)

    def unread(self, text: str) -> str:
        """The end of a text that is cut off, from its first whole word on, or ""."""
        most = self.model.config.text_config.max_position_embeddings
        words = text.split()

        def tokens(number: int) -> int:
            some = " ".join(words[:number])
            return len(self.processor.tokenizer(some)["input_ids"])

        numbers = range(1, len(words) + 1)
        read = bisect.bisect_right(numbers, most, key=tokens)
        return " ".join(words[read:])


@dataclass(frozen=True)
class DualEncoder:
    """The model that CLIP_MODEL names, before any of its weights are loaded."""

    name: str
    folder: Path | None = None  # where it lies, if it is not the hub's
    precision: str | None = None  # such as "float16"; None: the quickest
    devices_asked: tuple[str, ...] = ()  # none: the machine's best

    @classmethod
    def from_settings(cls, settings: Settings) -> "DualEncoder":
        return cls(
            settings.clip_model,
            settings.model_folder,
            settings.clip_dtype,
            settings.clip_devices,
        )

    def __reduce__(self) -> Any:
        """Workers are sent it without the cached properties below."""
        return DualEncoder, astuple(self)

    @functools.cached_property
    def devices(self) -> tuple[str, ...]:
        """That compute vectors; words go to the first. Raises StartupError."""
        return choose_devices(self.devices_asked, devices_here())

    def on(self, device: str) -> "DualEncoder":
        """The same model, on one device alone."""
        return replace(self, devices_asked=(device,))

    def hardware(self) -> tuple[str, Any]:
        """The first device, and the precision there, a torch.dtype."""
        return choose_hardware(self.precision, self.devices[0])

    def tower(self, half: Half) -> Tower:
        """One half of it, loaded once; raises StartupError."""
        return load_tower(self, half)

    @functools.cached_property
    def config(self) -> Any:
        """Its transformers config; raises StartupError for no dual encoder."""
        config = self.load("AutoConfig")
        if dimension_of(config) is None:
            raise StartupError(
                f"CLIP_MODEL={self.name} is a {config.model_type} model,"
                " which does not put texts and images into one space."
                " Set CLIP_MODEL to a CLIP-like model."
            )
        return config

    @property
    def unloaded(self) -> Unloaded:
        """It, for a process that has none of its weights in memory."""
        return Unloaded(self.config, *self.hardware())

    @property
    def dimension(self) -> int:
        """The length d of its vectors."""
        return dimension_of(self.config) or 0

    @property
    def image_size(self) -> int:
        """The side in pixels of the square that it looks at."""
        # NaFlex models, which have none, look at 256 patches of some 16 pixels.
        return int(getattr(self.config.vision_config, "image_size", 448))

    @functools.cached_property
    def model_input(self) -> ModelInput | None:
        """How images are made for it, where a worker can; raises StartupError."""
        return ModelInput.of(self.load_processor().image_processor)

    @property
    def view(self) -> tuple[int, ModelInput | None]:
        """What who reads a photo has to know of it."""
        return self.image_size, self.model_input

    @functools.cached_property
    def key(self) -> str:
        """Names its vectors' space: its name, and a digest of its weights."""
        return f"{self.name}@{digest_of_weights(self.folder)[:12]}"

    @functools.cached_property
    def batch_size(self) -> int:
        """How many images at once: a guess, until it is measured."""
        return best_batch_size(self.devices[0], self._patches)

    @property
    def _patches(self) -> int:
        """Of one image, as it is cut; each pixel where it is not."""
        vision = self.config.vision_config
        patch_size = getattr(vision, "patch_size", 1)
        square = (self.image_size // patch_size) ** 2
        # NaFlex models cut any image into so many.
        return int(getattr(vision, "num_patches", square))

    def load_processor(self) -> Any:
        """Its transformers processor; raises StartupError."""
        return self.load("AutoProcessor", backend="pil")

    def load(self, auto_class: str, **options: Any) -> Any:
        """Load a part with a transformers Auto class; raises StartupError."""
        return load_part(auto_class, self.name, self._place, **options)

    def load_half(self, half: Half, dtype: Any) -> Any:
        """Load its model without the other half; raises StartupError."""
        name, place = self.name, self._place
        return load_half(half, self.config, name, place, dtype=dtype)

    @property
    def _place(self) -> str:
        return str(self.folder or self.name)


@functools.cache  # a process holds one half of one model
@all_stays()
def load_tower(encoder: DualEncoder, half: Half) -> Tower:
    """Load one half of a model: no process needs both. Raises StartupError."""
    import torch

    device, dtype = encoder.hardware()
    model = encoder.load_half(half, dtype)
    model.requires_grad_(False)  # noqa: FBT003, torch's; nothing is trained here
    compute_class_alone(model)
    if device == "cpu":
        pack(model)
        if dtype == torch.bfloat16:
            use_two_products(model)
    tower = Tower(model.to(device).eval(), encoder.load_processor())
    return_freed_memory()
    return tower


def _unit_vectors(features: Any) -> list[Embedding]:
    """Rows of a tensor of shape (n, d), each of length 1."""
    rows = features.float().cpu().numpy()
    return [l2_normalize(row) for row in rows]


def l2_normalize(vector: Any) -> Embedding:
    """Scale a vector of shape (d,) to length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
