"""Clients that ask over HTTP with hardly any work of their own.

They share the cores with the app: http.client takes a third of a millisecond for each
answer, these a tenth of that.
"""

import selectors
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import psutil

LENGTH = b"content-length:"


class Load(NamedTuple):
    """What came of some seconds."""

    seconds: list[float]  # of each answer
    rate: float  # answers a second
    cpu: float  # seconds of the server's for each

    @property
    def milliseconds(self) -> tuple[float, float]:
        """The median, and what 99 of 100 take no longer than."""
        p50, p99 = 1000 * np.percentile(self.seconds, [50, 99])
        return float(p50), float(p99)


class Asking:
    """One client, with a connection that stays."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._came = b""
        self._began = 0.0

    def fileno(self) -> int:
        return self.socket.fileno()

    def ask(self, path: str, headers: str = "") -> None:
        """Send a request, and don't wait."""
        self._came, self._began = b"", time.perf_counter()
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        self.socket.sendall(request.encode())

    def take(self) -> float | None:
        """Take what has come; once that is the whole answer, its seconds."""
        part = self.socket.recv(2**18)
        assert part, "The server has hung up."
        self._came += part
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.lower().split(b"\r\n")
        [length] = [line for line in lines if line.startswith(LENGTH)]
        if len(body) < int(length[len(LENGTH) :]):
            return None
        assert head.split()[1] == b"200", self._came
        return time.perf_counter() - self._began


def load(
    server: int,
    ports: list[int],
    number: int,
    paths: Iterator[str],
    seconds: float,
) -> Load:
    """So many clients ask, each anew as soon as it is answered.

    `server`: the process whose CPU time is told. Of several ports each client has one.
    """
    process = psutil.Process(server)
    clients = [Asking(ports[one % len(ports)]) for one in range(number)]
    took: list[float] = []
    with selectors.DefaultSelector() as waiting:
        before, began = process.cpu_times(), time.perf_counter()
        for client in clients:
            waiting.register(client, selectors.EVENT_READ, client)
            client.ask(next(paths))
        left = number
        while left:
            for key, _ in waiting.select():
                answered = key.data.take()
                if answered is None:
                    continue
                took.append(answered)
                if time.perf_counter() < began + seconds:
                    key.data.ask(next(paths))
                else:
                    left -= 1
        spent, after = time.perf_counter() - began, process.cpu_times()
    for client in clients:
        client.socket.close()
    cpu = after.user - before.user + after.system - before.system
    return Load(took, len(took) / spent, cpu / len(took))
