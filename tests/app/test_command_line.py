"""`image-search index`, `search` and `status`: by themselves, and with an app that runs."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import App, NewApp, eventually, names

SAMPLES = ("cat.png", "coffee.png", "rocket.jpg")


def run(app: App, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command on an installation."""
    return app.run(sys.executable, "-m", "image_search", *words)


def said(app: App, *words: str) -> str:
    """What it prints."""
    done = run(app, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stopped(new_app: NewApp) -> App:
    """An installation whose photos the command has indexed; no app runs."""
    app = new_app(*SAMPLES, PASSWORD="a secret")  # noqa: S106
    app.add("cat.png", "2024/odd\nname.png")
    (app.img / "broken.jpg").write_text("no photo\n")
    nothing = run(app, "search", "cat")
    assert nothing.returncode == 1
    assert "image-search index" in nothing.stderr
    assert "image-search serve" in run(app, "status").stderr
    done = run(app, "index")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4 photos are indexed, 1 can't be read.\n"
    assert "Traceback" not in done.stderr
    assert not app.processes()
    return app


@pytest.fixture(scope="module")
def by_itself(stopped: App) -> str:
    """What a search prints where no app runs."""
    return said(stopped, "search", "cat", "--minus", "rocket", "--json")


@pytest.fixture(scope="module")
def app(stopped: App, by_itself: str) -> Iterator[App]:
    """The same with an app that runs, at another port than PORT has."""
    uvicorn = (sys.executable, "-m", "uvicorn", "main:app")
    port = stopped.env["PORT"]
    stopped.http.auth = ("", "a secret")
    stopped.start(*uvicorn, "--port", port)
    stopped.env["PORT"] = "1"
    yield stopped
    stopped.stop()


def test_the_answer_is_the_same_without_an_app(
    app: App, by_itself: str
) -> None:
    """Whether an app runs or not: the same photos, scores and names."""
    asked = json.loads(
        said(app, "search", "cat", "--minus", "rocket", "--json")
    )
    alone = json.loads(by_itself)
    for answer in (asked, alone):
        assert names(answer["named"]) == ["cat.png"]
        del answer["fits"]  # which it takes a while to know
    assert alone == asked


def test_words_find_photos(app: App) -> None:
    """A line for each, best first, with its score; a name is one line, whatever is in it."""
    lines = said(app, "search", "a", "cup", "of", "coffee").splitlines()
    assert len(lines) == 4
    score, name = lines[0].split()
    assert name == "coffee.png"
    assert 0 < float(score) < 1
    assert any("'2024/odd\\nname.png'" in line for line in lines)


def test_a_name_finds_its_photo(app: App) -> None:
    """What is called so comes first, and says so."""
    first = said(app, "search", "rocket").splitlines()[0]
    assert first.split() == ["name", "rocket.jpg"]


def test_every_form_has_the_same_photos(app: App) -> None:
    """JSON, CSV and paths tell of one answer; paths are those of files."""
    asked = "search", "cat", "--limit", "3"
    answer = json.loads(said(app, *asked, "--json"))
    found = names(answer["results"])
    assert len(found) == 3
    assert answer["more"]
    table = said(app, *asked, "--csv")
    rows = csv.DictReader(io.StringIO(table, newline=""))
    assert [row["filename"] for row in rows] == found
    paths = said(app, *asked, "--paths0").split("\0")
    assert paths.pop() == ""
    assert [str(Path(one).relative_to(app.img)) for one in paths] == found
    assert all(map(Path.is_file, map(Path, paths)))


def test_it_can_be_narrowed(app: App) -> None:
    """What the page can ask the command can."""
    below = said(app, "search", "cat", "--folder", "2024", "--json")
    assert names(json.loads(below)["results"]) == ["2024/odd\nname.png"]
    like = said(app, "search", "--like", "cat.png", "--json")
    assert names(json.loads(like)["results"])[0] == "2024/odd\nname.png"
    newest = said(app, "search", "--sort", "newest", "--offset", "3", "--json")
    assert len(json.loads(newest)["results"]) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--after", "May"], "write a date"),
        (["cat", "--limit", "0"], "write 1 or more"),
        (["--like", "gone.jpg"], "gone.jpg"),
    ],
)
def test_what_is_wrong_is_said(app: App, words: list[str], says: str) -> None:
    """In a sentence, and with 1."""
    wrong = run(app, "search", *words)
    assert wrong.returncode == 1
    assert says in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_the_app_is_waited_for(app: App) -> None:
    """`index` ends when the app that runs has indexed what is new."""
    new = app.img / "new.png"
    app.add("coffee.png", new.name)
    eventually(lambda: said(app, "index").startswith("5 photos are indexed"))
    assert new.name in said(app, "search", "coffee")
    new.unlink()
    eventually(lambda: said(app, "index").startswith("4 photos are indexed"))


def test_status_tells_of_the_app(app: App) -> None:
    """How far it is, as a sentence and as JSON."""
    assert said(app, "status") == "4 photos are indexed, 1 can't be read.\n"
    assert json.loads(said(app, "status", "--json"))["state"] == "ready"


def test_another_folders_app_is_not_asked(new_app: NewApp, app: App) -> None:
    """An app that runs at PORT for other photos has no answer to give."""
    other = new_app("cat.png", PORT=str(app.port))
    answer = run(other, "search", "cat")
    assert answer.returncode == 1
    assert "Nothing is indexed yet" in answer.stderr
