"""When a photo was taken: the first of its dates that can be read and is sane.

Cameras, phones, editors and scanners write dates in several places and many ways.
They are tried in the order that exiftool's users expect, the time at which the
shutter opened before that of an edit. All are the camera's own local time: a zone that
is written beside one is left out, so that a photo of noon is one of noon anywhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

# A year, and as much of the rest as there is, however it is divided:
# 2008:01:07 12:34:56.78, 2008-01-07T12:34+02:00, 20080107 123456, 2008:01
STAMP = re.compile(
    r"(\d{4})"
    r"(?:[-:/._ ]*(\d\d?)(?:[-:/._ ]*(\d\d?))?|(?!\w))"
    r"(?:[T,_: -]*(\d\d?):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?",
    re.ASCII,
)
# Where dates are, the best first; and where the rest of it is: a fraction of the
# second, or the time of a day.
SOURCES = {
    "EXIF DateTimeOriginal": "EXIF SubsecTimeOriginal",
    "IFD0 DateTimeOriginal": "IFD0 SubsecTimeOriginal",
    "EXIF DateTimeDigitized": "EXIF SubsecTimeDigitized",
    "IFD0 DateTimeDigitized": "IFD0 SubsecTimeDigitized",
    "XMP photoshop:DateCreated": "",
    "XMP exif:DateTimeOriginal": "",
    "XMP xmp:CreateDate": "",
    "XMP exif:DateTimeDigitized": "",
    "IPTC 2:55": "IPTC 2:60",
    "IPTC 2:62": "IPTC 2:63",
    "PNG creationtime": "",
    "PNG createdate": "",
    "PNG xmpcreatedate": "",
    "PNG datecreate": "",  # ImageMagick's
    "IFD0 DateTime": "EXIF SubsecTime",
    "EXIF DateTime": "EXIF SubsecTime",
}
GROUPS = {
    "EXIF": "exif",
    "IFD0": "exif",
    "XMP": "xmp",
    "IPTC": "iptc",
    "PNG": "text",
}
AROUND = " \t\r\n\0\"'"
LEAP_SECOND = 60
EARLIEST_YEAR = 1826  # of the first photo there is
# Clocks are up to 14 hours ahead of UTC, and some are a little fast.
AHEAD = timedelta(days=1)
# Where the clocks of cameras, phones and disks begin: Macintosh's, Unix's, FAT's. One
# that lost its time counts on from there, so that the whole day is meant.
FIRST_DAYS = {"1904-01-01", "1970-01-01", "1980-01-01"}
# What some cameras write that were never told the time.
DEFAULT_TIMES = {"2002-12-08T12:00:00"}


# What a header tells, by names such as "XMP xmp:CreateDate".
Tags = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Taken:
    """When a photo was taken: ISO 8601, local time, with a fraction if it has one.

    `source`: "exif", "xmp" or "iptc", "text" (of a PNG), or "file": when the file was
    last written.
    """

    time: str
    source: str


NOT_TOLD = Taken("", "")


@dataclass(frozen=True)
class Date:
    """A date as it was read; of one that is partial, its beginning."""

    begins: datetime
    has_day: bool


def read_taken(tags: Tags, now: datetime | None = None) -> Taken | None:
    """The first date that can be read and may be true; `now`: local time."""
    for name, rest_name in SOURCES.items():
        rest = next(iter(tags.get(rest_name, [])), "")
        for value in tags.get(name, []):
            date = read_date(_complete(str(value), str(rest)))
            if date is not None and is_sane(date, now or datetime.now()):
                source = GROUPS[name.partition(" ")[0]]
                return Taken(date.begins.isoformat(), source)
    return None


def taken_by_file(photo: Path) -> Taken:
    """For a photo that doesn't tell: when its file was written; raises OSError."""
    written = datetime.fromtimestamp(photo.stat().st_mtime)
    return Taken(written.isoformat(timespec="seconds"), "file")


def read_date(text: str) -> Date | None:
    """A date however it is written, and however much of it.

    What is missing, blank or zero is not known: a month or a day is then the first,
    a time midnight. So is a time that no clock shows. None: there is no such day.
    """
    text = text.strip(AROUND)
    if text[:1].isalpha():  # Tue, 03 Sep 2019 12:13:14 +0000, as in e-mails
        from email.utils import parsedate  # 1 MiB, which few photos need

        numbers = parsedate(text)
        text = "{}-{}-{} {}:{:02}:{:02}".format(*numbers) if numbers else ""
    found = STAMP.match(text)
    if found is None:
        return None
    *parts, fraction = found.groups(default="")
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    try:
        midnight = datetime(year, month or 1, day or 1)
        time = _time(hour, minute, second, fraction)
        return Date(midnight + time, has_day=day > 0)
    except (ValueError, OverflowError):
        return None


def is_sane(date: Date, now: datetime) -> bool:
    """Whether a photo may have been taken then, by a clock that was set."""
    begins = date.begins
    # A year or a month alone is what a person wrote.
    is_first_day = date.has_day and begins.date().isoformat() in FIRST_DAYS
    return (
        begins.year >= EARLIEST_YEAR
        and begins <= now + AHEAD
        and not is_first_day
        and begins.isoformat() not in DEFAULT_TIMES
    )


def _complete(text: str, rest: str) -> str:
    """A date with the time of its day, or a fraction of its second, if it has one."""
    if re.fullmatch(r"\d{8}", text):
        return f"{text} {rest}"
    has_seconds = re.search(r":\d\d:\d\d$", text)
    return f"{text}.{rest}" if has_seconds else text


def _time(hour: int, minute: int, second: int, fraction: str) -> timedelta:
    """How long after midnight: 24:00 is the next day, and :60 a leap second."""
    since = timedelta(hours=hour, minutes=minute)
    on_a_clock = timedelta(hours=min(hour, 24), minutes=min(minute, 59))
    if since != on_a_clock or since > timedelta(days=1):
        return timedelta()
    if second > LEAP_SECOND:
        return since
    microseconds = int(fraction[:6].ljust(6, "0"))
    return since + timedelta(seconds=second, microseconds=microseconds)
