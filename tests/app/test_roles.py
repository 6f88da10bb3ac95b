"""Several processes are one search: some index places of their own, others only search."""

import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from qdrant_client import QdrantClient

from tests.harness import PHOTOS, App, NewApp, Postgres, eventually

HAS = {
    "one": ("cat.png", "coffee.png", "deep/flower.jpg"),
    "two": ("rocket.jpg", "motorcycle.jpg"),
}
ALL = tuple(
    f"{place}/{photo}" for place, photos in HAS.items() for photo in photos
)
SOON = 60


class Team(NamedTuple):
    """Two that index a place each, and one that searches, on one Qdrant and one Postgres."""

    one: App
    two: App
    search: App

    def finds(self, *photos: str) -> None:
        """The one that searches finds these photos, each once, and nothing else."""
        self.search.finds(*photos, within=SOON)

    def by_name(self, q: str) -> list[str]:
        """The photos that are called so, as the one that searches knows."""
        named = self.search.get("/search", q=q, limit=1).json()["named"]
        return [hit["filename"] for hit in named]


def put_photos(app: App, place: str) -> None:
    for photo in HAS[place]:
        app.add(Path(photo).name, photo)


@pytest.fixture(scope="module")
def team(
    new_app: NewApp,
    shared_qdrant_settings: dict[str, str],
    shared_postgres_url: str,
) -> Iterator[Team]:
    """Each test leaves it as it was."""
    search = new_app(ROLE="search", **shared_qdrant_settings)
    apps = {}
    for place in HAS:
        apps[place] = app = new_app(
            ROLE="index",
            COCOINDEX_DATABASE_URL=shared_postgres_url,
            REFRESH_SECONDS="2",
            **shared_qdrant_settings,
        )
        app.env["IMAGE_DIR"] = f"{place}={app.img}"
        put_photos(app, place)
    one, two = apps["one"], apps["two"]
    # It has the files of one place alone.
    search.env["IMAGE_DIR"] = f"one={one.img}:two={search.img}/away"
    search.start()
    for path in ("/health", "/search?q=cat", "/search"):
        answer = search.get(path)
        assert answer.status_code == 503
        assert "ROLE=index" in answer.json()["detail"]
    one.begin()
    two.begin()  # they set up at the same moment
    found = Team(one, two, search)
    found.finds(*ALL)
    eventually(lambda: search.get("/health").status_code == 200, SOON)
    yield found
    for app in found:
        app.stop()


def answers_of(app: App, **params: Any) -> list[tuple[str, float]]:
    found = app.get("/search", limit=100, **params).json()["results"]
    return [(hit["filename"], hit["score"]) for hit in found]


def test_it_answers_as_one_app_would(
    team: Team, new_app: NewApp, qdrant_settings: dict[str, str]
) -> None:
    """The same results and scores as from one app that has both places."""
    whole = new_app(**qdrant_settings)
    places = {"one": team.one, "two": team.two}
    whole.env["IMAGE_DIR"] = ":".join(
        f"{name}={app.img}" for name, app in places.items()
    )
    whole.start().finds(*ALL)
    for asked in (
        {"q": "a cup of coffee"},
        {"q": "an animal", "minus": "a cat"},
        {"like": "two/rocket.jpg"},
        {"q": "a vehicle", "folder": "two"},
        {"sort": "oldest"},
    ):
        assert answers_of(team.search, **asked) == answers_of(whole, **asked)
    photo = (PHOTOS / "cat.png").read_bytes()
    both = [
        app.http.post("/search", content=photo).json()["results"]
        for app in (team.search, whole)
    ]
    assert both[0] == both[1]
    folders = [app.get("/folders").json() for app in (team.search, whole)]
    assert folders[0] == folders[1]
    whole.stop()


def test_a_process_that_searches_opens_nothing_else(team: Team) -> None:
    """No Postgres, no table of CocoIndex's, no cache; a photo that is sent loads what it needs."""
    search = team.search
    search.stop()
    search.start()
    eventually(lambda: search.get("/search", q="cat").is_success)
    assert search.programs("postgres") == []
    assert search.children() == []
    assert search.get("/thumb/one/cat.png").status_code == 200
    assert {path.name for path in search.data.iterdir()} <= {"thumbs"}
    decoders = search.children()
    photo = (PHOTOS / "cat.png").read_bytes()
    found = search.http.post("/search", content=photo).json()["results"]
    assert found[0]["filename"] == "one/cat.png"
    assert len(search.children()) > len(decoders)


