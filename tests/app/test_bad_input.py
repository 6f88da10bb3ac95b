"""Files as they come: broken, huge, odd, badly named. None stops the others, each says why."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from image_search.sources import MAX_FILE_BYTES
from tests.harness import (
    PHOTOS,
    App,
    NewApp,
    eventually,
    names,
    png_of_many_pixels,
)

ODD_NAMES = [
    "a#b&c?d%20e.jpg",
    'it\'s "quoted".png',
    "new\nline.jpg",
    "emoji \U0001f431.webp",
    "\u05e2\u05d1\u05e8\u05d9\u05ea.jpg",  # right to left
    "n" * 251 + ".jpg",
    " spaces .jpg",
    "back\\slash.jpg",
    "-rf.jpg",
]
REASONS = {
    "forged\nINFO:     a.jpg": "empty file",
    "empty.jpg": "empty file",
    "text.png": "a text with a photo's name",
    "loop": "link",
    "ancient.jpg": "modification time is before 1970",
    "loop.jpg": "symbolic links",
    "nowhere at all.jpg": "Not a directory",
    "link \ufffd": "UTF-8",
    "cut.jpg": "cut off",
    "cut.png": "cut off",
    "bomb.png": "more than 500 megapixels",
    "outside.jpg": "link",
    "outside": "link",
    "pipe.jpg": "not a regular file",
    "huge.bmp": "larger than 256 MiB",
    "\ufffd\ufffd.jpg": "UTF-8",
}
FINE = [
    "turned oddly.jpg",
    "strip.png",
    "cmyk.jpg",
    "16bit.png",
    "palette.png",
    "moving.gif",
    "is a png.jpg",
    "no end.jpg",
]


def fill(folder: Path) -> None:
    cat = (PHOTOS / "cat.png").read_bytes()
    rocket = (PHOTOS / "rocket.jpg").read_bytes()
    photo = Image.open(PHOTOS / "cat.png").convert("RGB")
    for name in ODD_NAMES:
        (folder / name).write_bytes(rocket)
    (folder / "empty.jpg").touch()
    (folder / "forged\nINFO:     a.jpg").touch()
    (folder / "text.png").write_text("no photo")
    (folder / "cut.jpg").write_bytes(rocket[:20_000])
    (folder / "cut.png").write_bytes(cat[:20_000])
    (folder / "bomb.png").write_bytes(png_of_many_pixels(23_000, 23_000))
    Image.new("RGB", (10_000, 1), "red").save(folder / "strip.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    deep = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "16bit.png")
    photo.quantize().save(folder / "palette.png")
    photo.save(
        folder / "moving.gif", save_all=True, append_images=[photo.rotate(90)]
    )
    (folder / "is a png.jpg").write_bytes(cat)
    (folder / "no end.jpg").write_bytes(rocket[:-2])
    # What is no file of this folder, or can't be opened, is no photo.
    (folder / "outside.jpg").symlink_to(PHOTOS / "temple.jpg")
    (folder / "nowhere.jpg").symlink_to(folder / "no such file.jpg")
    (folder.parent / "outside").mkdir()
    shutil.copy(PHOTOS / "temple.jpg", folder.parent / "outside")
    (folder / "outside").symlink_to(folder.parent / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "nowhere at all.jpg").symlink_to(folder / "cut.jpg" / "x")
    (folder / "ancient.jpg").write_bytes(rocket)
    os.utime(folder / "ancient.jpg", (-1e9, -1e9))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\x006\0\0\0\0\0\0\0"  # in words
    photo.save(folder / "turned oddly.jpg", exif=exif)
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    with (folder / "huge.bmp").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with contextlib.suppress(OSError):
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jpg")).write_bytes(
            rocket
        )
        Path(os.fsdecode(os.fsencode(folder) + b"/link \xff")).symlink_to(
            folder
        )


@pytest.fixture(scope="module")
def app(new_app: NewApp) -> Iterator[App]:
    """The app on a folder with everything that is odd."""
    app = new_app()
    fill(app.img)
    app.start()
    app.finds(*ODD_NAMES, *FINE, within=90)
    yield app
    app.stop()


def test_a_damaged_photo_is_shown(app: App) -> None:
    """A photo without its end is found like another, by what it shows, and has a thumbnail."""
    content = (PHOTOS / "rocket.jpg").read_bytes()[:-2]
    answer = app.http.post("/search", content=content).json()
    assert "no end.jpg" in names(answer["results"])
    assert app.get("/thumb/no end.jpg").status_code == 200


def test_each_bad_file_is_named_with_its_reason(app: App) -> None:
    """What can't be read is on the list of the skipped, each with a reason, and nothing else is."""
    eventually(lambda: app.status()["state"] == "ready")
    skipped = app.status()["skipped_photos"]
    reasons = {photo["filename"]: photo["reason"] for photo in skipped}
    assert set(reasons) == set(REASONS)
    for name, reason in REASONS.items():
        assert reason in reasons[name]


