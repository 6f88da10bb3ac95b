"""Install the build of PyTorch that fits the machine: `python -m image_search.pytorch`.

PyPI's build for Linux on x86-64 brings CUDA, gigabytes that only an NVIDIA card has
a use for. PyTorch's own index has one without. `… image_search.pytorch torch==2.14`
installs what it is told.
"""

import contextlib
import platform
import queue
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

VERSION = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
ANSWER_SECONDS = 5
MOST_OF_A_PAGE = 2**24  # bytes
# The last one is where Windows shows its driver to Linux (WSL).
NVIDIA = (
    "/proc/driver/nvidia",
    "/usr/lib/wsl/lib/nvidia-smi",
)
CUDA_SIZE = "about 3 GB to download, and 4.5 GB on the disk"
CPU_SIZE = "0.2 GB to download, and 0.8 GB on the disk"


class Choice(NamedTuple):
    """What pip is told to install, and the sentence that says why."""

    reason: str
    pip_arguments: list[str]


def main(given: list[str]) -> int:
    """Say what is installed, and install it; returns pip's exit code."""
    if given:
        choice = Choice(
            f"PyTorch as it was asked for: {' '.join(given)}.", given
        )
    else:
        choice = choose(
            platform.system(), platform.machine(), has_nvidia_card()
        )
    print(choice.reason, flush=True)
    quietly = "--quiet", "--disable-pip-version-check"
    pip = [sys.executable, "-m", "pip", "install", *quietly]
    return subprocess.call([*pip, *choice.pip_arguments])


def choose(
    system: str,
    machine: str,
    has_nvidia: bool,  # noqa: FBT001
    index: str = CPU_INDEX,
    seconds: float = ANSWER_SECONDS,
) -> Choice:
    """The build for a machine, whose system and processor `platform` names."""
    torch = f"torch=={VERSION}"
    if (system, machine) != ("Linux", "x86_64"):
        return Choice("PyTorch from PyPI: less than 1 GB on the disk.", [torch])
    if has_nvidia:
        return Choice(
            f"PyTorch with CUDA, for the NVIDIA card: {CUDA_SIZE}.", [torch]
        )
    page = fetch(f"{index}/torch/", seconds)
    if not has_wheel(page, machine):
        return Choice(
            f"There is no NVIDIA card, but PyTorch's index of builds for CPUs ({index})"
            f"\ndid not offer torch {VERSION} within {seconds:g} seconds. So PyTorch"
            " comes from where pip finds\nit by itself. PyPI's build has CUDA in it:"
            f" {CUDA_SIZE}.",
            [torch],
        )
    return Choice(
        f"PyTorch for CPUs, as there is no NVIDIA card: {CPU_SIZE}.",
        # The index is torch's alone: what it stands on comes from PyPI, with the app.
        ["--index-url", index, "--no-deps", f"{torch}+cpu"],
    )


def has_nvidia_card() -> bool:
    is_there = any(Path(sign).exists() for sign in NVIDIA)
    return is_there or shutil.which("nvidia-smi") is not None


def has_wheel(page: str, machine: str) -> bool:
    """Whether an index's page offers our version for this Python."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    name = re.escape(f"torch-{VERSION}+cpu-{python}-{python}-")
    wheel = rf"\b{name}[\w.]*_{machine}\.whl"
    return re.search(wheel, unquote(page)) is not None


def fetch(url: str, seconds: float) -> str:
    """A page; empty if it does not come, whole, within some seconds.

    urlopen's own limit is for each step of many, and for some there is none.
    """
    pages: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        page = b""
        with (
            contextlib.suppress(OSError, HTTPException),
            urllib.request.urlopen(url, timeout=seconds) as answer,  # noqa: S310
        ):
            page = answer.read(MOST_OF_A_PAGE)
        pages.put(page.decode(errors="replace"))

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(queue.Empty):
        return pages.get(timeout=seconds)
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
