"""A folder of Google Drive, of a stand-in of it: what is in it, its bytes, and what fails."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_search.addresses import parse_addresses
from image_search.bucket_addresses import BucketAddress
from image_search.bucket_errors import BucketError, ObjectChanged, ObjectMissing
from image_search.bucket_kinds import open_remote
from image_search.bucket_listing import BucketListing
from image_search.drive import DriveFolder
from image_search.drive_api import DriveApi
from image_search.exclusions import Exclusions, Patterns
from image_search.photo_buckets import PhotoBucket
from image_search.settings import StartupError
from tests.drive_standin import DOCUMENT, EMAIL, FOLDER, SHORTCUT, Drive
from tests.harness import ROOT, environment

SLASH = "\N{FULLWIDTH SOLIDUS}"
CONTENT = bytes(range(256)) * 4096


class World:
    """A Drive, and the app's way to the folder that is shared with it."""

    def __init__(self, drive: Drive, folder: Path) -> None:
        self.drive = drive
        self.key = drive.write_key(folder / "key.json")
        self.waited: list[float] = []
        self.opened: list[DriveApi] = []
        self.address = address_of(f"gdrive://{drive.root}")
        self.place = self.open()

    def open(self) -> DriveFolder:
        """As an app that has just been started."""
        api = DriveApi.open(
            self.address,
            {
                "GOOGLE_APPLICATION_CREDENTIALS": str(self.key),
                "GOOGLE_DRIVE_ENDPOINT": self.drive.endpoint,
            },
        )
        api.sleep = self.waited.append
        self.opened.append(api)
        return DriveFolder(self.address, api)

    def listed(self) -> dict[str, str]:
        """The names of all that is in it, and what is wrong with each."""
        return {file.name: file.problem for file in self.place.list()}


def address_of(text: str) -> BucketAddress:
    [address] = parse_addresses(text, Path)
    assert isinstance(address, BucketAddress)
    return address


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Drive().served() as drive:
        made = World(drive, tmp_path)
        yield made
        for api in made.opened:
            api.client.close()


def test_everything_below_the_folder_is_listed(world: World) -> None:
    """Each by the names of its folders and its own, with size, time and version."""
    drive = world.drive
    deep = drive.folder("er", drive.folder("deep"))
    drive.put("a.jpg", b"abc")
    drive.put("ä 😀 'x' 50% #1?.png", b"abc", deep)
    drive.put("not shared.png", b"abc", drive.make("other", "", FOLDER))
    binned = drive.put("binned.png", b"abc")
    drive.files[binned]["trashed"] = True
    drive.make("letter.png", drive.root, DOCUMENT)
    names = ["a.jpg", "deep/er/ä 😀 'x' 50% #1?.png"]
    found = {file.name: file for file in world.place.list()}
    assert sorted(found) == sorted(names)
    for file in found.values():
        assert file.size == 3
        assert file.version == "900150983cd24fb0d6963f7d28e17f72"
        assert file.modified % 1 == pytest.approx(0.678)
        for place in (
            world.place,
            world.open(),
        ):  # also before the first listing
            assert place.look_up(file.name) == file
            assert place.read(file.name) == b"abc"
    files, folders = world.open().list_folder("deep")
    assert (files, folders) == ([], ["deep/er"])


def test_more_than_a_page_is_listed(world: World) -> None:
    """Google tells a thousand at a time, or fewer."""
    world.drive.page = 10
    for number in range(25):
        world.drive.put(f"{number}.jpg", b"a")
    assert len(world.listed()) == 25
    pages = [one for one in world.drive.asked if one.parameters.get("pageSize")]
    assert len(pages) == 3


def test_files_of_one_name_are_all_there(world: World) -> None:
    """The oldest keeps the name, whatever comes; each can be looked up and read."""
    drive = world.drive
    drive.make("a.jpg", drive.root, SHORTCUT)  # is no file
    drive.put("a.jpg", b"first")
    second = drive.put("a.jpg", b"second")
    one, other = drive.folder("trip"), drive.folder("trip")
    drive.put("b.jpg", b"third", one)
    fourth = drive.put("b.jpg", b"fourth", other)
    drive.put("c.jpg", b"fifth", other)
    names = {
        "a.jpg": b"first",
        f"a ({second}).jpg": b"second",
        "trip/b.jpg": b"third",
        f"trip/b ({fourth}).jpg": b"fourth",
        "trip/c.jpg": b"fifth",
    }
    told = world.listed()
    assert sorted(name for name in told if not told[name]) == sorted(names)
    for place in (world.place, world.open()):
        for name, content in names.items():
            assert place.look_up(name)
            assert place.read(name) == content


