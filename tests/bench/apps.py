"""Installations of the app that the benchmark starts, and what asks them over HTTP."""

import contextlib
import http.client
import json
import random
import shutil
import string
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

from tests.bench.material import FOLDER, LARGE, model, photos
from tests.harness import ROOT, App

RUN = FOLDER / "run"  # what this run alone needs


def new_text() -> str:
    """A text that nobody asked for before, of 10 tokens: start, 8 letters, end."""
    return "".join(random.choices(string.ascii_lowercase, k=8))


class Client:
    """One that asks over one connection, with little work of its own."""

    def __init__(self, app: App) -> None:
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", app.port, timeout=120
        )

    def get(self, path: str, **params: Any) -> Any:
        self.connection.request(
            "GET", f"{path}?{urllib.parse.urlencode(params)}"
        )
        response = self.connection.getresponse()
        content = response.read()
        assert response.status in {200, 503}, content
        return json.loads(content) if response.status == 200 else None

    def seconds(self, text: str) -> float:
        """Ask for a text that has to be answered."""
        began = time.perf_counter()
        assert self.get("/search", q=text)["results"]
        return time.perf_counter() - began


@contextlib.contextmanager
def installation(name: str, of_model: str = LARGE) -> Iterator[App]:
    """An app with a model and the sample photos, with its defaults for threads."""
    folder = RUN / name
    folder.mkdir(parents=True)
    samples = tuple(file.name for file in (ROOT / "img").glob("*.[jpw]*"))
    app = App(folder, samples, {"CLIP_MODEL": str(model(of_model))})
    del app.env["OMP_NUM_THREADS"]
    try:
        yield app
    finally:
        app.clear_away()
        shutil.rmtree(folder)


def wait_until_ready(client: Client) -> None:
    while client.get("/status")["state"] != "ready":
        time.sleep(0.2)


def wait_until_indexed(client: Client, number: int) -> None:
    """Until so many photos are there.

    Asked seldom while many are left: the answers would cost what is measured.
    """
    while left := max(0, number - client.get("/status")["indexed"]):
        time.sleep(0.05 + 2 * left / number)


def add_photos(
    app: App, number: int, width: int = 4000, height: int = 3000
) -> None:
    """Put photos into the folder, all at once, that nobody has seen before."""
    aside = app.img.with_name("aside") / uuid.uuid4().hex
    aside.mkdir(parents=True)
    for file in (photos(width, height) * number)[:number]:
        content = file.read_bytes() + uuid.uuid4().bytes
        (aside / f"{uuid.uuid4().hex}.jpg").write_bytes(content)
    aside.rename(app.img / aside.name)
