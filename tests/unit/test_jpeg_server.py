"""What waits while a batch is decoded is the next one, and each gets its own pixels."""

import functools
import secrets
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from image_search.colour import Pixels
from image_search.jpeg_messages import (
    ANSWER,
    BUSY,
    MOST_PIXELS,
    READY,
    Request,
    address,
    receive,
)
from image_search.jpeg_server import JpegServer
from tests.harness import eventually


class HeldCodec:
    """Decodes once it may: a pixel of the colour that a request's bytes say."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def decode(self, batch: Sequence[Request]) -> list[Pixels | None]:
        self.batches.append([one.content[0] for one in batch])
        self.may.acquire()
        return [
            np.full(one.shape, one.content[0], np.uint8)
            if one.content[0]
            else None
            for one in batch
        ]


class World:
    """A server with its codec, in threads of this process."""

    def __init__(self, most: int = 8) -> None:
        self.codec = HeldCodec()
        self.server = JpegServer(self.codec, most)
        self.name = secrets.token_hex(4)
        self.listener = self.server.listen(self.name, 0)

    def serve(self, batches: int) -> None:
        for _ in range(batches):
            self.server.decode_waiting()

    def connect(self) -> socket.socket:
        asking = socket.socket(socket.AF_UNIX)
        asking.settimeout(30)
        asking.connect(address(self.name, 0))
        return asking

    def connect_when_free(self) -> socket.socket:
        """A connection that has a place: that of another one is free soon after it."""
        free: list[socket.socket] = []

        def is_free() -> bool:
            asking = self.connect()
            if receive(asking, 1) == READY:
                free.append(asking)
                return True
            asking.close()
            return False

        eventually(is_free)
        return free[0]

    def ask(self, colour: int, pixels: int = 12) -> int | None:
        """The colour that comes back; None for a refusal."""
        with self.connect_when_free() as asking:
            Request(pixels, 1, 1, 3, bytes([colour])).send(asking)
            height, width = ANSWER.unpack(receive(asking, ANSWER.size))
            if not height:
                return None
            assert (height, width) == (1, pixels)
            found = set(receive(asking, 3 * pixels))
            assert len(found) == 1
            return found.pop()


def asked_one_by_one(
    world: World, threads: ThreadPoolExecutor, colours: Sequence[int]
) -> "list[Future[int | None]]":
    """The first is under way before the others come, and these wait together."""
    asked = []
    for number, colour in enumerate(colours):
        asked.append(threads.submit(world.ask, colour))
        if number == 0:
            eventually(lambda: world.codec.batches)
        else:
            eventually(functools.partial(waits, world, number))
    return asked


def waits(world: World, number: int) -> bool:
    return world.server.waiting() == number


def test_what_waits_is_one_batch() -> None:
    """Several workers' photos go together; each gets what it asked for, or a refusal."""
    world = World()
    with ThreadPoolExecutor(8) as threads, world.listener:
        served = threads.submit(world.serve, 2)
        asked = asked_one_by_one(world, threads, (1, 2, 0, 4, 5))
        world.codec.may.release(2)
        assert [one.result() for one in asked] == [1, 2, None, 4, 5]
        served.result()
    assert world.codec.batches == [[1], [2, 0, 4, 5]]


def test_a_batch_has_a_bound_of_pixels() -> None:
    """What has no room in one is in the next, so that memory is bounded."""
    world = World()
    large = Request(MOST_PIXELS, 1, 8, 3, b"x")
    for _ in range(5):
        world.server.put(large)
    for expected in (2, 2, 1):
        assert len(world.server.next_batch()) == expected


def test_who_comes_while_there_is_plenty_is_sent_away() -> None:
    """At once, and before it has sent its photo; afterwards there is room again."""
    world = World(most=2)
    with ThreadPoolExecutor(4) as threads, world.listener:
        served = threads.submit(world.serve, 2)
        asked = asked_one_by_one(world, threads, (1, 2))
        with world.connect() as third:
            assert receive(third, 1) == BUSY
        world.codec.may.release(2)
        assert [one.result() for one in asked] == [1, 2]
        served.result()
        again = threads.submit(world.serve, 1)
        world.codec.may.release()
        assert world.ask(3) == 3
        again.result()


def test_who_goes_or_talks_nonsense_takes_no_place() -> None:
    """Their places are free again, and others are answered."""
    world = World(most=1)
    with ThreadPoolExecutor(4) as threads, world.listener:
        for said in (b"", b"nonsense" * 10):
            with world.connect_when_free() as asking:
                asking.sendall(said)
        served = threads.submit(world.serve, 1)
        world.codec.may.release()
        assert world.ask(7) == 7
        served.result()


def test_a_codec_that_fails_ends_the_server() -> None:
    """It is the parent's to start another: nobody waits for what does not come."""

    class Failing(HeldCodec):
        def decode(self, batch: Sequence[Request]) -> list[Pixels | None]:
            raise RuntimeError("the device is lost")

    server = JpegServer(Failing())
    server.put(Request(1, 1, 1, 3, b"x"))
    with pytest.raises(RuntimeError, match="lost"):
        server.serve(secrets.token_hex(4), 0)
