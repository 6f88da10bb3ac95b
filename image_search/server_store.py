"""Points on a Qdrant server or cluster, written by CocoIndex's own Qdrant target."""

import functools
import math
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any

import cocoindex
from qdrant_client import models

from image_search.adoption import (
    Forwarder,
    describe_foreign_points,
    refuse_another_shape,
    refuse_points,
)
from image_search.filters import EVERYTHING, READABLE, Filter
from image_search.points import MOST_FOLDERS, PAYLOAD, point_id
from image_search.qdrant_nodes import Nodes, Unanswered
from image_search.server_clients import QdrantClients, as_store_errors
from image_search.server_layout import PLAIN, Layout, Rescoring, most_at_once
from image_search.server_queries import (
    additions,
    ask_once,
    count_values,
    missing_indexes,
    points_of_ours,
    request_of,
)
from image_search.store import Change, Point, Query, Store, read_point
from image_search.store_errors import StoreRefuses
from image_search.vector_space import check_model

# Of strict mode, those that a search keeps within.
LIMITS = {"max_query_limit", "search_max_oversampling"}


class ServerStore(Store):
    """A collection on a server at a gRPC address, or on a cluster at several.

    `url` has commas between them. `roots`: certificates of authorities in PEM, if not
    the usual ones.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        collection: str,
        dimension: int,
        layout: Layout = PLAIN,
        *,
        roots: bytes | None = None,
    ) -> None:
        nodes = Nodes.at(url, collection, has_key=bool(api_key))
        self.name = f"Qdrant at {nodes.hosts}"
        self.address = f"QDRANT_URL={nodes.addresses}"  # no password in it
        self.nodes = nodes
        self.api_key = api_key
        self.roots = roots
        self.qdrant = QdrantClients(nodes, api_key, roots)
        self.collection = collection
        self.layout = layout
        self.shape = layout.shape(dimension)
        self._forwarder: Forwarder | None = None
        self._may_be_made = False  # by CocoIndex, in this process
        self._left_out: set[Any] = set()  # what looks like ours, and is not
        self._most: int | None = None  # points that one question may ask for
        self._rescoring: Rescoring | None = None
        self._made_otherwise: str | None = None

    def target(self, place: str = "", *, is_set_up: bool = True) -> Any:
        # The flow of another place may make the collection before this one's.
        self._may_be_made |= not is_set_up
        return cocoindex.targets.Qdrant(self.collection, self._connection)

    def check(self, *, is_set_up: bool = True) -> None:
        """See that the collection is ours, has its indexes, and may be written to.

        Once CocoIndex has set it up, a lost collection is made anew (and filled from
        CocoIndex's cache). Before that, one which a person made is taken as it is if
        it is empty. One of another shape is somebody else's.
        """
        name = self.collection
        exists = self.qdrant.ask(lambda qdrant: qdrant.collection_exists(name))
        # Should it be of another size by now, CocoIndex makes even one that it knows.
        self._may_be_made |= not (exists and is_set_up)
        if not exists and not is_set_up:
            return  # CocoIndex is about to make it
        if not exists:
            with as_store_errors():
                self._make()
        info = self.qdrant.ask(lambda qdrant: qdrant.get_collection(name))
        refuse_another_shape(info, name, self.shape)
        check_model(info, name, self.layout.model, self.qdrant.ask_nodes)
        self._note_limits(info)
        self._made_otherwise = self.layout.notice(info.config, name)
        # Whatever is there may be another by now.
        self._left_out, self._is_in_order = set(), False
        if not is_set_up:
            self._refuse_points()
        self._make_indexes(info)
        # CocoIndex would not say why it can't write: nothing has this id.
        nothing = models.PointIdsList(points=[str(uuid.uuid4())])
        self.qdrant.ask(lambda qdrant: qdrant.delete(name, nothing))

    def find_out(
        self, photos: Collection[str], where: Filter = EVERYTHING
    ) -> None:
        """As in Store; what looks like a point of ours, and is none, is found out."""
        self.check()
        if self.count(where) > len(photos):
            for one in self._scroll(where, with_vectors=False):
                if not self._is_ours(read_point(one)):
                    self._leave_out([one.id])

    def count(self, where: Filter = EVERYTHING) -> int:
        return self._count(self._ours(where))

    def delete(self, where: Filter) -> None:
        points = models.FilterSelector(filter=self._ours(where))
        self.qdrant.ask(lambda qdrant: qdrant.delete(self.collection, points))

    def set_payloads(self, changes: Sequence[Change]) -> None:
        added = additions(changes, self._left_out)
        name = self.collection
        self.qdrant.ask(lambda qdrant: qdrant.batch_update_points(name, added))

    def folders(self) -> dict[str, int]:
        where = self._ours(READABLE)
        try:
            found = self.qdrant.ask(
                lambda qdrant: qdrant.facet(
                    self.collection, "folders", where, MOST_FOLDERS, exact=True
                )
            )
        except StoreRefuses as refusal:
            if refusal.setting != "search_allow_exact":
                raise
            return count_values(self._every(where, ["folders"]), "folders")
        return {str(hit.value): hit.count for hit in found.hits}

    def notice(self) -> str | None:
        foreign = self._count(models.Filter(must_not=[self._ours(EVERYTHING)]))
        notices = (
            describe_foreign_points(self.collection, foreign),
            self._made_otherwise,
            self.nodes.notice(),
        )
        return " ".join(one for one in notices if one) or None

    def close(self) -> None:
        self.qdrant.close()
        if self._forwarder:
            self._forwarder.close()

    @functools.cached_property
    def _connection(self) -> Any:
        """The server, by reference: CocoIndex writes no API key to Postgres then."""
        url = self.url_for_cocoindex
        server = cocoindex.targets.QdrantConnection(url, self.api_key)
        return cocoindex.add_auth_entry("qdrant", server)

    @functools.cached_property
    def url_for_cocoindex(self) -> str:
        """It knows one address, and no certificates but the system's."""
        nodes = self.nodes
        if not (self._may_be_made or nodes.are_several or self.roots):
            return nodes.servers[0].url
        self._forwarder = Forwarder(
            nodes, self.collection, self._make, self.roots
        )
        return self._forwarder.url

    def _make(self) -> None:
        """Make the collection as the settings say; raises Unanswered."""
        name = self.collection
        options = self.layout.options()
        try:
            self.qdrant.ask_nodes(
                lambda one: one.create_collection(name, self.shape, **options)
            )
        except Unanswered:
            # By another process it may be made, or by a node that went away meanwhile.
            ask = self.qdrant.ask_nodes
            if not ask(lambda one: one.collection_exists(name)):
                raise

    def _note_limits(self, info: models.CollectionInfo) -> None:
        self._most = most_at_once(info.config)
        self._rescoring = Rescoring.of(info.config)

    def _refuse_points(self) -> None:
        """Have CocoIndex take only an empty collection that it did not make."""
        found = [*self._every(None, [*PAYLOAD])] if self._count(None) else []
        ours = [one for one in found if self._is_ours(read_point(one))]
        refuse_points(self.collection, len(found), len(ours))

    def _make_indexes(self, info: models.CollectionInfo) -> None:
        for field, index in missing_indexes(info.payload_schema).items():
            asked = self.collection, field, index
            self.qdrant.ask(methodcaller("create_payload_index", *asked))

    def _ours(self, where: Filter) -> models.Filter:
        """The points of this app that a filter lets through."""
        return points_of_ours(where, self._left_out)

    def _is_ours(self, point: Point | None) -> bool:
        if point is None:
            return False
        return str(point.id) == str(point_id(point.payload.filename))

    def _leave_out(self, ids: Sequence[Any]) -> None:
        self._left_out.update(ids)

    def _count(self, where: models.Filter | None) -> int:
        try:
            found = self.qdrant.ask(
                lambda qdrant: qdrant.count(self.collection, count_filter=where)
            )
            return int(found.count)
        except StoreRefuses as refusal:
            if refusal.setting != "search_allow_exact":
                raise
            return sum(1 for _ in self._every(where, []))

    def _scroll(self, where: Filter, *, with_vectors: bool) -> Iterator[Any]:
        ours = self._ours(where)
        return self._every(ours, [*PAYLOAD], with_vectors=with_vectors)

    def _every(
        self,
        where: models.Filter | None,
        payload: list[str],
        *,
        with_vectors: bool = False,
    ) -> Iterator[Any]:
        """All points that a filter lets through, with these fields, in no order."""
        return self.qdrant.scroll(
            self.collection,
            where,
            payload,
            self._most,
            with_vectors=with_vectors,
        )

    def _query(self, query: Query) -> Sequence[Any]:
        try:
            return self._query_in_parts(query)
        except StoreRefuses as refusal:
            if refusal.setting not in LIMITS:
                raise
            # A person has set it since.
            known = self._most, self._rescoring
            name = self.collection
            info = self.qdrant.ask(lambda qdrant: qdrant.get_collection(name))
            self._note_limits(info)
            if (self._most, self._rescoring) == known:
                raise
            return self._query_in_parts(query)

    def _query_in_parts(self, query: Query) -> Sequence[Any]:
        """In as many questions as the server's limit makes of it, mostly one."""
        found: dict[Any, Any] = {}
        asked = 0
        while asked < query.limit:
            limit = min(query.limit - asked, self._most or query.limit)
            offset = query.offset + asked
            part = self._query_once(replace(query, offset=offset, limit=limit))
            found |= {one.id: one for one in part}
            asked += limit
            if len(part) < limit:
                break
        return [*found.values()]

    def _query_once(self, query: Query) -> Sequence[Any]:
        asked = self.collection, self._request(query)
        return self.qdrant.ask(lambda qdrant: ask_once(qdrant, *asked))

    def query_all(self, queries: Sequence[Query]) -> Sequence[Sequence[Any]]:
        """As in Store; each has no more than the owner lets one question have."""
        most = self._most or math.inf
        requests = [
            self._request(replace(one, limit=int(min(one.limit, most))))
            for one in queries
        ]
        found = self.qdrant.ask(
            lambda qdrant: qdrant.query_batch_points(self.collection, requests)
        )
        return [one.points for one in found]

    def _request(self, query: Query) -> models.QueryRequest:
        is_rescored = query.vector is not None and self._rescoring
        depth = query.offset + query.limit
        params = is_rescored.params(depth) if is_rescored else None
        return request_of(query, self._ours(query.where), params)
