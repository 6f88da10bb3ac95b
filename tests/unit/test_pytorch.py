"""PyTorch comes in the build that fits the machine, and which one is said before."""

import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from image_search.pytorch import VERSION, choose
from tests.harness import ROOT, environment
from tests.serving import serving

PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
WHEEL = f"torch-{VERSION}+cpu-{PYTHON}-{PYTHON}-manylinux_2_28_x86_64.whl"
PYPI = [f"torch=={VERSION}"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@contextmanager
def index_of(folder: Path) -> Iterator[str]:
    """A package index, which serves the files of a folder."""
    handler = partial(Quiet, directory=folder)
    with serving(HTTPServer(("127.0.0.1", 0), handler)) as address:
        yield f"http://{address}"


@contextmanager
def silent_index(*says: bytes) -> Iterator[str]:
    """An index that takes connections, says something perhaps, and then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                for part in says:
                    connection.sendall(part)
                gone.wait()

        gone = threading.Event()
        thread = threading.Thread(target=answer, daemon=True)
        if says:
            thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        gone.set()
        if says:
            thread.join()


def write_wheel(folder: Path) -> None:
    """A wheel of PyTorch with nothing in it, which asks for what nobody has."""
    info = f"torch-{VERSION}+cpu.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {VERSION}+cpu\n"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("torch/__init__.py", "")
        needs = "Requires-Dist: image-search-needs-no-such-thing\n"
        wheel.writestr(f"{info}/METADATA", metadata + needs)
        tag = f"Tag: {PYTHON}-{PYTHON}-manylinux_2_28_x86_64"
        wheel.writestr(
            f"{info}/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n{tag}\n",
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_without_a_card_the_small_build_is_installed(tmp_path: Path) -> None:
    """PyTorch alone comes from the index of builds for CPUs."""
    torch = tmp_path / "torch"
    torch.mkdir()
    write_wheel(torch)
    with index_of(tmp_path) as url:
        choice = choose("Linux", "x86_64", has_nvidia=False, index=url)
        target = tmp_path / "installed"
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", target,
             *choice.pip_arguments],
            check=True, timeout=60, env=environment() | {"PIP_CONFIG_FILE": os.devnull},
        )  # fmt: skip
    assert "CPUs" in choice.reason
    assert "0.2 GB to download" in choice.reason
    assert {path.name.partition("-")[0] for path in target.iterdir()} == {
        "torch"
    }


@pytest.mark.parametrize(
    ("system", "machine", "has_nvidia", "says"),
    [
        ("Linux", "x86_64", True, "with CUDA"),
        ("Linux", "aarch64", False, "from PyPI"),
        ("Darwin", "arm64", False, "from PyPI"),
        ("Darwin", "x86_64", False, "from PyPI"),
    ],
)
def test_elsewhere_pypis_is_the_right_one(
    system: str, machine: str, says: str, *, has_nvidia: bool
) -> None:
    """With a card, on a Mac and on ARM the index for CPUs is not even asked."""
    nobody = "http://127.0.0.1:1"
    choice = choose(system, machine, has_nvidia, index=nobody)
    assert choice.pip_arguments == PYPI
    assert says in choice.reason
    assert "GB on the disk" in choice.reason


def check_fallback(url: str, within: float, seconds: float = 1) -> None:
    began = time.monotonic()
    choice = choose(
        "Linux", "x86_64", has_nvidia=False, index=url, seconds=seconds
    )
    assert time.monotonic() - began < within
    assert choice.pip_arguments == PYPI
    assert url in choice.reason
    assert "3 GB to download" in choice.reason


def test_an_index_that_is_not_there_is_not_waited_for() -> None:
    """Where nobody answers, PyTorch comes from PyPI, at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    check_fallback(url, within=10, seconds=60)


@pytest.mark.parametrize(
    "says",
    [[], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"torch"]],
)
def test_an_index_that_hangs_is_left(says: list[bytes]) -> None:
    """Where an answer doesn't come, or doesn't end, PyTorch comes from PyPI in time."""
    with silent_index(*says) as url:
        check_fallback(url, within=10)


def test_an_index_that_talks_another_language_is_left() -> None:
    """An answer that is no HTTP is none."""
    with silent_index(b"220 mail.example ESMTP\r\n\r\n") as url:
        check_fallback(url, within=10)


@pytest.mark.parametrize(
    "offer",
    [
        None,
        WHEEL.replace(VERSION, "2.12.0"),
        WHEEL.replace("x86_64", "aarch64"),
        WHEEL.replace(PYTHON, "cp39"),
        "my" + WHEEL,
    ],
)
def test_an_index_without_this_build_is_left(
    tmp_path: Path, offer: str | None
) -> None:
    """An index that has other versions, or nothing, is no reason to fail."""
    if offer:
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / offer).touch()
    with index_of(tmp_path) as url:
        check_fallback(url, within=10)


def test_what_is_asked_for_is_installed(tmp_path: Path) -> None:
    """What TORCH names goes to pip as it is, and is said."""
    run = subprocess.run(
        [sys.executable, "-m", "image_search.pytorch", "/no/such/torch.whl"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stdout == "PyTorch as it was asked for: /no/such/torch.whl.\n"
    assert "/no/such/torch.whl" in run.stderr
