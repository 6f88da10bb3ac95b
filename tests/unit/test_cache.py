"""Vectors and facts are known by what is in a photo, and a damaged cache is made anew."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from image_search.cache import EmbeddingCache, Known, Vector
from image_search.dates import Taken
from image_search.looks import PREPROCESSING
from image_search.metadata import Details
from image_search.photos import Facts

TAKEN = Taken("2019-05-01T12:00:00", "exif")
DETAILS: Details = {
    "camera": "Canon EOS 5D",
    "place": {"lat": 41.9, "lon": 12.5},
    "keywords": ["Rom", "Zoë"],
}
FACTS = Facts(30, 40, TAKEN, DETAILS)
DIGEST = hashlib.sha256(b"a photo").digest()


def vector_of(*numbers: float) -> Vector:
    return np.array(numbers, np.float32)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    cache = EmbeddingCache(
        tmp_path / "data" / "vectors.sqlite", lambda: "model"
    )
    yield cache
    cache.close()


@contextlib.contextmanager
def another(
    cache: EmbeddingCache, model: str = "model"
) -> Iterator[EmbeddingCache]:
    """The cache as another start of the app finds it, perhaps with another model."""
    second = EmbeddingCache(cache.file, lambda: model)
    yield second
    second.close()


def test_texts_are_known_by_what_read_them(cache: EmbeddingCache) -> None:
    """Another version of the reader reads anew; both are kept, also after a restart."""
    assert cache.text(1, DIGEST) is None
    cache.put_text(1, DIGEST, "[]")
    cache.put_text(2, DIGEST, '["EXIT"]')
    with another(cache) as second:
        assert second.text(1, DIGEST) == "[]"
        assert second.text(2, DIGEST) == '["EXIT"]'
        assert second.text(3, DIGEST) is None


def test_a_cache_knows_what_it_was_told(cache: EmbeddingCache) -> None:
    """What is kept is found again, by digest, also after a restart."""
    assert cache.known(DIGEST) == Known()
    vector = vector_of(0.6, 0.8)
    cache.keep(DIGEST, vector=vector, facts=FACTS, is_damaged=True)
    cache.keep(DIGEST, thumbhash="3EgKFwhpaIVP")
    with another(cache) as second:
        for opened in (cache, second):
            known = opened.known(DIGEST)
            assert np.array_equal(known.vector, vector)  # type: ignore[arg-type]
            assert known.facts == FACTS
            assert known.thumbhash == "3EgKFwhpaIVP"
            assert known.is_damaged
            assert opened.known(b"of another photo") == Known()


def test_a_photo_is_damaged_until_it_is_told_not_to_be(
    cache: EmbeddingCache,
) -> None:
    """What is kept of it besides says nothing about that."""
    cache.keep(DIGEST, is_damaged=True)
    cache.keep(DIGEST, facts=FACTS)
    assert cache.known(DIGEST).is_damaged
    cache.keep(DIGEST, is_damaged=False)
    assert not cache.known(DIGEST).is_damaged


@pytest.mark.parametrize("taken", [None, TAKEN])
def test_facts_come_back_as_they_were(
    taken: Taken | None, cache: EmbeddingCache
) -> None:
    """A photo without a date has none afterwards either."""
    facts = Facts(1, 2, taken)
    cache.keep(DIGEST, facts=facts)
    assert cache.known(DIGEST).facts == facts


def test_each_model_has_vectors_of_its_own(cache: EmbeddingCache) -> None:
    """One model never finds another's vectors; what a photo is holds for all."""
    assert not cache.has_vectors()
    assert not cache.file.exists()
    cache.keep(DIGEST, vector=vector_of(1, 0))
    cache.keep(DIGEST, facts=FACTS)
    assert cache.has_vectors()
    with another(cache, "another model") as second:
        assert not second.has_vectors()
        assert second.known(DIGEST).vector is None
        assert second.known(DIGEST).facts == FACTS
        second.keep(DIGEST, vector=vector_of(0, 1))
    found = cache.known(DIGEST).vector
    assert found is not None
    assert found.tolist() == [1, 0]


def test_the_last_vector_counts(cache: EmbeddingCache) -> None:
    """To put a vector again replaces the first, and is no error."""
    for number in range(3):
        cache.keep(DIGEST, vector=vector_of(number, 1))
    found = cache.known(DIGEST).vector
    assert found is not None
    assert found.tolist() == [2, 1]


