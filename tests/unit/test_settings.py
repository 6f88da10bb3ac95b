"""Settings come from the environment or .env, a wrong one is named, and a log line is one line."""

import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import ValidationError

from image_search.settings import EscapeControlCharacters, Settings
from tests.harness import ROOT, environment

EXAMPLE = ROOT / ".env.example"
SHOW_SETTINGS = """
import json, os
from image_search.settings import settings
print(json.dumps(settings.model_dump(mode="json") | dict(os.environ)))
"""
# In the place of CocoIndex: what it would find in the environment when it is imported.
SHOW_ENVIRONMENT = """
import json, os
print(json.dumps(dict(os.environ)))
raise SystemExit
"""


def copy_app(folder: Path) -> None:
    """Put the app's code into a folder, which is the project's folder then."""
    folder.mkdir(exist_ok=True)
    shutil.copy(ROOT / "main.py", folder)
    shutil.copytree(ROOT / "image_search", folder / "image_search")


def run_in(folder: Path, code: str, **env: str) -> dict[str, object]:
    """Run Python on the app in a folder; returns the JSON that it prints."""
    given = {
        name: value for name, value in environment().items() if value
    } | env
    given.pop("COCOINDEX_DISABLE_USAGE_TRACKING")
    output = subprocess.check_output(
        [sys.executable, "-c", code], cwd=folder, env=given, timeout=60
    )
    return dict(json.loads(output))


def settings_in(folder: Path, **env: str) -> dict[str, object]:
    """The settings of the app in a folder, beside the environment that libraries see."""
    return run_in(folder, SHOW_SETTINGS, **env)


def test_env_example_lists_every_setting_with_its_default(
    tmp_path: Path,
) -> None:
    """.env.example and Settings name the same settings, with the same defaults and a line each."""
    example = dotenv_values(EXAMPLE)
    assert list(example) == [name.upper() for name in Settings.model_fields]
    copy_app(tmp_path)
    defaults = settings_in(tmp_path)
    shutil.copy(EXAMPLE, tmp_path / ".env")
    with_example = settings_in(tmp_path)
    for name in Settings.model_fields:
        assert with_example[name] == defaults[name]
    lines = EXAMPLE.read_text().splitlines()
    for name in example:
        at = next(
            number
            for number, line in enumerate(lines)
            if line.startswith(f"{name}=")
        )
        assert re.match(r"# \S.{20}", lines[at - 1]), (
            f"{name} has no line of its own"
        )


def test_readme_lists_every_setting() -> None:
    """The README's table has a row for each setting."""
    readme = (ROOT / "README.md").read_text()
    for name in Settings.model_fields:
        assert f"| `{name.upper()}` |" in readme


def test_where_settings_come_from(tmp_path: Path) -> None:
    """.env fills what the environment leaves out, an empty value is none, ~ is the home folder."""
    copy_app(tmp_path)
    (tmp_path / ".env").write_text(
        "HF_TOKEN=secret\nPORT=1111\nREFRESH_SECONDS=5\nIMAGE_DIR=photos\n"
        "QDRANT_URL=\nQDRANT_COLLECTION=mine\n"
    )
    found = settings_in(
        tmp_path, PORT="2222", REFRESH_SECONDS="", DATA_DIR="~/.photo-index"
    )
    assert found["HF_TOKEN"] == "secret"  # so that libraries see it too
    assert found["port"] == 2222
    # Empty in the environment is unset, and hides the .env's.
    assert found["refresh_seconds"] == 60
    assert found["image_dir"] == [
        {"path": str(tmp_path / "photos"), "name": ""}
    ]
    assert found["data_dir"] == str(Path("~/.photo-index").expanduser())
    assert found["qdrant_url"] is None
    assert found["qdrant_collection"] == "mine"


