"""Lines of text that were read on a photo: which are believed, in which order."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

# Leaves, waves and windows look like letters here and there. By how many letters
# and digits a line has, the confidence that it takes; measured on photos without any.
LEAST_CONFIDENCE = {2: 0.85, 3: 0.85}
LEAST_OF_LONGER = 0.7
LEAST_OF_ONE = 0.95  # and then only beside other lines
# Languages that are not written in Latin letters, and what is in their letters' names.
SCRIPTS = {
    "ch": ("CJK",),
    "chinese_cht": ("CJK",),
    "japan": ("CJK", "HIRAGANA", "KATAKANA"),
}


class TextLine(NamedTuple):
    """One line, and where it is.

    `box`: its corners as x and y by turns, clockwise from its own top left, as
    fractions of the upright photo's width and height.
    """

    text: str
    box: tuple[float, ...]
    confidence: float  # 0 to 1


def believed(lines: Sequence[TextLine]) -> list[TextLine]:
    """Those that are likely letters, and nothing that looks like some."""
    sure = [line for line in lines if _is_likely(line)]
    if not sure:
        return []
    return [
        line
        for line in lines
        if _is_likely(line)
        or (_letters(line) == 1 and line.confidence >= LEAST_OF_ONE)
    ]


def written_in(
    languages: Iterable[str], lines: Iterable[TextLine]
) -> list[TextLine]:
    """Those in the letters of these languages; all if there are none."""
    names = [*languages]
    if not names:
        return [*lines]
    scripts = {"LATIN"}
    for name in names:
        scripts.update(SCRIPTS.get(name, ()))
    return [line for line in lines if _scripts_of(line.text) <= scripts]


def in_reading_order(lines: Iterable[TextLine]) -> list[TextLine]:
    """From the top, and in a row from the left."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=_middle):
        if rows:
            first = rows[-1][0]
            height = min(_height(first), _height(line))
            if _middle(line) - _middle(first) < height / 2:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=_left)]


def payload_of(lines: Sequence[TextLine], version: int) -> dict[str, Any]:
    """What a point says of a photo's text. `version`: of what read it."""
    return {
        "text": "\n".join(line.text for line in lines),
        "text_boxes": [[*line.box] for line in lines],
        "text_confidences": [line.confidence for line in lines],
        "text_read": version,
    }


def dump_lines(lines: Sequence[TextLine]) -> str:
    """As one string, to be kept."""
    return json.dumps(lines, ensure_ascii=False)


def load_lines(kept: str) -> list[TextLine]:
    """What was kept."""
    return [
        TextLine(text, tuple(box), confidence)
        for text, box, confidence in json.loads(kept)
    ]


def _is_likely(line: TextLine) -> bool:
    letters = _letters(line)
    least = LEAST_CONFIDENCE.get(letters, LEAST_OF_LONGER)
    return letters > 1 and line.confidence >= least


def _letters(line: TextLine) -> int:
    return sum(one.isalnum() for one in line.text)


def _scripts_of(text: str) -> set[str]:
    """The first words of its letters' names, as LATIN."""
    return {
        unicodedata.name(one, "?").split()[0] for one in text if one.isalpha()
    }


def _middle(line: TextLine) -> float:
    return sum(line.box[1::2]) / 4


def _left(line: TextLine) -> float:
    return min(line.box[::2])


def _height(line: TextLine) -> float:
    ys = line.box[1::2]
    # That of its left and right edges, however it is turned.
    return (abs(ys[3] - ys[0]) + abs(ys[2] - ys[1])) / 2
