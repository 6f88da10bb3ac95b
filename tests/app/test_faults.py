"""What goes wrong around the app: it says so, loses nothing, and goes on by itself."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.harness import (
    PHOTOS,
    ROOT,
    App,
    NewApp,
    Postgres,
    eventually,
    free_port,
    names,
    small_disk,
)  # fmt: skip
from tests.processes import kill_all, of_each

FEW = ("cat.png", "coffee.png", "rocket.jpg")
SOON = 30


def embeddings_made(app: App) -> tuple[int, int]:
    """What changes whenever a running app has made an embedding, since it writes each down."""
    written = (app.data / "vectors.sqlite-wal").stat()
    return written.st_size, written.st_mtime_ns


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    """One app with short polls; each test leaves it as it was."""
    app = new_app(*FEW, REFRESH_SECONDS="1").start()
    app.finds(*FEW)
    yield app
    app.stop()


@pytest.mark.parametrize("how", ["gone", "empty", "unreadable"])
def test_a_folder_that_vanishes_takes_nothing_along(app: App, how: str) -> None:
    """A folder gone, empty or unreadable: searches go on, and it is followed once it is back."""
    away = app.img.with_name("away")
    if how == "unreadable":
        app.img.rename(away)
        app.img.write_text("no folder")
    else:
        app.img.rename(away)
        if how == "empty":
            app.img.mkdir()
    eventually(
        app.has_lost_its_photos,
        SOON,
    )
    assert names(app.search("cat"))[0] == "cat.png"
    assert sorted(app.photos()) == sorted(FEW)
    if app.img.is_dir():
        app.img.rmdir()
    else:
        app.img.unlink(missing_ok=True)
    away.rename(app.img)
    eventually(lambda: app.status()["last_error"] is None, SOON)
    app.add("flower.jpg", "new.jpg")
    eventually(lambda: "new.jpg" in app.photos(), SOON)
    (app.img / "new.jpg").unlink()
    app.finds(*FEW, within=SOON)
    # Once for each time.
    assert app.log.read_text().count("has no photos any more") <= 3


def test_an_older_file_is_noticed(app: App) -> None:
    """A photo replaced by one with an older date is found as what it shows now."""
    app.add("flower.jpg", "changing.jpg")
    eventually(lambda: "changing.jpg" in app.photos(), SOON)
    older = app.img.with_name("older.jpg")
    shutil.copy(PHOTOS / "rocket.jpg", older)
    os.utime(older, (1_000_000_000,) * 2)
    older.replace(app.img / "changing.jpg")
    eventually(
        lambda: "changing.jpg" in names(app.search("rocket launch"))[:2], SOON
    )
    assert app.photos().count("changing.jpg") == 1
    (app.img / "changing.jpg").unlink()
    app.finds(*FEW, within=SOON)


def test_a_moved_photo_is_not_embedded_again(app: App) -> None:
    """Renamed, moved to another folder, copied, deleted and restored: the vector is known."""
    made = embeddings_made(app)
    (app.img / "cat.png").rename(app.img / "tomcat.png")
    app.finds("tomcat.png", *FEW[1:], within=SOON)
    (app.img / "2024").mkdir()
    (app.img / "tomcat.png").rename(app.img / "2024" / "cat.png")
    app.add("cat.png", "copy.png")
    app.finds("2024/cat.png", "copy.png", *FEW[1:], within=SOON)
    shutil.rmtree(app.img / "2024")
    (app.img / "copy.png").unlink()
    app.finds(*FEW[1:], within=SOON)
    app.add("cat.png", "cat.png")
    app.finds(*FEW, within=SOON)
    assert embeddings_made(app) == made


def test_killed_children_come_back(app: App) -> None:
    """Killed at rest and in the middle of work, they are started again, and nothing is missing."""
    many = [f"many/{number}.jpg" for number in range(12)]
    kill_all(app.children())
    for name in many:
        app.add("motorcycle.jpg", name, alike=False)
    eventually(lambda: any(name in app.photos() for name in many))
    kill_all(app.children())
    app.finds(*FEW, *many)
    assert app.status()["skipped"] == 0
    shutil.rmtree(app.img / "many")
    app.finds(*FEW, within=SOON)


def test_a_killed_postgres_comes_back(app: App) -> None:
    """The embedded Postgres killed: searches go on, and the folder is followed soon again."""
    postmasters = app.programs("postgres")
    kill_all(postmasters)
    assert names(app.search("cat"))[0] == "cat.png"
    app.add("flower.jpg", "new.jpg")
    eventually(lambda: "new.jpg" in app.photos(), within=60)
    (app.img / "new.jpg").unlink()
    app.finds(*FEW)
    eventually(lambda: app.status()["last_error"] is None)


def test_a_photo_that_kills_the_decoder_is_given_up(new_app: NewApp) -> None:
    """A photo that crashes or hangs its process is skipped, until somebody asks to try it again."""
    app = new_app(*FEW)
    little_memory = app.img.with_name("little memory")
    app.env |= {
        "PYTHONPATH": str(ROOT / "tests" / "crashes"),
        "LITTLE_MEMORY": str(little_memory),
    }
    little_memory.touch()
    deadly = {"crash.png": 13, "hang.png": 14, "memory.png": 15}
    for name, side in deadly.items():
        Image.new("RGB", (side, side)).save(app.img / name)
    app.start()
    app.finds(*FEW, within=200)
    eventually(lambda: app.status()["skipped"] == len(deadly), within=250)
    reasons = {
        photo["filename"]: photo["reason"]
        for photo in app.status()["skipped_photos"]
    }
    assert set(reasons) == set(deadly)
    assert all("crashed the decoder" in reason for reason in reasons.values())
    assert app.process is not None
    mine = psutil.Process(app.process.pid).children(recursive=True)
    assert psutil.STATUS_ZOMBIE not in of_each(mine, psutil.Process.status)
    little_memory.unlink()
    assert app.http.post("/status/retry").status_code == 202
    app.finds(*FEW, "memory.png", within=100)
    eventually(lambda: app.status()["skipped"] == 2, within=100)
    app.stop()


SLOW = """
import time
import PIL.Image
save = PIL.Image.Image.save
def slow_save(image, *args, **options):
    if max(image.size) == 256:  # what the index makes is larger
        time.sleep(1000)
    return save(image, *args, **options)
