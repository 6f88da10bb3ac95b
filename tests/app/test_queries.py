"""What can be asked: by photo, more like this, plus and minus, where and when; in both stores."""

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageStat

from image_search.kinds import KINDS, RAW
from image_search.photos import load_image
from tests.harness import (
    PHOTOS,
    App,
    Hits,
    NewApp,
    eventually,
    names,
    png_of_many_pixels,
)
from tests.qdrant_standin import QdrantStandIn

SAMPLES = tuple(sorted(p.name for p in PHOTOS.iterdir() if p.suffix in KINDS))
FORMATS = [
    f"formats/raccoon{ending}"
    for ending, kind in KINDS.items()
    if kind.format != RAW  # which only cameras write
]
TURNED = [f"turned/{orientation}.jpg" for orientation in range(1, 9)]
TWINS = [f"twins/{number}.png" for number in range(12)]
DATED = {
    "trips/rome/a.jpg": 2019,
    "trips/rome/b.jpg": 2021,
    "trips/rome 2/c.jpg": 2020,
}
# These have dates of their own: cat.png in XMP, flower.jpg, whose twins they are, in IPTC.
OLDER = {"cat.png", "flower.jpg", *TWINS}
# By the year: the camera, and degrees and minutes to the north or south, and to the east.
TOLD = {
    2019: ("Canon EOS 5D", "N", (41.0, 54.0, 0.0), (12.0, 30.0, 0.0)),
    2021: ("Canon EOS 5D", "N", (41.0, 59.0, 0.0), (12.0, 30.0, 0.0)),
    2020: ("Apple iPhone 7", "S", (17.0, 0.0, 0.0), (179.0, 57.0, 0.0)),
}
EVERYTHING = [*SAMPLES, *FORMATS, *TURNED, *TWINS, *DATED]

pillow_heif.register_heif_opener()


def exif(orientation: int = 1, year: int | None = None) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    if year:
        data.get_ifd(0x8769)[0x9003] = f"{year}:05:01 12:00:00"
        data[0x0110], south, lat, lon = TOLD[year]
        data.get_ifd(0x8825).update({1: south, 2: lat, 3: "E", 4: lon})
    return data


def fill(folder: Path) -> None:
    """A small collection: each format, each orientation, equal photos, photos with dates."""
    for place in ("formats", "turned", "twins", "trips/rome", "trips/rome 2"):
        (folder / place).mkdir(parents=True)
    raccoon = (
        Image.open(PHOTOS / "raccoon.webp").convert("RGB").resize((640, 480))
    )
    for name in FORMATS:
        raccoon.save(folder / name, KINDS[Path(name).suffix].format, quality=90)
    cat = Image.open(PHOTOS / "cat.png").convert("RGB")
    for number, name in enumerate(TURNED, 1):
        # What a camera does that was held so: EXIF's rule turns it back.
        inverse = {6: 8, 8: 6}.get(number, number)
        method = {
            2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90,
        }.get(inverse)  # fmt: skip
        stored = cat.transpose(method) if method is not None else cat
        stored.save(folder / name, quality=95, exif=exif(number))
    for name in TWINS:
        (folder / name).write_bytes((PHOTOS / "flower.jpg").read_bytes())
    for name, year in DATED.items():
        Image.open(PHOTOS / "temple.jpg").save(
            folder / name, exif=exif(year=year)
        )
    (folder / "not a photo.jpg").write_text("at all")
    moment = datetime(2022, 2, 2).timestamp()
    for file in folder.rglob("*.*"):
        os.utime(file, (moment, moment))


@pytest.fixture(scope="module", params=["embedded", "server"])
def app(new_app: NewApp, request: pytest.FixtureRequest) -> Iterator[App]:
    """The app on that collection, with each kind of store."""
    server = QdrantStandIn() if request.param == "server" else None
    url = os.environ.get("TEST_QDRANT_URL", server.url) if server else ""
    app = new_app(
        *SAMPLES, QDRANT_URL=url, QDRANT_COLLECTION=f"test_{os.getpid()}"
    )
    fill(app.img)
    app.start().finds(*EVERYTHING)
    yield app
    app.stop()
    if server:
        server.stop()


