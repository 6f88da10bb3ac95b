"""What goes wrong around the app: it says so, loses nothing, and goes on by itself."""

import contextlib
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from qdrant_client import models

from image_search.store import PAYLOAD_INDEXES
from tests.harness import (
    ORDINARY,
    PHOTOS,
    ROOT,
    App,
    NewApp,
    Postgres,
    eventually,
    free_port,
    names,
)  # fmt: skip
from tests.qdrant_standin import QdrantStandIn

FEW = ("cat.png", "coffee.png", "rocket.jpg")
SOON = 15


def status(app: App) -> dict[str, Any]:
    return dict(app.get("/status").json())


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
        lambda: "has no photos any more" in (status(app)["last_error"] or ""),
        SOON,
    )
    assert names(app.search("cat"))[0] == "cat.png"
    assert sorted(app.photos()) == sorted(FEW)
    if app.img.is_dir():
        app.img.rmdir()
    else:
        app.img.unlink(missing_ok=True)
    away.rename(app.img)
    eventually(lambda: status(app)["last_error"] is None, SOON)
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
    for child in app.children():
        child.kill()
    for name in many:
        app.add("motorcycle.jpg", name, alike=False)
    eventually(lambda: any(name in app.photos() for name in many))
    for child in app.children():
        child.kill()
    app.finds(*FEW, *many)
    assert status(app)["skipped"] == 0
    shutil.rmtree(app.img / "many")
    app.finds(*FEW, within=SOON)


def test_a_killed_postgres_comes_back(app: App) -> None:
    """The embedded Postgres killed: searches go on, and the folder is followed soon again."""
    postmasters = [p for p in app.processes() if p.name() == "postgres"]
    for process in postmasters:
        process.kill()
    assert names(app.search("cat"))[0] == "cat.png"
    app.add("flower.jpg", "new.jpg")
    eventually(lambda: "new.jpg" in app.photos(), within=60)
    (app.img / "new.jpg").unlink()
    app.finds(*FEW)
    eventually(lambda: status(app)["last_error"] is None)


def test_a_photo_that_kills_the_decoder_is_given_up(new_app: NewApp) -> None:
    """A photo that crashes or hangs its process is skipped; the model's, till the next start."""
    app = new_app(*FEW)
    app.env |= {
        "PYTHONPATH": str(ROOT / "tests" / "crashes"),
        "LITTLE_MEMORY": "1",
    }
    deadly = {"crash.png": 13, "hang.png": 14, "memory.png": 15}
    for name, side in deadly.items():
        Image.new("RGB", (side, side)).save(app.img / name)
    app.start()
    app.finds(*FEW, within=200)
    eventually(lambda: status(app)["skipped"] == len(deadly), within=250)
    reasons = {
        photo["filename"]: photo["reason"]
        for photo in status(app)["skipped_photos"]
    }
    assert set(reasons) == set(deadly)
    assert all("crashed the decoder" in reason for reason in reasons.values())
    assert app.process is not None
    mine = psutil.Process(app.process.pid).children(recursive=True)
    assert not [
        child for child in mine if child.status() == psutil.STATUS_ZOMBIE
    ]
    app.stop()
    del app.env["LITTLE_MEMORY"]
    app.start().finds(*FEW, "memory.png")
    assert status(app)["skipped"] == 2
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


def test_a_stop_is_no_try(new_app: NewApp) -> None:
    """A photo in hand when the app is stopped, three times, is not held to have crashed a child."""
    app = new_app()
    many = [f"{number}.jpg" for number in range(30)]
    for name in many:
        app.add("motorcycle.jpg", name, alike=False)
    for _ in range(3):
        app.start()
        eventually(lambda: app.get("/search").is_success)
        app.stop()
    app.start().finds(*many)
    assert status(app)["skipped"] == 0
    app.stop()


def test_what_was_damaged_is_made_anew(new_app: NewApp) -> None:
    """Each file under DATA_DIR that the app writes itself may be broken or lost: all is found."""
    app = new_app(*FEW).start()
    app.finds(*FEW)
    app.stop()
    edge = app.data / "edge"
    added: list[str] = []
    for whats in (
        ["indexed-image_search.json", "vectors.sqlite"],
        ["vectors.sqlite, its rows", "edge"],
        [],
    ):
        for what in whats:
            broken = app.data / what.partition(",")[0]
            if "sqlite" in what:  # nothing of it lies elsewhere
                with contextlib.closing(sqlite3.connect(broken)) as database:
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if "rows" in what:
                content = broken.read_bytes()
                # Its tables are there.
                broken.write_bytes(content[:4096] + b"{broken" * 1000)
                continue
            for file in [broken] if broken.is_file() else broken.rglob("*"):
                if file.is_file():
                    file.write_bytes(b"{broken" * 1000)
        if not whats:
            shutil.rmtree(edge / "image_search")
            (edge / "image_search").mkdir()
            # Nothing says how many there were.
            (app.data / "indexed-image_search.json").unlink()
        added.append(f"{len(added)}.jpg")
        app.add("flower.jpg", added[-1])
        app.start().finds(*FEW, *added)
        assert status(app)["last_error"] is None, whats
        app.stop()
    assert (
        app.log.read_text().count("The table of embeddings is made anew") == 2
    )


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


