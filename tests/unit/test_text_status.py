"""The status tells how far the words on photos are read, by whom it is asked."""

import asyncio

from image_search.filters import EVERYTHING, Filter
from image_search.status import Equipment, StatusBoard
from image_search.store_errors import StoreRefuses
from image_search.text_model import TextModel
from image_search.text_status import Words, WordsBoard
from tests.unit.memory_store import MemoryStore

EQUIPMENT = Equipment(model="", device="", precision="", store="")


def told(store: MemoryStore, words: WordsBoard | None) -> Words | None:
    board = StatusBoard(store, EQUIPMENT)
    board.words = words
    return asyncio.run(board.refresh()).words


def filled() -> MemoryStore:
    """Photos read by this version, by another, by none; and one that can't be read."""
    store = MemoryStore()
    store.put("a.jpg", text="EXIT", text_read=TextModel().version)
    store.put("b.jpg", text="", text_read=TextModel(("en",)).version)
    store.put("c.jpg")
    store.put("d.jpg", error="it is cut off")
    return store


def test_who_reads_tells_of_its_own_version() -> None:
    """What another one read is still to be read."""
    words = WordsBoard.of(TextModel(("en",)), reads=True)
    assert told(filled(), words) == Words(
        read=1, photos=3, languages=["en"], trouble=""
    )


def test_who_only_searches_tells_what_there_is() -> None:
    """Whatever read it."""
    words = WordsBoard.of(TextModel(), reads=False)
    now = told(filled(), words)
    assert now is not None
    assert (now.read, now.photos, now.languages) == (2, 3, None)


def test_trouble_is_told() -> None:
    """That of the reader; null says that nobody is to read."""
    words = WordsBoard.of(TextModel(), reads=True)
    words.trouble = "Words on photos can't be read."
    now = told(filled(), words)
    assert now is not None
    assert now.trouble == words.trouble
    assert told(filled(), None) is None


def test_who_finds_nothing_is_told_how_far_it_is() -> None:
    """Until the words on all photos are read; nobody waits where none are."""
    board = StatusBoard(filled(), EQUIPMENT)
    assert board.unread() is None
    board.words = WordsBoard.of(TextModel(), reads=True)
    assert board.unread() == "1 of 3"
    board.store.delete(EVERYTHING)
    assert board.unread() is None


def test_a_collection_without_the_index_says_so() -> None:
    """A server in strict mode refuses, and all else of the status is told."""

    class StrictStore(MemoryStore):
        def count(self, where: Filter = EVERYTHING) -> int:
            if any("text_read" in repr(one) for one in where.must):
                raise StoreRefuses("An index is missing.")
            return 4

    now = told(StrictStore(), WordsBoard.of(TextModel(), reads=True))
    assert now is not None
    assert (now.read, now.trouble) == (0, "An index is missing.")
