"""What a header says of camera, place and words comes out as a person has it."""

import json
import math
from typing import Any

import pytest

from image_search.metadata import (
    LONGEST,
    LONGEST_DESCRIPTION,
    MOST_KEYWORDS,
    camera_name,
    read_details,
)


def told(**tags: Any) -> Any:
    """The details of tags such as EXIF_FNumber=8."""
    named = {name.replace("_", " ", 1): [one] for name, one in tags.items()}
    return read_details(named)


def test_nothing_told_is_nothing() -> None:
    """What isn't there has no place in a payload: no null, no zero."""
    assert read_details({}) == {}
    assert told(EXIF_FNumber=0, IFD0_Rating=0, IFD0_Make="") == {}


@pytest.mark.parametrize(
    ("maker", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("EASTMAN KODAK COMPANY", "KODAK DX4330", "KODAK DX4330"),
        ("LG Electronics", "LG-H815", "LG-H815"),
        ("Apple", "iPhone 7", "Apple iPhone 7"),
        ("Minolta Co., Ltd.", "DiMAGE 7", "Minolta DiMAGE 7"),
        ("OLYMPUS IMAGING CORP.", "E-M5", "OLYMPUS E-M5"),
        ("PENTAX Corporation", "PENTAX K100D", "PENTAX K100D"),
        ("SONY", "DSC-W7", "SONY DSC-W7"),
        ("Canon", "", "Canon"),
        ("", "Pixel 6", "Pixel 6"),
        ("", "", ""),
        ("AG", "1", "AG 1"),
        ("Leica Camera AG", "M9", "Leica M9"),
        ("ア", "キヤノン", "ア キヤノン"),
    ],
)
def test_a_camera_is_named_as_people_do(
    maker: str, model: str, expected: str
) -> None:
    """Its maker once, and without what companies are called by law."""
    assert camera_name(maker, model) == expected
    details = told(IFD0_Make=maker, IFD0_Model=model)
    assert details.get("camera", "") == expected


@pytest.mark.parametrize(
    "lens", ["", "----", "0.0 mm f/0.0", "Unknown lens", "none", "0"]
)
def test_a_lens_that_is_not_known_is_left_out(lens: str) -> None:
    """Bodies write something where they don't know; another place may."""
    assert told(EXIF_LensModel=lens) == {}
    known = "EF24-105mm f/4L IS USM"
    tags = {"EXIF LensModel": [lens], "XMP aux:Lens": [known]}
    assert read_details(tags) == {"lens": known}


def test_numbers_come_however_they_are_written() -> None:
    """As a number, as the first of several, and as the fraction that XMP has."""
    expected = {
        "exposure": 0.004,
        "aperture": 2.8,
        "focal_length": 50,
        "iso": 200,
    }
    assert told(
        EXIF_ExposureTime=1 / 250,
        EXIF_FNumber=2.8,
        EXIF_FocalLength=(50.0, 70.0),
        EXIF_ISOSpeedRatings=(200, 400),
    ) == pytest.approx(expected)
    written = {
        "XMP exif:ExposureTime": ["1/250"],
        "XMP exif:FNumber": ["28/10"],
        "XMP exif:FocalLength": ["50"],
        "XMP exif:ISOSpeedRatings": ["200"],
    }
    assert read_details(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "wrong",
    [math.nan, math.inf, -1, 0, 1e300, "1/0", "a", "", (), None, [1]],
)
def test_a_number_that_is_none_is_left_out(wrong: Any) -> None:
    """What a database takes for no number, and what can't be measured."""
    assert told(EXIF_ExposureTime=wrong, EXIF_ISOSpeedRatings=wrong) == {}
    another = {
        "EXIF FNumber": [wrong],
        "XMP exif:FNumber": ["8"],
    }
    assert read_details(another) == {"aperture": 8}


def test_an_iso_too_large_for_its_two_bytes() -> None:
    """65535 stands for more, which another tag has."""
    assert told(EXIF_ISOSpeedRatings=65535) == {}
    more = told(
        EXIF_ISOSpeedRatings=65535, EXIF_RecommendedExposureIndex=102400
    )
    assert more == {"iso": 102400}


