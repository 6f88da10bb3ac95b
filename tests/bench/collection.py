"""A collection of any size, for tests.bench.growth: filled, and asked, each in a process of its own.

    python -m tests.bench.collection STEP SIZE

The settings say in which store; what was found is printed as JSON.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSION = 768
CLUSTER = 50
BATCH = 1000
QUERIES = 100
NEAREST = 24
MEGABYTE = 1e6
CAMERAS = "Canon EOS R6", "NIKON Z 6", "Apple iPhone 15", "SONY ILCE-7M4"

Vectors = NDArray[np.float32]


# --- What is in it --------------------------------------------------------------------------------


def unit_rows(vectors: Vectors) -> Vectors:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


class Photos:
    """So many photos, the same ones each time, some at once: memory holds no more."""

    def __init__(self, size: int) -> None:
        self.size = size
        chance = np.random.default_rng(size)
        shape = max(1, size // CLUSTER), DIMENSION
        self.centres = unit_rows(chance.standard_normal(shape, np.float32))
        self.asked = self.around(chance, QUERIES)

    def around(self, chance: np.random.Generator, number: int) -> Vectors:
        """Vectors with a cosine of some 0.8 to others of their cluster."""
        noise = chance.standard_normal((number, DIMENSION), np.float32)
        which = chance.integers(len(self.centres), size=number)
        near = noise / (2 * np.sqrt(DIMENSION))
        return unit_rows(self.centres[which] + near.astype(np.float32))

    def batches(self) -> Iterator[tuple[int, Vectors]]:
        """The number of each batch's first photo, and its vectors."""
        for start in range(0, self.size, BATCH):
            chance = np.random.default_rng((self.size, start))
            yield start, self.around(chance, min(BATCH, self.size - start))


def payload(number: int) -> dict[str, Any]:
    """What is told of a photo, of a collection of 25 years with some 300 folders."""
    from image_search.points import sort_key

    year, month = 2000 + number % 25, 1 + number // 25 % 12
    taken = f"{year}-{month:02}-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00"
    filename = f"{year}/{month:02} Summer in Italy/IMG_{number:07}.jpg"
    folders = [filename.rpartition("/")[0], str(year)]
    details = {
        "camera": CAMERAS[number % len(CAMERAS)],
        "lens": "RF24-105mm F4 L IS USM",
        "exposure": 0.004,
        "aperture": 5.6,
        "iso": 100 * (1 + number % 16),
        "place": {"lat": 41 + number % 100 / 50, "lon": 12 + number % 90 / 50},
    }
    return {
        "filename": filename, "error": None, "folders": folders, "damaged": False,
        "sha256": f"{number:064x}", "width": 6000, "height": 4000, "taken": taken,
        "taken_from": "exif", "sort_key": sort_key(taken, filename), "details": details,
        "thumbhash": "3OcRJYB4d3h/iIeHeEh3eIhw+j3A",
    }  # fmt: skip


# --- In a process of its own ----------------------------------------------------------------------


def open_store(size: int) -> Any:
    from image_search.engines import open_store
    from image_search.settings import settings

    assert settings.qdrant_collection.endswith(str(size))
    return open_store(settings, "", DIMENSION)


def fill(size: int) -> dict[str, float]:
    """Write all of them; points a second, those that make the vectors left aside."""
    from image_search.points import point_id

    store = open_store(size)
    store.check()
    spent = 0.0
    for start, vectors in Photos(size).batches():
        batch = {}
        for number, vector in enumerate(vectors, start):
            facts = payload(number)
            batch[point_id(facts["filename"])] = facts | {"embedding": vector}
        began = time.perf_counter()
        write = getattr(store, "write", None)
        if write:
            write(batch)
        else:
            upsert(store, batch)
        spent += time.perf_counter() - began
    store.close()
    return {"written": size / spent}


def upsert(store: Any, batch: dict[uuid.UUID, dict[str, Any]]) -> None:
    """As CocoIndex does it."""
    from qdrant_client import models

    points = [
        models.PointStruct(
            id=str(id),
            vector={"embedding": facts.pop("embedding").tolist()},
            payload=facts,
        )
        for id, facts in batch.items()
    ]
    store.qdrant.ask(lambda one: one.upsert(store.collection, points))