def test_what_can_not_be_read_is_told(world: World) -> None:
    """Names that are none, shortcuts, what is barred: the rest is read nevertheless."""
    drive = world.drive
    drive.put("a/b.jpg", b"abc")
    drive.put("a\nb.jpg", b"abc")
    drive.put("x" * 1100 + ".jpg", b"abc")
    drive.make("link.jpg", drive.root, SHORTCUT)
    barred = drive.put("barred.jpg", b"abc")
    drive.files[barred]["capabilities"]["canDownload"] = False
    closed = drive.folder("closed")
    drive.files[closed]["capabilities"]["canListChildren"] = False
    drive.put("in/out.jpg", b"abc", drive.folder("not/a folder"))
    drive.put("in it.jpg", b"abc", drive.folder("gone"))
    drive.put("good.jpg", b"abc", drive.folder("good"))
    drive.put("hidden.jpg", b"abc", drive.folder(".hidden"))
    listing = BucketListing(Exclusions(), lambda _: Patterns(()))
    found = listing.make(world.place.list())
    assert {*found.photos} == {"good/good.jpg", "gone/in it.jpg"}
    slashed = f"a{SLASH}b.jpg"
    reasons = {
        slashed: "rename it",
        "a\N{REPLACEMENT CHARACTER}b.jpg": "rename it",
        "x" * 1100 + ".jpg": "shorten it",
        "link.jpg": "shortcut",
        "barred.jpg": "does not let it be downloaded",
    }
    assert {*found.skipped} == {*reasons}
    for name, reason in reasons.items():
        assert reason in found.skipped[name]
    assert {*found.unreadable} == {"closed", f"not{SLASH}a folder"}
    assert world.place.look_up(slashed) is None


def test_a_folder_that_goes_meanwhile_is_not_taken_for_empty(
    world: World,
) -> None:
    """What was in it is kept until it is known to be gone."""
    drive = world.drive
    trip = drive.folder("trip")
    drive.put("a.jpg", b"abc", trip)
    drive.put("b.jpg", b"abc")
    listing = world.place.list()
    assert next(listing).name == "b.jpg"
    drive.delete(trip)
    [left] = listing
    assert (left.name, left.problem) == ("trip/", "it could not be listed")


def test_a_part_is_read(world: World) -> None:
    """From a byte up to another one, and no more than that is asked for."""
    world.drive.put("a.jpg", CONTENT)
    world.drive.put("empty.jpg", b"")
    world.listed()

    async def stream(begin: int, end: int | None) -> bytes:
        pieces = world.place.stream("a.jpg", begin, end)
        return b"".join([piece async for piece in pieces])

    for begin, end in ((0, None), (5, None), (5, 9), (0, 2**30), (7, 7)):
        part = CONTENT[begin:end]
        assert world.place.read("a.jpg", begin, end) == part
        assert asyncio.run(stream(begin, end)) == part
    assert world.place.read("empty.jpg", 0, 100) == b""
    ranges = {one.range for one in world.drive.asked}
    assert "bytes=5-8" in ranges


def test_a_stream_may_be_left(world: World) -> None:
    """Its connection is given back: as many as one likes can be."""
    world.drive.put("a.jpg", CONTENT)
    world.listed()

    async def begin() -> None:
        async for piece in world.place.stream("a.jpg"):
            assert CONTENT.startswith(piece)
            return

    for _ in range(120):  # more than the pool of connections has
        asyncio.run(begin())


