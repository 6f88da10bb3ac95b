"""A process loads of the model what its role needs."""

import asyncio
import threading

import pytest

from image_search.readiness import IDLE_SECONDS, load_model
from tests.harness import eventually
from tests.unit.virtual_time import VirtualLoop


class Cache:
    """Has vectors of photos, or none."""

    def __init__(self, *, is_filled: bool) -> None:
        self.is_filled = is_filled

    def exists(self) -> bool:
        return self.is_filled

    def has_vectors(self) -> bool:
        return self.is_filled


class Encoder:
    """Has a name, once a test lets it be known."""

    def __init__(self) -> None:
        self.is_known = threading.Event()
        self.is_known.set()

    @property
    def key(self) -> str:
        assert self.is_known.wait(60)
        return "model"


class Embedder:
    """Notes what it loads."""

    def __init__(self, *, has_indexed: bool = False) -> None:
        self.loaded: list[str] = []
        self.encoder = Encoder()
        self.cache = Cache(is_filled=has_indexed)

    def load_image_tower(self) -> None:
        self.loaded.append("image")

    def embed_query(self, _: str) -> None:
        self.loaded.append("text")


@pytest.mark.parametrize(
    ("role", "halves"),
    [("all", {"image", "text"}), ("search", {"text"}), ("index", {"image"})],
)
def test_a_role_has_its_half_of_the_model(role: str, halves: set[str]) -> None:
    """Both where it does both; of words alone where it only searches, of images where it indexes."""
    embedder = Embedder()

    async def run() -> None:
        await (await load_model(embedder, role))  # type: ignore[arg-type]

    asyncio.run(run())
    assert {*embedder.loaded} == halves


@pytest.mark.parametrize("has_indexed", [False, True])
def test_photos_that_wait_are_served_first(*, has_indexed: bool) -> None:
    """The image half is loaded at once for a new folder, else once the start is over."""
    embedder = Embedder(has_indexed=has_indexed)

    async def run() -> None:
        await (await load_model(embedder, "all"))  # type: ignore[arg-type]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
        waited = runner.get_loop().time()
    assert "image" in embedder.loaded
    assert (waited >= IDLE_SECONDS) == has_indexed


def test_a_new_folder_waits_for_no_name() -> None:
    """Both halves are loaded while all weights are read for the name of the model."""
    embedder = Embedder()
    embedder.encoder.is_known.clear()

    async def run() -> None:
        loading = asyncio.create_task(load_model(embedder, "all"))  # type: ignore[arg-type]
        both = {"image", "text"}
        await asyncio.to_thread(eventually, lambda: {*embedder.loaded} == both)
        assert not loading.done()
        embedder.encoder.is_known.set()
        await (await loading)

    asyncio.run(run())
