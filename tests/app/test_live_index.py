"""The index follows the folder, through restarts, crashes and other models, in every store."""

import os
import shutil
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.harness import ORDINARY, PHOTOS, App, NewApp, eventually, names

FEW = ("cat.png", "coffee.png", "motorcycle.jpg", "rocket.jpg", "raccoon.webp")


@pytest.fixture(scope="module")
def live(new_app: NewApp) -> Iterator[App]:
    """One running app whose folder the tests change; each uses names of its own."""
    app = new_app(*FEW, EXCLUDE="private/, *.gif").start()
    app.finds(*FEW)
    yield app
    app.stop()


def found(app: App, name: str) -> bool:
    return name in app.photos()


def skipped(app: App) -> set[str]:
    photos = app.get("/status/skipped").json()["photos"]
    return {photo["filename"] for photo in photos}


# The system tells of a change, and the model is warm: seconds are plenty, and the poll, at an hour,
# is out of the question.
SOON = 20


def test_an_added_photo_is_found(live: App) -> None:
    """A photo that is copied into the folder, or below it, in any case, can be found at once."""
    for name in ("new.jpg", "holidays/2024/NEW.JPG", "New.JpEg"):
        live.add("flower.jpg", name)
        eventually(lambda name=name: found(live, name), SOON)  # type: ignore[misc]
    first = names(live.search("flower"))[:3]
    assert sorted(first) == sorted(
        ["new.jpg", "holidays/2024/NEW.JPG", "New.JpEg"]
    )


def test_a_changed_photo_is_found_as_what_it_is(live: App) -> None:
    """A photo replaced by another one is found by what it shows now, and not by what it showed."""
    live.add("cat.png", "changing.png")
    eventually(lambda: "changing.png" in names(live.search("cat"))[:2], SOON)
    live.add("coffee.png", "changing.png")
    eventually(
        lambda: "changing.png" in names(live.search("a cup of coffee"))[:2],
        SOON,
    )
    assert "changing.png" not in names(live.search("cat"))[:2]
    assert live.photos().count("changing.png") == 1


def test_a_renamed_photo_goes_by_its_new_name(live: App) -> None:
    """A renamed photo is found under the new name alone; so are the photos of a renamed folder."""
    live.add("astronaut.jpg", "before.jpg")
    live.add("astronaut.jpg", "trip/one.jpg")
    eventually(
        lambda: found(live, "before.jpg") and found(live, "trip/one.jpg"), SOON
    )
    (live.img / "before.jpg").rename(live.img / "after.jpg")
    (live.img / "trip").rename(live.img / "journey")
    eventually(
        lambda: found(live, "after.jpg") and found(live, "journey/one.jpg"),
        SOON,
    )
    eventually(
        lambda: not (found(live, "before.jpg") or found(live, "trip/one.jpg")),
        SOON,
    )


def test_a_deleted_photo_is_gone(live: App) -> None:
    """A deleted photo leaves the results."""
    live.add("temple.jpg", "short-lived.jpg")
    eventually(lambda: found(live, "short-lived.jpg"), SOON)
    (live.img / "short-lived.jpg").unlink()
    eventually(lambda: not found(live, "short-lived.jpg"), SOON)


def test_a_broken_photo_is_left_out_and_said(live: App) -> None:
    """A file that is no photo is named in the log, once, and holds up no other, till it is one."""
    live.add("cat.png", "was-good.png")
    eventually(lambda: found(live, "was-good.png"), SOON)
    (live.img / "broken.jpg").write_bytes(b"this is no photo")
    (live.img / "was-good.png").write_bytes(
        (PHOTOS / "cat.png").read_bytes()[:9999]
    )
    live.add("rocket.jpg", "beside.jpg")
    eventually(
        lambda: found(live, "beside.jpg") and not found(live, "was-good.png"),
        SOON,
    )
    assert not found(live, "broken.jpg")
    log = live.log.read_text()
    assert log.count("broken.jpg is skipped: a text with a photo's name.") == 1
    assert log.count("was-good.png is skipped: ") == 1
    live.add("astronaut.jpg", "broken.jpg")
    eventually(lambda: found(live, "broken.jpg"), SOON)


