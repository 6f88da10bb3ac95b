"""An event loop on which hours pass at once, for what takes its time."""

import asyncio
import selectors
from typing import Any


class VirtualSelector(selectors.SelectSelector):
    """Waits no time at all, but tells how long it would have waited."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if not events and timeout:
            self.waited += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which a minute takes no time, where nobody else is waited for."""

    def __init__(self) -> None:
        self._waiting = VirtualSelector()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.waited
