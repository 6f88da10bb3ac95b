"""Several photos as one ZIP archive, over HTTP.

It is made while it is sent, so that neither this process nor a browser has to hold
it; its length is known before, so that a browser shows how far it is.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any
from zipfile import ZipFile, ZipInfo

from fastapi import APIRouter, Form, HTTPException, Request
from pydantic import AfterValidator, BaseModel, Field, Json

from image_search.place_files import PlaceFiles
from image_search.served_photos import BrokenOff, FoundPhoto, PartsResponse

MOST_PHOTOS = 1000
FORM_BYTES = 2**22
# No photo has such a name.
MISSING = "missing photos.txt"
# The times that the format can say.
EARLIEST, LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
# What the format's headers take, in bytes. Beyond the limit they take more: zipfile
# says so by a file's size and a twentieth of it, as it may grow while it is packed.
LOCAL, LOCAL_64 = 30, 20
AFTER, AFTER_64 = 16, 24
CENTRAL, CENTRAL_64, NUMBER_64 = 46, 4, 8
END, END_64 = 22, 76
LIMIT = 2**31 - 1
MARGIN = 1.05


def _check_number(names: list[str]) -> list[str]:
    """Refuse none, and too many."""
    if not names:
        raise ValueError("name a photo at least")
    if len(names) > MOST_PHOTOS:
        raise ValueError(
            f"an archive holds {MOST_PHOTOS:,} photos at most: name fewer"
        )
    return names


# As JSON, since a browser's form makes others of the line breaks in a name.
Names = Annotated[Json[list[str]], AfterValidator(_check_number)]

router = APIRouter()


class ArchiveContent(BaseModel):
    """What an archive of photos would hold."""

    photos: int
    bytes: int = Field(description="Of the archive.")
    missing: list[str] = Field(
        description="Photos that are not there, which it would name."
    )


@dataclass(frozen=True)
class Entry:
    """A photo, and what the archive tells of it."""

    photo: FoundPhoto
    info: ZipInfo


class Archive:
    """A ZIP archive of photos: files as they are, each under its own path."""

    def __init__(self, found: Mapping[str, FoundPhoto | None]) -> None:
        """Of these photos by name; those that are not there are named in a text."""
        self.entries = [
            Entry(photo, _info_of(name, photo))
            for name, photo in found.items()
            if photo
        ]
        self.missing = [name for name, photo in found.items() if not photo]
        lines = ["These photos were not there:", "", *self.missing, ""]
        text = "\n".join(lines).encode(errors="replace")
        self._text = text if self.missing else b""

    @classmethod
    async def of(cls, files: PlaceFiles, names: Iterable[str]) -> "Archive":
        """Look these photos up; raises BucketError."""
        # One name for each: a//b.jpg is a/b.jpg.
        each = (str(PurePosixPath(name)) for name in names)
        return cls(await files.look_up_all(each))

    def __len__(self) -> int:
        """In bytes."""
        infos = [entry.info for entry in self.entries]
        if self._text:
            infos.append(self._text_info())
        return length_of(infos)

    async def stream(self) -> AsyncGenerator[bytes]:
        """The archive, in parts.

        Raises BrokenOff before its end if a photo has gone meanwhile, or has become
        another: what was sent until then has no list of its files.
        """
        sink = _Sink()
        with ZipFile(sink, "w") as archive:
            for entry in self.entries:
                with archive.open(entry.info, "w") as target:
                    async with _content_of(entry) as parts:
                        async for part in parts:
                            target.write(part)
                            yield sink.take()
            if self._text:
                archive.writestr(self._text_info(), self._text)
        yield sink.take()

    def _text_info(self) -> ZipInfo:
        info = ZipInfo(MISSING, time.localtime()[:6])
        info.file_size = len(self._text)
        return info


class ArchiveResponse(PartsResponse):
    """An archive on its way."""

    def __init__(self, archive: Archive) -> None:
        headers = {
            "Content-Disposition": 'attachment; filename="photos.zip"',
            "Content-Length": str(len(archive)),
            "Cache-Control": "no-store",
        }
        what = "A download of photos"
        super().__init__(
            archive.stream(),
            what,
            headers=headers,
            media_type="application/zip",
        )


def length_of(infos: Iterable[ZipInfo]) -> int:
    """How long zipfile's archive of such files is, in bytes, if none is compressed."""
    local = central = 0
    for info in infos:
        is_large = info.file_size * MARGIN > LIMIT
        info.CRC = 0  # it is not known yet
        header = len(info.FileHeader(zip64=is_large))
        name = header - LOCAL - (LOCAL_64 if is_large else 0)
        numbers = (2 if info.file_size > LIMIT else 0) + (local > LIMIT)
        more = CENTRAL_64 + numbers * NUMBER_64 if numbers else 0
        local += header + info.file_size
        local += AFTER_64 if is_large else AFTER
        central += CENTRAL + name + more
    is_large = local > LIMIT or central > LIMIT
    return local + central + END + (END_64 if is_large else 0)


@router.post(
    "/archive",
    max_body_size=FORM_BYTES,
    response_model=ArchiveContent,
    responses={200: {"content": {"application/zip": {}}}},
)
async def archive(
    request: Request,
    names: Annotated[
        Names, Form(description="The filenames of photos, a list in JSON.")
    ],
    *,
    check: bool = False,
) -> Any:
    """A ZIP archive of photos: files as they are, each under its own path.

    Those that are not there are named in a text within it. With `check` it is only
    told what the archive would hold.
    """
    files: PlaceFiles = request.app.state.thumbnails.files
    wanted = await Archive.of(files, names)
    if not wanted.entries:
        raise HTTPException(404, "None of these photos is there any more.")
    if not check:
        return ArchiveResponse(wanted)
    return ArchiveContent(
        photos=len(wanted.entries), bytes=len(wanted), missing=wanted.missing
    )


@contextlib.asynccontextmanager
async def _content_of(entry: Entry) -> AsyncIterator[AsyncGenerator[bytes]]:
    """A photo's content in parts, as much of it as was said."""
    try:
        async with contextlib.aclosing(entry.photo.parts()) as parts:
            yield parts
    except OSError as error:
        name = entry.info.filename
        raise BrokenOff(f"{name}: {error.strerror or error}") from None


def _info_of(name: str, photo: FoundPhoto) -> ZipInfo:
    written = time.localtime(photo.modified)[:6]
    info = ZipInfo(name, min(max(EARLIEST, written), LATEST))
    info.file_size = photo.size
    info.external_attr = 0o644 << 16
    return info


class _Sink:
    """Takes what zipfile writes, and gives it away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(part)
        return len(part)

    def flush(self) -> None:
        """As zipfile asks for it."""

    def close(self) -> None:
        """The same."""

    def take(self) -> bytes:
        """What was written since it was last asked."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
