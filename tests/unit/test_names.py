"""What photos are called: found by words of names and folders, the best first."""

from collections.abc import Iterator

import pytest

from image_search.name_words import words_of
from image_search.names import NameIndex, folders_called, similar_folders

PHOTOS = [
    "big/IMG_4006.JPG",
    "big/IMG_40061.JPG",
    "2024/summer/a.jpg",
    "2023/Summer/b c.jpg",
    "summer.png",
    "SwissAlps/DSC_0042.png",
    "Café/Straße 12.jpg",
    "東京タワー.jpg",
    "pages/HTMLPage2025.jpg",
    "20250101_12.jpg",
    "cat.png",
    "my cat.png",
    "category.png",
    'we"ird * AND/x\'y" NEAR.jpg',
]


@pytest.fixture(scope="module")
def index() -> Iterator[NameIndex]:
    index = NameIndex()
    index.follow(PHOTOS)
    yield index
    index.close()


@pytest.mark.parametrize("photo", PHOTOS)
def test_whatever_it_is_called_finds_it(index: NameIndex, photo: str) -> None:
    """Its name, with its suffix or without, its path, a folder of it, one word or its beginning."""
    name = photo.rpartition("/")[2]
    stem = name.rpartition(".")[0]
    words = words_of(photo)
    folders = {
        photo[: len(photo) - len(name)].strip("/"),
        photo.partition("/")[0],
    }
    questions = {name, stem, photo, photo.replace("/", "\\"), *folders - {""}}
    for question in {*questions, *words, *(word[:4] for word in words)}:
        assert photo in index.find(question, 100), question


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        # Whole names come first, then words, then beginnings of words.
        ("IMG_4006", ["big/IMG_4006.JPG", "big/IMG_40061.JPG"]),
        ("img4006", ["big/IMG_4006.JPG", "big/IMG_40061.JPG"]),
        ("big/img_4006.jpg", ["big/IMG_4006.JPG", "big/IMG_40061.JPG"]),
        ("cat", ["cat.png", "my cat.png", "category.png"]),
        ("cat.png", ["cat.png", "my cat.png", "category.png"]),
        # Folders: by a name, or by a path, whichever slash it has.
        ("2024/summer", ["2024/summer/a.jpg"]),
        ("/2024\\summer/", ["2024/summer/a.jpg"]),
        ("summer", ["summer.png", "2023/Summer/b c.jpg", "2024/summer/a.jpg"]),
        # Without case and accents; humps and numbers are words.
        ("SwissAlps", ["SwissAlps/DSC_0042.png"]),
        ("swissalps", ["SwissAlps/DSC_0042.png"]),
        ("alps swiss", ["SwissAlps/DSC_0042.png"]),
        ("html page", ["pages/HTMLPage2025.jpg"]),
        ("dsc 42", ["SwissAlps/DSC_0042.png"]),
        ("2025", ["pages/HTMLPage2025.jpg", "20250101_12.jpg"]),
        ("CAFE", ["Café/Straße 12.jpg"]),
        ("strasse", ["Café/Straße 12.jpg"]),
        ("タワー", ["東京タワー.jpg"]),
        # What SQLite would take for its own is a name as any other.
        ('we"ird', ['we"ird * AND/x\'y" NEAR.jpg']),
        ("x'y\" near", ['we"ird * AND/x\'y" NEAR.jpg']),
        # All words have to be there, and two letters are no beginning.
        ("a dog on the beach", []),
        ("summer cat", []),
        ("im", []),
        ("", []),
        ("?! *", []),
        ("OR NOT", []),
        (" ".join(["cat"] * 30), []),
    ],
)
def test_what_is_named_so_is_found(
    index: NameIndex, asked: str, found: list[str]
) -> None:
    """A name, a folder, or the beginnings of their words find photos, in that order."""
    assert index.find(asked, 100) == found


def test_a_folder_limits_it(index: NameIndex) -> None:
    """Only what lies in a folder is found there, and no more than is asked for."""
    assert index.find("img", 9, "big") == PHOTOS[:2]
    assert index.find("img", 1, "big") == PHOTOS[:1]
    assert index.find("summer", 9, "2024") == ["2024/summer/a.jpg"]
    # A folder of the same words is another one.
    assert index.find("summer", 9, "2024/Summer") == []


def test_it_follows_the_folder() -> None:
    """What goes is found no more, what comes is, and what stays is there once."""
    index = NameIndex()
    index.follow({"cat.png": 1, "dog.png": 1})
    index.follow({"cat.png": 2, "trips/cat.png": 1})
    assert index.find("cat", 9) == ["cat.png", "trips/cat.png"]
    assert index.find("dog", 9) == []
    index.follow({})
    assert index.find("cat", 9) == []
    index.close()


def test_the_folders_of_a_name() -> None:
    """A name finds the folders that bear it, a path those that end in it."""
    assert folders_called("SUMMER", PHOTOS) == ["2024/summer", "2023/Summer"]
    assert folders_called("2024/summer", PHOTOS) == ["2024/summer"]
    assert folders_called("2024", PHOTOS) == ["2024"]
    assert folders_called("sum", PHOTOS) == []
    assert folders_called("", PHOTOS) == []


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("a-d", ["A-D"]),
        ("TRIPS/rome", ["trips/Rome"]),
        ("rome", ["trips/Rome"]),
        ("2024/sumer", ["2024/summer"]),
        ("cafe", ["Café"]),
        ("nowhere", []),
    ],
)
def test_a_typo_is_near_to_a_folder(asked: str, meant: list[str]) -> None:
    """Case, accents, a missing beginning or letter lead to the folder that is meant."""
    folders = ["A-D", "trips", "trips/Rome", "2024/summer", "Café", "x/y/z"]
    assert similar_folders(asked, folders, 1) == meant


def test_words_are_what_stands_together() -> None:
    """Letters or digits, folded; signs of Chinese and Japanese each by itself."""
    assert words_of("IMG_4006 (2).JPEG") == ["img", "4006", "2", "jpeg"]
    assert words_of("Ünïcode-ŒŞ") == ["unicode", "œs"]
    assert words_of("東京2020") == ["東", "京", "2020"]
