"""Buckets are places like folders: followed, kept while they are away, each by itself."""

import functools
import itertools
import shutil
from pathlib import Path

import pytest

from tests.clouds import KEYS, CloudBucket, CloudServer
from tests.harness import PHOTOS, App, NewApp, eventually


def said(app: App) -> str:
    """What the status says is wrong."""
    return str(app.status()["last_error"] or "")


def says(app: App, reason: str) -> bool:
    return reason in said(app)


def no_key_is_written_by(app: App) -> bool:
    """Whether none is in the log or in any file of DATA_DIR."""
    written = [file for file in app.data.rglob("*") if file.is_file()]
    assert any("postgres" in file.parts for file in written)
    contents = [file.read_bytes() for file in [app.log, *written]]
    return not any(
        key.encode() in content for content in contents for key in KEYS.values()
    )


def test_a_bucket_is_followed(
    new_app: NewApp, tiny_clip: Path, s3_bucket: CloudBucket
) -> None:
    """What comes, changes and goes is seen; what is away is kept, said, and comes back."""
    app = new_app(CLIP_MODEL=tiny_clip, **KEYS)
    bucket = s3_bucket
    bucket.add("cat.png", "p/cat.png")
    bucket.add("coffee.png", "p/deep/coffee.png")
    bucket.add("rocket.jpg", "beside.jpg")
    app.env["IMAGE_DIR"] = bucket.address("p", refresh=1)
    app.start().finds("cat.png", "deep/coffee.png")
    [cat] = [hit for hit in app.search("cat") if hit["filename"] == "cat.png"]

    # Another photo of the name, though it may be of the same second.
    bucket.add("rocket.jpg", "p/cat.png")

    def is_replaced() -> bool:
        found = {hit["filename"]: hit for hit in app.search("cat")}
        return bool(found["cat.png"]["version"] != cat["version"])

    eventually(is_replaced)
    bucket.add("astronaut.jpg", "p/new.jpg")
    app.finds("cat.png", "deep/coffee.png", "new.jpg")
    bucket.delete("p/cat.png")
    app.finds("deep/coffee.png", "new.jpg")

    # A photo that can't be read is said, and is there once it can be.
    bucket.deny("p/denied.jpg")
    bucket.add("rocket.jpg", "p/denied.jpg", alike=False)
    eventually(lambda: "denied.jpg" in str(app.status()["skipped_photos"]))
    assert "denies access (403" in str(app.status()["skipped_photos"])
    app.finds("deep/coffee.png", "new.jpg")
    bucket.deny()

    # Nobody answers.
    bucket.gate.shut()
    eventually(lambda: "can't be reached" in said(app))
    app.finds("deep/coffee.png", "new.jpg")
    app.stop()
    app.start().finds("deep/coffee.png", "new.jpg")
    eventually(lambda: "can't be reached" in said(app))
    bucket.gate.open()
    eventually(lambda: not said(app))
    app.finds("deep/coffee.png", "new.jpg", "denied.jpg")

    # All of a sudden it is empty.
    bucket.clear()
    eventually(app.has_lost_its_photos)
    app.finds("deep/coffee.png", "new.jpg", "denied.jpg")
    bucket.add("coffee.png", "p/deep/coffee.png")
    app.finds("deep/coffee.png")
    app.stop()

    # A queue tells of changes at once, however seldom it is looked at.
    queue = bucket.new_queue()
    app.env["IMAGE_DIR"] = bucket.address(
        "p", refresh=3600, sqs_queue_url=queue.url
    )
    app.start().finds("deep/coffee.png")
    bucket.add("cat.png", "p/cat.png")
    app.finds("cat.png", "deep/coffee.png")
    bucket.delete("p/cat.png")
    app.finds("deep/coffee.png")
    eventually(lambda: queue.messages() == 0)
    app.stop()

    # Not in CocoIndex's database either.
    assert no_key_is_written_by(app)


@pytest.mark.parametrize("keys", [{}, KEYS])
def test_a_bucket_that_can_not_be_opened_stops_the_start(
    new_app: NewApp, tiny_clip: Path, s3: CloudServer, keys: dict[str, str]
) -> None:
    """As a folder that is none does, with a sentence on what to do."""
    made = s3.new_bucket()
    address = made.address()
    missing = address.replace(made.name, f"{made.name}-no")
    app = new_app(CLIP_MODEL=tiny_clip, IMAGE_DIR=missing, **keys)
    told = app.refuses_to_start()
    what = "is not there" if keys else "set AWS_ACCESS_KEY_ID"
    assert f"IMAGE_DIR=s3://{made.name}-no" in told
    assert what in told


