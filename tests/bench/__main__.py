"""Measure the app beside the tutorial's way of doing it: `make bench`, or QUICK=1 make bench.

`python -m tests.bench searching stores` measures only these parts.

Prints one table in Markdown; what it is busy with goes to stderr. Every measurement is repeated,
by turns with the tutorial's; what is printed are medians of the rounds, and ratios of medians.
"""

import contextlib
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from image_search.hardware import cpu_features
from tests.bench import clients
from tests.bench.apps import (
    RUN,
    Client,
    add_photos,
    installation,
    new_text,
    wait_until_ready,
)
from tests.bench.clients import Load
from tests.bench.flow import known_photos
from tests.bench.indexing import end_to_end
from tests.bench.material import (
    LARGE,
    QUICK,
    SMALL,
    STARTER,
    gigaflops,
    model,
    photos,
)
from tests.bench.rclip import beside_rclip
from tests.bench.table import Row, figure, percentiles, row, say
from tests.browser import chromium, visit
from tests.harness import PHOTOS, ROOT, SCRATCH, App, environment

ROUNDS = 3
VISITS = 1 if QUICK else 5
SEARCHES = 20 if QUICK else 100  # a round
SECONDS = 0.5 if QUICK else 4.0  # for each rate of requests
STORES = (1_000, 3_000) if QUICK else (10_000, 50_000, 200_000)
REPLICAS = (1, 2, 4)  # processes
CLIENTS = 16
AT_ONCE = (1, 8, 64)
KNOWN = "a cup of coffee"
MANY = 100 if QUICK else 1_000  # photos, so that an answer has 24
WAYS = "meaning,name,text,description"
FILES = 2_000 if QUICK else 200_000


class Worker:
    """A process that does the work of tests.bench.worker, with the settings given."""

    def __init__(self, model: Path, name: str = "", **more: str | Path) -> None:
        (RUN / name).mkdir(parents=True, exist_ok=True)
        places = {"DATA_DIR": RUN / name, "IMAGE_DIR": PHOTOS}
        env = environment(CLIP_MODEL=model, **places | more)
        del env["OMP_NUM_THREADS"]  # as many threads as PyTorch thinks best
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker"], cwd=ROOT, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, name: str, *arguments: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def megabytes(pid: int) -> NDArray[np.float64]:
    """What a process holds in memory: with its share of what is shared (PSS), with all of it (RSS).

    Where the system knows no PSS, it is RSS too.
    """
    memory = psutil.Process(pid).memory_full_info()
    return np.array([getattr(memory, "pss", memory.rss), memory.rss]) / 1e6


# --- Photos ---------------------------------------------------------------------------------------


def embedding() -> Iterator[Row]:
    """How many photos a second get their vectors, and what share of the machine's limit that is."""
    sizes = {"12 megapixels": photos(4000, 3000), "640 x 480": photos(640, 480)}
    cases: list[tuple[str, int, dict[str, str | Path]]] = [
        (LARGE, 8, {}),
        (SMALL, 40, {}),
        (STARTER, 40, {}),
    ]
    # What other CPUs with bfloat16 come to.
    if "amx_bf16" in cpu_features():
        cases.append((LARGE, 8, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}))
    for name, number, isa in cases:
        title, limits, alone = f"{name} without AMX" if isa else name, [], []
        with (
            Worker(model(name), "tutorial", **isa) as tutorial,
            Worker(model(name), name, **isa) as here,
        ):
            for size, files in list(sizes.items())[
                : 1 if name == STARTER or isa else 2
            ]:
                say(f"{title}, {size}")
                paths = [str(file) for file in files * 5][
                    : 4 if QUICK else number
                ]
                rates = []
                for _ in range(ROUNDS):
                    pair = []
                    for worker, way in (
                        (tutorial, "images_tutorial"),
                        (here, "images"),
                    ):
                        # The first load the model, the next wake it up.
                        worker.ask(way, paths[:2])
                        pair.append(worker.ask(way, paths))
                    rates.append(pair)
                    if name == LARGE:
                        dtypes = "float32", here.ask("precision")
                        workers = zip((tutorial, here), dtypes, strict=True)
                        limits.append(
                            [
                                worker.ask("products", dtype)
                                for worker, dtype in workers
                            ]
                        )
                        alone.append(
                            here.ask("prepared_image", paths[0], len(paths))
                        )
                yield row(
                    f"{title}, {size}", np.median(rates, axis=0), "photos/s"
                )
                if name == LARGE:
                    shares = (
                        gigaflops(name)
                        * np.median(rates, axis=0)
                        / np.median(limits, axis=0)
                    )
                    yield Row(
                        f"{title}, {size}: share of the limit of its precision",
                        *map("{:.0%}".format, shares),
                    )
        if name == LARGE:
            limit = np.median(limits, axis=0)
            share = gigaflops(name) * median(alone) / limit[1]
            speed = f"{median(alone):.3g} photos/s, {share:.0%}"
            yield Row(
                f"{title}, a decoded photo, share of the limit", here=speed
            )
            what = f"That limit: (257 x 1024) x (1024 x 4096), {' and '.join(dtypes)}"
            yield row(what, limit, "GFLOP/s")


