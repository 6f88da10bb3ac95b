"""The fixtures: installations of the app, a tiny model, servers."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clouds import CloudBucket, CloudServer, azure_server, s3_server
from tests.harness import SCRATCH, TINY, App, NewApp, Postgres, free_port

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before pytest makes a folder
def pytest_configure(config: pytest.Config) -> None:
    """Have a temporary folder of its own for each run.

    Those that pytest makes lie in one that each run closes to other users at its start: a
    Postgres of another run, which is such a user, would lose its data amid its work.
    """
    if not config.option.basetemp:
        config.option.basetemp = SCRATCH / "pytest"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, which makes once what they share.

    They are handed out in the order of their paths: those of the app come first, of which one
    may take a minute, and what is left for the end are the small ones of tests/unit.
    """
    for item in items:
        file = str(item.path.relative_to(TESTS))
        item.add_marker(pytest.mark.xdist_group(file))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail where xdist takes no notice of the groups: it would start each app twice."""
    if not getattr(session.config.option, "loadgroup", False):
        return  # the tests run in one process, or it is the one that hands them out
    for item in session.items:
        for group in item.iter_markers("xdist_group"):
            assert item.nodeid.endswith(f"@{group.args[0]}"), item.nodeid


def pytest_sessionfinish() -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="module")
def new_app() -> Iterator[NewApp]:
    """Make installations of the app, with some sample photos and settings; not started yet."""
    apps = []

    def make(*photos: str, **settings: str | Path) -> App:
        folder = Path(tempfile.mkdtemp(dir=SCRATCH))
        app = App(
            folder,
            photos,
            {name: str(value) for name, value in settings.items()},
        )
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.clear_away()


@pytest.fixture(scope="session")
def tiny_clip() -> Path:
    """A CLIP with random weights, for laws that hold for any."""
    from tests.models import (
        save_tiny_clip,  # imports PyTorch, which takes seconds
    )

    if not TINY.exists():
        save_tiny_clip(TINY)
    return TINY


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A Postgres server for all tests of this process."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("pg_ctl")
    programs = installed[-1] if installed else Path(str(on_path)).parent
    folder = Path(tempfile.mkdtemp(prefix="image-search-postgres-"))
    # It refuses to run as root.
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        # Not `user=`, which forks: the threads of the stand-in's gRPC may crash a child.
        as_user = ["setpriv", "--reuid=postgres"]
    port = free_port()

    def run(*command: str) -> None:
        subprocess.run(
            [*as_user, programs / command[0], *command[1:]], check=True, cwd="/",
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    run("initdb", "--username=postgres", "--auth=trust", f"--pgdata={folder}")
    options = f"-p {port} -h 127.0.0.1 -k {folder}"
    log = f"--log={folder}/log"

    def start() -> None:
        run(
            "pg_ctl",
            "start",
            "--wait",
            f"--pgdata={folder}",
            f"--options={options}",
            log,
        )

    def stop() -> None:
        run("pg_ctl", "stop", f"--pgdata={folder}", "--mode=immediate")

    start()
    yield Postgres(programs, port, start, stop)
    stop()
    shutil.rmtree(folder)


def make_database(postgres_server: Postgres) -> str:
    """Make a new, empty database; returns its URL."""
    programs, port = postgres_server.programs, postgres_server.port
    database = f"test_{uuid.uuid4().hex}"
    address = ["--host=127.0.0.1", f"--port={port}", "--username=postgres"]
    subprocess.run([programs / "createdb", *address, database], check=True)
    return f"postgres://postgres@127.0.0.1:{port}/{database}"


def serve_qdrant() -> Iterator[dict[str, str]]:
    """The settings for a Qdrant server: the one at TEST_QDRANT_URL, or else a stand-in."""
    collection = {"QDRANT_COLLECTION": f"test_{uuid.uuid4().hex[:24]}"}
    if url := os.environ.get("TEST_QDRANT_URL"):
        key = os.environ.get("TEST_QDRANT_API_KEY", "")
        yield collection | {"QDRANT_URL": url, "QDRANT_API_KEY": key}
        return
    from tests.qdrant_standin import QdrantStandIn

    server = QdrantStandIn(api_key="a key")
    yield collection | {"QDRANT_URL": server.url, "QDRANT_API_KEY": "a key"}
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    """The URL of a new, empty database."""
    return make_database(postgres_server)


@pytest.fixture(scope="module")
def shared_postgres_url(postgres_server: Postgres) -> str:
    """That of one for all tests of a file."""
    return make_database(postgres_server)


@pytest.fixture
def qdrant_settings() -> Iterator[dict[str, str]]:
    """The settings for a Qdrant server, and a new collection there."""
    yield from serve_qdrant()


@pytest.fixture(scope="module")
def shared_qdrant_settings() -> Iterator[dict[str, str]]:
    """Those of one for all tests of a file."""
    yield from serve_qdrant()


@pytest.fixture(scope="session")
def s3() -> Iterator[CloudServer]:
    """A server of S3's protocol for all tests of this process."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def azure() -> Iterator[CloudServer]:
    """One of Azure's."""
    with azure_server() as server:
        yield server


@pytest.fixture
def s3_bucket(s3: CloudServer) -> CloudBucket:
    """An empty bucket."""
    return s3.new_bucket()


@pytest.fixture(params=["s3", "azure"])
def cloud_bucket(request: pytest.FixtureRequest) -> CloudBucket:
    """An empty bucket, of each kind of cloud."""
    server: CloudServer = request.getfixturevalue(request.param)
    return server.new_bucket()
