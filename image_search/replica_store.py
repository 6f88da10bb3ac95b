"""A collection on a server as a process has it that only searches.

It is made, filled and mended by others: here it is read alone, for which a key that
may only read is enough.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from qdrant_client import QdrantClient

from image_search.adoption import refuse_another_shape
from image_search.filters import READABLE
from image_search.server_clients import QdrantClients
from image_search.server_store import ServerStore
from image_search.settings import StartupError
from image_search.store import Query
from image_search.store_errors import (
    CollectionMissing,
    StoreError,
    StoreRefuses,
)
from image_search.vector_space import refuse_other_model

R = TypeVar("R")


class ReadingClients(QdrantClients):
    """Say what to do where there is no collection: nobody here fills it again."""

    def ask(self, question: Callable[[QdrantClient], R]) -> R:
        try:
            return super().ask(question)
        except CollectionMissing:
            raise CollectionMissing(
                f"Qdrant at {self.nodes.hosts} has no collection"
                f" {self.nodes.servers[0].collection}: it comes as soon as a process"
                " with ROLE=index, or ROLE=all, indexes into it."
            ) from None


class ReplicaStore(ServerStore):
    """Answers by what is there, once it has seen that it can be compared."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As a ServerStore."""
        super().__init__(*arguments, **options)
        self.qdrant = ReadingClients(self.nodes, self.api_key, self.roots)
        # Why it is not to be searched.
        self._refusal: StoreError | None = None

    def check(self, *, is_set_up: bool = True) -> None:
        """See that the collection has vectors of this model.

        Raises StartupError, and StoreError where it can't be told.
        """
        name = self.collection
        try:
            info = self.qdrant.ask(lambda qdrant: qdrant.get_collection(name))
            refuse_another_shape(info, name, self.shape)
            refuse_other_model(info, name, self.layout.model)
        except StartupError as error:
            self._refusal = StoreRefuses(str(error))
            raise
        except CollectionMissing:
            # What comes in its place may be another.
            self._left_out, self._is_in_order = set(), False
            raise
        self._refusal = None
        self._note_limits(info)

    def names_and_digests(self) -> Iterator[tuple[str, str]]:
        """Those of all photos that can be read: some at a time, in no order."""
        fields = ["filename", "sha256"]
        for one in self._every(self._ours(READABLE), fields):
            yield one.payload["filename"], one.payload.get("sha256", "")

    def _query(self, query: Query) -> Any:
        if self._refusal:
            raise self._refusal
        return super()._query(query)

    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        if self._refusal:
            raise self._refusal
        return super().query_all(queries)
