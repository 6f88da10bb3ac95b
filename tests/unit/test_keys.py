"""Keys: what is made opens, nothing else does, and no line of their file is repeated."""

import pytest

from image_search.keys import Keys, make_key, read_keys


def test_a_key_opens_by_its_line() -> None:
    """The line that is made with a key lets in that key, by its name, and none other."""
    key, line = make_key("laptop")
    other, _ = make_key("laptop")
    keys, wrong = read_keys(line)
    assert wrong == []
    assert keys.name_of(key) == "laptop"
    for not_it in (
        other,
        "",
        key[:-1],
        key + " ",
        line,
        line.partition(":")[2],
    ):
        assert keys.name_of(not_it) is None


def test_a_line_tells_no_key() -> None:
    """Keys are long and random, and what the file has of them is a hash."""
    made = {make_key("a")[0] for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 43  # 256 bits
    key, line = make_key("a")
    assert key not in line


def test_a_file_has_many_keys() -> None:
    """Comments and empty lines are none; a name may have two keys, for a change of them."""
    (old, first), (new, second) = make_key("nas"), make_key("nas")
    phone, third = make_key("phone")
    lines = ["# mine", "", f"  {first} ", second, "\t# more", third.upper()]
    keys, wrong = read_keys("\r\n".join(lines))
    assert len(keys) == 3
    assert wrong == []
    assert [keys.name_of(key) for key in (old, new)] == ["nas", "nas"]
    assert keys.name_of(phone) == "PHONE"


@pytest.mark.parametrize(
    "line",
    [
        "a secret that was put there by mistake",
        "laptop:",
        ":" + "a" * 64,
        "laptop:" + "a" * 63,
        "laptop:" + "g" * 64,
        "two words:" + "a" * 64,
        "müller:" + "a" * 64,
        "a" * 65 + ":" + "a" * 64,
        "laptop:" + "a" * 64 + " # mine",
        "laptop:" + "a" * 64 + "\0",
    ],
)
def test_a_wrong_line_is_named_by_its_number(line: str) -> None:
    """It opens nothing, and what is said of it does not repeat it; the other lines hold."""
    key, good = make_key("good")
    keys, [said] = read_keys(f"# head\n{line}\n{good}\n")
    assert said.startswith("line 2 ")
    assert line not in said
    assert keys.name_of(key) == "good"
    assert len(keys) == 1


def test_one_key_has_one_name() -> None:
    """The same hash twice is said: whose requests they are would be anybody's guess."""
    _, line = make_key("one")
    hashed = line.partition(":")[2]
    keys, [said] = read_keys(f"{line}\ntwo:{hashed}")
    assert "line 2" in said
    assert len(keys) == 1


def test_no_keys_open_nothing() -> None:
    """An empty file lets nobody in."""
    keys, wrong = read_keys("# none yet\n")
    assert (len(keys), wrong, keys.name_of("")) == (0, [], None)
    assert Keys({}).name_of("anything \udcff") is None


@pytest.mark.parametrize(
    "name", ["", "two words", "a:b", "-a", "a\n", "a" * 65, "é"]
)
def test_a_name_that_no_file_has_is_refused(name: str) -> None:
    """What would make a wrong line makes no key."""
    with pytest.raises(ValueError, match="a name has up to 64"):
        make_key(name)
