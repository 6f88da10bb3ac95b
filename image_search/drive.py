"""A folder of Google Drive, and its bytes, in the way that buckets have.

Drive knows files by ids, and allows several of one name in a folder: a name is what its
folders are called, and it, with the id where another file has that name already.
"""

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from image_search.bucket_addresses import BucketAddress
from image_search.bucket_errors import ObjectChanged, ObjectMissing
from image_search.drive_api import DriveApi
from image_search.drive_entries import (
    FIELDS,
    FOLDER,
    NOT_LISTED,
    Entry,
    FolderEntries,
    closed_folder,
)
from image_search.drive_errors import (
    AWAY,
    IN_THE_BIN,
    INCOMPLETE,
    NO_FOLDER,
    UNKNOWN,
    failure,
)
from image_search.remote_files import PAGE, PIECE, Folder, RemoteFile, is_name

MD5 = re.compile(r"[0-9a-f]{32}")
WHOLE, PART = 200, 206
READING_THREADS = 16  # each of which waits for Google


class DriveFolder:
    """A folder of Google Drive, and what lies in its folders: see RemoteFiles.

    Which id a name has is known from the last listing.
    """

    def __init__(self, address: BucketAddress, api: DriveApi) -> None:
        self.address = address
        self.api = api
        self.entries: dict[str, Entry] = {}
        # Several folders may have one name: what is in them lies together.
        self.folders: dict[str, list[str]] = {"": [address.bucket]}
        self._is_listed = False
        # A slow Drive leaves the threads of others alone.
        self._threads = ThreadPoolExecutor(READING_THREADS, "drive")

    @classmethod
    def open(cls, address: BucketAddress) -> "DriveFolder":
        """Nothing is asked of it yet. Raises BucketError where it can't be opened."""
        return cls(address, DriveApi.open(address))

    def list(self) -> Iterator[RemoteFile]:
        """All that is in it, and why some of it can't be read."""
        self._check()
        entries: dict[str, Entry] = {}
        folders = {"": [self.address.bucket]}
        waiting = [""]
        for folder in waiting:
            try:
                found = self._list(folder, folders[folder])
            except ObjectMissing:
                if not folder:
                    raise
                yield closed_folder(folder, NOT_LISTED)
                continue
            yield from found.files
            entries |= found.entries
            folders |= found.folders
            waiting += found.folders
        self.entries, self.folders = entries, folders
        self._is_listed = True

    def list_folder(self, folder: str) -> Folder:
        """What lies in a folder, and the folders in it; "" is the uppermost."""
        ids = self._ids_of(folder)
        if not ids:
            return [], []
        found = self._list(folder, ids)
        self.entries.update(found.entries)
        self.folders.update(found.folders)
        return found.files, [*found.folders]

    def look_up(self, name: str) -> RemoteFile | None:
        """What is known of a file; None if there is none.

        Of what the last listing has not seen Drive is not asked.
        """
        if not is_name(name):
            return None
        entry = self.entries.get(name)
        if entry is None and self._is_listed:
            return None
        if entry and (found := self._ask_again(entry)):
            folder, _, own = name.rpartition("/")
            self.entries[name] = found
            return found.below(folder, own)
        # Another file may have its name by now.
        another = self._find(name)
        if another is None:
            self.entries.pop(name, None)
        return another

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
        return b"".join(self._pieces(name, begin, end, version))

    async def stream(
        self,
        name: str,
        begin: int = 0,
        end: int | None = None,
        version: str = "",
    ) -> AsyncIterator[bytes]:
        """The same, as it comes."""
        pieces = self._pieces(name, begin, end, version)
        # Whoever leaves may do so while the next piece is waited for.
        turn = threading.Lock()

        def take() -> bytes:
            with turn:
                return next(pieces, b"")

        def leave() -> None:
            with turn:
                pieces.close()

        run = asyncio.get_running_loop().run_in_executor
        try:
            while piece := await run(self._threads, take):
                yield piece
        finally:
            # Its connection is given back now, not when Python comes to it.
            self._threads.submit(leave)

    def _pieces(
        self, name: str, begin: int, end: int | None, version: str
    ) -> Generator[bytes]:
        entry = self._known(name)
        if end is not None and end <= begin:
            return
        is_whole = not begin and end is None
        digest = None
        if version and is_whole and MD5.fullmatch(version):
            # What is read as a whole tells by itself whether it is of the version.
            digest = hashlib.md5(usedforsecurity=False)
        elif version:
            self._check_version(entry, version)
        if not entry.size:
            return  # it has no part that could be asked for
        with self._media(entry.id, begin, end) as pieces:
            for piece in pieces:
                if digest:
                    digest.update(piece)
                yield piece
        if digest and digest.hexdigest() != version:
            raise self._changed()

    def _known(self, name: str) -> Entry:
        """The file of a name; raises ObjectMissing."""
        if name not in self.entries:
            self.look_up(name)
        if name not in self.entries:
            raise ObjectMissing(f"IMAGE_DIR={self.address} has no such file.")
        return self.entries[name]

    def _check_version(self, entry: Entry, version: str) -> None:
        now = self._ask_again(entry)
        if now is None or now.version != version:
            raise self._changed()

    @contextmanager
    def _media(
        self, file_id: str, begin: int, end: int | None
    ) -> Iterator[Iterator[bytes]]:
        """The bytes of a file, or a part of them."""
        headers = {"Accept-Encoding": "identity"}
        is_part = bool(begin) or end is not None
        if is_part:
            last = "" if end is None else end - 1
            headers["Range"] = f"bytes={begin}-{last}"
        path, parameters = f"files/{file_id}", {"alt": "media"}
        with self.api.send(path, parameters, headers) as answer:
            if answer.status_code != (PART if is_part else WHOLE):
                raise failure(self.address, UNKNOWN)
            try:
                yield answer.iter_bytes(PIECE)
            except httpx.RequestError:
                raise failure(self.address, AWAY) from None

    def _changed(self) -> ObjectChanged:
        return ObjectChanged(f"{self.address} has another version by now")

    def _check(self) -> None:
        """Raise BucketError where the folder itself is not there to be listed."""
        found = self._entry(self.address.bucket)
        if found.kind != FOLDER:
            raise failure(self.address, NO_FOLDER)
        if found.is_trashed:
            raise failure(self.address, IN_THE_BIN)

    def _entry(self, file_id: str) -> Entry:
        told = self.api.get(f"files/{file_id}", {"fields": FIELDS})
        return self._read_entry(told)

    def _ask_again(self, entry: Entry) -> Entry | None:
        """What a file is by now; None if it is no more what its name says."""
        try:
            now = self._entry(entry.id)
        except ObjectMissing:
            return None
        was = entry.own_name, entry.parents
        is_same = (now.own_name, now.parents) == was
        return now if is_same and not now.is_trashed else None

    def _find(self, name: str) -> RemoteFile | None:
        """Look for a name in its folder."""
        try:
            files, _ = self.list_folder(name.rpartition("/")[0])
        except ObjectMissing:
            return None
        same = (file for file in files if file.name == name)
        return next((file for file in same if not file.problem), None)

    def _ids_of(self, folder: str) -> Sequence[str]:
        """The folders of such a name; none where there is none."""
        if folder not in self.folders and not self._is_listed:
            self.list_folder(folder.rpartition("/")[0])
        return self.folders.get(folder, [])

    def _list(self, folder: str, ids: Sequence[str]) -> FolderEntries:
        found = [entry for one in ids for entry in self._children(one)]
        return FolderEntries.of(folder, found)

    def _children(self, folder_id: str) -> Iterator[Entry]:
        """What lies in a folder, page by page."""
        parameters = {
            "q": f"'{folder_id}' in parents and trashed=false",
            "pageSize": str(PAGE),
            "fields": f"nextPageToken,incompleteSearch,files({FIELDS})",
            "includeItemsFromAllDrives": "true",
        }
        while True:
            page = self.api.get("files", parameters)
            if page.get("incompleteSearch"):
                raise failure(self.address, INCOMPLETE)
            if not isinstance(page.get("files"), list):
                raise failure(self.address, UNKNOWN)
            yield from map(self._read_entry, page["files"])
            if not page.get("nextPageToken"):
                return
            parameters["pageToken"] = page["nextPageToken"]

    def _read_entry(self, told: dict[str, Any]) -> Entry:
        try:
            return Entry.of(told)
        except (LookupError, TypeError, ValueError):
            raise failure(self.address, UNKNOWN) from None
