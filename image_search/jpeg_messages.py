"""What the processes that decode photos and a JPEG decoder say to each other.

Over a Unix socket: whether there is time, a request, an answer. Only numbers and
bytes, so that neither can have the other run anything. The sockets have names and no
files (Linux's abstract ones), so that nothing of them stays behind, however they end.
"""

import os
import socket
import struct
from typing import NamedTuple

# Variables that tell workers how the decoders are called, and the folder for notes.
NAME_VARIABLE = "IMAGE_SEARCH_JPEG_DECODERS"
FOLDER_VARIABLE = "IMAGE_SEARCH_JPEG_NOTES"
MOST_DECODERS = 16  # one for each GPU
# The first byte that a decoder says.
READY, BUSY = b"\1", b"\0"
# Before the bytes of a JPEG: its width and height, by what it is to be made smaller,
# how many bands are wanted, and how many bytes follow.
REQUEST = struct.Struct("<IIBBQ")
# Before the pixels of an answer: height and width; nothing of either is a refusal.
ANSWER = struct.Struct("<II")
SCALES = (1, 2, 4, 8)
BANDS = {1, 3}
MOST_BYTES = 2**27  # of a JPEG
# Below so many pixels a core is quick; above, one photo would take gigabytes.
LEAST_PIXELS, MOST_PIXELS = 1_000_000, 100_000_000


class Request(NamedTuple):
    """A JPEG, and what is wanted of it."""

    width: int  # pixels in the file
    height: int
    scale: (
        int  # 1, 2, 4 or 8: each block of so many rows and columns is one pixel
    )
    bands: int  # 1: grey, 3: RGB
    content: bytes

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the answer: height, width, bands."""
        return (
            -(-self.height // self.scale),
            -(-self.width // self.scale),
            self.bands,
        )

    def send(self, to: socket.socket) -> None:
        """Raises OSError."""
        *numbers, content = self
        to.sendall(REQUEST.pack(*numbers, len(content)))
        to.sendall(content)

    @classmethod
    def receive(cls, source: socket.socket) -> "Request":
        """Raises OSError, also for one that makes no sense."""
        head = receive(source, REQUEST.size)
        width, height, scale, bands, size = REQUEST.unpack(head)
        is_sound = scale in SCALES and bands in BANDS and size <= MOST_BYTES
        if not is_sound or not 0 < width * height <= MOST_PIXELS:
            raise OSError("It makes no sense.")
        content = receive(source, size)
        return cls(width, height, scale, bands, bytes(content))


def receive(source: socket.socket, size: int) -> bytearray:
    """So many bytes; raises OSError if there are fewer."""
    content = bytearray(size)
    view = memoryview(content)
    while view:
        count = source.recv_into(view)
        if not count:
            raise ConnectionResetError("The other end is gone.")
        view = view[count:]
    return content


def address(name: str, number: int) -> str:
    """Where a decoder listens, of those that go by a name."""
    return f"\0image-search-{name}-{number}"


def is_of_our_user(peer: socket.socket) -> bool:
    """Whether who is at the other end may be there: anybody can take a name."""
    size = struct.calcsize("3i")
    said = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user, _ = struct.unpack("3i", said)
    return bool(user == os.geteuid())