@pytest.mark.parametrize("end", [None, 5])
def test_a_version_is_read_or_none(world: World, end: int | None) -> None:
    """What is asked for by its version is not given of another one."""
    made = world.drive.put("a.jpg", b"the first")
    [file] = world.place.list()
    read = world.place.read("a.jpg", 0, end, file.version)
    assert read == b"the first"[:end]
    world.drive.replace(made, b"the other")
    with pytest.raises(ObjectChanged):
        world.place.read("a.jpg", 0, end, file.version)
    now = world.place.look_up("a.jpg")
    assert now
    assert now.version != file.version
    with pytest.raises(ObjectChanged):
        world.place.read("a.jpg", 100)


def test_what_replaces_a_file_is_found_by_its_name(world: World) -> None:
    """Though it has another id; what is gone, binned, moved or renamed is not there."""
    drive, place = world.drive, world.place
    made = drive.put("a.jpg", b"the first")
    world.listed()
    drive.delete(made)
    with pytest.raises(ObjectMissing):
        place.read("a.jpg")
    made = drive.put("a.jpg", b"the other")
    assert place.look_up("a.jpg")
    assert place.read("a.jpg") == b"the other"
    for change in (
        {"trashed": True},
        {"name": "b.jpg"},
        {"parents": [drive.folder("trip")]},
    ):
        drive.files[made] |= {
            "trashed": False,
            "name": "a.jpg",
            "parents": [drive.root],
        }
        world.listed()
        drive.files[made] |= change
        assert place.look_up("a.jpg") is None


def test_what_could_not_be_looked_up_is_not_forgotten(world: World) -> None:
    """Where Google fails on the way, it is asked again by the next question."""
    drive, place = world.drive, world.place
    made = drive.put("a.jpg", b"the first")
    world.listed()
    drive.fail(f"files/{made}", 404, "notFound", times=1)
    drive.fail("files", 400, "badRequest", times=1)
    with pytest.raises(BucketError, match="badRequest"):
        place.look_up("a.jpg")
    assert place.look_up("a.jpg")


def test_names_that_no_listing_had_cost_nothing(world: World) -> None:
    """Google counts what it is asked: it is not, about what strangers make up."""
    world.listed()
    before = len(world.drive.asked)
    for name in ("a.jpg", "../a.jpg", "x//a.jpg", "a\n.jpg", "deep/a.jpg"):
        assert world.place.look_up(name) is None
        with pytest.raises(ObjectMissing):
            world.place.read(name)
    assert len(world.drive.asked) == before


def test_a_token_is_used_until_it_ends(world: World) -> None:
    """Then another one is signed for; also where Google ends it before its time."""
    world.drive.put("a.jpg", b"abc")
    world.listed()
    world.listed()
    assert world.drive.signatures == 1
    world.drive.tokens.clear()
    world.listed()
    assert world.drive.signatures == 2
    # One of a second's life is never good for another question.
    world.drive.seconds = 1
    world.drive.tokens.clear()
    world.listed()
    assert world.drive.signatures > 3
    assert not world.waited


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (403, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (429, ""),
        (500, "backendError"),
        (503, ""),
    ],
)
def test_what_passes_is_waited_for(
    world: World, status: int, word: str
) -> None:
    """Longer each time, and not for ever: then it is said."""
    world.drive.put("a.jpg", b"abc")
    world.drive.fail("files", status, word, times=2)
    assert [*world.listed()] == ["a.jpg"]
    assert world.waited == [0.5, 1.0]
    world.drive.fail("files", status, word)
    with pytest.raises(BucketError, match=str(status)):
        world.listed()
    assert len(world.waited) == 5


@pytest.mark.parametrize(
    ("path", "status", "word", "said"),
    [
        ("files", 404, "notFound", f"not shared with {EMAIL}"),
        ("files", 401, "authError", "make a new one"),
        ("files", 403, "insufficientFilePermissions", f"let {EMAIL} see"),
        ("files", 403, "accessNotConfigured", "API is not enabled"),
        ("files", 403, "rateLimitExceeded", "a longer ?refresh="),
        ("files", 403, "downloadQuotaExceeded", "more than Google allows"),
        ("files", 400, "badRequest", "Google answers 400 badRequest"),
        ("files", 200, "", "what answers is not Google Drive"),
        ("files", 400, "a key: s3cr3t", "Google answers 400."),
        ("token", 400, "invalid_grant", "refused (invalid_grant)"),
        ("token", 503, "unavailable", "can't be reached"),
    ],
)
def test_an_answer_that_is_none_is_said(
    world: World, path: str, status: int, word: str, said: str
) -> None:
    """In a sentence that says what to do, and repeats nothing that may be secret."""
    world.drive.fail(path, status, word)
    with pytest.raises(BucketError, match=re.escape(said)) as caught:
        world.listed()
    told = str(caught.value)
    assert told.startswith(f"IMAGE_DIR=gdrive://{world.drive.root} ")
    assert "no one is to repeat" not in told
    assert "s3cr3t" not in told


