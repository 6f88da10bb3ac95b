"""Every photo that was skipped is listed, with the reason, as JSON and as CSV."""

import csv
import io
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from image_search import skipped
from image_search.search_errors import NotIndexedYet
from image_search.skipped import list_skipped
from image_search.status import Equipment, StatusBoard
from image_search.store_errors import StoreUnavailable
from tests.unit.memory_store import MemoryStore

EQUIPMENT = Equipment(model="", device="", precision="", store="")
ODD = 'new\nline, "quoted", =1+1;é\u2028 \U0001f431.jpg'


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def board(store: MemoryStore) -> StatusBoard:
    """Of a folder with 2,500 photos that can't be read, one that can, and a pipe."""
    board = StatusBoard(store, EQUIPMENT)
    store.put("fine.jpg")
    for number in range(2500):
        store.put(f"{number:04}.jpg", error=f"it is cut off at {number}")
    store.put(ODD, error="it is empty")
    board.progress_of().photos = {name: [0, 1] for name in store.points}
    board.progress_of().skipped = {"pipe.jpg": "it is not a regular file"}
    board.progress_of().is_ready = True
    return board


@pytest.fixture
def client(board: StatusBoard) -> TestClient:
    app = FastAPI()
    app.include_router(skipped.router)
    app.state.status_board = board
    app.state.indexes = [SimpleNamespace(retries_skipped=False)]
    return TestClient(app)


def rows(answer: Any) -> list[dict[str, str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode()
    return [*csv.DictReader(io.StringIO(text, newline=""))]


def test_all_are_listed_by_name(client: TestClient, board: StatusBoard) -> None:
    """Those of the index and those of the folder, each once, with its reason."""
    answer = client.get("/status/skipped").json()
    assert answer["skipped"] == 2502
    photos = [(one["filename"], one["reason"]) for one in answer["photos"]]
    assert photos == sorted(photos)
    assert photos == list_skipped(board)
    assert dict(photos)["pipe.jpg"] == "it is not a regular file"
    assert dict(photos)["1234.jpg"] == "it is cut off at 1234"
    assert "fine.jpg" not in dict(photos)


def test_both_forms_say_the_same(client: TestClient) -> None:
    """CSV holds what JSON holds, odd names too."""
    photos = client.get("/status/skipped").json()["photos"]
    assert rows(client.get("/status/skipped?format=csv")) == photos
    same = client.get("/status/skipped?format=json")
    assert same.json()["photos"] == photos
    assert ODD in [one["filename"] for one in photos]


@pytest.mark.parametrize("name", ["=cmd|calc.jpg", "@SUM(1+1).jpg", "-1+1.jpg"])
def test_no_name_is_a_formula(store: MemoryStore, name: str) -> None:
    """A spreadsheet that opens the CSV shows a name, and reckons nothing out."""
    board = StatusBoard(store, EQUIPMENT)
    board.progress_of().is_ready = True
    board.progress_of().skipped = {name: "empty file"}
    app = FastAPI()
    app.include_router(skipped.router)
    app.state.status_board = board
    answer = TestClient(app).get("/status/skipped?format=csv")
    assert rows(answer) == [{"filename": f"'{name}", "reason": "empty file"}]


@pytest.mark.parametrize("limit", [1, 999, 1000, 2502, 9999])
def test_pages_join_up(client: TestClient, limit: int) -> None:
    """Page after page, of whatever size, is the whole list; each tells the whole number."""
    whole = client.get("/status/skipped").json()["photos"]
    start = len(whole) - 2 * limit if limit < 1000 else 0
    joined: list[Any] = []
    for offset in range(start, len(whole) + 1, limit):
        params = {"offset": offset, "limit": limit}
        page = client.get("/status/skipped", params=params).json()
        assert page["skipped"] == len(whole)
        joined += page["photos"]
    assert joined == whole[start:]


def test_what_can_not_be_asked_for_is_refused(client: TestClient) -> None:
    """No other form, no page without photos, none before the first."""
    for query in ("format=xml", "limit=0", "offset=-1"):
        assert client.get(f"/status/skipped?{query}").status_code == 422


def test_no_list_is_empty_that_may_not_be(store: MemoryStore) -> None:
    """While photos wait and none was skipped yet, and without its store, that is said."""
    board = StatusBoard(store, EQUIPMENT)
    with pytest.raises(NotIndexedYet):
        list_skipped(board)
    board.progress_of().is_ready = True
    assert list_skipped(board) == []
    store.failure = StoreUnavailable("The vector store cannot answer.")
    with pytest.raises(StoreUnavailable):
        list_skipped(board)


def test_nothing_skipped_is_an_empty_list(store: MemoryStore) -> None:
    """Once all is indexed and nothing was skipped, both forms say so."""
    board = StatusBoard(store, EQUIPMENT)
    board.progress_of().is_ready = True
    app = FastAPI()
    app.include_router(skipped.router)
    app.state.status_board = board
    client = TestClient(app)
    nothing = {"skipped": 0, "photos": []}
    assert client.get("/status/skipped").json() == nothing
    assert rows(client.get("/status/skipped?format=csv")) == []
