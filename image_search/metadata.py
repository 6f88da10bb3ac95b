"""What a photo's header says of camera, place and words, as a person has it."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from typing_extensions import TypedDict

LONGEST = 200  # characters of a text
LONGEST_DESCRIPTION = 2000
MOST_KEYWORDS = 50
MOST = 1e9  # that a number can be
ISO_TOO_LARGE = 65535  # for its two bytes: another tag has it then
MOST_LATITUDE, MOST_LONGITUDE = 90, 180
HIGHEST = 100_000  # metres
BELOW_SEA = {1, 3}  # of the sea, or of the ellipsoid
STARS = {-1, 1, 2, 3, 4, 5}  # 0 is none

# Where numbers are: some have in the first directory what belongs into EXIF's own.
NUMBERS = {
    "exposure": (
        "EXIF ExposureTime",
        "IFD0 ExposureTime",
        "XMP exif:ExposureTime",
    ),
    "aperture": ("EXIF FNumber", "IFD0 FNumber", "XMP exif:FNumber"),
    "focal_length": (
        "EXIF FocalLength",
        "IFD0 FocalLength",
        "XMP exif:FocalLength",
    ),
}
ISOS = (
    "EXIF ISOSpeedRatings",
    "EXIF RecommendedExposureIndex",
    "EXIF ISOSpeed",
    "EXIF StandardOutputSensitivity",
    "IFD0 ISOSpeedRatings",
    "XMP exif:ISOSpeedRatings",
)
# What cameras write into each photo, which tells nothing of it.
NO_DESCRIPTION = re.compile(
    r"(\w+ )*digital camera|sony dsc|dcf image|exif_jpeg_picture|default|samsung"
    r"|untitled|image|dcim\\.*",
    re.IGNORECASE,
)
NO_LENS = re.compile(r"[-0. ]*|none|unknown.*|n/a|0.*mm f/0.*", re.IGNORECASE)
# Where the part of a maker's name begins that nobody says.
COMPANY = re.compile(
    r"[ ,]+(corporation|corp|co|company|ltd|inc|gmbh|ag|camera|computer|electric"
    r"|electronics|imaging|optical|technologies|techwin|photo film)\b.*",
    re.IGNORECASE,
)
# 40,26.767N and 40,26,46N, as XMP has degrees.
DEGREES = re.compile(r"([-+]?[\d.]+),?([\d.]*),?([\d.]*) *([NSEW]?)", re.ASCII)

# What is told, by names such as "EXIF FNumber"; the first value counts.
Tags = Mapping[str, list[Any]]


class Place(TypedDict):
    """In degrees: -90 to 90, and -180 to 180."""

    lat: float
    lon: float


class Details(TypedDict, total=False):
    """As far as it is told."""

    camera: str  # maker and model
    lens: str
    exposure: float  # seconds
    aperture: float  # the f-number
    iso: int
    focal_length: float  # millimetres
    place: Place
    altitude: float  # metres above the sea
    rating: int  # 1 to 5 stars, or -1: rejected
    title: str
    description: str
    keywords: list[str]


def read_details(tags: Tags) -> Details:
    """Say what is told; what is not, or can't be, is left out."""
    told = {
        name: value
        for name, value in _details(tags)
        if value not in (None, "", [])
    }
    return cast("Details", told)


def camera_name(maker: str, model: str) -> str:
    """As people call it: Canon EOS 5D, not Canon Canon EOS 5D."""
    makers = re.findall(r"[^\W_]+", maker.lower())
    models = re.findall(r"[^\W_]+", model.lower())
    if models and models[0] in makers:
        return model
    return f"{COMPANY.sub('', maker)} {model}".strip()


def _details(tags: Tags) -> Iterator[tuple[str, Any]]:
    """Each detail, empty if it isn't told.

    Words are kept best in XMP, what the camera measured in EXIF.
    """
    maker = _text(tags, "IFD0 Make", "XMP tiff:Make")
    model = _text(tags, "IFD0 Model", "XMP tiff:Model")
    yield "camera", camera_name(maker, model)[:LONGEST]
    yield "lens", _lens(tags)
    for detail, names in NUMBERS.items():
        yield detail, _positive(tags, *names)
    yield "iso", _iso(tags)
    place = _place(tags)
    yield "place", place
    yield "altitude", _altitude(tags) if place else None
    yield "rating", _rating(tags)
    titles = "XMP dc:title", "IPTC 2:5", "IFD0 XPTitle", "PNG title"
    yield "title", _text(tags, *titles)
    yield "description", _description(tags)
    yield "keywords", _keywords(tags)


