"""The command `image-search`: what it is asked is done, and what is wrong is said."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from image_search.command import main
from image_search.keys import read_keys
from tests.harness import ROOT, environment, free_port
from tests.serving import serving

COMMAND = (
    "from image_search.command import main; main(prog_name='image-search')"
)


def run(
    *arguments: str, cwd: Path = ROOT, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, from some folder."""
    env = environment(**settings) | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, *arguments], cwd=cwd,
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def help_of(*command: str) -> Result:
    return CliRunner().invoke(main, [*command, "--help"])


def test_help_lists_every_command() -> None:
    """`image-search --help` has a line on each command, and each says what it takes."""
    told = help_of()
    assert told.exit_code == 0
    for name in main.commands:
        assert f"\n  {name}" in told.output
        assert help_of(name).exit_code == 0
    assert "[FOLDER]" in help_of("serve").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serach"], "There is no folder 'serach', and no command of that name"),
        (["serve", "/no/such"], "There is no folder '/no/such'"),
        (["--port", "99999"], "99999 is not in the range"),
        (["--prot", "80"], "No such option '--prot'"),
        (["a", "b"], "unexpected extra argument (b)"),
    ],
)  # fmt: skip
def test_what_is_mistyped_is_said(arguments: list[str], says: str) -> None:
    """A wrong word, option or folder ends with a sentence about it, and 2."""
    wrong = run(*arguments)
    assert wrong.returncode == 2
    assert says in wrong.stderr


def test_without_a_hub_it_says_what_to_do(tmp_path: Path) -> None:
    """The default model, and no hub: which folders it would take, and how to go on."""
    (tmp_path / "photos").mkdir()
    began = run(
        "photos", "--data-dir", "data", cwd=tmp_path, HF_HOME=str(tmp_path)
    )
    assert began.returncode == 1
    assert f"Photos: {tmp_path}/photos\nIndex:  {tmp_path}/data" in began.stdout
    assert "Hub can't be reached for openai/clip" in began.stderr
    assert "image-search starter FOLDER" in began.stderr
    assert "Traceback" not in began.stderr


def test_nothing_is_run_from_the_present_folder(tmp_path: Path) -> None:
    """A photo folder's own Python files, which may be anybody's, are left alone."""
    for name in ("click", "huggingface_hub", "torch", "image_search"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')")
    began = run("serve", cwd=tmp_path, HF_HOME=str(tmp_path))
    assert began.returncode == 1
    assert "Hub can't be reached" in began.stderr


class Answers(BaseHTTPRequestHandler):
    """Says 200 to who knows the password, and 503 to everyone else."""

    def do_GET(self) -> None:
        words = base64.b64encode(b":sesame").decode()
        is_known = self.headers["Authorization"] == f"Basic {words}"
        self.send_response(200 if is_known else 503)
        self.end_headers()
        self.wfile.write(b"it says why")

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@contextmanager
def an_app(answers: type[Answers] = Answers) -> Iterator[str]:
    with serving(HTTPServer(("127.0.0.1", 0), answers)) as address:
        yield address.rpartition(":")[2]


def test_health_is_what_the_app_says() -> None:
    """The exit code tells whether the app answers; why not, stands beside it."""
    everywhere = "0.0.0.0"  # noqa: S104
    with an_app() as port:
        good = run("health", PORT=port, HOST=everywhere, PASSWORD="sesame")  # noqa: S106
        bad = run("health", PORT=port, http_proxy="http://127.0.0.1:1")
    assert good.returncode == 0, good.stderr
    assert (bad.returncode, bad.stderr) == (1, "Error: it says why\n")
    none = run("health", PORT=str(free_port()))
    assert none.returncode == 1
    assert "does not answer" in none.stderr


def test_a_key_is_shown_once(tmp_path: Path) -> None:
    """The line goes to a file by `>>`; the key, which that line lets in, to the person alone."""
    made = run("key", "laptop", cwd=tmp_path)
    assert made.returncode == 0
    keys, wrong = read_keys(made.stdout)
    assert wrong == []
    [key] = [word for word in made.stderr.split() if keys.name_of(word)]
    assert keys.name_of(key) == "laptop"
    assert key not in made.stdout
    refused = run("key", "two words")
    assert refused.returncode == 2
    assert "a name has up to 64 letters" in refused.stderr
    assert refused.stdout == ""


class AsksForAKey(Answers):
    """Says 401 to everybody."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()


def test_an_app_that_asks_for_a_key_runs() -> None:
    """Where only keys open, health says that it runs; with a password, a 401 is a fault."""
    with an_app(AsksForAKey) as port:
        runs = run("health", PORT=port, API_KEYS="keys")
        wrong = run("health", PORT=port, PASSWORD="old", API_KEYS="keys")  # noqa: S106
    assert (runs.returncode, runs.stderr) == (0, "")
    assert "asks for a key" in runs.stdout
    assert wrong.returncode == 1


def test_starter_says_what_is_wrong(tmp_path: Path) -> None:
    """`image-search starter` ends as the builder does, in its words."""
    (tmp_path / "mine").touch()
    refused = run("starter", str(tmp_path))
    assert refused.returncode == 1
    assert "is not replaced" in refused.stderr
    assert "CLIP_MODEL" not in refused.stdout
