"""Photos and words become vectors, by any dual encoder; what is no photo says so."""

import asyncio
import copy
import functools
import io
import subprocess
import sys
import tokenize
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, ImageStat, JpegImagePlugin
from transformers import AutoConfig, BertConfig, BertModel

import main
from tests.conftest import PHOTOS, ROOT, STARTER, environment, eventually
from tests.models import save_tiny_siglip, save_tiny_siglip2, true_clip

pytestmark = pytest.mark.usefixtures("tiny_clip")


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def embedded(content: bytes) -> NDArray[np.float32]:
    """What the children make of a photo, made in this process."""
    return main.embed_images([main.model_input(content, main.model_sizes()[1])])[0]


def pixels(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(main.load_image(content))


@pytest.mark.parametrize("photo", ["cat.png", "rocket.jpg", "raccoon.webp"])
def test_same_photo_same_vector(photo: str) -> None:
    """The same bytes give the same vector: unit length, as long as the model's config says."""
    content = (PHOTOS / photo).read_bytes()
    first, again = (embedded(content) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (AutoConfig.from_pretrained(main.MODEL_FOLDER).projection_dim,)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", ["ViT-L/14", "ViT-B/32"])
def test_precision_moves_no_vector(
    size: Literal["ViT-L/14", "ViT-B/32"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 16 bits, photos and texts are within cosine 0.999 of float32, at the true sizes."""
    exact = true_clip(size)
    content = (PHOTOS / "cat.png").read_bytes()
    _, processor = main.clip("vision")
    side = exact.config.vision_config.image_size
    images = type(processor.image_processor)(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    found = []
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        model = copy.deepcopy(exact).to(dtype)
        if torch.cpu.get_capabilities().get("avx512_bf16"):
            main.pack(model)
        halves = {"vision": (model, images), "text": (model, processor.tokenizer)}
        monkeypatch.setattr(main, "clip", halves.__getitem__)
        [vector] = main.embed_images([main.model_input(content, side)])
        words = ("a cup of coffee", "a cat asleep in the sun")
        found.append([vector, *map(main.embed_text_here, words)])
    for vectors in zip(*found, strict=True):
        assert np.all(np.array(vectors) @ vectors[0] > 0.999)


@pytest.mark.parametrize("at_once", [1, 3])
def test_each_photo_of_many_gets_its_own_vector(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos that are under way together, one by one or in batches, get vectors of their own."""
    executor: Any = main.EmbedImageExecutor()
    executor.spec = main.EmbedImage("any", main.model_sizes()[0])
    monkeypatch.setattr(main, "batch_size", lambda: at_once)
    sizes: list[int] = []

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        if function is main.embed_images:
            if not sizes:  # meanwhile the others come to wait for it
                eventually(lambda: len(executor.waiting) == len(files))
            sizes.append(len(arguments[0]))
        return function(*arguments)

    monkeypatch.setattr(main.decoders, "run", run)
    monkeypatch.setattr(main.vision, "run", run)
    files = sorted(PHOTOS.glob("*.[jpw]*"))
    unseen = [file.read_bytes() + uuid.uuid4().bytes for file in files]

    async def embed_all() -> list[main.Embedded]:
        return list(await asyncio.gather(*map(executor, unseen)))

    made = asyncio.run(embed_all())
    assert sum(sizes) == len(files)
    assert max(sizes) == at_once
    for content, found in zip(unseen, made, strict=True):
        assert found.embedding is not None
        assert found.embedding @ embedded(content) > 0.9999


DIE, HANG = "import os; os._exit(1)", "import time; time.sleep(1000)"
DIE_ANSWERING = """
import os
from multiprocessing.connection import Connection
Connection._send = lambda self, message: (os.write(self.fileno(), message[:-1]), os._exit(1))
"""


@pytest.mark.parametrize(("job", "seconds"), [(DIE, 60), (DIE_ANSWERING, 60), (HANG, 4)])
def test_a_child_that_does_not_answer_is_replaced(job: str, seconds: float) -> None:
    """However a child fails, after three tries its job is given up, and the next one is done."""
    children = main.Children(1, seconds)
    with pytest.raises(main.PhotoError, match="three times"):
        children.run(exec, job)
    assert children.run(abs, -1) == 1
    with pytest.raises(ZeroDivisionError):
        children.run(divmod, 1, 0)
    [(process, _)] = [children.idle.queue[0]]
    children.close()
    assert not process.is_alive()
    with pytest.raises(InterruptedError):
        children.run(abs, -1)


def test_a_photo_that_crashes_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch that crashed, each photo is tried by itself: only the one at fault is given up."""
    executor: Any = main.EmbedImageExecutor()
    executor.spec = main.EmbedImage("any", main.model_sizes()[0])
    monkeypatch.setattr(main, "batch_size", lambda: 3)

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        if function is main.embed_images and any(len(image) == 13 for image in arguments[0]):
            raise main.PhotoError("it crashed")
        return function(*arguments)

    monkeypatch.setattr(main.decoders, "run", run)
    monkeypatch.setattr(main.vision, "run", run)
    sides = (20, 21, 13, 22, 23)
    photos = [encoded(Image.new("RGB", (side, side))) + uuid.uuid4().bytes for side in sides]

    async def embed_all() -> list[main.Embedded]:
        return list(await asyncio.gather(*map(executor, photos)))

    made = asyncio.run(embed_all())
    assert [one.error for one in made] == [None, None, "it crashed", None, None]


@pytest.mark.parametrize(
    ("has", "asked", "best"),
    [({"cuda", "bf16"}, None, ("cuda", "bfloat16")), ({"cuda"}, None, ("cuda", "float16")),
     ({"mps"}, None, ("mps", "float16")), ({"amx_bf16"}, None, ("cpu", "bfloat16")),
     ({"avx512_bf16"}, None, ("cpu", "bfloat16")), ({"avx2"}, None, ("cpu", "float32")),
     ({"avx512_bf16"}, "float32", ("cpu", "float32")),
     ({"cuda", "bf16"}, "float16", ("cuda", "float16"))],
)  # fmt: skip
def test_precision_follows_the_hardware(
    has: set[str], asked: str | None, best: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quickest precision that the hardware has of its own, unless CLIP_DTYPE says another."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in has)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: "bf16" in has)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in has)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(has, True))
    chosen = main.settings.model_copy(update={"clip_dtype": asked})
    monkeypatch.setattr(main, "settings", chosen)
    assert main.hardware.__wrapped__() == (best[0], getattr(torch, best[1]))


@pytest.mark.parametrize(
    ("device", "side", "patch", "at_once"),
    [("cuda", 224, 14, 16), ("cpu", 224, 14, 1), ("cpu", 224, 32, 5), ("cpu", 384, 16, 1)],
)
def test_batches_are_for_what_gains_by_them(
    device: str, side: int, patch: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU 16 images go at once; on a CPU as many as make 256 patches: ViT-L/14's one."""
    config = SimpleNamespace(vision_config=SimpleNamespace(patch_size=patch))
    monkeypatch.setattr(main, "hardware", lambda: (device, torch.float32))
    monkeypatch.setattr(main, "model_sizes", lambda: (768, side))
    monkeypatch.setattr(main, "pretrained", lambda _: config)
    assert main.batch_size.__wrapped__() == at_once


def test_a_query_asked_again_costs_no_model() -> None:
    """The vector of a text is kept, and is the same however often it is asked for."""
    first = main.embed_text("a query of its own")
    before = main.embed_text.cache_info()
    assert main.embed_text("a query of its own") is first
    after = main.embed_text.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_each_process_holds_one_half() -> None:
    """What answers searches has no image tower, and what embeds photos has no text tower."""
    text, vision = main.clip("text")[0], main.clip("vision")[0]
    assert not hasattr(text, "vision_model")
    assert not hasattr(vision, "text_model")


@pytest.mark.parametrize("size", [(4000, 3000), (700, 500), (100, 90)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_decoding_small_shows_the_same(size: tuple[int, int], kind: str) -> None:
    """What the model is given of a photo looks as it does when it is decoded in full."""
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB").resize(size)
    content = encoded(photo, kind)
    small = Image.fromarray(main.model_input(content, 224))
    assert min(small.size) >= min(448, *size)
    at_last = (299, 224)
    difference = ImageChops.difference(
        small.resize(at_last, Image.Resampling.BICUBIC),
        main.load_image(content).resize(at_last, Image.Resampling.BICUBIC),
    )
    assert max(ImageStat.Stat(difference).mean) < 1.5


def test_large_photos_are_decoded_small() -> None:
    """Of a JPEG with many more pixels than the model looks at, a fraction is ever decoded."""
    photo = encoded(Image.new("RGB", (4000, 3000), "teal"), "JPEG")
    drafts: list[tuple[int, int]] = []

    class Watched(JpegImagePlugin.JpegImageFile):
        def load(self) -> Any:
            drafts.append(self.size)
            return super().load()

    with patch.dict(Image.OPEN, {"JPEG": (Watched, Image.OPEN["JPEG"][1])}):
        small = main.load_image(photo, at_least=448)
    assert drafts[0] == (1000, 750)
    assert min(small.size) >= 448


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_is_shown(kind: str) -> None:
    """Of several images in one file, the first one is the photo."""
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    first, *others = [Image.new("RGB", (40, 30), colour) for colour in colours]
    content = encoded(first, kind, save_all=True, append_images=others)
    assert getattr(Image.open(io.BytesIO(content)), "n_frames", 1) == 3
    assert np.abs(pixels(content).astype(int) - colours[0]).max() <= 8


def test_words_are_in_the_same_space() -> None:
    """A text's vector has the images' shape and unit length, however long the text is."""
    for text in ("cat", "a cup of coffee " * 500, "☕ кофе", "\x00"):
        vector = main.embed_text(text)
        assert vector.shape == (main.model_sizes()[0],)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_seen_upright(orientation: int) -> None:
    """Each of the eight EXIF orientations of a photo decodes to the same upright pixels."""
    upright = Image.open(PHOTOS / "cat.png").convert("RGB").resize((40, 30))
    turned_back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turned_back[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored, exif=exif)
    assert np.array_equal(pixels(content), np.asarray(upright))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_white(mode: str) -> None:
    """Where a picture is transparent, a person sees white, and so does the model."""
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    half.paste((0, 0, 0, 255), (0, 0, 4, 8))
    content = encoded(half.convert(mode), "TIFF" if mode == "PA" else "PNG")
    if mode == "PA":  # a palette with one transparent colour, as GIF and PNG have it
        palette = Image.new("P", (8, 8), 1)
        palette.putpalette([0, 0, 0, 9, 9, 9])
        palette.paste(0, (0, 0, 4, 8))
        content = encoded(palette, transparency=1)
    seen = pixels(content)
    assert seen.shape == (8, 8, 3)
    assert (seen[:, :4] == 0).all()
    assert (seen[:, 4:] == 255).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"no photo", b"<svg xmlns='http://www.w3.org/2000/svg'/>",
     (PHOTOS / "cat.png").read_bytes()[:5000], (PHOTOS / "rocket.jpg").read_bytes()[:5000],
     encoded(Image.new("RGB", (4, 4)), "PPM")],
    ids=["empty", "text", "svg", "half-a-png", "half-a-jpeg", "ppm"],
)  # fmt: skip
def test_what_is_no_photo_says_so(content: bytes) -> None:
    """Bytes that are no photo of a known format raise PhotoError with a reason, nothing else."""
    with pytest.raises(main.PhotoError, match=r"\w+ \w+"):
        main.load_image(content)


@pytest.mark.filterwarnings("ignore::UserWarning")  # so Pillow tells of damage
def test_damaged_exif_does_not_hide_a_photo() -> None:
    """A photo whose EXIF data are broken anywhere is still that photo."""
    exif = Image.Exif()
    exif[0x0112] = 3
    exif[0x010E] = "a description"
    content = bytearray(encoded(Image.new("RGB", (6, 4), "red"), "JPEG", exif=exif))
    start = content.index(exif.tobytes())
    for at in range(start + 6, start + len(exif.tobytes())):
        for value in (0, 255):
            broken = bytes(content[:at] + bytes([value]) + content[at + 1 :])
            assert pixels(broken)[0, 0] == pytest.approx([254, 0, 0], abs=2)


def test_grey_and_deep_photos_are_rgb() -> None:
    """Whatever a photo's mode is, the model is shown RGB."""
    for mode in ("1", "L", "P", "CMYK", "RGB"):
        file_format = "JPEG" if mode == "CMYK" else "PNG"
        photo = ImageOps.fit(Image.open(PHOTOS / "coffee.png"), (20, 10)).convert(mode)
        assert main.load_image(encoded(photo, file_format)).mode == "RGB"


def test_no_dimension_is_written_down() -> None:
    """The length of a vector comes from the model: no number in main.py is one."""
    with (ROOT / "main.py").open("rb") as file:
        numbers = {token.string for token in tokenize.tokenize(file.readline) if token.type == 2}
    assert not numbers & {"384", "512", "768", "1024", "1152"}


def test_changed_weights_are_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose weights change under the same name is another model to the cache."""
    monkeypatch.setattr(main, "MODEL_FOLDER", tmp_path)
    keys = set()
    for weights in (b"some", b"others", b"some"):
        (tmp_path / "model.safetensors").write_bytes(weights)
        keys.add(main.model_key.__wrapped__())
    assert len(keys) == 2


@pytest.mark.parametrize("save", [save_tiny_siglip, save_tiny_siglip2])
def test_siglip_gets_the_texts_it_was_trained_on(
    save: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SigLIP model is given lower-case texts padded to its full length, and photos as ever."""
    save(tmp_path)
    monkeypatch.setattr(main, "MODEL_FOLDER", tmp_path)
    for cached in (main.model_sizes, main.clip, main.embed_text):
        monkeypatch.setattr(main, cached.__name__, functools.cache(cached.__wrapped__))
    model, processor = main.clip("text")
    inputs = processor.tokenizer(
        "a cat, asleep", padding="max_length", max_length=64, return_tensors="pt"
    )
    as_trained = model.get_text_features(inputs["input_ids"]).pooler_output[0].float().numpy()
    for text in ("a cat, asleep", "A Cat, ASLEEP"):
        assert main.embed_text(text) == pytest.approx(main.unit(as_trained), abs=1e-6)
    vector = embedded((PHOTOS / "cat.png").read_bytes())
    assert vector.shape == (main.model_sizes()[0],)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def no_model(folder: Path) -> str:
    folder.mkdir()
    return str(folder)


def no_dual_encoder(folder: Path) -> str:
    small = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9)
    BertModel(small).save_pretrained(folder)
    return str(folder)


def broken_weights(folder: Path) -> str:
    folder.mkdir()
    for file in STARTER.iterdir():
        content = b"broken" if file.suffix == ".safetensors" else file.read_bytes()
        (folder / file.name).write_bytes(content)
    return str(folder)


@pytest.mark.parametrize("kind", ["no/such-model", no_model, no_dual_encoder, broken_weights])
def test_a_model_that_cannot_be_loaded_stops_the_start(kind: object, tmp_path: Path) -> None:
    """One sentence names CLIP_MODEL and what to do; no traceback, no fallback, no server."""
    model = kind(tmp_path / "model") if callable(kind) else str(kind)
    env = environment(CLIP_MODEL=model, DATA_DIR=tmp_path / "data", PORT="1")
    run = subprocess.run(
        [sys.executable, "main.py"], cwd=ROOT, env=env, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 3
    sentences = [line for line in run.stderr.splitlines() if f"CLIP_MODEL={model} " in line]
    assert len(sentences) == 1
    assert "Set CLIP_MODEL to " in sentences[0]
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "data").exists()


def test_without_a_hub_make_run_asks_for_the_starter(tmp_path: Path) -> None:
    """The default model, and no hub: said in one sentence, and exit code 3 has it built."""
    env = environment(HF_HOME=tmp_path)
    run = subprocess.run(
        [sys.executable, "tests/starter/get_model.py"], cwd=ROOT, env=env, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 3
    assert run.stdout.count("\n") == 1
    assert "Hub can't be reached for openai/clip-vit-large-patch14" in run.stdout


@pytest.mark.parametrize("model", ["openai/clip-vit-base-patch32", "/no/such/folder"])
def test_a_chosen_model_is_never_replaced(tmp_path: Path, model: str) -> None:
    """A model that somebody chose is not exchanged for the starter, hub or no hub."""
    env = environment(HF_HOME=tmp_path, CLIP_MODEL=model)
    run = subprocess.run(
        [sys.executable, "tests/starter/get_model.py"], cwd=ROOT, env=env, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert f"CLIP_MODEL={model} cannot be loaded" in run.stderr
    assert "Traceback" not in run.stderr
