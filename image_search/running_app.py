"""The app that runs here, as the command asks it: over HTTP, like anybody."""

import base64
import contextlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from image_search.settings import Settings

SECONDS = 60.0  # that an answer may take
SECONDS_TO_FIND_OUT = 5.0
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104

Parameters = Mapping[str, str | int | Sequence[str]]


class NotAnswered(Exception):
    """What the app says in place of an answer, or that it says nothing.

    `status`: that of HTTP; None if there was no answer at all.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class RunningApp:
    """Where it answers, and the password that it asks for."""

    url: str
    password: str | None = None

    @classmethod
    def at(cls, settings: Settings, port: int | None = None) -> "RunningApp":
        """Where the settings have it, or at another port there."""
        host = EVERY_ADDRESS.get(settings.host, settings.host)
        url = f"http://{host}:{port or settings.port}{settings.root_path}"
        return cls(url, settings.password)

    @classmethod
    def of(cls, settings: Settings) -> "RunningApp | None":
        """The one that has the index which the settings name; None if none runs.

        It is told by the process that uses DATA_DIR. Of an index on a server there
        may be others, of which the one at PORT is asked.
        """
        folder, collection = settings.data_dir, settings.qdrant_collection
        ports = [
            port
            for file in ("pid", f"indexing-{collection}.pid")
            for port in _ports_of(folder / file, settings.port)
        ]
        if settings.qdrant_url:
            ports.append(settings.port)
        for port in dict.fromkeys(ports):
            app = cls.at(settings, port)
            if app.is_one():
                return app
        return None

    def is_one(self) -> bool:
        """Whether such an app answers there."""
        try:
            answer = self.ask("/openapi.json", seconds=SECONDS_TO_FIND_OUT)
            return bool(json.loads(answer)["info"]["title"] == "Image search")
        except NotAnswered as error:
            return error.status == HTTPStatus.UNAUTHORIZED
        except (ValueError, KeyError, TypeError):
            return False

    def ask(
        self,
        path: str,
        parameters: Parameters | None = None,
        seconds: float = SECONDS,
    ) -> bytes:
        """What it answers; raises NotAnswered."""
        words = urlencode(parameters or {}, doseq=True)
        address = f"{self.url}{path}?{words}"
        request = urllib.request.Request(address)  # noqa: S310, it is http
        if self.password:
            secret = base64.b64encode(f":{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {secret}")
        # A proxy on the way is for others' addresses.
        no_proxy = urllib.request.ProxyHandler({})
        opener = urllib.request.build_opener(no_proxy)
        try:
            with opener.open(request, timeout=seconds) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            said = _detail_in(error.read())
            raise NotAnswered(said, error.code) from None
        # The latter: what listens there speaks something else.
        except (OSError, http.client.HTTPException) as error:
            raise NotAnswered(
                f"{self.url}{path} does not answer: {error}."
            ) from None


def _detail_in(content: bytes) -> str:
    """The sentence of an answer that is an error."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        detail: Any = json.loads(content)["detail"]
        if isinstance(detail, str):
            return detail
        return "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in detail)
    return content.decode(errors="replace")


def _ports_of(pid_file: Path, usual: int) -> Iterator[int]:
    """Where the process listens that a file tells of, if it is there."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        connections = process.net_connections("tcp")
    except (OSError, ValueError, psutil.NoSuchProcess):
        return
    except psutil.AccessDenied:  # as macOS has it
        yield usual
        return
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN:
            yield connection.laddr.port
