"""What is found by words, and what the words cost: `python -m tests.bench words`.

The sample photos, and some hundred made ones of texts, each with the text that a reader
would have read, faults and all, among 10,000 points. Each question has one right answer.
"""

import random
import string
import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Without tests.harness, which has settings of its own.
PHOTOS = Path(__file__).parents[2] / "img"
POINTS = 10_000
MADE = 40  # photos of each kind of text
FAULTS = 0.08  # of all letters are misread, by turns with these
LOOK_ALIKE = {"o": "0", "l": "1", "i": "1", "s": "5", "e": "c", "n": "m"}
# Of the sample photos: what is seen on them.
SEEN = {
    "a cup of coffee": "coffee.png",
    "a cat": "cat.png",
    "a rocket taking off": "rocket.jpg",
    "a raccoon": "raccoon.webp",
    "a flower": "flower.jpg",
    "a temple": "temple.jpg",
    "a motorcycle": "motorcycle.jpg",
    "galaxies in space": "galaxies.jpg",
}
# On signs, so that what is seen could be spoilt by them.
SIGNS = (
    "coffee", "a cup", "the cat", "rocket", "raccoon", "flower", "temple",
    "motorcycle", "space",
)  # fmt: skip
COMMON = ("total", "invoice", "open", "street", "thank you", "date", "the")
# One word of each, which is on a dozen signs as well.
ONE_WORD = {
    name.split(".")[0]: name for name in SEEN.values() if name != "galaxies.jpg"
}
KINDS = (
    "name", "rare word", "phrase", "number", "description", "meaning", "one word",
)  # fmt: skip

Answers = dict[str, dict[str, str]]


class Texts:
    """What is written on the made photos, and what they are called."""

    def __init__(self) -> None:
        self.chance = random.Random(20)
        self.payloads: dict[str, dict[str, Any]] = {}
        self.answers: Answers = {kind: {} for kind in KINDS}
        self.answers["meaning"] = dict(SEEN)
        self.answers["one word"] = dict(ONE_WORD)
        self._make()

    def word(self) -> str:
        return "".join(
            self.chance.choice(signs)
            for _ in range(self.chance.randint(2, 4))
            for signs in ("bdfgklmnprstvz", "aeiou")
        )

    def misread(self, text: str) -> str:
        def read(sign: str) -> str:
            if self.chance.random() > FAULTS:
                return sign
            return LOOK_ALIKE.get(sign.lower(), "")

        return "".join(map(read, text))

    def put(self, name: str, text: str, **details: Any) -> None:
        self.payloads[name] = {"text": text, "details": details}

    def _make(self) -> None:
        some = [self.word() for _ in range(400)]
        for number in range(MADE):
            shop, rare = self.word(), self.word()
            total = f"Total {self.chance.randint(1, 99)},50"
            name = f"receipts/IMG_{5000 + number}.jpg"
            self.put(name, "\n".join([
                self.misread(shop), f"{self.misread('Invoice')} {4711 + number}",
                self.misread(" ".join(self.chance.sample(some, 8))), total,
            ]))  # fmt: skip
            self.answers["number"][f"invoice {4711 + number}"] = name
            self.answers["name"][f"IMG_{5000 + number}"] = name

            name = f"pages/{number}.jpg"
            lines = " ".join([*self.chance.sample(some, 20), *COMMON])
            self.put(name, f"{self.misread(lines)}\n{rare}")
            self.answers["rare word"][rare] = name

            one, other = self.chance.sample(some, 2)
            name = f"signs/{number}.jpg"
            self.put(name, f"{one} {other}\n{self.misread('no parking')}")
            self.put(f"signs/{number} turned.jpg", f"{other} no {one}")
            self.answers["phrase"][f'"{one} {other}"'] = name

            word = self.word()
            name = f"described/{number}.jpg"
            self.put(name, "", title=f"{word} with friends", keywords=some[:3])
            self.answers["description"][f"friends {word}"] = name
        for number in range(3 * MADE):
            sign = self.chance.choice(SIGNS)
            self.put(f"boards/{number}.jpg", f"{sign}\n{self.word()}")


