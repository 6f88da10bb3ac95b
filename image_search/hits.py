"""What a search answers: photos, and what is known of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from image_search.folding import fold
from image_search.kinds import browsers_show
from image_search.metadata import Details
from image_search.store import Point
from image_search.thumbnails import version_of


class Hit(BaseModel):
    """A photo that was found.

    Its file is /img/<filename>, a small copy /thumb/<filename>. With `v=<version>` in
    their addresses browsers keep them for good.
    """

    filename: str = Field(description="Its path below the image folder.")
    score: float | None = Field(
        description="Cosine with the query, -1 to 1; null without one."
    )
    width: int = Field(description="Pixels, upright.")
    height: int
    taken: datetime = Field(description="Local time.")
    taken_from: str | None = Field(
        description="Where that is told: exif, xmp, iptc, text (of a PNG), or"
        " file: when it was last written."
    )
    version: str = Field(description="Changes with what is in the file.")
    damaged: bool = Field(
        description="Whether a part of the file is missing, or wrong."
    )
    in_browsers: bool = Field(
        description="Whether all browsers show the file itself, by its name and"
        " size; of others they show /thumb/<filename>?size=full."
    )
    details: Details = Field(description="What else its header tells.")
    thumbhash: str | None = Field(
        description="A picture of it in 25 bytes, a ThumbHash in base64."
    )
    why: list[Literal["name", "text", "description", "meaning"]] | None = Field(
        None,
        description="By what `q` found it, the weightiest first; null without `q`.",
    )
    matches: dict[str, list[str]] | None = Field(
        None,
        description="The words of `q` that it has: in its `name`, in the `text` on it,"
        " in its `description` (title, description and keywords).",
    )
    similar: list["Hit"] = Field(
        [], description="With `fold`: nearly the same photos, as they follow."
    )

    @property
    def is_by_words(self) -> bool:
        """Whether its name, or its words, tell more than what is seen on it."""
        return bool(self.why) and "meaning" not in (self.why or [])[:1]


class SearchResponse(BaseModel):
    results: list[Hit]
    offset: int = Field(description="How many photos come before these.")
    more: bool = Field(
        description="Whether photos follow, beyond `limit` or below `cutoff`."
    )
    below_cutoff: bool = Field(
        description="Whether all that follows is below `cutoff`."
    )
    next_offset: int = Field(
        description="Where the next page begins, if there is one."
    )
    total: int | None = Field(
        None,
        description="On the first page: how many photos there are on all pages;"
        " null on others, and if a `cutoff` lets more through than are counted.",
    )
    searched: int | None = Field(
        None,
        description="On the first page: how many photos the filters let through.",
    )
    fits: bool | None = Field(
        None,
        description="Whether the best photo fits `q` better than it fits texts that"
        " mean nothing. Null for photos, on later pages, and until that is known.",
    )
    unread: str = Field(
        "",
        description="On the first page: the end of `q` that the model has no room"
        " for. The photos are found by the words before.",
    )
    named: list[Hit] = Field(
        [],
        description="On the first page: photos whose name, or whose folder's, is `q`"
        " or begins with its words, the best first; 24 of them.",
    )
    named_folders: list[str] = Field(
        [], description="Of those, the folders that are called `q`."
    )
    similar_folders: list[str] | None = Field(
        None,
        description="If there is no `folder` of that name: those with a similar one.",
    )


def hit_of(point: Point, *, is_scored: bool) -> Hit:
    """A point as it is answered; its score is one only if it was searched for."""
    payload: Any = point.payload
    return Hit(
        filename=payload.filename,
        score=min(point.score, 1.0) if is_scored else None,
        width=payload.width,
        height=payload.height,
        taken=payload.taken,
        taken_from=payload.taken_from,
        version=version_of(payload.sha256),
        damaged=payload.damaged,
        in_browsers=browsers_show(
            payload.filename, payload.width, payload.height
        ),
        details=payload.details,
        thumbhash=payload.thumbhash,
        similar=[],  # pydantic would copy its default, which takes longer
    )


def group_hits(
    points: Sequence[Point],
    most: int | None,
    answer: Callable[[Point], Hit],
) -> list[Hit]:
    """Points as they are answered; with `most` so many groups of them.

    A group holds what is nearly equal to its first photo,
    which has the others under `similar`.
    """
    groups = [[place] for place in range(len(points))]
    if most is not None:
        payloads = [point.payload for point in points]
        groups = fold(payloads, [point.vector for point in points], most)
    hits = [answer(point) for point in points]
    for first, *others in groups:
        hits[first].similar = [hits[place] for place in others]
    return [hits[first] for first, *_ in groups]


def cut_off(
    points: list[Point], share: float, best: float, kept: int = 0
) -> list[Point]:
    """Keep what has this share of the best score, which may be negative.

    The first `kept` of them are, whatever their score is.
    """
    least = least_score(best, share)
    rest = [one for one in points[kept:] if min(one.score, 1.0) >= least]
    return points[:kept] + rest


def least_score(best: float, share: float) -> float:
    """What is this share of the best score, which may be negative."""
    return best - (1 - share) * abs(best)


def page_of(
    hits: list[Hit], offset: int, kept: int, total: int
) -> SearchResponse:
    """A page, and how it goes on: of `total` photos so many are `kept` by a cutoff."""
    next_offset = offset + sum(1 + len(hit.similar) for hit in hits)
    return SearchResponse(
        results=hits,
        offset=offset,
        more=total > next_offset,
        below_cutoff=total > next_offset >= kept,
        next_offset=next_offset,
    )
