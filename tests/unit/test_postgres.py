"""The embedded Postgres can always be started, loses no good data, and signals nobody else."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from image_search.postgres import EmbeddedPostgres
from image_search.postgres_programs import PostgresError
from tests.harness import ORDINARY, ROOT, environment, eventually
from tests.postgres_starts import (
    START,
    ask,
    begin_start,
    copy,
    is_kept,
    make_data,
    processes_in,
    running,
    starts,
)
from tests.processes import kill_all

SOON = (
    15  # also where others are at work; to start takes longer than that nowhere
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    kill_all(processes_in(folder / "postgres"))


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data that were stopped in order, with a table in them; and others, half made."""
    folder = tmp_path_factory.mktemp("templates")
    make_data(folder / "good" / "postgres", "CREATE TABLE kept AS SELECT 1")
    spoil = "DROP DATABASE postgres"
    make_data(folder / "half made" / "postgres", spoil, "template1")
    return folder


@pytest.fixture
def good(data_dir: Path, templates: Path) -> Path:
    return copy(templates / "good" / "postgres", data_dir)


@pytest.fixture
def half_made(data_dir: Path, templates: Path) -> Path:
    return copy(templates / "half made" / "postgres", data_dir)


def set_aside(folder: Path) -> list[Path]:
    return sorted(folder.parent.glob("postgres.damaged-*"))


# --- What the start finds ---------------------------------------------------------------


def test_data_are_kept(data_dir: Path) -> None:
    """What was written is there after a stop and another start; a stop leaves no process."""
    with running(data_dir / "postgres") as postgres:
        ask(postgres, "CREATE TABLE kept AS SELECT 1")
    assert not processes_in(postgres.folder)
    assert is_kept(postgres.folder)
    assert [path.name for path in data_dir.iterdir()] == ["postgres"]


def pid_file(pid: object, lines: int = 8) -> str:
    rest = ["/data", "1700000000", "5432", "/data", "", "1 2", "ready"]
    return "\n".join([str(pid), *rest][:lines]) + "\n"


PID_FILES: dict[str, Callable[[int], str]] = {
    "a stranger": pid_file,
    "this process": lambda _: pid_file(os.getpid()),
    "its parent": lambda _: pid_file(os.getppid()),
    "the first process": lambda _: pid_file(1),
    "initdb's": lambda stranger: pid_file(-stranger, 7),
    "cut off": lambda stranger: pid_file(stranger)[:3],
    "no pid": lambda _: pid_file("what?"),
    "empty": lambda _: "",
}


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with all this."""
    sleep = subprocess.Popen([*ORDINARY, "sleep", "1000"])
    yield sleep
    sleep.kill()
    sleep.wait()


@pytest.mark.parametrize("what", PID_FILES)
def test_a_pid_in_a_file_is_not_believed(
    good: Path, stranger: subprocess.Popen[bytes], what: str
) -> None:
    """Whatever stands in the lock files: Postgres starts on its data, and nobody is signalled."""
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (good / name).write_text(PID_FILES[what](stranger.pid))
    assert is_kept(good)
    assert stranger.poll() is None
    assert not set_aside(good)


def test_an_ordinary_user_signals_nobody_either(
    data_dir: Path, stranger: subprocess.Popen[bytes]
) -> None:
    """As one who may signal the stranger, and whose Postgres could be it."""
    data_dir.chmod(0o777)
    folder = data_dir / "postgres"
    starts(folder, *ORDINARY)
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (folder / name).write_text(pid_file(stranger.pid))
    assert starts(folder, *ORDINARY) == ""
    assert stranger.poll() is None
    assert not set_aside(folder)


def test_a_lock_file_may_be_a_folder(good: Path) -> None:
    """What goes by the name of a lock file is in nobody's way, even if it is no file."""
    (good / "postmaster.pid" / "folder").mkdir(parents=True)
    assert is_kept(good)