def test_a_key_that_is_not_the_accounts_is_refused(
    world: World, tmp_path: Path
) -> None:
    """What Google does not take is no way in."""
    told = json.loads(world.key.read_text())
    world.key.write_text(json.dumps({**told, "private_key": Drive().pem}))
    world.place = world.open()
    with pytest.raises(BucketError, match="invalid_grant"):
        world.listed()


def test_it_has_to_be_a_folder(world: World) -> None:
    """One that is there, and not in the bin."""
    folder = world.drive.files[world.drive.root]
    folder["trashed"] = True
    with pytest.raises(BucketError, match="lies in the bin"):
        world.listed()
    folder |= {"trashed": False, "mimeType": "image/png"}
    with pytest.raises(BucketError, match="is no folder"):
        world.listed()


def test_a_listing_of_a_part_is_not_taken_for_the_whole(world: World) -> None:
    """Google may leave something out, and says so."""
    world.drive.put("a.jpg", b"abc")
    world.drive.leaves_out = True
    with pytest.raises(BucketError, match="left some of it out"):
        world.listed()


@pytest.mark.parametrize("endpoint", ["localhost:1", "http://a:b:c"])
def test_an_endpoint_that_is_no_address_is_said(
    world: World, endpoint: str
) -> None:
    """As soon as it is to be asked."""
    variables = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(world.key),
        "GOOGLE_DRIVE_ENDPOINT": endpoint,
    }

    def ask() -> None:
        api = DriveApi.open(world.address, variables)
        world.opened.append(api)
        next(DriveFolder(world.address, api).list())

    with pytest.raises(BucketError, match="GOOGLE_DRIVE_ENDPOINT"):
        ask()


def test_a_server_that_is_away_is_said(world: World) -> None:
    """After a few tries; whatever it is asked for."""
    world.drive.put("a.jpg", CONTENT)
    world.listed()
    world.drive.gate.shut()
    for ask in (
        world.listed,
        lambda: world.place.look_up("a.jpg"),
        lambda: world.place.read("a.jpg"),
    ):
        with pytest.raises(BucketError, match="can't be reached"):
            ask()
    world.drive.gate.open()
    assert world.place.read("a.jpg") == CONTENT


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "can't be read: see to its path"),
        ("", "is no service account's key"),
        ("[]", "is no service account's key"),
        ('{"type": "authorized_user"}', "is no service account's key"),
        (
            '{"private_key": "s3cr3t", "client_email": "a", "token_uri": "b"}',
            "no service account's key",
        ),
    ],
)
def test_what_is_no_key_is_said(
    tmp_path: Path, written: str | None, said: str
) -> None:
    """And nothing of what is in it."""
    path = tmp_path / "key.json"
    if written is not None:
        path.write_text(written)
    variables = {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    with pytest.raises(BucketError, match=said) as caught:
        DriveApi.open(address_of("gdrive://id"), variables)
    assert "s3cr3t" not in str(caught.value)


def test_without_a_key_it_is_said_which() -> None:
    """That stops a start, as a folder that is none does."""
    place = PhotoBucket(address_of("gdrive://id"))
    with pytest.raises(StartupError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        place.check_at_start(is_set_up=False)
    place.check_at_start(is_set_up=True)


def test_without_the_library_it_is_said_what_to_install() -> None:
    """It is an extra of its own."""
    code = (
        "import sys; sys.modules['google.auth'] = None\n"
        "from image_search.bucket_addresses import parse_url\n"
        "from image_search.bucket_kinds import open_remote\n"
        "open_remote(parse_url('gdrive://id'))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "needs `pip install google-auth httpx`" in run.stderr
    with pytest.raises(BucketError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        open_remote(address_of("gdrive://id"))
