"""A worker that decodes photos asks a JPEG decoder, which has a GPU, for the pixels.

Whatever comes between them, the answer is None, and the worker decodes by itself.
"""

import contextlib
import math
import os
import random
import socket
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_search.jpeg_messages import (
    ANSWER,
    FOLDER_VARIABLE,
    LEAST_PIXELS,
    MOST_DECODERS,
    MOST_PIXELS,
    NAME_VARIABLE,
    READY,
    SCALES,
    Request,
    address,
    is_of_our_user,
    receive,
)
from image_search.plain_jpeg import PlainJpeg, read_plain

# As in colour, which lies no lower.
Pixels = np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]
# That a decoder may be silent: a photo that is sent has 10 seconds for all of it.
SECONDS = 5.0


def decode_elsewhere(
    content: bytes,
    size: tuple[int, int],
    *,
    environment: Mapping[str, str] = os.environ,
    least: int = LEAST_PIXELS,
    seconds: float = SECONDS,
) -> Image.Image | None:
    """Decode a JPEG to one of the sizes of Pillow's draft mode, as L or RGB.

    None if there is nobody to do it, or if it is better done here. `environment`:
    where the decoders' variables are; `least`: pixels below which a core is quick.
    """
    name = environment.get(NAME_VARIABLE)
    notes = environment.get(FOLDER_VARIABLE)
    if not name or not notes:
        return None
    plain = read_plain(content, least, MOST_PIXELS)
    request = _request(plain, size) if plain else None
    if request is None or _is_deadly(content, Path(notes)):
        return None
    decoder = _connect(name, seconds)
    if decoder is None:
        return None
    with decoder:
        try:
            pixels = _ask(decoder, request)
        except OSError:
            _note_as_deadly(content, Path(notes))
            return None
    if pixels is None or _may_end_early(pixels):
        return None
    return Image.fromarray(pixels[:, :, 0] if request.bands == 1 else pixels)


def _request(plain: PlainJpeg, size: tuple[int, int]) -> Request | None:
    width, height = plain.width, plain.height
    for scale in SCALES:
        if size == (-(-width // scale), -(-height // scale)):
            return Request(width, height, scale, plain.bands, plain.content)
    return None


def _connect(name: str, seconds: float) -> socket.socket | None:
    """One of the decoders that is there and has time."""
    numbers = random.sample(range(MOST_DECODERS), MOST_DECODERS)
    for number in numbers:
        decoder = socket.socket(socket.AF_UNIX)
        decoder.settimeout(seconds)
        try:
            decoder.connect(address(name, number))
            is_ours = is_of_our_user(decoder)
            if is_ours and receive(decoder, len(READY)) == READY:
                return decoder
        except OSError:  # nobody is there, or it hangs
            pass
        decoder.close()
    return None


def _ask(decoder: socket.socket, request: Request) -> Pixels | None:
    """The pixels, of shape (height, width, bands); None if they are refused.

    Raises OSError if the decoder dies of it, or hangs.
    """
    request.send(decoder)
    height, width = ANSWER.unpack(receive(decoder, ANSWER.size))
    if (height, width) != request.shape[:2]:
        return None
    pixels = receive(decoder, math.prod(request.shape))
    return np.frombuffer(pixels, np.uint8).reshape(request.shape)


def _may_end_early(pixels: Pixels) -> bool:
    """Whether the last row is of one colour, as where a scan ends too early.

    What a GPU makes of the missing part nobody tells; Pillow makes it grey.
    """
    last = pixels[-1]
    return bool((last == last[0]).all())


def _deadly_name(photo: bytes) -> str:
    return f"{len(photo)}-{zlib.crc32(photo):08x}"


def _is_deadly(photo: bytes, notes: Path) -> bool:
    # Nobody makes the folder before there is something to note.
    return notes.is_dir() and (notes / _deadly_name(photo)).exists()


def _note_as_deadly(photo: bytes, notes: Path) -> None:
    """It, or one beside it, is what the decoder died of, or hangs at."""
    with contextlib.suppress(OSError):
        notes.mkdir(exist_ok=True)
        (notes / _deadly_name(photo)).touch()
