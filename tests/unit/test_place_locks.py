"""A place is indexed by one process at a time, whatever becomes of the connection to Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import asyncpg
import pytest

from image_search.own_places import OwnPlaces, PlaceTaken
from image_search.place_locks import PlaceLocks, places_of
from image_search.settings import Settings, StartupError

SOON = 20


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what comes soon; fails if it does not."""
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def indexer(
    url: str, *places: str, former: Collection[str] = ()
) -> AsyncIterator[PlaceLocks]:
    """A process that indexes places, as long as it lives."""
    locks = PlaceLocks(url, "photos", places)
    async with locks.setting_up(former):
        pass
    keeping = asyncio.create_task(locks.keep())
    await asyncio.sleep(0)  # it begins
    try:
        yield locks
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def is_held(locks: PlaceLocks, place: str) -> bool:
    try:
        async with locks.holding(place):
            return True
    except PlaceTaken:
        return False


async def end_connections(url: str) -> None:
    """As a restart of Postgres does."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'image-search %'"
            " AND datname = current_database()"
        )
    finally:
        # At once: who waits for this may be given up just then.
        connection.terminate()


async def work_on(
    locks: PlaceLocks,
    place: str,
    meanwhile: Awaitable[None],
    seconds: float = SOON,
) -> None:
    """Work that has no end by itself."""
    async with locks.holding(place), asyncio.timeout(seconds):
        await meanwhile
        await asyncio.Event().wait()


def test_a_place_has_one_process(postgres_url: str) -> None:
    """Another is told who has it; it gets other places, and this one once it is free."""

    async def run() -> None:
        async with indexer(postgres_url, "one", "two") as first:
            assert await is_held(first, "one")
            with pytest.raises(StartupError) as refused:
                async with indexer(postgres_url, "two", "three"):
                    pass
            said = str(refused.value.message)
            assert said.startswith(
                "IMAGE_DIR's place two is indexed by another"
            )
            async with indexer(postgres_url, "three") as second:
                assert await is_held(second, "three")
        async with indexer(postgres_url, "two") as third:
            assert await is_held(third, "two")

    asyncio.run(run())


def test_collections_have_places_of_their_own(postgres_url: str) -> None:
    """One database may have the state of several collections, each with such a place."""

    async def run() -> None:
        other = PlaceLocks(postgres_url, "other", ["one"])
        async with indexer(postgres_url, "one"), other.setting_up([]):
            assert await is_held(other, "one")
            assert other.others == set()
        other._drop()

    asyncio.run(run())


def test_work_ends_when_the_lock_is_lost(postgres_url: str) -> None:
    """With the connection the work on a place ends; then the place is taken again."""

    async def run() -> None:
        async with indexer(postgres_url, "one") as locks:
            with pytest.raises(PlaceTaken, match="Postgres"):
                await work_on(locks, "one", end_connections(postgres_url))
            await until(lambda: not locks.reason("one"))
            assert await is_held(locks, "one")
            # What else ends by its own limit has nothing to do with it.
            with pytest.raises(TimeoutError):
                await work_on(locks, "one", asyncio.sleep(0), seconds=0)

    asyncio.run(run())


def test_one_goes_on_and_the_other_waits(postgres_url: str) -> None:
    """Of two that lost a place one has it then; the other says so, until that one ends."""

    async def run() -> None:
        locks = [PlaceLocks(postgres_url, "photos", ["one"]) for _ in range(2)]
        async with locks[0].setting_up([]):
            pass
        await end_connections(postgres_url)
        async with locks[1].setting_up([]):
            pass
        keeping = [asyncio.create_task(one.keep()) for one in locks]
        await until(lambda: "by another process" in locks[0].reason("one"))
        assert not await is_held(locks[0], "one")
        assert locks[0].trouble() == locks[0].reason("one")
        assert await is_held(locks[1], "one")
        keeping[1].cancel()
        await until(lambda: not locks[0].trouble())
        assert await is_held(locks[0], "one")
        keeping[0].cancel()
        await asyncio.gather(*keeping, return_exceptions=True)

    asyncio.run(run())


def test_what_one_had_it_may_forget(postgres_url: str) -> None:
    """But not what another has by now; what is forgotten stands in nobody's way."""

    async def run() -> None:
        async with indexer(postgres_url, ""):
            pass
        with pytest.raises(StartupError, match="a folder without a name"):
            async with indexer(postgres_url, "one"):
                pass
        async with indexer(postgres_url, "one", former=[""]) as first:
            assert first.former == [""]
            assert first.others == set()
            async with indexer(postgres_url, "two", former=["one"]) as second:
                assert second.former == []
                assert second.others == {"one"}
            with pytest.raises(StartupError, match="other places"):
                async with indexer(postgres_url, ""):
                    pass

    asyncio.run(run())


def test_a_postgres_that_is_no_good_is_said(postgres_url: str) -> None:
    """In a sentence, which tells no password."""
    wrong = postgres_url.replace("postgres@", "nobody:sesame@")

    async def run(url: str) -> None:
        async with indexer(url, "one"):
            pass

    for url in (wrong, "postgres://me:sesame@127.0.0.1:1/x", "mysql://sesame"):
        with pytest.raises(StartupError) as refused:
            asyncio.run(run(url))
        said = str(refused.value.message)
        assert said.startswith("COCOINDEX_DATABASE_URL can't be used: ")
        assert "sesame" not in said.replace(url, "")


def test_the_settings_say_which(settings: Settings, postgres_url: str) -> None:
    """With a server for its state it is asked; an embedded one is this app's alone."""
    alone: Any = {"cocoindex_database_url": None}
    assert isinstance(places_of(settings.model_copy(update=alone)), OwnPlaces)
    shared: Any = {"cocoindex_database_url": postgres_url}
    locks = places_of(settings.model_copy(update=shared))
    assert isinstance(locks, PlaceLocks)
    assert locks.places == [""]
