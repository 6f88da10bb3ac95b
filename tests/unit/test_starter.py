"""The starter model: how it is put in place, and that its two towers meet."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_search.clip import DualEncoder, Embedding, load_tower
from image_search.colour import Pixels
from image_search.starter.__main__ import is_replaceable, replace_folder
from image_search.starter.ingredients import (
    CLASS_COUNT,
    DATA_PACKAGES,
    TEXT_SIZE,
    find_minilm,
    read_class_names,
    read_hypernyms,
)
from image_search.starter.text_tower import MiniLM, reflect_to_ones, unit
from tests.harness import PHOTOS, ROOT, STARTER, environment
from tests.models import embed_images, embed_text

PACKAGE = ROOT / "image_search" / "starter"
MODULES = sorted(PACKAGE.glob("*.py"))
# In float32, since in 16 bits the laws hold less exactly.
ENCODER = DualEncoder(str(STARTER), STARTER, "float32")
SAMPLES = ["cat.png", "coffee.png", "motorcycle.jpg", "rocket.jpg"]
TEXTS = ["a cup of coffee", "a cat", "something to sit on", "xyzzy", ""]


def run_command(
    outdir: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-m", "image_search.starter", outdir],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_new_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "model.safetensors").write_text("new")


def read_sample(name: str) -> Pixels:
    return np.asarray(Image.open(PHOTOS / name).convert("RGB"))


@pytest.fixture(scope="module")
def sample_vectors() -> list[Embedding]:
    return embed_images(ENCODER, [read_sample(name) for name in SAMPLES])


@pytest.fixture
def old_model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_text("old")
    (folder / "config.json").write_text("old")
    return folder


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_model_is_never_replaced(tmp_path: Path, kind: str) -> None:
    """One sentence refuses a folder, or a file, that holds something else."""
    outdir = tmp_path / "precious"
    file = outdir / "letter.txt" if kind == "folder" else outdir
    file.parent.mkdir(exist_ok=True)
    file.write_text("Dear Ann")
    run = run_command(outdir)
    assert run.returncode == 1
    assert run.stderr == (
        f"{outdir} holds something other than a model, so it is not replaced.\n"
    )
    assert file.read_text() == "Dear Ann"


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    """One sentence names the package to install, by its name on PyPI.

    Python's -S leaves out what is installed: so little needs nothing of it.
    """
    run = run_command(tmp_path / "model", "-S")
    assert run.returncode == 1
    package = next(iter(DATA_PACKAGES.values()))
    assert run.stderr == f"The data package {package} is not installed.\n"
    assert not list(tmp_path.iterdir())


def test_a_model_may_go_where_nothing_else_is(
    tmp_path: Path, old_model: Path
) -> None:
    """A folder that is missing, empty, or holds an older model is replaced."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (tmp_path / "missing" / "below", empty, old_model):
        assert is_replaceable(folder)
        replace_folder(folder, write_new_model)
        [file] = folder.iterdir()
        assert file.read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {
        "missing",
        "empty",
        "model",
    }


