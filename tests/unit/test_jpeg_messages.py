"""What a JPEG decoder is asked arrives as it was sent, or not at all."""

import socket
from collections.abc import Iterator

import pytest

from image_search.jpeg_messages import (
    MOST_PIXELS,
    REQUEST,
    Request,
    address,
    is_of_our_user,
    receive,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_request_arrives(pair: Pair) -> None:
    """All of it, and it tells the shape of its answer: blocks at the edge count too."""
    request = Request(1201, 900, 8, 3, b"the bytes of a JPEG")
    request.send(pair[0])
    assert Request.receive(pair[1]) == request
    assert request.shape == (113, 151, 3)
    assert request.pixels == 1201 * 900


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 9, 1, 3, 1),
        (9, 9, 3, 3, 1),
        (9, 9, 1, 4, 1),
        (9, 9, 1, 3, 2**60),
        (MOST_PIXELS, 2, 1, 3, 1),
    ],
)
def test_nonsense_is_refused(pair: Pair, numbers: tuple[int, ...]) -> None:
    """By its numbers, before any memory is taken for it."""
    pair[0].sendall(REQUEST.pack(*numbers))
    with pytest.raises(OSError, match="no sense"):
        Request.receive(pair[1])


def test_an_end_is_no_message(pair: Pair) -> None:
    pair[0].sendall(b"12")
    pair[0].close()
    with pytest.raises(ConnectionResetError):
        receive(pair[1], 3)


def test_addresses_have_no_files_and_no_equals() -> None:
    """Each decoder has its own, which the system forgets with it, and takes."""
    listener = socket.socket(socket.AF_UNIX)
    name = "x" * 16
    with listener:
        listener.bind(address(name, 15))
        listener.listen()
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(address(name, 15))
            assert is_of_our_user(other)
    assert address(name, 1) != address(name, 2) != address("y", 2)
    with (
        socket.socket(socket.AF_UNIX) as other,
        pytest.raises(ConnectionRefusedError),
    ):
        other.connect(address(name, 15))
