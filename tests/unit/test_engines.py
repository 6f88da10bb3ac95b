"""The settings choose the engine, and what it is told."""

from pathlib import Path

import pytest

from image_search.engines import open_store, read_certificates
from image_search.server_store import ServerStore
from image_search.settings import Settings, StartupError


def test_a_cluster_is_told_all_of_it(tmp_path: Path) -> None:
    """Addresses, layout and certificates reach the store; the key is in no message."""
    settings = Settings(
        data_dir=tmp_path / "data",
        qdrant_url="http://a:6334, https://me:secret@b",
        qdrant_api_key="secret",
        qdrant_shards=6,
        qdrant_replicas=2,
        qdrant_quantization="binary",
        qdrant_on_disk=True,
    )
    store = open_store(settings, "a model", 4)
    assert isinstance(store, ServerStore)
    assert store.name == "Qdrant at a and b"
    assert store.address == "QDRANT_URL=http://a:6334,https://b:6334"
    layout = store.layout
    assert (layout.shards, layout.replicas) == (6, 2)
    assert (layout.quantized_by, layout.on_disk) == ("binary", True)
    store.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"not a certificate", "it has no certificate in PEM"),
        (b"\xff\xfe", "it has no certificate in PEM"),
        (b"", "it has no certificate in PEM"),
    ],
)
def test_a_file_without_certificates_is_said(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """At the start, where gRPC would only say that it can't connect."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartupError) as refused:
        read_certificates(file)
    assert str(refused.value.message) == (
        f"QDRANT_CA={file} can't be used: {reason}."
    )
