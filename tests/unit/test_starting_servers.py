"""A server that is starting is waited for; one that says no is not."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from image_search.settings import StartupError
from image_search.starting_servers import wait_for_postgres, wait_for_server

SSL_REQUEST = 80877103
CANNOT_CONNECT_NOW = "57P03"
NO_SUCH_USER = "28000"


def test_a_server_that_starts_is_waited_for() -> None:
    """A server that does not answer at first is asked again, until it does."""
    answers = iter([OSError("Connection refused"), None])

    def ask() -> None:
        if error := next(answers):
            raise error

    wait_for_server("Postgres", ask, OSError)
    assert next(answers, "all were asked for") == "all were asked for"


def test_only_silence_is_waited_for() -> None:
    """An answer that is an error stops the start at once, and is not asked for again."""
    asked = []

    def ask() -> None:
        asked.append(1)
        raise StartupError("This collection is somebody else's.")

    with pytest.raises(StartupError, match="somebody else's"):
        wait_for_server("Qdrant", ask, OSError)
    assert len(asked) == 1


class PostgresThatRefuses:
    """Answers each connection by the next of some error codes."""

    def __init__(self, *codes: str) -> None:
        self.codes = [*codes]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = (
            f"postgres://me@127.0.0.1:{self.listener.getsockname()[1]}/db"
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # closed
            with connection:
                self._refuse(connection)

    def _refuse(self, connection: socket.socket) -> None:
        while head := connection.recv(8):
            length, code = struct.unpack("!ii", head)
            if code == SSL_REQUEST:
                connection.sendall(b"N")
                continue
            connection.recv(length)
            fields = f"SFATAL\0C{self.codes.pop(0)}\0Mno\0\0".encode()
            size = struct.pack("!i", len(fields) + 4)
            connection.sendall(b"E" + size + fields)
            return


@pytest.fixture
def refusing() -> Iterator[PostgresThatRefuses]:
    server = PostgresThatRefuses(CANNOT_CONNECT_NOW, NO_SUCH_USER, NO_SUCH_USER)
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()


def test_a_postgres_that_recovers_is_waited_for(
    refusing: PostgresThatRefuses,
) -> None:
    """It takes connections, and says "not yet"; any other no is left to who uses it."""
    wait_for_postgres(refusing.url)
    assert refusing.codes == [NO_SUCH_USER]
