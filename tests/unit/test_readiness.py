"""A process loads of the model what its role needs."""

import asyncio

import pytest

from image_search.readiness import load_model


class Embedder:
    """Notes what it loads."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

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