@pytest.mark.parametrize(
    ("lat", "north", "lon", "east", "expected"),
    [
        ((41.0, 54.0, 0.0), "N", (12.0, 30.0, 0.0), "E", (41.9, 12.5)),
        ((41.0, 54.0, 0.0), "S", (12.0, 30.0, 0.0), "W", (-41.9, -12.5)),
        ((33.0, 51.4, 0.0), "s", (151.0, 12.6), "e", (-33.856667, 151.21)),
        (41.9, "N", 12.5, "E", (41.9, 12.5)),
        (-41.9, "S", -12.5, "W", (-41.9, -12.5)),
        ((0.0, 0.0, 0.0), "N", (12.5,), "E", (0, 12.5)),
        ((90.0, 0.0, 0.0), "N", (180.0, 0.0, 0.0), "W", (90, -180)),
    ],
)
def test_a_place_is_in_degrees(
    lat: Any, north: str, lon: Any, east: str, expected: tuple[float, float]
) -> None:
    """South and west are negative, minutes and seconds a part of a degree."""
    details = told(
        GPS_GPSLatitude=lat,
        GPS_GPSLatitudeRef=north,
        GPS_GPSLongitude=lon,
        GPS_GPSLongitudeRef=east,
    )
    place = details["place"]
    assert (place["lat"], place["lon"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [
        ("41,54N", "12,30E", (41.9, 12.5)),
        ("41,54,36S", "12,30,36W", (-41.91, -12.51)),
        ("41,54.6N", "12,30.6E", (41.91, 12.51)),
        ("41.9", "-12.5", (41.9, -12.5)),
    ],
)
def test_a_place_in_xmp(
    lat: str, lon: str, expected: tuple[float, float]
) -> None:
    """It is written as text there."""
    tags = {"XMP exif:GPSLatitude": [lat], "XMP exif:GPSLongitude": [lon]}
    place = read_details(tags)["place"]
    assert (place["lat"], place["lon"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((91.0, 0.0, 0.0), (12.0, 0.0, 0.0)),
        ((41.0, 0.0, 0.0), (181.0, 0.0, 0.0)),
        ((math.nan, math.nan, math.nan), (12.0, 0.0, 0.0)),
        ((41.0, 0.0, 0.0), None),
        ((), ()),
        ("somewhere", "else"),
    ],
)
def test_a_place_that_is_none_is_left_out(lat: Any, lon: Any) -> None:
    """Off the earth, half a place, and the 0° 0° of a phone without a satellite."""
    tags = {"GPS_GPSLatitude": lat, "GPS_GPSLongitude": lon}
    assert told(**tags, GPS_GPSAltitude=12.0) == {}


@pytest.mark.parametrize(
    ("altitude", "below", "expected"),
    [
        (12.34, 0, 12.3),
        (12.34, 1, -12.3),
        (0.0, 0, 0.0),
        (-12.0, 1, -12.0),
        (12.0, None, 12.0),
        (4_294_967_284.0, 0, None),
        (math.nan, 0, None),
    ],
)
def test_an_altitude_is_in_metres(
    altitude: float, below: int | None, expected: float | None
) -> None:
    """Below the sea it is negative; what no photo was taken at is left out."""
    tags: dict[str, Any] = {"GPS_GPSLatitude": 41.9, "GPS_GPSLongitude": 12.5}
    if below is not None:
        tags["GPS_GPSAltitudeRef"] = below
    details = told(**tags, GPS_GPSAltitude=altitude)
    assert details.get("altitude") == expected


@pytest.mark.parametrize(
    ("stars", "expected"),
    [(3, 3), ("5", 5), ("5.0", 5), (-1, -1), (0, None), (6, None), ("x", None)],
)
def test_a_rating_has_one_to_five_stars(
    stars: Any, expected: int | None
) -> None:
    """Or is -1, for what was rejected; 0 is no rating."""
    assert told(IFD0_Rating=stars).get("rating") == expected
    in_xmp = read_details({"XMP xmp:Rating": [stars]})
    assert in_xmp.get("rating") == expected


@pytest.mark.parametrize(
    ("detail", "names"),
    [
        ("title", ["XMP dc:title", "IPTC 2:5", "IFD0 XPTitle", "PNG title"]),
        (
            "description",
            [
                "XMP dc:description",
                "IPTC 2:120",
                "IFD0 ImageDescription",
                "IFD0 XPComment",
                "PNG description",
            ],
        ),
    ],
)
def test_words_are_taken_where_they_are_kept_best(
    detail: str, names: list[str]
) -> None:
    """In XMP, then IPTC, EXIF and a PNG's text."""
    tags: dict[str, list[Any]] = {name: [f"of {name}"] for name in names}
    for name in names:
        assert read_details(tags) == {detail: f"of {name}"}
        del tags[name]


@pytest.mark.parametrize(
    "text",
    [
        "OLYMPUS DIGITAL CAMERA",
        "KONICA MINOLTA DIGITAL CAMERA",
        "SONY DSC",
        "Exif_JPEG_PICTURE",
        "DCIM\\100MEDIA\\DJI_0012.JPG",
    ],
)
def test_what_a_camera_writes_into_each_photo_describes_none(
    text: str,
) -> None:
    """A description that a person wrote elsewhere is found behind it."""
    assert told(IFD0_ImageDescription=text) == {}
    tags = {"IFD0 ImageDescription": [text], "IFD0 XPComment": ["A cat"]}
    assert read_details(tags) == {"description": "A cat"}


def test_keywords_are_gathered_from_everywhere() -> None:
    """Each once, in their order; Windows has them in one text."""
    tags = {
        "XMP dc:subject": ["cat", "Rome"],
        "IPTC 2:25": ["Rome", "summer"],
        "IFD0 XPKeywords": ["summer; beach ;; "],
    }
    expected = ["cat", "Rome", "summer", "beach"]
    assert read_details(tags) == {"keywords": expected}


def test_what_is_kept_has_bounds() -> None:
    """However much is told, a payload stays small."""
    much = "x" * 100_000
    names = (
        "IFD0 Make",
        "IFD0 Model",
        "EXIF LensModel",
        "XMP dc:title",
        "XMP dc:description",
    )
    tags: dict[str, list[Any]] = {name: [much] for name in names}
    tags["XMP dc:subject"] = [f"{number}{much}" for number in range(1000)]
    details = read_details(tags)
    assert len(details["description"]) == LONGEST_DESCRIPTION
    assert len(details["title"]) == len(details["lens"]) == LONGEST
    assert len(details["camera"]) <= LONGEST
    assert len(details["keywords"]) == MOST_KEYWORDS
    assert len(json.dumps(details)) < 20_000
