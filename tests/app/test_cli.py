"""The commands of the tutorial: cocoindex setup, update, show, server, drop; uvicorn --reload."""

import json
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from qdrant_client import QdrantClient, models

from image_search.points import PAYLOAD_INDEXES
from tests.harness import (
    COCOINDEX,
    STARTER,
    App,
    NewApp,
    copy_code,
    eventually,
    free_port,
)
from tests.qdrant_standin import QdrantStandIn


def query_by_cocoinsight(app: App, *queries: str) -> list[list[str]]:
    """Start `cocoindex server -ci main`, ask it as CocoInsight does, and stop it.

    Returns the photos that each query found.
    """
    address = f"127.0.0.1:{free_port()}"
    program = sys.executable, str(COCOINDEX)
    command = "server", "-ci", "--address", address, "main"
    with app.log.open("ab") as log:
        server = app.fork((*program, *command), app.env, log, log)
    api = f"http://{address}/cocoindex/api/flows"
    origin = {"Origin": "https://cocoindex.io"}
    flows = eventually(lambda: app.http.get(api, headers=origin))
    assert flows.headers["access-control-allow-origin"] == origin["Origin"]
    [flow] = flows.json()
    assert flow.endswith(".ImageSearch")
    handler = f"{api}/{flow}/queryHandlers/query_photos"
    found = []
    for query in queries:
        answer = app.http.get(handler, params={"query": query}, timeout=60)
        assert answer.status_code == 200, answer.text
        found.append(
            [dict(hit)["filename"] for hit in answer.json()["results"]]
        )
    server.send_signal(signal.SIGINT)
    assert server.wait(15) == 0
    return found


OPAQUE_ALIASES = """
import numpy.typing
from typing import Any, TypeVar
from typing_extensions import TypeAliasType
S = TypeVar("S")
array = numpy.ndarray[tuple[Any, ...], numpy.dtype[S]]
numpy.typing.NDArray = TypeAliasType("NDArray", array, type_params=(S,))
"""


def test_the_flow_stands_on_no_alias_of_numpys(
    new_app: NewApp, tmp_path: Path
) -> None:
    """CocoIndex can read the flow's types also where numpy's NDArray is a `type` statement.

    That is what pip meets with Python 3.12 and newer: numpy 2.5.
    """
    (tmp_path / "sitecustomize.py").write_text(OPAQUE_ALIASES)
    app = new_app("cat.png")
    app.env["PYTHONPATH"] = str(tmp_path)
    show = app.cli("show", "main")
    assert show.returncode == 0, show.stderr
    assert "images[].embedded" in show.stdout


@pytest.mark.parametrize("stores", ["embedded", "servers"])
def test_command_line(
    new_app: NewApp,
    stores: str,
    qdrant_settings: dict[str, str],
    postgres_url: str,
) -> None:
    """Setup, update, show, server -ci and drop do what they say, with both kinds of store."""
    servers = qdrant_settings | {"COCOINDEX_DATABASE_URL": postgres_url}
    settings = servers if stores == "servers" else {}
    app = new_app("cat.png", "coffee.png", "rocket.jpg", **settings)

    setup = app.cli("setup", "--force", "main")
    assert setup.returncode == 0, setup.stderr
    assert "Done for flow" in setup.stdout

    update = app.cli("update", "main")
    assert update.returncode == 0, update.stderr
    assert "3 added" in update.stdout

    show = app.cli("show", "main")
    assert "images[].embedded" in show.stdout
    assert "LocalFile" in show.stdout

    # A query of any length is answered, and none stands for the newest photos.
    queries = "a cup of coffee", "a cup of coffee, " * 200, "  "
    words, many_words, no_words = query_by_cocoinsight(app, *queries)
    assert words[0] == many_words[0] == "coffee.png"
    assert len(no_words) == 3

    drop = app.cli("drop", "--force", "main")
    assert drop.returncode == 0, drop.stderr
    # All of it is made anew.
    app.start().finds("cat.png", "coffee.png", "rocket.jpg")
    app.stop()
    eventually(lambda: not app.processes(), within=15)


def test_with_servers_a_data_dir_is_shared(
    new_app: NewApp, qdrant_settings: dict[str, str], postgres_url: str
) -> None:
    """DATA_DIR is one process's for its embedded stores: without any, others may use it.

    But one alone indexes a collection by what is noted there.
    """
    servers = qdrant_settings | {"COCOINDEX_DATABASE_URL": postgres_url}
    app = new_app("cat.png", **servers).start()
    app.finds("cat.png")
    assert not (app.data / "pid").exists()
    second = new_app()
    second.env |= {name: app.env[name] for name in app.env if name != "PORT"}
    assert f"{app.data} is in use by process" in second.refuses_to_start()
    second.env["ROLE"] = "search"
    second.start().finds("cat.png")
    app.add("coffee.png", "coffee.png")
    for one in (app, second):
        one.finds("cat.png", "coffee.png")
    assert app.cli("update", "main").returncode == 0
    second.stop()
    app.finds("cat.png", "coffee.png")
    app.stop()


