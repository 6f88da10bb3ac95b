"""The CocoIndex target that writes to Qdrant Edge, a shard in this process.

`cocoindex.targets.Qdrant` is that of a server.
"""

import uuid
from typing import Any, ClassVar, Protocol

import cocoindex
from cocoindex.op import TargetStateCompatibility

from image_search.filters import Filter, lies_in
from image_search.grouped_writes import GroupedWrites

Points = dict[uuid.UUID, dict[str, Any] | None]


class Shard(Protocol):
    """What points are written to."""

    def shard(self) -> Any:
        """Open it; raises StartupError where it is in use elsewhere."""

    def write(self, points: Points) -> None:
        """Write payloads, each with its vector in it, or None to delete a point."""

    def delete(self, where: Filter) -> None:
        """Delete the points that a filter lets through."""

    def reset(self) -> None:
        """Delete all points."""


class QdrantEdge(cocoindex.op.TargetSpec):
    """The target of the flow of one place; those of others write there as well."""

    collection: str
    model: str  # another model's vectors need another shard
    dimension: int
    place: str = ""


@cocoindex.op.target_connector(spec_cls=QdrantEdge, persistent_key_type=str)
class QdrantEdgeConnector:
    """What CocoIndex calls to set a shard up and to write to it."""

    stores: ClassVar[dict[str, Shard]] = {}  # by collection
    # CocoIndex writes each photo by itself, many at a time.
    writes: ClassVar[dict[str, GroupedWrites[uuid.UUID, Any]]] = {}

    @classmethod
    def write_to(cls, collection: str, store: Shard) -> None:
        """Have a store take what is written to a collection."""
        cls.stores[collection] = store
        cls.writes[collection] = GroupedWrites(store.write)

    @staticmethod
    def get_persistent_key(spec: QdrantEdge) -> str:
        return f"{spec.collection}/{spec.place}".rstrip("/")

    @staticmethod
    def check_state_compatibility(
        desired: QdrantEdge, existing: QdrantEdge
    ) -> Any:
        if desired == existing:
            return TargetStateCompatibility.COMPATIBLE
        return TargetStateCompatibility.NOT_COMPATIBLE

    @classmethod
    def apply_setup_change(
        cls, key: str, previous: QdrantEdge | None, current: QdrantEdge | None
    ) -> None:
        """Begin without any points; those of other places stay if they fit."""
        collection, _, place = key.partition("/")
        store = cls.stores[collection]
        if place and (previous is None or current is None):
            store.delete(lies_in(place))
        else:
            store.reset()

    @classmethod
    def prepare(cls, spec: QdrantEdge) -> QdrantEdge:
        # A store that is in use elsewhere stops the update here, not at each row.
        cls.stores[spec.collection].shard()
        return spec

    @classmethod
    async def mutate(cls, *changes: tuple[QdrantEdge, Points]) -> None:
        for spec, points in changes:
            await cls.writes[spec.collection].write(points)
