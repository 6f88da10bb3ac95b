"""A pass that gets on is waited for, however long it takes; one that hangs is broken off."""

import asyncio
import time

import pytest

from image_search.pulse import (
    PATIENCE,
    PassStuck,
    Pulse,
    patience_for,
    wait_unless_stuck,
)

SHORT = 0.1


def test_a_pass_that_hangs_is_broken_off() -> None:
    """Where nothing is seen of it for too long it is cancelled, and can tidy up."""
    tidied = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tidied.append(True)

    began = time.monotonic()
    with pytest.raises(PassStuck, match="held the indexing up"):
        asyncio.run(wait_unless_stuck(hang(), Pulse(), SHORT))
    assert tidied
    assert time.monotonic() - began < 5


def test_a_pass_that_works_is_waited_for() -> None:
    """While a photo is being read or embedded, however long, nothing is broken off."""
    pulse = Pulse()

    async def work() -> None:
        with pulse.working():
            await asyncio.sleep(1.5)

    asyncio.run(wait_unless_stuck(work(), pulse, SHORT))


def test_what_is_done_starts_the_waiting_anew() -> None:
    """Quiet is a pass since something was last done for it, not since it began."""
    pulse = Pulse()
    beginning = time.monotonic() - 100
    assert pulse.quiet_since(beginning) >= 100
    pulse.beat()
    assert pulse.quiet_since(beginning) < 50


def test_what_a_pass_raises_is_raised() -> None:
    """Its own error comes through, at once."""

    async def fail() -> None:
        raise ValueError("the store is away")

    began = time.monotonic()
    with pytest.raises(ValueError, match="the store is away"):
        asyncio.run(wait_unless_stuck(fail(), Pulse(), 60))
    assert time.monotonic() - began < 20


def test_a_large_folder_has_more_time() -> None:
    """Photos that have not changed are looked at unseen: each may take a while."""
    assert patience_for(0) == PATIENCE
    assert patience_for(200_000) > 1000
