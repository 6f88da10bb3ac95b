"""JPEG decoders that do what tests want, by the width of what they are asked for."""

import os
import time
from collections.abc import Sequence

import numpy as np

from image_search.colour import Pixels
from image_search.jpeg_codec import JpegCodec
from image_search.jpeg_messages import Request
from image_search.jpeg_server import JpegServer

# What a photo of this width does to a decoder.
CRASHES, HANGS, IS_REFUSED, IS_BLANK = 1501, 1502, 1503, 1504


class StandInCodec:
    """A codec on the CPU, which some photos crash."""

    def __init__(self) -> None:
        self.codec = JpegCodec("cpu")

    def decode(self, batch: Sequence[Request]) -> list[Pixels | None]:
        for one in batch:
            if one.width == CRASHES:
                os.abort()
            if one.width == HANGS:
                time.sleep(3600)
        found = self.codec.decode(batch)
        for place, one in enumerate(batch):
            if one.width == IS_REFUSED:
                found[place] = None
            if one.width == IS_BLANK:
                found[place] = np.zeros(one.shape, np.uint8)
        return found


def check(_: str) -> None:
    """Nothing is wrong."""


def find_it_wanting(_: str) -> None:
    raise RuntimeError("no driver")


def crash(_: str) -> None:
    os.abort()


def serve(_: str, name: str, number: int) -> None:
    JpegServer(StandInCodec()).serve(name, number)
