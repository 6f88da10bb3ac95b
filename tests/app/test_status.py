"""What the app says about itself: how far the indexing is, and what was left out."""

import json
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from image_search.hardware import choose_hardware
from tests.harness import PHOTOS, App, NewApp, eventually


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    app = new_app("cat.png", "coffee.png")
    (app.img / "broken.jpg").write_bytes(b"no photo")
    (app.img / "half.png").write_bytes((PHOTOS / "cat.png").read_bytes()[:9999])
    app.start()
    app.finds("cat.png", "coffee.png")
    yield app
    app.stop()


def add_many(app: App, number: int) -> None:
    """Put photos into the folder all at once that nobody has seen before, as `many`."""
    for _ in range(number):
        name = f".aside/{uuid.uuid4().hex}.jpg"
        app.add("motorcycle.jpg", name, alike=False)
    (app.img / ".aside").rename(app.img / "many")


def events(app: App) -> Iterator[dict[str, Any]]:
    """What /status/events sends, one status after the other."""
    with app.http.stream("GET", "/status/events", timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def test_status_says_what_there_is(app: App) -> None:
    """Model, device, store, how many photos, and which were left out and why."""
    eventually(lambda: app.status()["state"] == "ready")
    now = app.status()
    assert now["model"] == "starter (object search)"
    assert f"torch.{now['precision']}" == str(choose_hardware()[1])
    assert now["device"] in {"cpu", "cuda:0", "mps:0"}
    assert now["store"] == "Qdrant Edge"
    assert now["words"] is None  # OCR=off
    assert app.get("/photo/cat.png").json()["text"] is None
    counts = {
        key: now[key] for key in ("photos", "indexed", "waiting", "skipped")
    }
    assert counts == {"photos": 4, "indexed": 2, "waiting": 0, "skipped": 2}
    reasons = {
        photo["filename"]: photo["reason"] for photo in now["skipped_photos"]
    }
    assert reasons["broken.jpg"] == "a text with a photo's name"
    assert "cut off" in reasons["half.png"]
    assert now["last_error"] is None
    assert now["seconds_to_go"] is None


def test_the_log_is_quiet(app: App) -> None:
    """A line for each pass that changed something; none for a request, nor for a pass without."""
    eventually(lambda: app.status()["state"] == "ready")
    app.get("/search", q="cat")
    log = app.log.read_text()
    assert log.count("2 photos are indexed, 2 are skipped.") == 1
    assert "/search" not in log


def test_nothing_is_no_answer_while_photos_wait(app: App) -> None:
    """A folder that no indexed photo lies in is empty once all are indexed; not before."""
    before = app.status()["indexed"]
    add_many(app, 40)
    eventually(lambda: app.status()["waiting"])
    codes = []

    def is_answered() -> bool:
        answer = app.get("/search", folder="no-such")
        codes.append(answer.status_code)
        if answer.status_code == 200:
            assert answer.json()["results"] == []
            assert app.status()["indexed"] == before + 40
        return answer.status_code == 200

    eventually(is_answered, within=60)
    assert codes[0] == 503
    shutil.rmtree(app.img / "many")
    eventually(lambda: app.status()["indexed"] == before)


def test_changes_are_pushed(app: App) -> None:
    """The events begin with what is, and go on with each change, until all is done."""
    eventually(lambda: app.status()["state"] == "ready")
    stream = events(app)
    first = next(stream)
    assert (first["state"], first["indexed"]) == ("ready", 2)
    for number in range(3):
        app.add("flower.jpg", f"new/{number}.jpg")
    seen = []
    for now in stream:
        seen.append(now["indexed"])
        if now["indexed"] == 5 and now["state"] == "ready":
            break
    assert seen == sorted(seen)
    assert now["last_change"] is not None


def test_progress_while_indexing(app: App) -> None:
    """While photos wait, the status says how many, and each is indexed, waits or is skipped."""
    eventually(lambda: app.status()["state"] == "ready")
    before = app.status()["photos"]
    add_many(app, 40)
    seen = []
    for now in events(app):
        if now["photos"] == before:
            continue  # none of them was noticed yet
        seen.append(now)
        assert now["photos"] == before + 40
        sum_of_all = now["indexed"] + now["waiting"] + now["skipped"]
        assert sum_of_all == now["photos"]
        if now["state"] == "ready":
            break
    assert seen[0]["state"] == "indexing"
    assert seen[-1]["waiting"] == 0
    shutil.rmtree(app.img / "many")
    eventually(lambda: app.status()["photos"] == before)


def test_a_restart_with_an_open_page(app: App) -> None:
    """With somebody listening to the events the app still stops within seconds.

    The list of what was left out survives it, and a photo that was mended or deleted leaves it.
    """
    eventually(lambda: app.status()["state"] == "ready")
    stream = events(app)
    before = next(stream)["skipped_photos"]
    assert before
    every = app.get("/status/skipped").json()
    assert every["skipped"] == len(before)
    assert sorted(map(str, before)) == sorted(map(str, every["photos"]))
    app.stop(within=6)
    eventually(lambda: not app.processes(), within=15)
    app.start()
    eventually(lambda: app.status()["state"] == "ready")
    assert app.status()["skipped_photos"] == before
    assert app.get("/status/skipped").json() == every
    app.add("rocket.jpg", "broken.jpg")
    (app.img / "half.png").unlink()
    eventually(lambda: app.status()["skipped"] == 0)
    assert app.status()["skipped_photos"] == []
    for number in range(120):
        (app.img / f"{number}.jpg").write_text(f"no photo {number}")
    eventually(lambda: app.status()["skipped"] == 120)
    # The list is bounded, the number is not, and another list has them all.
    assert len(app.status()["skipped_photos"]) == 100
    table = app.get("/status/skipped", format="csv").text.splitlines()
    assert len(table) == 121
    assert [line.partition(",")[0] for line in table[1:]] == sorted(
        f"{number}.jpg" for number in range(120)
    )