def test_files_come_from_where_they_are(team: Team) -> None:
    """Photos whose folder the machine has are served; of others it is said what is to be done."""
    search = team.search
    photo = search.get("/img/one/cat.png")
    assert photo.content == (PHOTOS / "cat.png").read_bytes()
    for path in ("/img/two/rocket.jpg", "/thumb/two/rocket.jpg"):
        missing = search.get(path)
        assert missing.status_code == 404
        assert "mount the folder of photos here too" in missing.text
    # It lies there, but is not in the index.
    (team.one.img / ".hidden.jpg").write_bytes(photo.content)
    assert search.get("/img/one/.hidden.jpg").status_code == 404
    (team.one.img / ".hidden.jpg").unlink()


def test_what_is_added_is_found_and_told(team: Team) -> None:
    """A photo added in either place is found within seconds, by its name too; an open page hears."""
    heard = []

    def listen() -> None:
        with team.search.http.stream("GET", "/status/events") as events:
            for line in events.iter_lines():
                if line.startswith("data:"):
                    heard.append(json.loads(line[5:]))
                if heard and heard[-1]["photos"] == len(ALL) + 2:
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    team.one.add("motorcycle.jpg", "Zanzibar.jpg", alike=False)
    team.two.add("cat.png", "Timbuktu.png", alike=False)
    team.finds(*ALL, "one/Zanzibar.jpg", "two/Timbuktu.png")
    listener.join(SOON)
    assert not listener.is_alive()
    assert heard[-1]["state"] == "ready"
    assert heard[-1]["waiting"] == 0
    eventually(lambda: team.by_name("zanzibar") == ["one/Zanzibar.jpg"], SOON)
    assert team.by_name("timbuktu") == ["two/Timbuktu.png"]
    (team.one.img / "Zanzibar.jpg").unlink()
    (team.two.img / "Timbuktu.png").unlink()
    team.finds(*ALL)
    eventually(lambda: team.by_name("zanzibar") == [], SOON)


def test_each_says_what_it_is_for(team: Team) -> None:
    """One that indexes answers no search, one that searches indexes nothing: both say who does."""
    asked = team.one.get("/search", q="cat")
    assert asked.status_code == 503
    assert "ROLE=search" in asked.json()["detail"]
    assert team.one.get("/health").status_code == 200
    status = team.one.status()
    assert [place["name"] for place in status["places"]] == ["one"]
    assert status["photos"] == len(HAS["one"])
    retry = team.search.http.post("/status/retry")
    assert retry.status_code == 503
    assert "ROLE=index" in retry.json()["detail"]
    assert team.search.status()["places"] == []
    metrics = team.search.get("/metrics").text
    assert f'image_search_photos{{state="indexed"}} {len(ALL)}.0' in metrics


def while_searching(app: App, work: Callable[[], None]) -> list[int]:
    """Do some work while searches go on; returns the status codes of their answers."""
    codes = []
    is_done = threading.Event()

    def search() -> None:
        while not is_done.is_set():
            answer = app.get("/search", q="cat")
            whole = answer.is_success and len(answer.json()["results"]) >= len(
                ALL
            )
            codes.append(answer.status_code if whole else 0)

    thread = threading.Thread(target=search)
    thread.start()
    try:
        work()
    finally:
        is_done.set()
        thread.join()
    return codes


def test_any_of_them_may_be_killed(team: Team) -> None:
    """Kill -9 of each in turn: nothing is lost or there twice, and searches go on meanwhile."""

    def kill_the_indexers() -> None:
        for app, place in ((team.one, "one"), (team.two, "two")):
            app.add(
                "astronaut.jpg"
                if (PHOTOS / "astronaut.jpg").exists()
                else "cat.png",
                "new.png",
                alike=False,
            )
            app.kill()
            app.start()
            team.finds(*ALL, f"{place}/new.png")
            (app.img / "new.png").unlink()
            team.finds(*ALL)

    codes = while_searching(team.search, kill_the_indexers)
    assert {*codes} == {200}
    team.search.kill()
    team.one.add("rocket.jpg", "new.jpg")
    team.search.start()
    team.finds(*ALL, "one/new.jpg")
    (team.one.img / "new.jpg").unlink()
    team.finds(*ALL)


def test_a_lost_collection_is_filled_by_both(
    team: Team, shared_qdrant_settings: dict[str, str]
) -> None:
    """Both find it lost at once: it is made once, and filled with the photos of each."""
    settings = shared_qdrant_settings
    url, name = settings["QDRANT_URL"], settings["QDRANT_COLLECTION"]
    with warnings.catch_warnings(action="ignore"):  # a key without TLS
        qdrant = QdrantClient(
            url,
            grpc_port=urlsplit(url).port or 6334,
            prefer_grpc=True,
            api_key=settings["QDRANT_API_KEY"] or None,
            check_compatibility=False,
        )
    qdrant.delete_collection(name)
    qdrant.close()

    def is_whole() -> bool:
        # Never an empty answer meanwhile.
        answer = team.search.get("/search", limit=100)
        assert answer.status_code == 503 or answer.json()["results"]
        return answer.is_success and len(answer.json()["results"]) == len(ALL)

    eventually(is_whole, SOON)
    team.finds(*ALL)


