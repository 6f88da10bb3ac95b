"""A folder, a store in memory, and passes as CocoIndex makes them: what an index stands on."""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from image_search.addresses import Address
from image_search.in_flight import USUAL_ROWS
from image_search.index import Index
from image_search.kinds import is_photo
from image_search.listing import STAND_IN
from image_search.place import Place
from image_search.pulse import Pulse
from image_search.settings import Settings
from image_search.sources import PhotoFolder
from image_search.status import Equipment, StatusBoard
from image_search.store import Store
from tests.unit.memory_store import MemoryStore

EQUIPMENT = Equipment(model="", device="", precision="", store="")


class Reader:
    """What the index asks of the embedder."""

    def __init__(self) -> None:
        self.readers = "Pillow 1"
        self.passing_errors = {"it crashed the decoder three times"}
        self.trouble = ""
        self.pulse = Pulse()
        self.rows = USUAL_ROWS

    def most_rows(self) -> int:
        return self.rows


EQUIPMENT = Equipment(model="", device="", precision="", store="")


class Pass(NamedTuple):
    """What a pass was asked for."""

    excluded: frozenset[str] | None
    reopen: bool
    reexport: bool


class FakeCocoIndex:
    """Passes over a folder as CocoIndex makes them, whose "vectors" are the files' contents.

    It looks at photos that are new to it or newer than before, and keeps what it made; what is
    excluded it is shown only when its flow is reopened.
    """

    def __init__(self, folder: PhotoFolder, store: MemoryStore) -> None:
        self.folder = folder
        self.store = store
        self.passes: list[Pass] = []
        self.made: dict[
            str, tuple[float, str]
        ] = {}  # when it was changed, its digest
        self.opened = folder.shown, folder.excluded
        self.embedded = 0
        self.loses: set[str] = set()  # photos that never arrive in the store
        self.failures: list[Exception] = []  # of the passes to come

    async def __call__(
        self, folder: Place, *, reopen: bool, reexport: bool
    ) -> None:
        self.passes.append(Pass(self.folder.excluded, reopen, reexport))
        if self.failures:
            raise self.failures.pop(0)
        if reopen:
            self.opened = self.folder.shown, self.folder.excluded
        found = self.listed()
        for name in {*self.made} - {*found}:
            del self.made[name]
            self.store.points.pop(name, None)
        for name, file in found.items():
            changed = file.stat().st_mtime
            is_new = name not in self.made or changed > self.made[name][0]
            if not (is_new or reexport):
                continue
            with file.open("rb") as opened:
                content = opened.read(1000)  # large ones are all zeros
            if content == STAND_IN:
                continue  # that is an error, which leaves the point as it is
            self.made[name] = changed, content.decode()
            self.embedded += is_new
            if name not in self.loses:
                self.store.put(name, sha256=self.made[name][1])

    def listed(self) -> dict[str, Path]:
        """What LocalFile lists: it follows links, and hides what is excluded."""
        path, excluded = self.opened
        assert excluded is not None
        found = {}
        for folder, _, names in os.walk(path, followlinks=True):
            for file in (Path(folder, name) for name in names):
                name = self.folder.address.prefix + str(file.relative_to(path))
                within = {str(one) for one in Path(name).parents}
                is_excluded = not excluded.isdisjoint({name} | within)
                if is_photo(name) and file.exists() and not is_excluded:
                    found[name] = file
        return found


@dataclass
class World:
    """A folder, what is made of it, and who sees to it."""

    folder: PhotoFolder
    store: MemoryStore
    cocoindex: FakeCocoIndex
    settings: Settings
    reader: Reader = field(default_factory=Reader)

    def index(self) -> Index:
        """A new one, as after a start."""
        self.folder.excluded = None
        self.folder.shown = self.folder.path
        self.cocoindex.passes.clear()
        return make_index(
            self.folder,
            self.store,
            self.cocoindex,
            self.settings,
            self.reader,
        )

    def file_of(self, name: str) -> Path:
        return self.folder.path / self.folder.name_within(name)

    def write(
        self, name: str, content: str, changed: float | None = None
    ) -> None:
        path = self.file_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if changed is not None:
            os.utime(path, (changed, changed))

    def shown(self) -> dict[str, str]:
        """What is in the index: each photo's digest."""
        return {
            name: payload["sha256"]
            for name, (payload, _) in self.store.points.items()
        }

    @property
    def passes(self) -> list[Pass]:
        return self.cocoindex.passes


def folder_of(settings: Settings) -> Address:
    """The folder that is the only place."""
    [address] = settings.image_dir
    assert isinstance(address, Address)
    return address


def make_index(
    folder: Place,
    store: Store,
    update: Any,
    settings: Settings,
    reader: Reader | None = None,
) -> Index:
    board = StatusBoard(store, EQUIPMENT)
    return Index(folder, store, update, board, settings, reader or Reader())


def sync(index: Index) -> str | None:
    """Sync once; returns the error in the way."""
    asyncio.run(index.sync())
    return index.progress.last_error
