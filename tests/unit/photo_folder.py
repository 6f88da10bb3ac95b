"""A folder with photos and other things, and what of it is none."""

import os
import shutil
import stat
from pathlib import Path

from image_search.addresses import Address
from image_search.photo_files import PhotoFiles
from image_search.sources import PhotoFolder
from tests.harness import PHOTOS

CAT = PHOTOS / "cat.png"
IMMUTABLE = "max-age=31536000, immutable"
NO_CACHE = "no-cache"


def make_folder(tmp_path: Path) -> Path:
    """A folder with photos and other things, beside what is none of its business."""
    folder = tmp_path / "img"
    (folder / ".thumbs").mkdir(parents=True)
    for name in (
        "cat.png",
        ".hidden.jpg",
        ".thumbs/a.jpg",
        "blob",
        "../secret.jpg",
    ):
        shutil.copy(CAT, folder / name)
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "script.jpg").write_text("<script>alert(1)</script>")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "fifo.jpg")
    os.mknod(folder / "socket.jpg", stat.S_IFSOCK | 0o600)
    links = {
        "link.jpg": "cat.png",
        "hidden.jpg": ".hidden.jpg",
        "blob.jpg": "blob",
        "page.png": "page.html",
        "secret.jpg": "../secret.jpg",
        "no photo.txt": "cat.png",
        ".cat.png": "cat.png",
        "device.jpg": "/dev/zero",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return folder


def photo_files(folder: Path, *, is_private: bool = False) -> PhotoFiles:
    leads_to_photo = PhotoFolder(Address(folder)).leads_to_photo
    return PhotoFiles(folder, leads_to_photo, is_private=is_private)


def shown(name: str) -> str:
    """A name as the list of tests has it."""
    return ascii(name)[:40]


NO_PHOTOS = [
    "no.jpg",
    "",
    "page.html",
    "page.png",
    "blob",
    "blob.jpg",
    "folder.jpg",
    "fifo.jpg",
    "socket.jpg",
    "device.jpg",
    ".hidden.jpg",
    "hidden.jpg",
    ".thumbs/a.jpg",
    "secret.jpg",
    "no photo.txt",
    ".cat.png",
    "../secret.jpg",
    "deep/../../secret.jpg",
    "/etc/passwd",
    "cat.png/x.jpg",
    "a\0.jpg",
    300 * "a" + ".jpg",
    2500 * "a/" + "x.jpg",
    "\udcff.jpg",
]