def ask(app: App, photo: bytes | None = None, **params: Any) -> Hits:
    """The answer to a search of the folder's photos, all of them unless a limit is given."""
    params = {"limit": 100} | params
    method = "GET" if photo is None else "POST"
    response = app.http.request(method, "/search", params=params, content=photo)
    assert response.status_code == 200, response.text
    return list(response.json()["results"])


def scores(hits: Hits) -> dict[str, float]:
    return {hit["filename"]: hit["score"] for hit in hits}


def rounding(app: App) -> float:
    """How far a score may be off: the embedded store keeps a byte of each number."""
    return 1e-4 if app.env["QDRANT_URL"] else 5e-3


@pytest.mark.parametrize("name", [*FORMATS, *TURNED, "rocket.jpg"])
def test_a_photo_finds_itself(app: App, name: str) -> None:
    """A photo of any format that is sent is the first hit, with score 1, however it is sent."""
    photo = (app.img / name).read_bytes()
    as_body = ask(app, photo)
    assert as_body[0]["score"] == pytest.approx(1, abs=1e-4)
    assert scores(as_body)[name] == pytest.approx(1, abs=1e-4)
    # What --data-binary says.
    curl = {"Content-Type": "application/x-www-form-urlencoded"}
    as_curl = app.http.post(
        "/search", params={"limit": 100}, content=photo, headers=curl
    )
    assert as_curl.json()["results"] == as_body
    form = {"image": ("some name", photo)}
    as_form = app.http.post(
        "/search", params={"limit": 100}, files=form, timeout=30
    )
    assert scores(as_form.json()["results"]) == pytest.approx(
        scores(as_body), abs=1e-6
    )


def test_a_camera_may_be_held_in_any_way(app: App) -> None:
    """The eight EXIF orientations of a photo are one photo: in size, score and order of others."""
    hits = {hit["filename"]: hit for hit in ask(app, q="cat")}
    assert {(hits[name]["width"], hits[name]["height"]) for name in TURNED} == {
        (451, 300)
    }
    cat = hits["cat.png"]["score"]
    assert [hits[name]["score"] for name in TURNED] == pytest.approx(
        [cat] * 8, abs=0.02
    )
    others = [
        name
        for name in ask(app, like="cat.png")
        if name["filename"] not in TURNED
    ]
    for name in TURNED:
        again = [
            hit
            for hit in ask(app, like=name)
            if hit["filename"] not in [*TURNED, "cat.png"]
        ]
        assert names(again)[:3] == names(others)[:3]


def test_no_photo_gets_a_reason(app: App) -> None:
    """What is sent and is no photo is refused with the reason."""
    for content in (
        b"",
        b"GIF89a",
        (PHOTOS / "rocket.jpg").read_bytes()[:9000],
    ):
        response = app.http.post("/search", content=content)
        assert response.status_code == 422
        assert response.json()["detail"].startswith(
            "This photo can't be read: "
        )
    bomb = png_of_many_pixels(20_000, 20_000)
    response = app.http.post("/search", content=bomb)
    assert response.status_code == 422
    assert "more than 200 megapixels" in response.json()["detail"]
    response = app.http.post("/search", files={"photo": b"x"})
    assert (response.status_code, "`image`" in response.json()["detail"]) == (
        422,
        True,
    )
    files = {"image": (PHOTOS / "rocket.jpg").read_bytes()}
    response = app.http.post("/search", data={"q": "dog"}, files=files)
    assert (
        response.status_code,
        "query string" in response.json()["detail"],
    ) == (
        422,
        True,
    )


def test_more_like_this(app: App) -> None:
    """like=<filename> ranks as that photo itself does when it is sent, but leaves it out."""
    for name in ("rocket.jpg", "formats/raccoon.heic", TWINS[3]):
        sent = scores(ask(app, (app.img / name).read_bytes()))
        assert sent.pop(name) == pytest.approx(1, abs=1e-4)
        assert scores(ask(app, like=name)) == pytest.approx(
            sent, abs=rounding(app)
        )
    response = app.get("/search", like="no/such.jpg")
    assert response.status_code == 404
    assert "no/such.jpg" in response.json()["detail"]