def test_relative_paths_start_at_the_project(tmp_path: Path) -> None:
    """A relative IMAGE_DIR or DATA_DIR is one folder, from wherever the app is started."""
    copy_app(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = settings_in(
        elsewhere,
        IMAGE_DIR="photos",
        DATA_DIR="a/../data",
        PYTHONPATH=str(tmp_path),
    )
    assert found["image_dir"] == [
        {"path": str(tmp_path / "photos"), "name": ""}
    ]
    assert found["data_dir"] == str(tmp_path / "data")


def install_app(folder: Path) -> None:
    """Lay out the app's code as a wheel does: main.py lies in the package."""
    shutil.copytree(ROOT / "image_search", folder / "image_search")
    shutil.copy(ROOT / "main.py", folder / "image_search")


def test_where_it_is_installed_paths_start_where_the_user_is(
    tmp_path: Path,
) -> None:
    """An installed app reads .env in the present folder, whose photos it searches."""
    site, here = tmp_path / "site", tmp_path / "here"
    install_app(site)
    here.mkdir()
    (here / ".env").write_text("PORT=1234\n")
    python_path = str(site)
    found = settings_in(here, PYTHONPATH=python_path)
    assert found["image_dir"] == [{"path": str(here), "name": ""}]
    assert found["port"] == 1234
    found = settings_in(here, PYTHONPATH=python_path, IMAGE_DIR="photos")
    assert found["image_dir"] == [{"path": str(here / "photos"), "name": ""}]


def test_where_it_is_installed_each_folder_has_an_index_of_its_own(
    tmp_path: Path,
) -> None:
    """Its DATA_DIR lies among the user's data, never in the package or among the photos."""
    site = tmp_path / "site"
    install_app(site)
    env = {"PYTHONPATH": str(site), "XDG_DATA_HOME": str(tmp_path / ".share")}
    found = set()
    for photos in ("a", "b/a", "a" * 255, "/"):
        path = settings_in(tmp_path, IMAGE_DIR=photos, **env)["data_dir"]
        assert Path(str(path)).parent == tmp_path / ".share" / "image-search"
        assert len(Path(str(path)).name) < 60
        found.add(path)
    assert len(found) == 4
    given = settings_in(tmp_path, IMAGE_DIR="a", DATA_DIR="mine", **env)
    assert given["data_dir"] == str(tmp_path / "mine")


def test_libraries_tell_nobody(tmp_path: Path) -> None:
    """What CocoIndex and the hub would report of their use is off, unless it is turned on."""
    copy_app(tmp_path)
    off = settings_in(tmp_path)
    assert off["COCOINDEX_DISABLE_USAGE_TRACKING"] == "1"
    assert off["HF_HUB_DISABLE_TELEMETRY"] == "1"
    (tmp_path / ".env").write_text("COCOINDEX_DISABLE_USAGE_TRACKING=0\n")
    assert settings_in(tmp_path)["COCOINDEX_DISABLE_USAGE_TRACKING"] == "0"


def test_env_is_loaded_before_who_reads_it(tmp_path: Path) -> None:
    """When main.py imports CocoIndex, what .env says lies in the environment already."""
    copy_app(tmp_path)
    (tmp_path / ".env").write_text("COCOINDEX_MAX_THREADS=3\n")
    (tmp_path / "cocoindex.py").write_text(SHOW_ENVIRONMENT)
    seen = run_in(tmp_path, "import main")
    assert seen["COCOINDEX_MAX_THREADS"] == "3"
    assert seen["COCOINDEX_DISABLE_USAGE_TRACKING"] == "1"


def test_a_wrong_setting_is_named() -> None:
    """Each wrong value is one line that names the setting and the value, and nothing starts."""
    wrong = {"PORT": "99999", "QDRANT_URL": "localhost", "REFRESH_SECONDS": "0"}
    wrong |= {"QDRANT_COLLECTION": "../x", "CORS_ORIGINS": "*"}
    wrong |= {"IMAGE_DIR": "~no such user/photos", "TRUSTED_PROXIES": "caddy"}
    run = subprocess.run(
        [sys.executable, "main.py"], cwd=ROOT, env=environment(**wrong),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert len(lines) == len(wrong)
    for name, value in wrong.items():
        assert any(line.startswith(f"{name}={value}: ") for line in lines)


def test_a_cluster_has_several_addresses() -> None:
    """With commas between them; each that is wrong is named, and none is no server."""
    urls = Settings(qdrant_url="http://a:6334, https://b").qdrant_url or ()
    assert [str(url) for url in urls] == ["http://a:6334/", "https://b/"]
    for wrong in ("http://a:6334,b:6334", ","):
        with pytest.raises(ValidationError):
            Settings(qdrant_url=wrong)


@pytest.mark.parametrize(
    ("data_dir", "is_refused"),
    [
        ("photos", True),
        ("photos/a/data", True),
        ("photos/a/.data", False),
        ("photos/.data/deep", False),
        (".", False),  # the photos may lie in it, beside the thumbnails
        ("photos 2", False),
    ],
)
def test_thumbnails_are_no_photos(
    tmp_path: Path, data_dir: str, *, is_refused: bool
) -> None:
    """A DATA_DIR among the photos is refused in a sentence; a hidden one is not."""
    try:
        Settings(image_dir=tmp_path / "photos", data_dir=tmp_path / data_dir)
    except ValidationError as error:
        assert is_refused
        [problem] = error.errors()
        assert problem["loc"] == ("data_dir",)
        assert "lies in IMAGE_DIR" in problem["msg"]
    else:
        assert not is_refused


@pytest.mark.parametrize("below", ["", "ab", "ab/cd"])
def test_photos_are_no_thumbnails(tmp_path: Path, below: str) -> None:
    """An IMAGE_DIR that is, or lies in, the folder of thumbnails is refused in a sentence."""
    data_dir = tmp_path / ".data"
    thumbnails = Settings(data_dir=data_dir).thumbnail_folder
    with pytest.raises(
        ValidationError, match="among the photos; set IMAGE_DIR"
    ):
        Settings(image_dir=thumbnails / below, data_dir=data_dir)


def test_links_lead_to_the_folders_they_mean(tmp_path: Path) -> None:
    """DATA_DIR among the photos is refused by whatever way it leads there."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    with pytest.raises(ValidationError, match="lies in IMAGE_DIR"):
        Settings(
            image_dir=tmp_path / "photos", data_dir=tmp_path / "link" / "data"
        )


def test_proxies_go_by_two_names(tmp_path: Path) -> None:
    """Uvicorn's own variable names them where TRUSTED_PROXIES doesn't; by default there are none."""
    copy_app(tmp_path)

    def trusted(**env: str) -> object:
        return settings_in(tmp_path, **env)["trusted_proxies"]

    assert trusted() == []
    assert trusted(FORWARDED_ALLOW_IPS="10.0.0.2") == ["10.0.0.2/32"]
    told = trusted(TRUSTED_PROXIES="fd00::/8", FORWARDED_ALLOW_IPS="*")
    assert told == ["fd00::/8"]


def test_a_link_to_the_keys_stays_one(tmp_path: Path) -> None:
    """API_KEYS may be a link that leads to another file later; ~ is the home folder."""
    (tmp_path / "old").touch()
    (tmp_path / "keys").symlink_to("old")
    path = tmp_path / "keys"
    assert Settings(api_keys=path).api_keys == path
    assert Settings(api_keys="~/keys").api_keys == Path.home() / "keys"
    assert Settings(api_keys="keys").api_keys == ROOT / "keys"


def test_settings_show_no_secret() -> None:
    """Printed, the settings tell no password, no key, and no URL that has one in it."""
    secrets = Settings(
        password="sesame",  # noqa: S106, that is the law
        qdrant_api_key="sesame",
        cocoindex_database_url="postgres://me:sesame@host/db",
    )
    assert "sesame" not in repr(secrets)
    assert "sesame" not in str(secrets)


def test_a_model_is_a_folder_if_there_is_one(tmp_path: Path) -> None:
    """CLIP_MODEL names a folder where there is one of that name, and else a model of the hub."""
    assert Settings(clip_model=str(tmp_path)).model_folder == tmp_path
    assert (
        Settings(clip_model="openai/clip-vit-base-patch32").model_folder is None
    )


def no_access(env: Path) -> None:
    env.touch(0)


def folder(env: Path) -> None:
    env.mkdir()


def circle(env: Path) -> None:
    env.symlink_to(env)


def link_to_nowhere(env: Path) -> None:
    env.symlink_to("nowhere")


def latin_1(env: Path) -> None:
    env.write_bytes(b"PASSWORD=caf\xe9\n")


def nul(env: Path) -> None:
    env.write_bytes(b"MINE=a\0b\n")


@pytest.mark.parametrize(
    "make", [no_access, folder, circle, link_to_nowhere, latin_1, nul]
)
def test_an_env_that_cannot_be_read_is_named(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Whatever .env is that is no file of settings: one sentence says so, and nothing starts."""
    copy_app(tmp_path)
    make(tmp_path / ".env")
    # Without the right to read all, which the other programs of the tests have.
    wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    run = subprocess.run(
        [*(wrapper if os.geteuid() == 0 else []), sys.executable, "main.py"], cwd=tmp_path,
        env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 3
    [sentence] = run.stderr.splitlines()
    assert sentence.startswith(f"{tmp_path / '.env'} can't be read: ")


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger with our filter, and what it has written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger = logging.getLogger("image_search.test")
    guard = EscapeControlCharacters()
    logger.addHandler(handler)
    logger.addFilter(guard)
    yield logger, written
    logger.removeFilter(guard)
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg\nERROR: forged",
        "a.jpg\rERROR: forged",
        "a.jpg\x1b[2K",  # a terminal would wipe the line
        "a\u202egpj.exe",  # it would turn round what follows
        "a\u2028b.jpg",
        "a\udcff.jpg",  # not UTF-8
    ],
)
def test_a_name_forges_no_line(
    log: tuple[logging.Logger, io.StringIO], name: str
) -> None:
    """Whatever is in a photo's name, or in an error about it, is one line of the log."""
    logger, written = log
    logger.warning("%s is skipped: %s.", name, ValueError(name))
    assert written.getvalue() == f"{name!r} is skipped: {name!r}.\n"
    assert written.getvalue().rstrip("\n").isprintable()


def test_an_honest_line_stays_as_it_is(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    """Names in any script and numbers come through unchanged."""
    logger, written = log
    logger.warning("%s: %d photos in %.1f s", "été/写真 1.jpg", 12, 3.14159)
    assert written.getvalue() == "été/写真 1.jpg: 12 photos in 3.1 s\n"


@pytest.mark.parametrize(
    ("value", "patterns"),
    [
        ("", ()),
        ("private/", ("private/",)),
        ("private/, *.gif ,!keep.gif", ("private/", "*.gif", "!keep.gif")),
        ("# mine\nprivate/\n\n*.gif\n", ("private/", "*.gif")),
        ("one\\, two.jpg", ("one\\, two.jpg",)),
        ("\\#recycle", ("\\#recycle",)),
    ],
)
def test_several_patterns_may_be_left_out(
    value: str, patterns: tuple[str, ...]
) -> None:
    """They are divided by commas or line ends, as they stand in the environment."""
    assert Settings(exclude=value).exclude == patterns


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("private/,!", "'!' is no gitignore pattern"),
        ("a\\", "is no gitignore pattern"),
        ("[z-a]", "'[z-a]' is no gitignore pattern"),
        ("[abc", "'[abc' matches nothing"),
        ("#recycle", "is a comment: write \\#recycle"),
    ],
)
def test_a_wrong_pattern_is_named(
    tmp_path: Path, value: str, hint: str
) -> None:
    """What would leave nothing out, though it looks as if it did, keeps the app from starting."""
    copy_app(tmp_path)
    run = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env=environment(EXCLUDE=value),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    assert run.stderr.startswith(f"EXCLUDE={value}: ")
    assert hint in run.stderr
    assert "Traceback" not in run.stderr