# --- Searches over HTTP ---------------------------------------------------------------------------


def load(
    apps: App | Sequence[App], number: int, text: str | None = None
) -> Load:
    """What a number of clients get that ask for one text, or for new ones.

    Of several apps each client asks one; the CPU time is that of the first.
    """
    apps = [apps] if isinstance(apps, App) else apps
    assert apps[0].process is not None
    texts = itertools.repeat(text) if text else iter(new_text, None)
    paths = (f"/search?{urllib.parse.urlencode({'q': q})}" for q in texts)
    ports = [app.port for app in apps]
    return clients.load(apps[0].process.pid, ports, number, paths, SECONDS)


def rows_of(loads: dict[tuple[str, int], list[Load]]) -> Iterator[Row]:
    """Answers a second, the server's CPU time, and how long the most clients wait."""
    for (what, number), rounds in loads.items():
        rate, cpu = (
            median(one)
            for one in zip(*[(a.rate, a.cpu) for a in rounds], strict=True)
        )
        yield Row(f"Searches/s, {what}, {number} at once", here=figure(rate))
        yield Row("The server's CPU for each", here=f"{1000 * cpu:.2f} ms")
        if number == AT_ONCE[-1]:
            seconds = [one for answers in rounds for one in answers.seconds]
            yield Row("Each takes, p50 / p95 / p99", here=percentiles(seconds))


def searching() -> Iterator[Row]:
    """How long searches take, alone and beside the indexing, and how much memory is held."""
    times: dict[str, list[float]] = defaultdict(list)
    loads: dict[tuple[str, int], list[Load]] = defaultdict(list)
    meanwhile = []
    with (
        installation("searching") as app,
        Worker(model(LARGE), "tutorial") as tutorial,
        Worker(model(LARGE), "few-points") as store,
    ):
        app.start()
        wait_until_ready(Client(app))
        tutorial.ask("texts_tutorial", ["warm"])
        store.ask("fill_store", 10, SEARCHES)
        for _ in range(ROUNDS):
            say("searches")
            texts = [new_text() for _ in range(SEARCHES)]
            times["tutorial"] += tutorial.ask("texts_tutorial", texts)
            times["store"] += store.ask("search_store")[0]
            # Uvicorn ends connections that are idle for 5 s.
            client = Client(app)
            times["new"] += [client.seconds(new_text()) for _ in texts]
            times["known"] += [client.seconds(KNOWN) for _ in texts]
            for number in AT_ONCE:
                loads["new words", number] += [load(app, number)]
                loads["known words", number] += [load(app, number, KNOWN)]
            say("searches beside the indexing")
            client = Client(app)
            before = client.get("/status")["indexed"]
            add_photos(app, 3 if QUICK else 24)
            while (start := client.get("/status")["indexed"]) == before:
                time.sleep(0.1)
            began = time.perf_counter()
            while (status := client.get("/status"))["waiting"]:
                times["beside"] += [
                    client.seconds(new_text()) for _ in range(5)
                ]
            spent = time.perf_counter() - began
            meanwhile.append((status["indexed"] - start) / spent)
            wait_until_ready(client)
        assert app.process is not None
        held = {
            process.pid: megabytes(process.pid) for process in app.processes()
        }
        server = held.pop(app.process.pid)
    vector = 1000 * (median(times["tutorial"]) + median(times["store"]))
    both = vector, 1000 * median(times["new"])
    yield row("Search for new words, median", both, "ms", less=True)
    yield Row(
        "Search for new words, p50 / p95 / p99", here=percentiles(times["new"])
    )
    yield Row(
        "The same while photos are indexed", here=percentiles(times["beside"])
    )
    yield Row(
        "Photos/s indexed beside such searches without a pause",
        here=f"{median(meanwhile):.3g}",
    )
    yield Row(
        "Search for known words, p50 / p95 / p99",
        here=percentiles(times["known"]),
    )
    yield from rows_of(loads)

    twice = memory_of_the_tutorial()
    vision, *others = sorted(held.values(), key=min, reverse=True)
    all_of_it = (
        np.sum(twice, axis=0)[0],
        np.sum([server, vision, *others], axis=0)[0],
    )
    yield row(
        "Memory of all processes, the shared once (PSS)",
        all_of_it,
        "MB",
        less=True,
    )
    both = np.sum(twice, axis=0)[1], (server + vision)[1]
    yield row(
        "Memory of the server and of what embeds (RSS)", both, "MB", less=True
    )
    parts = [
        " + ".join(f"{part[1]:,.0f}" for part in parts)
        for parts in (twice, (server, vision))
    ]
    yield Row("The same by process", *(f"{each} MB" for each in parts))


