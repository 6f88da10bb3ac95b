"""A worker asks a decoder only where there is one, and never waits long for it."""

import io
import secrets
import socket
import threading
from pathlib import Path

import pytest
from PIL import Image

from image_search.jpeg_client import decode_elsewhere
from image_search.jpeg_messages import (
    ANSWER,
    BUSY,
    FOLDER_VARIABLE,
    NAME_VARIABLE,
    READY,
    REQUEST,
    address,
    receive,
)
from tests.harness import PHOTOS

SIZE = 1200, 900


def photo() -> bytes:
    image = Image.open(PHOTOS / "cat.png").convert("RGB").resize(SIZE)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    notes = str(tmp_path / "notes")
    return {NAME_VARIABLE: secrets.token_hex(4), FOLDER_VARIABLE: notes}


def listener_of(variables: dict[str, str]) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address(variables[NAME_VARIABLE], 3))
    listener.listen()
    return listener


class Answering(threading.Thread):
    """A decoder that greets one worker, hears its request, answers, and goes."""

    def __init__(
        self, listener: socket.socket, greeting: bytes, answer: bytes = b""
    ) -> None:
        super().__init__(daemon=True)
        self.listener, self.greeting, self.answer = listener, greeting, answer
        self.bytes_got = 0
        self.start()

    def run(self) -> None:
        worker, _ = self.listener.accept()
        with worker:
            worker.sendall(self.greeting)
            if self.answer:
                *_, size = REQUEST.unpack(receive(worker, REQUEST.size))
                self.bytes_got = len(receive(worker, size))
                worker.sendall(self.answer)


def asked(variables: dict[str, str], seconds: float = 0.2) -> object:
    return decode_elsewhere(
        photo(), SIZE, environment=variables, seconds=seconds
    )


def test_without_decoders_nobody_is_asked(variables: dict[str, str]) -> None:
    """Neither where none can be, nor where none listens just now."""
    assert asked({}) is None
    assert asked(variables) is None
    assert not Path(variables[FOLDER_VARIABLE]).exists()


def test_one_that_says_nothing_is_left(variables: dict[str, str]) -> None:
    """Before it took the photo: that is no fault of the photo's."""
    with listener_of(variables):
        assert asked(variables) is None
    assert not Path(variables[FOLDER_VARIABLE]).exists()


def test_one_that_is_busy_is_left(variables: dict[str, str]) -> None:
    """And asked again for the next photo."""
    with listener_of(variables) as listener:
        for _ in range(2):
            decoder = Answering(listener, BUSY)
            assert asked(variables, 30) is None
            decoder.join()
    assert not Path(variables[FOLDER_VARIABLE]).exists()


@pytest.mark.parametrize("answer", [ANSWER.pack(0, 0), ANSWER.pack(9, 9)])
def test_a_refusal_is_no_death(
    variables: dict[str, str], answer: bytes
) -> None:
    """Nor are pixels of another size: the photo is decoded here, and asked for again."""
    with listener_of(variables) as listener:
        for _ in range(2):
            decoder = Answering(listener, READY, answer)
            assert asked(variables, 30) is None
            decoder.join()
            assert decoder.bytes_got > 1000
    assert not Path(variables[FOLDER_VARIABLE]).exists()


def test_what_it_dies_of_is_not_sent_again(variables: dict[str, str]) -> None:
    """The photo is noted, and the next decoder is not even connected to."""
    with listener_of(variables) as listener:
        decoder = Answering(listener, READY, ANSWER.pack(900, 1200) + b"12")
        assert asked(variables, 30) is None
        decoder.join()
        assert len([*Path(variables[FOLDER_VARIABLE]).iterdir()]) == 1
        listener.settimeout(0)
        assert asked(variables, 30) is None
        with pytest.raises(BlockingIOError):
            listener.accept()
