"""What the tests stand on: the app as a real process, real stores, real photos, a real browser."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, TypeVar

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "img"
STARTER = ROOT / ".data" / "starter"
SCRATCH = Path(tempfile.mkdtemp(prefix="image-search-test-"))
TINY = SCRATCH / "tiny-clip"

# The tests import rooms too, which read their settings then: none of a person's own.
for name in ("IMAGE_DIR", "QDRANT_URL", "COCOINDEX_DATABASE_URL"):
    os.environ[name] = ""
os.environ |= {
    "CLIP_MODEL": str(TINY),
    "DATA_DIR": str(SCRATCH / "data"),
    "HF_HUB_OFFLINE": "1",
}

# Started in a shell's background, the tests would ignore Ctrl-C, and so would all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

from image_search.settings import Settings
from tests.fork_server import Forked, ForkServer, fork_server
from tests.processes import kill_all, of_each

T = TypeVar("T")
Hits = list[dict[str, Any]]
Process = subprocess.Popen[bytes] | Forked
# Where the very start is tested, or what a process takes: begun as such, it is not forked.
PROGRAM = sys.executable, "main.py"
COCOINDEX = Path(sys.executable).with_name("cocoindex")
SETTINGS = [name.upper() for name in Settings.model_fields]


def eventually(condition: Callable[[], T], within: float = 60) -> T:
    """The first true value of a condition; fails with its last value or error at the deadline."""
    deadline = time.monotonic() + within
    pause = 0.005
    while True:
        try:
            if value := condition():
                return value
            last = repr(value)
        except (AssertionError, httpx.TransportError) as error:
            last = repr(error)
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within} s; at last: {last}")
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def names(hits: Hits) -> list[str]:
    return [hit["filename"] for hit in hits]


def environment(**settings: str | Path) -> dict[str, str]:
    """An environment in which every setting is unset but these: no .env shines through."""
    unset = dict.fromkeys(SETTINGS, "")
    kept = ("PATH", "HOME", "TMPDIR", "GLIBC_TUNABLES")
    machine = {name: os.environ[name] for name in kept if name in os.environ}
    # Threads of several models that wait for each other on few cores take minutes for seconds.
    fixed = {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "COCOINDEX_DISABLE_USAGE_TRACKING": "1",
    }
    # Reading words costs as much as a small model: who wants it says so.
    unset["OCR"] = "off"
    return (
        machine
        | fixed
        | unset
        | {name: str(value) for name, value in settings.items()}
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def png_of_many_pixels(width: int, height: int) -> bytes:
    """A PNG of a few bytes: interlaced, of 16 bits, so that all of it has to be held."""
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 1)
    content = b"\x89PNG\r\n\x1a\n"
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")
    for kind, data in parts:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        content += struct.pack(">I", len(data)) + kind + data + checksum
    return content


def copy_code(folder: Path) -> None:
    """Copy the app's code, without its page, to a folder of its own."""
    shutil.copy(ROOT / "main.py", folder)
    shutil.copytree(ROOT / "image_search", folder / "image_search")


# What makes a program an ordinary user's, where the tests are root's. The one right that it keeps
# is to read: this machine's Python may lie in root's home.
ORDINARY = [] if os.geteuid() else [
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
]  # fmt: skip


def small_disk(folder: Path, megabytes: int) -> list[str]:
    """What gives a program a small disk at a folder, that it alone sees and that goes with it."""
    rights = ["--map-current-user", "--keep-caps"] if os.geteuid() else []
    mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && exec "$@"'
    return ["unshare", *rights, "--mount", "sh", "-c", mount, str(folder)]


