"""Wrong passwords cost time: their network's alone, and ever more."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import pytest

from image_search import attempts
from image_search.attempts import Attempts, TooManyAttempts
from tests.unit.virtual_time import VirtualLoop

STRANGER = "192.168.1.7"
OWNER = "192.168.1.8"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it where minutes pass at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario)


def now() -> float:
    return asyncio.get_running_loop().time()


async def seconds_of(
    made: Attempts, client: str, *, right: bool = False
) -> float:
    """How long an attempt takes."""
    began = now()
    assert await made.succeeds(client, lambda: right) == right
    return now() - began


def test_wrong_passwords_take_ever_longer() -> None:
    """A few are free, since everybody mistypes; then each takes longer, up to a limit."""

    async def scenario() -> None:
        made = Attempts(now)
        waits = [await seconds_of(made, STRANGER) for _ in range(20)]
        assert waits[: attempts.FREE_ATTEMPTS] == [0] * attempts.FREE_ATTEMPTS
        assert waits[attempts.FREE_ATTEMPTS] > 0
        assert waits == sorted(waits)
        assert waits[-1] == pytest.approx(attempts.LONGEST_DELAY)

    run(scenario())


def test_others_are_not_slowed() -> None:
    """The right password from elsewhere opens at once, amid any number of wrong ones."""

    async def scenario() -> None:
        made = Attempts(now)
        strangers = [
            asyncio.create_task(made.succeeds(STRANGER, lambda: False))
            for _ in range(50)
        ]
        await asyncio.sleep(3)
        assert await seconds_of(made, OWNER, right=True) == 0
        await asyncio.gather(*strangers, return_exceptions=True)

    run(scenario())


def test_to_ask_at_once_gains_nothing() -> None:
    """Of many passwords at the same time no more are looked at than one after another."""

    async def scenario() -> None:
        made = Attempts(now)
        looked_at = []

        def check() -> bool:
            looked_at.append(now())
            return False

        async def ask_for_ever() -> None:
            while True:
                with contextlib.suppress(TooManyAttempts):
                    await made.succeeds(STRANGER, check)

        asking = [asyncio.create_task(ask_for_ever()) for _ in range(100)]
        await asyncio.sleep(600)
        most = attempts.FREE_ATTEMPTS + 600 / attempts.LONGEST_DELAY + 10
        assert 100 < len(looked_at) < most
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    run(scenario())


def test_who_hangs_up_waits_none_the_less() -> None:
    """An attempt whose sender has left holds up the next one as any other does."""

    async def scenario() -> None:
        made = Attempts(now)
        for _ in range(20):
            await made.succeeds(STRANGER, lambda: False)
        waiting = asyncio.create_task(made.succeeds(STRANGER, lambda: False))
        await asyncio.sleep(0)
        took = await seconds_of(made, STRANGER, right=True)
        assert took == pytest.approx(attempts.LONGEST_DELAY)
        assert waiting.done()

    run(scenario())


def test_right_passwords_are_not_slowed() -> None:
    """Who mistyped and then knows it waits no more, and never twice."""

    async def scenario() -> None:
        made = Attempts(now)
        for _ in range(20):
            await made.succeeds(STRANGER, lambda: False)
        for _ in range(100):
            assert await seconds_of(made, STRANGER, right=True) == 0

    run(scenario())


def test_wrong_passwords_are_forgotten() -> None:
    """After a while without one a network begins anew."""

    async def scenario() -> None:
        made = Attempts(now)
        for _ in range(20):
            await made.succeeds(STRANGER, lambda: False)
        await asyncio.sleep(attempts.FORGOTTEN_AFTER + 1)
        assert await seconds_of(made, STRANGER) == 0

    run(scenario())


def test_not_all_networks_are_remembered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However many networks try, what is kept of them is bounded, and so is the log."""

    async def scenario() -> None:
        made = Attempts(now)
        for number in range(attempts.MAX_NETWORKS + 500):
            await made.succeeds(f"2001:db8:{number:x}::1", lambda: False)
        assert len(made._records) == attempts.MAX_NETWORKS

    run(scenario())
    assert len(caplog.messages) < 100


def test_wrong_passwords_are_told_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has one line for each network and minute, with the network's name."""

    async def scenario() -> None:
        made = Attempts(now)
        for client in (STRANGER, OWNER, STRANGER, OWNER):
            await made.succeeds(client, lambda: False)
        assert len(caplog.messages) == 2
        assert STRANGER in caplog.messages[0]
        await asyncio.sleep(61)
        await made.succeeds(STRANGER, lambda: False)
        assert len(caplog.messages) == 3

    run(scenario())
