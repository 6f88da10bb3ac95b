"""Images and words become vectors of one space, by any dual encoder."""

import pickle
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import pytest
from transformers import BertConfig, BertModel, CLIPConfig

from image_search.clip import DualEncoder, l2_normalize, load_tower
from image_search.colour import Pixels
from image_search.photos import read_pixels
from image_search.settings import Settings, StartupError
from tests.harness import PHOTOS, ROOT, STARTER
from tests.models import (
    SMALL,
    embed_images,
    embed_text,
    save_clip,
    save_tiny_clip,
    save_tiny_siglip,
    save_tiny_siglip2,
)

T = TypeVar("T")
SAMPLES = ["cat.png", "rocket.jpg", "raccoon.webp"]


@pytest.fixture(scope="module")
def encoder(tiny_clip: Path) -> DualEncoder:
    return DualEncoder("tiny", tiny_clip)


def sample(name: str, side: int) -> Pixels:
    """A sample photo as a model of `side` pixels is shown it."""
    return read_pixels((PHOTOS / name).read_bytes(), side)


def sent(thing: T) -> T:
    """What arrives in another process."""
    arrived: T = pickle.loads(pickle.dumps(thing))  # noqa: S301, it is our own
    return arrived


def is_unit(vector: np.ndarray) -> bool:
    return bool(np.linalg.norm(vector) == pytest.approx(1, abs=1e-5))


# --- Vectors --------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_the_same_photo_has_the_same_vector(
    name: str, encoder: DualEncoder
) -> None:
    """The same image gives the same vector: unit length, as long as the config says."""
    image = sample(name, encoder.image_size)
    [first] = embed_images(encoder, [image])
    [again] = embed_images(encoder, [image])
    assert np.array_equal(first, again)
    config = CLIPConfig.from_pretrained(str(encoder.folder))
    assert first.shape == (config.projection_dim,)
    assert first.dtype == np.float32
    assert is_unit(first)


def test_a_batch_changes_no_vector(encoder: DualEncoder) -> None:
    """Images of any shapes that are embedded at once get the vectors of each alone."""
    images = [sample(name, encoder.image_size) for name in SAMPLES]
    images.append(np.zeros((3, 40, 3), np.uint8))
    assert len({image.shape for image in images}) == 4
    together = embed_images(encoder, images)
    for image, vector in zip(images, together, strict=True):
        [alone] = embed_images(encoder, [image])
        assert vector @ alone > 0.9999


@pytest.mark.parametrize(
    "shape", [(1, 16), (16, 1), (1, 1), (1, 3), (900, 700)]
)
def test_a_photo_of_any_shape_has_a_vector(
    shape: tuple[int, int], encoder: DualEncoder
) -> None:
    """The middle of a strip, a single pixel, and a large photo can be embedded."""
    [vector] = embed_images(encoder, [np.full((*shape, 3), 90, np.uint8)])
    assert is_unit(vector)


@pytest.mark.parametrize(
    "text", ["", "cat", "a cup of coffee " * 500, "☕ кофе", "\x00"]
)
def test_words_are_in_the_same_space(text: str, encoder: DualEncoder) -> None:
    """A text's vector is shaped as the images' are, however long the text is."""
    vector = embed_text(encoder, text)
    assert vector.shape == (encoder.dimension,)
    assert is_unit(vector)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_precision_moves_no_vector(
    precision: str, encoder: DualEncoder
) -> None:
    """In 16 bits vectors stay within cosine 0.999 of those in 32.

    tests/app/test_model.py has this at the true sizes.
    """
    found = []
    for dtype in ("float32", precision):
        same = DualEncoder("tiny", encoder.folder, dtype)
        [vector] = embed_images(same, [sample("cat.png", encoder.image_size)])
        found.append([vector, embed_text(same, "a cat asleep in the sun")])
    for exact, rounded in zip(*found, strict=True):
        assert exact @ rounded > 0.999


def test_a_vector_is_scaled_to_length_1() -> None:
    """A vector keeps its direction, and is of 32 bits whatever it was before."""
    vector = l2_normalize(np.array([3, 4], np.float64))
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx([0.6, 0.8])


# --- Words ----------------------------------------------------------------------


@pytest.mark.parametrize("save", [save_tiny_siglip, save_tiny_siglip2])
def test_siglip_gets_the_texts_it_was_trained_on(
    save: Callable[[Path], None], tmp_path: Path
) -> None:
    """A SigLIP model is given lower-case texts padded to its full length.

    Photos are given to it as to any other.
    """
    save(tmp_path)
    encoder = DualEncoder("siglip", tmp_path)
    model, processor = load_tower(encoder, "text")
    inputs = processor.tokenizer(
        "a cat, asleep",
        padding="max_length",
        max_length=64,
        return_tensors="pt",
    )
    features = model.get_text_features(inputs["input_ids"]).pooler_output
    as_trained = l2_normalize(features[0].float().numpy())
    for text in ("a cat, asleep", "A Cat, ASLEEP"):
        assert embed_text(encoder, text) == pytest.approx(as_trained, abs=1e-6)
    [vector] = embed_images(encoder, [sample("cat.png", encoder.image_size)])
    assert vector.shape == (encoder.dimension,)
    assert is_unit(vector)


