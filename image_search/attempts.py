"""Wrong passwords and keys: they cost time, by address, and are told in the log."""

import asyncio
import contextlib
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from image_search.guests import LogLimit, network_of
from image_search.settings import logger

FREE_ATTEMPTS = 5  # everybody mistypes
FIRST_DELAY = 0.25  # seconds, and twice as many at each further attempt
LONGEST_DELAY = 4.0
LONGEST_WAIT = 8.0  # for the attempts of the same network that came before
FORGOTTEN_AFTER = 15 * 60.0
MAX_NETWORKS = 10_000  # that are remembered


class TooManyAttempts(Exception):
    """Its network has to wait before another password is looked at."""

    retry_after = math.ceil(LONGEST_DELAY)  # seconds


@dataclass
class Record:
    """The wrong passwords of one network."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    wrong: int = 0
    last: float = 0.0  # when the last one came

    def delay(self) -> float:
        """How long the answer to the last one is kept back, seconds."""
        costly = self.wrong - FREE_ATTEMPTS
        if costly <= 0:
            return 0.0
        # No power of two overflows.
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(costly - 1, 16))


class Attempts:
    """Has each network try one password after another, ever more slowly.

    The next attempt is looked at only when the last one was answered: to ask many
    times at once, or to hang up early, gains nothing. Others are not slowed, nor is
    a network whose passwords are right.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._log_limit = LogLimit(clock)
        # The one that was wrong last comes last.
        self._records: OrderedDict[str, Record] = OrderedDict()

    async def succeeds(self, client: str, check: Callable[[], bool]) -> bool:
        """Whether a client's password is right, which `check` tells.

        A wrong one is answered late. Raises TooManyAttempts, without a look at it,
        when too many of the same network wait already.
        """
        network = network_of(client)
        record = self._records.get(network) or Record()
        async with self._turn(record):
            if check():
                return True
            self._count(network, record)
            await asyncio.sleep(record.delay())
            return False

    @contextlib.asynccontextmanager
    async def _turn(self, record: Record) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await record.turn.acquire()
        except TimeoutError:
            raise TooManyAttempts from None
        try:
            yield
        finally:
            record.turn.release()

    def _count(self, network: str, record: Record) -> None:
        """Remember a wrong password, and say so."""
        now = self._clock()
        if now > record.last + FORGOTTEN_AFTER:
            record.wrong = 0
        record.wrong += 1
        record.last = now
        self._records[network] = record
        self._records.move_to_end(network)
        self._forget()
        if self._log_limit.allows(network):
            # Never what was tried: it may be the right one, with a slip.
            logger.warning(
                "A wrong password or key came from %s, its attempt no. %d.",
                network,
                record.wrong,
            )

    def _forget(self) -> None:
        """Drop what is old, and the oldest where there are too many."""
        still_counts = self._clock() - FORGOTTEN_AFTER
        while self._records:
            oldest = next(iter(self._records))
            is_old = self._records[oldest].last < still_counts
            if not is_old and len(self._records) <= MAX_NETWORKS:
                return
            del self._records[oldest]
