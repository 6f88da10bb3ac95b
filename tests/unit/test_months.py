"""Each month with photos is told, with how many there are, newest first."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from image_search import months
from image_search.filters import READABLE
from image_search.months import count_months
from image_search.search_errors import NotIndexedYet
from image_search.status import Equipment, StatusBoard
from image_search.store_errors import StoreUnavailable
from tests.unit.memory_store import MemoryStore

EQUIPMENT = Equipment(model="", device="", precision="", store="")
FIRST = datetime(1901, 1, 31, 23, 59, 59)


@pytest.fixture
def store() -> MemoryStore:
    """Photos of 1901 to 2030, in two folders, and some that can't be read."""
    store = MemoryStore()
    for number in range(400):
        taken = FIRST + timedelta(days=number**2 / 3.4)
        name = f"{'ab'[number % 2]}/{number}.jpg"
        store.put(name, taken=taken.isoformat())
    for edge in ("2024-12-31T23:59:59.999", "2025-01-01T00:00:00"):
        store.put(f"{edge}.jpg", taken=edge)
    store.put("broken.jpg", taken="2010-10-10T00:00:00", error="it is empty")
    return store


@pytest.fixture
def board(store: MemoryStore) -> StatusBoard:
    board = StatusBoard(store, EQUIPMENT)
    board.progress_of().photos = {name: [0, 1] for name in store.points}
    board.progress_of().is_ready = True
    return board


@pytest.fixture
def client(board: StatusBoard) -> TestClient:
    app = FastAPI()
    app.include_router(months.router)
    app.state.status_board = board
    return TestClient(app)


def counted(store: MemoryStore, folder: str = "") -> list[dict[str, Any]]:
    """The same, by looking at each photo."""
    months = Counter(
        payload["taken"][:7]
        for name, (payload, _) in store.points.items()
        if name.startswith(folder) and not payload["error"]
    )
    newest_first = sorted(months.items(), reverse=True)
    return [{"month": name, "photos": found} for name, found in newest_first]


def test_each_photo_is_in_its_month(
    client: TestClient, store: MemoryStore
) -> None:
    """Those that can be read, each once, to the last moment of a month; none is empty."""
    answer = client.get("/months").json()
    assert answer["months"] == counted(store)
    assert answer["photos"] == len(store.points) - 1


def test_the_filters_of_a_search_are_those_of_its_months(
    client: TestClient, store: MemoryStore
) -> None:
    """Folder and dates leave out what they leave out of a search; a word is no filter."""
    answer = client.get("/months", params={"folder": "a"}).json()
    assert answer["months"] == counted(store, "a/")
    answer = client.get("/months", params={"after": "2025", "before": "2026"})
    assert {one["month"][:4] for one in answer.json()["months"]} == {"2025"}
    assert client.get("/months", params={"folder": "c"}).json() == {
        "months": [],
        "photos": 0,
    }
    assert client.get("/months", params={"q": "dog"}).status_code == 422


def test_years_without_photos_cost_one_question(store: MemoryStore) -> None:
    """The store is asked for the months of those years alone that have some."""
    store.points.clear()
    store.put("old.jpg", taken="1901-12-24T00:00:00")
    store.put("new.jpg", taken="2024-05-01T00:00:00")
    found = count_months(store, READABLE)
    assert [one.month for one in found] == ["2024-05", "1901-12"]
    assert store.calls.count("count") < 124 + 2 * 12 + 2


def test_no_months_are_no_answer_while_photos_wait(
    client: TestClient, board: StatusBoard, store: MemoryStore
) -> None:
    """Before the first photo is there it says how far the indexing is."""
    store.points.clear()
    with pytest.raises(NotIndexedYet, match="0 of 403"):
        client.get("/months")


def test_a_store_that_is_away_has_no_months(
    client: TestClient, store: MemoryStore
) -> None:
    """It is an error, never that there are none."""
    store.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        client.get("/months")
