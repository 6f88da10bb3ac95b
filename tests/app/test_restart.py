"""What a stop leaves behind, and what the next start makes of it."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.harness import (
    ORDINARY,
    PHOTOS,
    App,
    Hits,
    NewApp,
    copy_code,
    eventually,
    names,
    small_disk,
)
from tests.models import save_tiny_siglip

FEW = ("cat.png", "coffee.png", "motorcycle.jpg", "rocket.jpg", "raccoon.webp")
SOON = 30
QUERY = "a cup of coffee"


def copy(source: Path, target: Path) -> None:
    """Copy a folder with its times and owners: Postgres takes no others."""
    subprocess.run(["cp", "-a", source, target], check=True)


@pytest.fixture(scope="module")
def first_run(new_app: NewApp) -> tuple[App, Hits]:
    """An installation that has indexed a few photos and was stopped, and what it found."""
    app = new_app(*FEW).start()
    app.finds(*FEW)
    hits = app.search(QUERY)
    app.stop()
    eventually(lambda: not app.processes(), within=15)
    for folder in (app.img, app.data):
        copy(folder, folder.with_name(f"{folder.name} as it was"))
    return app, hits


@pytest.fixture
def stopped(first_run: tuple[App, Hits]) -> Iterator[App]:
    """The same installation for each test, as it was when it was stopped."""
    app, _ = first_run
    for folder in (app.img, app.data):
        shutil.rmtree(folder)
        copy(folder.with_name(f"{folder.name} as it was"), folder)
    app.log.unlink()
    environment = dict(app.env)
    yield app
    app.clear_away()
    app.process = None
    app.env = environment


# --- The folder has changed meanwhile ---------------------------------------------------


def test_an_older_file_is_noticed(stopped: App) -> None:
    """A photo replaced by an older one while the app was stopped is found as what it shows."""
    stopped.add("rocket.jpg", "cat.png")
    os.utime(stopped.img / "cat.png", (1_000_000_000,) * 2)
    stopped.start()
    eventually(
        lambda: "cat.png" in names(stopped.search("rocket launch"))[:2], SOON
    )
    stopped.finds(*FEW)
    stopped.stop()


def test_a_folder_that_is_not_there(stopped: App) -> None:
    """Started without its folder the app answers from the index, and goes on once it is back."""
    away = stopped.img.rename(stopped.img.with_name("away"))
    stopped.start()
    eventually(stopped.has_lost_its_photos, SOON)
    assert names(stopped.search("cat"))[0] == "cat.png"
    away.rename(stopped.img)
    stopped.add("flower.jpg", "new.jpg")
    stopped.finds(*FEW, "new.jpg", within=SOON)
    stopped.stop()


def test_a_folder_that_was_really_emptied(stopped: App) -> None:
    """The app keeps the index of an emptied folder; `cocoindex update main` lets it go."""
    for photo in stopped.img.iterdir():
        photo.unlink()
    stopped.start()
    eventually(stopped.has_lost_its_photos, SOON)
    assert sorted(stopped.photos()) == sorted(FEW)
    stopped.stop()
    update = stopped.cli("update", "main")
    assert f"{len(FEW)} deleted" in update.stdout, update.stderr
    stopped.start().finds()
    stopped.stop()


# --- DATA_DIR ---------------------------------------------------------------------------


def test_a_warm_start_embeds_nothing_again(
    stopped: App, first_run: tuple[App, Hits]
) -> None:
    """A warm start answers as before, and embeds nothing; its stop leaves no process."""
    _, hits = first_run
    stopped.start(
        sys.executable, "-m", "uvicorn", "main:app", "--port", str(stopped.port)
    )
    mapped = stopped.of_each_process(
        lambda one: {file.path for file in one.memory_maps()}
    )
    # The half for photos is loaded once the start is over.
    with_model = [
        paths
        for paths in mapped
        if any("libtorch_cpu" in path for path in paths)
    ]
    assert len(with_model) == 1
    assert stopped.search(QUERY) == hits
    stopped.stop(signal.SIGINT)
    eventually(lambda: not stopped.processes(), within=15)
    update = stopped.cli("update", "main")
    assert update.returncode == 0, update.stderr
    assert f"{len(FEW)} no change" in update.stdout
    assert "Traceback" not in stopped.log.read_text()
    assert "leaked" not in stopped.log.read_text()


NOISE = b"{broken" * 1000


def flush(table: Path) -> None:
    """Have all of an SQLite database in its one file."""
    with contextlib.closing(sqlite3.connect(table)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def noise_in_record_and_table(data: Path) -> None:
    flush(data / "vectors.sqlite")
    (data / "vectors.sqlite").write_bytes(NOISE)
    (data / "indexed-image_search.json").write_bytes(NOISE)


def noise_in_rows_and_store(data: Path) -> None:
    table = data / "vectors.sqlite"
    flush(table)
    schema = table.read_bytes()[:4096]
    table.write_bytes(schema + NOISE)
    for file in (data / "edge").rglob("*"):
        if file.is_file():
            file.write_bytes(NOISE)


def no_record_and_an_empty_store(data: Path) -> None:
    shutil.rmtree(data / "edge" / "image_search")
    (data / "edge" / "image_search").mkdir()
    (data / "indexed-image_search.json").unlink()


@pytest.mark.parametrize(
    ("damage", "tables_made_anew"),
    [
        (noise_in_record_and_table, 1),
        (noise_in_rows_and_store, 1),
        (no_record_and_an_empty_store, 0),
    ],
)
def test_what_was_damaged_is_made_anew(
    stopped: App, damage: Callable[[Path], None], tables_made_anew: int
) -> None:
    """Each file under DATA_DIR that the app writes itself may be broken or lost: all is found."""
    damage(stopped.data)
    stopped.add("flower.jpg", "new.jpg")
    stopped.start().finds(*FEW, "new.jpg")
    assert stopped.status()["last_error"] is None
    made_anew = "The table of embeddings is made anew"
    assert stopped.log.read_text().count(made_anew) == tables_made_anew
    stopped.stop()


def test_a_lost_store_fills_itself_again(stopped: App) -> None:
    """With the embedded store deleted the next start brings every photo back, embedding none."""
    shutil.rmtree(stopped.data / "edge")
    table = stopped.data / "vectors.sqlite"
    table.unlink()  # CocoIndex's own cache is all there is
    stopped.start().finds(*FEW)
    stopped.stop()
    with contextlib.closing(sqlite3.connect(table)) as made_anew:
        rows = made_anew.execute("SELECT count(*) FROM vectors").fetchone()
    assert rows == (0,)


def test_a_data_dir_that_cannot_be_written_stops_the_start(
    stopped: App,
) -> None:
    """A DATA_DIR without the right to write is named in one sentence; the index in it is kept."""
    stopped.data.chmod(0o555)
    said = stopped.refuses_to_start(*ORDINARY)
    assert f"DATA_DIR={stopped.data} cannot be written" in said
    stopped.data.chmod(0o755)
    stopped.start().finds(*FEW)
    stopped.stop()


HAS_VECTOR = (
    "SELECT count(*) FROM vectors WHERE vector <> zeroblob(length(vector))"
)


def forget_vectors(data: Path) -> None:
    """Make all known vectors zero: one that isn't afterwards was embedded again."""
    with contextlib.closing(sqlite3.connect(data / "vectors.sqlite")) as table:
        table.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
        table.commit()


