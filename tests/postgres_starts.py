"""Starts of the embedded Postgres in processes of their own, and what lies in its data."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from image_search.postgres import EmbeddedPostgres
from image_search.postgres_programs import Programs
from tests.harness import ROOT, environment

START = """
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from image_search.postgres import EmbeddedPostgres
from image_search.postgres_programs import PostgresError
postgres = EmbeddedPostgres(Path(sys.argv[1]))
try:
    postgres.start()
except PostgresError as error:
    sys.exit(str(error))
print(postgres.url, flush=True)
input()
postgres.stop()
"""


def begin_start(
    folder: Path, *wrapper: str, **variables: str
) -> subprocess.Popen[str]:
    """Start a Postgres in a process, and a process group, of its own."""
    return subprocess.Popen(
        [*wrapper, sys.executable, "-c", START, str(folder)],
        cwd=ROOT,
        env=environment() | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def starts(folder: Path, *wrapper: str, **variables: str) -> str:
    """Start it and stop it; returns what was logged."""
    with begin_start(folder, *wrapper, **variables) as process:
        out, err = process.communicate("\n", 120)
    assert "postgresql://" in out, err
    assert not processes_in(folder)
    return err


def processes_in(folder: Path) -> list[psutil.Process]:
    """Postgres's processes beneath a folder's parent."""
    found = []
    for process in psutil.process_iter(["name", "cwd"]):
        works_in = process.info["cwd"] or ""
        if process.info["name"] in {
            "postgres",
            "initdb",
        } and works_in.startswith(str(folder.parent)):
            found.append(process)
    return found


def ask(
    postgres: EmbeddedPostgres, sql: str, database: str = "postgres"
) -> str:
    """What psql says."""
    return subprocess.check_output(
        [Programs().folder / "psql", postgres.url.replace("/postgres?", f"/{database}?"),
         "-XAtqc", sql],
        text=True,
        timeout=60,
    ).strip()  # fmt: skip


@contextmanager
def running(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres that was started, and is stopped whatever happens: nobody else would."""
    postgres = EmbeddedPostgres(folder)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()


def make_data(folder: Path, sql: str, database: str = "postgres") -> None:
    """Make data in a folder, do something to them, and stop in order."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with running(folder) as postgres:
        ask(postgres, sql, database)


def copy(data: Path, data_dir: Path) -> Path:
    subprocess.run(["cp", "-a", data, data_dir], check=True)
    return data_dir / data.name


def is_kept(folder: Path) -> bool:
    """Whether the table is there, with the folder's own data."""
    sql = "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"
    with running(folder) as postgres:
        return ask(postgres, sql) == "1"
