"""Minutes of a changing folder, searches all the time, and faults at random: `make soak`.

    python -m tests.soak [MINUTES]

Half of the time with a Qdrant server and half with the embedded store. Photos are added, changed,
moved, deleted, and replaced by older ones; servers, stores and processes are stopped, killed, lost
and emptied, some photos kill whoever decodes them. Every search has to be answered by what may be
there, or by a 503; in the end the index is the folder, nothing is left running, and a bystander
whose process id has stood in the place of Postgres's lives on.

As root DATA_DIR is a small disk, which is filled at times, and a folder of the photos is another
one, which goes and comes. Without root's rights that folder becomes unreadable instead.
"""

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
from PIL import Image
from qdrant_client import models

from tests.harness import PHOTOS, ROOT, App, eventually, names
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
IS_ROOT = os.geteuid() == 0
USB = "usb"  # the folder that is a disk of its own
DATA_MEGABYTES = 800
HOSTILE_CLIENTS = 48
FLAT_MINUTES = 4  # after which memory grows no more
THEIRS = {"theirs": models.VectorParams(size=4, distance=models.Distance.DOT)}


class Soak:
    """One app under changes and faults, and what was counted."""

    def __init__(
        self, folder: Path, seed: int, qdrant: QdrantStandIn | None
    ) -> None:
        self.random = random.Random(seed)
        self.qdrant = qdrant
        settings = {"REFRESH_SECONDS": "2"} | (
            {"QDRANT_URL": qdrant.url} if qdrant else {}
        )
        self.app = App(folder, ("cat.png",), settings)
        self.no_workers = folder / "no workers"  # while it is there none starts
        self.app.env |= {
            "PYTHONPATH": str(ROOT / "tests" / "crashes"),
            "NO_WORKERS": str(self.no_workers),
        }
        self.disk = folder / "disk"
        self.usb = self.app.img / USB
        for place in (self.disk, self.usb, self.app.data):
            place.mkdir()
        if IS_ROOT:
            size = f"size={DATA_MEGABYTES}m"
            small = ["mount", "-t", "tmpfs", "-o", size, "tmpfs"]
            subprocess.run([*small, self.app.data], check=True)
            self.mount_usb()
        self.bystander = subprocess.Popen(["sleep", "infinity"])
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.times: list[float] = []
        self.ever = {"cat.png"}
        self.serial = 0
        self.memory_before = 0
        self.over = threading.Event()
        self.restarting = threading.Event()

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

    # What goes wrong.

    def kill_children(self) -> None:
        for child in self.app.children():
            child.kill()

    def kill_postgres(self) -> None:
        for process in self.app.processes():
            if process.name() == "postgres":
                process.kill()

    def kill_app(self) -> None:
        self.restart(lambda: None)

    def restart(self, meanwhile: Callable[[], None]) -> None:
        """Kill the app, let something happen, and start it again."""
        self.restarting.set()
        self.app.kill()
        meanwhile()
        self.app.start()
        self.restarting.clear()

    def kill_while_starting(self) -> None:
        """All of it, Postgres too, at any moment of the start."""

        def start_and_kill() -> None:
            starting = self.app.begin()
            time.sleep(self.random.uniform(0, 8))
            starting.kill()
            for process in self.app.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            starting.wait()

        self.restart(start_and_kill)

    def lend_pid_to_postgres(self) -> None:
        """Postgres is gone, and its process id is somebody else's now."""

        def lend() -> None:
            self.kill_postgres()
            file = self.app.data / "postgres" / "postmaster.pid"
            with contextlib.suppress(FileNotFoundError):
                _, *lines = file.read_text().splitlines(keepends=True)
                file.write_text(f"{self.bystander.pid}\n{''.join(lines)}")

        self.restart(lend)

    def let_no_worker_start(self) -> None:
        self.no_workers.touch()
        self.kill_children()
        for _ in range(3):
            self.new_photo(self.app.img / f"{self.serial}.jpg")
        time.sleep(self.random.uniform(1, 6))
        self.no_workers.unlink()

    def mount_usb(self) -> None:
        subprocess.run(["mount", "--bind", self.disk, self.usb], check=True)

    def unmount_usb(self) -> None:
        subprocess.run(["umount", "--lazy", self.usb], check=True)

    def take_usb_away(self) -> None:
        if IS_ROOT:
            self.unmount_usb()
        else:
            self.usb.chmod(0)
        time.sleep(self.random.uniform(0.1, 5))
        if IS_ROOT:
            self.mount_usb()
        else:
            self.usb.chmod(0o755)

    def fill_disk(self) -> None:
        """DATA_DIR's disk, to its last byte."""
        ballast = self.app.data / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", 0) as file:
            while True:
                file.write(bytes(2**20))
        time.sleep(self.random.uniform(0.1, 4))
        ballast.unlink()

    def be_hostile(self) -> None:
        """Many ask for what costs a model much, all at once."""
        until = time.monotonic() + 4

        def ask(client: int) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                new = f"{client} {number} {self.serial}"
                minus = [f"{new} {other}" for other in range(10)]
                with contextlib.suppress(httpx.TransportError):
                    answer = self.app.get("/search", q=new, minus=minus)
                    self.counts[f"hostile {answer.status_code}"] += 1

        with ThreadPoolExecutor(HOSTILE_CLIENTS) as clients:
            list(clients.map(ask, range(HOSTILE_CLIENTS)))

    def hide_folder(self) -> None:
        away = self.app.img.with_name("away")
        if IS_ROOT:
            self.unmount_usb()
        self.app.img.rename(away)
        time.sleep(self.random.uniform(0.1, 4))
        away.rename(self.app.img)
        if IS_ROOT:
            self.mount_usb()

    def add_a_deadly_photo(self) -> None:
        """One that kills the process which decodes it; it is to be skipped."""
        # A known one would not be tried.
        colour = tuple(self.random.choices(range(256), k=3))
        Image.new("RGB", (13, 13), colour).save(self.app.img / "deadly.jpg")

    def start_a_second_app(self) -> None:
        """It has to see that DATA_DIR is in use, and to leave it alone."""
        assert "is in use by process" in self.app.refuses_to_start()

    def lose_embedded_store(self) -> None:
        edge = self.app.data / "edge"
        self.restart(lambda: shutil.rmtree(edge, ignore_errors=True))

    def bounce_qdrant(self) -> None:
        assert self.qdrant is not None
        self.qdrant.stop()
        time.sleep(self.random.uniform(0.1, 3))
        self.qdrant.start()

    def lose_collection(self) -> None:
        assert self.qdrant is not None
        with self.qdrant.turn:
            self.qdrant.qdrant.delete_collection("image_search")

    def empty_collection(self) -> None:
        assert self.qdrant is not None
        with self.qdrant.turn:
            everything = models.FilterSelector(filter=models.Filter())
            self.qdrant.qdrant.delete("image_search", everything)

    def replace_collection(self) -> None:
        """Somebody else takes its name for a while, and has to keep what is theirs."""
        assert self.qdrant is not None
        local = self.qdrant.qdrant
        with self.qdrant.turn:
            local.delete_collection("image_search")
            local.create_collection("image_search", vectors_config=THEIRS)
            local.upsert(
                "image_search",
                [models.PointStruct(id=1, vector={"theirs": [1.0] * 4})],
            )
        time.sleep(self.random.uniform(0.1, 4))
        with self.qdrant.turn:
            if (
                local.get_collection("image_search").config.params.vectors
                != THEIRS
            ):
                self.wrong.append(
                    "a collection of somebody else's was made anew"
                )
            elif len(local.retrieve("image_search", [1])) != 1:
                self.wrong.append("a point of somebody else's was deleted")
            local.delete_collection("image_search")

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
        faults = [self.kill_children, self.kill_postgres, self.hide_folder,
                  self.add_a_deadly_photo, self.start_a_second_app, self.be_hostile,
                  self.let_no_worker_start, self.take_usb_away]  # fmt: skip
        restarts = [
            self.kill_app,
            self.kill_while_starting,
            self.lend_pid_to_postgres,
        ]
        faults += [self.fill_disk] if IS_ROOT else []
        if self.qdrant:
            faults += [self.bounce_qdrant, self.lose_collection, self.empty_collection,
                       self.replace_collection]  # fmt: skip
        else:
            restarts.append(self.lose_embedded_store)
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
        self.app.clear_away()
        self.bystander.kill()
        self.bystander.wait()
        if IS_ROOT:
            for place in (self.usb, self.app.data):
                unmount = ["umount", "--lazy", str(place)]
                subprocess.run(unmount, check=False, stderr=subprocess.DEVNULL)

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
