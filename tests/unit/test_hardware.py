"""What the machine computes with: the best device, precision and batch size it has."""

from pathlib import Path

import pytest
import torch

from image_search.clip import DualEncoder, load_tower
from image_search.hardware import (
    CPU_BFLOAT16,
    GPU_BATCH,
    best_batch_size,
    best_hardware,
    choose_hardware,
)


@pytest.fixture(scope="module")
def encoder(tiny_clip: Path) -> DualEncoder:
    return DualEncoder("tiny", tiny_clip)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"cuda", "cuda_bf16", "avx2"}, ("cuda", "bfloat16")),
        ({"cuda", "avx512_bf16"}, ("cuda", "float16")),
        ({"mps", "bf16"}, ("mps", "float16")),
        *(
            ({name, "avx2"}, ("cpu", "bfloat16"))
            for name in sorted(CPU_BFLOAT16)
        ),
        ({"avx2", "avx512"}, ("cpu", "float32")),
        (set(), ("cpu", "float32")),
    ],
)
def test_precision_follows_the_hardware(
    features: set[str], expected: tuple[str, str]
) -> None:
    """The quickest device is taken, and the quickest precision it has of its own."""
    assert best_hardware(features) == expected


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_clip_dtype_wins_over_the_hardware(precision: str) -> None:
    """CLIP_DTYPE sets the precision, and leaves the device as it is."""
    device, dtype = choose_hardware(precision)
    assert dtype == getattr(torch, precision)
    assert device == choose_hardware()[0]


def test_the_hardware_is_this_machines(encoder: DualEncoder) -> None:
    """A tower lies where, and in the precision that, the hardware is best for."""
    device, dtype = choose_hardware()
    model = load_tower(encoder, "image").model
    assert (model.device.type, model.dtype) == (device, dtype)
    has_cuda = torch.cuda.is_available()
    assert (device == "cuda") == has_cuda


@pytest.mark.parametrize(
    ("device", "side", "patch", "expected"),
    [
        ("cuda", 224, 14, 64),
        ("cuda", 224, 32, 64),
        ("cuda", 512, 16, GPU_BATCH),
        ("mps", 224, 32, GPU_BATCH),
        ("cpu", 224, 14, 1),
        ("cpu", 224, 16, 1),
        ("cpu", 224, 32, 10),
        ("cpu", 256, 32, 8),
        ("cpu", 384, 16, 1),
    ],
)
def test_batches_are_for_what_gains_by_them(
    device: str, side: int, patch: int, expected: int
) -> None:
    """A GPU is given 64 images at once if they are small, a CPU as many as make 512 patches."""
    assert best_batch_size(device, side, patch) == expected


def test_a_model_has_the_batch_size_of_its_patches(
    encoder: DualEncoder,
) -> None:
    """The tiny model, which cuts images of 32 pixels into 16 patches, takes 32."""
    device, _ = choose_hardware()
    assert encoder.batch_size == best_batch_size(device, 32, 8) == 32