def test_hidden_files_and_other_files_are_no_photos(live: App) -> None:
    """Hidden files and folders, macOS's ._ twins and files of other kinds stay out of the index."""
    for name in (
        ".hidden.jpg",
        "._new.jpg",
        ".thumbs/a.jpg",
        "a/.b/c.jpg",
        "notes.txt",
        "a.jpg.bak",
    ):
        live.add("cat.png", name)
    live.add("cat.png", "last.png")
    eventually(lambda: found(live, "last.png"), SOON)
    kept_out = (
        ".hidden.jpg",
        "._new.jpg",
        ".thumbs/a.jpg",
        "a/.b/c.jpg",
        "notes.txt",
        "a.jpg.bak",
    )
    assert not set(kept_out) & set(live.photos())


def test_what_is_left_out_is_neither_found_nor_served(live: App) -> None:
    """By the setting, by default, and by files that come and go, within seconds."""
    left_out = ["private/a.jpg", "moving.gif", "trip/@eaDir/a.jpg/XL.jpg"]
    for name in (*left_out, "kept/a.jpg", "kept/b.jpg", "quiet/deep/a.jpg"):
        live.add("flower.jpg", name)
    indexed = ["kept/a.jpg", "kept/b.jpg", "quiet/deep/a.jpg"]
    for name in indexed:
        eventually(lambda name=name: found(live, name), SOON)  # type: ignore[misc]
    (live.img / "kept" / ".ignore").write_text("# mine\nb.*\n")
    eventually(lambda: not found(live, "kept/b.jpg"), SOON)
    (live.img / "quiet" / ".nomedia").touch()
    eventually(lambda: not found(live, "quiet/deep/a.jpg"), SOON)
    assert found(live, "kept/a.jpg")
    for name in (*left_out, "kept/b.jpg", "quiet/deep/a.jpg"):
        assert not found(live, name)
        for route in ("img", "thumb"):
            assert live.get(f"/{route}/{name}").status_code == 404
    assert live.get("/img/kept/a.jpg").status_code == 200
    assert not {*left_out, "kept/b.jpg", "quiet"} & skipped(live)
    (live.img / "kept" / ".ignore").unlink()
    (live.img / "quiet" / ".nomedia").unlink()
    for name in indexed:
        eventually(lambda name=name: found(live, name), SOON)  # type: ignore[misc]
        assert live.get(f"/img/{name}").status_code == 200


def test_a_raw_beside_its_jpeg_is_one_photo(live: App) -> None:
    """It is counted beside it, and looked at by itself once the JPEG is gone; others are counted."""
    (live.img / "DSC_1.NEF").write_bytes(b"no photo")
    eventually(lambda: "DSC_1.NEF" in skipped(live), SOON)
    live.add("flower.jpg", "dsc_1.jpg")
    (live.img / "drawing.psd").touch()
    eventually(lambda: found(live, "dsc_1.jpg"), SOON)
    eventually(lambda: "DSC_1.NEF" not in skipped(live), SOON)
    status = live.status()
    assert (status["raw_beside"], status["not_read"]) == (1, {".psd": 1})
    (live.img / "dsc_1.jpg").unlink()
    eventually(lambda: "DSC_1.NEF" in skipped(live), SOON)
    assert live.status()["raw_beside"] == 0
    (live.img / "DSC_1.NEF").unlink()
    eventually(lambda: "DSC_1.NEF" not in skipped(live), SOON)


def test_the_poll_finds_what_nobody_told_of(new_app: NewApp) -> None:
    """Where the system tells of no changes, the poll finds them: so it is with FlowLiveUpdater."""
    app = new_app("cat.png", REFRESH_SECONDS="1")
    app.env["WATCHFILES_FORCE_POLLING"] = "true"
    app.env["WATCHFILES_POLL_DELAY_MS"] = "3600000"
    app.start().finds("cat.png")
    app.add("rocket.jpg", "rocket.jpg")
    app.finds("cat.png", "rocket.jpg", within=SOON)
    app.stop()


def test_what_embeds_gives_way(live: App) -> None:
    """What decodes and embeds has a lower priority than the server, which answers searches."""
    assert live.process is not None
    server = psutil.Process(live.process.pid)
    lowered = min(19, server.nice() + 15)
    eventually(lambda: {child.nice() for child in live.children()} == {lowered})


