"""How busy the app keeps a GPU: `python -m tests.bench.gpu`, some 8 minutes by its own clock.

It needs this repository and what pip brings, downloads nothing, and asks no hub: the model has the
true size and random weights, the photos are made. JPEGs are decoded on the GPU by two of the wheels
that pip brings, nvidia-nvimgcodec-cu13 and nvidia-nvjpeg, which are for CUDA 13, as PyTorch's are.
Where there is no CUDA, or with `--device cpu`, it measures a smaller model; QUICK=1 makes all of it
small, of no meaning. Where a part finds too little time left, its row says so.

A machine that reaches no network is brought two things from one that does, with the same Python and
system:

    git archive --prefix=image-search/ HEAD | gzip > image-search.tar.gz
    pip download -d wheels $(python -m tests.bench.gpu --packages)

which with PyTorch's CUDA build are 4 GB; where the machine has a PyTorch of its own, leave out torch
and make the environment with --system-site-packages. There

    tar xzf image-search.tar.gz && cd image-search && python -m venv .venv
    .venv/bin/pip install --no-index -f ../wheels $(.venv/bin/python -m tests.bench.gpu --packages)
    .venv/bin/python -m tests.bench.gpu | tee gpu.md

`nvidia-smi` or the package nvidia-ml-py tells how busy the GPU is. 15 GB of the disk have to be free.
"""

import argparse
import contextlib
import http.client
import importlib.metadata
import json
import os
import platform
import random
import re
import shutil
import string
import subprocess
import sys
import threading
import time
import tomllib
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
MINUTES = 8.0
QUICK = bool(os.environ.get("QUICK"))
CORES = os.cpu_count() or 1
SIZES = {"12 megapixels": (4000, 3000), "640 x 480": (640, 480)}
# Files that are indexed: as many as the quickest machine does in the time.
FILES = {"12 megapixels": 1500, "640 x 480": 20000}
SIZES_OF_A_TRIAL = {"800 x 600": (800, 600), "320 x 240": (320, 240)}
if QUICK:
    SIZES = SIZES_OF_A_TRIAL
    FILES = {"800 x 600": 6, "320 x 240": 12}
SECONDS = 0.2 if QUICK else 6.0  # for each rate
LEAST = 1.0 if QUICK else 45.0  # that the app needs to be of any use
LONGEST = 30.0 if QUICK else 110.0  # that it indexes
GOAL, GOAL_SEARCH = 0.8, 30  # of the slower part; milliseconds
NO_TIME = "no time left"
WITHOUT = ", JPEGs by the cores alone"
# The app, as if the extra were not installed.
WITHOUT_LIBRARY = """
import runpy, sys
sys.modules["nvidia.nvimgcodec"] = None
runpy.run_path("main.py", run_name="__main__")
"""


def packages() -> list[str]:
    """What pip has to bring: all that the app needs, and some for its tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    on_gpus = project["optional-dependencies"]["gpu"]
    tests = "httpx", "pytest", "tokenizers"
    return [*project["dependencies"], *on_gpus, *tests]


def missing() -> list[str]:
    """Those of them that are not there."""
    lacking = []
    for package in packages():
        name = re.split(r"[^\w.-]", package)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(package)
    return lacking


class Clock:
    """The time that all of it may take."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        return self._end - time.monotonic()

    def has(self, seconds: float) -> bool:
        return self.left() > seconds


@dataclass
class Table:
    """What was found, row by row."""

    device: str = "cpu"
    found: dict[str, float] = field(default_factory=dict)  # photos a second

    def row(self, what: str, said: str) -> None:
        print(f"| {what} | {said} |", flush=True)

    def rate(self, what: str, rate: float, more: str = "") -> None:
        self.found[what] = rate
        self.row(what, f"{figure(rate)} photos/s{more}")


def figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


# --- The parts by themselves ----------------------------------------------------------


