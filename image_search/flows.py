"""CocoIndex flows that can be defined anew while the app runs."""

import threading
from collections.abc import Callable
from typing import Any

import cocoindex

FlowDefinition = Callable[
    [cocoindex.FlowBuilder, cocoindex.DataScope],
    None,
]
QueryHandler = Callable[[str], Any]


class ReopenableFlow:
    """A CocoIndex flow that can be defined anew.

    CocoIndex takes a source's patterns only when a flow is opened: to show it
    another set of files, the flow is closed and opened again.
    """

    def __init__(self, name: str, definition: FlowDefinition) -> None:
        self.name = name
        self.definition = definition
        self._query_handlers: list[tuple[QueryHandler, Any]] = []
        self._lock = threading.Lock()
        self.flow = cocoindex.open_flow(name, definition)

    def reopen(self) -> None:
        """Define the flow anew."""
        with self._lock:
            self.flow.close()
            self.flow = cocoindex.open_flow(self.name, self.definition)
            for handler, fields in self._query_handlers:
                self._add(handler, fields)

    def query_handler(
        self, result_fields: cocoindex.QueryHandlerResultFields
    ) -> Callable[[QueryHandler], QueryHandler]:
        """As `Flow.query_handler`: a function answers CocoInsight."""

        def add(handler: QueryHandler) -> QueryHandler:
            self._query_handlers.append((handler, result_fields))
            self._add(handler, result_fields)
            return handler

        return add

    def _add(self, handler: QueryHandler, fields: Any) -> None:
        name = handler.__name__
        self.flow.add_query_handler(name, handler, result_fields=fields)


def flow_def(name: str) -> Callable[[FlowDefinition], ReopenableFlow]:
    """`cocoindex.flow_def`, for a flow that can be reopened."""
    return lambda definition: ReopenableFlow(name, definition)
