"""Dockerfile, compose.yaml and the unit of systemd say what the app understands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from image_search.command import main
from image_search.settings import Settings
from tests.harness import ROOT

SETTINGS = {name.upper() for name in Settings.model_fields}
# Whose variables they are that are no settings: the hub's, Python's, the system's.
OTHERS = {"HF_HOME", "HOME", "PATH"}
OTHERS |= {"PYTHONDONTWRITEBYTECODE"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = ROOT / "compose.yaml"


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text()))


def test_what_the_image_sets_are_settings() -> None:
    """Each variable of the image and of compose.yaml is one that somebody reads."""
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    [instruction] = re.findall(
        r"^ENV (.*?[^\\])$", last_stage, re.MULTILINE | re.DOTALL
    )
    names = set(re.findall(r"\b([A-Z_]+)=", instruction))
    assert names - OTHERS <= SETTINGS
    assert {"DATA_DIR", "IMAGE_DIR", "HF_HOME"} <= names


def test_what_compose_sets_are_settings(compose: dict[str, Any]) -> None:
    """So is each variable that compose.yaml gives to the app, in either role."""
    needed = {
        "search": {"QDRANT_URL", "PASSWORD"},
        # Without one of these it would use an embedded store.
        "index": {"QDRANT_URL", "COCOINDEX_DATABASE_URL", "PASSWORD"},
    }
    for role, names in needed.items():
        environment = compose["services"][role]["environment"]
        assert environment["ROLE"] == role
        assert set(environment) - OTHERS <= SETTINGS
        assert names <= set(environment)


def test_who_searches_knows_no_database(compose: dict[str, Any]) -> None:
    """It needs none; Caddy asks those that search, however many there are."""
    search = compose["services"]["search"]
    assert "COCOINDEX_DATABASE_URL" not in search["environment"]
    assert "postgres" not in search["depends_on"]
    assert "dynamic a search 8000" in COMPOSE.read_text()


def test_only_the_proxy_is_reached_from_outside(
    compose: dict[str, Any],
) -> None:
    """No service but Caddy has a port of the machine, or is on a network with the stores."""
    services = compose["services"]
    assert {name for name in services if "ports" in services[name]} == {"caddy"}
    behind = {name for name in services if "back" in services[name]["networks"]}
    assert behind == {"index", "search", "qdrant", "postgres"}
    assert compose["networks"]["back"]["internal"]


def test_every_service_comes_up_again(compose: dict[str, Any]) -> None:
    """Each is started again after a crash, and what others wait for says when it is ready."""
    services = compose["services"]
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        for name, needed in service.get("depends_on", {}).items():
            if needed["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_compose_holds_no_secret(compose: dict[str, Any]) -> None:
    """Passwords and keys come from .env, whose lines the file's head lists."""
    text = COMPOSE.read_text()
    head = text[: text.index("\nname:")]
    required = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    for name in required:
        assert re.search(rf"^#   {name}=", head, re.MULTILINE)
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY", name):
                assert value.startswith("${")


def test_what_the_image_is_made_of_is_there() -> None:
    """Each file that Dockerfile copies exists, and .dockerignore lets it through."""
    let_through = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for sources in re.findall(r"^COPY ((?!--)\S.*) \S+$", DOCKERFILE, re.MULTILINE):  # fmt: skip
        for source in sources.split():
            assert (ROOT / source).exists()
            top = Path(source).parts[:1]
            assert not top or top[0] in let_through


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("Dockerfile", r'^CMD \["(\w+)"\]'),
        ("Dockerfile", r'CMD \["image-search", "(\w+)"\]'),
        (
            "examples/image-search.service",
            r"^ExecStart=\S+/image-search (\w+) ",
        ),
    ],
)
def test_the_commands_are_there(file: str, pattern: str) -> None:
    """What they start is a command of `image-search`."""
    [command] = re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert command in main.commands