def test_nothing_is_tried_again_for_ever(app: App) -> None:
    """A further pass says nothing again about files that were said to be skipped."""
    app.add("coffee.png", "new.png")
    eventually(lambda: "new.png" in app.photos())
    log = app.log.read_text()
    for name in REASONS:
        shown = name if name.isprintable() else repr(name)
        assert log.count(f"{shown} is skipped: ") == 1
    assert not any(
        line.startswith("INFO:     a.jpg") for line in log.splitlines()
    )
    (app.img / "new.png").unlink()
    eventually(lambda: "new.png" not in app.photos())


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_a_name(app: App, name: str) -> None:
    """A photo of any name is served, has a thumbnail, and finds its like."""
    assert (
        app.get(f"/img/{quote(name)}").content
        == (PHOTOS / "rocket.jpg").read_bytes()
    )
    assert app.get(f"/thumb/{quote(name)}").status_code == 200
    like = app.get("/search", like=name).json()["results"]
    assert name not in names(like)
    assert like[0]["score"] == pytest.approx(1, abs=1e-4)


def test_odd_names_that_come_later_stop_nothing(app: App) -> None:
    """What no watch can name, a file or a link, is looked past while the app runs too."""
    odd = Path(os.fsdecode(os.fsencode(app.img) + b"/later \xff"))
    odd.symlink_to("/usr")
    app.add("coffee.png", "beside.png")
    eventually(lambda: "beside.png" in app.photos())
    odd.unlink()
    (app.img / "beside.png").unlink()
    app.finds(*ODD_NAMES, *FINE)


def test_a_vanishing_file_stops_nothing(app: App) -> None:
    """Files that come and go while they are read leave no trace, and the others are found."""
    for number in range(30):
        app.add("motorcycle.jpg", f"fleeting {number}.jpg", alike=False)
        if number:
            (app.img / f"fleeting {number - 1}.jpg").unlink()
    app.finds(*ODD_NAMES, *FINE, "fleeting 29.jpg")
    (app.img / "fleeting 29.jpg").unlink()
    app.finds(*ODD_NAMES, *FINE)


def test_many_odd_names_and_a_bottomless_folder(new_app: NewApp) -> None:
    """2,000 names that look like patterns, and folders beyond what a path can name: all else is."""
    app = new_app("cat.png", REFRESH_SECONDS="1")
    for number in range(2000):
        os.mkfifo(app.img / f"[{number}]{{*,}}\\?.jpg")
    folder = os.open(app.img, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("bottomless", dir_fd=folder)
        above, folder = (
            folder,
            os.open("bottomless", os.O_RDONLY, dir_fd=folder),
        )
        os.close(above)
    os.close(folder)
    try:
        app.start().finds("cat.png")
        eventually(lambda: app.status()["state"] == "ready")
        os.mkfifo(app.img / "one more *.jpg")
        app.add("coffee.png", "coffee.png")
        app.finds("cat.png", "coffee.png")
        status = app.status()
        assert (status["skipped"], status["last_error"]) == (2002, None)
        app.stop()
    finally:
        # Shutil's gives up.
        subprocess.run(["rm", "-r", app.img / "bottomless"], check=True)