def _texts(tags: Tags, *names: str) -> Iterator[str]:
    for name in names:
        yield from (one for one in tags.get(name, []) if isinstance(one, str))


def _text(tags: Tags, *names: str) -> str:
    return next(_texts(tags, *names), "")[:LONGEST].strip()


def _lens(tags: Tags) -> str:
    names = "EXIF LensModel", "XMP exifEX:LensModel", "XMP aux:Lens"
    lenses = _texts(tags, *names)
    known = (one for one in lenses if not NO_LENS.fullmatch(one))
    return next(known, "")[:LONGEST].strip()


def _description(tags: Tags) -> str:
    texts = _texts(
        tags,
        "XMP dc:description",
        "IPTC 2:120",
        "IFD0 ImageDescription",
        "IFD0 XPComment",
        "PNG description",
    )
    told = (one for one in texts if not NO_DESCRIPTION.fullmatch(one))
    return next(told, "")[:LONGEST_DESCRIPTION].strip()


def _keywords(tags: Tags) -> list[str]:
    words = [*_texts(tags, "XMP dc:subject", "IPTC 2:25")]
    for several in _texts(tags, "IFD0 XPKeywords"):
        words += several.split(";")
    each = dict.fromkeys(word[:LONGEST].strip() for word in words)
    return [word for word in each if word][:MOST_KEYWORDS]


def _number(value: Any) -> float | None:
    """A number, the first of several, or one that is written; None for no number."""
    if isinstance(value, tuple):
        value = next(iter(value), None)
    try:
        if isinstance(value, str) and "/" in value:
            above, _, below = value.partition("/")
            number = float(above) / float(below)
        else:
            number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None


def _numbers(tags: Tags, *names: str) -> Iterator[float]:
    for name in names:
        for value in tags.get(name, []):
            number = _number(value)
            if number is not None:
                yield number


def _positive(tags: Tags, *names: str) -> float | None:
    """The first number above zero, to four digits."""
    for number in _numbers(tags, *names):
        if 0 < number < MOST:
            return float(f"{number:.4g}")
    return None


def _iso(tags: Tags) -> int | None:
    for number in _numbers(tags, *ISOS):
        if 0 < number < MOST and number != ISO_TOO_LARGE:
            return int(number)
    return None


def _rating(tags: Tags) -> int | None:
    for number in _numbers(tags, "XMP xmp:Rating", "IFD0 Rating"):
        if number in STARS:
            return int(number)
    return None


def _place(tags: Tags) -> Place | None:
    """Where it was taken; not 0° 0°, which is written where there was no satellite."""
    lat = _degrees(tags, "GPSLatitude")
    lon = _degrees(tags, "GPSLongitude")
    if lat is None or lon is None or lat == lon == 0:
        return None
    if abs(lat) > MOST_LATITUDE or abs(lon) > MOST_LONGITUDE:
        return None
    return {"lat": lat, "lon": lon}


def _degrees(tags: Tags, name: str) -> float | None:
    """In degrees, to a tenth of a metre; south and west are negative."""
    parts: Any = next(iter(tags.get(f"GPS {name}", [])), None)
    side = _text(tags, f"GPS {name}Ref")
    if parts is None:
        written = DEGREES.fullmatch(_text(tags, f"XMP exif:{name}"))
        if written is None:
            return None
        *parts, side = written.groups()
    several = parts if isinstance(parts, (tuple, list)) else [parts]
    numbers = [_number(part or 0) for part in several[:3]]
    if not numbers or None in numbers:
        return None
    degrees = 0.0
    for part in reversed(numbers):
        degrees = degrees / 60 + (part or 0)
    sign = -1 if side[:1].upper() in {"S", "W"} and degrees > 0 else 1
    return round(sign * degrees, 6)


def _altitude(tags: Tags) -> float | None:
    for number in _numbers(tags, "GPS GPSAltitude", "XMP exif:GPSAltitude"):
        refs = _numbers(tags, "GPS GPSAltitudeRef", "XMP exif:GPSAltitudeRef")
        is_below = next(refs, 0) in BELOW_SEA
        if abs(number) < HIGHEST:
            return round(-abs(number) if is_below else number, 1)
    return None
