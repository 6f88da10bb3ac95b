"""Processes that decode JPEGs come and go, and no photo is lost or seen otherwise.

They decode on the CPU here; all else is as with a GPU.
"""

import functools
import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import ExifTags, Image, ImageCms

from image_search.decode import OF_ALL, Decoded, decode
from image_search.jpeg_client import decode_elsewhere
from image_search.jpeg_decoders import DecoderJobs, JpegDecoders
from image_search.jpeg_messages import FOLDER_VARIABLE, NAME_VARIABLE
from image_search.photos import Reading, read_photo
from image_search.reasons import PhotoError
from image_search.workers import WorkerPool
from tests import jpeg_standin
from tests.harness import PHOTOS, ROOT, environment, eventually
from tests.jpeg_standin import CRASHES, HANGS, IS_BLANK, IS_REFUSED
from tests.odd_files import odd_files

STAND_IN = DecoderJobs(jpeg_standin.check, jpeg_standin.serve)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
END = b"\xff\xd9"

NewDecoders = Callable[..., JpegDecoders]


@pytest.fixture
def new_decoders(tmp_path: Path) -> Iterator[NewDecoders]:
    made = []

    def make(
        jobs: DecoderJobs | None = STAND_IN,
        pauses: tuple[float, ...] = (0.1, 0.1),
    ) -> JpegDecoders:
        decoders = JpegDecoders(tmp_path / "notes", jobs, "cpu", pauses)
        made.append(decoders)
        return decoders

    yield make
    for decoders in made:
        decoders.close()