def test_more_like_several(app: App) -> None:
    """like= and unlike= may be given several times, with words or a photo that is sent."""
    like, unlike = ["rocket.jpg", "cat.png"], ["coffee.png", TWINS[3]]
    photo = (app.img / "flower.jpg").read_bytes()
    for sent in (None, photo):
        hits = ask(app, sent, like=like, unlike=unlike, q="an animal")
        assert not {*names(hits)} & {*like, *unlike}
        again = ask(
            app, sent, like=like[::-1], unlike=unlike[::-1], q="an animal"
        )
        assert again == hits
        without = scores(ask(app, sent, like=like, q="an animal"))
        assert scores(hits)[TWINS[0]] < without[TWINS[0]]
    for named in ({"like": [*like, "no.jpg"]}, {"unlike": ["no.jpg"]}):
        response = app.get("/search", **named)
        assert response.status_code == 404
        assert "no.jpg" in response.json()["detail"]
    left = names(ask(app, unlike=unlike))
    assert left == [name for name in names(ask(app)) if name not in {*unlike}]


def test_photos_come_as_one_archive(app: App) -> None:
    """As long as is told, not compressed on the way, and whole."""
    wanted = ["rocket.jpg", "formats/raccoon.heic"]
    form = {"names": json.dumps([*wanted, "no.jpg"])}
    answer = app.http.post("/archive", data=form)
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[:2] == wanted
        for name in wanted:
            assert archive.read(name) == (app.img / name).read_bytes()


COMBINATIONS = [
    {"q": "a cat", "like": "coffee.png"},
    {"q": "a cat", "minus": ["rocket", "a cup of coffee"]},
    {"like": "rocket.jpg", "minus": ["rocket"]},
    {
        "q": "vehicle",
        "photo": "coffee.png",
        "like": "cat.png",
        "minus": ["flower"],
    },
    {"minus": ["cat"]},
]


@pytest.mark.parametrize("query", COMBINATIONS)
def test_combinations_are_sums(app: App, query: dict[str, Any]) -> None:
    """Up to one factor, a photo scores the sum of what each part gives it; a minus gives -0.5."""
    photos = set(SAMPLES) - {query.get("like")}
    total = dict.fromkeys(photos, 0.0)
    parts = [
        (1.0, {key: query[key]})
        for key in ("q", "like", "photo")
        if key in query
    ]
    parts += [(-0.5, {"q": text}) for text in query.get("minus", [])]
    for weight, part in parts:
        sent = (
            (PHOTOS / part.pop("photo")).read_bytes()
            if "photo" in part
            else None
        )
        given = scores(ask(app, sent, **part))
        total = {name: total[name] + weight * given[name] for name in photos}
    rest = {key: value for key, value in query.items() if key != "photo"}
    sent = (PHOTOS / query["photo"]).read_bytes() if "photo" in query else None
    found = scores(ask(app, sent, **rest))
    expected = np.array([total[name] for name in photos])
    actual = np.array([found[name] for name in photos])
    factor = np.linalg.norm(actual) / np.linalg.norm(expected)
    assert actual == pytest.approx(factor * expected, abs=10 * rounding(app))


def test_minus_takes_away(app: App) -> None:
    """An animal - raccoon is a cat; what takes away everything is refused, not searched for."""
    animals = [name for name in names(ask(app, q="animal")) if name in SAMPLES]
    assert animals[:2] == ["raccoon.webp", "cat.png"]
    others = [
        name
        for name in names(ask(app, q="animal", minus="raccoon"))
        if name in SAMPLES
    ]
    assert others[0] == "cat.png"
    response = app.get("/search", q="cat", minus=["cat", "cat"])
    assert response.status_code == 422
    assert "minus" in response.json()["detail"]


