"""Files that become photos which a search finds: how many a second, and what they cost."""

import time
from collections.abc import Iterator
from statistics import median

import psutil

from tests.bench.apps import Client, add_photos, installation, wait_until_ready
from tests.bench.material import LARGE, QUICK, SMALL, STARTER, photos
from tests.bench.table import Row, say
from tests.harness import App

ROUNDS = 3
SIZES = {"12 megapixels": (4000, 3000), "640 x 480": (640, 480)}
# How many photos a round has, of each size.
MODELS = {LARGE: (8, 16), SMALL: (32, 96), STARTER: (32, 96)}
KINDS = "model", "decoders", "server", "database"


def cpu_seconds(app: App) -> dict[str, float]:
    """What an app's processes have used since they began, by what they do."""
    used = dict.fromkeys(KINDS, 0.0)
    workers = {worker.pid for worker in app.children()}
    sizes = dict(
        app.of_each_process(lambda one: (one.pid, one.memory_info().rss))
    )
    # The one that holds a model is the largest.
    embeds = max(workers, key=lambda pid: sizes.get(pid, 0), default=None)
    server = app.process.pid if app.process else None

    def kind(process: psutil.Process) -> str:
        if process.pid == server:
            return "server"
        if process.pid == embeds:
            return "model"
        return "decoders" if process.pid in workers else "database"

    for name, times in app.of_each_process(
        lambda one: (kind(one), one.cpu_times())
    ):
        used[name] += times.user + times.system
    return used


def end_to_end() -> Iterator[Row]:
    """Photos a second from the folder to the index, through CocoIndex and the store."""
    for of_model, numbers in MODELS.items():
        with installation("end-to-end", of_model) as app:
            app.start()
            wait_until_ready(Client(app))
            for (size, sides), number in zip(
                SIZES.items(), numbers, strict=True
            ):
                number = 4 if QUICK else number  # noqa: PLW2901
                yield one_size(app, f"{of_model}, {size}", number, sides)
            app.stop()


def one_size(app: App, title: str, number: int, sides: tuple[int, int]) -> Row:
    """Photos of one size, with one model."""
    rates, costs = [], []
    photos(*sides)  # made, if they are new, before the clock starts
    for _ in range(ROUNDS):
        say(f"end to end, {title}")
        # Uvicorn ends connections that are idle for 5 s.
        client = Client(app)
        total = client.get("/status")["indexed"] + number
        before = cpu_seconds(app)
        began = time.perf_counter()
        add_photos(app, number, *sides)
        while client.get("/status")["indexed"] < total:
            time.sleep(0.05)
        rates.append(number / (time.perf_counter() - began))
        after = cpu_seconds(app)
        costs.append([after[kind] - before[kind] for kind in KINDS])
    parts = [1000 * median(part) / number for part in zip(*costs, strict=True)]
    return Row(
        f"{title}, from the folder to the index;"
        f" CPU of {', '.join(KINDS)} a photo",
        here=f"{median(rates):.3g} photos/s;"
        f" {' + '.join(f'{part:.0f}' for part in parts)} ms",
    )
