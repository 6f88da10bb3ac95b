"""What can be asked, and which photos it is about."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    NaiveDatetime,
)

from image_search.asked_words import KINDS, AskedWords, without_quotes
from image_search.filters import READABLE, Circle, Condition, Filter, Part

MAX_QUERY_LENGTH = 1000  # characters
MEANING = "meaning"
WAYS = (MEANING, *KINDS)
MOST_NAMED = 50  # photos that others are to be like, or not


def _complete_date(text: str) -> str:
    """A year or a month stands for its beginning: 2024 is 2024-01-01."""
    if not re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
        return text
    return text + "0000-01-01"[len(text) :]


def _check_near(text: str) -> str:
    """Refuse what is no circle on the earth."""
    Circle.parse(text)
    return text


def _check_ways(text: str) -> str:
    """Refuse what is no way to look for words."""
    if not {*text.split(",")} <= {*WAYS}:
        raise ValueError(f"write some of {', '.join(WAYS)}, with commas")
    return text


def _once_each(names: list[str]) -> list[str]:
    """In an order of their own: a sum of their vectors is always the same then."""
    return sorted({*names} - {""})


Words = Annotated[str, Field(pattern=r"\S", max_length=MAX_QUERY_LENGTH)]
Near = Annotated[str, AfterValidator(_check_near)]
Date = Annotated[NaiveDatetime, BeforeValidator(_complete_date)]
Ways = Annotated[
    str,
    AfterValidator(_check_ways),
    Field(
        alias="in",
        description="Where `q` is looked for: `meaning` (what is seen), `name` (of"
        " files and folders), `text` (on the photo), `description` (its title,"
        " description and keywords); some of them, with commas.",
    ),
]
Names = Annotated[
    list[str], Field(max_length=MOST_NAMED), AfterValidator(_once_each)
]


class Filters(BaseModel, extra="forbid", populate_by_name=True):
    """Which photos are meant; without any of it all are."""

    folder: str | None = Field(None, description="In this folder, or below it.")
    after: Date | None = Field(
        None, description="Taken then or later, local time."
    )
    before: Date | None = Field(None, description="Taken before then.")
    near: Near | None = Field(
        None,
        description="Taken within some kilometres of a place:"
        " latitude,longitude,kilometres.",
    )
    camera: str | None = Field(
        None, description="Taken with it; as results name it."
    )
    unlike: Names = Field(
        [],
        description="The filenames of photos that are left out; a search also"
        " goes away from what is on them, by a weight such as `2:cat.png`.",
    )


class Search(Filters):
    """What to look for, all of it combined; nothing at all means the newest photos."""

    q: Words | None = Field(
        None,
        description="What you want to see; also what a photo or a folder is called,"
        " and what is written on it. A phrase in quotes comes first, and by itself"
        " finds only what has it.",
    )
    in_: Ways = ",".join(WAYS)
    like: Names = Field(
        [],
        description="The filenames of photos, to find others like all of them;"
        " `2:cat.png` counts twice, `0.5:cat.png` half.",
    )
    minus: list[Words] = Field(
        [], max_length=10, description="What you don't want to see."
    )
    sort: Literal["score", "newest", "oldest"] = "score"
    limit: int = Field(24, ge=1, le=100, description="How many photos at most.")
    offset: int = Field(0, ge=0, le=100_000, description="How many to skip.")
    around: str | None = Field(
        None,
        description="The filename of a result: the photos around it, whatever"
        " `offset` is.",
    )
    cutoff: float = Field(
        0, ge=0, le=1, description="Least share of the best photo's score."
    )
    fold: bool = Field(
        default=False,
        description="Of photos that are nearly equal return the first, with the"
        " others under `similar`; go on at `next_offset` then.",
    )
    format: Literal["json", "csv"] = Field(
        "json",
        description="As CSV it is a table of the photos alone; the Link header says"
        " where it goes on.",
    )

    @cached_property
    def meaning(self) -> str | None:
        """The words that a model is to understand, if any."""
        if not self.q or MEANING not in self.in_.split(","):
            return None
        return without_quotes(self.q)

    @cached_property
    def asked_words(self) -> AskedWords:
        """The words that are to be found as they are."""
        return AskedWords.of(self.q or "", self.in_.split(","))

    @property
    def needs_words(self) -> bool:
        """Whether a photo without them is none of the results."""
        if not self.q:
            return False
        return not self.meaning or self.asked_words.are_all


def conditions(
    query: Filters, like: Sequence[str] = (), *, is_scored: bool
) -> Filter:
    """The points that are meant; `like`: photos that are not to find themselves."""
    must: list[Part] = []
    must_not: list[Part] = []
    if named := {*like, *query.unlike}:
        names = tuple(sorted(named))
        must_not.append(Condition("filename", any_of=names))
    if folder := (query.folder or "").strip("/"):
        must.append(Condition("folders", equals=folder))
    if query.after or query.before:
        after = query.after.isoformat() if query.after else None
        before = query.before.isoformat() if query.before else None
        must.append(Condition("taken", at_least=after, before=before))
    if query.near:
        circle = Circle.parse(query.near)
        must.append(Condition("details.place", within=circle))
    if camera := (query.camera or "").strip():
        must.append(Condition("details.camera", equals=camera))
    if not is_scored:  # a photo that can't be read has no vector to be near to
        must += READABLE.must
    return Filter(tuple(must), tuple(must_not))
