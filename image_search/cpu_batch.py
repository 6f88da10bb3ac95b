"""A batch of images on one core, beside others.

Cores that share each product of a model wait for one
another some hundred times a batch. Whenever another
process takes one of them, all the others stand still.
Batches that have a core each never wait.

With another process that took two fifths of one of two
cores, ViT-B/32 at 256 pixels in float32 took 67 ms an
image so, and 86 with two cores for each product; alone
on the machine 53 and 55.
"""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

import numpy as np

from image_search.colour import Pixels
from image_search.hardware import batches_at_once
from image_search.model_input import ModelInput
from image_search.staged_jobs import Staged

# A vector of shape (d,).
Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


class Tower(Protocol):
    """A model's half for images, as clip.Tower."""

    def embed_images(
        self, images: list[Pixels], made_by: ModelInput | None
    ) -> list[Vector]: ...


class CpuBatch(Staged):
    """Images that wait for a core."""

    def __init__(
        self,
        tower: Tower,
        images: list[Pixels],
        made_by: ModelInput | None,
    ) -> None:
        """`made_by`: what made them what the model looks at, if anything did."""
        self.is_single = len(images) == 1
        self._embed = functools.partial(tower.embed_images, images, made_by)
        self._vectors: Future[list[Vector]]

    @property
    def at_once(self) -> int:
        return cores().number

    def launch(self) -> None:
        """Have a core begin, and return at once."""
        self._vectors = cores().compute(self._embed, may_share=self.is_single)

    def wait(self) -> None:
        """Return once the vectors are there, or an error is."""
        wait([self._vectors])

    def result(self) -> list[Vector]:
        """A vector of length 1 for each image."""
        return self._vectors.result()


class Cores:
    """A thread for each core that PyTorch would use."""

    def __init__(self) -> None:
        self.number = batches_at_once("cpu")
        self._threads = ThreadPoolExecutor(self.number, "core")
        self._at_work = 0
        self._counting = threading.Lock()

    def compute(
        self, work: Callable[[], list[Vector]], *, may_share: bool
    ) -> Future[list[Vector]]:
        """Call it in a thread whose products take one core.

        `may_share`: they take all, if nothing else is
        computed.
        """
        return self._threads.submit(self._compute, work, may_share=may_share)

    def _compute(
        self, work: Callable[[], list[Vector]], *, may_share: bool
    ) -> list[Vector]:
        import torch

        with self._counting:
            is_alone = not self._at_work
            self._at_work += 1
        # Of this thread alone.
        torch.set_num_threads(self.number if may_share and is_alone else 1)
        try:
            return work()
        finally:
            with self._counting:
                self._at_work -= 1


@functools.cache
def cores() -> Cores:
    """Those of this process.

    Asked for first before any thread computes: what PyTorch
    tells of the machine it tells by the thread that asks.
    """
    return Cores()