def test_a_cache_is_used_by_many_at_once(cache: EmbeddingCache) -> None:
    """Threads and processes that use one database get the answers to their own."""
    with another(cache) as second, ThreadPoolExecutor(8) as pool:

        def put_and_ask(number: int) -> bool:
            mine = (cache, second)[number % 2]
            mine.keep(bytes([number]), vector=vector_of(number))
            found = mine.known(bytes([number])).vector
            return found is not None and found.tolist() == [number]

        assert all(pool.map(put_and_ask, range(100)))


def break_all(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def break_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[2000:-100] = b"\xff" * (len(content) - 2100)
    file.write_bytes(content)


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [break_all, break_the_middle, cut_off])
def test_a_damaged_database_is_made_anew(
    damage: Callable[[Path], None], cache: EmbeddingCache
) -> None:
    """What is broken can be computed again: the app goes on with an empty table."""
    for number in range(200):
        cache.keep(bytes([number]), vector=np.ones(24, np.float32))
    cache.close()
    damage(cache.file)
    for number in range(200):
        cache.known(bytes([number]))
    cache.keep(DIGEST, vector=vector_of(0.6, 0.8))
    cache.keep(DIGEST, facts=FACTS)
    cache.close()
    with another(cache) as second:
        assert second.known(DIGEST).vector is not None
        assert second.known(DIGEST).facts == FACTS


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """Where DATA_DIR can't be written to, the start is told, and nothing is deleted."""
    in_the_way = tmp_path / "data"
    in_the_way.write_text("not a folder")
    cache = EmbeddingCache(in_the_way / "vectors.sqlite", lambda: "model")
    with pytest.raises(OSError, match="data"):
        cache.open()
    folder = tmp_path / "vectors.sqlite"
    folder.mkdir()
    with pytest.raises(sqlite3.OperationalError):
        EmbeddingCache(folder, lambda: "model").open()
    assert in_the_way.read_text() == "not a folder"
    assert folder.is_dir()


def write_old_layout(
    file: Path, model: str, digest: bytes, vector: Vector
) -> None:
    """Write a database as the versions did that kept no facts."""
    file.parent.mkdir(parents=True)
    with contextlib.closing(
        sqlite3.connect(file, isolation_level=None)
    ) as database:
        database.executescript("""
            PRAGMA journal_mode = WAL;
            CREATE TABLE vectors
                (model, photo, vector, PRIMARY KEY (model, photo)) WITHOUT ROWID;
        """)
        space = f"{model}/{PREPROCESSING}"
        database.execute(
            "INSERT INTO vectors VALUES (?, ?, ?)", (space, digest, vector)
        )


def test_an_older_database_is_used_on(cache: EmbeddingCache) -> None:
    """Vectors of a version that kept no facts are found, and facts can be added."""
    write_old_layout(cache.file, "model", DIGEST, vector_of(0.6, 0.8))
    found = cache.known(DIGEST).vector
    assert found is not None
    assert found.tolist() == pytest.approx([0.6, 0.8])
    assert cache.known(DIGEST).facts is None
    cache.keep(DIGEST, facts=FACTS)
    assert cache.known(DIGEST).facts == FACTS


def test_facts_of_a_version_that_knew_less_are_read_anew(
    cache: EmbeddingCache,
) -> None:
    """Its vectors are used on; what it told of a header is not all there is to tell."""
    cache.keep(DIGEST, vector=vector_of(0.6, 0.8))
    cache.close()
    with contextlib.closing(
        sqlite3.connect(cache.file, isolation_level=None)
    ) as database:
        database.executescript("""
            DROP TABLE headers;
            CREATE TABLE facts
                (version, photo, width, height, taken, PRIMARY KEY (version, photo))
                WITHOUT ROWID;
        """)
        row = 1, DIGEST, 30, 40, "2019-05-01T12:00:00"
        database.execute("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", row)
    with another(cache) as second:
        assert second.known(DIGEST).vector is not None
        assert second.known(DIGEST).facts is None
        second.keep(DIGEST, facts=FACTS)
        assert second.known(DIGEST).facts == FACTS
