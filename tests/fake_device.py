"""A device that computes as long as a test wants it to, and a model on it.

What it does is noted in a folder, a line for each event; a batch is done once a file says so.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from image_search.colour import Pixels
from image_search.reasons import OutOfMemory
from image_search.staged_jobs import Staged

Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
EVERYTHING = "everything"  # the file by which every batch is done
# What an image of this colour does.
CRASHES, HAS_NO_ROOM, FAILS = 251, 252, 253


def note(folder: Path, event: str) -> None:
    """One write, so that lines of several processes stay whole."""
    line = f"{event}\n".encode()
    file = os.open(folder / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)


def events(folder: Path) -> list[str]:
    """What was noted so far."""
    file = folder / "events"
    return file.read_text().split("\n")[:-1] if file.exists() else []


def let_go(folder: Path, name: str = EVERYTHING) -> None:
    """Have a batch be done."""
    (folder / name).touch()


class Arriving(str):
    """A name that notes when it comes out of a pipe."""

    def __reduce__(self) -> Any:
        folder, _, name = self.rpartition("/")
        return arrive, (folder, name)


def arrive(folder: str, name: str) -> str:
    note(Path(folder), f"comes {name}")
    return name


class Batch(Staged):
    """Some work, by a name; what comes of it is that name."""

    def __init__(
        self, folder: Path, name: str, result: Any = None, at_once: int = 1
    ) -> None:
        self._at_once = at_once
        self.folder, self.name = folder, name
        self._result = name if result is None else result
        note(folder, f"ready {name}")

    @property
    def at_once(self) -> int:
        return self._at_once

    def launch(self) -> None:
        note(self.folder, f"begins {self.name}")

    def wait(self) -> None:
        files = self.folder / self.name, self.folder / EVERYTHING
        while not any(file.exists() for file in files):
            time.sleep(0.005)
        note(self.folder, f"done {self.name}")

    def result(self) -> Any:
        return self._result


class Broken(Batch):
    """Work that fails while it is done."""

    def wait(self) -> None:
        super().wait()
        raise ValueError(self.name)


def begin(folder: Path, name: str) -> Batch:
    """A job whose work the device does."""
    return Batch(folder, name)


def begin_beside(folder: Path, name: str) -> Batch:
    """One of two that the device does beside each other."""
    return Batch(folder, name, at_once=2)


def begin_broken(folder: Path, name: str) -> Batch:
    return Broken(folder, name)


def work_alone(folder: Path, name: str) -> str:
    """A job that the worker does by itself, as on a CPU."""
    note(folder, f"begins {name}")
    Batch(folder, name).wait()
    return name


@dataclass(frozen=True)
class FakeEncoder:
    """What a DualEncoder tells, of a model that looks at the colour of a pixel."""

    folder: Path
    devices: tuple[str, ...] = ("cuda:0",)
    batch_size: int = 4
    most: int = 1000  # images that the device has room for
    model_input: str = "as it is"

    def __reduce__(self) -> Any:
        parts = self.folder, self.devices, self.batch_size, self.most
        return arriving_encoder, parts

    def on(self, device: str) -> "FakeEncoder":
        return replace(self, devices=(device,))


def arriving_encoder(folder: Path, *parts: Any) -> FakeEncoder:
    """Notes that a job has come out of a pipe."""
    note(folder, "comes")
    return FakeEncoder(folder, *parts)


def start_images(
    encoder: FakeEncoder, images: list[Pixels], made_by: str | None
) -> Batch | list[Vector]:
    """Vectors that tell an image's colour, and the process."""
    colours = [int(image[0, 0, 0]) for image in images]
    if made_by is None:
        note(encoder.folder, f"loads {encoder.devices[0]}")
        return [vector_of(0)]
    if CRASHES in colours:
        os._exit(1)
    if HAS_NO_ROOM in colours or len(images) > encoder.most:
        raise OutOfMemory
    if FAILS in colours:
        raise ValueError("no such colour")
    name = "+".join(map(str, colours))
    return Batch(encoder.folder, name, [*map(vector_of, colours)])


def vector_of(colour: int) -> Vector:
    return np.array([colour, os.getpid()], np.float32)


def no_warm_up() -> None:
    """There is nothing to load."""


def measure_none(_: FakeEncoder, __: str) -> int | None:
    """As on a CPU, where nothing is measured."""
    return None


def measure_seven(encoder: FakeEncoder, _: str) -> int | None:
    note(encoder.folder, f"measures {encoder.devices[0]}")
    return 7


def image_of(colour: int) -> Pixels:
    return np.full((2, 2, 3), colour, np.uint8)
