"""Guests: who is one and the same, and how much may be said about them in the log."""

import contextlib
import ipaddress
import logging
import time
from collections.abc import Callable, Iterator

SILENCE = 60.0  # seconds between two lines in the log about the same
MAX_LINES = 20  # in that time, whatever they are about


def network_of(client: str) -> str:
    """What stands for one guest: an IPv4 address, or the /64 of an IPv6 address.

    A household, and whoever rents a server, has a whole /64 to ask from.
    """
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client[:64]  # a socket without addresses, or what a proxy tells
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


class LogLimit:
    """Lets the same be said once a minute, and not much in all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}  # and when, the oldest first

    def allows(self, subject: str) -> bool:
        """Whether something may be said about this now; then it counts as said."""
        now = self._clock()
        while self._said:
            oldest = next(iter(self._said))
            if self._said[oldest] + SILENCE > now:
                break
            del self._said[oldest]
        if subject in self._said or len(self._said) >= MAX_LINES:
            return False
        self._said[subject] = now
        return True


class OnceAMinute(logging.Filter):
    """Lets each warning of a library's log through once a minute.

    Strangers can cause them as often as they like. A failure that is told with its
    traceback passes, but for asyncio's that no more files can be opened.
    """

    def __init__(self) -> None:
        super().__init__()
        self._limit = LogLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        subject = str(record.msg).partition("\n")[0]
        is_about_files = subject.startswith("socket.accept()")
        if record.levelno < logging.WARNING:
            return True
        if record.exc_info and not is_about_files:
            return True
        return self._limit.allows(subject)

    @contextlib.contextmanager
    def applied(self, *names: str) -> Iterator[None]:
        """Apply it to some loggers."""
        loggers = [logging.getLogger(name) for name in names]
        for one in loggers:
            one.addFilter(self)
        try:
            yield
        finally:
            for one in loggers:
                one.removeFilter(self)