def answers() -> Iterator[Row]:
    """How many searches a second are answered from a folder of ordinary size."""
    loads: dict[tuple[str, int], list[Load]] = defaultdict(list)
    with installation("answers", STARTER) as app:
        samples = sorted(file.name for file in app.img.iterdir())
        for number in range(MANY):
            sample = samples[number % len(samples)]
            name = f"{2000 + number % 20}/{number}-{sample}"
            app.add(sample, name, alike=False)
        app.start()
        client = Client(app)
        wait_until_ready(client)
        named = f"{MANY // 2}-{samples[MANY // 2 % len(samples)]}"
        asked = {"new words": None, "known words": KNOWN, "a name": named}
        for known in (KNOWN, named):
            client.seconds(known)
        for _ in range(ROUNDS):
            for what, text in asked.items():
                for number in AT_ONCE:
                    say(f"{number} ask for {what}")
                    loads[what, number].append(load(app, number, text))
    yield from rows_of(loads)


def memory_of_the_tutorial() -> list[NDArray[np.float64]]:
    """Megabytes of its server and of what embeds, each with the whole model after some work."""
    say("memory of the tutorial's two processes")
    with (
        Worker(model(LARGE), "one") as one,
        Worker(model(LARGE), "other") as other,
    ):
        for worker in (one, other):
            worker.ask("imports_tutorial")
            worker.ask("images_tutorial", [str(photos(4000, 3000)[0])])
            worker.ask("texts_tutorial", ["a cup of coffee"])
        return [megabytes(worker.process.pid) for worker in (one, other)]


def starting(of_model: str) -> Iterator[Row]:
    """How long it takes from the start of the process to answers; `cold` is without a DATA_DIR."""
    seconds, tens = defaultdict(list), []
    for number in range(ROUNDS):
        with installation(f"starting-{number}", of_model) as app:
            for kind in ("cold", "warm"):
                say(f"{kind} start, {of_model}")
                began = time.perf_counter()
                app.start()
                seconds[kind, "listens"].append(time.perf_counter() - began)
                client = Client(app)
                while not client.get("/search", q=new_text()):
                    time.sleep(0.02)
                seconds[kind, "answers"].append(time.perf_counter() - began)
                if kind == "cold":
                    wait_until_ready(client)
                    seconds[kind, "has indexed 9 photos"].append(
                        time.perf_counter() - began
                    )
                app.stop()
            app.start()
            client = Client(app)
            ten = [client.seconds(new_text()) for _ in range(10)]
            tens.append((ten[0], ten[9]))
            app.stop()
    first, tenth = (
        1000 * median(searches) for searches in zip(*tens, strict=True)
    )
    for (kind, what), rounds in seconds.items():
        yield Row(
            f"{of_model}: from a {kind} start until it {what}",
            here=f"{median(rounds):.1f} s",
        )
    searches = f"{first:.1f}, {tenth:.1f} ms"
    yield Row(
        f"{of_model}: first search after a start, tenth search", here=searches
    )


