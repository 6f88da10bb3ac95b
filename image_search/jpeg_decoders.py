"""The processes that decode JPEGs on GPUs: started, started again, given up, ended.

Without them, and while they start, every photo is decoded by the cores.
"""

import contextlib
import importlib.util
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from image_search import jpeg_server
from image_search.jpeg_messages import (
    FOLDER_VARIABLE,
    MOST_DECODERS,
    NAME_VARIABLE,
)
from image_search.settings import logger
from image_search.workers import (
    PoolClosed,
    PoolUnavailable,
    WorkerError,
    WorkerPool,
)

# Seconds until one that has ended is started again; after the last it is given up.
PAUSES = (1.0, 5.0, 30.0, 120.0)
FORGIVEN_SECONDS = (
    3600.0  # one that worked for so long has all of them before it
)
# As long as a pool can wait for a job: serving is one that never ends.
FOREVER = 20 * 24 * 3600.0


class DecoderJobs(NamedTuple):
    """The functions that a process runs, as in jpeg_server."""

    check: Callable[[str], None] = jpeg_server.check
    serve: Callable[[str, str, int], None] = jpeg_server.serve


def is_installed() -> bool:
    """Whether the library is there that decodes on GPUs."""
    with contextlib.suppress(ImportError):
        return importlib.util.find_spec("nvidia.nvimgcodec") is not None
    return False


class JpegDecoders:
    """A process for each device of a kind that the model is computed on."""

    def __init__(
        self,
        notes: Path,
        jobs: DecoderJobs | None = None,
        kind: str = "cuda",
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        """`notes`: a folder for workers to note during which photo a process died."""
        self.notes = notes
        self.jobs = jobs or DecoderJobs()
        self.kind = kind
        self.pauses = pauses
        self._name = secrets.token_hex(8)
        self._pools: dict[int, WorkerPool] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which workers find the decoders; none if there can be none."""
        if not is_installed():
            return {}
        notes = str(self.notes.absolute())
        return {NAME_VARIABLE: self._name, FOLDER_VARIABLE: notes}

    def start(self, devices: Iterable[str]) -> None:
        """Have one started for each device of the kind; returns at once."""
        ours = [one for one in devices if one.startswith(self.kind)]
        if not ours:
            return
        if not is_installed():
            logger.info(
                "The cores decode all JPEGs. To have %s help them: pip install"
                " 'nvidia-nvimgcodec-cu13[nvjpeg]'",
                ", ".join(ours),
            )
            return
        self._forget_notes()
        for number, device in enumerate(ours[:MOST_DECODERS]):
            threading.Thread(
                target=self._keep_running, args=(device, number), daemon=True
            ).start()

    def workers(self) -> list[int]:
        """The process ids of those that run."""
        with self._lock:
            pools = [*self._pools.values()]
        return [pid for pool in pools for pid in pool.workers()]

    def close(self) -> None:
        """End the processes, without waiting for their work."""
        with self._lock:
            self._closed.set()
            for pool in self._pools.values():
                pool.close()
        self._forget_notes()

    def _forget_notes(self) -> None:
        shutil.rmtree(self.notes, ignore_errors=True)

    def _keep_running(self, device: str, number: int) -> None:
        ends = 0
        while not self._closed.is_set():
            began = time.monotonic()
            reason = self._run(device, number)
            if self._closed.is_set():
                return
            if time.monotonic() - began > FORGIVEN_SECONDS:
                ends = 0
            if ends == len(self.pauses):
                logger.warning(
                    "JPEGs are not decoded on %s any more (%s, again and again):"
                    " the cores do it.",
                    device,
                    reason,
                )
                return
            if not ends:
                logger.warning(
                    "What decodes JPEGs on %s has ended (%s): the cores do it"
                    " until it runs again.",
                    device,
                    reason,
                )
            self._closed.wait(self.pauses[ends])
            ends += 1

    def _run(self, device: str, number: int) -> str:
        """Run a process until it ends; returns why."""
        pool = WorkerPool(1, FOREVER)
        with self._lock:
            if self._closed.is_set():
                return ""
            self._pools[number] = pool
        try:
            pool.run(self.jobs.check, device, tries=1)
            logger.info("JPEGs are decoded on %s as well.", device)
            pool.run(self.jobs.serve, device, self._name, number, tries=1)
        except WorkerError:
            return "it crashed"
        except PoolClosed:
            return ""
        except PoolUnavailable as error:
            return str(error)
        except Exception as error:  # noqa: BLE001, of a library or a driver
            return f"{type(error).__name__}: {error}"
        finally:
            pool.close()
        return "it stopped"
