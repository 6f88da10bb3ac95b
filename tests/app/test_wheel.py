"""What a person installs without a checkout: a wheel with the page in it, and a command."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.harness import PHOTOS, ROOT, SCRATCH, NewApp, eventually

PAGE = ROOT / "frontend" / "dist"
PARTS = [
    ".env.example", "LICENSE", "README.md", "frontend", "hatch_build.py",
    "image_search", "main.py", "pyproject.toml", "tests",
]  # fmt: skip


def copy_checkout(folder: Path, *, with_page: bool) -> None:
    """A checkout without what git leaves out, but for the page perhaps."""
    folder.mkdir()
    ignored = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, folder)
    if with_page:
        shutil.copytree(PAGE, folder / "frontend" / "dist")


def build(checkout: Path, *what: str, path: str = os.environ["PATH"]) -> str:
    """Build a wheel, as pip and uv do, or an sdist; returns what is said."""
    made = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *what], cwd=checkout,
        env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = made.stdout + made.stderr
    return said if made.returncode == 0 else f"failed: {said}"


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def built() -> Path:
    """A folder with an sdist of this checkout, and the wheel that was built from that one."""
    folder = SCRATCH / "wheel"
    checkout = folder / "checkout"
    folder.mkdir()
    copy_checkout(checkout, with_page=True)
    # No Node: both can be made without, as the page is there.
    without_node = str(folder)
    said = build(checkout, "-t", "sdist", "-d", str(folder), path=without_node)
    [sdist] = folder.glob("*.tar.gz")
    assert "failed" not in said
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    said = build(unpacked, "-t", "wheel", "-d", str(folder), path=without_node)
    assert "failed" not in said
    return folder


@pytest.fixture(scope="module")
def command(built: Path) -> Path:
    """The command `image-search`, installed into an environment of its own.

    It sees the libraries of the tests' environment, whose PyTorch needs not be installed again.
    """
    folder = built / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder], check=True
    )
    site = Path(
        sysconfig.get_path(
            "purelib", vars={"base": str(folder), "platbase": str(folder)}
        )
    )
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    [wheel] = built.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--python", folder, "install", "--no-deps", wheel],
        check=True, timeout=60,
    )  # fmt: skip
    return folder / "bin" / "image-search"


def test_a_wheel_holds_the_app_alone(built: Path) -> None:
    """The page, the code and the starter's builder; no test, and no module called main."""
    [wheel] = built.glob("*.whl")
    files = files_of(wheel)
    page = {
        str(path.relative_to(PAGE))
        for path in PAGE.rglob("*")
        if path.is_file()
    }
    assert {f"image_search/page/{name}" for name in page} <= files
    assert "image_search/main.py" in files
    assert "image_search/starter/hypernyms.json" in files
    top = {name.partition("/")[0] for name in files}
    assert {name.partition("-")[0] for name in top} == {"image_search"}
    assert any(name.endswith("licenses/LICENSE") for name in files)
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert "frontend/dist/index.html" in names
    assert not any(
        name.startswith(("tests", "frontend/node_modules")) for name in names
    )


def test_an_installed_command_searches_a_folder(
    command: Path, new_app: NewApp
) -> None:
    """In a folder of photos `image-search` serves the page, and finds them."""
    app = new_app("cat.png", "coffee.png", DATA_DIR="", IMAGE_DIR="")
    share = app.data / ".share"
    app.env |= {"XDG_DATA_HOME": str(share)}
    try:
        # As a person types it, who has set nothing.
        app.start(str(command), cwd=app.img)
        app.finds("cat.png", "coffee.png")
        [best, _] = app.search("a cup of coffee")
        assert best["filename"] == "coffee.png"
        page = app.get("/")
        assert page.text == (PAGE / "index.html").read_text()
        photo = app.get("/img/cat.png")
        assert photo.content == (PHOTOS / "cat.png").read_bytes()
        # The index is the user's data: nothing is written among the photos.
        assert {path.name for path in app.img.iterdir()} == {
            "cat.png",
            "coffee.png",
        }
        [data] = (share / "image-search").iterdir()
        assert data.name.startswith("img-")
        asked = subprocess.run(
            [command, "health"], cwd="/", env=app.env, timeout=60, check=False
        )
        assert asked.returncode == 0
        app.stop()
    finally:
        if app.process:
            app.kill()
    eventually(lambda: not processes_of(data), within=15)


def processes_of(data: Path) -> list[int]:
    """What still runs with something open or mapped there: an embedded Postgres, say."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(entry.readlink()).startswith(str(data)):
                found.append(int(entry.parent.name))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


def test_the_page_is_built_where_it_is_not(tmp_path: Path) -> None:
    """Without a built page, or with an old one, Node builds it; in the wheel it is a new one."""
    checkout = tmp_path / "checkout"
    copy_checkout(checkout, with_page=True)
    page = checkout / "frontend"
    (page / "node_modules").symlink_to(ROOT / "frontend" / "node_modules")
    index = page / "index.html"
    index.write_text(index.read_text().replace("<title>", "<title>New! "))
    said = build(checkout, "-t", "wheel", "-d", str(tmp_path))
    assert "failed" not in said
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert b"New! " in archive.read("image_search/page/index.html")


def test_without_node_and_page_it_says_what_to_do(tmp_path: Path) -> None:
    """A wheel without a page is never made: a sentence says how to come to one."""
    checkout = tmp_path / "checkout"
    copy_checkout(checkout, with_page=False)
    said = build(checkout, "-t", "wheel", "-d", str(tmp_path), path="/nowhere")
    assert said.startswith("failed")
    assert "The page is not built yet" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("*.whl"))


def test_an_editable_install_is_the_checkout(tmp_path: Path) -> None:
    """`pip install --editable .` copies nothing, and needs neither the page nor Node."""
    checkout = tmp_path / "checkout"
    copy_checkout(checkout, with_page=False)
    said = build(
        checkout, "-t", "wheel:editable", "-d", str(tmp_path), path="/nowhere"
    )
    assert "failed" not in said
    [wheel] = tmp_path.glob("*.whl")
    code = {name for name in files_of(wheel) if "dist-info" not in name}
    [link] = code
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(link).decode().strip() == str(checkout)
