"""Which engine holds the points."""

from image_search.settings import Settings
from image_search.state import embedded_stores
from image_search.store import Store


def open_store(settings: Settings, model: str, dimension: int) -> Store:
    """The store that the settings ask for, not connected yet.

    `model` names the space of its vectors, which are of shape (dimension,).
    """
    # The client of the server takes as long to import as all else.
    if settings.qdrant_url:
        from image_search.server_store import ServerStore

        return ServerStore(
            str(settings.qdrant_url),
            settings.qdrant_api_key,
            settings.qdrant_collection,
            dimension,
        )
    from image_search.edge_store import EdgeStore

    return EdgeStore(
        settings.data_dir / "edge" / settings.qdrant_collection,
        settings.qdrant_collection,
        model,
        dimension,
        embedded_stores(),
    )
