"""What is read is put into order, and what only looks like letters is left out."""

import pytest

from image_search.text_lines import (
    TextLine,
    believed,
    dump_lines,
    in_reading_order,
    load_lines,
    payload_of,
    written_in,
)


def line(
    text: str, left: float = 0.1, top: float = 0.1, confidence: float = 0.99
) -> TextLine:
    right, bottom = left + 0.2, top + 0.05
    box = (left, top, right, top, right, bottom, left, bottom)
    return TextLine(text, box, confidence)


def texts(lines: list[TextLine]) -> list[str]:
    return [line.text for line in lines]


def test_lines_are_in_the_order_of_reading() -> None:
    """From the top; those beside each other from the left, though one is a little lower."""
    lines = [
        line("Total", 0.1, 0.5),
        line("12.30", 0.6, 0.29),
        line("Coffee", 0.1, 0.3),
        line("RECEIPT", 0.3, 0.1),
    ]
    read = texts(in_reading_order(lines))
    assert read == ["RECEIPT", "Coffee", "12.30", "Total"]


@pytest.mark.parametrize(
    ("text", "confidence", "is_believed"),
    [
        ("Invoice 4711", 0.75, True),
        ("Did eent nr", 0.64, False),
        ("EXIT", 0.71, True),
        ("43", 0.57, False),
        ("43", 0.9, True),
        ("★", 0.99, False),
        ("O", 0.99, False),
        ("", 0.0, False),
        ("Größe", 0.8, True),
    ],
)
def test_what_is_likely_no_text_is_left_out(
    text: str, confidence: float, *, is_believed: bool
) -> None:
    """The shorter a line, the surer it has to be; one letter alone is none."""
    kept = believed([line(text, confidence=confidence)])
    assert texts(kept) == ([text] if is_believed else [])


def test_a_single_letter_counts_beside_others() -> None:
    """A "2" of a receipt, if it is sure."""
    lines = [line("Coffee"), line("2"), line("l", confidence=0.6)]
    assert texts(believed(lines)) == ["Coffee", "2"]


def test_letters_of_other_languages_are_left_out() -> None:
    """Where OCR_LANGUAGES names some: what is written in no letters of theirs is none."""
    lines = [line("Straße 7"), line("出口"), line("EXIT 出口"), line("47.11")]
    assert texts(written_in([], lines)) == texts(lines)
    assert texts(written_in(["de"], lines)) == ["Straße 7", "47.11"]
    assert texts(written_in(["ch", "en"], lines)) == texts(lines)


def test_what_is_kept_comes_back() -> None:
    """Lines as they were, of any letters."""
    lines = [line("Größe 出口"), line('"quoted"')]
    assert load_lines(dump_lines(lines)) == lines


def test_a_point_has_its_lines_side_by_side() -> None:
    """Text, corners and confidences, as many of each; no text is a text, too."""
    payload = payload_of([line("one"), line("two", 0.5)], 7)
    assert payload["text"] == "one\ntwo"
    assert [len(box) for box in payload["text_boxes"]] == [8, 8]
    assert payload["text_confidences"] == [0.99, 0.99]
    assert payload["text_read"] == 7
    assert payload_of([], 7)["text"] == ""