def test_an_older_file_is_noticed_after_a_stop(new_app: NewApp) -> None:
    """A photo replaced by an older one while the app was stopped is found as what it shows now."""
    app = new_app(*FEW).start()
    app.finds(*FEW)
    app.stop()
    app.add("rocket.jpg", "cat.png")
    os.utime(app.img / "cat.png", (1_000_000_000,) * 2)
    app.start()
    eventually(
        lambda: "cat.png" in names(app.search("rocket launch"))[:2], SOON
    )
    app.finds(*FEW)
    app.stop()


def test_a_folder_that_is_not_there_at_the_start(new_app: NewApp) -> None:
    """Started without its folder the app answers from the index, and goes on once it is back."""
    app = new_app(*FEW).start()
    app.finds(*FEW)
    app.stop()
    away = app.img.rename(app.img.with_name("away"))
    app.start()
    eventually(
        lambda: "has no photos any more" in (status(app)["last_error"] or ""),
        SOON,
    )
    assert names(app.search("cat"))[0] == "cat.png"
    away.rename(app.img)
    app.add("flower.jpg", "new.jpg")
    app.finds(*FEW, "new.jpg", within=SOON)
    app.stop()


def test_a_lost_collection_fills_itself_again(new_app: NewApp) -> None:
    """Deleted or emptied while the app runs or rests, a collection is made and filled anew."""
    qdrant = QdrantStandIn()
    app = new_app(*FEW, QDRANT_URL=qdrant.url, REFRESH_SECONDS="1").start()
    app.finds(*FEW)
    made = embeddings_made(app)

    def is_whole() -> bool:
        return app.get("/search").is_success and sorted(app.photos()) == sorted(
            FEW
        )

    qdrant.refused.add("Create")
    qdrant.qdrant.delete_collection("image_search")
    eventually(lambda: "NOT_FOUND" in (status(app)["last_error"] or ""), SOON)
    health = app.get("/health")
    assert health.status_code == 503
    assert (
        health.json()["detail"]
        == "The vector store cannot answer just now: NOT_FOUND."
    )
    qdrant.refused.clear()
    eventually(is_whole, SOON)
    everything = models.FilterSelector(filter=models.Filter())
    qdrant.qdrant.delete("image_search", everything)
    eventually(is_whole, SOON)
    assert embeddings_made(app) == made
    app.stop()
    qdrant.qdrant.delete_collection("image_search")
    qdrant.indexes.clear()
    app.start()
    eventually(is_whole, SOON)
    assert qdrant.indexes == set(PAYLOAD_INDEXES)
    assert names(app.search("cat"))[0] == "cat.png"
    app.stop()
    qdrant.stop()


def test_a_collection_of_somebody_elses_is_left_alone(new_app: NewApp) -> None:
    """Recreated by others in another shape, while the app runs: said in the status, not touched."""
    qdrant = QdrantStandIn()
    app = new_app(*FEW, QDRANT_URL=qdrant.url, REFRESH_SECONDS="1").start()
    app.finds(*FEW)
    shape = {
        "theirs": models.VectorParams(size=4, distance=models.Distance.DOT)
    }
    qdrant.qdrant.delete_collection("image_search")
    qdrant.qdrant.create_collection("image_search", vectors_config=shape)
    qdrant.qdrant.upsert(
        "image_search", [models.PointStruct(id=1, vector={"theirs": [1.0] * 4})]
    )
    eventually(lambda: app.get("/health").status_code == 503, SOON)
    eventually(lambda: "left alone" in (status(app)["last_error"] or ""), SOON)
    app.add("flower.jpg", "new.jpg")
    eventually(lambda: "left alone" in (status(app)["last_error"] or ""), SOON)
    assert qdrant.qdrant.count("image_search").count == 1
    assert (
        qdrant.qdrant.get_collection("image_search").config.params.vectors
        == shape
    )
    app.stop()
    qdrant.stop()