def test_a_store_in_use_is_left_alone(new_app: NewApp) -> None:
    """With the app running a second writer fails at once: which process, and what to do."""
    app = new_app("cat.png").start()
    app.finds("cat.png")
    assert app.process is not None
    holder = f"is in use by process {app.process.pid}"
    for command in (["update", "main"], ["drop", "--force", "main"]):
        second = app.cli(*command)
        assert second.returncode != 0
        last = second.stderr.strip().splitlines()[-1]
        assert holder in last
        advice = "stop it first, or set QDRANT_URL and COCOINDEX_DATABASE_URL"
        assert advice in last
    assert holder in app.refuses_to_start()
    app.add("coffee.png", "coffee.png")
    # What was refused has taken nothing away.
    app.finds("cat.png", "coffee.png")
    app.stop()


@pytest.mark.parametrize("server", ["unreachable", "foreign"])
def test_a_qdrant_that_is_not_ours_is_left_alone(
    new_app: NewApp, server: str
) -> None:
    """No server, or a collection that someone else made: one sentence, twice, and nothing lost."""
    qdrant = QdrantStandIn()
    shape = {
        "theirs": models.VectorParams(size=4, distance=models.Distance.DOT)
    }
    qdrant.qdrant.create_collection("image_search", vectors_config=shape)
    if server == "unreachable":
        qdrant.stop()
    app = new_app("cat.png", QDRANT_URL=qdrant.url)
    # CocoIndex itself refuses a foreign one once, and replaces it the next time.
    for _ in range(2 if server == "foreign" else 1):
        setup = app.cli("setup", "--force", "main")
        assert setup.returncode == 1
        assert "Traceback" not in setup.stderr
        said = (
            "no vector of the name embedding (it has theirs)"
            if server == "foreign"
            else f"{qdrant.url} does not answer: connection refused"
        )
        assert said in setup.stderr
    if server == "foreign":
        assert (
            "collection image_search was not made by this app"
            in app.refuses_to_start()
        )
    assert (
        qdrant.qdrant.get_collection("image_search").config.params.vectors
        == shape
    )
    qdrant.stop()


def as_it_was_made(
    config: models.CollectionConfig,
) -> models.CollectionConfig:
    """All that a person set: the app has noted the model of its vectors."""
    assert "image_search_model" in (config.metadata or {})
    return config.model_copy(update={"metadata": None})


@pytest.mark.filterwarnings("ignore:Api key is used")
def test_the_tutorials_collection_is_taken(
    new_app: NewApp, qdrant_settings: dict[str, str], postgres_url: str
) -> None:
    """One that a person made, with settings of their own, is filled, and keeps its settings."""
    app = new_app(
        "cat.png",
        "coffee.png",
        **qdrant_settings,
        COCOINDEX_DATABASE_URL=postgres_url,
    )
    url, name = app.env["QDRANT_URL"], app.env["QDRANT_COLLECTION"]
    client = QdrantClient(
        url,
        grpc_port=urlsplit(url).port or 6334,
        prefer_grpc=True,
        api_key=app.env["QDRANT_API_KEY"] or None,
        check_compatibility=False,
    )
    starter = json.loads((STARTER / "config.json").read_text())
    vector = models.VectorParams(
        size=starter["projection_dim"],
        distance=models.Distance.COSINE,
        on_disk=True,
    )

    def make_collection() -> models.CollectionConfig:
        client.create_collection(name, {"embedding": vector}, shard_number=2)
        return client.get_collection(name).config

    config = make_collection()
    for command in ("setup", "update"):
        run = app.cli(command, "--force", "main")
        assert run.returncode == 0, run.stderr
    assert "2 added" in run.stdout
    info = client.get_collection(name)
    assert as_it_was_made(info.config) == config
    assert {*info.payload_schema} == {*PAYLOAD_INDEXES}
    assert client.count(name).count == 2
    app.start().finds("cat.png", "coffee.png")
    app.stop()
    assert as_it_was_made(client.get_collection(name).config) == config

    # It is the app's by then, to drop as well; and the app takes one just as setup does.
    drop = app.cli("drop", "--force", "main")
    assert drop.returncode == 0, drop.stderr
    assert not client.collection_exists(name)
    config = make_collection()
    app.start().finds("cat.png", "coffee.png")
    app.add("rocket.jpg", "rocket.jpg")
    app.finds("cat.png", "coffee.png", "rocket.jpg")
    app.stop()
    assert as_it_was_made(client.get_collection(name).config) == config
    client.delete_collection(name)
    client.close()


def test_the_tutorials_uvicorn_command(new_app: NewApp, tmp_path: Path) -> None:
    """`uvicorn main:app --reload --host 0.0.0.0` serves, reloads changed code, and stops clean."""
    project = tmp_path / "project"
    project.mkdir()
    copy_code(project)
    app = new_app("cat.png")
    port = ("--port", str(app.port))
    app.start(
        sys.executable, "-m", "uvicorn", "main:app", "--reload", "--host", "0.0.0.0", *port,  # noqa: S104
        cwd=project,
    )  # fmt: skip
    app.finds("cat.png")
    code = (project / "main.py").read_text()
    (project / "main.py").write_text(
        code.replace('title="Image search"', 'title="Reloaded"')
    )

    def has_reloaded() -> bool:
        return bool(
            app.get("/openapi.json").json()["info"]["title"] == "Reloaded"
        )

    eventually(has_reloaded)
    app.finds("cat.png")
    app.stop(signal.SIGINT)
    eventually(lambda: not app.processes(), within=15)