def measure_model(
    table: Table, clock: Clock, encoder: Any, batches: tuple[int, ...]
) -> None:
    """The model alone, and the batch that the app would give it."""
    from image_search.device_batch import measured_batch
    from image_search.pipeline import Pipeline
    from tests.bench.gpu_jobs import model_alone

    pipeline = Pipeline(600)
    try:
        for size in batches:
            what = f"The model alone, batches of {size}"
            if not clock.has(SECONDS + 10):
                table.row(what, NO_TIME)
                continue
            say(what)
            table.rate(what, pipeline.run(model_alone, encoder, size, SECONDS))
        if clock.has(20):
            began = time.monotonic()
            best = pipeline.run(measured_batch, encoder, encoder.model_input)
            spent = time.monotonic() - began
            said = (
                f"{best} images, measured in {spent:.1f} s"
                if best
                else f"{encoder.batch_size} images, not measured on a CPU"
            )
            table.row("The batch that suits the device", said)
    finally:
        pipeline.close()


def measure_decoding(
    table: Table,
    clock: Clock,
    size: str,
    files: list[Path],
    view: tuple[int, Any],
) -> None:
    """Decoding alone, on all cores; then all that is made of a photo."""
    from image_search.embedding import DECODER_BYTES, DECODER_ENVIRONMENT
    from image_search.workers import WorkerPool
    from tests.bench.gpu_jobs import decode_alone

    side, made_by = view
    paths = [str(file) for file in files]
    ways = {"Decoding alone": None, "Decoding, model input, thumbnail": made_by}
    for way, how in ways.items():
        what = f"{way}, {CORES} cores, {size}"
        if not clock.has(2 * SECONDS + 5):
            table.row(what, NO_TIME)
            continue
        say(what)
        pool = WorkerPool(CORES, 120, DECODER_ENVIRONMENT, DECODER_BYTES)

        def run(
            seconds: float, pool: WorkerPool = pool, how: Any = how
        ) -> float:
            """Photos a second of all cores together."""
            with ThreadPoolExecutor(CORES) as threads:
                jobs = [
                    threads.submit(
                        pool.run, decode_alone, paths, side, how, seconds
                    )
                    for _ in range(CORES)
                ]
                done = [job.result() for job in jobs]
            return float(sum(number / spent for number, spent in done))

        try:
            run(0)  # starts all of them
            table.rate(what, run(SECONDS))
        finally:
            pool.close()


def measure_jpegs(
    table: Table, clock: Clock, size: str, files: list[Path], side: int
) -> None:
    """The library for GPUs alone, on the first device, in the batches of the app."""
    from image_search.workers import WorkerPool
    from tests.bench.gpu_jobs import jpegs_alone

    device = table.device
    where = "the GPU" if device.startswith("cuda") else f"the {device}"
    what = f"JPEGs decoded on {where}, alone, {size}"
    if not clock.has(2 * SECONDS + 10):
        table.row(what, NO_TIME)
        return
    say(what)
    pool = WorkerPool(1, 120)
    paths = [str(file) for file in files]
    try:
        rate, unlike = pool.run(jpegs_alone, device, paths, side, SECONDS)
        table.rate(what, rate, f" ({unlike})")
    except Exception as error:  # noqa: BLE001, of a library or a driver
        table.row(what, f"failed: {type(error).__name__}: {error}")
    finally:
        pool.close()


# --- The app ----------------------------------------------------------------------------


class Client:
    """One that asks over one connection, with little work of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=60
        )

    def get(self, path: str, **params: Any) -> Any:
        """What is answered; None while that can't be."""
        query = urllib.parse.urlencode(params)
        try:
            self.connection.request("GET", f"{path}?{query}")
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()  # the next one opens it again
            return None
        return json.loads(content) if response.status == 200 else None


def new_text() -> str:
    """A text that nobody asked for before."""
    return "".join(random.choices(string.ascii_lowercase, k=8))