@contextlib.contextmanager
def qdrant_server() -> Iterator[dict[str, str]]:
    """The settings for the server at TEST_QDRANT_URL, or for a stand-in that does little."""
    collection = {"QDRANT_COLLECTION": f"bench_{uuid.uuid4().hex[:20]}"}
    if url := os.environ.get("TEST_QDRANT_URL"):
        key = os.environ.get("TEST_QDRANT_API_KEY", "")
        yield collection | {"QDRANT_URL": url, "QDRANT_API_KEY": key}
        return
    code = (
        "from tests.qdrant_standin import QdrantStandIn;"
        "print(QdrantStandIn().url, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as server:  # fmt: skip
        assert server.stdout
        yield collection | {"QDRANT_URL": server.stdout.readline().strip()}
        server.communicate("\n")


def replicas() -> Iterator[Row]:
    """Searches a second of several processes that only search, and what each holds in memory."""
    rates: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        qdrant = stack.enter_context(qdrant_server())
        say("photos for processes that only search")
        index = stack.enter_context(installation("index"))
        index.env |= qdrant | {"ROLE": "index"}
        index.start()
        while index.status()["state"] != "ready":
            time.sleep(0.2)
        index.stop()
        apps = []
        for number in range(max(REPLICAS)):
            app = stack.enter_context(installation(f"search-{number}"))
            app.env |= qdrant | {"ROLE": "search"}
            apps.append(app.start())
            while not Client(app).get("/search", q=KNOWN):
                time.sleep(0.2)
        for _ in range(ROUNDS):
            for number in REPLICAS:
                say(f"{number} that search")
                some = apps[:number]
                rates[f"{number}, new words"].append(load(some, CLIENTS).rate)
                known = load(some, CLIENTS, KNOWN).rate
                rates[f"{number}, known words"].append(known)
        held = [megabytes(app.process.pid) for app in apps if app.process]
    for what, numbers in rates.items():
        name = f"Searches/s by processes that only search: {what}"
        yield Row(name, here=f"{median(numbers):.3g}")
    pss, rss = np.median(held, axis=0)
    yield Row(
        "Memory of each of four such (PSS; RSS)",
        here=f"{pss:,.0f} MB; {rss:,.0f} MB",
    )


# --- The page -------------------------------------------------------------------------------------


def seeing() -> Iterator[Row]:
    """How long a visitor with an empty cache waits for the page of a search, and what it weighs."""
    with installation("seeing", STARTER) as app, chromium() as browser:
        say("photos for the page")
        add_photos(app, 100)
        app.start()
        wait_until_ready(Client(app))
        visits = []
        for _ in range(1 + VISITS):
            say("a visit")
            with browser.new_page(
                base_url=app.url, viewport={"width": 1280, "height": 800}
            ) as page:
                visits.append(visit(page, "/?q=a+dog&rest=1"))
    first, *others = visits

    def middle(name: str) -> float:
        return float(median(getattr(seen, name) for seen in others))

    number = median(len(seen.images) for seen in others)
    size = np.mean([size for seen in others for _, size in seen.images])
    paints = f"{middle('first_paint'):.0f}, {middle('largest_paint'):.0f} ms"
    made = f"{middle('in_sight'):.0f}, {first.in_sight:.0f} ms"
    yield Row(
        "The page of a search: first, largest contentful paint", here=paints
    )
    yield Row(
        "Its thumbnails in sight: made before, made for this visit", here=made
    )
    yield Row(
        "Its thumbnails loaded, size of each",
        here=f"{number:.0f}, {size / 1000:.1f} kB",
    )
    yield Row(
        "Its JavaScript and CSS, as sent",
        here=f"{middle('code') / 1000:.1f} kB",
    )
    yield Row("Its cumulative layout shift", here=f"{middle('shift'):.3f}")


# --- Many photos ----------------------------------------------------------------------------------


def stores() -> Iterator[Row]:
    """The embedded store, of several sizes, with vectors as long as the large model's."""
    for size in STORES:
        name = f"store-{size}"
        say(name)
        with Worker(model(LARGE), name) as worker:
            filled = worker.ask("fill_store", size, SEARCHES)
        seconds, opening, writing, memory = [], [], [], []
        with_words: list[float] = []
        for _ in range(ROUNDS):
            with Worker(
                model(LARGE), name
            ) as worker:  # a new process each time
                worker.ask("precision")  # all is imported
                before = megabytes(worker.process.pid)[0]
                opening.append(worker.ask("open_store"))
                times, recall = worker.ask("search_store")
                seconds += times
                memory.append(megabytes(worker.process.pid)[0] - before)
                writing.append(worker.ask("write_store", SEARCHES))
                with_words += worker.ask("search_words", size)
        p50, p95 = 1000 * np.percentile(seconds, [50, 95])
        words50, words95 = 1000 * np.percentile(with_words, [50, 95])
        for what, here in (
            ("the nearest 24, p50 / p95", f"{p50:.1f} / {p95:.1f} ms"),
            (
                "a search with words, p50 / p95",
                f"{words50:.1f} / {words95:.1f} ms",
            ),
            ("how many of the true 24 are found", f"{recall:.1%}"),
            (
                "opened in, memory then",
                f"{median(opening):.2f} s, {median(memory):,.0f} MB",
            ),
            (
                "written one by one, by thousands",
                f"{median(writing):,.0f}, {filled:,.0f} vectors/s",
            ),
        ):
            yield Row(f"{size:,} vectors: {what}", here=here)
        shutil.rmtree(RUN / name)


def words() -> Iterator[Row]:
    """What is found by names, by words on photos, and by what is seen."""
    say("words")
    with Worker(model(STARTER), "words") as worker:
        before = worker.ask("recall_words", "meaning")
        after = worker.ask("recall_words", WAYS)
    for kind, shares in after.items():
        once, now = (
            " / ".join(f"{share:.0%}" for share in some)
            for some in (before[kind], shares)
        )
        yield Row(f"{kind}: recall@1 / 5 / 10", once, now)


def scanning() -> Iterator[Row]:
    """How long the app scans a folder in which nothing has changed."""
    say(f"{FILES} files")
    folder = RUN / "many-files"
    for number in range(FILES):
        if number % 1000 == 0:
            (folder / f"{number}").mkdir(parents=True)
        (folder / f"{number // 1000 * 1000}" / f"{number}.jpg").touch()
    with Worker(model(LARGE), "scanning", IMAGE_DIR=folder) as worker:
        looks = [worker.ask("scan_folder") for _ in range(ROUNDS)]
    shutil.rmtree(folder)
    assert {found for _, found in looks} == {FILES}
    seconds = median(seconds for seconds, _ in looks)
    yield Row(f"A scan of {FILES:,} files", here=f"{seconds:.1f} s")


def machine() -> str:
    """What all of this was measured on."""
    cpu, system = platform.machine(), platform.platform()
    with contextlib.suppress(OSError, StopIteration):  # Linux knows better
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(
            line.split(": ")[1]
            for line in lines
            if line.startswith("model name")
        )
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    with Worker(model(LARGE), "precision") as worker:
        precision = worker.ask("precision")
    return (
        f"{cpu}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{system}, Python {platform.python_version()}, PyTorch {torch.__version__}, {precision}; "
        f"{date.today()}{', a quick run: of no meaning' if QUICK else ''}"
    )


LEGEND = """\
The tutorial's way: each photo decoded whole and embedded by itself in float32; searches are the
text's vector and a query of the same store in one process, spared HTTP; the server and the indexing
each load the whole model. Without AMX is where oneDNN is kept to AVX512-BF16, as on a CPU that has
no more. Stores are asked each query once before. Weights of the ViTs are random. Clients and app
share the cores."""


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "embedding": embedding,
    "searching": searching,
    "answers": answers,
    "starting": lambda: starting(STARTER),
    "starting-large": lambda: starting(LARGE),
    "replicas": replicas,
    "end-to-end": end_to_end,
    "flow": known_photos,
    "seeing": seeing,
    "stores": stores,
    "words": words,
    "scanning": scanning,
    "rclip": beside_rclip,
}
# Whose figures stand beside ours, if not the tutorial's.
OTHERS = {"rclip": "rclip"}


def main(names: list[str]) -> None:
    """Measure the parts that are named, or all of them."""
    names = names or [*PARTS]
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    try:
        print(machine())
        others = [OTHERS.get(name, "the tutorial's way") for name in names]
        for number, (name, other) in enumerate(zip(names, others, strict=True)):
            if number == 0 or other != others[number - 1]:
                print(f"\n| | {other} | here | times |\n|---|--:|--:|--:|")
            for row in PARTS[name]():
                print(f"| {' | '.join(row)} |", flush=True)
        print(f"\n{LEGEND}")
    finally:
        shutil.rmtree(RUN, ignore_errors=True)
        shutil.rmtree(SCRATCH, ignore_errors=True)


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if name != "--quick"])
