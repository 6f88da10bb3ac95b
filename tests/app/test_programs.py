"""What programs ask the app for: MCP, CSV, and the whole index."""

import base64
import csv
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from mcp import Client, types
from PIL import Image

from tests import assistant
from tests.harness import App, NewApp

LOCK = ("", "a secret")
PHOTOS = ("cat.png", "coffee.png", "rocket.jpg", "temple.jpg")


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    """An app behind a password, below a path of its host."""
    app = new_app(*PHOTOS, PASSWORD=LOCK[1], ROOT_PATH="/photos")
    (app.img / "broken.jpg").write_text("no photo\n")
    app.http.auth = httpx.BasicAuth(*LOCK)
    app.add("cat.png", "=1+1.png")
    app.start()
    app.finds(*PHOTOS, "=1+1.png")
    yield app
    app.stop()


def ask(
    app: App,
    question: Callable[[Client], Awaitable[Any]],
    auth: tuple[str, str] | None = LOCK,
) -> Any:
    return assistant.ask(f"{app.url}/photos/mcp", question, auth)


def call(app: App, tool: str, **arguments: Any) -> types.CallToolResult:
    return assistant.call(f"{app.url}/photos/mcp", tool, LOCK, **arguments)


def told(result: types.CallToolResult) -> Any:
    """What the first part of an answer says."""
    assert not result.is_error, result
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return json.loads(first.text)


def pictures(result: types.CallToolResult) -> list[Image.Image]:
    found: list[Image.Image] = []
    for part in result.content:
        if isinstance(part, types.ImageContent):
            assert part.mime_type == "image/jpeg"
            data = io.BytesIO(base64.b64decode(part.data))
            found.append(Image.open(data))
    return found


def why(result: types.CallToolResult) -> str:
    assert result.is_error
    [part] = result.content
    assert isinstance(part, types.TextContent)
    return part.text


def test_the_tools_describe_themselves(app: App) -> None:
    """Three tools, which only read; each argument says what it is."""
    found = ask(app, lambda client: client.list_tools()).tools
    names = [tool.name for tool in found]
    assert names == ["search_photos", "similar_photos", "get_photo"]
    for tool in found:
        assert tool.description
        assert tool.annotations
        assert tool.annotations.read_only_hint
        described = tool.input_schema["properties"].values()
        assert any("description" in one for one in described)


def test_words_find_photos_and_pictures(app: App) -> None:
    """The same photos in the same order as by curl, and pictures of the first ones."""
    result = call(app, "search_photos", query="a cup of coffee", pictures=2)
    photos = told(result)["photos"]
    names = [photo["filename"] for photo in photos]
    assert names[0] == "coffee.png"
    answer = app.get("/photos/search", q="a cup of coffee").json()
    assert names == [hit["filename"] for hit in answer["results"]]
    shown = pictures(result)
    assert len(shown) == 2
    assert all(max(one.size) == 256 for one in shown)


def test_what_a_photo_is_like(app: App) -> None:
    """Others are found by it, and never itself."""
    result = call(app, "similar_photos", filenames=["cat.png"], pictures=0)
    names = [photo["filename"] for photo in told(result)["photos"]]
    assert names[0] == "=1+1.png"
    assert "cat.png" not in names
    assert not pictures(result)


def test_a_photo_is_shown(app: App) -> None:
    """As large as asked, with what is known of it."""
    result = call(app, "get_photo", filename="rocket.jpg", size="512")
    assert told(result)["filename"] == "rocket.jpg"
    assert told(result)["width"] > 0
    [shown] = pictures(result)
    assert max(shown.size) == 512


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("search_photos", {"query": " "}, "query: write a word"),
        ("search_photos", {}, "query: it has to be given"),
        ("search_photos", {"query": "cat", "limit": 0}, "limit: write 1 or"),
        ("search_photos", {"query": "cat", "after": "May"}, "write a date"),
        ("similar_photos", {"filenames": []}, "at least"),
        ("similar_photos", {"filenames": ["gone.jpg"]}, "gone.jpg"),
        ("get_photo", {"filename": "gone.jpg"}, "gone.jpg"),
        ("get_photo", {"filename": "broken.jpg"}, "can't be read"),
        ("get_photo", {"filename": "../secret.png"}, "secret.png"),
        ("delete_photo", {"filename": "cat.png"}, "search_photos"),
    ],
)
def test_what_is_wrong_is_said(
    app: App, tool: str, arguments: dict[str, Any], words: str
) -> None:
    """A program reads what to do otherwise; nothing breaks."""
    assert words in why(call(app, tool, **arguments))


def test_nobody_asks_without_the_password(app: App) -> None:
    """It guards /mcp as it guards the page."""
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for auth in (None, ("", "a guess")):
        answer = httpx.post(f"{app.url}/photos/mcp", json=question, auth=auth)
        assert answer.status_code == 401


def test_results_as_a_table(app: App) -> None:
    """The photos of an answer as CSV, which says where it goes on; no name is a formula."""
    asked: dict[str, Any] = {"q": "cat", "limit": 3}
    hits = app.get("/photos/search", **asked).json()["results"]
    table = app.get("/photos/search", format="csv", **asked)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = [*csv.DictReader(io.StringIO(table.text, newline=""))]
    names = [hit["filename"] for hit in hits]
    assert [row["filename"].removeprefix("'") for row in rows] == names
    assert {"'=1+1.png", "cat.png"} <= {row["filename"] for row in rows}
    assert float(rows[0]["score"]) == pytest.approx(hits[0]["score"])
    following = table.headers["link"].partition(">")[0].removeprefix("<?")
    rest = app.http.get(f"/photos/search?{following}")
    assert "link" not in rest.headers
    assert len([*csv.reader(io.StringIO(rest.text))]) == 1 + len(PHOTOS) + 1 - 3


def test_the_whole_index(app: App) -> None:
    """A line for each photo, those that can't be read too, with vectors on request."""
    lines = app.get("/photos/export").text.splitlines()
    photos = {one["filename"]: one for one in map(json.loads, lines)}
    assert {*photos} == {*PHOTOS, "=1+1.png", "broken.jpg"}
    assert photos["broken.jpg"]["error"]
    assert photos["cat.png"]["error"] is None
    assert "vector" not in photos["cat.png"]
    lines = app.get("/photos/export", vectors=True).text.splitlines()
    vectors = {
        one["filename"]: one.get("vector") for one in map(json.loads, lines)
    }
    assert vectors["broken.jpg"] is None
    length = sum(number**2 for number in vectors["cat.png"])
    assert length == pytest.approx(1, abs=0.01)
    assert vectors["cat.png"] == pytest.approx(vectors["=1+1.png"])
