"""The HTTP API: what it answers, what it refuses, and what it never serves."""

import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from image_search.kinds import KINDS
from tests.harness import PHOTOS, ROOT, App, NewApp, eventually, names

SAMPLES = tuple(sorted(p.name for p in PHOTOS.iterdir() if p.suffix in KINDS))


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    """The app with the starter model on all sample photos, and some files that are none."""
    app = new_app(*SAMPLES)
    app.add("cat.png", "#1 50%? Ünïcode & 'quotes'.png")
    app.add("cat.png", ".hidden/cat.png")
    (app.img / "page.html").write_text("<script>alert(1)</script>")
    (app.img / "link.png").symlink_to(ROOT / "main.py")
    shutil.copy(PHOTOS / "cat.png", app.img.with_name("secret.png"))
    (app.img / "outside.png").symlink_to(app.img.with_name("secret.png"))
    app.start()
    app.finds(*SAMPLES, "#1 50%? Ünïcode & 'quotes'.png")
    yield app
    app.stop()


@pytest.mark.parametrize(
    ("query", "photo"),
    [("a cup of coffee", "coffee.png"), ("cat", "cat.png"), ("motorcycle", "motorcycle.jpg"),
     ("rocket launch", "rocket.jpg"), ("flower", "flower.jpg"), ("a Chinese temple", "temple.jpg")],
)  # fmt: skip
def test_words_find_their_photo(app: App, query: str, photo: str) -> None:
    """What a sample photo shows finds that photo first."""
    first = names(app.search(query))[0]
    assert first == photo or (
        photo == "cat.png" and first.endswith("'quotes'.png")
    )


def test_answer_has_the_documented_shape(app: App) -> None:
    """{"results": [{"filename", "score"}]}, best first, no more than asked, cosines."""
    for limit in (1, 3, 100):
        body = app.get("/search", q="a cup of coffee", limit=limit).json()
        assert {"results", "more", "total"} <= {*body}
        scores = [hit["score"] for hit in body["results"]]
        assert len(scores) == min(limit, len(SAMPLES) + 1)
        assert scores == sorted(scores, reverse=True)
        assert all(-1 <= score <= 1.000001 for score in scores)
        assert all(
            {"filename", "score"} <= hit.keys() for hit in body["results"]
        )
    assert (
        len(app.get("/search", q="cat").json()["results"]) == len(SAMPLES) + 1
    )


@pytest.mark.parametrize(
    "params",
    [{"q": ""}, {"q": "  \t"}, {"q": "x" * 1001}, {"limit": 0}, {"limit": 101}, {"limit": "many"},
     {"limit": -1}, {"offset": -1}, {"cutoff": 1.1}, {"sort": "oldst"}, {"after": "May"},
     {"before": "2024-13-01"}, {"minus": " "}, {"minus": ["no"] * 11}, {"query": "cat"}],
)  # fmt: skip
def test_bad_parameters_are_refused(app: App, params: dict[str, Any]) -> None:
    """What cannot be meant, or is not known, gets 422, which says where."""
    for response in (
        app.get("/search", **params),
        app.http.post(
            "/search", params=params, content=(PHOTOS / "cat.png").read_bytes()
        ),
    ):
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"][:2] == [
            "query",
            next(iter(params)),
        ]


def test_every_hit_is_served(app: App) -> None:
    """/img/<filename> is each found photo's own file, with its type, whatever its name."""
    for name in names(app.search("photo")):
        response = app.get(f"/img/{quote(name)}")
        assert response.status_code == 200, name
        assert response.content == (app.img / name).read_bytes()
        kind = KINDS["." + name.rpartition(".")[2]]
        assert response.headers["content-type"] == kind.mime
        again = {"If-None-Match": response.headers["etag"]}
        assert app.http.get(response.url, headers=again).status_code == 304


@pytest.mark.parametrize(
    "path",
    ["page.html", ".hidden/cat.png", "link.png", "no.png", "../main.py", "%2e%2e/main.py",
     "..%2f..%2fimg/cat.png", "/etc/passwd", "", "%00.png", "../secret.png", "outside.png",
     "%2e%2e/secret.png", "..%2fsecret.png", ".hidden/../../secret.png"],
)  # fmt: skip
@pytest.mark.parametrize("route", ["img", "thumb"])
def test_nothing_else_is_served(app: App, path: str, route: str) -> None:
    """No file that is no photo, or hidden, or outside the folder, is served, ask as you may."""
    with httpx.Client() as client:
        request = client.build_request("GET", f"{app.url}/{route}/x")
        request.url = request.url.copy_with(
            raw_path=f"/{route}/{path}".encode()
        )
        response = client.send(request)
    assert response.status_code == 404


def test_api_describes_itself(app: App) -> None:
    """/docs and the OpenAPI document are there, with the search, its limits and its answer."""
    assert app.get("/docs").status_code == 200
    openapi = app.get("/openapi.json").json()
    parameters = {
        p["name"]: p for p in openapi["paths"]["/search"]["get"]["parameters"]
    }
    assert not parameters["q"]["required"]
    assert parameters["limit"]["schema"]["maximum"] == 100
    assert {"filename", "score"} <= openapi["components"]["schemas"]["Hit"][
        "properties"
    ].keys()


def test_health_follows_readiness(new_app: NewApp) -> None:
    """503 with a reason until a search can be answered, then 200; never an empty list before."""
    app = new_app(*SAMPLES)
    for number in range(30):  # they take a while
        app.add("cat.png", f"cats/{number}.png", alike=False)
    app.start()
    photos = len(SAMPLES) + 30
    seen = []

    def is_healthy() -> bool:
        health, search = app.get("/health"), app.get("/search", q="cat")
        seen.append(health.status_code)
        assert search.status_code in (200, 503)
        if search.status_code == 200:
            assert search.json()["results"]
        if health.status_code == 503:
            assert re.search(
                rf"indexed, \d+ of {photos} so far",
                health.json()["detail"],
            )
        return health.status_code == 200

    eventually(is_healthy)
    assert seen[0] == 503
    assert app.get("/health").json() == {"status": "ok"}
    assert app.http.head("/health").status_code == 200
    app.stop()