def vectors_embedded(data: Path) -> int:
    with contextlib.closing(sqlite3.connect(data / "vectors.sqlite")) as table:
        return int(table.execute(HAS_VECTOR).fetchone()[0])


def test_a_damaged_postgres_is_made_anew(stopped: App) -> None:
    """Without CocoIndex's state the index is filled again from what was embedded before."""
    forget_vectors(stopped.data)
    (stopped.data / "postgres" / "global" / "pg_control").unlink()
    (stopped.data / "postgres" / "postmaster.pid").write_text("-1\n")
    stopped.start().finds(*FEW)
    assert vectors_embedded(stopped.data) == 0
    assert stopped.log.read_text().count("The embedded Postgres is made") == 1
    assert stopped.status()["last_error"] is None
    stopped.stop()
    eventually(lambda: not stopped.processes(), within=15)
    stopped.start().finds(*FEW)
    assert stopped.log.read_text().count("The embedded Postgres is made") == 1
    stopped.stop()


def test_killed_and_moved_it_goes_on(stopped: App) -> None:
    """Killed with all but Postgres, and DATA_DIR moved then: the next start goes on as before."""
    forget_vectors(stopped.data)
    stopped.start().finds(*FEW)
    assert stopped.process
    os.killpg(stopped.process.pid, signal.SIGKILL)
    stopped.process.wait(10)
    moved = stopped.data.rename(stopped.data.with_name("my data"))
    shutil.copytree(
        moved / "thumbs", stopped.data / "thumbs"
    )  # what goes by the old name now is nothing to it
    stopped.env["DATA_DIR"] = str(moved)
    was, stopped.data = stopped.data, moved
    stopped.start().finds(*FEW)
    assert vectors_embedded(moved) == 0
    assert "made anew" not in stopped.log.read_text()
    stopped.stop()
    eventually(lambda: not stopped.processes(), within=15)
    shutil.rmtree(was)
    stopped.data = moved.rename(was)


