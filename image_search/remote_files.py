"""Files that lie elsewhere, in a bucket or in a folder of Google Drive."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from image_search.bucket_addresses import BucketAddress

PAGE = 1000  # names that come at a time
PIECE = 256 * 1024  # bytes of a stream, at least
LONGEST_NAME = 1024  # bytes, in S3 and Azure
# Control characters, and what is not UTF-8.
ODD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An object of a bucket, or a file of a Drive.

    `name`: below the prefix. `size`: bytes. `modified`: seconds since 1970.
    `version`: its ETag, without quotes, or what else tells of another content.
    `problem`: why it can't be read. A folder that can't be has a slash at its end.
    """

    name: str
    size: int
    modified: float
    version: str
    problem: str = ""


# The files in a folder, and the folders.
Folder = tuple[Sequence[RemoteFile], Sequence[str]]


class RemoteFiles(Protocol):
    """What there is, and its bytes.

    Every method raises BucketError, which says what is wrong and what to do.
    """

    address: BucketAddress

    def list(self) -> Iterator[RemoteFile]:
        """All that is in it; raises OddName where a name is one that can't be."""

    def list_folder(self, folder: str) -> Folder:
        """What lies in a folder, and the folders in it; "" is the uppermost."""

    def look_up(self, name: str) -> RemoteFile | None:
        """What is known of a file; None if there is none."""

    def read(
        self,
        name: str,
        begin: int = 0,
        end: int | None = None,
        version: str = "",
    ) -> bytes:
        """Its bytes from `begin` up to, but not with, `end`.

        Raises ObjectMissing, and ObjectChanged where it is not of the `version`.
        """

    def stream(
        self,
        name: str,
        begin: int = 0,
        end: int | None = None,
        version: str = "",
    ) -> AsyncIterator[bytes]:
        """The same, as it comes."""


def is_name(name: str) -> bool:
    """Whether a file may be called so, as obstore has it."""
    parts = name.split("/")
    is_odd = any(part in ("", ".", "..") for part in parts)
    return not (is_odd or ODD.search(name))
