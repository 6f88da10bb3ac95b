"""A bucket of a cloud, and a door before its server that counts, and fails."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from obstore.store import AzureStore, ObjectStore, S3Store

from image_search.bucket_addresses import BucketAddress
from image_search.buckets import Bucket
from tests.clouds import ACCOUNT, CloudBucket
from tests.harness import eventually
from tests.serving import serving

PIECE = 64 * 1024


@dataclass
class Asked:
    """A request that came to the server of a bucket."""

    method: str
    path: str
    range: str
    sent: int = 0  # bytes of the body, so far
    is_over: bool = False


@dataclass
class Door:
    """A server before that of the bucket."""

    behind: str
    asked: list[Asked] = field(default_factory=list)
    is_away: bool = False
    # Called before an object's bytes are given away, and what is known of it.
    before_get: Callable[[Asked], Any] = lambda _: None
    before_head: Callable[[Asked], Any] = lambda _: None
    # How large each object is said to be.
    tells: int | None = None
    # After so many bytes of each answer the connection ends.
    cuts_at: int | None = None
    # Of each answer so many bytes come, and the others once it is let go on.
    holds_at: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)

    def gets(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "GET"]

    def finished(self) -> list[Asked]:
        """All that was asked, once all of it has been sent."""
        eventually(lambda: all(one.is_over for one in self.asked))
        return self.asked

    @contextmanager
    def served(self) -> Iterator[str]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                door.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        with serving(server) as address:
            try:
                yield f"http://{address}"
            finally:
                self.go_on.set()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        headers = request.headers
        asked = Asked(request.command, request.path, headers.get("Range") or "")
        self.asked.append(asked)
        if self.is_away:
            request.send_response(503)
            request.send_header("Content-Length", "0")
            request.end_headers()
            asked.is_over = True
            return
        before = self.before_get if asked.method == "GET" else self.before_head
        before(asked)
        server = http.client.HTTPConnection(self.behind)
        server.request(asked.method, asked.path, headers=dict(headers.items()))
        answer = server.getresponse()
        request.send_response_only(answer.status)
        if answer.chunked:  # it comes in one here
            request.close_connection = True
            answer.headers["Connection"] = "close"
            del answer.headers["Transfer-Encoding"]
        if self.tells is not None:
            del answer.headers["Content-Length"]
            answer.headers["Content-Length"] = str(self.tells)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.end_headers()
        try:
            while part := answer.read(PIECE):
                held = self.holds_at
                if held is not None and asked.sent + len(part) > held:
                    self.go_on.wait(60)
                if self.cuts_at is not None and asked.sent >= self.cuts_at:
                    request.close_connection = True
                    return
                request.wfile.write(part)
                asked.sent += len(part)
        except OSError:
            request.close_connection = True
        finally:
            asked.is_over = True
            server.close()


class RemoteWorld:
    """A bucket with a prefix, and the door before its server."""

    def __init__(self, cloud: CloudBucket, below: str = "my photos") -> None:
        self.cloud = cloud
        self.below = below
        self.name = cloud.name
        self.door = Door(cloud.server.removeprefix("http://"))

    def bucket(self, server: str) -> Bucket:
        """As the app sees it, at the address of the door."""
        address = BucketAddress(self.cloud.kind, self.name, below=self.below)
        return Bucket(address, self._store(server))

    def put(self, name: str, content: bytes) -> None:
        self.cloud.put(f"{self.below}/{name}", content)

    def put_outside(self, name: str, content: bytes) -> None:
        self.cloud.put(name, content)

    def delete(self, name: str) -> None:
        self.cloud.delete(f"{self.below}/{name}")

    def _store(self, server: str) -> ObjectStore:
        common: Any = {
            "prefix": self.below,
            "client_options": {"allow_http": True},
            # As after some time: what is done then must not hang on it.
            "retry_config": {"max_retries": 0},
        }
        if self.cloud.kind == "s3":
            return S3Store(self.name, endpoint=server, **common)
        return AzureStore(
            self.name,
            account_name=ACCOUNT,
            endpoint=f"{server}/{ACCOUNT}",
            **common,
        )
