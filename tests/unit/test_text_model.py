"""OCR_LANGUAGES says what words are read with, and another model reads photos again."""

from pathlib import Path

from image_search.text_model import TextModel

BASE = Path("/project")


def test_languages_are_names() -> None:
    """Divided by commas or spaces, in any order; none stand for all that is known."""
    assert TextModel.of("", BASE) == TextModel()
    assert TextModel.of("", BASE).known_languages is None
    model = TextModel.of("DE, en", BASE)
    assert model == TextModel.of("en de", BASE)
    assert model.known_languages == ["de", "en"]


def test_a_file_is_a_model_of_ones_own() -> None:
    """Its dictionary lies beside it, by the same name; relative paths start at the base."""
    model = TextModel.of("models/cyrillic.onnx", BASE)
    assert model.recogniser == "/project/models/cyrillic.onnx"
    assert model.dictionary == "/project/models/cyrillic.txt"
    assert TextModel.of("/a/b.onnx", BASE).recogniser == "/a/b.onnx"


def test_another_model_is_another_version() -> None:
    """An integer of 31 bits, the same wherever the file lies."""
    settings = "", "en", "en,de", "a.onnx", "b.onnx"
    versions = [TextModel.of(setting, BASE).version for setting in settings]
    assert len({*versions}) == len(versions)
    assert all(0 < version < 2**31 for version in versions)
    elsewhere = TextModel.of("a.onnx", Path("/elsewhere"))
    assert elsewhere.version == versions[3]
