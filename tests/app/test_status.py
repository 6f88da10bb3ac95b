"""What the app says about itself: how far the indexing is, and what was left out."""

import json
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


def status(app: App) -> dict[str, Any]:
    return dict(app.get("/status").json())


def events(app: App) -> Iterator[dict[str, Any]]:
    """What /status/events sends, one status after the other."""
    with app.http.stream("GET", "/status/events", timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def test_status_says_what_there_is(app: App) -> None:
    """Model, device, store, how many photos, and which were left out and why."""
    eventually(lambda: status(app)["state"] == "ready")
    now = status(app)
    assert now["model"] == "starter (object search)"
    assert f"torch.{now['precision']}" == str(choose_hardware()[1])
    assert now["device"] in {"cpu", "cuda:0", "mps:0"}
    assert now["store"] == "Qdrant Edge"
    counts = {
        key: now[key] for key in ("photos", "indexed", "waiting", "skipped")
    }
    assert counts == {"photos": 4, "indexed": 2, "waiting": 0, "skipped": 2}
    reasons = {
        photo["filename"]: photo["reason"] for photo in now["skipped_photos"]
    }
    assert reasons["broken.jpg"] == "it is no image of a known format"
    assert "truncated" in reasons["half.png"]
    assert now["last_error"] is None
    assert now["seconds_to_go"] is None


def test_the_log_is_quiet(app: App) -> None:
    """A line for each pass that changed something; none for a request, nor for a pass without."""
    eventually(lambda: status(app)["state"] == "ready")
    app.get("/search", q="cat")
    log = app.log.read_text()
    assert log.count("2 photos are indexed, 2 are skipped.") == 1
    assert "/search" not in log


def test_nothing_is_no_answer_while_photos_wait(new_app: NewApp) -> None:
    """A folder that no indexed photo lies in is empty once all are indexed; not before."""
    app = new_app("cat.png").start()
    app.finds("cat.png")
    for number in range(40):
        app.add("motorcycle.jpg", f".aside/{number}.jpg", alike=False)
    (app.img / ".aside").rename(app.img / "many")
    eventually(lambda: status(app)["waiting"])
    codes = []

    def is_answered() -> bool:
        answer = app.get("/search", folder="no-such")
        codes.append(answer.status_code)
        if answer.status_code == 200:
            assert answer.json()["results"] == []
            assert status(app)["indexed"] == 41
        return answer.status_code == 200

    eventually(is_answered, within=60)
    assert codes[0] == 503
    app.stop()


def test_changes_are_pushed(app: App) -> None:
    """The events begin with what is, and go on with each change, until all is done."""
    eventually(lambda: status(app)["state"] == "ready")
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


def test_what_was_left_out_is_still_known_after_a_restart(app: App) -> None:
    """The list survives a restart, and a photo that was mended or deleted leaves it."""
    before = status(app)["skipped_photos"]
    app.stop()
    app.start()
    eventually(lambda: status(app)["state"] == "ready")
    assert status(app)["skipped_photos"] == before
    app.add("rocket.jpg", "broken.jpg")
    (app.img / "half.png").unlink()
    eventually(lambda: status(app)["skipped"] == 0)
    assert status(app)["skipped_photos"] == []
    for number in range(120):
        (app.img / f"{number}.jpg").write_text(f"no photo {number}")
    eventually(lambda: status(app)["skipped"] == 120)
    # The list is bounded, the number is not.
    assert len(status(app)["skipped_photos"]) == 100


def test_progress_while_indexing(new_app: NewApp) -> None:
    """While photos wait, the status says how many, how quickly it goes, and how long it takes."""
    app = new_app()
    for number in range(40):
        app.add("motorcycle.jpg", f"{number}.jpg", alike=False)
    app.start()
    seen = []
    for now in events(app):
        seen.append(now)
        assert (
            now["photos"]
            == now["indexed"] + now["waiting"] + now["skipped"]
            == 40
        )
        if now["state"] == "ready":
            break
    assert seen[0]["state"] == "indexing"
    assert seen[-1]["indexed"] == 40
    timed = [now for now in seen if now["images_per_second"]]
    assert timed
    for now in timed:
        left = now["waiting"] / now["images_per_second"]
        assert now["seconds_to_go"] == pytest.approx(left, rel=0.1, abs=2)
    app.stop()


def test_an_open_page_does_not_hold_up_a_stop(new_app: NewApp) -> None:
    """With somebody listening to the events the app still stops within seconds."""
    app = new_app("cat.png").start()
    stream = events(app)
    next(stream)
    app.stop(within=6)
    eventually(lambda: not app.processes(), within=5)
