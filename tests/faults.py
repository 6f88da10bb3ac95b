"""What can go wrong around an app, each as a method: `make soak` causes them at random.

As root DATA_DIR is a small disk, which is filled at times, and a folder of the photos is another
one, which goes and comes. Without root's rights that folder becomes unreadable instead.
"""

import abc
import contextlib
import io
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from qdrant_client import models

from tests.harness import ROOT, App
from tests.processes import kill_all
from tests.qdrant_standin import QdrantStandIn

IS_ROOT = os.geteuid() == 0
USB = "usb"  # the folder that is a disk of its own
DATA_MEGABYTES = 800
HOSTILE_CLIENTS = 48
IDLE_CONNECTIONS = 500
THEIRS = {"theirs": models.VectorParams(size=4, distance=models.Distance.DOT)}
# The payloads of points that are not ours.
FOREIGN: tuple[dict[str, Any], ...] = (
    {},
    {"no": 1},
    {"filename": "theirs.jpg"},
)
# As Qdrant Cloud has it.
STRICT = models.StrictModeConfig(
    enabled=True,
    max_query_limit=100,
    search_allow_exact=False,
    unindexed_filtering_retrieve=False,
    max_payload_index_count=100,
)


class Faults(abc.ABC):
    """One app, and all that can go wrong around it; what was wrong about it is noted."""

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
        self.serial = 0  # what is new gets another number
        self.restarting = threading.Event()

    def close(self) -> None:
        self.app.clear_away()
        self.bystander.kill()
        self.bystander.wait()
        if IS_ROOT:
            for place in (self.usb, self.app.data):
                unmount = ["umount", "--lazy", str(place)]
                subprocess.run(unmount, check=False, stderr=subprocess.DEVNULL)

    @abc.abstractmethod
    def new_photo(self, path: Path, age: float = 0) -> None:
        """One unlike all others; written `age` seconds ago."""

    # To the folder, the processes and the disks.

    def kill_children(self) -> None:
        kill_all(self.app.children())

    def kill_postgres(self) -> None:
        kill_all(self.app.programs("postgres"))

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
            kill_all(self.app.processes())
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

    def hide_folder(self) -> None:
        away = self.app.img.with_name("away")
        if IS_ROOT:
            self.unmount_usb()
        self.app.img.rename(away)
        time.sleep(self.random.uniform(0.1, 4))
        away.rename(self.app.img)
        if IS_ROOT:
            self.mount_usb()

    def leave_a_folder_out(self) -> None:
        """By a file that says so, for a while."""
        rule = self.app.img / "1" / ".nomedia"
        rule.parent.mkdir(exist_ok=True)
        rule.touch()
        time.sleep(self.random.uniform(0.1, 5))
        rule.unlink()

    def copy_slowly(self) -> None:
        """A photo that is there by halves, as one that comes over a network."""
        path = self.app.img / f"{self.serial}.jpg"
        self.new_photo(path)
        content = path.read_bytes()
        path.write_bytes(content[: self.random.randrange(len(content))])
        time.sleep(self.random.uniform(0.1, 3))
        path.write_bytes(content)

    def add_a_deadly_photo(self) -> None:
        """One that kills the process which decodes it; it is to be skipped."""
        # A known one would not be tried.
        colour = tuple(self.random.choices(range(256), k=3))
        Image.new("RGB", (13, 13), colour).save(self.app.img / "deadly.jpg")

    def start_a_second_app(self) -> None:
        """It has to see that DATA_DIR is in use, and to leave it alone."""
        assert "is in use by process" in self.app.refuses_to_start()

    # By guests.

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

    def put_a_fifo(self) -> None:
        """What anybody who opened it would wait for, by a photo's name."""
        fifo = self.app.img / "fifo.jpg"
        os.mkfifo(fifo)
        for place in ("img", "thumb"):
            code = self.app.get(f"/{place}/fifo.jpg").status_code
            if code != 404:
                self.wrong.append(f"/{place} of a FIFO: {code}")
        time.sleep(self.random.uniform(0.1, 3))
        fifo.unlink()

    def send_bombs(self) -> None:
        """Small files that would take gigabytes to decode."""
        strip = io.BytesIO()
        Image.new("L", (150_000, 1000)).save(strip, "PNG", compress_level=1)
        bomb = strip.getvalue()
        for _ in range(3):
            code = self.app.http.post("/search", content=bomb).status_code
            self.counts[f"bomb {code}"] += 1
            if code not in {422, 429, 503}:
                self.wrong.append(f"a bomb was answered with {code}")

    def hold_connections(self) -> None:
        """Strangers that connect and say nothing, or half a header."""
        idle = []
        for number in range(IDLE_CONNECTIONS):
            address = "127.0.0.1", self.app.port
            idle.append(socket.create_connection(address, timeout=5))
            if number % 2:
                idle[-1].sendall(b"GET /search HTTP/1.1\r\nHost: local")
        time.sleep(self.random.uniform(0.1, 4))
        for connection in idle:
            connection.close()

    # To the stores.

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

    def switch_strict_mode_on(self) -> None:
        assert self.qdrant is not None
        self.qdrant.strict = STRICT
        time.sleep(self.random.uniform(1, 5))
        self.qdrant.strict = None

    def put_foreign_points(self) -> None:
        """Somebody else's points beside ours, which nobody may find or delete."""
        assert self.qdrant is not None
        local = self.qdrant.qdrant
        with self.qdrant.turn:
            if not local.collection_exists("image_search"):
                return  # it is being made anew
            ours, _ = local.scroll("image_search", with_vectors=True)
            if not ours:
                return
            vector: Any = ours[0].vector
            points = [
                models.PointStruct(id=number, vector=vector, payload=payload)
                for number, payload in enumerate(FOREIGN)
            ]
            local.upsert("image_search", points)
        time.sleep(self.random.uniform(0.1, 4))
        ids: list[Any] = [point.id for point in points]
        with self.qdrant.turn:
            if len(local.retrieve("image_search", ids)) != len(ids):
                self.wrong.append("foreign points were deleted")
            selector = models.PointIdsList(points=ids)
            local.delete("image_search", selector)

    def faults(self) -> list[Callable[[], None]]:
        """Those that leave the app's process as it is."""
        always = [
            self.add_a_deadly_photo,
            self.copy_slowly,
            self.be_hostile,
            self.hide_folder,
            self.hold_connections,
            self.kill_children,
            self.kill_postgres,
            self.leave_a_folder_out,
            self.let_no_worker_start,
            self.put_a_fifo,
            self.send_bombs,
            self.start_a_second_app,
            self.take_usb_away,
        ]
        of_a_server = [
            self.bounce_qdrant,
            self.empty_collection,
            self.lose_collection,
            self.put_foreign_points,
            self.replace_collection,
            self.switch_strict_mode_on,
        ]
        of_root = [self.fill_disk]
        return always + of_a_server * bool(self.qdrant) + of_root * IS_ROOT

    def restarts(self) -> list[Callable[[], None]]:
        """Those after which the app is another process."""
        always = [
            self.kill_app,
            self.kill_while_starting,
            self.lend_pid_to_postgres,
        ]
        return always if self.qdrant else [*always, self.lose_embedded_store]
