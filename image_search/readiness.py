"""Makes all ready: tables, the collection, and the first request as quick as others."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable

from image_search.embedding import Embedder
from image_search.flows import PlaceFlows
from image_search.former_places import forget_former_places, former_places
from image_search.own_places import Places
from image_search.photos import make_thumbnail
from image_search.reasons import PhotoError
from image_search.settings import ROOT, Settings, StartupError
from image_search.state import EmbeddedStores, redact
from image_search.store import Store
from image_search.store_errors import StoreError
from image_search.workers import PoolUnavailable, WorkerError

# After which the image half is loaded where no photo was waiting for it.
IDLE_SECONDS = 10


async def load_model(embedder: Embedder, role: str) -> asyncio.Task[None]:
    """Load the halves of the model that a role needs; raises StartupError.

    The image half is there once what is returned is done; a process that only
    searches loads it when a photo is sent.
    """
    # Meanwhile: the name of the vectors' space is a digest of all weights.
    naming = asyncio.create_task(asyncio.to_thread(_name_of, embedder))
    loading = asyncio.create_task(_load_image_tower(embedder, role, naming))
    if role != "index":
        await asyncio.to_thread(embedder.embed_query, "")
    await naming
    return loading


async def _load_image_tower(
    embedder: Embedder, role: str, naming: Awaitable[str]
) -> None:
    """Load it at once where all photos are new, else once the start is over.

    A folder that was indexed before may have nothing for it to do. A photo that comes
    earlier has it loaded then.
    """
    if role == "search":
        return
    if embedder.cache.exists():
        await naming
    if await asyncio.to_thread(_has_indexed, embedder):
        await asyncio.sleep(IDLE_SECONDS)
    await asyncio.to_thread(embedder.load_image_tower)


def _name_of(embedder: Embedder) -> str:
    return embedder.encoder.key


def _has_indexed(embedder: Embedder) -> bool:
    with contextlib.suppress(OSError, sqlite3.Error):
        return embedder.cache.has_vectors()
    return False  # what is wrong is said when the tables are made


async def set_up(
    settings: Settings,
    stores: EmbeddedStores,
    flows: PlaceFlows,
    embedder: Embedder,
    store: Store,
    locks: Places,
) -> None:
    """Make what indexing needs, unless it exists; raises StartupError.

    No other process that indexes does so meanwhile.
    """
    try:
        await asyncio.to_thread(embedder.cache.open)
        await asyncio.to_thread(stores.acquire_records)
        async with locks.setting_up(former_places(settings)):
            await flows.set_up()
            leave = locks.former, locks.others
            await asyncio.to_thread(
                forget_former_places, settings, store, *leave
            )
            await asyncio.to_thread(store.check)
    except StoreError as error:
        raise StartupError(str(error)) from None
    except (OSError, sqlite3.Error) as error:
        raise StartupError(
            f"DATA_DIR={settings.data_dir} cannot be written: {error}"
        ) from None
    except RuntimeError as error:  # CocoIndex's
        raise StartupError(
            redact(error, settings.cocoindex_database_url)
        ) from None


def use_once(embedder: Embedder, store: Store) -> None:
    """Search once, and start a decoder."""
    with contextlib.suppress(StoreError):
        store.search(embedder.embed_query(""), 1)
    with contextlib.suppress(PhotoError, WorkerError, PoolUnavailable):
        embedder.decode_pool.run(make_thumbnail, ROOT, 256)  # of no photo
