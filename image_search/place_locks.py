"""The right to index a place, which one process has at a time.

    places of a collection    -> rows in Postgres
    who indexes one right now -> a lock there

The lock is an advisory one of Postgres, and belongs to a connection: it is free as
soon as the process has ended, however it did. CocoIndex writes by other connections,
so a place is indexed only while this one is known to live.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Collection
from typing import Any

import asyncpg

from image_search.own_places import (
    OwnPlaces,
    Places,
    PlaceTaken,
    refuse_nameless,
)
from image_search.settings import Settings, StartupError, logger
from image_search.starting_servers import wait_for_postgres
from image_search.state import redact, state_name

CHECK_SECONDS = 2.0
ANSWER_SECONDS = 10.0
# A process that was ended just now may still seem to have its places.
PATIENCE_SECONDS = 4.0
# Another that sets up waits for a Qdrant that is starting.
SETUP_SECONDS = 120.0
# Postgres gives up a machine that has vanished after some 45 seconds, not two hours.
KEEPALIVE = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
# Of all apps in a database: they make their tables one after the other.
SETUP = "set up"
TABLE = """
    CREATE TABLE IF NOT EXISTS image_search_places (
        collection text, place text, PRIMARY KEY (collection, place)
    )
"""
PLACES = "SELECT place FROM image_search_places WHERE collection = $1"
ADD = "INSERT INTO image_search_places VALUES ($1, $2) ON CONFLICT DO NOTHING"
FORGET = """
    DELETE FROM image_search_places WHERE collection = $1 AND place = ANY($2)
"""
HOLDER = """
    SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND datname = current_database()
    AND (classid::bigint << 32) | objid::bigint = $1
