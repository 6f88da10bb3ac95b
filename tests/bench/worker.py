"""What is measured in a process of its own: `python -m tests.bench.worker`, asked line by line.

The functions that end in `_tutorial` do as the tutorial does, and never import the app.
"""

import asyncio
import functools
import json
import os
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench import words
from tests.bench.words import questions, text_of, vocabulary

TRUTH = Path(os.environ["DATA_DIR"]) / "truth.npz"


# --- The tutorial's way: the whole model in fp32, a photo decoded whole, one a call ---------------


@functools.cache
def tutorial() -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoProcessor

    name = os.environ["CLIP_MODEL"]
    model = AutoModel.from_pretrained(name, dtype=torch.float32)
    return model, AutoProcessor.from_pretrained(name)


def images_tutorial(paths: list[str]) -> float:
    """Photos a second."""
    import torch
    from PIL import Image

    model, processor = tutorial()
    began = time.perf_counter()
    for path in paths:
        inputs = processor(
            images=Image.open(path).convert("RGB"), return_tensors="pt"
        )
        with torch.no_grad():
            model.get_image_features(**inputs).pooler_output[0].tolist()
    return len(paths) / (time.perf_counter() - began)


def texts_tutorial(texts: list[str]) -> list[float]:
    """Seconds of each text."""
    import torch

    model, processor = tutorial()
    seconds = []
    for text in texts:
        began = time.perf_counter()
        inputs = processor(text=[text], return_tensors="pt", padding=True)
        with torch.no_grad():
            model.get_text_features(**inputs).pooler_output[0].tolist()
        seconds.append(time.perf_counter() - began)
    return seconds


def imports_tutorial() -> None:
    """What its main.py imports besides, in both of its processes."""
    import cocoindex  # noqa: F401
    import fastapi  # noqa: F401
    import qdrant_client  # noqa: F401


def products(dtype: str) -> float:
    """GFLOP/s of the largest product in ViT-L/14, (257 x 1024) x (1024 x 4096), in a precision."""
    import torch

    a, b = (
        torch.randn(size).to(getattr(torch, dtype))
        for size in ((257, 1024), (1024, 4096))
    )
    seconds = []
    for _ in range(60):
        began = time.perf_counter()
        torch.matmul(a, b)
        seconds.append(time.perf_counter() - began)
    return 2 * 257 * 1024 * 4096 / statistics.median(seconds[10:]) / 1e9


# --- The app's way --------------------------------------------------------------------------------


@functools.cache
def event_loop() -> asyncio.Runner:
    """One for all questions, as CocoIndex has one: the embedder's locks are its own."""
    return asyncio.Runner()


@functools.cache
def embedder() -> Any:
    from image_search.clip import DualEncoder
    from image_search.embedding import Embedder
    from image_search.settings import settings

    return Embedder.from_settings(settings, DualEncoder.from_settings(settings))


def images(paths: list[str]) -> float:
    """Photos a second that become vectors, with 16 under way, as in CocoIndex."""

    async def embed_all() -> None:
        rows = asyncio.Semaphore(16)

        async def embed(path: str) -> None:
            # What follows the photo's end makes it one never seen.
            async with rows:
                content = Path(path).read_bytes() + uuid.uuid4().bytes
                done = await embedder().embed_photo(content)
                assert done.error is None, done.error

        await asyncio.gather(*map(embed, paths))

    _ = embedder().encoder.key
    began = time.perf_counter()
    event_loop().run(embed_all())
    return len(paths) / (time.perf_counter() - began)


def prepared_image(path: str, times: int) -> float:
    """Photos a second that the embedding process does with one that is decoded."""
    from image_search.photos import read_pixels

    encoder, towers = embedder().encoder, embedder().towers
    image = read_pixels(Path(path).read_bytes(), *encoder.view)
    began = time.perf_counter()
    for _ in range(times):
        towers.embed_at_once(image)
    return times / (time.perf_counter() - began)


def precision() -> str:
    from image_search.hardware import choose_hardware
    from image_search.settings import settings

    _, dtype = choose_hardware(settings.clip_dtype)
    return str(dtype).removeprefix("torch.")


# --- The embedded store ---------------------------------------------------------------------------