def picture_of(text: str) -> bytes:
    """A photo with a text on it."""
    image = Image.new("RGB", (320, 240), "white")
    font = ImageFont.load_default(22)
    ImageDraw.Draw(image).text((12, 12), text or "?", "black", font)
    content = BytesIO()
    image.save(content, "JPEG")
    return content.getvalue()


def pictures(texts: Texts) -> Iterator[tuple[str, bytes]]:
    for file in sorted(PHOTOS.glob("*.[jpw]*")):
        yield file.name, file.read_bytes()
    for name, payload in texts.payloads.items():
        yield name, picture_of(payload["text"])


def fill(embedder: Any, store: Any, run: Any) -> None:
    """Embed the photos, and put others of nothing in particular beside them."""
    from image_search.name_words import name_words
    from image_search.points import point_id, sort_key

    texts = Texts()
    known = [(name, run(embedder.embed_photo(content)).embedding)
             for name, content in pictures(texts)]  # fmt: skip
    spread = np.array([vector for _, vector in known if vector is not None])
    chance = np.random.default_rng(20)
    for number in range(POINTS - len(known)):
        # As alike to the true ones as these are to each other.
        some = spread[chance.integers(len(spread), size=3)].sum(0)
        noise = chance.standard_normal(len(some)) * np.linalg.norm(some)
        vector = some + noise / np.sqrt(len(some))
        vector = vector / np.linalg.norm(vector)
        known.append((f"{number % 200}/DSC_{number:05}.jpg", vector))
    points: dict[uuid.UUID, dict[str, Any] | None] = {}
    for name, vector in known:
        words = name_words(name)
        taken = "2024-05-01T12:00:00"
        points[point_id(name)] = {
            "filename": name, "embedding": vector, "error": None, "folders": [],
            "sha256": name, "width": 4, "height": 3, "taken": taken,
            "sort_key": sort_key(taken, name), "name_words": words,
            "name_starts": words, **texts.payloads.get(name, {}),
        }  # fmt: skip
    store.write(points)


def recall(embedder: Any, store: Any, ways: str) -> dict[str, list[float]]:
    """By the kind of question: how often the right one is among the first 1, 5 and 10."""
    from image_search.question import Search
    from image_search.search import Searcher

    searcher = Searcher(embedder, store)
    searcher.remarks.indexed = POINTS
    found: dict[str, list[float]] = {}
    for kind, answers in Texts().answers.items():
        ranks = []
        for q, name in answers.items():
            search = Search.model_validate({"q": q, "in": ways, "limit": 10})
            names = [hit.filename for hit in searcher.search(search).results]
            ranks.append(names.index(name) if name in names else 99)
        found[kind] = [
            sum(rank < most for rank in ranks) / len(ranks)
            for most in (1, 5, 10)
        ]
    return found


# --- What words cost ------------------------------------------------------------------------------

VOCABULARY = 50_000


def text_of(number: int, chance: np.random.Generator, words: list[str]) -> str:
    """Of one photo in five some 25 words, rare ones and common ones."""
    if number % 5:
        return ""
    ranks = np.minimum(chance.zipf(1.3, 25) + 20, VOCABULARY - 1)
    return " ".join(words[rank] for rank in ranks)


def vocabulary() -> list[str]:
    chance = random.Random(1)
    return [
        "".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 9)))
        for _ in range(VOCABULARY)
    ]


def questions(number: int) -> list[str]:
    """Of each kind in turn: seen, a name, a number, rare words, common words."""
    words, chance = vocabulary(), random.Random(2)
    kinds = (
        lambda: "a dog on the beach",
        lambda: f"IMG_{chance.randrange(200_000):06}",
        lambda: f"invoice {chance.randrange(10_000)}",
        lambda: " ".join(chance.sample(words[1000:], 2)),
        lambda: " ".join(chance.sample(words[20:60], 3)),
    )
    return [kinds[turn % len(kinds)]() for turn in range(number)]
