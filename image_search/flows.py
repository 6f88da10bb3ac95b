"""CocoIndex flows that can be defined anew while the app runs, one for each place."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import cocoindex
from cocoindex.setup import flow_names_with_setup

from image_search.place import Place

FlowDefinition = Callable[[cocoindex.FlowBuilder, cocoindex.DataScope], None]
P = TypeVar("P", bound=Place)
PlaceDefinition = Callable[
    [cocoindex.FlowBuilder, cocoindex.DataScope, P],
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

    def add_query_handler(self, handler: QueryHandler, fields: Any) -> None:
        """Have a function answer CocoInsight."""
        self._query_handlers.append((handler, fields))
        self._add(handler, fields)

    def is_set_up(self) -> bool:
        """Whether CocoIndex knows it from an earlier setup."""
        return self.name in flow_names_with_setup()

    def _add(self, handler: QueryHandler, fields: Any) -> None:
        name = handler.__name__
        self.flow.add_query_handler(name, handler, result_fields=fields)


class PlaceFlows:
    """A flow of one definition for each place: none waits for another's photos."""

    def __init__(
        self,
        name: str,
        places: Iterable[P],
        define: PlaceDefinition[P],
    ) -> None:
        self.flows = {
            folder.address.name: self._open(name, folder, define)
            for folder in places
        }

    def of(self, folder: Place) -> ReopenableFlow:
        return self.flows[folder.address.name]

    def query_handler(
        self, result_fields: cocoindex.QueryHandlerResultFields
    ) -> Callable[[QueryHandler], QueryHandler]:
        """As `Flow.query_handler`: a function answers CocoInsight."""

        def add(handler: QueryHandler) -> QueryHandler:
            for flow in self.flows.values():
                flow.add_query_handler(handler, result_fields)
            return handler

        return add

    def are_set_up(self) -> bool:
        """Whether CocoIndex knows them all from an earlier setup."""
        return all(flow.is_set_up() for flow in self.flows.values())

    async def set_up(self) -> None:
        """Make what the flows need, unless it is there."""
        for flow in self.flows.values():
            await flow.flow.setup_async()

    def _open(
        self, name: str, folder: P, define: PlaceDefinition[P]
    ) -> ReopenableFlow:
        key = folder.address.key
        return ReopenableFlow(
            f"{name}_{key}" if key else name,
            lambda builder, scope: define(builder, scope, folder),
        )


def flow_def(
    name: str, places: Iterable[P]
) -> Callable[[PlaceDefinition[P]], PlaceFlows]:
    """`cocoindex.flow_def`, for a flow of each place that can be reopened."""
    return lambda define: PlaceFlows(name, places, define)
