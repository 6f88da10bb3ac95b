"""How well nonsense fits an index.

A model gives any text a score with any photo, and
what counts as a high one is each model's own. So it
is asked for texts that mean nothing, once, and the
index for the best photo of each. What a person asks
for has to fit better than nearly all of these.
"""

import random
import string
import threading

import numpy as np

from image_search.clip import Embedding
from image_search.embedding import Embedder
from image_search.filters import READABLE
from image_search.store import Query, Store

# Of their scores: 96 of 100 other senseless texts
# stay below it, and 99 of 100 words of what is on
# the photos come above.
DEVIATIONS = 2.0
# By which an index has to grow or shrink before it
# is asked again.
GROWTH = 1.2
# What many people have photos of; those are shown
# that are found best.
EXAMPLES = (
    "a dog",
    "a cat",
    "a beach",
    "mountains",
    "food on a plate",
    "flowers",
    "a cup of coffee",
    "a car",
    "a city at night",
    "children playing",
    "a boat on the water",
    "birds",
)
EXAMPLES_SHOWN = 3


def nonsense() -> list[str]:
    """Texts as people hit keys, of letters, of syllables, and of digits."""
    chance = random.Random(1)  # noqa: S311, the same at every start

    def one_of(signs: str, fewest: int, most: int) -> str:
        return "".join(chance.choices(signs, k=chance.randint(fewest, most)))

    letters, vowels = string.ascii_lowercase, "aeiouy"
    consonants = "".join(sorted({*letters} - {*vowels}))

    def syllables(number: int) -> str:
        pairs = (
            chance.choice(consonants) + chance.choice(vowels)
            for _ in range(number)
        )
        return "".join(pairs)

    texts = [one_of(letters, 3, 9) for _ in range(16)]
    texts += [syllables(chance.randint(2, 4)) for _ in range(16)]
    texts += [one_of(string.digits, 2, 8) for _ in range(8)]
    texts += [one_of(letters + string.digits, 8, 8) for _ in range(8)]
    return texts


class Floor:
    """The score that words have to reach, and some that do.

    `score` is None until the index is known.
    """

    def __init__(self, embedder: Embedder, store: Store) -> None:
        self.embedder = embedder
        self.store = store
        self.score: float | None = None  # not measured yet
        self._photos = 0  # there were then
        self.examples: list[str] = []
        self._texts: list[Embedding] = []
        self._measuring = threading.Lock()

    def is_reached(self, score: float) -> bool | None:
        """Whether an answer has such a score.

        None as long as that isn't known.
        """
        if self.score is None:
            return None
        return score >= self.score

    def measure(self, photos: int) -> None:
        """Ask the index, if it has so many photos by now.

        Takes 60 texts of the model at first, and one
        question of the store each time. Raises StoreError.
        """
        with self._measuring:
            low, high = sorted((photos, self._photos))
            if not photos or high <= low * GROWTH:
                return
            if not self._texts:
                texts = [*nonsense(), *EXAMPLES]
                self._texts = self.embedder.text.embed_all(texts)
            scores = self._best_scores()
            senseless = scores[: -len(EXAMPLES)]
            deviation = DEVIATIONS * float(np.std(senseless))
            self.score = float(np.mean(senseless)) + deviation
            self.examples = self._found(scores[-len(EXAMPLES) :])
            self._photos = photos

    def _best_scores(self) -> list[float]:
        """The score of the nearest photo to each text; 0 if there is none."""
        queries = [
            Query(1, READABLE, vector=vector, fields=())
            for vector in self._texts
        ]
        return [
            max((point.score for point in found), default=0.0)
            for found in self.store.query_all(queries)
        ]

    def _found(self, scores: list[float]) -> list[str]:
        """The examples that fit best, of those that do."""
        by_score = sorted(zip(scores, EXAMPLES, strict=True), reverse=True)
        fitting = [text for score, text in by_score if self.is_reached(score)]
        return fitting[:EXAMPLES_SHOWN]
