"""What the machine computes with: device, precision, batch size, memory."""

import contextlib
import ctypes
import math
import os
from pathlib import Path
from typing import Any

GPU_BATCH = 16  # images
# An H100 embeds 1,330 images a second with ViT-L/14 in batches of 16, 2,178 in those of
# 64, and 2,233 in those of 256. For smaller models no more are decoded in time.
CUDA_BATCH_PATCHES = 64 * 256
CUDA_BATCH = 64
# For one core, which is hardly quicker by more: ViT-L/14's images take 3 % less by four
# than by two in float32, and no less in bfloat16.
CPU_BATCH_PATCHES = 512
# Of the container that this runs in (cgroups, version 2).
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
# Any of these computes in bfloat16; by the names of torch.cpu.get_capabilities.
CPU_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16", "arm_bf16"}


def choose_hardware(
    precision: str | None = None, device: str | None = None
) -> tuple[str, Any]:
    """The best device, and its quickest precision (a torch.dtype) unless one is given.

    In 16 bits a vector's cosine to that of float32 stays above 0.999. `device`: the
    one to compute with, such as "cuda:1".
    """
    import torch

    features = cpu_features()
    if torch.cuda.is_available():
        features.add("cuda")
        if torch.cuda.is_bf16_supported():
            features.add("cuda_bf16")
    if torch.backends.mps.is_available():
        features.add("mps")
    if device:
        features -= {"cuda", "mps"} - {device.partition(":")[0]}
    best, quickest = best_hardware(features)
    return device or best, getattr(torch, precision or quickest)


def cpu_features() -> set[str]:
    """What the CPU can do, by the names of torch.cpu.get_capabilities.

    A PyTorch without that tells of nothing: then float32 is the precision.
    """
    import torch

    with contextlib.suppress(AttributeError):
        has = torch.cpu.get_capabilities()
        return {name for name, is_there in has.items() if is_there}
    return set()


def devices_here() -> list[str]:
    """Every device that PyTorch can compute with here, the quickest first."""
    import torch

    found = [f"cuda:{one}" for one in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def best_hardware(features: set[str]) -> tuple[str, str]:
    """The best device among what a machine has, and the quickest precision there.

    Only one that the hardware computes in by itself is quick.
    """
    if "cuda" in features:
        return "cuda", "bfloat16" if "cuda_bf16" in features else "float16"
    if "mps" in features:
        return "mps", "float16"
    return "cpu", "bfloat16" if features & CPU_BFLOAT16 else "float32"


def best_batch_size(device: str, patches: int) -> int:
    """How many images, each cut into so many patches, are best embedded at once."""
    if device.startswith("cuda"):
        return min(CUDA_BATCH, max(GPU_BATCH, CUDA_BATCH_PATCHES // patches))
    if device != "cpu":
        return GPU_BATCH
    return max(1, CPU_BATCH_PATCHES // patches)


def batches_at_once(device: str) -> int:
    """How many batches a device computes beside each other: a CPU one on each core."""
    if device != "cpu":
        return 1
    import torch

    return min(torch.get_num_threads(), usable_cores())


def usable_cores(limit: Path = CPU_LIMIT) -> int:
    """The cores of this machine, or as many as a container may use of them.

    `limit`: Linux' file of that, a quota and a period in microseconds.
    """
    number = os.cpu_count() or 1
    # No such file, or "max".
    with contextlib.suppress(OSError, ValueError):
        quota, period = map(int, limit.read_text().split())
        number = min(number, math.ceil(quota / period))
    return max(1, number)


def return_freed_memory() -> None:
    """Give back to the system what is free again, and what glibc keeps."""
    with contextlib.suppress(AttributeError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)
