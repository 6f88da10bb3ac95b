"""What listens at a port is asked whether it is an app of ours."""

import socket
import threading

import pytest

from image_search.running_app import RunningApp


@pytest.mark.parametrize(
    "answer",
    [b"", b"no HTTP\r\n", b"\x00\x00\x12\x04\x00\x00", b"x" * 70_000],
    ids=["nothing", "text", "bytes", "no end of a line"],
)
def test_what_speaks_something_else_is_none(answer: bytes) -> None:
    """Postgres, Qdrant's gRPC, or one that hangs up: it is passed by."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert not RunningApp(url).is_one()
        thread.join()