@dataclass
class Watch:
    """What is seen while the app indexes: how busy the machine is, how long searches take."""

    port: int
    server: int  # its process id
    gpu: list[float] = field(default_factory=list)  # percent
    gpu_memory: list[float] = field(default_factory=list)  # MiB
    searches: list[float] = field(default_factory=list)  # seconds
    cpu: float = 0.0  # percent of all cores
    seconds: dict[str, float] = field(default_factory=dict)  # of CPU

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        import psutil

        over = threading.Event()
        work = self._search, self._ask_gpu
        threads = [threading.Thread(target=one, args=(over,)) for one in work]
        psutil.cpu_percent()
        before = self._cpu_seconds()
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.cpu = psutil.cpu_percent()
            after = self._cpu_seconds()
            self.seconds = {
                what: spent - before[what] for what, spent in after.items()
            }
            over.set()
            for thread in threads:
                thread.join()

    def _cpu_seconds(self) -> dict[str, float]:
        import psutil

        spent = {"the server": 0.0, "its workers": 0.0}
        server = psutil.Process(self.server)
        for process in (server, *server.children(recursive=True)):
            what = "the server" if process == server else "its workers"
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                spent[what] += times.user + times.system
        return spent

    def _search(self, over: threading.Event) -> None:
        client = Client(self.port)
        while True:
            began = time.perf_counter()
            if client.get("/search", q=new_text()) is not None:
                self.searches.append(time.perf_counter() - began)
            if over.wait(0.05):
                return

    def _ask_gpu(self, over: threading.Event) -> None:
        ask = gpu_meter()
        while ask and not over.wait(0.25):
            seen = ask()
            if seen is None:
                return
            self.gpu.append(seen[0])
            self.gpu_memory.append(seen[1])


def gpu_meter() -> Callable[[], tuple[float, float] | None] | None:
    """What tells the mean use of all GPUs in percent, and their memory in MiB; None if none can."""
    with contextlib.suppress(Exception):
        pynvml: Any = importlib.import_module("pynvml")
        pynvml.nvmlInit()
        gpus = [
            pynvml.nvmlDeviceGetHandleByIndex(one)
            for one in range(pynvml.nvmlDeviceGetCount())
        ]

        def by_library() -> tuple[float, float] | None:
            use = [pynvml.nvmlDeviceGetUtilizationRates(one) for one in gpus]
            held = [pynvml.nvmlDeviceGetMemoryInfo(one) for one in gpus]
            return (
                mean(one.gpu for one in use),
                sum(one.used for one in held) / 2**20,
            )

        if gpus:
            return by_library
    if shutil.which("nvidia-smi"):
        return by_program
    return None


def by_program() -> tuple[float, float] | None:
    """The same by nvidia-smi."""
    asked = "--query-gpu=utilization.gpu,memory.used"
    try:
        said = subprocess.check_output(
            ["nvidia-smi", asked, "--format=csv,noheader,nounits"],
            text=True,
            timeout=10,
        )
        rows = [
            [float(number) for number in line.split(",")]
            for line in said.splitlines()
        ]
        return mean(row[0] for row in rows), sum(row[1] for row in rows)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def wait(clock: Clock, seconds: float, is_so: Callable[[], Any]) -> bool:
    """Whether something is so within some seconds, and the time that is left."""
    end = time.monotonic() + min(seconds, clock.left())
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def add_photos(folder: Path, files: list[Path], number: int) -> Path:
    """Put photos into a folder, all at once, that nobody has seen before; returns their own."""
    aside = folder.with_name("aside") / uuid.uuid4().hex
    aside.mkdir(parents=True)
    contents = [file.read_bytes() for file in files]
    for one in range(number):
        content = contents[one % len(contents)] + uuid.uuid4().bytes
        (aside / f"{one:06}.jpg").write_bytes(content)
    return aside.rename(folder / aside.name)