@pytest.mark.parametrize("what", [{}, {"q": "temple"}, {"like": "temple.jpg"}])
def test_folder(app: App, what: dict[str, Any]) -> None:
    """folder= keeps what lies in that folder or below it; a name's beginning is not enough."""
    assert set(names(ask(app, folder="trips", **what))) == set(DATED)
    for spelled in ("trips/rome", "/trips/rome/"):
        found = names(ask(app, folder=spelled, **what))
        assert set(found) == {"trips/rome/a.jpg", "trips/rome/b.jpg"}
    assert ask(app, folder="/", **what) == ask(app, **what)
    for wrong in ("trip", "rome", "TRIPS"):
        assert ask(app, folder=wrong, **what) == []


@pytest.mark.parametrize("what", [{}, {"q": "temple"}])
def test_time(app: App, what: dict[str, Any]) -> None:
    """after= and before= go by the header, else by the file; after is in, before is out."""
    old = {name for name, year in DATED.items() if year < 2021} | OLDER
    assert set(names(ask(app, before="2021-05-01T12:00:00", **what))) == old
    no_later = names(ask(app, before="2021-05-01T12:00:01", **what))
    assert set(no_later) == {*DATED} | OLDER
    found = ask(app, after="2020-05-01T12:00:00", before="2021-05-02", **what)
    assert set(names(found)) == {"trips/rome 2/c.jpg", "trips/rome/b.jpg"}
    by_file = names(ask(app, after="2022-02-02", **what))
    assert set(by_file) == {*EVERYTHING} - {*DATED} - OLDER
    assert ask(app, after="2022-02-03", **what) == []
    assert ask(app, after="2021", **what) == ask(
        app, after="2021-01-01", **what
    )
    assert ask(app, before="2021-05", **what) == ask(
        app, before="2021-05-01", **what
    )
    assert {hit["taken"] for hit in found} == {
        "2020-05-01T12:00:00",
        "2021-05-01T12:00:00",
    }


@pytest.mark.parametrize("what", [{}, {"q": "temple"}, {"like": "temple.jpg"}])
def test_camera_and_place(app: App, what: dict[str, Any]) -> None:
    """camera= and near= go by what EXIF tells, beside all else; near= beyond the date line."""
    rome = {"trips/rome/a.jpg", "trips/rome/b.jpg"}
    assert set(names(ask(app, camera="Canon EOS 5D", **what))) == rome
    assert ask(app, camera="Canon", **what) == []
    assert set(names(ask(app, near="41.9,12.5,10", **what))) == rome
    [at_hand] = ask(app, near="41.9,12.5,5", **what)
    assert at_hand["filename"] == "trips/rome/a.jpg"
    assert at_hand["taken_from"] == "exif"
    assert at_hand["details"] == {
        "camera": "Canon EOS 5D",
        "place": {"lat": 41.9, "lon": 12.5},
    }
    [island] = ask(app, near="-17,-179.9,50", **what)
    assert island["filename"] == "trips/rome 2/c.jpg"
    assert names(ask(app, near="0,0,30000", after="2021", **what)) == [
        "trips/rome/b.jpg"
    ]
    phone = "Apple iPhone 7"
    assert ask(app, near="41.9,12.5,10", camera=phone, **what) == []


@pytest.mark.parametrize(
    "near", ["", "Rome", "91,0,1", "0,181,1", "0,0,0", "0,0", "nan,0,1"]
)
def test_no_place_gets_a_reason(app: App, near: str) -> None:
    """A circle that there is none of is refused with what to write, never left out."""
    response = app.get("/search", near=near)
    assert response.status_code == 422
    [error] = response.json()["detail"]
    assert error["loc"] == ["query", "near"]
    assert "such as 41.9,12.5,10" in error["msg"]


