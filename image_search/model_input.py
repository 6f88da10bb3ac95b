"""What a model looks at, made of an image in a worker: the model alone is left to do.

The same pixels as the model's own image processor makes: Pillow resizes in both. In 8
bits they are a quarter of what the processor returns, and for a model of 224 pixels
they take 150 kB.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from image_search.colour import Pixels

# By transformers' classes. Others, and those made of these, do all of it themselves.
CROPPING = "CLIPImageProcessorPil"
STRETCHING = "SiglipImageProcessorPil"
PATCHING = "Siglip2ImageProcessorPil"
LARGEST_SCALE = 100.0
SCALE_PRECISION = 1e-5


@dataclass(frozen=True)
class ModelInput(ABC):
    """How a model's image processor resizes; `resample`: a filter, as Pillow counts."""

    resample: int

    @classmethod
    def of(cls, processor: Any) -> "ModelInput | None":
        """The way of a transformers image processor; None if it is not one of ours."""
        if not (processor.do_rescale and processor.do_normalize):
            return None
        if not processor.do_resize:
            return None
        resample = int(processor.resample)
        kind = type(processor).__name__
        if kind == PATCHING:
            most = processor.max_num_patches
            return Patches(resample, processor.patch_size, most)
        size = processor.size
        if kind == STRETCHING and size.height and size.width:
            return Stretched(resample, size.height, size.width)
        if kind == CROPPING and processor.do_center_crop:
            crop, edge = processor.crop_size, size.shortest_edge or 0
            # One that is larger than the image would have a border.
            fits = max(crop.height, crop.width) <= edge
            if fits and not size.longest_edge:
                return Cropped(resample, edge, crop.height, crop.width)
        return None

    @abstractmethod
    def make(self, image: Image.Image) -> Pixels:
        """Make of an RGB image what the model looks at, of shape (height, width, 3)."""

    def _resize(
        self, image: Image.Image, width: int, height: int
    ) -> Image.Image:
        return image.resize((width, height), Image.Resampling(self.resample))


@dataclass(frozen=True)
class Cropped(ModelInput):
    """The middle of an image whose shorter side is so many pixels, as CLIP has it."""

    shortest_edge: int
    height: int
    width: int

    def make(self, image: Image.Image) -> Pixels:
        edge, shorter = self.shortest_edge, min(image.size)
        width, height = (int(edge * side / shorter) for side in image.size)
        pixels = np.asarray(self._resize(image, width, height))
        top = (height - self.height) // 2
        left = (width - self.width) // 2
        middle = pixels[top : top + self.height, left : left + self.width]
        return middle.copy()


@dataclass(frozen=True)
class Stretched(ModelInput):
    """All of an image, whatever its shape, as SigLIP has it."""

    height: int
    width: int

    def make(self, image: Image.Image) -> Pixels:
        return np.array(self._resize(image, self.width, self.height))


@dataclass(frozen=True)
class Patches(ModelInput):
    """All of an image in its shape, in square patches, as SigLIP 2's NaFlex has it."""

    patch: int  # pixels on a side
    most: int  # patches

    def make(self, image: Image.Image) -> Pixels:
        return np.array(self._resize(image, *self._size(*image.size)))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """The largest with so many patches, its sides rounded up to whole ones."""
        low, high = SCALE_PRECISION / 10, LARGEST_SCALE
        while high - low >= SCALE_PRECISION:
            scale = (low + high) / 2
            columns, rows = (
                self._patches(width, scale),
                self._patches(height, scale),
            )
            if columns * rows <= self.most:
                low = scale
            else:
                high = scale
        return (
            self.patch * self._patches(width, low),
            self.patch * self._patches(height, low),
        )

    def _patches(self, side: int, scale: float) -> int:
        return max(1, math.ceil(side * scale / self.patch))
