"""The model's image tower, in a process of its own for each device."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from image_search.batches import Batches, BatchSize, Vector
from image_search.colour import Pixels
from image_search.settings import StartupError
from image_search.workers import TRIES, PoolUnavailable, WorkerError


class Runner(Protocol):
    """What runs functions in a process of its own, as a Pipeline does."""

    failure: str
    trouble: str

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        tries: int = TRIES,
        urgent: bool = False,
        alone: bool = False,
    ) -> Any: ...

    def workers(self) -> list[int]: ...

    def close(self) -> None: ...


class TowerJobs(NamedTuple):
    """The functions that a process is asked to run."""

    warm_up: Callable[[], None]
    start: Callable[..., Any]  # as device_batch.start_images
    measure: Callable[..., int | None]  # as device_batch.measured_batch


class DeviceTower:
    """One device, and the process that computes with it."""

    def __init__(self, encoder: Any, runner: Runner, jobs: TowerJobs) -> None:
        """`encoder`: a DualEncoder on that device."""
        self.encoder = encoder
        self.runner = runner
        self.jobs = jobs
        self.device: str = encoder.devices[0]
        self.size = BatchSize.of(self.device, encoder.batch_size)

    def run(
        self, images: list[Pixels], tries: int, *, urgent: bool = False
    ) -> list[Vector]:
        """Embed images; raises WorkerError, PoolUnavailable, OutOfMemory."""
        made_by = self.encoder.model_input
        vectors: list[Vector] = self.runner.run(
            self.jobs.start,
            self.encoder,
            images,
            made_by,
            tries=tries,
            urgent=urgent,
        )
        return vectors

    def shrink(self, images: int) -> None:
        """There was no memory for so many: from now on there are half as many."""
        most = min(self.size.most, max(1, images // 2))
        self.size = BatchSize.of(self.device, most)

    def load(self) -> None:
        """Have the process load its tower, and measure which batches suit it.

        Should it fail, the first photo's error says why.
        """
        black = np.zeros((64, 64, 3), np.uint8)
        failures = StartupError, WorkerError, PoolUnavailable
        with contextlib.suppress(*failures):
            self.runner.run(self.jobs.start, self.encoder, [black], None)
            made_by = self.encoder.model_input
            if made_by is None:
                return
            best = self.runner.run(
                self.jobs.measure,
                self.encoder,
                made_by,
                tries=1,
                alone=True,
            )
            if best:
                self.size = BatchSize.of(self.device, best)


class Towers:
    """All devices: photos go to whichever has the least to do."""

    def __init__(
        self,
        encoder: Any,
        new_runner: Callable[[], Runner],
        jobs: TowerJobs,
    ) -> None:
        """`encoder`: a DualEncoder."""
        self.encoder = encoder
        self.jobs = jobs
        # That of the first device is there before anybody knows which there are.
        self._first = new_runner()
        self._new_runner = new_runner
        self._all: list[DeviceTower] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._batches = Batches(self.all)

    def all(self) -> list[DeviceTower]:
        """One for each device; raises StartupError. It may load PyTorch."""
        if not self._all:
            made = [
                self._new_tower(number, device)
                for number, device in enumerate(self.encoder.devices)
            ]
            with self._lock:
                self._all = self._all or made
                if self._is_closed:
                    self._end()
        return self._all

    def _new_tower(self, number: int, device: str) -> DeviceTower:
        runner = self._new_runner() if number else self._first
        return DeviceTower(self.encoder.on(device), runner, self.jobs)

    async def embed(self, image: Pixels) -> Vector:
        """Embed an image, with others that wait; raises WorkerError, OutOfMemory."""
        return await self._batches.embed(image)

    def embed_at_once(self, image: Pixels) -> Vector:
        """Embed one that waits for no more than one batch; raises the same."""
        [vector] = self.all()[0].run([image], TRIES, urgent=True)
        return vector

    def load(self) -> None:
        """Have each process load its tower, and measure which batches suit it."""
        failures = StartupError, WorkerError, PoolUnavailable
        with ThreadPoolExecutor() as threads, contextlib.suppress(*failures):
            # Meanwhile this process loads PyTorch, to learn which devices there are.
            warming = threads.submit(self._first.run, self.jobs.warm_up)
            towers = self.all()
            warming.result()
            for done in [threads.submit(one.load) for one in towers]:
                done.result()

    @property
    def devices(self) -> list[str]:
        """Those that are known to be there."""
        return [one.device for one in self._all]

    def images_under_way(self) -> int:
        """How many images all devices together hold, as far as is known."""
        return sum(one.size.under_way * one.size.most for one in self._all)

    @property
    def failure(self) -> str:
        """Why a photo can't be embedded that crashes the model."""
        return self._first.failure

    @property
    def trouble(self) -> str:
        """Why no process can be had just now, or nothing."""
        runners = [one.runner for one in self._all]
        return next((one.trouble for one in runners if one.trouble), "")

    def workers(self) -> list[int]:
        """The process ids of those that run."""
        return [pid for one in self._all for pid in one.runner.workers()]

    def close(self) -> None:
        """End the processes, without waiting for their work."""
        with self._lock:
            self._is_closed = True
            self._end()
        self._batches.close()

    def _end(self) -> None:
        for runner in (self._first, *(one.runner for one in self._all)):
            runner.close()
