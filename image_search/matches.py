"""Which words of a question a photo has, and where."""

from collections.abc import Callable, Collection, Sequence

from image_search.asked_words import SHORTEST_BEGINNING, AskedWords, tokens_of
from image_search.name_words import folded, name_words, words_of
from image_search.points import Payload

# The words that were found, by the kind of the place.
Matches = dict[str, list[str]]


def matches_of(
    payload: Payload,
    asked: AskedWords,
    is_enough: Callable[[Collection[str]], bool],
) -> Matches:
    """The words that a photo has in each place; not those there by chance.

    `is_enough`: whether so many of the words are no chance.
    """
    found: Matches = {}
    for kind in asked.kinds:
        text = _text_at(kind, payload)
        if not text or not asked.may_be_in(folded(text)):
            continue
        there = _words_in(kind, text)
        same = [one for one in asked.words if _has(kind, there, one)]
        phrases = [
            phrase for phrase in asked.phrases if _is_in(kind, there, phrase)
        ]
        if not (phrases or (same and is_enough(same))):
            continue
        told = [*" ".join(phrases).split(), *same]
        if kind == "name":
            told = words_of(" ".join(told))
        found[kind] = [*dict.fromkeys(told)]
    # Those with most of the words first.
    return dict(sorted(found.items(), key=lambda one: -len(one[1])))


def _text_at(kind: str, payload: Payload) -> str:
    if kind == "name":
        return payload.filename
    if kind == "text":
        return payload.text or ""
    details = payload.details
    told = [details.get("title"), details.get("description")]
    told += details.get("keywords") or []
    return "\n".join(str(one) for one in told if one)


def _words_in(kind: str, text: str) -> list[str]:
    return name_words(text).split() if kind == "name" else tokens_of(text)


def _has(kind: str, there: Sequence[str], word: str) -> bool:
    if kind != "name":
        return word in there
    return all(_begins(there, part) for part in words_of(word))


def _begins(there: Sequence[str], word: str) -> bool:
    """It is one of these words, or long enough to stand for how one begins."""
    if len(word) < SHORTEST_BEGINNING:
        return word in there
    return any(one.startswith(word) for one in there)


def _is_in(kind: str, there: Sequence[str], phrase: str) -> bool:
    words = words_of(phrase) if kind == "name" else phrase.split()
    return f" {' '.join(words)} " in f" {' '.join(there)} "
