"""The words of names: what a photo and its folders are called, as people say it.

    2024/SwissAlps/IMG_0042.jpg
    -> 2024 swiss alps img 0042 jpg swissalps 42

A word is what letters or digits stand together, without
case and accents.
"""

import re
import unicodedata

# Written without spaces, so that each sign is a word.
CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"\d+|[{CJK}]|[^\W\d_{CJK}]+")
# Of the alphabets that have both: Latin, Greek, Cyrillic.
LOWER = r"a-z\u03b1-\u03c9\u0430-\u044f"
UPPER = r"A-Z\u0391-\u03a9\u0410-\u042f"
# Within a word: swiss|Alps, and HTML|Page.
HUMP = re.compile(
    rf"(?<=[{LOWER}])(?=[{UPPER}])|(?<=[{UPPER}])(?=[{UPPER}][{LOWER}])"
)


def without_accents(text: str) -> str:
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return "".join(one for one in apart if not unicodedata.combining(one))


def folded(text: str) -> str:
    """Without case and accents: Zürich and ZURICH are zurich."""
    return without_accents(text).casefold()


def words_of(text: str) -> list[str]:
    """The words of a name or a question, in its order."""
    return WORD.findall(folded(text))


def parts_of(text: str) -> set[str]:
    """What words of a name are made of: humps, and numbers without zeros."""
    parts: set[str] = set()
    for word in WORD.findall(without_accents(text)):
        shorter = word.lstrip("0") if word.isdigit() else word
        found = HUMP.split(shorter)
        if found != [word]:
            parts.update(one.casefold() for one in found if one)
    return parts


def name_words(filename: str) -> str:
    """All by which a photo is found that is called so, below its folders.

    First the words in their order, then the other forms of
    some: humps as one word, numbers without their zeros.
    """
    found: list[str] = []
    for word in WORD.findall(without_accents(filename)):
        found += [one.casefold() for one in HUMP.split(word)]
    others = {*words_of(filename), *parts_of(filename)}
    return " ".join([*found, *sorted(others - {*found})])
