"""When a photo was taken: the first of its dates that can be read and is sane."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from image_search.dates import (
    SOURCES,
    Taken,
    read_date,
    read_taken,
    taken_by_file,
)

NOW = datetime(2026, 6, 1, 12)
ORIGINAL = "EXIF DateTimeOriginal"
EDITED = "IFD0 DateTime"


def read(text: str) -> str | None:
    date = read_date(text)
    return date.begins.isoformat() if date else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008:01:07 12:34:56", "2008-01-07T12:34:56"),
        ("2008-01-07T12:34:56", "2008-01-07T12:34:56"),
        ("2008/01/07 12:34:56", "2008-01-07T12:34:56"),
        ("2008.01.07 12:34:56", "2008-01-07T12:34:56"),
        ("2008:1:7 1:02:03", "2008-01-07T01:02:03"),
        ("20080107 123456", "2008-01-07T12:34:56"),
        ("20080107T123456+0200", "2008-01-07T12:34:56"),
        (' "2008:01:07 12:34:56"\0\0', "2008-01-07T12:34:56"),
        ("Mon, 07 Jan 2008 12:34:56 +0000", "2008-01-07T12:34:56"),
        ("Mon Jan  7 12:34:56 2008", "2008-01-07T12:34:56"),
        ("7 Jan 2008", None),  # the day comes first: not of any standard
        ("1/7/2008", None),  # a day and a month, or a month and a day
    ],
)
def test_a_date_is_read_however_it_is_divided(
    text: str, expected: str | None
) -> None:
    """EXIF's, XMP's and IPTC's ways, those of e-mails, and what writers make of them."""
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008:01:07 12:34", "2008-01-07T12:34:00"),
        ("2008-01-07T12:34+02:00", "2008-01-07T12:34:00"),
        ("2008:01:07 12", "2008-01-07T00:00:00"),
        ("2008:01:07", "2008-01-07T00:00:00"),
        ("20080107", "2008-01-07T00:00:00"),
        ("2008-01", "2008-01-01T00:00:00"),
        ("2008", "2008-01-01T00:00:00"),
        ("2008:01:  :  :  :  ", "2008-01-01T00:00:00"),
        ("2008:  :     :  :  ", "2008-01-01T00:00:00"),
        ("2008:00:00 00:00:00", "2008-01-01T00:00:00"),
        ("2008:01:00 00:00:00", "2008-01-01T00:00:00"),
        ("2008:01:07   :  :  ", "2008-01-07T00:00:00"),
    ],
)
def test_a_partial_date_is_its_beginning(text: str, expected: str) -> None:
    """What is missing, blank or zero is not known; what is there is kept."""
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008:01:04 24:00:00", "2008-01-05T00:00:00"),
        ("2008:12:31 24:00", "2009-01-01T00:00:00"),
        ("2008:01:05 12:34:60", "2008-01-05T12:35:00"),
        ("2008:12:31 23:59:60", "2009-01-01T00:00:00"),
        ("2008:01:05 12:34:61", "2008-01-05T12:34:00"),
        ("2008:01:05 12:34:99", "2008-01-05T12:34:00"),
        ("2008:01:05 12:60:00", "2008-01-05T00:00:00"),
        ("2008:01:05 24:00:01", "2008-01-06T00:00:01"),
        ("2008:01:05 25:00:00", "2008-01-05T00:00:00"),
        ("2008:01:05 99:99:99", "2008-01-05T00:00:00"),
    ],
)
def test_a_time_that_no_clock_shows(text: str, expected: str) -> None:
    """24:00 is the next day, :60 a leap second; any other is not known."""
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "    :  :     :  :  ",
        "0000:00:00 00:00:00",
        "2008:13:01 12:00:00",
        "2008:02:30 12:00:00",
        "Mon, 31 Feb 2019 12:13:14",
        "9999:12:31 24:00:00",
        "May",
        "unknown",
        "200Ô-04-07T19:06:16",
        "2008w09:08 09:42:29",  # a bit of it has turned over
        "２００８:01:07 12:34:56",  # noqa: RUF001, digits, but no ASCII
        "12:34:56",
        "6/16/09",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    """Blanks, zeros, days that there are not, and what isn't a date at all."""
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        ("1", "2008-01-07T12:34:56.100000"),
        ("078", "2008-01-07T12:34:56.078000"),
        ("123456789", "2008-01-07T12:34:56.123456"),
        ("", "2008-01-07T12:34:56"),
        ("000", "2008-01-07T12:34:56"),
        ("half", "2008-01-07T12:34:56"),
    ],
)
def test_a_fraction_of_a_second_is_kept(fraction: str, expected: str) -> None:
    """EXIF has it in a tag of its own, for each of its dates."""
    tags = {
        ORIGINAL: ["2008:01:07 12:34:56"],
        "EXIF SubsecTimeOriginal": [fraction],
    }
    assert read_taken(tags, NOW) == Taken(expected, "exif")
    assert read(f"2008-01-07T12:34:56.{fraction}") == expected


