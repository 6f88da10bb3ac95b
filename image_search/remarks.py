"""What an answer says of itself.

How many photos there are, how well they fit, and
which are called what was asked for.
"""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, replace

from image_search.clip import Embedding
from image_search.embedding import Embedder
from image_search.filters import READABLE, Condition, Filter
from image_search.floor import Floor
from image_search.hits import Hit, SearchResponse, hit_of, least_score
from image_search.names import NameIndex, folders_called, similar_folders
from image_search.store import Query, Store
from image_search.store_errors import StoreRefuses
from image_search.text_encoder import SURELY_READ

# Photos of a name that are returned, and that are
# looked at where filters hold.
NAMED = 24
NAMED_LOOKED_AT = 1000
LOOKED_AT_ONCE = 100
# Folders of a name, or of a similar one.
FOLDERS = 8
# Photos above a cutoff are counted up to here.
COUNTED = 1000


@dataclass(frozen=True)
class Asked:
    """What was asked, as far as an answer's remarks go by it."""

    where: Filter
    vector: Embedding | None  # of shape (d,)
    words: Embedding | None  # the vector, if it is one of words alone
    text: str | None  # what the model was asked for
    name: str | None  # what photos may be called
    folder: str
    total: int | None  # if the answer has all that there are
    cutoff: float
    best: float | None  # score of a photo; None without one
    # So many are results whatever their score is, and after them some of these.
    kept: int
    others: Filter | None
    needs_words: bool  # a photo without the words is no result
    is_found: bool  # the first one by its name, or its words


class Remarks:
    """Knows an index as a whole, as far as answers tell of it."""

    def __init__(self, embedder: Embedder, store: Store) -> None:
        self.embedder = embedder
        self.store = store
        self.names = NameIndex()
        self.floor = Floor(embedder, store)
        self.indexed: int | None = None  # photos, all in all

    def keep_up(self, photos: Collection[str], indexed: int) -> None:
        """Take over what the folder and the index hold now; raises StoreError.

        `photos`: their names.
        """
        self.indexed = indexed
        self.names.follow(photos)
        self.floor.measure(indexed)

    def add_to(self, answer: SearchResponse, asked: Asked) -> SearchResponse:
        """Tell what there is to say of a first page.

        Later ones cost one question of the store.
        Raises StoreError.
        """
        if answer.offset:
            return answer
        searched = self._count(asked)
        answer.searched = searched
        answer.total = self._total(asked, searched)
        if asked.folder and not searched:
            similar = self._similar_folders(asked.folder)
            answer.similar_folders = similar
        answer.fits = asked.is_found or self._fits(asked)
        if asked.text and len(asked.text) > SURELY_READ:
            answer.unread = self.embedder.unread(asked.text)
        if asked.name:
            # An owner's limits may leave no room for it.
            with contextlib.suppress(StoreRefuses):
                self._add_named(answer, asked, asked.name)
        return answer

    def _count(self, asked: Asked) -> int:
        """How many photos the filters let through."""
        where = _readable(asked.where)
        if where == READABLE and self.indexed is not None:
            return self.indexed  # a large store takes its time to count
        return self.store.count(where)

    def _total(self, asked: Asked, searched: int) -> int | None:
        if asked.total is not None:
            return asked.total
        if asked.others is None:
            return asked.kept
        if asked.best is None or not asked.cutoff:
            if not asked.needs_words:
                return searched
            return asked.kept + self.store.count(_readable(asked.others))
        nearest = Query(COUNTED, asked.others, vector=asked.vector)
        least = least_score(asked.best, asked.cutoff)
        total = self.store.count_near(least, nearest)
        return None if total == COUNTED else asked.kept + total

    def _fits(self, asked: Asked) -> bool | None:
        if asked.words is None or asked.best is None:
            return None
        best = asked.best
        if asked.words is not asked.vector:
            # Without what was taken away.
            alone = self.store.search(asked.words, 1, asked.where)
            best = alone[0].score
        return self.floor.is_reached(best)

    def _add_named(self, answer: SearchResponse, asked: Asked, q: str) -> None:
        """Photos that are called so, as far as filters let them."""
        folder = Condition("folders", equals=asked.folder)
        others = {*asked.where.must} - {*READABLE.must, folder}
        most = NAMED_LOOKED_AT if others else NAMED
        called = self.names.find(q, most, asked.folder)
        where = _readable(asked.where)
        for start in range(0, len(called), LOOKED_AT_ONCE):
            if len(answer.named) < NAMED:
                some = called[start : start + LOOKED_AT_ONCE]
                answer.named += self._hits(some, where)
        answer.named = answer.named[:NAMED]
        names = [hit.filename for hit in answer.named]
        folders = folders_called(q, names)
        answer.named_folders = folders[:FOLDERS]

    def _hits(self, filenames: list[str], where: Filter) -> list[Hit]:
        """Those that a filter lets through, in their order."""
        are_they = Condition("filename", any_of=tuple(filenames))
        among = replace(where, must=(*where.must, are_they))
        points = self.store.search(None, len(filenames), among)
        found = {point.payload.filename: point for point in points}
        return [
            hit_of(found[name], is_scored=False)
            for name in filenames
            if name in found
        ]

    def _similar_folders(self, folder: str) -> list[str] | None:
        """None if the folder is there, and filters leave its photos out."""
        is_below = Condition("folders", equals=folder)
        if self.store.count(Filter((is_below,))):
            return None
        return similar_folders(folder, self.store.folders(), FOLDERS)


def _readable(where: Filter) -> Filter:
    more = [one for one in READABLE.must if one not in where.must]
    return replace(where, must=(*where.must, *more))
