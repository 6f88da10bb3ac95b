"""Which words of a question a photo has, found out without taking most texts apart."""

import random

from hypothesis import given
from hypothesis import strategies as st

from image_search.asked_words import KINDS, AskedWords, tokens_of
from image_search.matches import matches_of
from image_search.name_words import folded, name_words
from image_search.points import Payload

# Letters of several alphabets, case, accents, ligatures, digits, and what divides words.
NAMES = st.text(
    st.sampled_from("aZßéÉﬁŉİΐΣςЙ東京ｶﾞ09²½٣ _-./"), min_size=1, max_size=12
)


def photo(filename: str, text: str = "") -> Payload:
    return Payload.model_validate(
        {
            "filename": filename,
            "width": 1,
            "height": 1,
            "taken": "2024-01-01",
            "sha256": "0",
            "text": text,
        }
    )


@given(text=NAMES, seed=st.integers(0, 99))
def test_no_word_is_overlooked(text: str, seed: int) -> None:
    """Whatever is a word of a name or a text, or begins one, may be in it as far as is seen."""
    chance = random.Random(seed)
    tokens, words = tokens_of(text), name_words(text).split()
    beginnings = [word[: chance.randint(1, len(word))] for word in words]
    for word in (*tokens, *words, *beginnings, " ".join(tokens)):
        asked = AskedWords(KINDS, words=(word,))
        assert asked.may_be_in(folded(text))
        asked = AskedWords(KINDS, phrases=(word,))
        assert asked.may_be_in(folded(text))
    found = matches_of(photo(text, text), AskedWords.of(text, KINDS), bool)
    assert {*found} == ({"name", "text"} if tokens else set())


def test_what_has_none_of_the_words_has_no_matches() -> None:
    """Nor what has their letters somewhere, but not as words."""
    for q in ("cat", "cat 12", '"a cat"'):
        asked = AskedWords.of(q, KINDS)
        for one in ("a/dog.jpg", "a/concat.jpg"):
            assert matches_of(photo(one, "a concatenation"), asked, bool) == {}
