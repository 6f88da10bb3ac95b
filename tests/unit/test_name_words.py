"""The words of a name are those by which a person asks for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_search.name_words import name_words, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IMG_4006.JPG", "img 4006 jpg"),
        ("2024/summer/a.jpg", "2024 summer a jpg"),
        ("SwissAlps/DSC_0042.png", "swiss alps dsc 0042 png 42 swissalps"),
        ("pages/HTMLPage2025.jpg", "pages html page 2025 jpg htmlpage"),
        ("Café/Straße 12.jpg", "cafe strasse 12 jpg"),
        ("Łąka-Μόναχο.jpg", "łaka μοναχο jpg"),
        ("東京 3.jpg", "東 京 3 jpg"),
        ("a--b__c.x.webp", "a b c x webp"),
        ("…", ""),
    ],
)
def test_a_name_is_split_as_people_say_it(name: str, words: str) -> None:
    """At punctuation, digits and humps; what is asked as one word is there as one, too."""
    assert name_words(name) == words


@given(st.text(st.characters(codec="utf-8")))
def test_a_name_has_its_own_words(name: str) -> None:
    """Whoever types a name as it is written finds each word of it."""
    assert {*words_of(name)} <= {*name_words(name).split()}