def test_no_query_is_the_newest(app: App) -> None:
    """Without a query every photo is listed, the newest first, without scores."""
    hits = ask(app)
    assert set(names(hits)) == set(EVERYTHING)
    later = len(EVERYTHING) - len(DATED) - len(OLDER)
    assert names(hits)[later : later + 3] == [
        "trips/rome/b.jpg",
        "trips/rome 2/c.jpg",
        "trips/rome/a.jpg",
    ]
    assert names(hits)[-1] == "cat.png"
    assert {hit["score"] for hit in hits} == {None}


def test_newest_of_the_found(app: App) -> None:
    """sort=newest keeps what the search finds, and puts it in the order of time."""
    best = ask(app, q="temple", cutoff=0.9)
    assert {"temple.jpg", *DATED} == set(names(best))
    newest = ask(app, q="temple", cutoff=0.9, sort="newest")
    assert names(newest) == [
        "temple.jpg", "trips/rome/b.jpg", "trips/rome 2/c.jpg", "trips/rome/a.jpg",
    ]  # fmt: skip
    assert scores(newest) == scores(best)
    assert ask(app, sort="newest") == ask(app)


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"q": "flower"},
        {"like": TWINS[0]},
        {"q": "flower", "sort": "newest"},
    ],
)
def test_pages_join_up(app: App, what: dict[str, Any]) -> None:
    """Pages of any length make up the whole: no photo twice, none left out, equal ones neither."""
    whole = ask(app, **what)
    for limit in (7, 10):
        pages: Hits = []
        more = True
        while more:
            body = app.get(
                "/search", limit=limit, offset=len(pages), **what
            ).json()
            pages += body["results"]
            more = body["more"]
        assert pages == whole
    beyond = app.get("/search", limit=7, offset=len(whole), **what).json()
    assert (beyond["results"], beyond["more"]) == ([], False)


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"q": "flower"},
        {"like": TWINS[0]},
        {"q": "flower", "sort": "newest"},
        {"folder": "twins"},
        {"q": "cat", "minus": "flower", "cutoff": 0.3},
    ],
)
def test_a_photo_has_its_neighbours(app: App, what: dict[str, Any]) -> None:
    """around= gives the page that holds a photo, where it stands, and what is beside it."""
    whole = names(ask(app, **what))
    assert len(whole) > 3
    for rank, name in enumerate(whole):
        body = app.get("/search", limit=3, around=name, **what).json()
        found = names(body["results"])
        assert found == whole[body["offset"] :][:3]
        assert {name, *whole[max(0, rank - 1) : rank + 2]} <= {*found}
    others = app.get("/search", around="not a photo.jpg", **what)
    assert others.status_code == 404
    assert "not among the results" in others.json()["detail"]


def test_a_photo_has_a_record(app: App) -> None:
    """/photo tells what a search does of a photo, and how large its file is; or why not."""
    name = "trips/rome/a.jpg"
    [hit] = [one for one in ask(app) if one["filename"] == name]
    told = app.get(f"/photo/{name}").json()
    assert told | hit == told
    assert told["file_bytes"] == (app.img / name).stat().st_size
    assert str(app.img) not in str(told)
    unknown = app.get("/photo/no.jpg")
    assert unknown.status_code == 404
    assert unknown.json() == {"detail": "No photo no.jpg is in the index."}
    broken = app.get("/photo/not a photo.jpg")
    assert broken.status_code == 422
    assert "can't be read: a text" in broken.json()["detail"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_seen_whole(app: App, name: str) -> None:
    """Browsers show the file itself, or a JPEG of all its pixels, as the photo says."""
    told = app.get(f"/photo/{name}").json()
    kind = KINDS[Path(name).suffix]
    assert told["in_browsers"] == kind.in_browsers
    answer = app.get(f"/thumb/{name}", size="full", v=told["version"])
    assert "immutable" in answer.headers["cache-control"]
    full = Image.open(io.BytesIO(answer.content))
    assert (full.format, full.size) == ("JPEG", (told["width"], told["height"]))


def test_cutoff(app: App) -> None:
    """cutoff= keeps the hits with that share of the best score: never none, and more is told.

    What is called so is kept, whatever its score is.
    """
    everything = ask(app, q="cat")
    assert everything == ask(app, q="cat", cutoff=0)
    best = max(hit["score"] for hit in everything)
    sizes = []
    for cutoff in (0.01, 0.5, 0.75, 1):
        body = app.get("/search", q="cat", cutoff=cutoff, limit=100).json()
        assert body["results"] == [
            hit
            for hit in everything
            if hit["score"] >= cutoff * best or hit["matches"]
        ]
        assert body["more"]
        sizes.append(len(body["results"]))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] >= 1
    worst = ask(app, minus="cat", cutoff=1)  # where every score may be below 0
    assert len(worst) >= 1


