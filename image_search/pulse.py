"""Whether a pass of CocoIndex gets on, or waits for something that never comes.

CocoIndex opens what lies in a folder by itself. What it meets there, a named pipe
that came after we looked, or a disk that does not answer, may hold it up for ever.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator
from typing import Any

CHECK_SECONDS = 1
END_SECONDS = 5  # that one may take which is broken off
# That nothing may be seen of a pass: it looks at what has not changed unseen.
PATIENCE = 60.0
PATIENCE_A_PHOTO = 0.01


class PassStuck(RuntimeError):
    """Nothing was seen of a pass for too long; it was broken off."""

    def __init__(self) -> None:
        super().__init__(
            "Something held the indexing up: a file that is no regular one, or a disk"
            " or a server that does not answer. It is tried again."
        )


class Pulse:
    """When something was last done for a pass."""

    def __init__(self) -> None:
        self._last = 0.0
        self._under_way = 0

    def beat(self) -> None:
        """Something was done."""
        self._last = time.monotonic()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Something is being done, which comes to an end by itself."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self.beat()

    def quiet_since(self, beginning: float) -> float:
        """Seconds without anything done; `beginning` by time.monotonic()."""
        if self._under_way:
            return 0.0
        return time.monotonic() - max(self._last, beginning)


def patience_for(photos: int) -> float:
    """For how many seconds nothing need be seen of a pass over so many photos."""
    return PATIENCE + PATIENCE_A_PHOTO * photos


async def wait_unless_stuck(
    a_pass: Coroutine[Any, Any, None], pulse: Pulse, patience: float
) -> None:
    """Run a pass to its end; raises PassStuck, once it is broken off."""
    beginning = time.monotonic()
    task = asyncio.ensure_future(a_pass)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=CHECK_SECONDS)
            if pulse.quiet_since(beginning) > patience and not task.done():
                raise PassStuck
        await task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=END_SECONDS)