def test_a_fraction_is_no_part_of_a_partial_date() -> None:
    """It belongs to a second that is told."""
    for text in ("2008:01:07 12:34", "2008:01:07", "2008:01", "2008"):
        tags = {ORIGINAL: [text], "EXIF SubsecTimeOriginal": ["12"]}
        taken = read_taken(tags, NOW)
        assert taken is not None
        assert taken.time == read(text)


@pytest.mark.parametrize("zone", ["Z", "+02:00", "-0700", " +14:00", ""])
def test_a_date_stays_the_cameras_own(zone: str) -> None:
    """Noon is noon, whatever zone is written beside it."""
    assert read(f"2008:01:07 12:00:00{zone}") == "2008-01-07T12:00:00"


@pytest.mark.parametrize(
    "text",
    [
        "0001:01:01 00:00:00",
        "1601:01:01 00:00:00",
        "1825:12:31 23:59:59",
        "1904:01:01 00:00:00",
        "1970:01:01 00:00:00",
        "1970:01:01 07:13:25",
        "1970-01-01",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "1980:01:01 00:00:00",
        "2002:12:08 12:00:00",
        "2026:06:02 12:00:01",
        "2038:01:19 03:14:07",
        "9999:12:31 23:59:59",
    ],
)
def test_a_clock_that_was_not_set_is_not_believed(text: str) -> None:
    """Where clocks begin, before photography, and the future: the next date counts."""
    assert read_date(text) is not None
    tags = {ORIGINAL: [text], EDITED: ["2005:05:05 05:05:05"]}
    assert read_taken(tags, NOW) == Taken("2005-05-05T05:05:05", "exif")
    del tags[EDITED]
    assert read_taken(tags, NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "1826:01:01 00:00:00",
        "1904:01:02 00:00:00",
        "1970:01:02 00:00:00",
        "1970",  # as a person writes who knows no more
        "1980-01",
        "2002:12:08 12:00:01",
        "2026:06:01 12:00:00",
        "2026:06:02 02:00:00",  # where it is that late already
    ],
)
def test_all_else_is_believed(text: str) -> None:
    """Old photos that were scanned, and those of the other side of the earth."""
    assert read_taken({ORIGINAL: [text]}, NOW) is not None


def test_without_a_time_it_is_now() -> None:
    """A date of next week is none yet; one of this moment is."""
    for days, is_taken in (7, False), (0, True), (-7, True):
        moment = datetime.now() + timedelta(days=days)
        tags = {ORIGINAL: [f"{moment:%Y:%m:%d %H:%M:%S}"]}
        assert (read_taken(tags) is not None) is is_taken


def test_the_shutter_comes_before_the_edit() -> None:
    """Of all places the best that is left counts, down to EXIF's date of an edit."""
    years = dict(zip(SOURCES, range(2001, 2026), strict=False))
    tags = {name: [f"{year}0203"] for name, year in years.items()}
    groups = {"EXIF": "exif", "IFD0": "exif", "XMP": "xmp", "IPTC": "iptc"}
    for name, year in years.items():
        source = groups.get(name.partition(" ")[0], "text")
        assert read_taken(tags, NOW) == Taken(f"{year}-02-03T00:00:00", source)
        del tags[name]
    assert read_taken(tags, NOW) is None
    assert next(iter(years)) == ORIGINAL
    assert EDITED in [*years][-2:]


def test_each_date_that_is_none_makes_way() -> None:
    """An empty date hides no valid one, wherever that is."""
    for name in SOURCES:
        tags = {other: ["0000:00:00 00:00:00"] for other in SOURCES}
        tags[name] = ["2007:02:19"]
        taken = read_taken(tags, NOW)
        assert taken is not None
        assert taken.time == "2007-02-19T00:00:00"


def test_iptc_has_the_time_of_a_day_elsewhere() -> None:
    """Day and time are two fields there, and the day may be alone."""
    tags = {"IPTC 2:55": ["20080107"], "IPTC 2:60": ["123456+0200"]}
    assert read_taken(tags, NOW) == Taken("2008-01-07T12:34:56", "iptc")
    del tags["IPTC 2:60"]
    assert read_taken(tags, NOW) == Taken("2008-01-07T00:00:00", "iptc")


def test_a_photo_that_does_not_tell_has_its_files_time(tmp_path: Path) -> None:
    """To the second, and marked as the file's."""
    photo = tmp_path / "a.jpg"
    photo.touch()
    moment = datetime(2020, 2, 3, 4, 5, 6, 999_999)
    os.utime(photo, (moment.timestamp(), moment.timestamp()))
    assert taken_by_file(photo) == Taken("2020-02-03T04:05:06", "file")