PIL.Image.Image.save = slow_save
"""


def test_slow_thumbnails_leave_searches_alone(
    new_app: NewApp, tmp_path: Path
) -> None:
    """More thumbnails under way than the server has threads keep no search waiting."""
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    app = new_app(*FEW)
    app.env["PYTHONPATH"] = str(tmp_path)
    app.start().finds(*FEW)
    asking = [
        socket.create_connection(("127.0.0.1", app.port)) for _ in range(60)
    ]
    for number, connection in enumerate(asking):
        path = f"/thumb/{FEW[number % 3]}?size=256"
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
    threading.Event().wait(1)  # until all of them are read
    assert names(app.search("cat"))[0] == "cat.png"
    for connection in asking:
        connection.close()
    app.kill()


def test_two_photos_that_change_places_are_noticed(app: App) -> None:
    """Photos of the very same time that swap their names are found as what they show."""
    for name, sample in (
        ("one.jpg", "flower.jpg"),
        ("two.jpg", "astronaut.jpg"),
    ):
        app.add(sample, name)
        os.utime(app.img / name, (1_700_000_000,) * 2)
    eventually(
        lambda: "two.jpg" in app.photos() and "one.jpg" in app.photos(), SOON
    )
    aside = app.img.with_name("aside.jpg")
    (app.img / "one.jpg").rename(aside)
    (app.img / "two.jpg").rename(app.img / "one.jpg")
    aside.rename(app.img / "two.jpg")
    eventually(lambda: "two.jpg" in names(app.search("flower"))[:1], SOON)
    for name in ("one.jpg", "two.jpg"):
        (app.img / name).unlink()
    app.finds(*FEW, within=SOON)


def test_postgres_may_start_later(
    new_app: NewApp, postgres_server: Postgres, postgres_url: str
) -> None:
    """The app waits a while for a Postgres that isn't there yet, and then goes on."""
    app = new_app("cat.png", COCOINDEX_DATABASE_URL=postgres_url)
    postgres_server.stop()
    # The model takes some seconds by itself.
    later = threading.Timer(8, postgres_server.start)
    later.start()
    app.start().finds("cat.png")
    later.join()
    assert "does not answer" not in app.log.read_text()
    app.stop()


