"""What is there more than once is listed page by page, and never called none too early."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from image_search import duplicates, refusals
from image_search.bucket_errors import BucketError
from image_search.clip import l2_normalize
from image_search.duplicates import MOST_SHOWN, DuplicateFinder
from image_search.search_errors import NotIndexedYet
from image_search.status import Equipment, StatusBoard
from image_search.store import Point
from image_search.store_errors import StoreUnavailable
from tests.harness import eventually
from tests.unit.memory_store import MemoryStore

EQUIPMENT = Equipment(model="", device="", precision="", store="")
VECTOR = l2_normalize(np.ones(4))


class SlowStore(MemoryStore):
    """One that can be held while all of it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def every(self, *arguments: Any, **options: Any) -> Iterator[Point]:
        self.is_asked.set()
        self.may_go_on.wait(20)
        return super().every(*arguments, **options)


@pytest.fixture
def store() -> SlowStore:
    """Seven photos, each twice, of as many days."""
    store = SlowStore()
    for number in range(7):
        for copy in "ab":
            taken = f"2024-05-0{number + 1}T00:00:00"
            name = f"{copy}/{number}.jpg"
            store.put(name, VECTOR, taken=taken, sha256=f"{number}")
    return store


@pytest.fixture
def board(store: SlowStore) -> StatusBoard:
    board = StatusBoard(store, EQUIPMENT)
    board.progress_of().photos = {name: [0, 1] for name in store.points}
    board.progress_of().is_ready = True
    return board


class Files:
    """Those of the photos of folder a, whose place may not answer."""

    failure: Exception | None = None

    async def look_up_all(self, names: Iterable[str]) -> dict[str, Any]:
        if self.failure:
            raise self.failure
        file = SimpleNamespace(size=4711)
        return {name: file if name[0] == "a" else None for name in names}


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def client(board: StatusBoard, files: Files) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.thumbnails = SimpleNamespace(files=files)
    refusals.install(app)
    app.include_router(duplicates.router)
    app.state.duplicates = DuplicateFinder(board)
    with TestClient(app) as client:  # one event loop for all requests
        yield client


def names(answer: Any) -> list[list[str]]:
    groups = answer.json()["groups"]
    return [[hit["filename"] for hit in hits] for hits in groups]


def test_pages_join_up(client: TestClient) -> None:
    """Each group is on one page, the newest first, and the last page says so."""
    found: list[list[str]] = []
    page = {"more": True, "next_offset": 0}
    while page["more"]:
        asked = {"limit": 3, "offset": page["next_offset"]}
        answer = client.get("/duplicates", params=asked)
        found += names(answer)
        page = answer.json()
        assert page["total"] == 7
        assert set(page["sizes"]) == {2}
    assert found == [[f"a/{n}.jpg", f"b/{n}.jpg"] for n in range(6, -1, -1)]
    beyond = client.get("/duplicates", params={"offset": 99}).json()
    assert (beyond["groups"], beyond["more"]) == ([], False)


def test_until_it_is_known_it_is_not_called_none(
    client: TestClient, store: SlowStore
) -> None:
    """The answer is 503 and says when to ask again; then it is there."""
    store.may_go_on.clear()
    answer = client.get("/duplicates")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "being compared" in answer.json()["detail"]
    store.may_go_on.set()
    eventually(lambda: client.get("/duplicates").status_code == 200)


def test_a_change_of_the_index_is_looked_into(
    client: TestClient, store: SlowStore, board: StatusBoard
) -> None:
    """Meanwhile what was found before is answered, said to be so, without what is gone."""
    assert len(names(client.get("/duplicates"))) == 7
    store.may_go_on.clear()
    del store.points["b/6.jpg"]
    store.put("c.jpg", VECTOR, sha256="0")
    board.progress.last_change = datetime(2025, 1, 1)
    before = client.get("/duplicates")
    assert not before.json()["is_current"]
    assert names(before)[0] == ["a/5.jpg", "b/5.jpg"]
    store.may_go_on.set()
    eventually(lambda: client.get("/duplicates").json()["is_current"])
    after = names(client.get("/duplicates"))
    assert len(after) == 6
    assert ["a/0.jpg", "b/0.jpg", "c.jpg"] in map(sorted, after)


def test_nothing_changed_is_not_looked_at_again(
    client: TestClient, store: SlowStore
) -> None:
    client.get("/duplicates")
    store.may_go_on.clear()
    assert client.get("/duplicates").json()["is_current"]


def test_a_large_group_is_cut_and_says_so(
    client: TestClient, store: SlowStore
) -> None:
    for number in range(MOST_SHOWN + 20):
        store.put(f"many/{number}.jpg", VECTOR, sha256="many")
    body = client.get("/duplicates").json()
    assert max(map(len, body["groups"])) == MOST_SHOWN
    assert max(body["sizes"]) == MOST_SHOWN + 20


def test_none_is_an_answer_only_of_a_whole_index(
    client: TestClient, store: SlowStore, board: StatusBoard
) -> None:
    """While photos are still to come, a first one may get its copy."""
    store.points = {"a/0.jpg": store.points["a/0.jpg"]}
    assert client.get("/duplicates").status_code == 503
    board.progress.photos = {"a/0.jpg": [0, 1]}
    answer = client.get("/duplicates")
    assert (answer.status_code, answer.json()["groups"]) == (200, [])


def test_a_store_that_is_away_is_told(
    client: TestClient, store: SlowStore
) -> None:
    store.failure = StoreUnavailable("It is away.")
    answer = client.get("/duplicates")
    assert (answer.status_code, answer.json()["detail"]) == (503, "It is away.")


def test_files_are_told_apart_by_their_size(
    client: TestClient, files: Files
) -> None:
    """As far as they are there; where a place does not answer the rest is told all the same."""
    [first, second] = client.get("/duplicates").json()["groups"][0]
    assert (first["file_bytes"], second["file_bytes"]) == (4711, None)
    files.failure = BucketError("It does not answer.")
    [first, second] = client.get("/duplicates").json()["groups"][0]
    assert first["file_bytes"] is None


def test_a_look_is_over_before_the_store_is_closed(
    board: StatusBoard, store: SlowStore
) -> None:
    """Else it would open the store again, which is another process's by then."""

    async def scenario() -> list[str]:
        finder = DuplicateFinder(board)
        store.may_go_on.clear()
        asking = asyncio.create_task(finder.groups())
        await asyncio.to_thread(store.is_asked.wait, 20)
        closing = asyncio.create_task(finder.close())
        await asyncio.sleep(0)
        store.may_go_on.set()
        await closing
        asked = len(store.calls)
        with pytest.raises(NotIndexedYet):
            await asking
        return store.calls[asked:]

    assert asyncio.run(scenario()) == []


def test_a_look_that_fails_is_made_again(
    client: TestClient, store: SlowStore
) -> None:
    """A store that was away for a while is no reason to say for ever that it is."""
    store.may_go_on.clear()
    assert client.get("/duplicates").status_code == 503
    store.failure = StoreUnavailable("It is away.")
    store.may_go_on.set()
    assert client.get("/duplicates").status_code == 503
    store.failure = None
    eventually(lambda: len(names(client.get("/duplicates"))) == 7)
