"""Settings come from the environment or .env, and a wrong one is named."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

import main
from tests.conftest import ROOT, NewApp, environment

EXAMPLE = ROOT / ".env.example"


def test_env_example_lists_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """.env.example and Settings name the same settings, with the same defaults and a line each."""
    example = dotenv_values(EXAMPLE)
    fields = main.Settings.model_fields
    assert list(example) == [name.upper() for name in fields]
    for name in fields:
        monkeypatch.delenv(name.upper(), raising=False)
    defaults = main.Settings()
    for name, value in example.items():
        monkeypatch.setenv(name, str(value))
    assert main.Settings() == defaults
    lines = EXAMPLE.read_text().splitlines()
    for name in example:
        at = next(number for number, line in enumerate(lines) if line.startswith(f"{name}="))
        assert re.match(r"# \S.{20}", lines[at - 1]), f"{name} has no line of its own"


def test_readme_lists_every_setting() -> None:
    """The README's table has a row for each setting."""
    readme = (ROOT / "README.md").read_text()
    for name in main.Settings.model_fields:
        assert f"| `{name.upper()}` |" in readme


def settings_in(folder: Path, **env: str) -> dict[str, object]:
    """The settings of an app that lies in this folder, and what it has its libraries read."""
    shutil.copy(ROOT / "main.py", folder)
    code = (
        "import main, os, json; seen = main.settings.model_dump(mode='json');"
        "print(json.dumps(seen | dict(os.environ)))"
    )
    given = {name: value for name, value in environment().items() if value} | env
    del given["COCOINDEX_DISABLE_USAGE_TRACKING"]
    output = subprocess.check_output([sys.executable, "-c", code], cwd=folder, env=given)
    return dict(json.loads(output))


def test_where_settings_come_from(tmp_path: Path) -> None:
    """.env fills what the environment leaves out, an empty value is none, ~ is the home folder."""
    (tmp_path / ".env").write_text(
        "HF_TOKEN=secret\nPORT=1111\nREFRESH_SECONDS=5\nIMAGE_DIR=photos\nQDRANT_URL=\n"
        "QDRANT_COLLECTION=mine\n"
    )
    found = settings_in(tmp_path, PORT="2222", REFRESH_SECONDS="", DATA_DIR="~/.photo-index")
    assert found["HF_TOKEN"] == "secret"  # so that libraries see it too
    assert found["port"] == 2222
    assert found["refresh_seconds"] == 60  # empty in the environment: unset, and hides the .env's
    assert found["image_dir"] == str(tmp_path / "photos")
    assert found["data_dir"] == str(Path("~/.photo-index").expanduser())
    assert found["qdrant_url"] is None
    assert found["qdrant_collection"] == "mine"


def test_libraries_tell_nobody(tmp_path: Path) -> None:
    """What CocoIndex and the hub would report of their use is off, unless it is turned on."""
    off = settings_in(tmp_path)
    assert off["COCOINDEX_DISABLE_USAGE_TRACKING"] == off["HF_HUB_DISABLE_TELEMETRY"] == "1"
    (tmp_path / ".env").write_text("COCOINDEX_DISABLE_USAGE_TRACKING=0\n")
    assert settings_in(tmp_path)["COCOINDEX_DISABLE_USAGE_TRACKING"] == "0"


def test_a_wrong_setting_is_named() -> None:
    """Each wrong value is one line that names the setting and the value, and nothing starts."""
    wrong = {"PORT": "99999", "QDRANT_URL": "localhost", "REFRESH_SECONDS": "0"}
    wrong |= {"QDRANT_COLLECTION": "../x", "CORS_ORIGINS": "*"}
    run = subprocess.run(
        [sys.executable, "main.py"], cwd=ROOT, env=environment(**wrong), capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert len(lines) == len(wrong)
    for name, value in wrong.items():
        assert any(line.startswith(f"{name}={value}: ") for line in lines)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://me:se%2Fs:a%40me@host:1/db",
        "postgres://me@host/db?sslmode=disable&password=se%2Fs:a%40me",
    ],
)
def test_no_error_tells_the_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is hidden in a driver's message, with its URL or alone, encoded or not."""
    known = main.settings.model_copy(update={"cocoindex_database_url": url})
    monkeypatch.setattr(main, "settings", known)
    error = RuntimeError(f"{url} failed:\n  se/s:a@me, se%2Fs:a%40me\nStack backtrace: 1: main")
    assert main.explained(error) == "COCOINDEX_DATABASE_URL failed: ***, ***"
    monkeypatch.undo()
    assert main.explained(error).startswith(url)  # nothing to hide, nothing hidden


@pytest.mark.parametrize(("place", "refused"), [("", True), ("a/data", True), ("a/.data", False)])
def test_thumbnails_are_no_photos(new_app: NewApp, place: str, *, refused: bool) -> None:
    """A DATA_DIR among the photos is refused in one sentence; a hidden one is not."""
    app = new_app("cat.png")
    app.env["DATA_DIR"] = str(app.img / place)
    show = app.cli("show", "main")
    assert show.returncode == refused
    assert ("lies in IMAGE_DIR" in show.stderr) == refused
    assert "Traceback" not in show.stderr
    assert not refused or [path.name for path in app.img.rglob("*")] == ["cat.png"]
