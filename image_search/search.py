"""How a question becomes one vector, and what is answered."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import prometheus_client

from image_search.around import (
    NotAmong,
    not_among,
    offset_around,
    rank_by_score,
    rank_by_time,
)
from image_search.asked_words import AskedWords
from image_search.clip import Embedding, l2_normalize
from image_search.embedding import Embedder
from image_search.filters import Filter
from image_search.hits import (
    Hit,
    SearchResponse,
    cut_off,
    group_hits,
    hit_of,
    page_of,
)
from image_search.likes import BadWeight, NoSuchPhoto, by_name, examples
from image_search.question import Search, conditions
from image_search.remarks import Asked, Remarks
from image_search.search_errors import (
    NotAmongResults,
    NothingLeft,
    NotIndexedYet,
    SearchError,
    UnknownPhoto,
)
from image_search.store import Point, Store
from image_search.store_errors import StoreRefuses
from image_search.word_search import NOTHING, Results, WordSearch

MINUS_WEIGHT = 0.5  # of a minus term, beside the 1 of all others
CANDIDATES = 1000  # that sort=newest and sort=oldest put in order
FOLDED = 3  # times `limit` photos are looked at to fold a page of them
MIN_QUERY_NORM = 1e-3  # a sum of unit vectors this short is rounding error

MODEL_SECONDS = prometheus_client.Histogram(
    "image_search_model_seconds", "Time that vectors took."
)


class Searcher:
    """Answers searches, by the model and the store."""

    def __init__(
        self,
        embedder: Embedder,
        store: Store,
        unfinished: Callable[[], str | None] = lambda: None,
        unread: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`unfinished` tells how far the indexing is, and None once it is done.

        `unread`: the same of the words on photos.
        """
        self.embedder = embedder
        self.store = store
        self.unfinished = unfinished
        self.unread = unread
        self.remarks = Remarks(embedder, store)

    def search(
        self, query: Search, photo: bytes | None = None
    ) -> SearchResponse:
        """Answer a search, by words, photos of the folder, and a photo that was sent.

        Raises SearchError, StoreError and PhotoError.
        """
        vector = self.query_vector(query, photo)
        return self.find(query, vector, is_sent=photo is not None)

    def find(
        self,
        query: Search,
        vector: Embedding | None,
        *,
        is_sent: bool = False,
    ) -> SearchResponse:
        """Answer a search whose vector is known; raises SearchError, StoreError.

        `is_sent`: the vector has a photo in it that was sent.
        """
        query = by_name(self.store, query)
        try:
            return self._find(query, vector, query.asked_words, is_sent=is_sent)
        except StoreRefuses:
            # An owner's limits may leave no room for words, but for the meaning.
            if query.needs_words or not query.asked_words.words:
                raise
            return self._find(query, vector, NOTHING, is_sent=is_sent)

    def _find(
        self,
        query: Search,
        vector: Embedding | None,
        words: AskedWords,
        *,
        is_sent: bool,
    ) -> SearchResponse:
        by_time = query.sort != "score" and vector is not None
        where = conditions(query, query.like, is_scored=vector is not None)
        results = self._results(query, vector, where, words)
        offset = query.offset
        if query.around is not None and not by_time:
            rank = self._rank(query, results, where)
            offset = offset_around(rank, query.limit)
        # What is put in order here, or cut off by the best, is asked for as a whole.
        start = 0 if by_time or query.cutoff else offset
        looked_at = query.limit * (FOLDED if query.fold else 1)
        count = CANDIDATES if by_time else offset + looked_at + 1 - start
        points = self._points(results, count, start, with_vectors=query.fold)

        total = start + len(points)
        best = results.best_of(points)
        if query.cutoff and best is not None:
            points = cut_off(points, query.cutoff, best, results.kept)
        kept = start + len(points)
        if by_time:
            newest_first = query.sort == "newest"
            points.sort(key=lambda one: one.payload.taken, reverse=newest_first)
        if query.around is not None:
            rank = _rank_among(points, query.around)
            if by_time:
                offset = offset_around(rank, query.limit)
        page = points[offset - start :][:looked_at]
        most = query.limit if query.fold else None
        hits = group_hits(page, most, partial(self._hit, query, results))
        answer = page_of(hits, offset, kept, total)
        is_counted = by_time or len(points) < count
        asked = Asked(
            where=where,
            vector=vector,
            words=None if is_sent else self._words(query, vector),
            text=query.q if "meaning" in query.in_ else None,
            name=query.q if "name" in query.in_ else None,
            folder=(query.folder or "").strip("/"),
            cutoff=query.cutoff,
            best=best,
            total=len(points) if is_counted and not start else None,
            kept=results.kept,
            others=results.rest(),
            needs_words=query.needs_words,
            is_found=bool(hits) and hits[0].is_by_words,
        )
        return self.remarks.add_to(answer, asked)

    def _results(
        self,
        query: Search,
        vector: Embedding | None,
        where: Filter,
        words: AskedWords,
    ) -> Results:
        search = WordSearch(
            self.store,
            words,
            vector,
            where,
            needs_words=query.needs_words,
            indexed=self.remarks.indexed,
            cutoff=query.cutoff,
        )
        if vector is None and (query.sort != "score" or not query.needs_words):
            return search.by_time(oldest_first=query.sort == "oldest")
        return search.results()

    def _hit(self, query: Search, results: Results, point: Point) -> Hit:
        hit = hit_of(point, is_scored=results.vector is not None)
        if query.q:
            reached = self.remarks.floor.is_reached(point.score)
            is_like_it = reached is not False if query.meaning else None
            why, hit.matches = results.why(point, is_like_it=is_like_it)
            hit.why = cast("Any", why)
        return hit

    def _words(
        self, query: Search, vector: Embedding | None
    ) -> Embedding | None:
        """The vector of `q`, unless it is combined with photos."""
        if not query.meaning or query.like:
            return None
        if query.minus or query.unlike:
            return self.embedder.embed_query(query.meaning)
        return vector

    def _rank(self, query: Search, results: Results, where: Filter) -> int:
        """How many results come before the photo that others are asked around."""
        name = query.around or ""
        by_time = results.vector is None and not query.needs_words
        if by_time:  # the newest are asked for, whichever come first
            results = replace(results, oldest_first=False)
        ask = partial(self._points, results)
        try:
            if not by_time:
                return rank_by_score(name, ask)
            rank = rank_by_time(name, self.store, where, ask)
        except NotAmong as error:
            raise NotAmongResults(str(error)) from None
        if query.sort != "oldest":
            return rank
        return self.store.count(where) - 1 - rank

    def _points(
        self,
        results: Results,
        count: int,
        start: int,
        *,
        with_vectors: bool = False,
    ) -> list[Point]:
        """Ask the store; raises NotIndexedYet where nothing may be found later."""
        points = results.points(start, count, with_vectors=with_vectors)
        # Nothing is an answer only beyond the last page, or once the whole folder is
        # in the index.
        if points or not (why := self._why_not_yet(results)):
            return points
        if start and results.points(0, 1):
            return []
        raise NotIndexedYet(why)

    def _why_not_yet(self, results: Results) -> str | None:
        """Why something may be found later, if it may."""
        if so_far := self.unfinished():
            return f"The photos are being indexed, {so_far} so far."
        asked = results.asked
        is_alone = asked.are_all or results.vector is None
        may_be_on_one = asked.words and is_alone and "text" in asked.kinds
        if may_be_on_one and (so_far := self.unread()):
            return f"The words on photos are being read, {so_far} so far."
        return None

    def query_vector(
        self, query: Search, photo: bytes | None = None
    ) -> Embedding | None:
        """All that was asked for, in a vector of shape (d,) and unit length, or None.

        It is a sum: CLIP itself hardly understands "without". Photos of the index
        count as one, the mean of their vectors, each by its weight.
        """
        liked, unliked = self._examples(query)
        vectors = []
        if query.meaning:
            vectors.append(self.embedder.embed_query(query.meaning))
        if photo is not None:
            vectors.append(self.embedder.embed_upload(photo))
        vectors += [
            -MINUS_WEIGHT * self.embedder.embed_query(text)
            for text in query.minus
        ]
        if liked is not None:
            vectors.append(liked)
        if not vectors:
            if query.like:
                raise NothingLeft
            return None  # what is unlike nothing else is only left out
        if unliked is not None:
            vectors.append(-MINUS_WEIGHT * unliked)
        total: Embedding = np.sum(vectors, axis=0)
        if np.linalg.norm(total) < MIN_QUERY_NORM:
            raise NothingLeft
        return l2_normalize(total)

    def _examples(
        self, query: Search
    ) -> tuple[Embedding | None, Embedding | None]:
        """What `like` comes to, and `unlike`."""
        try:
            return examples(self.store, query.like, query.unlike)
        except BadWeight as error:
            raise SearchError(str(error)) from None
        except NoSuchPhoto as error:
            raise UnknownPhoto(error.filename) from None


def _rank_among(points: list[Point], filename: str) -> int:
    """How many come before a photo; raises NotAmongResults if it is none of them."""
    names = [point.payload.filename for point in points]
    if filename not in names:
        raise NotAmongResults(not_among(filename))
    return names.index(filename)
