"""Minutes of a changing folder, searches all the time, and faults at random: `make soak`.

    python -m tests.soak [MINUTES]

Photos are added, changed, moved and deleted; Qdrant is stopped and started, Postgres loses its
connections, the app and its children are killed. Every search has to be answered by what
may be there, or by a 503; in the end the index is the folder, and nothing is left running.
"""

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

from tests.conftest import PHOTOS, App, eventually, names
from tests.qdrant_standin import QdrantStandIn

SAMPLES = ("cat.png", "coffee.png", "rocket.jpg", "motorcycle.jpg", "flower.jpg")


class Soak:
    """One app under changes and faults, and what was counted."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.qdrant = QdrantStandIn()
        settings = {"QDRANT_URL": self.qdrant.url, "REFRESH_SECONDS": "2"}
        self.app = App(folder, ("cat.png",), settings)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.times: list[float] = []
        self.ever = {"cat.png"}
        self.serial = 0
        self.memory_before = 0
        self.over = threading.Event()
        self.restarting = threading.Event()

    def photos(self) -> list[Path]:
        return [path for path in self.app.img.rglob("*.*") if path.is_file()]

    def new_photo(self, path: Path) -> None:
        """A sample, turned and sized so that no two are alike."""
        self.serial += 1
        sample = Image.open(PHOTOS / self.random.choice(SAMPLES)).convert("RGB")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        sample.resize((200 + self.serial, 200)).save(partial, "JPEG")
        self.ever.add(str(path.relative_to(self.app.img)))
        partial.replace(path)

    def change_folder(self) -> None:
        choice = self.random.random()
        photos = self.photos()
        if choice < 0.5 or len(photos) < 5:
            self.new_photo(self.app.img / f"{self.random.randrange(3)}/{self.serial}.jpg")
            self.counts["added"] += 1
        elif choice < 0.7:
            self.new_photo(self.random.choice(photos).with_suffix(".jpg"))
            self.counts["changed"] += 1
        elif choice < 0.85:
            moved = self.app.img / f"moved {self.serial}.jpg"
            self.serial += 1
            self.ever.add(moved.name)
            self.random.choice(photos).rename(moved)
            self.counts["moved"] += 1
        else:
            self.random.choice(photos).unlink()
            self.counts["deleted"] += 1

    def search(self) -> None:
        """Ask all the time: an answer holds nothing that was never there, or is a 503."""
        while not self.over.is_set():
            began = time.monotonic()
            try:
                answer = httpx.get(f"{self.app.url}/search", params={"q": "cat"}, timeout=30)
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
                found = names(answer.json()["results"])
                twice, unknown = Counter(found) - Counter(set(found)), {*found} - self.ever
                if not found or twice or unknown:
                    self.wrong.append(f"{len(found)} photos, {twice=}, {unknown=}")
            elif answer.status_code != 503 or not answer.headers.get("retry-after"):
                self.wrong.append(f"{answer.status_code} {answer.text}")
            time.sleep(0.05)

    def kill_children(self) -> None:
        """What decodes and embeds."""
        assert self.app.process is not None
        for child in psutil.Process(self.app.process.pid).children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()

    def kill_postgres(self) -> None:
        for process in self.app.processes():
            if process.name() == "postgres":
                process.kill()

    def bounce_qdrant(self) -> None:
        self.qdrant.stop()
        time.sleep(self.random.uniform(0.1, 3))
        self.qdrant.start()

    def kill_app(self) -> None:
        self.restarting.set()
        self.app.kill()
        self.app.start()
        self.restarting.clear()

    def lose_collection(self) -> None:
        with self.qdrant.turn:
            self.qdrant.qdrant.delete_collection("image_search")

    def hide_folder(self) -> None:
        away = self.app.img.with_name("away")
        self.app.img.rename(away)
        time.sleep(self.random.uniform(0.1, 4))
        away.rename(self.app.img)

    def memory(self) -> int:
        """MiB of the server itself."""
        assert self.app.process is not None
        return int(psutil.Process(self.app.process.pid).memory_info().rss >> 20)

    def run(self, minutes: float) -> None:
        self.app.start()
        self.app.finds("cat.png")
        searcher = threading.Thread(target=self.search)
        searcher.start()
        faults = [self.kill_children, self.kill_postgres, self.bounce_qdrant,
                  self.kill_app, self.lose_collection, self.hide_folder]  # fmt: skip
        until = time.monotonic() + 60 * minutes
        due = 0.0
        while time.monotonic() < until:
            self.change_folder()
            if time.monotonic() > due:
                fault = self.random.choice(faults)
                fault()
                self.counts[fault.__name__.replace("_", " ")] += 1
                due = time.monotonic() + self.random.uniform(2, 10)
            if not self.memory_before and time.monotonic() > until - 45 * minutes:
                self.memory_before = self.memory()
            time.sleep(self.random.uniform(0, 0.3))
        at_last = sorted(str(path.relative_to(self.app.img)) for path in self.photos())
        eventually(lambda: self.all_found() == at_last, within=180)
        self.over.set()
        searcher.join()
        assert self.all_found() == at_last

    def all_found(self) -> list[str]:
        found: list[str] = []
        while True:
            answer = self.app.get("/search", limit=100, offset=len(found))
            if answer.status_code != 200:
                return []
            found += names(answer.json()["results"])
            if not answer.json()["more"]:
                return sorted(found)


def main(minutes: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    seed = random.randrange(10**6)
    soak = Soak(folder, seed)
    try:
        soak.run(minutes)
        memory = soak.memory()
        soak.app.stop()
        left = eventually(lambda: not soak.app.processes(), within=15)
    finally:
        soak.over.set()
        soak.app.clear_away()
        soak.qdrant.stop()
    times = sorted(soak.times)
    print(f"{minutes:g} minutes, seed {seed}")
    for what, number in sorted(soak.counts.items()):
        print(f"{what:28} {number:6}")
    print(f"{'photos in the end, all found':28} {len(soak.photos()):6}")
    print(f"{'search, median':28} {1000 * times[len(times) // 2]:6.0f} ms")
    print(f"{'search, 99th percentile':28} {1000 * times[int(len(times) * 0.99)]:6.0f} ms")
    print(f"{'memory after a quarter':28} {soak.memory_before:6} MiB")
    print(f"{'memory in the end':28} {memory:6} MiB")
    print(f"{'wrong answers':28} {len(soak.wrong):6}")
    for wrong in soak.wrong[:10]:
        print("  ", wrong[:300])
    shutil.rmtree(folder)
    is_flat = memory < 1.25 * soak.memory_before
    return 0 if is_flat and left and not soak.wrong else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3))
