"""Qdrant's client for each node of a cluster, and the errors that a store has."""

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
from qdrant_client import QdrantClient, models

from image_search.qdrant_errors import Server, explain_all, warn_of_open_key
from image_search.qdrant_nodes import Nodes, Unanswered
from image_search.store import SCROLLED, VECTOR_NAME
from image_search.store_errors import (
    CollectionMissing,
    StoreError,
    StoreRefuses,
    StoreUnavailable,
)

COUNTED = 10_000  # points at a time, where they are only counted
TIMEOUT = 9  # seconds; then another node is asked

R = TypeVar("R")


class QdrantClients:
    """Connected once they are asked. From any thread.

    `roots`: certificates of authorities in PEM, if not the usual ones.
    """

    def __init__(
        self, nodes: Nodes, api_key: str | None, roots: bytes | None = None
    ) -> None:
        self.nodes = nodes
        self._api_key = api_key
        self._roots = roots
        self._clients: dict[Server, QdrantClient] = {}
        self._connecting = threading.Lock()

    def ask(self, question: Callable[[QdrantClient], R]) -> R:
        """Ask a node that is there; raises StoreError."""
        with as_store_errors():
            return self.ask_nodes(question)

    def ask_nodes(self, question: Callable[[QdrantClient], R]) -> R:
        """The same; raises Unanswered."""
        return self.nodes.ask(lambda node: question(self._client(node)))

    def scroll(
        self,
        collection: str,
        where: models.Filter | None,
        payload: list[str],
        most: int | None,
        *,
        with_vectors: bool = False,
    ) -> Iterator[Any]:
        """All points that a filter lets through, in no order; raises StoreError.

        `payload`: the fields that are wanted of them. `most`: how many the server
        gives at a time, if it has a limit.
        """
        usual = SCROLLED if payload else COUNTED
        start: Any = None
        while True:
            question = functools.partial(
                QdrantClient.scroll,
                collection_name=collection,
                scroll_filter=where,
                limit=min(usual, most or usual),
                offset=start,
                with_payload=payload or False,
                with_vectors=with_vectors and [VECTOR_NAME],
            )
            points, start = self.ask(question)
            yield from points
            if start is None:
                return

    def close(self) -> None:
        with self._connecting:
            for client in self._clients.values():
                client.close()

    def _client(self, node: Server) -> QdrantClient:
        with self._connecting:
            if not self._clients:
                warn_of_open_key(self.nodes.servers)
            if node not in self._clients:
                self._clients[node] = self._connect(node)
            return self._clients[node]

    def _connect(self, node: Server) -> QdrantClient:
        options: dict[str, Any] = {**self.nodes.channel_options}
        if self._roots:
            options["root_certificates"] = self._roots
        with warnings.catch_warnings(action="ignore"):  # it says the same
            return QdrantClient(
                node.url,
                grpc_port=node.port,
                prefer_grpc=True,
                timeout=TIMEOUT,
                api_key=self._api_key,
                check_compatibility=False,
                grpc_options=options,
            )


@contextlib.contextmanager
def as_store_errors() -> Iterator[None]:
    """Turn the failures of nodes into the errors of a store."""
    try:
        yield
    except Unanswered as error:
        raise _store_error(error) from error


def _store_error(error: Unanswered) -> StoreError:
    message, why = explain_all(error.failures)
    if error.failures[-1].code is grpc.StatusCode.NOT_FOUND:
        return CollectionMissing(message, why.reason)
    if why.is_passing:
        return StoreUnavailable(message, why.reason)
    return StoreRefuses(message, why.reason, why.setting)