@functools.cache
def store() -> Any:
    from image_search.engines import open_store
    from image_search.settings import settings

    encoder = embedder().encoder
    return open_store(settings, encoder.key, encoder.dimension)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def point(
    number: int, vector: NDArray[np.float32], text: str = ""
) -> dict[str, Any]:
    """A photo as the flow hands it to the store, with the words on it."""
    from image_search.name_words import name_words
    from image_search.points import sort_key

    month = f"{2000 + number % 25}/{1 + number % 12:02}"
    taken = f"{month.replace('/', '-')}-01T{number % 24:02}:00:00"
    filename = f"{month}/IMG_{number:06}.jpg"
    return {
        "embedding": vector, "filename": filename, "error": None, "folders": [month, month[:4]],
        "sha256": f"{number:064x}", "width": 4000, "height": 3000, "taken": taken,
        "sort_key": sort_key(taken, filename), "name_words": name_words(filename),
        "name_starts": name_words(filename), "text": text,
    }  # fmt: skip


def fill_store(size: int, queries: int) -> float:
    """Fill it with vectors in clusters of 50, and note the right answers; points a second."""
    chance = np.random.default_rng(size)
    d = embedder().encoder.dimension
    centres = unit_rows(
        chance.standard_normal((max(1, size // 50), d), np.float32)
    )

    def around(number: int) -> NDArray[np.float32]:
        """Vectors with a cosine of some 0.8 to others of their cluster."""
        noise = chance.standard_normal((number, d), np.float32) / (
            2 * np.sqrt(d)
        )
        return unit_rows(
            centres[chance.integers(len(centres), size=number)] + noise
        )

    vectors, asked = around(size), around(queries)
    every_word = vocabulary()
    spent = 0.0
    for start in range(0, size, 1000):
        rows = enumerate(vectors[start : start + 1000], start)
        batch = {
            uuid.UUID(int=number): point(
                number, vector, text_of(number, chance, every_word)
            )
            for number, vector in rows
        }
        began = time.perf_counter()
        store().write(batch)
        spent += time.perf_counter() - began
    order = np.argsort(-(asked @ vectors.T), axis=1)[:, :24]
    np.savez(TRUTH, asked=asked, order=order)
    return size / spent


def open_store() -> float:
    """Seconds until it can be asked."""
    opened = store()  # the model's size is known then
    began = time.perf_counter()
    opened.count()
    return time.perf_counter() - began


def search_store() -> tuple[list[float], float]:
    """Seconds of each query for 24, asked before, and the share of the true 24 that is found."""
    truth = np.load(TRUTH)
    seconds, found = [], 0
    for vector in truth["asked"]:
        store().search(vector, 24)
    for vector, order in zip(truth["asked"], truth["order"], strict=True):
        began = time.perf_counter()
        hits = store().search(vector, 24)
        seconds.append(time.perf_counter() - began)
        right = {f"IMG_{number:06}.jpg" for number in order}
        found += len(right & {hit.payload.filename[8:] for hit in hits})
    return seconds, found / truth["order"].size


def search_words(size: int) -> list[float]:
    """Seconds of each search with words in it, asked once before."""
    from image_search.question import Search
    from image_search.search import Searcher

    truth = np.load(TRUTH)
    searcher = Searcher(embedder(), store())
    searcher.remarks.indexed = size
    seconds = []
    vectors = [*truth["asked"]]
    for q, vector in zip(questions(len(vectors)), vectors, strict=True):
        search = Search(q=q)
        searcher.find(search, vector)
        began = time.perf_counter()
        searcher.find(search, vector)
        seconds.append(time.perf_counter() - began)
    return seconds


def recall_words(ways: str) -> dict[str, list[float]]:
    """As words.recall; the photos are embedded when it is first asked."""
    if not store().count():
        words.fill(embedder(), store(), event_loop().run)
    return words.recall(embedder(), store(), ways)


def write_store(times: int) -> float:
    """New points a second, each written by itself."""
    vectors = -np.load(TRUTH)["asked"]  # far from all that is asked for
    began = time.perf_counter()
    for number in range(times):
        new = point(10**6 + number, vectors[number % len(vectors)])
        store().write({uuid.uuid4(): new})
    return times / (time.perf_counter() - began)


def scan_folder() -> tuple[float, int]:
    """Seconds for a look through the folder, and how many photos it has."""
    from image_search.places import open_places
    from image_search.settings import settings

    [place] = open_places(settings.image_dir, ())
    began = time.perf_counter()
    found = place.scan().photos
    return time.perf_counter() - began, len(found)


if __name__ == "__main__":
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(globals()[name](*arguments)), flush=True)
