"""The same photos in rclip, another program for a person's own: https://github.com/yurijmikhalevich/rclip.

It embeds with ONNX Runtime in float32. Both are given one model, of the size of rclip's own, with
random weights, and both start with nothing but that and the photos.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from tests.bench.apps import (
    Client,
    add_photos,
    installation,
    new_text,
    wait_until_indexed,
)
from tests.bench.indexing import cpu_seconds
from tests.bench.material import FOLDER, OF_RCLIP, QUICK, model
from tests.bench.table import Row, row, say
from tests.harness import ROOT, App

ROUNDS = 1 if QUICK else 3
PHOTOS = 20 if QUICK else 1000
SIDES = 500, 375  # pixels
SEARCHES = 5 if QUICK else 40
PACKAGES = "rclip==3.3.0", "onnx>=1.20", "onnxscript>=0.5"
PLACE = FOLDER / "rclip"
# What `rclip` does, but that it tells when the photos are indexed.
PROGRAM = """
import json, os, sys, time
from rclip.main import init_rclip
rclip, _, _ = init_rclip(os.getcwd(), indexing_batch_size=8)
print(json.dumps(time.process_time()), flush=True)
seconds = []
for text in sys.argv[1:]:
    began = time.perf_counter()
    found = rclip.search(text, os.getcwd(), top_k=10_000)
    seconds.append(time.perf_counter() - began)
print(json.dumps([len(found), seconds]))
"""


class Indexed(NamedTuple):
    """What it took from the start until all photos were indexed."""

    seconds: float
    cpu_seconds: float
    search: float  # seconds, for new words; a median


def installed() -> Path:
    """The Python that has rclip, in an environment of its own; raises CalledProcessError."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        say("rclip is installed")
        partial = PLACE.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        run = functools.partial(subprocess.run, check=True, stdout=sys.stderr)
        run([sys.executable, "-m", "venv", partial])
        # A network that never answers is none.
        pip = "-m", "pip", "--timeout=10", "--retries=1", "install", "--quiet"
        run([partial / "bin" / "python", *pip, *PACKAGES])
        partial.rename(PLACE)
    return python


def weights() -> Path:
    """The folder of rclip's model, with weights in it; it is made at the first time."""
    source = model(OF_RCLIP)
    folder = source.with_name(f"{source.name}-onnx")
    if not folder.exists():
        say("the model is written as ONNX")
        partial = folder.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        packages = sysconfig.get_path("purelib", vars={"base": str(PLACE)})
        subprocess.run(
            [sys.executable, "-m", "tests.bench.onnx_files", source, partial, packages],
            cwd=ROOT, check=True, stdout=sys.stderr,
        )  # fmt: skip
        partial.rename(folder)
    return folder


def index_with_rclip(python: Path, photos: Path, data: Path) -> Indexed:
    """Let it index a folder of photos, with an empty database."""
    say("rclip")
    shutil.copytree(weights(), data, copy_function=os.link)
    env = os.environ | {"RCLIP_DATADIR": str(data), "HF_HUB_OFFLINE": "1"}
    texts = [new_text() for _ in range(SEARCHES)]
    began = time.perf_counter()
    with subprocess.Popen(
        [python, "-c", PROGRAM, *texts], cwd=photos, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout
        cpu = json.loads(process.stdout.readline())
        seconds = time.perf_counter() - began
        found, searches = json.loads(process.stdout.readline())
    assert found == number_of_photos(photos), found
    shutil.rmtree(data)
    return Indexed(seconds, cpu, median(searches))


def index_here(app: App, precision: str) -> Indexed:
    """Let this app index its folder of photos, with an empty DATA_DIR."""
    say(f"this app, in {precision}")
    app.env["CLIP_DTYPE"] = precision
    number = number_of_photos(app.img)
    began = time.perf_counter()
    app.start()
    wait_until_indexed(Client(app), number)
    seconds = time.perf_counter() - began
    cpu = sum(cpu_seconds(app).values())
    client = Client(app)
    searches = [client.seconds(new_text()) for _ in range(SEARCHES)]
    app.stop()
    shutil.rmtree(app.data)
    return Indexed(seconds, cpu, median(searches))


def number_of_photos(folder: Path) -> int:
    return sum(file.suffix == ".jpg" for file in folder.rglob("*"))


def precisions() -> list[str]:
    """The quickest of this machine first, if that is not float32."""
    from image_search.hardware import choose_hardware

    _, quickest = choose_hardware()
    return [
        str(dtype).removeprefix("torch.")
        for dtype in dict.fromkeys((quickest, torch.float32))
    ]


def beside_rclip() -> Iterator[Row]:
    """How soon all photos of a folder are indexed, from the start, and what it costs."""
    try:
        python = installed()
    except subprocess.CalledProcessError:
        yield Row("rclip", "not installed: PyPI does not answer")
        return
    others: list[Indexed] = []
    ours: dict[str, list[Indexed]] = {name: [] for name in precisions()}
    with installation("beside-rclip", OF_RCLIP) as app:
        for sample in app.img.iterdir():
            sample.unlink()
        add_photos(app, PHOTOS, *SIDES)
        for number in range(ROUNDS):
            data = app.data.with_name(f"rclip-{number}")
            others.append(index_with_rclip(python, app.img, data))
            for precision, rounds in ours.items():
                rounds.append(index_here(app, precision))
    for precision, rounds in ours.items():
        yield from compared(precision, others, rounds)


def compared(
    precision: str, others: list[Indexed], ours: list[Indexed]
) -> Iterator[Row]:
    (seconds, cpu, search), here = (
        [median(column) for column in zip(*rounds, strict=True)]
        for rounds in (others, ours)
    )
    title = f"{OF_RCLIP}, {precision} here"
    rates = PHOTOS / seconds, PHOTOS / here[0]
    what = f"{title}: {PHOTOS:,} JPEGs of {SIDES[0]} pixels, from the start"
    yield row(what, rates, "photos/s")
    yield row(f"{title}: the same", (seconds, here[0]), "s", less=True)
    yield row(f"{title}: CPU time of all cores", (cpu, here[1]), "s", less=True)
    both = 1000 * search, 1000 * here[2]
    what = f"{title}: a search for new words (over HTTP here)"
    yield row(what, both, "ms", less=True)
