"""The results of a search by words, in their order.

first    what has the phrase, or is called so
then     what has the words, among the best by meaning
last     all others, by meaning alone
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from image_search.asked_words import AskedWords, has_digit
from image_search.clip import Embedding
from image_search.filters import READABLE, Filter, HasId, Id
from image_search.fusion import COMMON, Strengths, Weights, fuse
from image_search.hits import least_score
from image_search.matches import Matches, matches_of
from image_search.store import Point, Query, Store

# So many of the best by meaning stand among those with words.
NEAREST = 200
# Photos with all words, or with the phrase, that are known one by one.
LISTED = 200
# Photos with a word: one that more have is common.
RARE = 100
# Photos of an index that nobody has counted yet.
SOME = 10_000

NOTHING = AskedWords(())
NO_WEIGHTS = Weights({})

# Of photos, by their ids, the best first: their scores.
Ranks = dict[Id, float]


@dataclass(frozen=True)
class Part:
    """Some of the results: of a filter, by their scores, or of a list."""

    where: Filter
    length: int | None = None  # None: all that there are
    ids: tuple[Id, ...] | None = None


@dataclass(frozen=True)
class Results:
    """All results of a search, in their order."""

    store: Store
    vector: Embedding | None  # of shape (d,)
    parts: tuple[Part, ...]
    oldest_first: bool = False
    best: float | None = None  # the best score, if words were found
    first: int = 0  # so many have the phrase
    kept: int = 0  # so many are there, whatever their score is
    asked: AskedWords = NOTHING
    weights: Weights = NO_WEIGHTS
    near: frozenset[Id] = frozenset()  # ids: of the best by meaning
    by_meaning: frozenset[Id] = frozenset()  # ids: more than by words

    def points(
        self, start: int, count: int, *, with_vectors: bool = False
    ) -> list[Point]:
        """So many of them, after the first `start`; raises StoreError."""
        found: list[Point] = []
        for part in self.parts:
            most = count - len(found)
            if part.length is not None:
                most = min(most, part.length - start)
            if most > 0:
                found += self._some(
                    part, start, most, with_vectors=with_vectors
                )
            start = max(0, start - (part.length or 0))
        return found

    def best_of(self, points: Sequence[Point]) -> float | None:
        """The best score by meaning; `points`: the first ones."""
        if self.vector is None:
            return None
        scores = [point.score for point in points[:1]]
        if self.best is not None:
            scores = [self.best]
        return min(1.0, *scores) if scores else None

    def why(
        self, point: Point, *, is_like_it: bool | None
    ) -> tuple[list[str], Matches]:
        """By what a photo was found, and by which words, the weightiest first.

        `is_like_it`: its score says so; None if that is none
        of what was asked.
        """
        found = matches_of(point.payload, self.asked, self.weights.is_enough)
        why = [*found]
        id = point.id
        if is_like_it is None:
            return why, found
        if not found or id in self.by_meaning:
            why.insert(0, "meaning")
        elif is_like_it and id in self.near:
            why.append("meaning")
        return why, found

    def rest(self) -> Filter | None:
        """What lies beyond those that are there whatever their score is."""
        last = self.parts[-1:]
        return last[0].where if last and last[0].length is None else None

    def _some(
        self, part: Part, start: int, count: int, *, with_vectors: bool
    ) -> list[Point]:
        options: Any = {"with_vectors": with_vectors}
        if part.ids is None:
            options |= {"offset": start, "oldest_first": self.oldest_first}
            return self.store.search(self.vector, count, part.where, **options)
        ids = part.ids[start : start + count]
        are_they = Filter((HasId(ids),))
        points = self.store.search(self.vector, len(ids), are_they, **options)
        known = {point.id: point for point in points}
        return [known[id] for id in ids if id in known]


@dataclass(frozen=True)
class WordSearch:
    """What is looked for: words, and a vector of shape (d,), or one of both.

    `needs_words`: a photo without them is none of the results.
    """

    store: Store
    asked: AskedWords
    vector: Embedding | None
    where: Filter
    needs_words: bool
    indexed: int | None = None  # photos all in all
    cutoff: float = 0.0

    def results(self) -> Results:
        """Find out where they are; raises StoreError."""
        if not self.asked.words:
            parts = () if self.needs_words else (Part(self.where),)
            return self._of(parts)
        if self.asked.are_all:
            first = self.where & READABLE & self.asked.has_phrases()
            count = self.store.count(first)
            return self._of((Part(first, count),), first=count, kept=count)
        return self._fused(self.where)

    def by_time(self, *, oldest_first: bool) -> Results:
        """All that have the words, by their time alone."""
        asked = self.asked
        has = asked.has_phrases() if asked.are_all else asked.has_all()
        parts: tuple[Part, ...] = ()
        if asked.words or not self.needs_words:
            parts = (Part(self.where & has),)
        return self._of(parts, oldest_first=oldest_first)

    def _of(self, parts: tuple[Part, ...], **more: Any) -> Results:
        known: dict[str, Any] = {"weights": Weights.equal(self.asked)}
        known |= {"asked": self.asked} | more
        return Results(self.store, self.vector, parts, **known)

    def _fused(self, where: Filter) -> Results:
        """What has the phrase, what has words, and all others."""
        first, number = Filter(), 0
        found = self._found(where)
        phrase = found.phrase
        if phrase:
            has = READABLE & self.asked.has_phrases()
            first, number = where & has, len(phrase)
        if number > LISTED:
            # They can't be left out one by one.
            number = self.store.count(first)
            where = replace(where, must_not=(*where.must_not, first))
            found, phrase = self._found(where), {}
        weights, (strengths, partly) = self._strengths(found)
        if not (number or strengths or self.needs_words):
            return self._of((Part(where),))

        among = {id: one for id, one in strengths.items() if id not in phrase}
        if self.needs_words and (number or found.every):
            # Those with some of the words are asked for only where none has all.
            among = {id: one for id, one in among.items() if id in found.every}
        nearest, scores = self._nearest(where, phrase, among)
        best = max(nearest.values(), default=None)
        others = [
            id
            for id, score in nearest.items()
            if id not in phrase and self._is_above_cutoff(score, best)
        ]
        is_all = len(nearest) < NEAREST + len(phrase)
        is_all = is_all and not self.cutoff
        fused = fuse(others, among, scores, partly=partly, is_all=is_all)
        parts = (
            Part(first, number),
            Part(where, len(fused.ids), tuple(fused.ids)),
            self._others((*phrase, *fused.ids), where),
        )
        return self._of(
            parts if number else parts[1:],
            best=best,
            first=number,
            kept=number + len(fused.ids),
            weights=weights,
            near=frozenset(nearest),
            by_meaning=fused.by_meaning,
        )

    def _others(self, known: tuple[Id, ...], where: Filter) -> Part:
        """What comes after those that are known one by one."""
        if self.needs_words:
            where = where & self.asked.has_all()
        if known:
            where = replace(where, must_not=(*where.must_not, HasId(known)))
        return Part(where)

    def _is_above_cutoff(self, score: float, best: float | None) -> bool:
        if best is None or not self.cutoff:
            return True
        return min(score, 1.0) >= least_score(min(best, 1.0), self.cutoff)

    def _found(self, where: Filter) -> "Found":
        """Who has the phrases, who all words, and who each of several."""
        asked = self.asked
        where &= READABLE
        words = asked.words if len(asked.words) > 1 else ()
        have = [where & Filter((asked.has(word),)) for word in words]
        ranks = self._ranks([Query(RARE + 1, one) for one in have])
        by_word = dict(zip(words, ranks, strict=True))
        # What most questions say is nowhere: then nothing else need be asked.
        missing = {word for word in words if not by_word[word]}
        queries: dict[str, Query] = {}
        if not missing:
            queries["all"] = Query(LISTED + 1, where & asked.has_all())
        if asked.phrases and not missing & {*" ".join(asked.phrases).split()}:
            queries["phrase"] = Query(LISTED + 1, where & asked.has_phrases())
        beside = asked.beside_names()
        for word in filter(has_digit, beside.kinds and {*words} - missing):
            has = where & Filter((beside.has(word),))
            queries[word] = Query(RARE + 1, has)
        ranks = self._ranks([*queries.values()])
        found = dict(zip(queries, ranks, strict=True))
        phrase, every = found.pop("phrase", {}), found.pop("all", {})
        return Found(phrase, every, by_word, set().union(*found.values()))

    def _strengths(self, found: "Found") -> tuple[Weights, Strengths]:
        """What the words are worth, and each photo that has some of them."""
        indexed = SOME if self.indexed is None else self.indexed
        common = max(COMMON * indexed, RARE)
        lists = found.by_word or {self.asked.words[0]: found.every}
        photos = {
            word: common if len(ids) > RARE else float(len(ids))
            for word, ids in lists.items()
        }
        weights = Weights.of(photos, indexed)
        words: dict[Id, list[str]] = {}
        for word, ids in found.by_word.items():
            for id in ids if len(ids) <= RARE else ():
                words.setdefault(id, []).append(word)
        words |= {id: [*self.asked.words] for id in found.every}
        sure = found.written | found.every.keys() if found.written else words
        return weights, weights.strengths(words, sure)

    def _nearest(
        self,
        where: Filter,
        phrase: Ranks,
        strengths: Mapping[Id, float],
    ) -> tuple[Ranks, Ranks]:
        """The best by meaning, and the scores of those with words."""
        if self.vector is None:
            return {}, {}
        nearest = Query(NEAREST + len(phrase), where, vector=self.vector)
        are_they = Filter((HasId(tuple(strengths)),))
        theirs = Query(len(strengths), are_they, vector=self.vector)
        found = self._ranks([nearest, theirs] if strengths else [nearest])
        return found[0], found[-1]

    def _ranks(self, queries: Sequence[Query]) -> list[Ranks]:
        bare = [replace(query, fields=()) for query in queries]
        return [*map(_ranks_of, self.store.query_all(bare) if bare else ())]


@dataclass(frozen=True)
class Found:
    """Photos by their ids, as far as they are listed."""

    phrase: Ranks
    every: Ranks  # these have all words
    by_word: Mapping[str, Ranks]  # without one, if only one is asked for
    written: set[Id]  # one of the numbers is, and not in its name alone


def _ranks_of(found: Sequence[Any]) -> Ranks:
    """Ties are in the order of ids, so that pages join up."""
    # As texts: of others' points, which may lie beside ours, some are numbers.
    ranked = sorted(found, key=lambda one: (-one.score, str(one.id)))
    return {one.id: one.score for one in ranked}