def without(*names: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def cut_off(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(b"")


def in_initdb(folder: Path) -> None:
    (folder / "postmaster.pid").write_text(pid_file(-12345, 7))


def only_files(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / "base").mkdir(parents=True)


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder")


def dangling_link(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.with_name("nowhere"))


def circle(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a link to itself": circle,
    "no version": without("PG_VERSION"),
    "no control file": without("global/pg_control"),
    "an empty control file": cut_off("global/pg_control"),
    "an empty version": cut_off("PG_VERSION"),
    "no log of changes": without("pg_wal"),
    "an empty folder lost in a copy": without("pg_notify"),
    "hardly anything": only_files,
    "no folder": no_folder,
    "a link to nowhere": dangling_link,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_data_are_made_anew_and_kept(good: Path, damage: str) -> None:
    """Where no server starts on the data new ones are made, and the old are set aside."""
    DAMAGES[damage](good)
    assert not is_kept(good)
    [old] = set_aside(good)
    assert not is_kept(good)  # the next start goes on with the new ones
    assert [old] == set_aside(good)
    if damage == "no control file":
        assert (old / "PG_VERSION").exists()


@pytest.mark.parametrize(
    "damage", [lambda _: None, in_initdb, without("PG_VERSION")]
)
def test_half_made_data_are_made_anew(
    half_made: Path, damage: Callable[[Path], None]
) -> None:
    """What initdb did not come to the end of is no database, whatever else is missing."""
    damage(half_made)
    assert not is_kept(half_made)
    assert len(set_aside(half_made)) == 1


@pytest.mark.parametrize("empty", [True, False])
def test_where_there_are_no_data_nothing_is_set_aside(
    data_dir: Path, *, empty: bool
) -> None:
    """No folder, or an empty one, is where data are made."""
    folder = data_dir / "postgres"
    if empty:
        folder.mkdir()
    assert not is_kept(folder)
    assert not set_aside(folder)


def test_half_made_folders_of_ours_are_deleted(data_dir: Path) -> None:
    """What a killed start leaves beside the data does not stay."""
    (data_dir / "postgres.new-1" / "base").mkdir(parents=True)
    assert starts(data_dir / "postgres") == ""
    assert [path.name for path in data_dir.iterdir()] == ["postgres"]


LITTLE_ROOM = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""


def test_good_data_are_not_blamed_for_the_machine(good: Path) -> None:
    """Where no new data can be made either, it is not the data: they are left as they are."""
    refused = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM + START, str(good)], cwd=ROOT, env=environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert refused.returncode == 1, refused.stdout
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert [path.name for path in good.parent.iterdir()] == ["postgres"]
    assert is_kept(good)


def test_the_environment_is_not_believed(good: Path) -> None:
    """Variables that change Postgres's programs, or a language that isn't there, change nothing."""
    odd = {"PGPORT": "1", "PGHOST": "nowhere", "PGDATA": "/", "PGUSER": "me", "LANG": "xx_YY"}  # fmt: skip
    assert starts(good, **odd) == ""
    shutil.rmtree(good)
    assert starts(good, **odd, LC_ALL="xx_YY") == ""


@pytest.mark.parametrize(
    "name", ["my data", "my, 'own' \"data\" %41", "é" * 60]
)
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Spaces, quotes, commas, or a path too long for a socket: it is reached by its URL."""
    (tmp_path / name).mkdir()
    with running(tmp_path / name / "postgres") as postgres:
        assert ask(postgres, "SELECT 1") == "1"


# --- Whose the files are ----------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user(good: Path) -> None:
    """Root takes files over that another user's copy has; who can't is told what to do."""
    good.parent.chmod(0o777)
    subprocess.run(["chown", "-R", "root:root", good], check=True)
    out, said = begin_start(good, *ORDINARY).communicate("\n", 120)
    assert out == ""
    assert "belongs to another user" in said
    assert f"`sudo chown -R 65534 '{good.parent}'`" in said
    assert "Traceback" not in said
    assert not set_aside(good)
    assert is_kept(good)


def test_a_copy_that_lets_others_in(good: Path) -> None:
    """Postgres refuses data that others may read; ours are closed to them first."""
    good.chmod(0o755)
    assert is_kept(good)
    assert good.stat().st_mode & 0o777 == 0o700


# --- Left by others ---------------------------------------------------------------------


@pytest.mark.parametrize("is_moved", [False, True])
def test_what_a_killed_app_left_is_ended(good: Path, *, is_moved: bool) -> None:
    """A Postgres whose app was killed is stopped, also where its folder goes by another name."""
    app = begin_start(good)
    assert app.stdout
    app.stdout.readline()
    app.kill()
    app.communicate()
    left = processes_in(good)
    assert left
    if is_moved:
        moved = good.parent.rename(good.parent.with_name("moved"))
        good = moved / "postgres"
    assert is_kept(good)
    assert not any(process.is_running() for process in left)
    assert not set_aside(good)


def test_a_killed_server_is_started_again(good: Path) -> None:
    """Its processes killed, all or the first, it is there again, and has what it had."""
    with running(good) as postgres:
        for count in (1, 100):
            killed = sorted(
                processes_in(good), key=lambda process: process.create_time()
            )
            kill_all(killed[:count])

            def is_back(before: list[psutil.Process] = killed) -> bool:
                postgres.keep_running()
                now = processes_in(good)
                return bool(now) and not {*now} & {*before}

            eventually(is_back, within=20)
            assert ask(postgres, "TABLE kept") == "1"


# --- Any moment -------------------------------------------------------------------------


def test_stopped_at_any_moment_it_leaves_nothing(data_dir: Path) -> None:
    """A stop amid the first start ends it soon, with all that it has started."""
    for number in range(8):
        postgres = EmbeddedPostgres(data_dir / f"{number}" / "postgres")
        postgres.folder.parent.mkdir()
        failed: list[str] = []

        def start(
            it: EmbeddedPostgres = postgres, said: list[str] = failed
        ) -> None:
            try:
                it.start()
            except PostgresError as error:
                said.append(str(error))

        starting = threading.Thread(target=start)
        starting.start()
        starting.join(number / 8)
        began = time.monotonic()
        postgres.stop()
        starting.join(60)
        assert time.monotonic() - began < SOON
        assert not processes_in(postgres.folder)
        assert failed in ([], ["the app is being stopped"])
