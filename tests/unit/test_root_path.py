"""The path of its host below which the app answers."""

from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import ValidationError

from image_search.root_path import (
    OWN_SEGMENTS,
    RootPathMiddleware,
    parse_root_path,
    path_below_root,
)
from image_search.settings import Settings
from tests.harness import ROOT


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("/", ""),
        ("/photos", "/photos"),
        ("/photos/", "/photos"),
        (" /photos// ", "/photos"),
        ("/our/photos", "/our/photos"),
        ("/~me/photos-2.0", "/~me/photos-2.0"),
    ],
)
def test_a_slash_at_the_end_is_forgiven(text: str, path: str) -> None:
    """However it is written, the root path is one thing; the host's root is none."""
    assert parse_root_path(text) == path
    assert Settings(root_path=text).root_path == path


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("photos", "has to begin with /"),
        ("https://example.org/photos", "has to begin with /"),
        ("/photos?q=cat", "a path alone"),
        ("/photos#top", "a path alone"),
        ("//photos", "a path alone"),
        ("/our//photos", "a path alone"),
        ("/../photos", "a path alone"),
        ("/./photos", "a path alone"),
        ("/my photos", "a path alone"),
        ("/my%20photos", "a path alone"),
        ("/a\nb", "a path alone"),
        ("/img", "choose another path"),
        ("/search/photos", "choose another path"),
    ],
)
def test_a_wrong_root_path_is_refused(text: str, hint: str) -> None:
    """What is no path, or could be taken for an address of the app's own, is named."""
    with pytest.raises(ValidationError, match=hint) as refused:
        Settings(root_path=text)
    assert refused.value.errors()[0]["loc"] == ("root_path",)


def test_the_apps_own_addresses_are_known() -> None:
    """No root path may begin as any route of the app does, or as the page's code."""
    import main

    routes = main.app.openapi()["paths"]
    firsts = {path.split("/")[1] for path in routes}
    others = {"assets", "docs", "img", "mcp", "openapi.json"}
    assert firsts | others == OWN_SEGMENTS


def asked_by(root_path: str, server_root: str = "") -> TestClient:
    """An app that tells what it was asked for, a mounted one in it, and a page."""
    app = FastAPI()

    def told(request: Request) -> dict[str, Any]:
        scope = request.scope
        return {
            "path": scope["path"],
            "root": scope["root_path"],
            "below": path_below_root(scope),
            "params": scope["path_params"],
        }

    inner = FastAPI(openapi_url=None)
    inner.add_api_route("/{name:path}", told)
    app.add_api_route("/status", told)
    app.add_api_route("/thumb/{name:path}", told)
    app.mount("/img", inner)
    app.frontend("/", directory=ROOT / "frontend" / "public", fallback=None)
    app.add_middleware(RootPathMiddleware, root_path=root_path)
    return TestClient(app, root_path=server_root)


@pytest.mark.parametrize("before", ["", "/photos"])
def test_it_answers_whether_the_proxy_strips_the_path_or_not(
    before: str,
) -> None:
    """With the root path and without it a request is the same one."""
    client = asked_by("/photos")
    told = client.get(f"{before}/status").json()
    assert told["path"] == "/photos/status"
    assert told["root"] == "/photos"
    assert told["below"] == "/status"
    for name in ("photos/cat.jpg", "photos", "a/photos/b.jpg"):
        told = client.get(f"{before}/thumb/{name}").json()
        assert told["params"]["name"] == name
        assert client.get(f"{before}/img/{name}").json()["params"] == {
            "name": name
        }
    assert client.get(f"{before}/icon.svg").is_success
    assert client.get(f"{before}/nothing").status_code == 404


def test_what_only_begins_alike_is_another_path() -> None:
    """/photos2 is not below /photos."""
    told = asked_by("/thumb").get("/thumbs/x")
    assert told.status_code == 404
    found = asked_by("/thu").get("/thumb/x").json()
    assert found["params"] == {"name": "x"}
    assert found["path"] == "/thu/thumb/x"


@pytest.mark.parametrize("before", ["", "/photos"])
def test_the_servers_own_option_is_no_second_one(before: str) -> None:
    """Where uvicorn's --root-path says the same it is said once."""
    client = asked_by("/photos", server_root="/photos")
    assert client.get(f"{before}/status").json()["path"] == "/photos/status"


def test_without_it_nothing_changes() -> None:
    """At the host's root a request reaches the app as it came."""
    told = asked_by("").get("/status").json()
    assert (told["path"], told["root"], told["below"]) == (
        "/status",
        "",
        "/status",
    )
    assert asked_by("").get("/photos/status").status_code == 404


def test_its_description_says_where_it_lies() -> None:
    """/docs and openapi.json lead below the root path."""
    for before in ("", "/photos"):
        client = asked_by("/photos")
        docs = client.get(f"{before}/docs").text
        assert "'/photos/openapi.json'" in docs
        described = client.get(f"{before}/openapi.json").json()
        assert described["servers"] == [{"url": "/photos"}]
