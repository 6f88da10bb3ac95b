"""Photos found by words and by meaning become one list, by a rule that can be told."""

from hypothesis import given
from hypothesis import strategies as st

from image_search.fusion import Weights, fuse

IDS = st.lists(st.sampled_from("abcdefghij"), unique=True)


def test_rare_words_count_more() -> None:
    """One that few photos have is worth more, a number more than a word, a long word more."""
    weights = Weights.of({"invoice": 900, "4711": 1, "dog": 3}, 10_000)
    assert weights.strength(["4711"]) > 0.5
    assert weights.strength(["invoice"]) == weights.strength(["dog"]) == 0
    assert weights.strength(["invoice", "4711", "dog"]) > weights.strength(
        ["4711"]
    )
    rare, common = (
        Weights.of({"word": number}, 10_000).strength(["word"])
        for number in (1, 1000)
    )
    assert rare == 1
    assert 0 < common < 0.5


def test_a_part_of_a_sentence_is_there_by_chance() -> None:
    """A sign that has one word of it is worth nothing, however rare signs are."""
    words = {"dog": 1, "the": 1, "beach": 0}
    weights = Weights.of(words, 500)
    assert weights.strength(["dog"]) == weights.strength(["dog", "the"]) == 0
    assert weights.strength([*words]) > 0.5


@given(
    IDS,
    st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.floats(0.01, 1)),
)
def test_each_photo_comes_once(
    nearest: list[str], strengths: dict[str, float]
) -> None:
    """None is lost, and those without words keep their order."""
    fused = fuse(nearest, strengths, {}, is_all=True)
    assert sorted(fused.ids) == sorted({*nearest, *strengths})
    seen = [one for one in fused.ids if one not in strengths]
    assert seen == [one for one in nearest if one not in strengths]


def test_all_that_was_asked_in_rare_words_is_first() -> None:
    """Before what looks most like it; what is weak comes among the others, or not yet."""
    nearest = [str(number) for number in range(200)]
    assert fuse(nearest, {"x": 1.0}, {}, is_all=False).ids[0] == "x"
    among = fuse(nearest, {"x": 0.3}, {}, is_all=False).ids
    assert 10 < among.index("x") < 100
    assert "x" not in fuse(nearest, {"x": 0.05}, {}, is_all=False).ids
    assert fuse(nearest, {"x": 0.05}, {}, is_all=True).ids[-1] == "x"


def test_some_of_the_words_are_not_before_what_looks_most_like_it() -> None:
    """However rare they are; all of them are, and so is a number."""
    asked = Weights.of({"coffee": 1, "cup": 3}, 300)
    words = {"sign": ["coffee"], "both": ["coffee", "cup"]}
    found = asked.strengths(words, words)
    assert found.partly == {"sign"}
    nearest = ["seen", *map(str, range(50)), "sign"]
    fused = fuse(nearest, found.of_photos, {}, partly=found.partly, is_all=True)
    assert fused.ids[:3] == ["both", "seen", "sign"]

    asked = Weights.of({"invoice": 1, "4711": 1}, 300)
    words = {"page": ["4711"]}
    assert asked.strengths(words, words).partly == frozenset()