class App:
    """One installation of the app: its photos, its DATA_DIR, and its process while it runs."""

    def __init__(
        self, folder: Path, photos: tuple[str, ...], settings: dict[str, str]
    ) -> None:
        self.img = folder / "img"
        self.data = folder / "data"
        self.log = folder / "log"
        self.img.mkdir()
        for photo in photos:
            shutil.copy(PHOTOS / photo, self.img)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Made once, as it reads certificates for 30 ms; a connection for each request, as curl has.
        self.http = httpx.Client(
            base_url=self.url,
            timeout=30,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        places: dict[str, str | Path] = {
            "IMAGE_DIR": self.img,
            "DATA_DIR": self.data,
        }
        defaults = {
            "CLIP_MODEL": str(STARTER),
            "REFRESH_SECONDS": "3600",
        }  # no poll helps out
        self.env = (
            environment(**places, PORT=str(self.port)) | defaults | settings
        )
        self.process: Process | None = None

    def start(self, *command: str, cwd: Path = ROOT) -> "App":
        """Start `python main.py`, or a command in its place, and wait until it answers."""
        process = self.begin(*command, cwd=cwd)
        eventually(lambda: self.process_ended() or self.answers(), within=120)
        assert process.poll() is None, self.log.read_text()
        return self

    def begin(self, *command: str, cwd: Path = ROOT) -> Process:
        """Start it, and do not wait until it answers."""
        with self.log.open("ab") as log:
            if command:  # begun as such, it is not forked
                self.process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=self.env,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            else:
                self.process = self.fork(PROGRAM, self.env, log, log, cwd)
        return self.process

    def fork(
        self,
        program: tuple[str, ...],
        env: dict[str, str],
        out: IO[bytes],
        err: IO[bytes],
        cwd: Path = ROOT,
    ) -> Process:
        """Run `python` with a program of this code, by a fork if there are but settings."""
        with Path(os.devnull).open() as nothing:
            if forks := self._fork_server(env, cwd):
                files = [one.fileno() for one in (nothing, out, err)]
                return forks.start(env, files, *program[1:])
            return subprocess.Popen(
                program,
                cwd=cwd,
                env=env,
                stdin=nothing,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def run(
        self, *program: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, and return what it said."""
        with TemporaryFile() as out, TemporaryFile() as err:
            process = self.fork(program, self.env | settings, out, err)
            try:
                code = process.wait(120)
            finally:
                process.kill()
            for file in (out, err):
                file.seek(0)
            said = out.read().decode(), err.read().decode()
        return subprocess.CompletedProcess(program, code, *said)

    def _fork_server(self, env: dict[str, str], cwd: Path) -> ForkServer | None:
        """What starts programs sooner, unless it is other code that is started."""
        if cwd != ROOT:
            return None
        usual = environment()
        if any(
            env.get(name, "") != usual.get(name, "")
            for name in {*env, *usual} - {*SETTINGS}
        ):
            return None  # variables that Python or PyTorch may read
        return fork_server(**usual)

    def answers(self) -> bool:
        return self.http.get("/docs").status_code in {200, 401}

    def process_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params)

    def search(self, q: str, limit: int = 100) -> Hits:
        response = self.get("/search", q=q, limit=limit)
        assert response.status_code == 200, response.text
        return list(response.json()["results"])

    def photos(self) -> list[str]:
        """What is in the index, without a model's work."""
        response = self.get("/search", limit=100)
        assert response.status_code == 200, response.text
        return names(response.json()["results"])

    def status(self) -> dict[str, Any]:
        return dict(self.get("/status").json())

    def has_lost_its_photos(self) -> bool:
        """Whether its folder is empty, gone, or no folder, and it says so."""
        said = self.status()["last_error"] or ""
        return "has no photos any more" in said

    def finds(self, *photos: str, within: float = 60) -> None:
        """Wait until the index holds these photos, each once, and nothing else."""

        def index_is_right() -> bool:
            assert sorted(self.photos()) == sorted(photos)
            return True

        eventually(index_is_right, within)

    def add(self, photo: str, name: str, *, alike: bool = True) -> None:
        """Copy a sample photo into the folder under a name; if it is not alike, as one of its own.

        What was embedded once is known for ever, so that copies cost no work.
        """
        (self.img / name).parent.mkdir(parents=True, exist_ok=True)
        content = (PHOTOS / photo).read_bytes()
        (self.img / name).write_bytes(
            content if alike else content + name.encode()
        )

    def cli(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run the cocoindex command line on this installation."""
        return self.run(sys.executable, str(COCOINDEX), *command)

    def refuses_to_start(self, *wrapper: str) -> str:
        """What `python main.py` says here, on a port of its own, where it can't start."""
        port = str(free_port())
        if wrapper:
            run = subprocess.run(
                [*wrapper, *PROGRAM], cwd=ROOT, env=self.env | {"PORT": port},
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        else:
            run = self.run(*PROGRAM, PORT=port)
        assert run.returncode == 3, run.stderr
        assert "Traceback" not in run.stderr, run.stderr
        return run.stderr

    def python(self, code: str, cwd: Path = ROOT) -> Any:
        """Run some Python on this installation; returns the JSON it prints last."""
        output = subprocess.check_output(
            [sys.executable, "-c", code],
            cwd=cwd,
            env=self.env,
            text=True,
            timeout=120,
        )
        return json.loads(output.splitlines()[-1])

    def processes(self) -> list[psutil.Process]:
        """Every process that this installation has running: server, child, Postgres."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue  # ended, and only waits for its parent to ask
                words = [
                    *process.cmdline(),
                    process.environ().get("DATA_DIR", ""),
                ]
            except psutil.Error:
                continue
            # One that was forked keeps the words of what forked it.
            is_server = self.process and process.pid == self.process.pid
            if is_server or any(str(self.data) in word for word in words):
                found.append(process)
        return found

    def of_each_process(
        self, question: Callable[[psutil.Process], T]
    ) -> list[T]:
        """What each says; one that ends meanwhile says nothing."""
        return of_each(self.processes(), question)

    def programs(self, name: str) -> list[psutil.Process]:
        """Its processes that run a program."""
        named = self.of_each_process(lambda one: (one.name(), one))
        return [process for program, process in named if program == name]

    def children(self) -> list[psutil.Process]:
        """The workers, which decode and embed."""
        assert self.process is not None
        found = psutil.Process(self.process.pid).children()
        started = of_each(found, lambda one: (one.cmdline(), one))
        workers = [
            one for words, one in started if "image_search.workers" in words
        ]
        return of_each(workers, self._lent)

    def _lent(self, worker: psutil.Process) -> psutil.Process:
        """That which does its work, if it has borrowed one (tests/borrower.py)."""
        name, _, pid = worker.name().partition(" ")
        return psutil.Process(int(pid)) if name == "lent" else worker

    def stop(
        self, how: signal.Signals = signal.SIGTERM, within: float = 15
    ) -> int:
        """Ask the app to stop as a person or a supervisor would; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(within)
        self.process = None
        return code

    def kill(self) -> None:
        """Send kill -9 to the server alone: what it leaves behind is its own to deal with."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def clear_away(self) -> None:
        kill_all(self.processes())
        if self.process is not None:
            self.process.wait(10)


NewApp = Callable[..., App]


class Postgres(NamedTuple):
    """A Postgres server of the system's own, on TCP."""

    programs: Path  # the folder of psql and its like
    port: int
    start: Callable[[], None]
    stop: Callable[[], None]  # as by a crash