def test_postgres_may_restart(team: Team, postgres_server: Postgres) -> None:
    """Searches go on without it; both that index have their places again, and go on."""

    def restart() -> None:
        postgres_server.stop()
        team.one.add("rocket.jpg", "new.jpg")
        said = "COCOINDEX_DATABASE_URL can't be used"
        for app in (team.one, team.two):
            eventually(lambda: said in (app.status()["last_error"] or ""))  # noqa: B023
        postgres_server.start()
        team.finds(*ALL, "one/new.jpg")
        for app in (team.one, team.two):
            eventually(lambda: app.status()["last_error"] is None)  # noqa: B023

    assert {*while_searching(team.search, restart)} == {200}
    (team.one.img / "new.jpg").unlink()
    team.two.add("cat.png", "new.png", alike=False)
    team.finds(*ALL, "two/new.png")
    (team.two.img / "new.png").unlink()
    team.finds(*ALL)


def test_a_place_is_indexed_by_one(team: Team, new_app: NewApp) -> None:
    """Another process with the same place, or one without a name, or its DATA_DIR, does not start."""
    other = new_app()
    other.env = team.one.env | {"DATA_DIR": str(other.data)}
    said = other.refuses_to_start()
    assert "IMAGE_DIR's place one is indexed by another process" in said
    assert str(team.one.process and team.one.process.pid) in said
    other.env["IMAGE_DIR"] = str(other.img)
    assert "photos of other places (one, two): give" in other.refuses_to_start()
    same = new_app()
    same.env = team.one.env | {"IMAGE_DIR": f"three={same.img}"}
    assert "give each app that does a DATA_DIR" in same.refuses_to_start()
    # With a Postgres of its own it knows nothing of the others.
    alone = new_app()
    alone.env = team.one.env | {
        "DATA_DIR": str(alone.data),
        "COCOINDEX_DATABASE_URL": "",
        "IMAGE_DIR": f"three={alone.img}",
    }
    assert (
        "of which CocoIndex's database knows nothing"
        in alone.refuses_to_start()
    )
    team.finds(*ALL)


def test_another_model_is_refused(
    team: Team, new_app: NewApp, tiny_clip: Path
) -> None:
    """What another model made can't be searched: the start says so."""
    other = new_app()
    other.env = team.search.env | {"CLIP_MODEL": str(tiny_clip)}
    assert "CLIP_MODEL" in other.refuses_to_start()


def test_without_a_server_nothing_is_searched(new_app: NewApp) -> None:
    """The embedded store is one process's alone."""
    said = new_app(ROLE="search").refuses_to_start()
    assert "ROLE=search needs QDRANT_URL" in said


def workers(app: App) -> tuple[str, ...]:
    uvicorn = Path(sys.executable).with_name("uvicorn")
    return str(uvicorn), "main:app", "--workers=2", f"--port={app.port}"


def test_several_workers_search(team: Team, new_app: NewApp) -> None:
    """`uvicorn --workers 2` has two processes that answer, each with counts of its own."""
    app = new_app()
    app.env = team.search.env | {"DATA_DIR": str(app.data)}
    app.start(*workers(app))
    eventually(lambda: app.get("/health").status_code == 200)
    started = set()

    def ask(_: int) -> None:
        assert sorted(app.photos()) == sorted(ALL)
        for line in app.get("/metrics").text.splitlines():
            if line.startswith("image_search_seconds_created "):
                started.add(line)

    def both_answer() -> bool:
        # One by one they would all come to whoever was asked last.
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(16)))
        return len(started) == 2

    eventually(both_answer)
    app.stop()


@pytest.mark.parametrize("embedded", [True, False])
def test_several_workers_do_not_index(
    new_app: NewApp,
    tiny_clip: Path,
    qdrant_settings: dict[str, str],
    postgres_url: str,
    *,
    embedded: bool,
) -> None:
    """With another role the start of several ends, and says why."""
    servers = qdrant_settings | {"COCOINDEX_DATABASE_URL": postgres_url}
    app = new_app(
        "cat.png", CLIP_MODEL=tiny_clip, **({} if embedded else servers)
    )
    app.begin(*workers(app)).wait(120)
    assert "--workers need ROLE=search" in app.log.read_text()
