"""Changes that come at once are written together, and each is told how it went."""

import asyncio
import threading

import pytest

from image_search.grouped_writes import GroupedWrites


class Store:
    """Takes what is written to it, once it may; refuses what is negative."""

    def __init__(self) -> None:
        self.groups: list[dict[str, int]] = []
        self.kept: dict[str, int] = {}
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, changes: dict[str, int]) -> None:
        self.may_write.wait(10)
        self.groups.append(changes)
        if min(changes.values()) < 0:
            raise ValueError(f"{changes} can't be kept")
        self.kept |= changes


@pytest.fixture
def store() -> Store:
    return Store()


async def write_beside_others(
    store: Store, *others: dict[str, int]
) -> list[BaseException | None]:
    """Write one thing, and others while it is being written."""
    store.may_write.clear()
    writes = GroupedWrites(store.write)
    all_of_it = [{"first": 1}, *others]
    tasks = [asyncio.create_task(writes.write(some)) for some in all_of_it]
    while not any(task.done() for task in tasks):
        await asyncio.sleep(0)
        store.may_write.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_what_waits_is_written_together(store: Store) -> None:
    """The first is not held up, and all that came meanwhile are one group."""
    others = [{f"{number}": number} for number in range(50)]
    assert asyncio.run(write_beside_others(store, *others)) == [None] * 51
    assert len(store.groups) == 2
    assert store.groups[0] == {"first": 1}
    assert len(store.kept) == 51


def test_what_comes_later_for_the_same_key_counts(store: Store) -> None:
    """As if they had been written one after the other."""
    asyncio.run(write_beside_others(store, {"a": 1}, {"a": 2}, {"b": 1}))
    assert store.kept == {"first": 1, "a": 2, "b": 1}


def test_none_fails_for_another(store: Store) -> None:
    """What can't be written is told to who wrote it; the rest of its group is written."""
    results = asyncio.run(
        write_beside_others(store, {"a": 1}, {"b": -1}, {"c": 3})
    )
    assert [str(result) for result in results] == [
        "None",
        "None",
        "{'b': -1} can't be kept",
        "None",
    ]
    assert store.kept == {"first": 1, "a": 1, "c": 3}


def test_one_alone_is_told_its_own_error(store: Store) -> None:
    """And is not tried twice."""
    writes = GroupedWrites(store.write)
    with pytest.raises(ValueError, match="can't be kept"):
        asyncio.run(writes.write({"a": -1}))
    assert len(store.groups) == 1


def test_one_that_is_given_up_takes_nobody_with_it(store: Store) -> None:
    """Cancelled while it writes for others, these are written all the same."""

    async def cancel_the_first() -> None:
        store.may_write.clear()
        writes = GroupedWrites(store.write)
        first = asyncio.create_task(writes.write({"first": 1}))
        second = asyncio.create_task(writes.write({"second": 2}))
        await asyncio.sleep(0)
        first.cancel()
        store.may_write.set()
        await second

    asyncio.run(cancel_the_first())
    assert store.kept["second"] == 2
