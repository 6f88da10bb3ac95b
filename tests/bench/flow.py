"""What CocoIndex and the store can do by themselves, when photos cost nothing.

Each is a file of some 10 kB whose vector, thumbnail and header are known already: what is left
is to read it, to look it up, to note in Postgres what was done, and to write its point.
"""

import hashlib
import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from image_search.cache import EmbeddingCache
from image_search.clip import DualEncoder
from image_search.photos import Facts
from tests.bench.apps import RUN
from tests.bench.material import QUICK
from tests.bench.table import Row, say
from tests.harness import STARTER, App, eventually

PHOTOS = 400 if QUICK else 10_000
SIZE = 104, 96  # pixels of grain, which make some 10 kB
QUALITY = 92


def write_known_photos(folder: Path, data: Path, number: int) -> None:
    """Write photos to a folder, and what is known of each to a DATA_DIR."""
    noise = np.random.default_rng(0)
    pixels = noise.integers(0, 256, (*SIZE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    photo = buffer.getvalue()
    encoder = DualEncoder(str(STARTER), STARTER)
    cache = EmbeddingCache(data / "vectors.sqlite", lambda: encoder.key)
    facts = Facts(SIZE[1], SIZE[0])
    for one in range(number):
        content = photo + f"{one}".encode()
        (folder / f"IMG_{one:06}.jpg").write_bytes(content)
        vector = noise.normal(size=encoder.dimension).astype(np.float32)
        vector /= np.linalg.norm(vector)
        digest = hashlib.sha256(content).digest()
        cache.keep(digest, vector=vector, facts=facts, thumbhash="3EgKFwhpaIVP")
    cache.close()


def seconds_of(processes: list[psutil.Process]) -> float:
    """CPU time that some processes have had."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def known_photos() -> Iterator[Row]:
    """What is left of the time for a photo when the model costs nothing."""
    say("the flow alone")
    folder = RUN / "flow"
    folder.mkdir(parents=True)
    app = App(folder, (), {"OCR": "off"})
    try:
        write_known_photos(app.img, app.data, PHOTOS)
        app.start()
        eventually(lambda: app.status()["indexed"], within=60)
        assert app.process is not None
        server = psutil.Process(app.process.pid)
        postgres = [
            one for one in psutil.process_iter() if one.name() == "postgres"
        ]
        first = app.status()["indexed"]
        began, spent = time.perf_counter(), seconds_of([server])
        of_postgres = seconds_of(postgres)
        while (indexed := app.status()["indexed"]) < PHOTOS:
            time.sleep(0.1)
        seconds = time.perf_counter() - began
        spent = seconds_of([server]) - spent
        of_postgres = seconds_of(postgres) - of_postgres
    finally:
        app.clear_away()
        shutil.rmtree(folder)
    photos = indexed - first
    what = "Known photos of 10 kB, from files to searchable points"
    yield Row(what, here=f"{photos / seconds:,.0f} photos/s")
    each = f"{1000 * spent / photos:.2f} + {1000 * of_postgres / photos:.2f} ms"
    yield Row("The same: CPU of the app and of Postgres for each", here=each)
