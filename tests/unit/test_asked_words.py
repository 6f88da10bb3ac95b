"""A question's words, and what of it has to stand as it is written."""

import pytest

from image_search.asked_words import KINDS, AskedWords, without_quotes


@pytest.mark.parametrize(
    ("q", "words", "phrases", "are_all"),
    [
        ("dog", ["dog"], [], False),
        ("4006", ["4006"], ["4006"], False),
        ("IMG_4006", ["img", "4006"], ["img 4006"], False),
        (
            "a dog on the beach",
            ["dog", "the", "beach"],
            ["a dog on the beach"],
            False,
        ),
        ('"exit only"', ["exit", "only"], ["exit only"], True),
        ('"Exit only" at night', ["exit", "only", "night"], ["exit only"], False),
        ("„Café Zürich“", ["cafe", "zurich"], ["cafe zurich"], True),
        ('"one two" «three»', ["one", "two", "three"], ["one two", "three"], True),
        ('19" rack', ["19", "rack"], ['19 rack'], False),
        ('""', [], [], False),
        ("?!", [], [], False),
        ("to be", ["to", "be"], ["to be"], False),
        ("word " * 3, ["word"], ["word word word"], False),
    ],
)  # fmt: skip
def test_a_question_is_read(
    q: str, words: list[str], phrases: list[str], *, are_all: bool
) -> None:
    """Small words say nothing beside others; several, a number, or quotes make a phrase."""
    asked = AskedWords.of(q, KINDS)
    assert [*asked.words] == words
    assert [*asked.phrases] == phrases
    assert asked.are_all is are_all


def test_a_long_question_is_no_name() -> None:
    """Only what is in quotes is looked for then."""
    long = "what i saw that day with all of them in the old town"
    ways = ("meaning", *KINDS)
    assert AskedWords.of(long, ways).words == ()
    assert AskedWords.of(f'{long} "exit only"', ways).phrases == ("exit only",)
    # Unless it is all that can be done.
    assert AskedWords.of(long, KINDS).words[:2] == ("what", "saw")


def test_a_model_is_asked_without_quotes() -> None:
    """They mean nothing to it; what has no pair may."""
    assert without_quotes('"exit only" at night') == "exit only  at night"
    assert without_quotes('19" rack') == '19" rack'
