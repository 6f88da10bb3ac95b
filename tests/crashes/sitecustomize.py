"""With this folder in PYTHONPATH, images of certain sizes crash or hang whoever decodes them.

While there is a file at NO_WORKERS, no worker starts.
"""

import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image

no_workers = os.environ.get("NO_WORKERS")
is_worker = "image_search.workers" in sys.orig_argv
if is_worker and no_workers and Path(no_workers).exists():
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
    if pixels.shape[:2] == (15, 15) and "LITTLE_MEMORY" in os.environ:
        os._exit(137)
    return fromarray(pixels, *args, **options)


def impatient_poll(pipe: Any, timeout: float | None = 0) -> bool:
    return poll(pipe, timeout and timeout / 15)


pillow: Any = Image
pillow.Image.convert = deadly_convert
pillow.fromarray = deadly_fromarray
pipes: Any = Connection
pipes.poll = impatient_poll
