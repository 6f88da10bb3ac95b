"""What decoders write while they read a photo is held, and reaches no terminal."""

import io
import os
import warnings

import pytest
from PIL import Image

from image_search.photos import read_photo
from image_search.quiet import LINES, held_remarks, one_line
from tests.harness import PHOTOS


def test_what_libraries_write_is_held(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Lines from C, and Python's warnings, come back each once; standard error is free after it."""
    with held_remarks() as remarks:
        os.write(2, b"Fax3Decode: Bad code word.\n" * 200)
        os.write(2, b"second\x1b[31m line\n")
        warnings.warn("Truncated File Read", stacklevel=1)
    assert remarks == [
        "Fax3Decode: Bad code word",
        "second [31m line",
        "Truncated File Read",
    ]
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"


def test_of_many_remarks_some_are_kept() -> None:
    """A photo that thousands of things are said of fills no log."""
    with held_remarks() as remarks:
        for number in range(30):
            os.write(2, b"line %d\n" % number)
    assert remarks[-1] == f"and {30 - LINES} more"
    assert len(remarks) == LINES + 1


def test_an_error_passes(capfd: pytest.CaptureFixture[str]) -> None:
    """What is raised meanwhile goes on, and standard error is what it was."""
    with pytest.raises(KeyError), held_remarks():
        raise KeyError
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"


def test_a_fax_with_bad_code_words(capfd: pytest.CaptureFixture[str]) -> None:
    """Libtiff's lines about a photo are with its reading, or its error."""
    photo = Image.open(PHOTOS / "cat.png").convert("1")
    buffer = io.BytesIO()
    photo.save(buffer, "TIFF", compression="group4")
    content = bytearray(buffer.getvalue())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\x5a" * 40
    reading = read_photo(bytes(content), 32)
    assert any("Fax" in remark for remark in reading.remarks)
    assert capfd.readouterr().err == ""


def test_one_line() -> None:
    """A remark has no line breaks, controls, or full stop at its end."""
    assert one_line("a\n b\t\0c.\n") == "a b c"