@pytest.mark.parametrize("megabytes", [5, 40, 62])
def test_a_small_disk_is_named(new_app: NewApp, megabytes: int) -> None:
    """On a disk with too little room for the stores the start ends in a sentence."""
    app = new_app(*FEW)
    app.data.mkdir()
    said = app.refuses_to_start(*small_disk(app.data, megabytes))
    assert f"DATA_DIR={app.data} is nearly full: make room" in said


def test_killed_at_any_moment_of_the_first_start(new_app: NewApp) -> None:
    """Kill -9 to all while everything is made: the next start comes up, and finds all."""
    app = new_app(*FEW)
    moments: list[Callable[[], object]] = [
        lambda: any(app.data.glob("postgres.new-*/base/1")),
        (app.data / "postgres" / "postmaster.pid").exists,
        (app.data / "edge" / "image_search").exists,
    ]
    for moment in moments:
        process = app.begin()
        eventually(moment, within=60)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    app.start().finds(*FEW)
    assert "Traceback" not in app.log.read_text()
    assert not [*app.data.glob("postgres.*")]
    app.stop()


# --- Another model, another version -----------------------------------------------------


def test_another_model_embeds_everything_anew(
    stopped: App, tmp_path: Path
) -> None:
    """With another CLIP_MODEL, here a SigLIP, all photos are found by the new one."""
    save_tiny_siglip(tmp_path)
    stopped.env["CLIP_MODEL"] = str(tmp_path)
    stopped.start()
    content = (PHOTOS / "rocket.jpg").read_bytes()

    def finds_itself() -> bool:
        answer = stopped.http.post("/search", content=content)
        first = answer.json()["results"][0] if answer.is_success else {}
        return bool(
            first.get("filename") == "rocket.jpg" and first["score"] > 0.999
        )

    eventually(finds_itself)
    stopped.finds(*FEW)
    assert sorted(names(stopped.search("cat"))) == sorted(FEW)
    stopped.stop()


TOLD = """
import json, main
from image_search.store import Query
[point] = main.get_store()._query(Query(1, fields=(*Query(1).fields, "kind")))
print(json.dumps([*point.payload]))
"""


def test_a_new_version_embeds_only_what_it_sees_otherwise(
    stopped: App, tmp_path: Path
) -> None:
    """Code that tells more of a photo embeds none again; one that prepares it anew does."""
    copy_code(tmp_path)
    told = 'sha256=embedded["sha256"],'
    tells_more = "main.py", told, f'{told} kind=image["filename"],'
    version = "PREPROCESSING = "
    # Two further: no vector is one of the version before.
    sees_otherwise = "image_search/looks.py", f"{version}4", f"{version}6"
    table = stopped.data / "vectors.sqlite"
    with contextlib.closing(sqlite3.connect(table)) as database:
        database.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
        database.commit()
        for change, embedded in ((tells_more, 0), (sees_otherwise, len(FEW))):
            file, was, shall_be = change
            code = (tmp_path / file).read_text()
            assert was in code
            (tmp_path / file).write_text(code.replace(was, shall_be))
            stopped.start(cwd=tmp_path)
            eventually(lambda: stopped.status()["state"] == "ready")
            assert database.execute(HAS_VECTOR).fetchone() == (embedded,)
            assert names(stopped.search("cat"))[0] == "cat.png"
            stopped.stop()
            told = stopped.python(TOLD, cwd=tmp_path)
            assert "kind" in told
            assert "damaged" in told


# --- However it ends --------------------------------------------------------------------


def test_however_it_ends_nothing_is_lost(new_app: NewApp) -> None:
    """Stopped or killed amid many photos, three times, the index ends with each of them once.

    A stop takes seconds, leaves no process behind, and holds no photo to have crashed a worker.
    """
    app = new_app()
    cat = Image.open(PHOTOS / "cat.png").convert("RGB")
    many = [f"{number}.jpg" for number in range(90)]
    for number, name in enumerate(many):
        cat.rotate(number * 4).save(app.img / name)
    indexed = 0
    for how in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        app.start()
        eventually(lambda before=indexed: len(app.photos()) > before)  # type: ignore[misc]
        indexed = app.status()["indexed"]
        assert indexed < len(many)
        if how == signal.SIGKILL:
            app.kill()
            continue
        app.stop(how, within=6)
        eventually(lambda: not app.processes(), within=15)
        assert "leaked" not in app.log.read_text()
    app.start().finds(*many)
    assert app.status()["skipped"] == 0
    app.stop()
    eventually(lambda: not app.processes(), within=15)