def test_a_postgres_that_is_not_there_is_named(new_app: NewApp) -> None:
    """Without its Postgres the start ends, by one sentence that keeps the password to itself."""
    url = f"postgres://me:sesame@127.0.0.1:{free_port()}/db"
    app = new_app("cat.png", COCOINDEX_DATABASE_URL=url)
    server = app.begin()
    update = app.cli("update", "main")
    assert (server.wait(60), update.returncode) == (3, 1)
    for said in (update.stderr, app.log.read_text()):
        [sentence] = [
            line
            for line in said.splitlines()
            if "COCOINDEX_DATABASE_URL" in line
        ]
        assert "does not answer" in sentence
        assert "sesame" not in said
        assert "Traceback" not in said


def test_a_disk_that_is_away_keeps_its_photos(new_app: NewApp) -> None:
    """Unmounted while the app runs and rests, its photos are found, and all else goes on."""
    app = new_app(*FEW, REFRESH_SECONDS="1")
    disk = app.img.with_name("disk")
    disk.mkdir()
    app.add("flower.jpg", "../disk/flower.jpg")
    usb = app.img / "2024" / "usb"
    usb.mkdir(parents=True)
    on_usb = "2024/usb/flower.jpg"
    rights = ["--map-current-user", "--keep-caps"] if os.geteuid() else []
    mount = f'mount --bind "{disk}" "{usb}" && exec "$@"'
    mounted = ["unshare", *rights, "--mount", "sh", "-c", mount, "sh"]
    app.start(*mounted, sys.executable, "main.py").finds(*FEW, on_usb)
    made = embeddings_made(app)
    assert app.process
    inside = ["--user", "--preserve-credentials"] if os.geteuid() else []
    nsenter = ["nsenter", f"--target={app.process.pid}", "--mount", *inside]
    subprocess.run([*nsenter, "umount", usb], check=True)
    said = ["2024/usb is not there: its photo is kept in the index."]
    eventually(lambda: app.status()["notices"] == said, SOON)
    app.add("cat.png", "2024/new.png")
    (app.img / "coffee.png").unlink()
    left = ("cat.png", "rocket.jpg", "2024/new.png", on_usb)
    app.finds(*left, within=SOON)
    assert names(app.search("flower"))[0] == on_usb
    subprocess.run([*nsenter, "mount", "--bind", disk, usb], check=True)
    eventually(lambda: app.status()["notices"] == [], SOON)
    (disk / "flower.jpg").rename(disk / "rose.jpg")
    app.finds(*left[:3], "2024/usb/rose.jpg", within=SOON)
    assert embeddings_made(app) == made
    app.stop()
    app.start()  # the disk is not mounted there
    said = ["2024/usb is not there: its photo is kept in the index."]
    eventually(lambda: app.status()["notices"] == said, SOON)
    app.finds(*left[:3], "2024/usb/rose.jpg", within=SOON)
    app.stop()
    update = app.cli("update", "main")
    assert "1 deleted" in update.stdout, update.stderr


def test_a_full_disk_loses_nothing(new_app: NewApp) -> None:
    """With the disk full searches go on; once there is room again, what came meanwhile is found."""
    app = new_app(*FEW, REFRESH_SECONDS="1")
    app.data.mkdir()
    disk = small_disk(app.data, 300)
    app.start(*disk, sys.executable, "main.py").finds(*FEW)
    assert app.process
    ballast = Path(f"/proc/{app.process.pid}/root{app.data}/ballast")
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    many = [f"{number}.jpg" for number in range(20)]
    for name in many:
        app.add("motorcycle.jpg", name, alike=False)
    eventually(
        lambda: "nearly full" in (app.status()["last_error"] or ""), SOON
    )
    counts = app.status()
    assert (counts["state"], counts["waiting"]) == ("indexing", len(many))
    assert names(app.search("cat"))[0] == "cat.png"
    ballast.unlink()
    app.finds(*FEW, *many, within=90)
    assert app.status()["skipped"] == 0
    app.stop()
