"""A process that decodes JPEGs on one device: what waits meanwhile is the next batch.

Workers ask it over a socket. Who comes while it has plenty to do is sent away at
once: the cores have as much to do with decoding as it has.
"""

import contextlib
import os
import queue
import signal
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from image_search.colour import Pixels
from image_search.jpeg_codec import JpegCodec
from image_search.jpeg_messages import (
    ANSWER,
    BUSY,
    MOST_PIXELS,
    READY,
    Request,
    address,
    is_of_our_user,
)

BATCH_PIXELS = 2 * MOST_PIXELS
# Requests at a time: while half of the workers wait for a GPU, the others decode.
MOST_WAITING = max(4, (os.cpu_count() or 1) // 2)
BATCH_SECONDS = 20.0  # after which the system ends it: it hangs
ASKING_SECONDS = 10.0  # that a worker may take to send a photo
REFUSAL = ANSWER.pack(0, 0)

Waiting = tuple[Request, "Future[Pixels | None]"]


class Codec(Protocol):
    """What decodes, as a JpegCodec does."""

    def decode(self, batch: Sequence[Request]) -> list[Pixels | None]: ...


def check(device: str) -> None:
    """See whether JPEGs can be decoded there; raises what tells why not."""
    JpegCodec(device).check()


def serve(device: str, name: str, number: int) -> None:
    """Decode for whoever asks, until the process ends; raises what goes wrong."""
    JpegServer(JpegCodec(device)).serve(name, number)


class JpegServer:
    """Answers requests, many by one call of the codec."""

    def __init__(self, codec: Codec, most: int = MOST_WAITING) -> None:
        """`most`: requests at a time; others are refused."""
        self.codec = codec
        self.most = most
        self._waiting: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._places = threading.Semaphore(most)
        self._next: Waiting | None = None  # there was no room for it in a batch

    def serve(self, name: str, number: int) -> None:
        """Answer at an address; returns never, and raises what the codec does."""
        with self.listen(name, number):
            while True:
                self.decode_waiting()

    def listen(self, name: str, number: int) -> socket.socket:
        """Take requests at an address, as long as what is returned is open."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address(name, number))
        listener.listen(socket.SOMAXCONN)
        threading.Thread(
            target=self._accept, args=(listener,), daemon=True
        ).start()
        return listener

    def put(self, request: Request) -> "Future[Pixels | None]":
        """Have a request wait for the next batch."""
        answer: Future[Pixels | None] = Future()
        self._waiting.put((request, answer))
        return answer

    def decode_waiting(self) -> None:
        """Wait for a request, and answer it with all others that wait."""
        batch = self.next_batch()
        # What hangs may let no other thread run: the system ends it then.
        signal.setitimer(signal.ITIMER_REAL, BATCH_SECONDS)
        try:
            answers = self.codec.decode([request for request, _ in batch])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for (_, answer), pixels in zip(batch, answers, strict=True):
            answer.set_result(pixels)

    def waiting(self) -> int:
        """How many requests are in no batch yet."""
        return self._waiting.qsize() + (self._next is not None)

    def next_batch(self) -> list[Waiting]:
        """Wait for a request; it, and what else waits, as far as there is memory."""
        batch = [self._next or self._waiting.get()]
        self._next = None
        room = BATCH_PIXELS - batch[0][0].pixels
        with contextlib.suppress(queue.Empty):
            while True:
                one = self._waiting.get_nowait()
                room -= one[0].pixels
                if room < 0:
                    self._next = one
                    break
                batch.append(one)
        return batch

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                asking, _ = listener.accept()
                threading.Thread(
                    target=self._answer, args=(asking,), daemon=True
                ).start()

    def _answer(self, asking: socket.socket) -> None:
        with asking, contextlib.suppress(OSError):
            if not is_of_our_user(asking):
                return
            if not self._places.acquire(blocking=False):
                asking.sendall(BUSY)
                return
            try:
                asking.settimeout(ASKING_SECONDS)
                asking.sendall(READY)
                pixels = self.put(Request.receive(asking)).result()
                if pixels is None:
                    asking.sendall(REFUSAL)
                    return
                asking.sendall(ANSWER.pack(*pixels.shape[:2]))
                asking.sendall(pixels.data.cast("B"))
            finally:
                self._places.release()
