"""A folder of Google Drive, of a stand-in of it, is a place like a bucket."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.drive_standin import EMAIL, Drive
from tests.harness import PHOTOS, App, NewApp, eventually


@pytest.fixture(scope="module")
def drive() -> Iterator[Drive]:
    with Drive().served() as made:
        yield made


def said(app: App) -> str:
    """What the status says is wrong."""
    return str(app.status()["last_error"] or "")


def skipped(app: App) -> str:
    return str(app.status()["skipped_photos"])


def check_bytes(app: App, drive: Drive) -> str:
    """Photos come through the app, and no more of them than is asked for."""
    url = f"/img/{quote('deep/coffee #1.png')}"
    content = (PHOTOS / "coffee.png").read_bytes()
    assert app.get(url).content == content
    part = app.http.get(url, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == content[100:200]
    assert "bytes=100-199" in {one.range for one in drive.asked}
    assert app.get("/thumb/cat.png").status_code == 200
    assert app.get("/img/dog.png").status_code == 404
    return url


def no_secret_is_written(app: App, drive: Drive) -> bool:
    """Neither the key nor a token is in the log or in any file of DATA_DIR."""
    secrets = [*drive.pem.splitlines()[1:-1], *drive.tokens]
    files = [app.log, *(one for one in app.data.rglob("*") if one.is_file())]
    contents = [file.read_bytes() for file in files]
    return not any(
        secret.encode() in content for content in contents for secret in secrets
    )


def test_a_folder_of_google_drive_needs_a_key(
    new_app: NewApp, tiny_clip: Path, drive: Drive
) -> None:
    """And is to be shared with its account: a start says so."""
    app = new_app(CLIP_MODEL=tiny_clip)
    app.env |= {
        "GOOGLE_DRIVE_ENDPOINT": drive.endpoint,
        "IMAGE_DIR": f"gdrive://{drive.root}",
    }
    assert "GOOGLE_APPLICATION_CREDENTIALS" in app.refuses_to_start()
    key = drive.write_key(app.img.with_name("key.json"))
    app.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(key)
    drive.fail(f"files/{drive.root}", 404, "notFound")
    assert f"not shared with {EMAIL}" in app.refuses_to_start()
    drive.failures.clear()


def test_a_folder_of_google_drive_is_followed(
    new_app: NewApp, tiny_clip: Path, drive: Drive
) -> None:
    """What comes, changes and goes is seen; what is away is kept, said, and comes back."""
    app = new_app(CLIP_MODEL=tiny_clip)
    key = drive.write_key(app.img.with_name("key.json"))
    app.env |= {
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "GOOGLE_DRIVE_ENDPOINT": drive.endpoint,
        "IMAGE_DIR": f"gdrive://{drive.root}?refresh=1",
    }
    deep = drive.folder("deep")
    cat = drive.add("cat.png", "cat.png")
    drive.add("coffee.png", "coffee #1.png", deep)
    app.start().finds("cat.png", "deep/coffee #1.png")
    [hit] = [one for one in app.search("cat") if one["filename"] == "cat.png"]

    url = check_bytes(app, drive)

    # Another content, another file of the name, one more, and one less.
    drive.replace(cat, (PHOTOS / "rocket.jpg").read_bytes())

    def is_replaced() -> bool:
        found = {hit["filename"]: hit for hit in app.search("cat")}
        return bool(found["cat.png"]["version"] != hit["version"])

    eventually(is_replaced)
    twin = drive.add("astronaut.jpg", "cat.png")
    app.finds("cat.png", f"cat ({twin}).png", "deep/coffee #1.png")
    drive.delete(twin)
    drive.delete(cat)
    drive.add("rocket.jpg", "a/b.jpg")
    app.finds("deep/coffee #1.png")
    eventually(lambda: "rename it" in skipped(app))

    # Nobody answers.
    drive.gate.shut()
    eventually(lambda: "can't be reached" in said(app))
    app.finds("deep/coffee #1.png")
    assert app.get(url).status_code == 503
    app.stop()
    app.start().finds("deep/coffee #1.png")
    eventually(lambda: "can't be reached" in said(app))
    drive.gate.open()
    eventually(lambda: not said(app))
    drive.add("cat.png", "cat.png")
    app.finds("cat.png", "deep/coffee #1.png")

    # It is shared no more; then it is again, but empty.
    drive.fail(f"files/{drive.root}", 404, "notFound")
    eventually(lambda: "not shared with" in said(app))
    drive.failures.clear()
    kept = dict(drive.files)
    for file_id in kept.keys() - {drive.root}:
        drive.delete(file_id)
    eventually(app.has_lost_its_photos)
    app.finds("cat.png", "deep/coffee #1.png")
    drive.files |= kept
    eventually(lambda: not said(app))
    app.stop()
    assert no_secret_is_written(app, drive)