def test_a_photo_that_is_sent_does_not_wait_for_the_folder(
    live: App,
) -> None:
    """While many photos are being indexed, a sent one is answered long before they are done."""
    before = live.photos()
    for number in range(150):
        live.add("motorcycle.jpg", f".many/{number}.jpg", alike=False)
    (live.img / ".many").rename(live.img / "many")
    eventually(lambda: len(live.photos()) > len(before))
    content = (PHOTOS / "cat.png").read_bytes()
    response = live.http.post("/search", content=content, timeout=60)
    assert response.status_code == 200
    assert live.status()["waiting"] > 75
    shutil.rmtree(live.img / "many")
    live.finds(*before)


@pytest.fixture(scope="module")
def embedded_answers(live: App) -> dict[str, list[tuple[str, float]]]:
    """What the embedded store answers, for the photos that every store is given."""
    return {
        q: [
            (hit["filename"], hit["score"])
            for hit in live.search(q)
            if hit["filename"] in FEW
        ]
        for q in ("a cup of coffee", "cat", "rocket launch")
    }


@pytest.mark.parametrize("database", ["embedded", "server"])
def test_a_qdrant_server_answers_the_same(
    new_app: NewApp,
    qdrant_settings: dict[str, str],
    postgres_url: str,
    database: str,
    embedded_answers: dict[str, list[tuple[str, float]]],
) -> None:
    """With QDRANT_URL, and with a Postgres or without, live changes and answers are the same."""
    url = (
        {"COCOINDEX_DATABASE_URL": postgres_url} if database == "server" else {}
    )
    app = new_app(*FEW, **qdrant_settings, **url).start()
    app.finds(*FEW)
    for query, expected in embedded_answers.items():
        answers = [(hit["filename"], hit["score"]) for hit in app.search(query)]
        assert [name for name, _ in answers] == [name for name, _ in expected]
        assert [s for _, s in answers] == pytest.approx(
            [s for _, s in expected], abs=5e-3
        )
    app.add("flower.jpg", "new.jpg")
    (app.img / "cat.png").unlink()
    app.finds("new.jpg", *FEW[1:])
    (app.img / "new.jpg").write_bytes(b"no photo any more")
    app.finds(*FEW[1:])
    app.add("rocket.jpg", "raccoon.webp")  # and older, as from a backup
    os.utime(app.img / "raccoon.webp", (1_000_000_000,) * 2)
    eventually(
        lambda: "raccoon.webp" in names(app.search("rocket launch"))[:2], SOON
    )
    assert app.status()["last_error"] is None
    assert not (app.data / "edge").exists()
    assert (app.data / "postgres").exists() == (database == "embedded")
    app.stop()
    eventually(lambda: not app.processes(), within=15)
    if database == "embedded":
        app.env["QDRANT_URL"] = ""  # back to the embedded store
        app.start().finds(*FEW[1:])
        app.stop()


def test_two_apps_share_one_postgres(
    new_app: NewApp, postgres_url: str
) -> None:
    """With COCOINDEX_DATABASE_URL alone vectors stay here; collections keep apps apart."""
    one = new_app("cat.png", COCOINDEX_DATABASE_URL=postgres_url)
    two = new_app(
        "coffee.png",
        COCOINDEX_DATABASE_URL=postgres_url,
        QDRANT_COLLECTION="other",
    )
    one.start().finds("cat.png")
    two.start().finds("coffee.png")
    one.finds("cat.png")
    two.stop()
    one.finds("cat.png")
    one.stop()
    assert (one.data / "edge").exists()
    assert not (one.data / "postgres").exists()
    update = one.cli("update", "main")
    assert "1 no change" in update.stdout, update.stderr


def test_an_ordinary_user_needs_nothing_more(new_app: NewApp) -> None:
    """The embedded stores work for a user without rights, beside those of root."""
    app = new_app("cat.png")
    app.data.mkdir()
    if ORDINARY:
        for folder in (app.img, app.data):
            shutil.chown(folder, "nobody")
        for folder in app.img.parents:
            if folder.owner() == "root" and not folder.stat().st_mode & 0o001:
                folder.chmod(0o711)
    app.start(*ORDINARY, sys.executable, "main.py")
    app.finds("cat.png")
    users = {*app.of_each_process(lambda one: one.uids().effective)}
    assert len(users) == 1
    assert 0 not in users
    app.stop()
    eventually(lambda: not app.processes(), within=15)
