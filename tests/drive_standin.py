"""A stand-in of Google Drive, of its own words and answers, as far as the app asks for them."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.clouds import Gate
from tests.harness import PHOTOS
from tests.serving import serving

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
DOCUMENT = "application/vnd.google-apps.document"
EMAIL = "app@a-project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
QUERY = re.compile(r"'([\w-]+)' in parents and trashed=false")
Parameters = dict[str, str]


@dataclass
class Asked:
    """A request that came."""

    path: str
    parameters: Parameters
    range: str


@dataclass
class Failure:
    """What is answered in place of what was asked for."""

    status: int
    word: str
    times: int = 10**6


@dataclass
class Drive:
    """Files and folders by their ids; the uppermost folder is shared with EMAIL."""

    root: str = "1-the-folder_of-the-test"
    page: int = 1000  # names that come at a time, at most
    seconds: int = 3600  # that a token lives
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    signatures: int = 0  # of which a token was given
    # What fails, by the beginning of its path, such as files/id.
    failures: dict[str, Failure] = field(default_factory=dict)
    leaves_out: bool = False  # some of what there is, and says so
    # Called before a file's bytes are given away.
    before_media: Callable[[], Any] = lambda: None
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048)
    )
    url: str = ""
    gate: Gate = field(init=False)
    made_so_far: int = 0

    def __post_init__(self) -> None:
        self.make("the folder", "", FOLDER, id=self.root)

    @property
    def pem(self) -> str:
        """The private key."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem.decode()

    def write_key(self, path: Path) -> Path:
        """The service account's file, as Google's console gives it."""
        told = {
            "type": "service_account",
            "project_id": "a-project",
            "private_key_id": "an-id",
            "private_key": self.pem,
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(told))
        return path

    @property
    def endpoint(self) -> str:
        return f"{self.url}/drive/v3"

    def make(
        self, name: str, parent: str, kind: str = "image/png", **told: Any
    ) -> str:
        """A file or a folder, as it is told of; returns its id."""
        made: str = told.pop("id", f"1{uuid.uuid4().hex}")
        self.made_so_far += 1
        moment = f"2026-01-02T03:{self.made_so_far // 60:02}:{self.made_so_far % 60:02}.678Z"
        self.files[made] = {
            "kind": "drive#file",
            "id": made,
            "name": name,
            "mimeType": kind,
            "parents": [parent],
            "trashed": False,
            "version": "1",
            "createdTime": moment,
            "modifiedTime": moment,
            "capabilities": {"canListChildren": True, "canDownload": True},
            **told,
        }
        return made

    def folder(self, name: str, parent: str = "") -> str:
        return self.make(name, parent or self.root, FOLDER)

    def put(self, name: str, content: bytes, parent: str = "") -> str:
        """Another file, whether there is one of its name or not; returns its id."""
        made = self.make(name, parent or self.root)
        self.replace(made, content)
        return made

    def add(self, photo: str, name: str, parent: str = "") -> str:
        return self.put(name, (PHOTOS / photo).read_bytes(), parent)

    def replace(self, file_id: str, content: bytes) -> None:
        """Give a file another content."""
        self.contents[file_id] = content
        self.files[file_id] |= {
            "size": str(len(content)),
            "md5Checksum": hashlib.md5(
                content, usedforsecurity=False
            ).hexdigest(),
        }

    def delete(self, file_id: str) -> None:
        del self.files[file_id]

    def fail(
        self, path: str, status: int, word: str, times: int = 10**6
    ) -> None:
        self.failures[path] = Failure(status, word, times)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    @contextmanager
    def served(self) -> Iterator["Drive"]:
        drive = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                parameters = {
                    name: values[0]
                    for name, values in parse_qs(split.query).items()
                }
                path = split.path.removeprefix("/drive/v3/")
                drive.answer(self, path, parameters)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                drive.give_token(self, form)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        with serving(server):
            self.gate = Gate(server.server_address[1])
            self.url = f"http://127.0.0.1:{self.gate.port}"
            try:
                yield self
            finally:
                self.gate.close()

    def give_token(
        self, request: BaseHTTPRequestHandler, form: dict[str, list[str]]
    ) -> None:
        """To who has the key, for reading alone."""
        failure = self.failures.get("token")
        try:
            claims = jwt.decode(
                form["assertion"][0],
                self.key.public_key(),
                algorithms=["RS256"],
                audience="https://oauth2.googleapis.com/token",
            )
        except (LookupError, jwt.InvalidTokenError):
            claims = {}
        is_right = claims.get("iss") == EMAIL and claims.get("scope") == SCOPE
        if failure:
            send(request, failure.status, {"error": failure.word})
        elif not is_right:
            send(request, 400, {"error": "invalid_grant"})
        else:
            self.signatures += 1
            token = f"a-token-{uuid.uuid4().hex}"
            self.tokens.add(token)
            told = {"access_token": token, "expires_in": self.seconds}
            send(request, 200, {**told, "token_type": "Bearer"})

    def answer(
        self,
        request: BaseHTTPRequestHandler,
        path: str,
        parameters: Parameters,
    ) -> None:
        span = request.headers.get("Range") or ""
        self.asked.append(Asked(path, parameters, span))
        scheme, _, token = request.headers.get("Authorization", "").partition(
            " "
        )
        if scheme != "Bearer" or token not in self.tokens:
            refuse(request, 401, "authError")
            return
        for beginning, failure in self.failures.items():
            if path.startswith(beginning) and failure.times:
                failure.times -= 1
                refuse(request, failure.status, failure.word)
                return
        assert parameters["supportsAllDrives"] == "true"
        if path == "files":
            self.list(request, parameters)
            return
        file_id = path.removeprefix("files/")
        if file_id not in self.files:
            refuse(request, 404, "notFound")
        elif parameters.get("alt") == "media":
            self.before_media()
            send_part(request, self.contents[file_id], span)
        else:
            told = self.files[file_id]
            send(request, 200, chosen(told, parameters["fields"]))

    def list(
        self, request: BaseHTTPRequestHandler, parameters: Parameters
    ) -> None:
        assert parameters["includeItemsFromAllDrives"] == "true"
        asked = QUERY.fullmatch(parameters["q"])
        assert asked
        if asked[1] not in self.files:
            refuse(request, 404, "notFound")
            return
        found = [
            told
            for told in self.files.values()
            if asked[1] in told["parents"] and not told["trashed"]
        ]
        begin = int(parameters.get("pageToken", "0"))
        end = begin + min(int(parameters["pageSize"]), self.page)
        fields = re.search(r"files\((.*)\)", parameters["fields"])
        assert fields
        page: dict[str, Any] = {
            "files": [chosen(told, fields[1]) for told in found[begin:end]]
        }
        if self.leaves_out:
            page = {"files": [], "incompleteSearch": True}
        if end < len(found):
            page["nextPageToken"] = str(end)
        send(request, 200, page)


def chosen(told: dict[str, Any], fields: str) -> dict[str, Any]:
    """The fields that were asked for."""
    names = re.sub(r"\([^)]*\)", "", fields).split(",")
    return {name: told[name] for name in names if name in told}


def refuse(request: BaseHTTPRequestHandler, status: int, word: str) -> None:
    error = {
        "code": status,
        "message": "What no one is to repeat.",
        "errors": [{"domain": "global", "reason": word}],
    }
    send(request, status, {"error": error})


def send(request: BaseHTTPRequestHandler, status: int, told: Any) -> None:
    content = json.dumps(told).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json; charset=UTF-8")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def send_part(
    request: BaseHTTPRequestHandler, content: bytes, span: str
) -> None:
    """A file, or a part of it."""
    status, part = 200, content
    if span:
        first, _, last = span.removeprefix("bytes=").partition("-")
        begin, end = int(first), int(last or len(content)) + 1
        if begin >= len(content):
            refuse(request, 416, "requestedRangeNotSatisfiable")
            return
        status, part = 206, content[begin:end]
    request.send_response(status)
    request.send_header("Content-Length", str(len(part)))
    request.end_headers()
    request.wfile.write(part)