# --- Halves ---------------------------------------------------------------------


def test_each_process_holds_one_half(encoder: DualEncoder) -> None:
    """What answers searches has no image tower, what embeds photos no text tower."""
    assert not hasattr(load_tower(encoder, "text").model, "vision_model")
    assert not hasattr(load_tower(encoder, "image").model, "text_model")


def test_a_model_is_told_before_it_is_loaded(encoder: DualEncoder) -> None:
    """What a process says of a model that it does not hold is what one that does would say."""
    model = load_tower(encoder, "text").model
    told = encoder.unloaded
    assert told.device == model.device.type
    assert told.dtype == model.dtype
    assert told.config.model_type == model.config.model_type


def test_a_model_is_loaded_once(encoder: DualEncoder) -> None:
    """A tower that is loaded stays, also for an encoder that was sent to a worker."""
    assert load_tower(sent(encoder), "image") is load_tower(encoder, "image")


def test_an_encoder_is_sent_without_what_it_has_read(
    encoder: DualEncoder,
) -> None:
    """A worker is sent the name of a model: its config, which is large, stays here."""
    assert encoder.dimension > 0
    assert encoder.key
    assert len(pickle.dumps(encoder)) < 1000
    assert vars(sent(encoder)).keys() == {
        "name",
        "folder",
        "precision",
        "devices_asked",
    }


# --- Which model ----------------------------------------------------------------


@pytest.mark.parametrize("dimension", [24, 40])
def test_the_length_of_a_vector_is_the_models(
    dimension: int, tmp_path: Path
) -> None:
    """How long vectors are, and what size of image is looked at, the model says."""
    vision = SMALL | {"image_size": 48, "patch_size": 16}
    save_clip(tmp_path, SMALL, vision, dimension)
    encoder = DualEncoder("any", tmp_path)
    assert encoder.dimension == dimension
    assert encoder.image_size == 48
    [vector] = embed_images(encoder, [np.zeros((48, 48, 3), np.uint8)])
    assert vector.shape == embed_text(encoder, "cat").shape == (dimension,)


@pytest.mark.parametrize(
    "save", [save_tiny_clip, save_tiny_siglip, save_tiny_siglip2]
)
def test_every_kind_of_model_tells_its_sizes(
    save: Callable[[Path], None], tmp_path: Path
) -> None:
    """A model of any kind has a length of its vectors, a size and a batch size."""
    save(tmp_path)
    encoder = DualEncoder("any", tmp_path)
    assert encoder.dimension in {24, 32}
    assert encoder.image_size >= 32
    assert encoder.batch_size >= 1


@pytest.mark.parametrize(
    "room", ["main.py", "image_search/clip.py", "image_search/embedding.py"]
)
def test_no_dimension_is_written_down(room: str) -> None:
    """The length of a vector comes from the model: no number in the code is one."""
    with (ROOT / room).open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    numbers = {
        token.string for token in tokens if token.type == tokenize.NUMBER
    }
    assert not numbers & {"384", "512", "768", "1024", "1152"}


def test_changed_weights_are_another_model(tmp_path: Path) -> None:
    """A folder whose weights change under the same name is another model."""
    keys = []
    for weights in (b"some", b"others", b"some"):
        (tmp_path / "model.safetensors").write_bytes(weights)
        keys.append(DualEncoder("a model", tmp_path).key)
    assert keys[0] == keys[2] != keys[1]
    assert all(key.startswith("a model@") for key in keys)
    assert DualEncoder("a model").key == DualEncoder("a model").key not in keys


def test_the_settings_choose_the_model(tmp_path: Path) -> None:
    """A folder that CLIP_MODEL names is used, another name is the hub's."""
    chosen = Settings(clip_model=str(tmp_path), clip_dtype="float16")
    expected = DualEncoder(str(tmp_path), tmp_path, "float16")
    assert DualEncoder.from_settings(chosen) == expected
    chosen = Settings(clip_model="somebody/clip")
    assert DualEncoder.from_settings(chosen) == DualEncoder("somebody/clip")


def no_model(folder: Path) -> None:
    folder.mkdir()


def no_dual_encoder(folder: Path) -> None:
    small = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9
    )
    BertModel(small).save_pretrained(folder)


def broken_weights(folder: Path) -> None:
    folder.mkdir()
    for file in STARTER.iterdir():
        is_weights = file.suffix == ".safetensors"
        content = b"broken" if is_weights else file.read_bytes()
        (folder / file.name).write_bytes(content)


@pytest.mark.parametrize("make", [no_model, no_dual_encoder, broken_weights])
@pytest.mark.parametrize("half", ["text", "image"])
def test_a_model_that_cannot_be_loaded_says_so(
    make: Callable[[Path], None], half: Literal["text", "image"], tmp_path: Path
) -> None:
    """One sentence names CLIP_MODEL and what to do, also from a worker."""
    make(tmp_path / "model")
    encoder = DualEncoder("a name", tmp_path / "model")
    with pytest.raises(StartupError) as caught:
        load_tower(encoder, half)
    for error in (caught.value, sent(caught.value)):
        message = error.format_message()
        assert message.startswith("CLIP_MODEL=a name ")
        assert "Set CLIP_MODEL to " in message
        assert "\n" not in message
