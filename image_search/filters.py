"""Which points a question is limited to, and how Qdrant's libraries say it."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

FARTHEST_KM = 20_040  # two places can be from each other


@dataclass(frozen=True)
class Circle:
    """All that is within some distance of a place, by latitude and longitude."""

    lat: float
    lon: float
    metres: float

    @classmethod
    def parse(cls, near: str) -> "Circle":
        """Latitude, longitude and kilometres, with commas; raises ValueError."""
        try:
            lat, lon, km = (float(number) for number in near.split(","))
        except ValueError:
            lat = lon = km = math.nan
        if not (abs(lat) <= 90 and abs(lon) <= 180 and km > 0):  # noqa: PLR2004
            raise ValueError(
                "write latitude, longitude and kilometres, such as 41.9,12.5,10:"
                " -90 to 90, -180 to 180, more than 0"
            )
        return cls(lat, lon, 1000 * min(km, FARTHEST_KM))


@dataclass(frozen=True)
class Condition:
    """What a payload field has to be.

    A value (or to hold it), in a range, near, or not there.
    """

    field: str
    equals: str | bool | int | None = None
    any_of: tuple[str, ...] = ()
    at_least: str | None = None  # ISO 8601, as the next
    before: str | None = None
    above: str | float | None = None  # ISO 8601, or a number
    within: Circle | None = None
    is_empty: bool = False
    has_word: str = ""  # a text does
    phrase: str = ""  # it has these words one after the other


@dataclass(frozen=True)
class Either:
    """One of these conditions has to hold, at the least."""

    conditions: tuple[Condition, ...]


# A point's, as its store has it: a UUID, the text of one, or a number of others.
Id = Any


@dataclass(frozen=True)
class HasId:
    """A point is one of these, by their ids."""

    ids: tuple[Id, ...]


@dataclass(frozen=True)
class Filter:
    """Which points a search is limited to."""

    must: tuple["Part", ...] = ()
    must_not: tuple["Part", ...] = ()

    def __and__(self, other: "Filter") -> "Filter":
        """What both let through."""
        return Filter(self.must + other.must, self.must_not + other.must_not)


# One within another has to hold as a whole.
Part = Condition | Either | HasId | Filter
EVERYTHING = Filter()


def lies_in(*places: str) -> Filter:
    """The photos of places, which lie in folders of their names; without one all."""
    if "" in places:
        return EVERYTHING
    if len(places) > 1:
        return Filter(must=(Condition("folders", any_of=places),))
    return Filter(must=(Condition("folders", equals=places[0]),))


READABLE = Filter(must=(Condition("error", is_empty=True),))
UNREADABLE = Filter(must_not=(Condition("error", is_empty=True),))
# Indexed as far as they can be read.
DAMAGED = Filter(must=(Condition("damaged", equals=True),))


class Dialect(NamedTuple):
    """One of Qdrant's two libraries, and what has another name in each."""

    library: Any
    date_range: Any
    number_range: Any
    has_id: Any  # ids -> the condition


def in_terms_of(dialect: Dialect, where: Filter) -> Any:
    """A filter as one of Qdrant's two libraries has it."""
    return dialect.library.Filter(
        must=[_part(dialect, one) for one in where.must],
        must_not=[_part(dialect, one) for one in where.must_not],
    )


def _part(dialect: Dialect, part: Part) -> Any:
    match part:
        case Filter():
            return in_terms_of(dialect, part)
        case Either(conditions):
            some = [_condition(dialect, one) for one in conditions]
            return dialect.library.Filter(should=some)
        case HasId(ids):
            return dialect.has_id(ids)
        case _:
            return _condition(dialect, part)


def _condition(dialect: Dialect, one: Condition) -> Any:
    library = dialect.library
    if one.is_empty:
        return library.FieldCondition(key=one.field, is_empty=True)
    if match := _match(library, one):
        return library.FieldCondition(key=one.field, match=match)
    if one.within is not None:
        center = library.GeoPoint(lat=one.within.lat, lon=one.within.lon)
        circle = library.GeoRadius(center=center, radius=one.within.metres)
        return library.FieldCondition(key=one.field, geo_radius=circle)
    if isinstance(one.above, float):
        numbers = dialect.number_range(gt=one.above)
        return library.FieldCondition(key=one.field, range=numbers)
    ends = {"gte": one.at_least, "lt": one.before, "gt": one.above}
    given = {name: end for name, end in ends.items() if end}
    dates = dialect.date_range(**given)
    return library.FieldCondition(key=one.field, range=dates)


def _match(library: Any, one: Condition) -> Any:
    """What a value has to be, or to hold; None if that isn't asked."""
    if one.equals is not None:
        return library.MatchValue(value=one.equals)
    if one.any_of:
        return library.MatchAny(any=[*one.any_of])
    if one.phrase:
        return library.MatchPhrase(phrase=one.phrase)
    if one.has_word:
        # MatchText looks at all points where no text has the word.
        return library.MatchTextAny(text_any=one.has_word)
    return None
