"""The benchmark measures the app as it is: whatever it asks of the app can be asked."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bench import gpu
from tests.bench.__main__ import Worker
from tests.bench.growth import ROWS, grow
from tests.harness import PHOTOS, ROOT, environment


def test_the_benchmark_can_ask_all_it_asks(
    tiny_clip: Path, tmp_path: Path
) -> None:
    """With a tiny model every question gets its answer, and what is stored is found."""
    photo = str(PHOTOS / "cat.png")
    with Worker(tiny_clip, DATA_DIR=tmp_path) as worker:
        for _ in range(
            2
        ):  # a second time, with more at once than there are cores
            assert worker.ask("images", [photo] * 12) > 0
        assert worker.ask("prepared_image", photo, 2) > 0
        assert worker.ask("products", worker.ask("precision")) > 0
        assert worker.ask("fill_store", 1000, 5) > 0
        assert worker.ask("open_store") >= 0
        seconds, recall = worker.ask("search_store")
        assert len(seconds) == 5
        assert recall > 0.9
        assert worker.ask("write_store", 3) > 0
        assert worker.ask("scan_folder")[1] == len([*PHOTOS.glob("*.[jpw]*")])
    with Worker(tiny_clip, DATA_DIR=tmp_path) as tutorial:
        tutorial.ask("imports_tutorial")
        assert tutorial.ask("images_tutorial", [photo]) > 0
        assert len(tutorial.ask("texts_tutorial", ["a cat"])) == 1


def test_a_collection_can_be_asked_all_of_it() -> None:
    """A small one gives every figure that a large one does, but those of a server."""
    found = grow(1000)
    assert {*ROWS} - {*found} <= {"read", "disk"}
    assert found["recall"] > 0.9
    assert found["written"] > 0


def run_gpu_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The benchmark of GPUs, small, on a CPU."""
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.gpu", "--device=cpu", *arguments],
        cwd=ROOT,
        env=environment() | {"QUICK": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def rows(printed: str) -> dict[str, str]:
    """The table, by what its rows are about."""
    lines = [line.strip("| ") for line in printed.splitlines() if "|" in line]
    return dict(line.split(" | ") for line in lines if " | " in line)


def test_the_benchmark_of_gpus_measures_all_of_it(tiny_clip: Path) -> None:
    """Each part gives a figure, in the app as it is, and a ratio comes of them."""
    run = run_gpu_bench("--model", str(tiny_clip))
    assert run.returncode == 0, run.stderr
    found = rows(run.stdout)
    large, small = gpu.SIZES_OF_A_TRIAL
    for what in (
        "The model alone, batches of 1",
        "The model alone, batches of 16",
        f"Decoding alone, {os.cpu_count()} cores, {large}",
        f"Decoding, model input, thumbnail, {os.cpu_count()} cores, {small}",
        f"JPEGs decoded on the cpu, alone, {large}",
        f"End to end, {large}",
        f"End to end, {small}",
    ):
        assert "photos/s" in found[what], run.stdout
    assert found[f"End to end, {large}{gpu.WITHOUT}"].startswith("as above")
    assert "not measured on a CPU" in found["The batch that suits the device"]
    assert found["From the start until a search is answered"].endswith(" s")
    assert found["Device, precision"].startswith("cpu, ")
    assert "p95" in found["Searches for new words meanwhile"]
    for size in (large, small):
        ratio = f"End to end, of the slower of decoding and model, {size}"
        assert "%" in found[ratio]


def test_the_benchmark_of_gpus_keeps_its_time(tiny_clip: Path) -> None:
    """What has no time left is said, and the table is complete all the same."""
    run = run_gpu_bench("--model", str(tiny_clip), "--minutes=0.01")
    assert run.returncode == 0, run.stderr
    found = rows(run.stdout)
    assert found["The app"] == gpu.NO_TIME
    assert found["The model alone, batches of 16"] == gpu.NO_TIME


def test_the_benchmark_of_gpus_says_what_it_needs() -> None:
    """The packages that such a machine is to be brought are all of the app's, and are here."""
    run = run_gpu_bench("--packages")
    assert {"torch>=2.13", "fastapi>=0.165", "httpx"} <= {*run.stdout.split()}
    assert gpu.missing() == []