def test_half_a_model_is_never_seen(old_model: Path) -> None:
    """A build that fails leaves the older model, and nothing beside it."""

    def write_half(folder: Path) -> None:
        write_new_model(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_folder(old_model, write_half)
    assert {path.read_text() for path in old_model.iterdir()} == {"old"}
    assert list(old_model.parent.iterdir()) == [old_model]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_starter_stands_alone(path: Path) -> None:
    """It imports nothing of the app, not even a room, but its own modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported = [node.module or ""]
        elif isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        else:
            continue
        for name in imported:
            assert name.partition(".")[0] not in {"main", "tests"}
            is_ours = name.partition(".")[0] == "image_search"
            its_own = "image_search.starter."
            assert not is_ours or name.startswith(its_own)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_its_modules_are_of_ordinary_size(path: Path) -> None:
    """A module has 300 lines at most; a mean line is under 45 characters."""
    lines = path.read_text().splitlines()
    assert len(lines) <= 300
    stripped = [line.strip() for line in lines]
    widths = [
        len(line)
        for line, content in zip(lines, stripped, strict=True)
        if content and not content.startswith("#")
    ]
    assert sum(widths) / len(widths) < 45


def test_hypernyms_say_something() -> None:
    """A noun has one or two synonyms, and is above at most 160 classes."""
    for synonyms, classes in read_hypernyms():
        assert 1 <= len(set(synonyms)) == len(synonyms) <= 2
        assert 1 <= len(set(classes)) == len(classes) <= 160
        assert {*classes} <= {*range(CLASS_COUNT)}


def test_a_reflection_hides_texts_from_layer_norm() -> None:
    """It moves what no text uses to (1, ..., 1), and undoes itself."""
    generator = torch.Generator().manual_seed(1)
    unused = unit(torch.randn(TEXT_SIZE, generator=generator))
    samples = torch.randn(2 * TEXT_SIZE, TEXT_SIZE, generator=generator)
    samples -= torch.outer(samples @ unused, unused)

    reflection = reflect_to_ones(samples)
    assert torch.allclose(
        reflection @ reflection, torch.eye(TEXT_SIZE), atol=1e-5
    )
    moved = unused @ reflection
    assert torch.allclose(moved, moved.mean().expand(TEXT_SIZE), atol=1e-4)
    left_over = (samples @ reflection).mean(dim=1)
    assert left_over.abs().max() < 1e-4


def test_both_towers_give_unit_vectors_of_one_length(
    sample_vectors: list[Embedding],
) -> None:
    """An image and a text, even an odd one, each become 384 numbers."""
    black = np.zeros((1, 9, 3), np.uint8)
    images = [*sample_vectors, *embed_images(ENCODER, [black])]
    texts = [embed_text(ENCODER, text) for text in TEXTS]
    for vector in images + texts:
        assert vector.shape == (TEXT_SIZE,) == (ENCODER.dimension,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_text_has_minilm_s_vector() -> None:
    """A text's vector is MiniLM's, but for what all texts share."""
    model, processor = load_tower(ENCODER, "text")
    tokens = processor.tokenizer(TEXTS, padding=True, return_tensors="pt")
    features = model.get_text_features(**tokens.to(model.device))
    found = features.pooler_output.cpu()
    minilm = MiniLM.load(find_minilm()).embed(TEXTS)
    shared = minilm - found
    assert torch.allclose(shared, shared[:1].expand_as(shared), atol=2e-3)


def test_an_image_is_a_sum_of_classes() -> None:
    """A class weighs 0 to 6, and a constant comes after all the classes."""
    model, processor = load_tower(ENCODER, "image")
    images = [read_sample(name) for name in SAMPLES]
    inputs = processor(images=images, return_tensors="pt")
    tower = model.vision_model(inputs.pixel_values.to(model.device))
    weights = tower.pooler_output.cpu()
    classes = weights[:, :CLASS_COUNT]
    assert 0 <= classes.min() <= classes.max() <= 6
    constant = torch.zeros(weights.shape[1] - CLASS_COUNT)
    constant[0] = 1
    assert torch.allclose(weights[:, CLASS_COUNT:], constant, atol=1e-3)

    coffee = classes[SAMPLES.index("coffee.png")]
    assert read_class_names()[int(coffee.argmax())] == "espresso"
    assert (coffee > 0).sum() < 20


@pytest.mark.parametrize(
    ("words", "photo"),
    [
        ("espresso", "coffee.png"),
        ("hot drink", "coffee.png"),
        ("a pet", "cat.png"),
        ("a photo of a motorbike", "motorcycle.jpg"),
    ],
)
def test_the_towers_meet(
    words: str, photo: str, sample_vectors: list[Embedding]
) -> None:
    """Words find the photo that fits, whether or not they name a class."""
    scores = np.stack(sample_vectors) @ embed_text(ENCODER, words)
    assert SAMPLES[int(scores.argmax())] == photo