def milliseconds(
    ask: Callable[[int], Any], times: int = QUERIES
) -> list[float]:
    """The median, and what 95 of 100 take no longer than; each is asked once before."""
    taken = []
    for number in range(times):
        ask(number)
        began = time.perf_counter()
        ask(number)
        taken.append(1000 * (time.perf_counter() - began))
    return [float(one) for one in np.percentile(taken, [50, 95])]


def held() -> float:
    """Megabytes that this process holds, with its share of what is shared."""
    import psutil

    memory = psutil.Process().memory_full_info()
    return float(getattr(memory, "pss", memory.rss)) / MEGABYTE


def measure(size: int) -> dict[str, Any]:
    """What questions cost, of a store that is opened anew."""
    from image_search.filters import READABLE, Condition, Filter

    photos = Photos(size)
    store = open_store(size)
    before = held()
    began = time.perf_counter()
    store.check()
    counted = store.count(READABLE)
    assert counted == size, counted
    found: dict[str, Any] = {"opened": time.perf_counter() - began}

    def within(*conditions: Condition) -> Filter:
        return Filter((*READABLE.must, *conditions))

    year = within(Condition("folders", equals="2007"))
    june = within(
        Condition(
            "taken",
            at_least="2007-06-01T00:00:00",
            before="2007-07-01T00:00:00",
        )
    )
    camera = within(Condition("details.camera", equals=CAMERAS[0]))
    nowhere = within(Condition("folders", equals="nowhere"))

    def nearest(where: Filter) -> Callable[[int], Any]:
        return lambda number: store.search(photos.asked[number], NEAREST, where)

    found["nearest"] = milliseconds(nearest(READABLE))
    found["year"] = milliseconds(nearest(year))
    found["june"] = milliseconds(nearest(june))
    found["camera"] = milliseconds(nearest(camera))
    found["nowhere"] = milliseconds(nearest(nowhere))
    found["newest"] = milliseconds(
        lambda _: store.search(None, NEAREST, READABLE), 20
    )
    found["count"] = milliseconds(lambda _: store.count(READABLE), 20)
    found["count year"] = milliseconds(lambda _: store.count(year), 20)
    found["folders"] = milliseconds(lambda _: store.folders(), 5)
    found["memory"] = held() - before
    found["recall"] = recall(store, photos)
    store.close()
    return found


def recall(store: Any, photos: Photos) -> float:
    """The share of the true nearest ones that is found."""
    scores = np.full((QUERIES, NEAREST), -1, np.float32)
    numbers = np.zeros((QUERIES, NEAREST), int)
    for start, vectors in photos.batches():
        some = np.hstack([scores, photos.asked @ vectors.T])
        those = np.tile(np.arange(start, start + len(vectors)), (QUERIES, 1))
        of_all = np.hstack([numbers, those])
        best = np.argpartition(-some, NEAREST, axis=1)[:, :NEAREST]
        scores = np.take_along_axis(some, best, axis=1)
        numbers = np.take_along_axis(of_all, best, axis=1)
    right = 0
    for vector, true in zip(photos.asked, numbers, strict=True):
        names = {payload(int(number))["filename"] for number in true}
        hits = store.search(vector, NEAREST)
        right += len(names & {hit.payload.filename for hit in hits})
    return right / numbers.size


def index_names(size: int) -> dict[str, Any]:
    """What it takes to know all names: seconds, megabytes, and a question's milliseconds."""
    from image_search.names import NameIndex

    names = [payload(number)["filename"] for number in range(size)]
    before = held()
    index = NameIndex()
    began = time.perf_counter()
    index.follow(names)
    seconds = time.perf_counter() - began
    asked = milliseconds(
        lambda number: index.find(f"img {number:07}", NEAREST), 20
    )
    return {"names": seconds, "names memory": held() - before, "name": asked}


def read_names(size: int) -> dict[str, float]:
    """Seconds that a process which only searches takes to read all names of a server."""
    store = open_store(size)
    if not hasattr(store, "names_and_digests"):
        return {}
    began = time.perf_counter()
    assert sum(1 for _ in store.names_and_digests()) == size
    return {"read": time.perf_counter() - began}


STEPS = {one.__name__: one for one in (fill, measure, index_names, read_names)}


if __name__ == "__main__":
    name, number = sys.argv[1:]
    print(json.dumps(STEPS[name](int(number))))