@pytest.mark.parametrize("name", [*FORMATS, *TURNED, "trips/rome 2/c.jpg"])
def test_thumbnails(app: App, name: str) -> None:
    """A thumbnail is the photo as a person sees it, small, and tells nothing else."""
    upright = load_image((app.img / name).read_bytes())
    for size in (256, 512, 1024, 2048):
        response = app.get(f"/thumb/{quote(name)}", size=size)
        assert response.headers["content-type"] == "image/jpeg"
        thumb = Image.open(io.BytesIO(response.content))
        assert thumb.format == "JPEG"
        assert max(thumb.size) == min(size, max(upright.size))
        assert not {"exif", "xmp", "icc_profile"} & thumb.info.keys()
        difference = ImageChops.difference(
            thumb.convert("RGB"), upright.resize(thumb.size)
        )
        assert max(ImageStat.Stat(difference).mean) < 8
    assert (
        app.get(f"/thumb/{quote(name)}").content
        == app.get(f"/thumb/{quote(name)}", size=256).content
    )


def versions(app: App) -> dict[str, str]:
    return {hit["filename"]: hit["version"] for hit in ask(app)}


@pytest.mark.parametrize("place", ["thumb", "img"])
def test_with_its_version_a_photo_is_kept_for_good(
    app: App, place: str
) -> None:
    """A browser keeps what it got with a version, and asks again for all else."""
    version = versions(app)["cat.png"]
    kept = app.get(f"/{place}/cat.png", v=version)
    assert kept.headers["cache-control"] == "max-age=31536000, immutable"
    asked_again = app.get(f"/{place}/cat.png")
    assert asked_again.headers["cache-control"] == "no-cache"
    assert asked_again.content == kept.content
    known = {"If-None-Match": asked_again.headers["etag"]}
    assert app.http.get(asked_again.url, headers=known).status_code == 304


def test_a_thumbnail_is_made_once(app: App) -> None:
    """A thumbnail is kept on the disk, and goes by what the photo shows, not its name."""
    before = app.get("/thumb/cat.png", size=256)
    made = {
        file: file.stat().st_mtime_ns for file in app.data.glob("thumbs/*/*")
    }
    app.add("cat.png", "twins/cat.png")
    app.finds(*EVERYTHING, "twins/cat.png")
    assert app.get("/thumb/twins/cat.png", size=256).content == before.content
    now = {
        file: file.stat().st_mtime_ns for file in app.data.glob("thumbs/*/*")
    }
    assert now == made
    (app.img / "twins" / "cat.png").unlink()
    app.finds(*EVERYTHING)


def test_indexing_makes_the_thumbnail_too(app: App) -> None:
    """When a photo can be found its thumbnail of 512 pixels is there already."""
    for name, version in versions(app).items():
        assert (
            app.data / "thumbs" / version[:2] / f"{version}-512.jpg"
        ).exists(), name


def test_a_changed_photo_has_another_version(app: App) -> None:
    """A changed photo's thumbnail is new at once; its old address gives the new one."""
    app.add("cat.png", "changing.png")
    app.finds(*EVERYTHING, "changing.png")
    was = versions(app)["changing.png"]
    before = app.get("/thumb/changing.png", v=was)
    app.add("coffee.png", "changing.png")
    eventually(lambda: versions(app)["changing.png"] != was)
    after = app.get("/thumb/changing.png", v=versions(app)["changing.png"])
    assert (
        after.content == app.get("/thumb/coffee.png").content != before.content
    )
    assert app.get("/thumb/changing.png").content == after.content
    assert app.get("/thumb/changing.png", v="0" * 16).content == after.content
    (app.img / "changing.png").unlink()
    app.finds(*EVERYTHING)