def test_points_of_somebody_elses_are_left_alone(new_app: NewApp) -> None:
    """Recreated by others in the very same shape: it is said, and not touched, until it is gone."""
    qdrant = QdrantStandIn()
    app = new_app(*FEW, QDRANT_URL=qdrant.url, REFRESH_SECONDS="1").start()
    app.finds(*FEW)
    shape = qdrant.qdrant.get_collection("image_search").config.params.vectors
    [(first, *_), _] = qdrant.qdrant.scroll("image_search", with_vectors=True)
    vector: Any = first.vector
    theirs = [
        models.PointStruct(id=n, vector=vector, payload={"no": n})
        for n, _ in enumerate(FEW)
    ]
    with qdrant.turn:
        qdrant.qdrant.delete_collection("image_search")
        qdrant.qdrant.create_collection("image_search", vectors_config=shape)
        qdrant.qdrant.upsert("image_search", theirs)
    for path, asked in (
        ("/search", {"q": "cat"}),
        ("/search", {}),
        ("/health", {}),
    ):
        answer = app.get(path, **asked)
        assert answer.status_code == 503, path
        assert "did not make" in answer.json()["detail"] or path == "/search"
    eventually(lambda: "left alone" in (status(app)["last_error"] or ""), SOON)
    app.add("flower.jpg", "new.jpg")
    assert qdrant.qdrant.count("image_search").count == len(theirs)
    qdrant.qdrant.delete_collection("image_search")
    eventually(lambda: status(app)["last_error"] is None, SOON)
    app.finds(*FEW, "new.jpg")
    app.stop()
    qdrant.stop()


def test_qdrant_may_start_later(new_app: NewApp) -> None:
    """The app waits a while for a Qdrant that isn't there yet, and then goes on."""
    qdrant = QdrantStandIn()
    qdrant.stop()
    app = new_app(*FEW, QDRANT_URL=qdrant.url)
    with app.log.open("ab") as log:
        app.process = subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=ROOT,
            env=app.env,
            stdout=log,
            stderr=log,
        )
    eventually(lambda: any(p.name() == "postgres" for p in app.processes()))
    qdrant.start()
    eventually(lambda: app.get("/health").status_code == 200)
    app.finds(*FEW)
    app.stop()
    qdrant.stop()


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
    with app.log.open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=ROOT,
            env=app.env,
            stdout=log,
            stderr=log,
        )
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


def test_servers_come_and_go(
    new_app: NewApp, postgres_server: Postgres, postgres_url: str
) -> None:
    """Qdrant and Postgres each stopped twenty times at any moment: honest 503s, nothing lost."""
    qdrant = QdrantStandIn()
    app = new_app(
        *FEW,
        QDRANT_URL=qdrant.url,
        COCOINDEX_DATABASE_URL=postgres_url,
        REFRESH_SECONDS="1",
    ).start()
    app.finds(*FEW)
    moments = random.Random(20)
    added = []
    for number in range(20):
        added.append(f"{number}.jpg")
        app.add("motorcycle.jpg", added[-1], alike=False)
        # Somewhere in the work on that photo.
        threading.Event().wait(moments.uniform(0, 0.5))
        qdrant.stop()
        if number % 2:
            postgres_server.stop()
            postgres_server.start()
        answer = app.get("/search", q="cat")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "UNAVAILABLE" in answer.json()["detail"]
        qdrant.start()
        if not number % 2:
            threading.Event().wait(moments.uniform(0, 0.5))
            postgres_server.stop()
            postgres_server.start()
    app.finds(*FEW, *added)
    app.stop()
    qdrant.stop()


def test_a_full_disk_loses_nothing(new_app: NewApp) -> None:
    """With the disk full searches go on; once there is room again, what came meanwhile is found."""
    app = new_app(*FEW, REFRESH_SECONDS="1")
    app.data.mkdir()
    # A small disk that only the app sees, and that goes with it.
    rights = ["--map-current-user", "--keep-caps"] if os.geteuid() else []
    mount = 'mount -t tmpfs -o size=300m tmpfs "$0" && exec "$@"'
    small_disk = [
        "unshare",
        *rights,
        "--mount",
        "sh",
        "-c",
        mount,
        str(app.data),
    ]
    app.start(*small_disk, sys.executable, "main.py").finds(*FEW)
    assert app.process
    ballast = Path(f"/proc/{app.process.pid}/root{app.data}/ballast")
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    many = [f"{number}.jpg" for number in range(20)]
    for name in many:
        app.add("motorcycle.jpg", name, alike=False)
    eventually(lambda: "nearly full" in (status(app)["last_error"] or ""), SOON)
    assert names(app.search("cat"))[0] == "cat.png"
    ballast.unlink()
    app.finds(*FEW, *many, within=90)
    assert status(app)["skipped"] == 0
    app.stop()


def test_a_data_dir_that_cannot_be_written_stops_the_start(
    new_app: NewApp,
) -> None:
    """A DATA_DIR without the right to write is named in one sentence; the index in it is kept."""
    app = new_app("cat.png").start()
    app.finds("cat.png")
    app.stop()
    app.data.chmod(0o555)
    assert f"DATA_DIR={app.data} cannot be written" in app.refuses_to_start(
        *ORDINARY
    )
    app.data.chmod(0o755)
    app.start().finds("cat.png")
    app.stop()
