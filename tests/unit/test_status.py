"""The status says what is indexed and what is not; however many listen, it is measured once."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from image_search.filters import EVERYTHING, Filter
from image_search.listing import Snapshot
from image_search.status import Equipment, StatusBoard
from image_search.status_fields import Status
from image_search.store_errors import StoreUnavailable
from tests.harness import eventually
from tests.unit.memory_store import MemoryStore

EQUIPMENT = Equipment(
    model="a model",
    device="cpu",
    precision="float32",
    store="a store in memory",
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def board(store: MemoryStore) -> StatusBoard:
    return StatusBoard(store, EQUIPMENT)


def follow_folder(board: StatusBoard, names: Iterable[str]) -> None:
    """Have the index know a folder with these photos, and the store hold them all so far."""
    board.progress_of().photos = {name: [0, 1] for name in names}
    board.progress_of().is_ready = True


def put(store: MemoryStore, *names: str, error: str | None = None) -> None:
    for name in names:
        store.put(name, error=error)


def measure(board: StatusBoard) -> Status:
    return asyncio.run(board.refresh())


def test_status_says_what_there_is(
    store: MemoryStore, board: StatusBoard
) -> None:
    """With what, how many photos, which of them are skipped, and why."""
    put(store, "cat.png", "coffee.png")
    put(store, "half.png", error="it is truncated")
    follow_folder(board, store.points)
    board.progress_of().skipped = {"pipe.jpg": "it is not a regular file"}
    assert measure(board) == Status(
        state="ready",
        **vars(EQUIPMENT),
        photos=4,
        indexed=2,
        waiting=0,
        skipped=2,
        skipped_photos=[
            {"filename": "pipe.jpg", "reason": "it is not a regular file"},
            {"filename": "half.png", "reason": "it is truncated"},
        ],
        images_per_second=None,
        seconds_to_go=None,
        last_change=None,
        notices=[],
        last_error=None,
    )


@pytest.mark.parametrize(
    ("config", "shown"),
    [({}, "a name"), ({"display_name": "Its own"}, "Its own")],
)
def test_equipment_is_told_as_people_call_it(
    store: MemoryStore, config: dict[str, str], shown: str
) -> None:
    """The model's own name comes before that of the setting; its numbers are of some kind."""
    model = SimpleNamespace(
        config=SimpleNamespace(**config), device="cuda:0", dtype="torch.float16"
    )
    encoder = SimpleNamespace(name="a name", devices=("cuda:0",))
    expected = Equipment(
        model=shown,
        device="cuda:0",
        precision="float16",
        store="a store in memory",
    )
    assert Equipment.of(model, encoder, store) == expected
    encoder.devices = "cuda:0", "cuda:1"
    told = Equipment.of(model, encoder, store)
    assert told == replace(expected, device="cuda:0, cuda:1")


def test_before_the_first_look_nothing_is_ready(board: StatusBoard) -> None:
    """An index that has not looked at its folder yet is not done, though nothing waits."""
    now = measure(board)
    assert (now.state, now.photos, now.waiting) == ("indexing", 0, 0)


