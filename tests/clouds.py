"""Clouds for the tests: servers of S3's and of Azure's protocols, and a way to cut them off."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import httpx
import obstore
from obstore.store import AzureStore, S3Store

from tests.harness import PHOTOS, ROOT, eventually, free_port

# Azurite's own account, whose key everybody knows.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
KEYS = {
    "AWS_ACCESS_KEY_ID": "an-id-of-the-tests",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-s3",
    "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
}
# For the rooms that are tested in this process; the app's has an environment of its own.
os.environ |= KEYS


class Gate:
    """A way to a server on this machine that can be shut."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.is_shut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        """Let nobody through, and cut off who is under way."""
        self.is_shut = True
        for one in [*self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        self.is_shut = False

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self._listener.accept()
                if self.is_shut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pass_on, args=ends, daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()


@dataclass
class CloudBucket:
    """A bucket of a cloud: what the tests do to it, and how the app gets there."""

    kind: str
    name: str
    server: str  # its URL
    gate: Gate
    store: Any = field(init=False)

    def __post_init__(self) -> None:
        client: Any = {"allow_http": True}
        if self.kind == "s3":
            self.store = S3Store(
                self.name, endpoint=self.server, client_options=client
            )
            return
        self.store = AzureStore(
            self.name,
            account_name=ACCOUNT,
            endpoint=f"{self.server}/{ACCOUNT}",
            client_options=client,
        )

    def address(self, below: str = "", **options: str | float) -> str:
        """As IMAGE_DIR takes it; through the gate."""
        endpoint = f"http://127.0.0.1:{self.gate.port}"
        where = f"s3://{self.name}"
        if self.kind == "az":
            endpoint += f"/{ACCOUNT}"
            where = f"az://{ACCOUNT}/{self.name}"
        options = {"endpoint": endpoint, **options}
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"{where}/{below}?{query}".replace("/?", "?")

    def put(self, name: str, content: bytes) -> None:
        obstore.put(self.store, name, content)

    def add(self, photo: str, name: str, *, alike: bool = True) -> None:
        """Put a sample photo there; if it is not alike, as one of its own."""
        content = (PHOTOS / photo).read_bytes()
        self.put(name, content if alike else content + name.encode())

    def put_odd(self, name: str) -> None:
        """Put something into S3 under a name that obstore does not take."""
        url = f"{self.server}/{self.name}/{name}"
        httpx.put(url, content=b"abc").raise_for_status()

    def delete(self, *names: str) -> None:
        for name in names:
            obstore.delete(self.store, name)

    def clear(self) -> None:
        for page in obstore.list(self.store):
            self.delete(*(one["path"] for one in page))

    def new_queue(self) -> "Queue":
        """An SQS queue to which S3 sends this bucket's events."""
        client = sqs_client(self.server)
        url = client.create_queue(QueueName=self.name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:{self.name}"
        events = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
        configuration = (
            "<NotificationConfiguration><QueueConfiguration>"
            f"<Id>all</Id><Queue>{arn}</Queue>"
            + "".join(f"<Event>{event}</Event>" for event in events)
            + "</QueueConfiguration></NotificationConfiguration>"
        )
        where = f"{self.server}/{self.name}?notification"
        httpx.put(where, content=configuration).raise_for_status()
        return Queue(url, client)

    def deny(self, *names: str) -> None:
        """Let nobody read these objects of S3; with none, all of them again."""
        url = f"{self.server}/{self.name}?policy"
        if not names:
            httpx.delete(url).raise_for_status()
            return
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": [f"arn:aws:s3:::{self.name}/{name}" for name in names],
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        httpx.put(url, content=json.dumps(policy)).raise_for_status()


class Queue(NamedTuple):
    """An SQS queue."""

    url: str
    client: Any

    def messages(self) -> int:
        """How many are in it, those included that somebody has received."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        found = self.client.get_queue_attributes(
            QueueUrl=self.url, AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)


def sqs_client(url: str) -> Any:
    return boto3.client("sqs", endpoint_url=url, region_name="us-east-1")


class CloudServer:
    """A server, and the way in to it."""

    def __init__(self, kind: str, command: list[str | Path], port: int) -> None:
        self.kind = kind
        self.url = f"http://127.0.0.1:{port}"
        self.gate = Gate(port)
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: httpx.get(self.url).status_code)

    def close(self) -> None:
        self.gate.close()
        self.process.kill()
        self.process.wait(10)

    def new_bucket(self) -> CloudBucket:
        name = f"test-{uuid.uuid4().hex[:12]}"
        if self.kind == "s3":
            httpx.put(f"{self.url}/{name}").raise_for_status()
        else:
            make_container(f"{self.url}/{ACCOUNT}", name)
        return CloudBucket(self.kind, name, self.url, self.gate)


@contextlib.contextmanager
def s3_server() -> Iterator[CloudServer]:
    """Moto's server, which keeps what it has in memory."""
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    server = CloudServer("s3", [program, "-H127.0.0.1", f"-p{port}"], port)
    yield server
    server.close()


@contextlib.contextmanager
def azure_server() -> Iterator[CloudServer]:
    """Azurite, likewise."""
    port = free_port()
    program = ROOT / "tests" / "node_modules" / ".bin" / "azurite-blob"
    command: list[str | Path] = [
        "node",
        program.resolve(),
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
        "--silent",
        "--blobPort",
        str(port),
    ]
    server = CloudServer("az", command, port)
    yield server
    server.close()


def make_container(url: str, name: str) -> None:
    """Make one, by Azure's own way to sign."""
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": date, "x-ms-version": "2021-12-02"}
    signed = "\n".join(f"{key}:{value}" for key, value in headers.items())
    path = httpx.URL(url).path
    resource = f"/{ACCOUNT}{path}/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + f"{signed}\n{resource}"
    digest = hmac.digest(
        base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256
    )
    signature = base64.b64encode(digest).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    answer = httpx.put(f"{url}/{name}?restype=container", headers=headers)
    answer.raise_for_status()
