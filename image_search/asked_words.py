"""The words of a question, and the conditions by which a store finds them.

    exit "way out" -> words exit, way, out; a phrase: way out

They may be in a name, on a photo, or in what its header
says of it: that is the kind of a match.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from image_search.filters import Condition, Either, Filter
from image_search.name_words import folded, words_of

# The first ones weigh more, where all else is equal.
KINDS = ("name", "text", "description")
# Whose words are as somebody wrote them.
FIELDS = {
    "text": ("text",),
    "description": (
        "details.title",
        "details.description",
        "details.keywords",
    ),
}
QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
# As Qdrant divides a text.
TOKEN = re.compile(r"[^\W_]+")
# Letters that stand for the beginning of a word of a name.
SHORTEST_BEGINNING = 3
# Shorter words, without a digit, say nothing beside others.
SHORTEST = 3
# Beyond these a question is no name, and no text that was read.
MOST_WORDS = 10


def tokens_of(text: str) -> list[str]:
    """The words of a text, without case and accents, in its order."""
    return TOKEN.findall(folded(text))


def has_digit(word: str) -> bool:
    return any(sign.isdigit() for sign in word)


@dataclass(frozen=True)
class AskedWords:
    """What a question asks to be read, in some kinds of places."""

    kinds: tuple[str, ...]
    words: tuple[str, ...] = ()  # those that say something, each once
    phrases: tuple[str, ...] = ()  # a photo that has all of them comes first
    are_all: bool = False  # the phrases, in quotes, are all that was asked

    @classmethod
    def of(cls, q: str, kinds: Collection[str]) -> "AskedWords":
        """`kinds`: where; in others than KINDS nobody reads.

        Where somebody may understand it, a long one is not read.
        """
        places = tuple(kind for kind in KINDS if kind in {*kinds})
        tokens = tokens_of(q)
        quoted = [one for one in QUOTED.findall(q) if tokens_of(one)]
        is_too_long = len(tokens) > MOST_WORDS and not quoted
        if not places or (is_too_long and len(places) < len({*kinds})):
            return cls(places)
        phrases = quoted or ([q] if _is_phrase(tokens) else [])
        beside = tokens_of(QUOTED.sub(" ", q))
        return cls(
            places,
            tuple(dict.fromkeys(_telling(tokens)))[:MOST_WORDS],
            tuple(" ".join(tokens_of(one)) for one in phrases),
            are_all=bool(quoted) and not beside,
        )

    def beside_names(self) -> "AskedWords":
        """The same, but for the names of photos."""
        return replace(self, kinds=tuple({*self.kinds} - {"name"}))

    def may_be_in(self, text: str) -> bool:
        """Whether a text, folded, has the letters of any.

        Most have none of them, and need not be divided
        into words to be told.
        """
        return any(all(part in text for part in its) for its in self._parts)

    @cached_property
    def _parts(self) -> list[list[str]]:
        """What words and phrases are made of in names."""
        asked = (*self.words, *self.phrases)
        return [words_of(one) for one in asked]

    def has(self, word: str) -> Either:
        """A photo has a word, or a name that begins with it."""
        found = [Condition(field, has_word=word) for field in self._fields()]
        if "name" in self.kinds and (parts := words_of(word)):
            longest = max(parts, key=len)
            is_long = len(longest) >= SHORTEST_BEGINNING
            field = "name_starts" if is_long else "name_words"
            found.append(Condition(field, has_word=longest))
        return Either(tuple(found))

    def has_all(self) -> Filter:
        """A photo has all words, each somewhere."""
        return Filter(tuple(self.has(word) for word in self.words))

    def has_phrases(self) -> Filter:
        """A photo has all phrases, each as a whole.

        The words are asked for as well: that has the store look
        at those photos alone.
        """
        words = dict.fromkeys(" ".join(self.phrases).split())
        return Filter(
            (
                *(self.has(word) for word in _telling([*words])),
                *(self._has_phrase(phrase) for phrase in self.phrases),
            )
        )

    def _has_phrase(self, phrase: str) -> Either:
        found = [Condition(field, phrase=phrase) for field in self._fields()]
        if "name" in self.kinds and (words := words_of(phrase)):
            found.append(Condition("name_words", phrase=" ".join(words)))
        return Either(tuple(found))

    def _fields(self) -> list[str]:
        return [one for kind in self.kinds for one in FIELDS.get(kind, ())]


def without_quotes(q: str) -> str:
    """A question as a model is asked it; as it is, if nothing else is in it."""
    return QUOTED.sub(r" \1 ", q).strip() or q


def _is_phrase(tokens: Sequence[str]) -> bool:
    """A word alone may mean something; a number, or several words, stand for it."""
    return len(tokens) > 1 or any(map(has_digit, tokens))


def _telling(tokens: Sequence[str]) -> list[str]:
    telling = [one for one in tokens if len(one) >= SHORTEST or has_digit(one)]
    return telling or [*tokens]