def measure_app(
    table: Table,
    clock: Clock,
    photos: dict[str, list[Path]],
    settings: dict[str, str],
    folder: Path,
    *,
    jpegs_on_gpu: bool = True,
) -> None:
    """From files to points that searches find, in the app as it is started."""
    from tests.harness import App

    if not clock.has(LEAST):
        table.row("The app", NO_TIME)
        return
    say("the app starts")
    folder.mkdir(parents=True)
    app = App(folder, (), settings | {"OCR": "off"})
    app.env.pop("OMP_NUM_THREADS", None)
    # Where a machine has its CUDA, and which of its GPUs are to be seen.
    ours = ("CUDA", "NVIDIA", "LD_LIBRARY_PATH", "PYTHONPATH")
    app.env |= {
        name: value
        for name, value in os.environ.items()
        if name.startswith(ours)
    }
    try:
        began = time.monotonic()
        program = ("main.py",) if jpegs_on_gpu else ("-c", WITHOUT_LIBRARY)
        process = app.begin(sys.executable, *program)
        client = Client(app.port)
        if not wait(clock, 120, lambda: client.get("/search", q=new_text())):
            table.row("The app", f"has not answered; see {app.log}")
            return
        spent = time.monotonic() - began
        table.row("From the start until a search is answered", f"{spent:.1f} s")
        # So that the image half is loaded, and the device measured.
        add_photos(app.img, [*photos.values()][-1], 4)
        wait(clock, 120, lambda: indexed(client) >= 4)
        said = client.get("/status") or {}
        table.row(
            "Device, precision",
            f"{said.get('device')}, {said.get('precision')}",
        )
        for size, files in photos.items():
            index(table, clock, app, size, files, jpegs_on_gpu=jpegs_on_gpu)
        memory = sum(app.of_each_process(lambda one: one.memory_info().rss))
        table.row("Memory of all processes (RSS)", f"{memory / 1e6:,.0f} MB")
        assert process.poll() is None
    finally:
        app.clear_away()


def measure_without(
    table: Table,
    clock: Clock,
    photos: dict[str, list[Path]],
    settings: dict[str, str],
    folder: Path,
) -> None:
    """The largest photos once more, where JPEGs were decoded on a GPU."""
    size = next(iter(photos))
    if not table.device.startswith("cuda"):
        table.row(f"End to end, {size}{WITHOUT}", "as above: there is no GPU")
        return
    ours, other = {size: photos[size]}, folder.with_name(f"{folder.name}-2")
    try:
        measure_app(table, clock, ours, settings, other, jpegs_on_gpu=False)
    finally:
        shutil.rmtree(other, ignore_errors=True)


def indexed(client: Client) -> int:
    said = client.get("/status")
    return int(said["indexed"]) if said else 0


def index(
    table: Table,
    clock: Clock,
    app: Any,
    size: str,
    files: list[Path],
    *,
    jpegs_on_gpu: bool,
) -> None:
    """Photos of one size, as many as the time allows."""
    what = f"End to end, {size}" + ("" if jpegs_on_gpu else WITHOUT)
    if not clock.has(LEAST):
        table.row(what, NO_TIME)
        return
    say(f"{what}: {FILES[size]:,} files")
    client = Client(app.port)
    before = indexed(client)
    there = add_photos(app.img, files, FILES[size])
    began = time.monotonic()
    watch = Watch(app.port, app.process.pid)
    total = before + FILES[size]
    with watch.watching():
        reserve = Clock((clock.left() - 5) / 60)
        wait(reserve, LONGEST, lambda: indexed(client) >= total)
        spent = max(time.monotonic() - began, 1e-3)
        done = indexed(client) - before
    # What was not done in time would be done beside the next ones.
    shutil.rmtree(there)
    wait(clock, LONGEST, lambda: indexed(client) <= before)
    table.rate(what, done / spent, f" ({done:,} photos in {spent:.0f} s)")
    use = f"{mean(watch.gpu):.0f} %" if watch.gpu else "nobody tells"
    held = f"; {max(watch.gpu_memory):,.0f} MiB" if watch.gpu_memory else ""
    table.row("GPU meanwhile; its memory", use + held)
    parts = ", ".join(
        f"{who} {spent_by / spent:.1f}"
        for who, spent_by in watch.seconds.items()
    )
    each = 1000 * watch.seconds["the server"] / max(done, 1)
    table.row("The server's CPU for each photo", f"{each:.1f} ms")
    table.row(
        f"CPU meanwhile, all {CORES} cores; cores that are busy with",
        f"{watch.cpu:.0f} %; {parts}",
    )
    table.row("Searches for new words meanwhile", latency(watch.searches))


