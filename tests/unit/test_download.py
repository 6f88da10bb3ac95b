"""The model is got before the start, from the hub or from what pip can install."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from image_search.download import NEEDS_STARTER, STARTER, download, is_cached
from image_search.settings import Settings
from tests.harness import ROOT, environment
from tests.serving import serving

DEFAULT = Settings.model_fields["clip_model"].default


def run_download(
    tmp_path: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the program with an empty cache of the hub's models."""
    env = environment() | {"HF_HOME": str(tmp_path)} | variables
    return subprocess.run(
        [sys.executable, "-m", "image_search.download"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class NothingThere(BaseHTTPRequestHandler):
    """A hub that has no models."""

    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@contextmanager
def empty_hub() -> Iterator[str]:
    with serving(HTTPServer(("127.0.0.1", 0), NothingThere)) as address:
        yield f"http://{address}"


def test_without_a_hub_the_starter_is_asked_for(tmp_path: Path) -> None:
    """The default model, and no hub: one sentence, and an exit code that says it."""
    run = run_download(tmp_path)
    assert run.returncode == NEEDS_STARTER == 3
    assert run.stdout.count("\n") == 1
    assert f"Hub can't be reached for {DEFAULT}" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize("model", ["nobody/no-such-clip", "/no/such/folder"])
def test_a_chosen_model_is_never_replaced(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that somebody chose is not exchanged for the starter, without a hub."""
    assert download(Settings(clip_model=model)) == 1
    assert f"CLIP_MODEL={model} cannot be loaded" in capsys.readouterr().err


def test_a_hub_that_answers_is_believed(tmp_path: Path) -> None:
    """Where the hub is there, the default model is not replaced, even if it isn't."""
    with empty_hub() as url:
        run = run_download(tmp_path, HF_HUB_OFFLINE="0", HF_ENDPOINT=url)
    assert run.returncode == 1
    assert f"Downloading {DEFAULT}, once." in run.stdout
    assert f"CLIP_MODEL={DEFAULT} cannot be loaded" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_hub_that_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    """Where nothing answers at the hub's address, the starter is asked for."""
    with empty_hub() as url:
        pass  # it has gone, and its port with it
    run = run_download(tmp_path, HF_HUB_OFFLINE="0", HF_ENDPOINT=url)
    assert run.returncode == NEEDS_STARTER


def test_a_model_in_a_folder_is_not_downloaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is there needs nothing, and nothing is said."""
    assert download(Settings(clip_model=str(tmp_path))) == 0
    assert capsys.readouterr() == ("", "")


def test_the_starter_says_what_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The starter is named as what it is, with the way to CLIP itself.

    It is asked for where it was chosen and is not built yet.
    """
    is_built = (ROOT / STARTER).is_dir()
    code = download(Settings(clip_model=STARTER))
    assert code == (0 if is_built else NEEDS_STARTER)
    said = capsys.readouterr().out
    assert "starter model" in said
    assert f"remove CLIP_MODEL={STARTER} from .env" in said


def test_a_model_that_was_downloaded_is_not_again(tmp_path: Path) -> None:
    """A model whose weights lie in the hub's cache is not asked for again."""
    model = tmp_path / "hub" / "models--openai--clip-vit-large-patch14"
    snapshot = model / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    (snapshot / "model.safetensors").touch()
    run = run_download(tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "name", ["no/such-model", "/no/such/folder", "a/b/c", "~/x"]
)
def test_what_is_not_here_is_not_cached(name: str) -> None:
    """A name that is no model's, or a folder's that isn't there, is not cached."""
    assert not is_cached(name)
