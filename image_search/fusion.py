"""How photos found by words stand among those found by what is seen on them.

By two ranks, and how much of what was asked the words are:

    1 / (60 + rank by meaning)
    + 2 * strength / (60 + rank by words)

So a photo that has all that was asked, in words that are
rare, stands before what only looks like it; a sign that
says "dog" is no answer to "a dog on the beach", and with
some of the words, but no number, none comes before what
looks most like it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from image_search.asked_words import AskedWords, has_digit
from image_search.filters import Id

# By which the first ranks differ little from each other.
RANKS = 60
WORDS = 2.0  # what they weigh beside the meaning
# Of all that was asked, by weight: less is by chance.
LEAST_SHARE = 0.5
# A number is there by chance far less often than a word.
NUMBER = 3.0
# Letters of a word that says something; shorter ones are said all the time.
LONG = 8
# Each number is in some name, as cameras count: beside one that is written.
COUNTED = 0.5
# Of photos: a word that is on more than were looked at.
COMMON = 0.1


class Strengths(NamedTuple):
    """What photos are worth by their words, by their ids."""

    of_photos: dict[Id, float]
    partly: frozenset[Id]  # these have some words alone, and no number


@dataclass(frozen=True)
class Weights:
    """What each word of a question is worth, from how many photos have it."""

    rarity: Mapping[str, float]  # 0 to 1: none has it

    @classmethod
    def of(cls, photos: Mapping[str, float], indexed: int) -> "Weights":
        """`photos`: how many have each word, of so many that are `indexed`."""
        all_in_all = math.log1p(max(indexed, 1))
        rarity = {
            word: min(1, math.log1p(indexed / max(number, 1)) / all_in_all)
            for word, number in photos.items()
        }
        return cls(rarity)

    @classmethod
    def equal(cls, asked: AskedWords) -> "Weights":
        """As long as nobody knows how rare they are."""
        return cls(dict.fromkeys(asked.words, 1.0))

    def is_enough(self, words: Collection[str]) -> bool:
        """Whether these words of a photo are there by more than chance."""
        return self.share(words) >= LEAST_SHARE

    def share(self, words: Collection[str]) -> float:
        """Of all that was asked, what these words are: 0 to 1."""
        every = sum(map(self._weight, self.rarity))
        return sum(map(self._weight, words)) / every if every else 0.0

    def strength(self, words: Collection[str]) -> float:
        """What a photo with these words is worth: 0 to 1, 0 if it is chance."""
        share = self.share(words)
        if not words or not self.is_enough(words):
            return 0.0
        telling = sum(map(_telling, words))
        return share**2 * sum(map(self._weight, words)) / telling

    def strengths(
        self, words: Mapping[Id, Collection[str]], sure: Collection[Id]
    ) -> "Strengths":
        """What photos are worth, by the words that each has; those by chance left out.

        `sure`: whose numbers are not in their names alone.
        """
        found = {id: self.strength(its) for id, its in words.items()}
        for id in found.keys() - {*sure}:
            if any(map(has_digit, words[id])):
                found[id] *= COUNTED
        of_photos = {id: one for id, one in found.items() if one}
        partly = (id for id in of_photos if self._is_a_part(words[id]))
        return Strengths(of_photos, frozenset(partly))

    def _is_a_part(self, words: Collection[str]) -> bool:
        """Whether they are not all that was asked, and have no number."""
        return len(words) < len(self.rarity) and not any(map(has_digit, words))

    def _weight(self, word: str) -> float:
        return self.rarity[word] * _telling(word)


def _telling(word: str) -> float:
    return NUMBER if has_digit(word) else (min(len(word), LONG) / LONG) ** 2


@dataclass(frozen=True)
class Fused:
    """Photos by their ids, in their order; which of them more by meaning."""

    ids: list[Id]
    by_meaning: frozenset[Id]


def fuse(
    nearest: Sequence[Id],
    strengths: Mapping[Id, float],
    scores: Mapping[Id, float],
    *,
    partly: Collection[Id] = (),
    is_all: bool,
) -> Fused:
    """Put photos in order that are nearest, and those with words.

    `strengths`: of those with words, none of them 0. `scores`:
    what decides between equal ones. `partly`: those that do
    not come before the nearest. `is_all`: there are no
    others than the `nearest`; else one that would come after
    all of them is left out.
    """
    meaning = {id: 1 / (RANKS + at) for at, id in enumerate(nearest, 1)}
    named = sorted(
        strengths,
        key=lambda one: (-strengths[one], -scores.get(one, 0), str(one)),
    )
    words = {
        id: WORDS * strengths[id] / (RANKS + at)
        for at, id in enumerate(named, 1)
    }
    least = 0 if is_all else 1 / (RANKS + len(nearest) + 1)
    total = {
        id: meaning.get(id, 0) + words.get(id, 0) for id in (*nearest, *named)
    }
    ids = [id for id in total if id in meaning or total[id] > least]
    ids.sort(key=lambda one: -total[one])
    if nearest:
        ids = _put_before(nearest[0], partly, ids)
    more = [id for id in ids if words.get(id, 0) < meaning.get(id, 0)]
    return Fused(ids, frozenset(more))


def _put_before(first: Id, others: Collection[Id], ids: list[Id]) -> list[Id]:
    """Have one of some ids come before others of them."""
    at = ids.index(first)
    before = ids[:at]
    stay = [one for one in before if one not in others]
    go = [one for one in before if one in others]
    return [*stay, first, *go, *ids[at + 1 :]]
