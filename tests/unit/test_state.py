"""DATA_DIR has one user at a time, servers are waited for, and no error tells a password."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from image_search.engines import open_store
from image_search.settings import Settings, StartupError
from image_search.state import (
    DiskFull,
    EmbeddedStores,
    check_free_space,
    redact,
)
from tests.harness import ROOT, environment
from tests.qdrant_standin import QdrantStandIn

QDRANT_URL = "http://qdrant:6334"
DATABASE_URL = "postgres://me@host/db"


@pytest.mark.parametrize(
    "url",
    [
        "postgres://me:se%2Fs:a%40me@host:1/db",
        "postgres://me@host/db?sslmode=disable&password=se%2Fs:a%40me",
    ],
)
def test_no_error_tells_the_password(url: str) -> None:
    """The password is hidden in a driver's message, with its URL or alone, encoded or not."""
    error = RuntimeError(
        f"{url} failed:\n  se/s:a@me, se%2Fs:a%40me\nStack backtrace: 1: main"
    )
    assert redact(error, url) == "COCOINDEX_DATABASE_URL failed: ***, ***"


@pytest.mark.parametrize(
    "url", [None, "postgres://me@host/db", "postgres:///db"]
)
def test_where_nothing_is_secret_nothing_is_hidden(url: str | None) -> None:
    """Without a password an error is told as it is, in one line."""
    error = RuntimeError("no host:\n  me@there?\nStack backtrace: 1: main")
    assert redact(error, url) == "no host: me@there?"


def test_a_full_disk_is_named_before_it_is_written_to(tmp_path: Path) -> None:
    """A disk without room raises DiskFull, which names DATA_DIR; one with room does not."""
    check_free_space(tmp_path)
    proc = Path("/proc")  # a file system that never has room
    for folder in (proc, proc / "not yet" / "there"):
        with pytest.raises(DiskFull, match=f"DATA_DIR={folder} is nearly full"):
            check_free_space(folder)


def test_on_a_full_disk_nothing_is_begun() -> None:
    """A DATA_DIR without room is refused before anything is written there."""
    stores = stores_of(Path("/proc/data"))
    with pytest.raises(StartupError, match="nearly full"):
        stores.acquire()
    with pytest.raises(StartupError, match="nearly full"):
        stores.postgres_url()
    stores.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def stores_of(data_dir: Path, **settings: Any) -> EmbeddedStores:
    return EmbeddedStores(Settings(data_dir=data_dir, **settings))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({}, "set QDRANT_URL and COCOINDEX_DATABASE_URL."),
        ({"qdrant_url": QDRANT_URL}, "set COCOINDEX_DATABASE_URL."),
        ({"cocoindex_database_url": DATABASE_URL}, "set QDRANT_URL."),
    ],
)
def test_a_data_dir_in_use_is_refused(
    data_dir: Path, given: dict[str, str], advice: str
) -> None:
    """The error names the process that uses DATA_DIR, and advises only what is not set."""
    first, second = stores_of(data_dir), stores_of(data_dir, **given)
    first.acquire()
    with pytest.raises(StartupError) as refused:
        second.acquire()
    assert f"DATA_DIR={data_dir} is in use by process " in refused.value.message
    assert refused.value.message.endswith(f" or {advice}")
    first.close()
    second.acquire()
    second.close()


def test_who_has_the_data_dir_may_take_it_again(data_dir: Path) -> None:
    """To acquire what one has is no error, and to close what is closed neither."""
    stores = stores_of(data_dir)
    for _ in range(2):
        stores.acquire()
        stores.acquire()
        stores.close()
        stores.close()


def test_a_data_dir_of_another_process_is_refused(data_dir: Path) -> None:
    """A second process is refused, by the first one's number; its death opens DATA_DIR again."""
    hold = (
        "from image_search.state import embedded_stores; embedded_stores().acquire();"
        "print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], cwd=ROOT, env=environment(DATA_DIR=data_dir),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    stores = stores_of(data_dir)
    with pytest.raises(
        StartupError, match=f"in use by process {holder.pid}\\."
    ):
        stores.acquire()
    holder.kill()
    holder.communicate()
    stores.acquire()
    stores.close()


def test_postgres_has_a_folder_of_any_name() -> None:
    """A DATA_DIR with a space in it is as good as any."""
    # A short one, as the name of a socket has to be.
    with tempfile.TemporaryDirectory() as folder:
        stores = stores_of(Path(folder) / "my data")
        assert stores.postgres_url().endswith("/my%20data/postgres")
        stores.close()


def test_why_postgres_does_not_start_is_a_sentence(data_dir: Path) -> None:
    """What is in the way of the embedded Postgres stops the start, and is named."""
    stores = stores_of(data_dir)
    stores.acquire()
    shutil.rmtree(data_dir)
    with pytest.raises(StartupError, match="embedded Postgres") as refused:
        stores.postgres_url()
    assert f"DATA_DIR={data_dir} does not start" in refused.value.message
    stores.close()


@pytest.fixture
def qdrant() -> Iterator[QdrantStandIn]:
    server = QdrantStandIn()
    yield server
    server.stop()


def test_with_both_servers_nobody_owns_the_data_dir(
    data_dir: Path, qdrant: QdrantStandIn
) -> None:
    """A store on a server, opened, checked and asked, leaves DATA_DIR to whom it may concern."""
    settings = Settings(
        data_dir=data_dir,
        qdrant_url=qdrant.url,
        cocoindex_database_url=DATABASE_URL,
    )
    store = open_store(settings, "a model", 24)
    store.check()
    assert store.count() == 0
    assert not data_dir.exists()
    store.close()


def test_cocoindex_keeps_collections_apart(
    data_dir: Path, postgres_url: str
) -> None:
    """Its state has a name for each collection of each server or cluster, and with both needs no DATA_DIR."""
    code = (
        "import json; from image_search.state import cocoindex_settings;"
        "it = cocoindex_settings();"
        "print(json.dumps([it.database.url, it.app_namespace]))"
    )
    env = environment(
        COCOINDEX_DATABASE_URL=postgres_url,
        QDRANT_COLLECTION="mine",
        DATA_DIR=data_dir,
    )
    asked = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=env | {"QDRANT_URL": qdrant},
            stdout=subprocess.PIPE,
        )
        for qdrant in (
            "",
            "http://one:6334",
            "http://two:6334",
            "http://one:6334,http://two:6334",  # a server that became a cluster
        )
    ]  # fmt: skip
    answers = [json.loads(one.communicate(timeout=60)[0]) for one in asked]
    assert {database for database, _ in answers} == {postgres_url}
    names = [name for _, name in answers]
    assert names[0] == "mine"
    assert all(name.startswith("mine_") for name in names[1:])
    assert names[3] == names[1]
    assert len(set(names)) == 3
    assert not data_dir.exists()


def test_what_is_noted_of_a_collection_is_one_processes(
    data_dir: Path,
) -> None:
    """With both servers too: by it places are forgotten. Another collection has its own."""
    servers: Any = {
        "qdrant_url": QDRANT_URL,
        "cocoindex_database_url": DATABASE_URL,
    }
    first, second = (stores_of(data_dir, **servers) for _ in range(2))
    other = stores_of(data_dir, **servers, qdrant_collection="other")
    first.acquire_records()
    first.acquire_records()  # once more is no harm
    with pytest.raises(
        StartupError, match="give each app that does a DATA_DIR"
    ):
        second.acquire_records()
    other.acquire_records()
    other.close()
    first.close()
    second.acquire_records()
    second.close()
    assert not (data_dir / "pid").exists()
