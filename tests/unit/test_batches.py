"""Images become batches in the order they came, enough for all devices, and none fails for another."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from image_search.batches import Batches, BatchSize, Vector
from image_search.colour import Pixels
from image_search.reasons import OutOfMemory
from image_search.workers import TRIES, WorkerError
from tests.harness import eventually

BAD = 250  # the colour of an image that crashes who looks at it


def image_of(colour: int) -> Pixels:
    return np.full((1, 1, 3), colour, np.uint8)


class Lane:
    """A device whose batches wait until a test lets them go."""

    def __init__(self, size: BatchSize, *, is_held: bool = False) -> None:
        self.size = size
        self.batches: list[list[int]] = []
        self.tries: list[int] = []
        self.room = 1000
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.may_go = threading.Event()
        if not is_held:
            self.may_go.set()

    def run(self, images: list[Pixels], tries: int) -> list[Vector]:
        colours = [int(image[0, 0, 0]) for image in images]
        with self._lock:
            self.batches.append(colours)
            self.tries.append(tries)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self.may_go.wait(60)
        with self._lock:
            self._at_once -= 1
        if len(images) > self.room:
            raise OutOfMemory
        if BAD in colours:
            raise WorkerError("it crashed")
        return [np.array([colour], np.float32) for colour in colours]

    def shrink(self, images: int) -> None:
        self.size = BatchSize(images // 2 or 1, 1)


def embed(
    batches: Batches,
    colours: list[int],
    meanwhile: Callable[[], object] = lambda: None,
) -> list[float | str]:
    """What comes of images that are there at once: the vector's number, or the error."""

    async def one(colour: int) -> float | str:
        try:
            return float((await batches.embed(image_of(colour)))[0])
        except (WorkerError, OutOfMemory) as error:
            return str(error)

    async def run() -> list[float | str]:
        found = asyncio.gather(*map(one, colours))
        await asyncio.to_thread(meanwhile)
        return list(await found)

    try:
        return asyncio.run(run())
    finally:
        batches.close()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_image_gets_its_own_vector(number: int) -> None:
    """However many devices share the work, and in whatever batches."""
    lanes = [Lane(BatchSize(3, 1)) for _ in range(number)]
    colours = [*range(50)]
    assert embed(Batches(lambda: lanes), colours) == colours
    done = [batch for lane in lanes for batch in lane.batches]
    assert sorted(colour for batch in done for colour in batch) == colours
    assert max(map(len, done)) == 3
    # Those of a batch came one after the other.
    assert all(batch == sorted(batch) for batch in done)


def test_a_device_has_two_batches_under_way() -> None:
    """The next is sent before the one before it is done, and no third."""
    lanes = [Lane(BatchSize(4, 2), is_held=True) for _ in range(2)]

    def look() -> None:
        eventually(lambda: [len(one.batches) for one in lanes] == [2, 2])
        for lane in lanes:
            lane.may_go.set()

    colours = [*range(40)]
    assert embed(Batches(lambda: lanes), colours, look) == colours
    assert [lane.most_at_once for lane in lanes] == [2, 2]


def test_a_cpu_has_a_batch_on_each_core_and_one_to_come() -> None:
    """That one is worth while, and there is no other."""
    lane = Lane(BatchSize(4, 4, at_once=3), is_held=True)

    def look() -> None:
        eventually(lambda: len(lane.batches) == 4)
        lane.may_go.set()

    colours = [*range(40)]
    assert embed(Batches(lambda: [lane]), colours, look) == colours
    assert lane.most_at_once == 4
    # They came one by one, and found three cores idle.
    assert sorted(lane.batches[:4]) == [[0], [1], [2], [3, 4]]
    assert max(map(len, lane.batches)) == 4


def test_cores_share_what_is_left() -> None:
    """The first that is done leaves something for the others."""
    lane = Lane(BatchSize(8, 8, at_once=2), is_held=True)

    def look() -> None:
        eventually(lambda: len(lane.batches) == 2)
        lane.may_go.set()

    # Too few to be a batch to come, once two of them are computed.
    colours = [*range(8)]
    assert embed(Batches(lambda: [lane]), colours, look) == colours
    assert sorted(map(len, lane.batches)) == [1, 1, 1, 2, 3]


def test_a_small_batch_waits_while_one_is_under_way() -> None:
    """Where only full ones are worth while, what came too late for one fills the next."""
    lane = Lane(BatchSize(4, 4), is_held=True)

    def look() -> None:
        eventually(lambda: lane.batches == [[0]])
        lane.may_go.set()

    assert embed(Batches(lambda: [lane]), [0, 1, 2, 3], look) == [0, 1, 2, 3]
    assert lane.batches == [[0], [1, 2, 3]]


def test_a_batch_that_fails_takes_no_image_along() -> None:
    """Each of it is tried by itself, as often as one may be; only the one at fault is lost."""
    lane = Lane(BatchSize(4, 1))
    colours = [0, 1, 2, BAD, 4, 5, 6, 7]
    found = embed(Batches(lambda: [lane]), colours)
    assert found == [0, 1, 2, "it crashed", 4, 5, 6, 7]
    alone = [
        tries
        for batch, tries in zip(lane.batches, lane.tries, strict=True)
        if batch == [BAD]
    ]
    assert alone == [TRIES]
    assert lane.batches.count([5]) <= 1


def test_too_large_a_batch_makes_the_next_ones_smaller() -> None:
    """Where a device has no room for a batch its images are embedded, and later ones are half."""
    lane = Lane(BatchSize(8, 8))
    lane.room = 5
    colours = [*range(40)]
    assert embed(Batches(lambda: [lane]), colours) == colours
    large = [len(batch) for batch in lane.batches if len(batch) > 4]
    # One that failed, and perhaps one that was under way already.
    assert large in ([8], [8, 8])


def test_an_image_without_room_says_so() -> None:
    """One that a device has no room for, even alone, fails, and no other."""
    lane = Lane(BatchSize(2, 1))
    lane.room = 0
    [first, second] = embed(Batches(lambda: [lane]), [1, 2])
    assert first == second == str(OutOfMemory())


def test_who_gives_up_waiting_takes_nobody_along() -> None:
    """An image that nobody waits for any more is left out, or its vector thrown away."""
    lane = Lane(BatchSize(2, 2), is_held=True)
    batches = Batches(lambda: [lane])

    async def run() -> float:
        tasks = [
            asyncio.create_task(batches.embed(image_of(colour)))
            for colour in range(4)
        ]
        await asyncio.to_thread(eventually, lambda: bool(lane.batches))
        tasks[0].cancel()
        tasks[3].cancel()
        lane.may_go.set()
        await asyncio.wait(tasks, timeout=60)
        return sum(float(task.result()[0]) for task in tasks[1:3])

    assert asyncio.run(run()) == 1 + 2
    batches.close()
