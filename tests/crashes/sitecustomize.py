"""With this folder in PYTHONPATH, images of certain sizes crash or hang whoever decodes them.

While there is a file at NO_WORKERS, no worker starts. One at LITTLE_MEMORY has the model crash at
certain images.
"""

import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image


def is_there(variable: str) -> bool:
    """Whether a variable names a file that is there."""
    name = os.environ.get(variable)
    return bool(name) and Path(str(name)).exists()


if "image_search.workers" in sys.orig_argv and is_there("NO_WORKERS"):
    os._exit(1)

convert, fromarray, poll = Image.Image.convert, Image.fromarray, Connection.poll


def deadly_convert(
    image: Image.Image, *args: Any, **options: Any
) -> Image.Image:
    if image.size == (13, 13):
        os._exit(11)
    if image.size == (14, 14):
        time.sleep(1000)
    return convert(image, *args, **options)


def deadly_fromarray(pixels: Any, *args: Any, **options: Any) -> Image.Image:
    if pixels.shape[:2] == (15, 15) and is_there("LITTLE_MEMORY"):
        os._exit(137)
    return fromarray(pixels, *args, **options)


def impatient_poll(pipe: Any, timeout: float | None = 0) -> bool:
    return poll(pipe, timeout and timeout / 15)


pillow: Any = Image
pillow.Image.convert = deadly_convert
pillow.fromarray = deadly_fromarray
pipes: Any = Connection
pipes.poll = impatient_poll