"""
# A ValueError is of a URL that is wrong.
FAILURES = (
    OSError,
    TimeoutError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)


class PlaceLocks:
    """Places of a collection, by a Postgres that several processes share.

    All of it belongs to one event loop.
    """

    def __init__(
        self, url: str, collection: str, places: Collection[str]
    ) -> None:
        """`collection`: a name for it in this database. `places`: "" has no name."""
        self.url = url
        self.collection = collection
        self.places = sorted(places)
        self.former: list[str] = []
        self.others: set[str] = set()
        self._connection: Any = None
        self._held: set[str] = set()
        self._why_not: dict[str, str] = {}
        self._working: list[tuple[str, asyncio.Timeout]] = []
        self._said = ""

    @contextlib.asynccontextmanager
    async def setting_up(self, former: Collection[str]) -> AsyncIterator[None]:
        """As in Places."""
        setup = _number(SETUP)
        try:
            try:
                await self._connect()
                await self._connection.execute(
                    f"SELECT pg_advisory_lock({setup})", timeout=SETUP_SECONDS
                )
                await self._connection.execute(TABLE)
                await self._take(former)
            except FAILURES as error:
                raise StartupError(self._away(error)) from None
            yield
            # Should Postgres go away meanwhile, they are forgotten next time.
            with contextlib.suppress(*FAILURES):
                await self._forget()
                await self._ask(f"SELECT pg_advisory_unlock({setup})")
        except BaseException:
            self._drop()
            raise

    @contextlib.asynccontextmanager
    async def holding(self, place: str) -> AsyncIterator[None]:
        """As in Places."""
        if place not in self._held:
            raise PlaceTaken(self._why_not[place])
        async with _until_lost(self, place) as limit:
            self._working.append((place, limit))
            try:
                yield
            finally:
                self._working.remove((place, limit))

    async def keep(self) -> None:
        """As in Places."""
        try:
            while True:
                await asyncio.sleep(CHECK_SECONDS)
                await self._check()
        finally:
            self._drop()

    def reason(self, place: str) -> str:
        """Why a place is not held."""
        return self._why_not.get(place, "")

    def trouble(self) -> str:
        """As in Places."""
        return " ".join(dict.fromkeys(self._why_not.values()))

    async def _check(self) -> None:
        """See that the places are held; take those again that are not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._connection is None or self._connection.is_closed():
                    await self._connect()
                else:
                    await self._ask("SELECT 1")
                for place in {*self.places} - self._held:
                    if await self._try(place):
                        self._note_held(place)
                    else:
                        self._lose([place], await self._taken(place))
        except FAILURES as error:
            self._drop()
            self._lose(self.places, self._away(error))
        why = self.trouble()
        if why and why != self._said:
            logger.warning("Not indexing: %s", why)
        self._said = why

    async def _connect(self) -> None:
        """Connect anew: whatever was held is lost."""
        self._drop()
        self._lose(self.places, "Postgres has just gone.")
        name = f"image-search {socket.gethostname()} {os.getpid()}"
        self._connection = await asyncpg.connect(
            self.url,
            timeout=ANSWER_SECONDS,
            command_timeout=ANSWER_SECONDS,
            server_settings={"application_name": name[:63], **KEEPALIVE},
        )
        # At once, and not at the next check.
        self._connection.add_termination_listener(self._hear_of_end)

    def _hear_of_end(self, connection: Any) -> None:
        if connection is self._connection:
            self._lose(self.places, "the connection to Postgres has ended.")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _lose(self, places: Collection[str], why: str) -> None:
        """Know that places are not held; what is done for them ends."""
        self._held -= {*places}
        self._why_not |= dict.fromkeys(places, why)
        for place, limit in self._working:
            if place in places and not limit.expired():
                limit.reschedule(0)  # that is, now

    async def _take(self, former: Collection[str]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        self.former = [
            one for one in former if await self._try_until(until, one)
        ]
        rows = await self._connection.fetch(PLACES, self.collection)
        known = {row["place"] for row in rows}
        self.others = known - {*self.places} - {*self.former}
        refuse_nameless(self.places, self.others)
        for place in self.places:
            if not await self._try_until(until, place):
                raise StartupError(await self._taken(place))
            self._note_held(place)
            await self._connection.execute(ADD, self.collection, place)

    async def _try_until(self, until: float, place: str) -> bool:
        while not await self._try(place):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(PATIENCE_SECONDS / 20)
        return True

    async def _forget(self) -> None:
        await self._connection.execute(FORGET, self.collection, self.former)
        for place in self.former:
            await self._ask(f"SELECT pg_advisory_unlock({self._key(place)})")

    def _note_held(self, place: str) -> None:
        self._held.add(place)
        self._why_not.pop(place, None)

    async def _try(self, place: str) -> bool:
        return bool(
            await self._ask(f"SELECT pg_try_advisory_lock({self._key(place)})")
        )

    async def _taken(self, place: str) -> str:
        holder = await self._connection.fetchval(HOLDER, self._key(place))
        *_, host, process = f"{holder or 'image-search ? ?'}".split(" ")
        what = f"IMAGE_DIR's place {place}" if place else "IMAGE_DIR"
        return (
            f"{what} is indexed by another process into this collection ({process} on"
            f" {host}): stop that one, or give this one other places. Any number of"
            " processes may search, with ROLE=search."
        )

    def _away(self, error: Exception) -> str:
        reason = redact(error, self.url) or "it does not answer"
        return f"COCOINDEX_DATABASE_URL can't be used: {reason.rstrip('.')}."

    def _key(self, place: str) -> int:
        return _number(f"{self.collection}/{place}")

    def _ask(self, sql: str) -> Awaitable[Any]:
        found: Awaitable[Any] = self._connection.fetchval(sql)
        return found


@contextlib.asynccontextmanager
async def _until_lost(
    locks: PlaceLocks, place: str
) -> AsyncIterator[asyncio.Timeout]:
    limit: asyncio.Timeout | None = None
    try:
        async with asyncio.timeout(None) as limit:
            yield limit
    except TimeoutError:
        if limit is None or not limit.expired():
            raise
        raise PlaceTaken(locks.reason(place)) from None


def places_of(settings: Settings) -> Places:
    """The places that the settings name; waits for a Postgres that is starting.

    Raises StartupError.
    """
    url = settings.cocoindex_database_url
    if not url:
        return OwnPlaces()
    wait_for_postgres(url)
    names = [address.name for address in settings.image_dir]
    return PlaceLocks(url, state_name(settings), names)


def _number(text: str) -> int:
    """A key for Postgres's locks: 64 bits, signed."""
    digest = hashlib.sha256(f"image-search/{text}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