def test_the_command_line_knows_buckets(
    new_app: NewApp, tiny_clip: Path, s3_bucket: CloudBucket
) -> None:
    """`cocoindex update` brings one in, by AWS's profiles too, and takes out what went."""
    app = new_app(CLIP_MODEL=tiny_clip)
    credentials = app.img.with_name("credentials")
    credentials.write_text(
        "[work]\naws_access_key_id = an-id\naws_secret_access_key = a-secret\n"
    )
    app.env["AWS_SHARED_CREDENTIALS_FILE"] = str(credentials)
    app.env["AWS_PROFILE"] = "nobody"
    app.env["IMAGE_DIR"] = s3_bucket.address()
    run = app.cli("update", "main", "--setup", "--force")
    assert run.returncode != 0
    assert "AWS's profiles (ProfileNotFound)" in run.stderr
    app.env["AWS_PROFILE"] = "work"
    s3_bucket.add("cat.png", "cat.png")
    s3_bucket.add("coffee.png", "coffee.png")
    run = app.cli("update", "main", "--setup", "--force")
    assert run.returncode == 0, run.stderr
    s3_bucket.delete("cat.png")
    run = app.cli("update", "main")
    assert run.returncode == 0, run.stderr
    app.start().finds("coffee.png")
    app.stop()


class FolderPlace:
    """A folder that can be taken away."""

    def __init__(self, app: App, name: str) -> None:
        self.name = name
        self.path = app.img.with_name(name)
        self.path.mkdir()
        self.address = f"{name}={self.path}"

    def add(self, photo: str, name: str) -> None:
        shutil.copy(PHOTOS / photo, self.path / name)

    def unplug(self) -> None:
        self.path.rename(self.path.with_name(f"{self.name} away"))

    def plug_in(self) -> None:
        self.path.with_name(f"{self.name} away").rename(self.path)


class CloudPlace:
    """A part of a bucket whose server can be cut off."""

    def __init__(self, server: CloudServer, name: str) -> None:
        self.name = name
        self.bucket = server.new_bucket()
        self.address = f"{name}={self.bucket.address('p', refresh=1)}"

    def add(self, photo: str, name: str) -> None:
        self.bucket.add(photo, f"p/{name}")

    def unplug(self) -> None:
        self.bucket.gate.shut()

    def plug_in(self) -> None:
        self.bucket.gate.open()


def test_four_places_lose_nothing(
    new_app: NewApp,
    tiny_clip: Path,
    s3: CloudServer,
    azure: CloudServer,
) -> None:
    """Two folders and two clouds are one index; each changes, and goes away, by itself."""
    app = new_app(CLIP_MODEL=tiny_clip, **KEYS)
    places: list[FolderPlace | CloudPlace] = [
        FolderPlace(app, "one"),
        FolderPlace(app, "two"),
        CloudPlace(s3, "three"),
        CloudPlace(azure, "four"),
    ]
    photos = []

    def add(place: FolderPlace | CloudPlace, photo: str, name: str) -> None:
        place.add(photo, name)
        photos.append(f"{place.name}/{name}")

    for place in places:
        add(place, "cat.png", "cat.png")
    app.env["IMAGE_DIR"] = ":".join(place.address for place in places)
    app.start().finds(*photos)
    for place in places:
        add(place, "coffee.png", "new.png")
        app.finds(*photos)

    # Each goes away: nothing is lost, and the others are followed.
    for place, other in itertools.pairwise([*places, places[0]]):
        place.unplug()
        start = f"IMAGE_DIR={place.name}="
        eventually(functools.partial(says, app, start))
        add(other, "coffee.png", f"while {place.name} is away.png")
        app.finds(*photos)
        place.plug_in()
        eventually(lambda: not said(app))
        app.finds(*photos)
    app.stop()

    # Those that are named no more leave with their photos alone.
    kept = places[0], places[3]
    app.env["IMAGE_DIR"] = ":".join(place.address for place in kept)
    app.start()
    photos = [one for one in photos if one.startswith(("one/", "four/"))]
    app.finds(*photos)
    app.stop()

    # One that has moved into a cloud is read from there.
    moved = CloudPlace(s3, "one")
    moved.add("cat.png", "moved.png")
    moved.add("cat.png", "cat.png")
    app.env["IMAGE_DIR"] = f"{moved.address}:{places[3].address}"
    app.start()
    photos = [one for one in photos if one.startswith("four/")]
    app.finds(*photos, "one/moved.png", "one/cat.png")
    app.stop()
