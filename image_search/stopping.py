"""An end at any moment, within three seconds: what Ctrl-C and SIGTERM do.

While the app is imported they end it at once. While it starts, which uvicorn would
see to its end first, whatever waits in threads: its children are ended, and then the
process. Once it has started uvicorn ends it in order: those who wait for something
are told, and what is not done after a while is cut off.
"""

import asyncio
import contextlib
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# That answers may still take; to end the children takes another one and a half.
GRACE_SECONDS = 1.5

logger = logging.getLogger("uvicorn.image_search")


def end_at_once() -> Callable[[], None]:
    """Have a signal end this process at once, and silently; returns what undoes it.

    For the time before there is anything to close. Python's own answer to Ctrl-C is
    a traceback.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            # One that is ignored, as behind `nohup`, stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, signal.SIG_DFL)

    def undo() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


class Stop:
    """From its start on, a signal ends the app within three seconds.

    uvicorn's handlers of signals stay in charge; they are only listened to.
    """

    def __init__(self, *end_children: Callable[[], None]) -> None:
        """`end_children`: what must not outlive this process; from any thread."""
        self._end_children = end_children
        self._tell: tuple[Callable[[], object], ...] | None = None
        # Unlike an Event's, its methods may be interrupted by a signal.
        self._received: queue.SimpleQueue[int] = queue.SimpleQueue()

    @contextlib.contextmanager
    def listening(self) -> Iterator[Self]:
        """Listen to signals, while an event loop runs in this thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self  # it gets no signals
            return
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._wait, daemon=True).start()
        before: dict[int, Any] = {}
        for number in SIGNALS:
            before[number] = signal.getsignal(number)

        def listen(number: int, frame: FrameType | None) -> None:
            self._received.put(number)
            handler = before[number]
            if callable(handler):
                handler(number, frame)

        for number in SIGNALS:
            signal.signal(number, listen)
        if _has_uvicorn_got_a_signal(before[signal.SIGTERM]):
            self._received.put(signal.SIGTERM)
        try:
            yield self
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def has_started(self, *tell: Callable[[], object]) -> None:
        """From now on uvicorn answers a signal; those who wait are told by `tell`."""
        self._tell = tell

    def _wait(self) -> None:
        """A thread: wait for a signal, and see to it that this process ends."""
        # Python's handlers run in the main thread, which a second signal would not wake
        # if the system gave it to this one, as it may while the first is pending.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        number = self._received.get()
        if self._tell is None:
            logger.info("Stopped while starting.")
        else:
            for tell in self._tell:
                # There is none any more where all has been closed already.
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(tell)
            self._give_time()
        try:
            for end in self._end_children:
                end()
        finally:
            os._exit(128 + number)

    def _give_time(self) -> None:
        """Wait for the end, or for a Ctrl-C by somebody who does not want to."""
        deadline = time.monotonic() + GRACE_SECONDS
        number = None
        # uvicorn's reloader sends SIGTERM after a terminal's SIGINT.
        while number != signal.SIGINT:
            left = max(0, deadline - time.monotonic())
            try:
                number = self._received.get(timeout=left)
            except queue.Empty:
                return


def _has_uvicorn_got_a_signal(handler: Any) -> bool:
    """Whether a signal came before anybody listened.

    uvicorn's handler is a method of its server, which has noted it. With another
    server nothing is known, and the app is stopped once it has started.
    """
    server = getattr(handler, "__self__", None)
    return bool(getattr(server, "should_exit", False))
