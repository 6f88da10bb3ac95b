"""What is known of the index follows its status."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from image_search.remarks import Remarks
from image_search.store_errors import StoreUnavailable
from image_search.upkeep import keep_up
from tests.unit.memory_store import MemoryStore
from tests.unit.test_floor import ChanceEmbedder


class Board:
    """Tells of a folder that grows, and of a store that is away for a while."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.progress = SimpleNamespace(photos={})

    async def statuses(self) -> AsyncIterator[Any]:
        for photos in (10, 20, 30):
            names = [f"cat {number}.jpg" for number in range(photos)]
            self.progress.photos = dict.fromkeys(names)
            self.store.failure = (
                StoreUnavailable("away") if photos == 20 else None
            )
            yield SimpleNamespace(indexed=photos)


def test_it_goes_on_with_every_status() -> None:
    """Names, counts and the floor are those of the last status, whatever came between."""
    embedder: Any = ChanceEmbedder()
    store = MemoryStore()
    store.put("cat 1.jpg", embedder.embed_query("a cat"))
    remarks = Remarks(embedder, store)
    board: Any = Board(store)
    asyncio.run(keep_up(remarks, board))
    assert remarks.indexed == 30
    assert len(remarks.names.find("cat", 100)) == 30
    assert remarks.floor.score is not None