@pytest.fixture(scope="module")
def true_decoders(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[JpegDecoders]:
    """Those of the app, on the CPU, for tests that do them no harm."""
    notes = tmp_path_factory.mktemp("jpeg") / "notes"
    decoders = JpegDecoders(notes, None, "cpu")
    decoders.start(["cpu"])
    wait_until_ready(decoders)
    yield decoders
    decoders.close()


def photo(
    width: int = 1500, height: int = 1000, name: str = "coffee", **options: Any
) -> bytes:
    image = Image.open(PHOTOS / f"{name}.png").convert("RGB")
    buffer = io.BytesIO()
    image = image.resize((width, height))
    image.save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def asked(decoders: JpegDecoders, content: bytes, **more: Any) -> Any:
    """What they make of a photo; None where it is for Pillow."""
    size = Image.open(io.BytesIO(content)).size
    variables = decoders.environment
    return decode_elsewhere(content, size, environment=variables, **more)


def wait_until_ready(decoders: JpegDecoders) -> None:
    eventually(lambda: asked(decoders, photo(name="cat")))


def by_both(
    decoders: JpegDecoders, content: bytes, at_least: int | None
) -> list[Decoded | str]:
    """What is seen by Pillow alone, and by asking first, however small it is."""
    first = functools.partial(
        decode_elsewhere, environment=decoders.environment, least=1
    )
    found: list[Decoded | str] = []
    for elsewhere in (lambda _, __: None), first:
        try:
            found.append(decode(content, at_least, OF_ALL, elsewhere))
        except PhotoError as error:
            found.append(str(error))
    return found


# --- The same photos --------------------------------------------------------------------


@pytest.mark.parametrize("at_least", [None, 64])
def test_odd_files_are_what_they_were(
    true_decoders: JpegDecoders, at_least: int | None
) -> None:
    """A file is refused, called damaged, turned and coloured as it is by Pillow alone."""
    for odd in odd_files():
        if odd.content[:2] == b"\xff\xd8":
            check_equal(true_decoders, odd.content, at_least, odd.name)


def check_equal(
    decoders: JpegDecoders, content: bytes, at_least: int | None, name: str
) -> None:
    before, now = by_both(decoders, content, at_least)
    if isinstance(before, str) or isinstance(now, str):
        assert now == before, name
        return
    assert now.size == before.size, name
    assert now.is_damaged == before.is_damaged, name
    assert now.image.size == before.image.size, name
    if name.startswith("corrupted"):
        return  # how noise looks is no law
    expected, pixels = (
        np.asarray(one.image).astype(int) for one in (before, now)
    )
    assert np.abs(pixels - expected).mean() < 2, name


@pytest.mark.parametrize("at_least", [None, 300])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
def test_damaged_files_are_what_they_were(
    true_decoders: JpegDecoders, at_least: int | None, options: dict[str, Any]
) -> None:
    """Cut off, with zeros, with garbage, or ended too early: as with Pillow alone."""
    content = photo(640, 480, **options)
    half, most = content[: len(content) // 2], content[: len(content) * 9 // 10]
    broken = {
        "half of it": half,
        "most of it": most,
        "no end": content[:-2],
        "half and an end": half + END,
        "most and an end": most + END,
        "zeros at the end": most + bytes(1000),
        "zeros and an end": most + bytes(1000) + END,
        "a film behind it": content + b"\0\0\0\x18ftypmp42" + bytes(500),
        "another JPEG behind it": content + content,
        "a fifth of it": content[: len(content) // 5],
        "only a header": content[:400],
    }
    for name, one in broken.items():
        check_equal(true_decoders, one, at_least, name)


def test_broken_bytes_cost_nothing(true_decoders: JpegDecoders) -> None:
    """Whatever is in a scan, there is an answer, and it is refused as by Pillow alone."""
    content = photo(640, 480)
    noise = np.random.default_rng(7)
    for _ in range(40):
        broken = np.frombuffer(content, np.uint8).copy()
        places = noise.integers(len(broken) // 4, len(broken) - 2, 3)
        broken[places] = noise.integers(0, 256, 3)
        before, now = by_both(true_decoders, broken.tobytes(), 100)
        if isinstance(before, str) or isinstance(now, str):
            assert now == before
        else:
            assert now.is_damaged == before.is_damaged


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_once_and_coloured_once(
    true_decoders: JpegDecoders, orientation: int
) -> None:
    """Orientation and profile are the app's own work."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = photo(1500, 1000, exif=exif, icc_profile=SRGB)
    assert asked(true_decoders, content) is not None
    check_equal(true_decoders, content, None, str(orientation))


def test_small_large_and_rare_ones_are_for_pillow(
    true_decoders: JpegDecoders,
) -> None:
    """Nobody is asked for what a core decodes as quickly, or a GPU might not."""
    assert asked(true_decoders, photo(1500, 1000)) is not None
    assert asked(true_decoders, photo(1000, 800)) is None
    cmyk = io.BytesIO()
    Image.new("CMYK", (1500, 1000), (9, 99, 9, 9)).save(cmyk, "JPEG")
    assert asked(true_decoders, cmyk.getvalue()) is None
    grey = io.BytesIO()
    Image.open(PHOTOS / "cat.png").convert("L").resize((1500, 1000)).save(
        grey, "JPEG"
    )
    assert asked(true_decoders, grey.getvalue()).mode == "L"
    huge = io.BytesIO()
    Image.new("L", (11000, 10000)).save(huge, "JPEG")
    assert asked(true_decoders, huge.getvalue()) is None


# --- Workers ----------------------------------------------------------------------------


def read_all(
    decoders: JpegDecoders, contents: list[bytes], workers: int = 3
) -> list[Reading]:
    """All that the app makes of photos, by workers of its kind."""
    pool = WorkerPool(workers, 60, decoders.environment)
    try:
        with ThreadPoolExecutor(workers) as threads:
            read = functools.partial(pool.run, read_photo)
            return [*threads.map(lambda one: read(one, 224), contents)]
    finally:
        pool.close()


def check_readings(contents: list[bytes], readings: list[Reading]) -> None:
    for content, reading in zip(contents, readings, strict=True):
        expected = read_photo(content, 224)
        assert reading.facts == expected.facts
        pixels = reading.pixels.astype(int)
        assert np.abs(pixels - expected.pixels).mean() < 2
        assert reading.is_damaged == expected.is_damaged


def test_each_worker_gets_its_own(true_decoders: JpegDecoders) -> None:
    """Of photos that many ask for at once, each is its own, by its facts and pixels."""
    names = ("cat", "coffee")
    contents = [
        photo(1400 + 10 * number, 1000, names[number % 2])
        for number in range(12)
    ]
    check_readings(contents, read_all(true_decoders, contents))


def test_killing_them_costs_no_photo(new_decoders: NewDecoders) -> None:
    """What they had is decoded by the workers, and others are started at once."""
    decoders = new_decoders()
    decoders.start(["cpu"])
    wait_until_ready(decoders)
    contents = [photo(1400 + 10 * number) for number in range(40)]
    killed: set[int] = set()
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read_all, decoders, contents)
        for _ in range(3):
            [pid] = eventually(lambda: set(decoders.workers()) - killed)
            eventually(lambda: reading.done() or asked(decoders, photo(1900)))
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        check_readings(contents, reading.result())
    eventually(lambda: set(decoders.workers()) - killed)
    eventually(lambda: asked(decoders, photo(2000)))


def test_what_kills_them_is_not_sent_again(
    new_decoders: NewDecoders, tmp_path: Path
) -> None:
    """It is read like any other photo, by Pillow, and the next decoder never sees it."""
    decoders = new_decoders()
    decoders.start(["cpu"])
    wait_until_ready(decoders)
    before = decoders.workers()
    deadly = photo(CRASHES)
    check_readings([deadly], read_all(decoders, [deadly]))
    assert len([*(tmp_path / "notes").iterdir()]) == 1
    eventually(lambda: set(decoders.workers()) - set(before))
    wait_until_ready(decoders)
    before = decoders.workers()
    check_readings([deadly] * 3, read_all(decoders, [deadly] * 3))
    wait_until_ready(decoders)
    assert decoders.workers() == before


def test_one_that_hangs_is_not_waited_for(new_decoders: NewDecoders) -> None:
    """A worker gives it up, and what it hangs at is not sent again."""
    decoders = new_decoders()
    decoders.start(["cpu"])
    wait_until_ready(decoders)
    assert asked(decoders, photo(HANGS), seconds=0.2) is None
    assert decoders.notes.is_dir()
    decoders.close()
    assert not decoders.notes.exists()


def test_what_is_refused_or_ends_too_early_is_for_pillow(
    new_decoders: NewDecoders,
) -> None:
    """Neither a refusal nor rows of nothing are a photo."""
    decoders = new_decoders()
    decoders.start(["cpu"])
    wait_until_ready(decoders)
    for width in IS_REFUSED, IS_BLANK:
        assert asked(decoders, photo(width)) is None
    assert not decoders.notes.exists()
    contents = [photo(IS_REFUSED), photo(IS_BLANK)]
    check_readings(contents, read_all(decoders, contents))


# --- Their lives ------------------------------------------------------------------------


def said(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (jpeg_standin.find_it_wanting, "RuntimeError: no driver"),
        (jpeg_standin.crash, "it crashed"),
    ],
)
def test_one_that_never_works_is_given_up(
    new_decoders: NewDecoders,
    caplog: pytest.LogCaptureFixture,
    check: Callable[[str], None],
    reason: str,
) -> None:
    """After some starts; the log tells it twice and not at each."""
    caplog.set_level(logging.INFO)
    decoders = new_decoders(DecoderJobs(check, jpeg_standin.serve))
    decoders.start(["cpu"])
    eventually(lambda: said(caplog, "any more"))
    assert said(caplog, reason) == 2
    assert said(caplog, "as well") == 0
    assert decoders.workers() == []
    assert asked(decoders, photo()) is None


def test_the_log_tells_that_they_work(
    new_decoders: NewDecoders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    decoders = new_decoders()
    decoders.start(["cpu"])
    eventually(lambda: said(caplog, "JPEGs are decoded on cpu as well"))


def test_only_devices_of_the_kind_have_one(tmp_path: Path) -> None:
    """Without CUDA nothing is started, and nobody has anything to ask."""
    decoders = JpegDecoders(tmp_path / "notes")
    decoders.start(["cpu", "mps"])
    assert decoders.workers() == []
    assert asked(decoders, photo()) is None
    assert set(decoders.environment) == {NAME_VARIABLE, FOLDER_VARIABLE}
    decoders.close()


def test_nothing_stays_when_they_are_closed(new_decoders: NewDecoders) -> None:
    """Not even one that was about to be started again."""
    decoders = new_decoders()
    decoders.start(["cpu"])
    wait_until_ready(decoders)
    pids = decoders.workers()
    decoders.close()
    assert decoders.workers() == []
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not decoders.notes.exists()
    assert asked(decoders, photo()) is None


APP = """
import sys, time
from pathlib import Path
from image_search.jpeg_decoders import JpegDecoders
decoders = JpegDecoders(Path(sys.argv[1]), None, "cpu")
decoders.start(["cpu"])
while not decoders.workers():
    time.sleep(0.05)
print(decoders.workers()[0], *decoders.environment.values(), flush=True)
time.sleep(600)
"""


def test_nothing_stays_when_the_app_is_killed(tmp_path: Path) -> None:
    """No process and no file, wherever the app's folder lies: its name may be long."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    app = subprocess.Popen(
        [sys.executable, "-c", APP, str(folder / "notes")],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert app.stdout
    with app:
        pid, name, notes = app.stdout.readline().split()
        variables = {NAME_VARIABLE: name, FOLDER_VARIABLE: notes}
        ask = functools.partial(decode_elsewhere, environment=variables)
        eventually(lambda: ask(photo(), (1500, 1000)))
        app.kill()
    eventually(lambda: not psutil.pid_exists(int(pid)))
    assert ask(photo(), (1500, 1000)) is None
    assert [*folder.iterdir()] == []