@pytest.mark.parametrize(
    ("path", "code"),
    [("no.jpg", 404), ("", 404), ("../main.py", 404), ("%2e%2e/%2e%2e/x.jpg", 404),
     ("cat.png?size=300", 422), ("cat.png?size=-1", 422), ("not%20a%20photo.jpg", 404)],
)  # fmt: skip
def test_no_other_thumbnails(app: App, path: str, code: int) -> None:
    """Nothing but photos of the folder has a thumbnail, in one of five sizes."""
    assert app.http.get(f"/thumb/{path}").status_code == code


# --- What an answer says of itself ----------------------------------------------------


def body(app: App, **query: Any) -> dict[str, Any]:
    return dict(app.get("/search", **query).json())


def test_photos_are_found_by_name(app: App) -> None:
    """`named` has what is called so, the best first, by whole words before beginnings."""
    assert names(body(app, q="IMG_no_such")["named"]) == []
    assert names(body(app, q="cat")["named"]) == ["cat.png"]
    assert names(body(app, q="formats/Raccoon.webp")["named"])[0] == (
        "formats/raccoon.webp"
    )
    found = body(app, q="trips/rome")
    whole, beginnings = found["named"][:2], found["named"][2:]
    assert set(names(whole)) == {"trips/rome/a.jpg", "trips/rome/b.jpg"}
    assert names(beginnings) == ["trips/rome 2/c.jpg"]
    assert found["named_folders"] == ["trips/rome"]
    everything = names(body(app, q="trips")["named"])
    assert set(everything) == set(DATED)
    limited = body(app, q="trips", after="2021")
    assert names(limited["named"]) == ["trips/rome/b.jpg"]
    assert names(body(app, q="trips", folder="trips/rome 2")["named"]) == [
        "trips/rome 2/c.jpg"
    ]
    # One that can't be read is not shown.
    assert names(body(app, q="not a photo")["named"]) == []


def test_names_are_asked_for_beside_what_is_seen(app: App) -> None:
    """What is called so comes first, and says so; all others follow as they look."""
    found = body(app, q="trips/rome", limit=100)
    assert {*names(found["results"][:3])} == {*DATED}
    assert found["results"][0]["why"][0] == "name"
    assert found["results"][0]["matches"] == {"name": ["trips", "rome"]}
    assert found["fits"] is True
    assert found["total"] == len(found["results"]) == len(EVERYTHING)
    seen = ask(app, q="a cup of coffee")[0]
    assert (seen["filename"], seen["why"][-1]) == ("coffee.png", "meaning")


def test_a_search_may_be_for_names_alone(app: App) -> None:
    """Then nothing else is found, and no photo has a score."""
    by_name: dict[str, Any] = {"in": "name"}
    for q in ("formats/raccoon.webp", "raccoon webp formats"):
        found = body(app, q=q, **by_name)
        assert names(found["results"]) == ["formats/raccoon.webp"]
        assert (found["total"], found["results"][0]["score"]) == (1, None)
    by_beginning = ask(app, q="racc", **by_name)
    assert {*names(by_beginning)} == {"raccoon.webp", *FORMATS}
    assert names(ask(app, q='"rome trips"')) == []
    table = app.get("/search", q="trips/rome", format="csv", limit=1).text
    assert table.splitlines()[0].endswith(",why")
    assert '"name' in table or ",name" in table


def test_names_follow_the_folder(app: App) -> None:
    """A photo that comes is found by its name within seconds, and one that goes is not."""
    app.add("cat.png", "newcomers/DSC_0815.png")

    def named() -> list[str]:
        return names(body(app, q="dsc 815")["named"])

    eventually(lambda: named() == ["newcomers/DSC_0815.png"])
    (app.img / "newcomers/DSC_0815.png").unlink()
    eventually(lambda: named() == [])


