"""What the machine computes with: the best device, precision and batch size it has."""

import os
from pathlib import Path

import pytest
import torch

from image_search.clip import DualEncoder, load_tower
from image_search.hardware import (
    CPU_BFLOAT16,
    GPU_BATCH,
    batches_at_once,
    best_batch_size,
    best_hardware,
    choose_hardware,
    usable_cores,
)
from tests.models import save_tiny_siglip2


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
    ("device", "patches", "expected"),
    [
        ("cuda", 256, 64),
        ("cuda", 49, 64),
        ("cuda", 1024, GPU_BATCH),
        ("mps", 49, GPU_BATCH),
        ("cpu", 256, 2),
        ("cpu", 196, 2),
        ("cpu", 49, 10),
        ("cpu", 64, 8),
        ("cpu", 576, 1),
    ],
)
def test_batches_are_for_what_gains_by_them(
    device: str, patches: int, expected: int
) -> None:
    """A GPU is given 64 images at once if they are small, a core as many as make 512 patches."""
    assert best_batch_size(device, patches) == expected


def test_a_model_has_the_batch_size_of_its_patches(
    encoder: DualEncoder,
) -> None:
    """The tiny model, which cuts images of 32 pixels into 16 patches, takes 32."""
    device, _ = choose_hardware()
    assert encoder.batch_size == best_batch_size(device, 16) == 32


def test_a_model_of_any_shape_has_that_of_its_most_patches(
    tmp_path: Path,
) -> None:
    """SigLIP 2's NaFlex model cuts each image into as many patches, large or small."""
    save_tiny_siglip2(tmp_path)
    encoder = DualEncoder("naflex", tmp_path)
    patches = encoder.config.vision_config.num_patches
    device, _ = choose_hardware()
    assert encoder.batch_size == best_batch_size(device, patches)


@pytest.mark.parametrize(
    ("told", "share"),
    [
        ("max 100000", 1),
        ("50000 100000", 0),  # half a core is one
        ("100000 100000", 0),
        ("6400000 100000", 1),
        ("", 1),
        (None, 1),
    ],
)
def test_a_container_has_the_cores_of_its_limit(
    told: str | None, share: int, tmp_path: Path
) -> None:
    """All of the machine's, where there is no limit, or one above them; one at least."""
    limit = tmp_path / "cpu.max"
    if told is not None:
        limit.write_text(told)
    cores = os.cpu_count() or 1
    assert usable_cores(limit) == max(1, share * cores)


def test_a_part_of_a_core_is_a_core(tmp_path: Path) -> None:
    """Who has a core and a half gets two threads, or what the machine has."""
    limit = tmp_path / "cpu.max"
    limit.write_text("150000 100000")
    assert usable_cores(limit) == min(2, os.cpu_count() or 1)


def test_a_cpu_computes_a_batch_on_each_core() -> None:
    """Of those that PyTorch uses; any other device computes one batch at a time."""
    assert batches_at_once("cuda:0") == batches_at_once("mps") == 1
    assert 1 <= batches_at_once("cpu") <= torch.get_num_threads()
