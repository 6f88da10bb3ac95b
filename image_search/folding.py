"""Which photos of an answer are nearly the same as one before: copies, bursts.

A model's cosine alone does not tell: it is as high for two
beaches as for a photo and its small copy. Nor does the layout
of light and colour alone. Measured with the starter model on
220 photos (24,090 pairs): both together take no two different
ones for one, and find 78 % of copies of other sizes, 83 % of
those compressed anew, 83 % of a burst. Pages of text and night
skies all look alike from afar, so they fold by their digests
alone. So do signs and whiteboards: where words were read on
two photos, these have to be mostly the same.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from image_search.placeholder import LAYOUT_LENGTH, MEANS, layout_of
from image_search.points import Payload

LEAST_COSINE = 0.8
# Of two layouts: their distance, and how alike their waves are.
MOST_APART = 0.12
LEAST_ALIKE = 0.9
# The waves of a photo that can be told from others by them.
LEAST_CONTRAST = 0.1
MOST_STRETCHED = 0.03  # by which the sides' ratios may differ
# Of fewer words on a photo nothing is told: some may be none.
TELLING_WORDS = 3
LEAST_SHARED = 0.5  # of the words, where a reader errs

Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
Table = np.ndarray[tuple[int, ...], np.dtype[Any]]
Places = np.ndarray[tuple[int], np.dtype[np.intp]]


def fold(
    payloads: Sequence[Payload], vectors: Sequence[Vector | None], most: int
) -> list[list[int]]:
    """Group photos, in order, by which are nearly equal to the first of their group.

    Each group has the places of its photos. It ends before
    the photo that would begin a group more than `most`: the
    groups hold all that comes before, each photo once.
    """
    if not payloads:
        return []
    equal = nearly_equal(payloads, vectors)
    leaders: list[int] = []
    groups: list[list[int]] = []
    for place in range(len(payloads)):
        its = np.flatnonzero(equal[place, leaders])
        if its.size:
            groups[its[0]].append(place)
        elif len(groups) == most:
            break
        else:
            leaders.append(place)
            groups.append([place])
    return groups


def nearly_equal(
    payloads: Sequence[Payload], vectors: Sequence[Vector | None]
) -> Table:
    """Which of n photos are nearly equal: booleans of shape (n, n).

    `vectors`: of shape (d,), of unit length, or None.
    """
    digests = np.array([payload.sha256 for payload in payloads])
    alike = _are_alike(vectors) & _are_laid_out_alike(payloads)
    for one, other in np.argwhere(alike):
        alike[one, other] = say_the_same(
            payloads[one].text, payloads[other].text
        )
    return np.asarray((digests[:, None] == digests) | alike)


def say_the_same(one: str | None, other: str | None) -> bool:
    """Whether the words on two photos let them be one."""
    words = [{*(text or "").casefold().split()} for text in (one, other)]
    fewer = min(map(len, words))
    if fewer < TELLING_WORDS:
        return True
    return len(set.intersection(*words)) >= LEAST_SHARED * fewer


def _are_alike(vectors: Sequence[Vector | None]) -> Table:
    """By the model."""
    length = max(0 if one is None else len(one) for one in vectors)
    none = np.zeros(length)
    table = np.array([none if one is None else one for one in vectors])
    return np.asarray(table @ table.T >= LEAST_COSINE)


def _are_laid_out_alike(payloads: Sequence[Payload]) -> Table:
    """By shape, light and colours; not without a ThumbHash, as of earlier versions."""
    layouts = Layouts.of(
        [(one.thumbhash, one.width, one.height) for one in payloads]
    )
    alike = np.zeros((len(payloads), len(payloads)), np.bool_)
    alike[layouts.pairs(layouts)] = True
    return alike


class Layouts(NamedTuple):
    """The shape, light and colours of n photos."""

    table: Vector  # of shape (n, 67)
    stretch: Vector  # of shape (n,): the logarithm of the sides' ratio
    contrast: Vector  # of shape (n,)

    @classmethod
    def of(cls, looks: Sequence[tuple[str | None, int, int]]) -> "Layouts":
        """Of ThumbHashes, widths and heights."""
        table = np.zeros((len(looks), LAYOUT_LENGTH), np.float32)
        for place, (thumbhash, *_) in enumerate(looks):
            if thumbhash:
                table[place] = layout_of(thumbhash)
        ratios = [max(1, width) / max(1, height) for _, width, height in looks]
        stretch = np.log(np.array(ratios, np.float32))
        return cls(table, stretch, np.linalg.norm(table[:, MEANS:], axis=1))

    def some(self, places: Any) -> "Layouts":
        """Those at some places."""
        return Layouts(*(column[places] for column in self))

    def can_be_told(self) -> Table:
        """Which have so much contrast: booleans of shape (n,)."""
        return np.asarray(self.contrast >= LEAST_CONTRAST)

    def pairs(self, others: "Layouts") -> tuple[Places, Places]:
        """Which are alike: their places here, and there, in order."""
        squares = (self.table**2).sum(1)
        their_squares = (others.table**2).sum(1)
        apart = (
            squares[:, None] + their_squares - 2 * self.table @ others.table.T
        )
        # Few are left, and the rest is looked at for these alone.
        here, there = np.nonzero(apart <= MOST_APART**2)
        waves = self.table[here, MEANS:], others.table[there, MEANS:]
        contrasts = self.contrast[here], others.contrast[there]
        alike = np.einsum("ij,ij->i", *waves)
        stretched = np.abs(self.stretch[here] - others.stretch[there])
        are_pairs = (
            (alike >= LEAST_ALIKE * np.maximum(np.multiply(*contrasts), 1e-9))
            & (np.minimum(*contrasts) >= LEAST_CONTRAST)
            & (stretched <= MOST_STRETCHED)
        )
        return here[are_pairs], there[are_pairs]