def test_all_photos_are_counted(app: App) -> None:
    """`total` is what all pages have together, `searched` what the filters let through."""
    every = len(EVERYTHING)
    eventually(lambda: body(app)["searched"] == every)
    assert body(app, limit=2)["total"] == every
    assert body(app, q="cat", limit=2)["total"] == every
    trips = body(app, folder="trips", limit=1)
    assert (trips["total"], trips["searched"]) == (3, 3)
    for query in (
        {"q": "cat"},
        {"like": "cat.png"},
        {"q": "a", "sort": "newest"},
    ):
        cut = {**query, "cutoff": 0.9}
        found = body(app, **cut, limit=2)
        assert found["total"] == len(body(app, **cut, limit=100)["results"])
    assert body(app, q="cat", offset=2)["total"] is None


def test_words_are_told_from_nonsense(app: App) -> None:
    """What the photos show fits; letters that mean nothing, and what no photo shows, don't."""
    eventually(lambda: body(app, q="cat")["fits"] is not None)
    shown = ("cat", "a cup of coffee", "rocket", "motorcycle", "flower")
    assert [body(app, q=q)["fits"] for q in shown] == [True] * len(shown)
    senseless = ("asdfgh", "qzxvkp", "http://a.example/b", "4711", "shark")
    told = [body(app, q=q)["fits"] for q in senseless]
    assert told == [False] * len(senseless)
    assert body(app, like="cat.png")["fits"] is None
    assert body(app, q="cat", sort="newest")["fits"] is True
    assert body(app, q="cat", minus=["grass"])["fits"] is True


def test_examples_are_of_what_there_is(app: App) -> None:
    """Examples to begin with fit the photos."""
    found = eventually(lambda: app.get("/examples").json()["examples"])
    assert 1 <= len(found) <= 3
    assert all(body(app, q=example)["fits"] for example in found)


def test_all_folders_are_told(app: App) -> None:
    """Each folder with its photos and those below it, and the days that photos are of."""
    answer = app.get("/folders").json()
    assert {one["folder"]: one["photos"] for one in answer["folders"]} == {
        "formats": len(FORMATS),
        "trips": 3,
        "trips/rome": 2,
        "trips/rome 2": 1,
        "turned": len(TURNED),
        "twins": len(TWINS),
    }
    assert answer["total"] == 6
    taken = [hit["taken"] for hit in ask(app)]
    assert answer["oldest"] == min(taken)
    assert answer["newest"] == max(taken)
    found = app.get("/folders", q="ROM", limit=1).json()
    assert [one["folder"] for one in found["folders"]] == ["trips/rome"]
    assert found["total"] == 2


def test_an_unknown_folder_is_told_from_an_empty_one(app: App) -> None:
    """Nothing found says whether there is such a folder, and which may be meant."""
    unknown = body(app, folder="TRIPS")
    assert (unknown["results"], unknown["similar_folders"]) == ([], ["trips"])
    assert body(app, folder="rome")["similar_folders"][0] == "trips/rome"
    assert body(app, folder="nowhere")["similar_folders"] == []
    assert body(app, folder="trips", after="2050")["similar_folders"] is None


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/search", {"after": "foo"}),
        ("/search", {"near": "Rome"}),
        ("/search", {"limit": "many"}),
        ("/search", {"sort": "oldst"}),
        ("/search", {"nothing": "of this name"}),
        ("/folders", {"limit": 0}),
        ("/status/skipped", {"format": "xml"}),
        ("/thumb/cat.png", {"size": "3"}),
    ],
)
def test_what_is_wrong_is_said_in_our_words(
    app: App, path: str, wrong: dict[str, Any]
) -> None:
    """Each route tells what to write, and shows nothing of the library beneath."""
    response = app.get(path, **wrong)
    assert response.status_code == 422
    [error] = response.json()["detail"]
    assert error["loc"] == ["query", next(iter(wrong))]
    assert error["msg"].startswith(("write", "there is no parameter"))
    assert not re.search("Input|Value error|should|Extra", error["msg"])