def test_photos_wait_until_they_are_indexed(
    store: MemoryStore, board: StatusBoard
) -> None:
    """What the folder holds beyond the store waits; the whole is the sum of its parts."""
    put(store, "a.jpg")
    put(store, "b.jpg", error="it is empty")
    follow_folder(board, ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"])
    board.progress_of().skipped = {"pipe.jpg": "it is not a regular file"}
    now = measure(board)
    assert (now.state, now.waiting, now.indexed, now.skipped) == (
        "indexing",
        3,
        1,
        2,
    )
    assert now.photos == now.indexed + now.waiting + now.skipped


def test_the_list_of_the_skipped_is_bounded(
    store: MemoryStore, board: StatusBoard
) -> None:
    """Of many skipped photos 100 are named, and all are counted."""
    put(store, *(f"{number}.jpg" for number in range(120)), error="it is empty")
    follow_folder(board, store.points)
    board.progress_of().skipped = {
        f"{number}.png": "a pipe" for number in range(70)
    }
    now = measure(board)
    assert now.skipped == 190
    assert len(now.skipped_photos) == 100


def test_the_time_to_go_is_told(store: MemoryStore, board: StatusBoard) -> None:
    """The rate is that of the pass under way, and what waits divided by it is the time to go."""
    put(store, *(f"{number}.jpg" for number in range(50)))
    follow_folder(board, (f"{number}.jpg" for number in range(110)))
    board.progress_of().points_before = 10
    board.progress_of().pass_began = time.monotonic() - 20
    now = measure(board)
    assert now.images_per_second == pytest.approx(2, rel=0.05)
    assert now.seconds_to_go == pytest.approx(30, rel=0.05)


@pytest.mark.parametrize(
    ("new", "seconds", "waiting"),
    [(0, 60, 1), (5, 60, 100), (100, 3, 100), (100, 60, 0)],
)
def test_no_rate_is_made_up(
    store: MemoryStore,
    board: StatusBoard,
    new: int,
    seconds: int,
    waiting: int,
) -> None:
    """Where little has come of a pass yet, it has just begun, or nothing waits, no time is told."""
    names = [f"{number}.jpg" for number in range(1 + new + waiting)]
    put(store, *names[: 1 + new])
    follow_folder(board, names)
    board.progress_of().points_before = 1
    board.progress_of().pass_began = time.monotonic() - seconds
    now = measure(board)
    assert now.waiting == waiting
    assert (now.images_per_second, now.seconds_to_go) == (None, None)


def test_a_store_that_is_away_is_told(
    store: MemoryStore, board: StatusBoard
) -> None:
    """Without its store the status has its error, and the numbers of the last whole pass."""
    put(store, "a.jpg", "b.jpg")
    follow_folder(board, store.points)
    board.progress_of().points = 2
    store.failure = StoreUnavailable(
        "The vector store cannot answer just now: X."
    )
    now = measure(board)
    assert now.last_error == "The vector store cannot answer just now: X."
    assert (now.photos, now.indexed) == (2, 2)


def test_the_index_is_unfinished_until_it_has_all(
    store: MemoryStore, board: StatusBoard
) -> None:
    """It is done once the whole folder was looked at and all of it is in the store."""
    assert board.unfinished() == "0"
    follow_folder(board, ["a.jpg", "b.jpg"])
    put(store, "a.jpg")
    assert board.unfinished() == "1 of 2"
    # Looked at, and there is nothing to find.
    put(store, "b.jpg", error="it is empty")
    assert board.unfinished() is None
    board.progress_of().is_ready = False
    assert board.unfinished() == "2 of 2"


async def listen(board: StatusBoard, number: int) -> list[Status]:
    """The first statuses that a listener is told."""
    told: list[Status] = []
    async for status in board.statuses():
        told.append(status)
        if len(told) == number:
            break
    return told


def test_all_who_listen_share_one_look(
    store: MemoryStore, board: StatusBoard
) -> None:
    """However many follow the status, the store is asked when something happens, not for them."""
    follow_folder(board, ["a.jpg"])

    async def scenario() -> list[list[Status]]:
        await board.refresh()
        store.calls.clear()
        listening = [asyncio.create_task(listen(board, 2)) for _ in range(100)]
        await asyncio.sleep(0)  # all of them listen now
        asked_by_listeners = [*store.calls]
        put(store, "a.jpg")
        await board.refresh()
        told = await asyncio.gather(*listening)
        assert asked_by_listeners == []
        assert store.calls.count("query") == 1
        return told

    told = asyncio.run(scenario())
    assert len(told) == 100
    assert all(one == told[0] for one in told)
    assert [status.indexed for status in told[0]] == [0, 1]


def test_who_listens_first_is_told_too(
    store: MemoryStore, board: StatusBoard
) -> None:
    """A listener that comes before the first look waits for it."""

    async def scenario() -> list[Status]:
        listening = asyncio.create_task(listen(board, 1))
        await asyncio.sleep(0)
        assert not listening.done()
        await board.refresh()
        return await listening

    put(store, "a.jpg")
    [status] = asyncio.run(scenario())
    assert status.indexed == 1


def test_at_a_stop_all_streams_end(board: StatusBoard) -> None:
    """Who has been told all there is, and who has been told nothing yet, waits no longer."""

    async def scenario() -> list[list[Status]]:
        early = asyncio.create_task(listen(board, 9))
        await asyncio.sleep(0)
        board.close()
        nothing = await early
        again = StatusBoard(board.store, board.equipment)
        await again.refresh()
        late = asyncio.create_task(listen(again, 9))
        await asyncio.sleep(0)
        again.close()
        return [nothing, await late]

    told = asyncio.run(scenario())
    assert [len(one) for one in told] == [0, 1]


def test_what_stays_the_same_is_not_told_again(
    store: MemoryStore, board: StatusBoard
) -> None:
    """A look that finds nothing new tells nobody; who is slow hears the latest, not each."""

    async def scenario() -> list[int]:
        statuses = board.statuses()
        await board.refresh()
        told = [(await anext(statuses)).indexed]
        for _ in range(3):
            await board.refresh()
        for number in range(3):
            put(store, f"{number}.jpg")
            await board.refresh()
        told.append((await anext(statuses)).indexed)
        waiting = asyncio.ensure_future(anext(statuses))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return told

    assert asyncio.run(scenario()) == [0, 3]


class SlowStore(MemoryStore):
    """Its first answer is late: what it says was true when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()

    def count(self, where: Filter = EVERYTHING) -> int:
        is_first = not self.calls
        number = super().count(where)
        if is_first:
            self.may_answer.wait(10)
        return number


def test_a_late_answer_hides_no_newer_one() -> None:
    """Of two looks at once, the one that began last is what is told in the end."""
    store = SlowStore()
    board = StatusBoard(store, EQUIPMENT)

    async def scenario() -> list[Status]:
        slow = asyncio.create_task(board.refresh())
        await asyncio.to_thread(eventually, lambda: store.calls)
        put(store, "a.jpg", "b.jpg")
        quick = asyncio.create_task(board.refresh())
        await asyncio.wait([quick], timeout=0.1)
        store.may_answer.set()
        await asyncio.gather(slow, quick)
        return await listen(board, 1)

    [status] = asyncio.run(scenario())
    assert status.indexed == 2


def test_progress_is_told_all_along(
    store: MemoryStore, board: StatusBoard
) -> None:
    """While photos are being indexed the store is looked at again and again; not afterwards."""

    async def scenario() -> None:
        async with board.refreshed_all_along():
            for number in range(2):
                put(store, f"{number}.jpg")
                statuses = board.statuses()
                async for status in statuses:
                    if status.indexed == number + 1:
                        break
        left = [task for task in asyncio.all_tasks() if not task.done()]
        assert left == [asyncio.current_task()]

    asyncio.run(scenario())


def test_what_fails_while_it_is_told_stops_the_telling(
    board: StatusBoard,
) -> None:
    """An error of the pass that is under way comes through, and nothing goes on behind it."""

    async def scenario() -> None:
        async with board.refreshed_all_along():
            raise ValueError("the pass")

    with pytest.raises(ValueError, match="the pass"):
        asyncio.run(scenario())


def test_damaged_photos_are_told(
    store: MemoryStore, board: StatusBoard
) -> None:
    """They are indexed, counted, and the first are named; one that is mended is told no more."""
    put(store, "whole.jpg")
    for number in range(120):
        store.put(f"{number}.jpg", damaged=True)
    follow_folder(board, store.points)
    now = measure(board)
    assert (now.damaged, now.skipped, now.indexed) == (120, 0, 121)
    assert len(now.damaged_photos) == 100
    assert "whole.jpg" not in now.damaged_photos
    for number in range(1, 120):
        store.put(f"{number}.jpg")
    board.progress_of().passes += 1
    mended = measure(board)
    assert (mended.damaged, mended.damaged_photos) == (1, ["0.jpg"])


def test_damaged_photos_cost_an_idle_index_nothing(
    store: MemoryStore, board: StatusBoard
) -> None:
    """The store is asked for them while they may change, and then no more."""
    store.put("cut.jpg", damaged=True)
    follow_folder(board, store.points)
    measure(board)
    first = len(store.calls)
    assert measure(board).damaged == 1
    assert len(store.calls) - first < first


def test_what_lies_beside_the_photos_is_told(board: StatusBoard) -> None:
    """Pictures of kinds that are not read, by ending; RAW files beside JPEGs; what is left out."""
    board.progress_of().see(
        Snapshot(
            left_out={"@eaDir", "x.jpg"},
            raw_beside={"a.cr2"},
            not_read=Counter([".psd", ".svg", ".psd"]),
        )
    )
    now = measure(board)
    assert [*now.not_read.items()] == [(".psd", 2), (".svg", 1)]
    assert (now.raw_beside, now.left_out, now.photos) == (1, 2, 0)
    assert now.all_skipped == "/status/skipped"
