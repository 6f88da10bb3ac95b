"""What tests.bench.gpu has workers do, each in a process of its own."""

import time
from pathlib import Path
from typing import Any


def model_alone(encoder: Any, size: int, seconds: float) -> float:
    """Images a second that a model embeds in batches of a size, which lie on its device."""
    import torch

    from image_search.batch_sizes import images_of_noise
    from image_search.pixel_values import pixel_values

    tower = encoder.tower("image")
    made_by = encoder.model_input
    processor = tower.processor.image_processor
    images = images_of_noise(made_by, size)
    inputs = pixel_values(images, made_by, processor, tower.model)

    def run(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            features = tower.model.get_image_features(**inputs).pooler_output
        features.float().cpu()  # which waits for all of them
        return time.perf_counter() - began

    with torch.inference_mode():
        run(3)
        times = max(3, int(seconds / (run(3) / 3)))
        return size * times / run(times)


def decode_alone(
    paths: list[str], side: int, made_by: Any, seconds: float
) -> tuple[int, float]:
    """How many photos one core reads, and in how many seconds.

    `made_by`: None where they are only decoded; else all is made of them that the app makes.
    """
    from image_search.photos import THUMBNAIL_SIZE, load_image, read_photo

    contents = [Path(path).read_bytes() for path in paths]
    at_least = max(2 * side, THUMBNAIL_SIZE)
    began, spent, done = time.perf_counter(), 0.0, 0
    while not done or spent < seconds:
        content = contents[done % len(contents)]
        if made_by is None:
            load_image(content, at_least)
        else:
            read_photo(content, side, made_by)
        spent, done = time.perf_counter() - began, done + 1
    return done, spent


def jpegs_alone(
    device: str, paths: list[str], side: int, seconds: float
) -> tuple[float, str]:
    """JPEGs a second that the library for GPUs decodes, and how they differ from Pillow's."""
    import io

    import numpy as np
    from PIL import Image

    from image_search.jpeg_codec import JpegCodec
    from image_search.jpeg_messages import MOST_PIXELS, Request
    from image_search.jpeg_server import MOST_WAITING
    from image_search.photos import THUMBNAIL_SIZE
    from image_search.plain_jpeg import read_plain

    at_least = max(2 * side, THUMBNAIL_SIZE)
    asked, expected = [], []
    for path in paths:
        content = Path(path).read_bytes()
        image: Any = Image.open(io.BytesIO(content))
        width = image.width
        image.draft(None, (at_least, at_least))
        scale = round(width / image.width)
        plain = read_plain(content, 1, MOST_PIXELS)
        assert plain
        asked.append(
            Request(width, plain.height, scale, plain.bands, plain.content)
        )
        expected.append(np.asarray(image).astype(int))
    codec = JpegCodec(device)
    found = codec.decode(asked)
    assert all(one is not None for one in found)
    unlike = [
        np.abs(one - other)
        for one, other in zip(found, expected, strict=True)
        if one is not None
    ]
    mean = np.mean([one.mean() for one in unlike])
    most = max(one.max() for one in unlike)
    batch = [asked[one % len(asked)] for one in range(MOST_WAITING)]
    began, spent, done = time.perf_counter(), 0.0, 0
    while not done or spent < seconds:
        codec.decode(batch)
        done += len(batch)
        spent = time.perf_counter() - began
    said = f"levels that differ from Pillow's: {mean:.2f} in the mean, {most} at the most"
    return done / spent, said


def machine() -> dict[str, Any]:
    """What PyTorch tells of it."""
    import torch

    from image_search.hardware import choose_hardware, devices_here

    gpus = [
        torch.cuda.get_device_name(one)
        for one in range(torch.cuda.device_count())
    ]
    _, dtype = choose_hardware()
    return {
        "torch": torch.__version__,
        "devices": devices_here(),
        "gpus": gpus,
        "precision": str(dtype).removeprefix("torch."),
    }