def latency(seconds: list[float]) -> str:
    import numpy as np

    if not seconds:
        return "none was answered"
    p50, p95 = 1000 * np.percentile(seconds, [50, 95])
    return (
        f"p50 {p50:.1f}, p95 {p95:.1f} ms of {len(seconds)}"
        f" (goal: p95 under {GOAL_SEARCH} ms)"
    )


def tell_ratios(table: Table) -> None:
    """How much of what the slower part could do the app does."""
    rates = table.found
    models = [rates[one] for one in rates if one.startswith("The model alone")]
    for size in SIZES:
        what = f"End to end, of the slower of decoding and model, {size}"
        decoding = rates.get(f"Decoding alone, {CORES} cores, {size}")
        done = rates.get(f"End to end, {size}")
        if not (models and decoding and done):
            table.row(what, "not to be told: a part was not measured")
            continue
        share = done / min(decoding, max(models))
        table.row(what, f"{share:.0%} (goal: {GOAL:.0%})")


# --- All of it --------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu")
    parser.add_argument("--device", choices=["cpu", "cuda"])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--model", type=Path, help="the folder of another one")
    parser.add_argument(
        "--packages", action="store_true", help="say what pip has to bring"
    )
    given = parser.parse_args(arguments)
    clock = Clock(given.minutes)
    if given.packages:
        print(*packages())
        return 0
    if lacking := missing():
        asked = " ".join(f"'{one}'" for one in lacking)
        print(
            f"Packages are missing. Install them: {sys.executable} -m pip"
            f" install {asked}",
            file=sys.stderr,
        )
        return 1
    measure_all(clock, given.device, given.model)
    return 0


def measure_all(clock: Clock, device: str | None, folder: Path | None) -> None:
    from image_search.clip import DualEncoder
    from image_search.workers import WorkerPool
    from tests.bench import material
    from tests.bench.gpu_jobs import machine
    from tests.harness import SCRATCH

    pool = WorkerPool(1, 120)
    known = pool.run(machine)
    pool.close()
    if known["devices"] == ["cpu"]:
        device = "cpu"
    name = "ViT-B/32" if device == "cpu" else "ViT-L/14"
    say(f"{folder or name}: its weights are made")
    folder = folder or material.model(name)
    asked = ("cpu",) if device == "cpu" else ()
    encoder = DualEncoder(str(folder), folder, None, asked)
    batches = (1, 5, 16) if device == "cpu" else (1, 16, 64, 256)
    run = material.FOLDER / f"gpu-{uuid.uuid4().hex}"
    table = Table("cpu" if device == "cpu" else known["devices"][0])
    print(f"{describe(known, device, folder)}\n\n| | |\n|---|--:|", flush=True)
    try:
        measure_model(table, clock, encoder, batches)
        photos = {}
        for size, sides in SIZES.items():
            say(f"photos of {size} are made")
            photos[size] = material.photos(*sides)
            measure_decoding(table, clock, size, photos[size], encoder.view)
            measure_jpegs(table, clock, size, photos[size], encoder.view[0])
        settings = {"CLIP_MODEL": str(folder), "CLIP_DEVICES": ",".join(asked)}
        measure_app(table, clock, photos, settings, run)
        measure_without(table, clock, photos, settings, run)
        tell_ratios(table)
    finally:
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(SCRATCH, ignore_errors=True)


def describe(known: dict[str, Any], device: str | None, model: Path) -> str:
    """What all of this is measured on."""
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    gpus = [] if device == "cpu" else known["gpus"]
    return (
        f"{', '.join(gpus) or 'no GPU'}; {CORES} cores, {memory:.0f} GiB;"
        f" Python {platform.python_version()}, PyTorch {known['torch']},"
        f" {known['precision']}; {model.name}, random weights; {date.today()}"
        f"{', a quick run: of no meaning' if QUICK else ''}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
