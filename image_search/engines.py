"""Which engine holds the points."""

import ssl
from pathlib import Path

from image_search.settings import Settings, StartupError
from image_search.state import embedded_stores
from image_search.store import Store


def open_store(settings: Settings, model: str, dimension: int) -> Store:
    """The store that the settings ask for, not connected yet.

    `model` names the space of its vectors, which are of shape (dimension,).
    """
    # The client of the server takes as long to import as all else.
    if settings.qdrant_url:
        from image_search.replica_store import ReplicaStore
        from image_search.server_layout import Layout
        from image_search.server_store import ServerStore

        layout = Layout(
            settings.qdrant_shards,
            settings.qdrant_replicas,
            settings.qdrant_quantization,
            settings.qdrant_on_disk,
            model,
        )
        kind = ReplicaStore if settings.role == "search" else ServerStore
        return kind(
            ",".join(map(str, settings.qdrant_url)),
            settings.qdrant_api_key,
            settings.qdrant_collection,
            dimension,
            layout,
            roots=read_certificates(settings.qdrant_ca),
        )
    from image_search.edge_store import EdgeStore

    return EdgeStore(
        settings.data_dir / "edge" / settings.qdrant_collection,
        settings.qdrant_collection,
        model,
        dimension,
        embedded_stores(),
    )


def read_certificates(file: Path | None) -> bytes | None:
    """The certificates in a PEM file; raises StartupError where there are none."""
    if file is None:
        return None
    try:
        # gRPC would only say that it can't connect.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        return file.read_bytes()
    except ssl.SSLError:
        reason = "it has no certificate in PEM"
    except OSError as error:
        reason = str(error.strerror)
    raise StartupError(f"QDRANT_CA={file} can't be used: {reason}.")
