"""Minutes of a changing folder, searches all the time, and faults at random: `make soak`.

    python -m tests.soak [MINUTES]

Half of the time with a Qdrant server and half with the embedded store. Photos are added, changed,
moved, deleted, and replaced by older ones; servers, stores and processes are stopped, killed, lost
and emptied, some photos kill whoever decodes them. Every search has to be answered by what may be
there, or by a 503; in the end the index is the folder, nothing is left running, and a bystander
whose process id has stood in the place of Postgres's lives on.

What goes wrong is in tests/faults.py.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
from PIL import Image

from tests.faults import USB, Faults
from tests.harness import PHOTOS, eventually, names
from tests.qdrant_standin import QdrantStandIn

SAMPLES = (
    "cat.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle.jpg",
    "flower.jpg",
)
SEARCHES: tuple[dict[str, str | float], ...] = (
    {"q": "cat"}, {"q": "a cup of coffee", "limit": 100}, {"q": "rocket", "sort": "newest"},
    {"q": "flower", "minus": "cat", "cutoff": 0.9}, {"limit": 100},
)  # fmt: skip
FLAT_MINUTES = 4  # after which memory grows no more


class Soak(Faults):
    """One app under changes and faults, and what was counted."""

    def __init__(
        self, folder: Path, seed: int, qdrant: QdrantStandIn | None
    ) -> None:
        super().__init__(folder, seed, qdrant)
        self.times: list[float] = []
        self.ever = {"cat.png"}
        self.memory_before = 0
        self.over = threading.Event()

    # What happens to the folder.

    def photos(self) -> list[Path]:
        """Those that are to be found."""
        return [
            path
            for path in self.app.img.rglob("*.jpg")
            if path.stem != "deadly"
        ]

    def new_photo(self, path: Path, age: float = 0) -> None:
        """A sample, turned and sized so that no two are alike; written `age` seconds ago."""
        self.serial += 1
        sample = Image.open(PHOTOS / self.random.choice(SAMPLES)).convert("RGB")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        sample.resize((200 + self.serial, 200)).save(partial, "JPEG")
        written = time.time() - age
        os.utime(partial, (written, written))
        self.ever.add(str(path.relative_to(self.app.img)))
        partial.replace(path)

    def change_folder(self) -> None:
        choice = self.random.random()
        photos = self.photos()
        if choice < 0.5 or len(photos) < 5:
            folder = self.random.choice(["0", "1", "2", USB])
            self.new_photo(self.app.img / folder / f"{self.serial}.jpg")
            self.counts["added"] += 1
        elif choice < 0.65:
            self.new_photo(self.random.choice(photos))
            self.counts["changed"] += 1
        elif choice < 0.7:
            self.new_photo(self.random.choice(photos), age=10**6)
            self.counts["replaced by an older one"] += 1
        elif choice < 0.85:
            moved = self.app.img / f"moved {self.serial}.jpg"
            self.serial += 1
            self.ever.add(moved.name)
            shutil.move(self.random.choice(photos), moved)
            self.counts["moved"] += 1
        else:
            self.random.choice(photos).unlink()
            self.counts["deleted"] += 1

    # What is asked meanwhile.

    def search(self) -> None:
        """Ask all the time: an answer holds nothing that was never there, or is a 503."""
        questions = random.Random(self.serial)
        while not self.over.is_set():
            began = time.monotonic()
            try:
                asked = questions.choice(SEARCHES)
                answer = self.app.get("/search", **asked)
            except httpx.TransportError as error:
                if self.restarting.is_set():
                    self.counts["app was down"] += 1
                else:
                    self.wrong.append(repr(error))
                time.sleep(0.1)
                continue
            self.counts[f"answered {answer.status_code}"] += 1
            if answer.status_code == 200:
                self.times.append(time.monotonic() - began)
                hits = answer.json()["results"]
                found, scores = names(hits), [hit["score"] for hit in hits]
                twice, unknown = (
                    Counter(found) - Counter(set(found)),
                    {*found} - self.ever,
                )
                ordered = (
                    "q" not in asked
                    or "sort" in asked
                    or scores == sorted(scores)[::-1]
                )
                if not found or twice or unknown or not ordered:
                    self.wrong.append(
                        f"{asked}: {len(found)}, {twice=}, {unknown=}, {ordered=}"
                    )
            elif answer.status_code not in {
                429,
                503,
            } or not answer.headers.get("retry-after"):
                self.wrong.append(
                    f"{asked}: {answer.status_code} {answer.text}"
                )
            time.sleep(0.05)

    def memory(self) -> int:
        """MiB of the server itself."""
        assert self.app.process is not None
        return int(psutil.Process(self.app.process.pid).memory_info().rss >> 20)

    def run(self, minutes: float) -> None:
        self.app.start()
        self.app.finds("cat.png")
        (self.app.img / "cat.png").unlink()
        searcher = threading.Thread(target=self.search)
        searcher.start()
        faults, restarts = self.faults(), self.restarts()
        until = time.monotonic() + 60 * minutes
        due = 0.0
        while time.monotonic() < until:
            self.change_folder()
            if time.monotonic() > due:
                # The memory of one process is compared, which then grows old.
                is_late = time.monotonic() > until - 30 * minutes
                fault = self.random.choice(faults + restarts * (not is_late))
                fault()
                self.counts[fault.__name__.replace("_", " ")] += 1
                due = time.monotonic() + self.random.uniform(2, 10)
            if (
                not self.memory_before
                and time.monotonic() > until - 15 * minutes
            ):
                # What many at once take is taken for good, by the first of them.
                self.be_hostile()
                self.memory_before = self.memory()
            time.sleep(self.random.uniform(0, 0.3))
        at_last = sorted(
            str(path.relative_to(self.app.img)) for path in self.photos()
        )
        deadline = time.monotonic() + 180
        while (
            found := self.all_found()
        ) != at_last and time.monotonic() < deadline:
            time.sleep(0.5)
        if found != at_last:
            lost, left = {*at_last} - {*found}, {*found} - {*at_last}
            self.wrong.append(
                f"{lost=}, {left=}, {self.app.get('/status').text}"
            )
        if self.bystander.poll() is not None:
            self.wrong.append("a process of somebody else's was ended")
        self.over.set()
        searcher.join()

    def close(self) -> None:
        self.over.set()
        super().close()

    def all_found(self) -> list[str]:
        found: list[str] = []
        while True:
            answer = self.app.get("/search", limit=100, offset=len(found))
            if answer.status_code != 200:
                return []
            found += names(answer.json()["results"])
            if not answer.json()["more"]:
                return sorted(found)


def soak_one(minutes: float, seed: int, qdrant: QdrantStandIn | None) -> bool:
    """Soak an app with one of the stores, and print what came of it; returns whether all is well.

    Its memory has to be flat once it ran for minutes: within 5 %.
    """
    growth = 1.05 if minutes >= FLAT_MINUTES else 1.25
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    soak = Soak(folder, seed, qdrant)
    try:
        soak.run(minutes)
        memory = soak.memory()
        soak.app.stop()
        left = eventually(lambda: not soak.app.processes(), within=15)
    finally:
        soak.close()
    times = sorted(soak.times)
    print(
        f"\n{minutes:g} minutes with {'a Qdrant server' if qdrant else 'Qdrant Edge'}, {seed=}"
    )
    for what, number in sorted(soak.counts.items()):
        print(f"{what:28} {number:6}")
    print(f"{'photos in the end, all found':28} {len(soak.photos()):6}")
    print(f"{'search, median':28} {1000 * times[len(times) // 2]:6.0f} ms")
    print(
        f"{'search, 99th percentile':28} {1000 * times[int(len(times) * 0.99)]:6.0f} ms"
    )
    print(f"{'memory at three quarters':28} {soak.memory_before:6} MiB")
    print(f"{'memory in the end':28} {memory:6} MiB")
    print(f"{'wrong answers':28} {len(soak.wrong):6}")
    for wrong in soak.wrong[:10]:
        print("  ", wrong[:1000])
    shutil.rmtree(folder)
    is_flat = memory < growth * soak.memory_before
    return bool(left) and not soak.wrong and is_flat


def main(minutes: float) -> int:
    seed = random.randrange(10**6)
    qdrant = QdrantStandIn()
    both = [soak_one(minutes / 2, seed, store) for store in (qdrant, None)]
    qdrant.stop()
    return 0 if all(both) else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3))
