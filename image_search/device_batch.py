"""A batch of images on its way through the model, in steps.

While a GPU computes one batch the next is copied to it, and made what the model
takes; so it has something to do at any time. A CPU has one for each core.
"""

import contextlib
import functools
import importlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from image_search.batch_sizes import SIZES, best_size, images_of_noise
from image_search.colour import Pixels
from image_search.cpu_batch import CpuBatch
from image_search.garbage import all_stays
from image_search.model_input import ModelInput
from image_search.pixel_values import pixel_values
from image_search.reasons import OutOfMemory
from image_search.staged_jobs import Staged

CRASH = 1  # the exit code
LEFT_FREE = 0.1  # of a device's memory

Vector = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]


class Encoder(Protocol):
    """A model that is loaded once, on one device."""

    def tower(self, half: Any) -> Any: ...


@all_stays()
def import_libraries() -> None:
    """Load what takes seconds, and needs nothing to be known yet."""
    importlib.import_module("torch")
    importlib.import_module("transformers")


def start_images(
    encoder: Encoder, images: list[Pixels], made_by: ModelInput | None
) -> "list[Vector] | DeviceBatch | CpuBatch":
    """Embed images; on a CPU and a CUDA device what comes back is only made ready.

    `made_by`: what made them what the model looks at, if anything did. Raises
    StartupError, and OutOfMemory.
    """
    tower = encoder.tower("image")
    kind = tower.model.device.type
    if kind == "cpu":
        return CpuBatch(tower, images, made_by)
    if kind != "cuda" or made_by is None:
        with device_errors():
            vectors: list[Vector] = tower.embed_images(images, made_by)
        return vectors
    return DeviceBatch(tower, images, made_by, CudaStreams(tower.model.device))


def measured_batch(encoder: Encoder, made_by: ModelInput) -> int | None:
    """The best batch for a model's device, by images of noise; None on a CPU.

    Raises StartupError.
    """
    tower = encoder.tower("image")
    device = tower.model.device
    if device.type == "cpu":
        return None
    noise = images_of_noise(made_by, max(SIZES))

    def seconds_for(size: int) -> float:
        images = noise[:size]
        if device.type != "cuda":
            began = time.perf_counter()
            with device_errors():
                tower.embed_images(images, made_by)
            return time.perf_counter() - began
        streams = CudaStreams(device)
        batch = DeviceBatch(tower, images, made_by, streams)
        began = time.perf_counter()
        batch.launch()
        batch.wait()
        seconds = time.perf_counter() - began
        streams.leave_room()
        return seconds

    return best_size(seconds_for)


class Streams(ABC):
    """How a device is given its work."""

    @abstractmethod
    def copying(self) -> contextlib.AbstractContextManager[Any]:
        """What is done in here does not wait for what it computes."""

    @abstractmethod
    def computing(
        self, inputs: list[Any]
    ) -> contextlib.AbstractContextManager[Any]:
        """What is done in here comes after the copies, and uses these tensors."""

    @abstractmethod
    def to_host(self, vectors: Any) -> Any:
        """A tensor in the computer's memory; of meaning after `wait`."""

    @abstractmethod
    def wait(self) -> None:
        """Return once what was begun in `computing` is done."""


class CudaStreams(Streams):
    """A stream beside the one that computes: it copies, and prepares."""

    def __init__(self, device: Any) -> None:
        import torch

        self.cuda: Any = torch.cuda
        self.cuda.set_device(device)
        self._copies = _copy_stream(device)
        self._copied = self.cuda.Event()
        # A thread that waits leaves the core to the decoders.
        self._done = self.cuda.Event(blocking=True)

    @contextlib.contextmanager
    def copying(self) -> Iterator[None]:
        with self.cuda.stream(self._copies):
            yield
            self._copied.record(self._copies)

    @contextlib.contextmanager
    def computing(self, inputs: list[Any]) -> Iterator[None]:
        stream = self.cuda.current_stream()
        stream.wait_event(self._copied)
        for tensor in inputs:
            # Or its memory might be used again for a copy while it is read.
            tensor.record_stream(stream)
        yield
        self._done.record(stream)

    def to_host(self, vectors: Any) -> Any:
        import torch

        host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
        return host.copy_(vectors, non_blocking=True)

    def wait(self) -> None:
        self._done.synchronize()

    def leave_room(self) -> None:
        """Raise OutOfMemory where hardly any is left for others, as for words."""
        free, total = self.cuda.mem_get_info()
        if free < total * LEFT_FREE:
            self.cuda.empty_cache()
            raise OutOfMemory


@functools.cache  # PyTorch keeps memory for each stream that there ever was
def _copy_stream(device: Any) -> Any:
    """The one of a device for copies."""
    import torch

    cuda: Any = torch.cuda
    return cuda.Stream(device)


class DeviceBatch(Staged):
    """Images that are on a device, ready for its model."""

    def __init__(
        self,
        tower: Any,
        images: list[Pixels],
        made_by: ModelInput,
        streams: Streams,
    ) -> None:
        self.model = tower.model
        self.streams = streams
        self._vectors: Any = None
        processor = tower.processor.image_processor
        with device_errors(), streams.copying():
            self._inputs = pixel_values(images, made_by, processor, self.model)

    def launch(self) -> None:
        """Have the model begin, and return at once; raises OutOfMemory."""
        inputs = self._inputs
        with device_errors(), self.streams.computing([*inputs.values()]):
            made = self.model.get_image_features(**inputs).pooler_output
            self._vectors = self.streams.to_host(made.float())
        self._inputs = {}

    def wait(self) -> None:
        """Return once the vectors are there."""
        with device_errors():
            self.streams.wait()

    def result(self) -> list[Vector]:
        """A vector of length 1 for each image."""
        vectors = self._vectors.numpy()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [*np.asarray(vectors / lengths, np.float32)]


@contextlib.contextmanager
def device_errors() -> Iterator[None]:
    """Raise OutOfMemory where a device has none left, and crash where it failed."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemory from None
    except getattr(torch, "AcceleratorError", ()):  # from PyTorch 2.8 on
        # It answers no later call of this process either.
        os._exit(CRASH)
