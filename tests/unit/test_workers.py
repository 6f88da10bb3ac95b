"""Workers crash and hang without harm to anybody else, and never stay behind."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from image_search.embedding import DECODER_ENVIRONMENT
from image_search.photos import load_image, read_pixels
from image_search.reasons import PhotoError
from image_search.workers import (
    NICENESS,
    PoolClosed,
    PoolUnavailable,
    WorkerError,
    WorkerPool,
)
from tests.harness import PHOTOS, ROOT, environment, eventually

# Jobs are functions by name; `exec` and `eval` do whatever a test needs.
DIE = "import os; os._exit(1)"
DIE_ANSWERING = """
import os
from multiprocessing.connection import Connection
def die_sending(self, message):
    os.write(self.fileno(), message[:-1])
    os._exit(1)
Connection._send = die_sending
"""
HANG = "import time; time.sleep(1000)"
SPIN = "exec('while True: pass')"
# This expression takes for ever, and lets no other thread run meanwhile.
HANG_ALONE = "import re; re.match('(a+)+$', 'a' * 60 + 'b')"
LOADED_MODULES = "sorted(__import__('sys').modules)"
LOAD_PHOTOS = "import image_search.photos"

NewPool = Callable[..., WorkerPool]


@pytest.fixture
def new_pool() -> Iterator[NewPool]:
    """Make pools, which are closed in the end."""
    pools = []

    def make(
        size: int = 1,
        seconds: float = 60,
        memory: int | None = None,
        **variables: str,
    ) -> WorkerPool:
        pools.append(WorkerPool(size, seconds, variables, memory))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def top_level(modules: list[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


# --- Jobs -----------------------------------------------------------------------


def test_a_job_is_done_elsewhere(new_pool: NewPool) -> None:
    """A function's result comes back from another process, and so does what it raises."""
    pool = new_pool()
    assert pool.run(divmod, 7, 2) == (3, 1)
    [pid] = pool.workers()
    assert pool.run(os.getpid) == pid != os.getpid()
    with pytest.raises(ZeroDivisionError):
        pool.run(divmod, 1, 0)
    with pytest.raises(PhotoError, match="a text with a photo's name"):
        pool.run(load_image, b"no photo")
    assert pool.workers() == [pid]  # an error is no reason to start another


def test_workers_are_started_when_there_is_work(new_pool: NewPool) -> None:
    """A pool has no worker before its first job, and as few as do the work."""
    pool = new_pool(4)
    assert pool.workers() == []
    for _ in range(5):
        pool.run(abs, -1)
    assert len(pool.workers()) == 1


def test_a_pool_works_on_as_many_jobs_as_its_size(new_pool: NewPool) -> None:
    """Jobs beyond the size wait for a worker, and each gets the answer to its own."""
    pool = new_pool(2)
    with ThreadPoolExecutor(6) as callers:
        answers = list(
            callers.map(lambda number: pool.run(abs, -number), range(60))
        )
    assert answers == list(range(60))
    assert 1 <= len(pool.workers()) <= 2


@pytest.mark.parametrize(
    ("job", "seconds"),
    [(DIE, 60), (DIE_ANSWERING, 60), (HANG, 2)],
    ids=["dies", "dies-answering", "hangs"],
)
def test_a_worker_that_does_not_answer_is_replaced(
    job: str, seconds: float, new_pool: NewPool
) -> None:
    """However a worker fails, its job is given up after three tries, the next is done."""
    pool = new_pool(1, seconds)
    with pytest.raises(WorkerError, match="three times"):
        pool.run(exec, job)
    assert pool.run(abs, -1) == 1
    assert len(pool.workers()) == 1


@pytest.mark.parametrize("job", [DIE, HANG], ids=["dies", "hangs"])
def test_a_job_may_have_one_try(
    job: str, new_pool: NewPool, tmp_path: Path
) -> None:
    """A job that may fail at once is given up after one try, and no more than its time."""
    pool = new_pool()
    tries = tmp_path / "tries"
    note = f"open({str(tries)!r}, 'a').write('x');"
    with pytest.raises(WorkerError) as given_up:
        pool.run(exec, note + job, tries=1, seconds=5)
    assert str(given_up.value) == "it crashed the decoder, or took 5 s"
    assert tries.read_text() == "x"
    assert pool.run(abs, -1, tries=1, seconds=60) == 1


def test_a_job_waits_no_longer_than_it_may_take(new_pool: NewPool) -> None:
    """Where all workers are busy, a job that may take seconds waits seconds for one."""
    pool = new_pool()
    with ThreadPoolExecutor(1) as callers:
        busy = callers.submit(pool.run, exec, HANG)
        eventually(pool.workers)
        with pytest.raises(PoolUnavailable, match="just now"):
            pool.run(abs, -1, tries=1, seconds=0.2)
        pool.close()
        with pytest.raises((WorkerError, PoolUnavailable)):
            busy.result()


def test_a_worker_has_no_more_memory_than_it_may(new_pool: NewPool) -> None:
    """A job that wants more fails by itself, and its worker does the next one."""
    pool = new_pool(memory=500 * 2**20)
    assert pool.run(eval, "len(bytes(200 * 2**20))") == 200 * 2**20
    [pid] = pool.workers()
    with pytest.raises(MemoryError):
        pool.run(eval, "len(bytes(600 * 2**20))")
    assert pool.run(os.getpid) == pid


def test_a_job_that_failed_leaves_nothing(new_pool: NewPool) -> None:
    """What a job held when it failed is free for the next one."""
    pool = new_pool(memory=500 * 2**20)
    fail = "def fail():\n x = b'1' * (300 << 20)\n raise ValueError(len(x))\nfail()"
    for _ in range(3):
        with pytest.raises(ValueError, match="314572800"):
            pool.run(exec, fail)
    assert len(pool.workers()) == 1


def test_a_worker_that_was_killed_is_replaced(new_pool: NewPool) -> None:
    """A worker that the system kills while it is idle costs no job."""
    pool = new_pool()
    [pid] = [pool.run(os.getpid)]
    psutil.Process(pid).kill()
    assert pool.run(os.getpid) != pid


AT_WORK = """
import os, time
with open({file!r}, "a+") as file:
    print(os.getpid(), file=file, flush=True)
    file.seek(0)
    tries = len(file.readlines())
if tries <= {killed}:
    time.sleep(60)
"""


def test_workers_killed_by_others_are_no_tries(
    new_pool: NewPool, tmp_path: Path
) -> None:
    """However often workers are killed amid a job, it is done once one is let live."""
    file = tmp_path / "at work"
    file.touch()
    pool = new_pool()
    with ThreadPoolExecutor() as callers:
        job = AT_WORK.format(file=str(file), killed=5)
        done = callers.submit(pool.run, exec, job, tries=1)
        for number in range(5):
            eventually(lambda n=number: len(file.read_text().split()) > n)  # type: ignore[misc]
            psutil.Process(int(file.read_text().split()[-1])).kill()
        assert done.result(60) is None
    assert len(file.read_text().split()) == 6
    assert pool.trouble == ""


def test_a_pool_whose_workers_are_all_killed_says_so(new_pool: NewPool) -> None:
    """Where each of them is killed no job is to blame: there is no worker to be had."""
    pool = new_pool()
    kill_me = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    with pytest.raises(PoolUnavailable, match="killed again and again"):
        pool.run(exec, kill_me)
    assert "killed again and again" in pool.trouble
    assert pool.run(abs, -1) == 1
    assert pool.trouble == ""


@pytest.mark.parametrize("crash", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_crash_is_a_try(new_pool: NewPool, crash: str) -> None:
    """A worker that does something wrong dies of its job."""
    job = f"import os, signal; os.kill(os.getpid(), signal.{crash})"
    with pytest.raises(WorkerError, match="crashed"):
        new_pool().run(exec, job)


def test_workers_that_do_not_start_are_no_tries(new_pool: NewPool) -> None:
    """Where none starts no job is to blame, and the next is done once they do."""
    pool = new_pool(PYTHONHOME="/nowhere")
    for _ in range(2):
        with pytest.raises(PoolUnavailable, match="before it is ready"):
            pool.run(abs, -1)
    assert "before it is ready" in pool.trouble
    assert pool.workers() == []
    pool.environment = {}
    assert pool.run(abs, -1) == 1
    assert pool.trouble == ""


@pytest.mark.parametrize(
    "job",
    [
        "class Local(Exception): pass\nraise Local('the reason')",
        "raise ValueError('the reason', lambda: 0)",
        "import threading; raise ValueError('the reason', threading.Lock())",
    ],
    ids=["local-class", "lambda", "lock"],
)
def test_an_error_that_cannot_be_sent_is_told(
    job: str, new_pool: NewPool
) -> None:
    """An exception that can't be pickled arrives as another that says what it said."""
    pool = new_pool()
    with pytest.raises(RuntimeError, match="the reason"):
        pool.run(exec, job)
    assert pool.run(abs, -1) == 1


def test_a_result_that_cannot_be_sent_is_an_error(new_pool: NewPool) -> None:
    """So does a result that can't be pickled; and an argument costs no worker."""
    pool = new_pool()
    with pytest.raises(RuntimeError, match="lambda"):
        pool.run(eval, "lambda: 0")
    with pytest.raises(TypeError, match="pickle"):
        pool.run(abs, threading.Lock())
    assert pool.run(abs, -1) == 1


# --- What a worker is -----------------------------------------------------------


def test_workers_give_way(new_pool: NewPool) -> None:
    """A worker has a lower priority than the server, which answers searches."""
    lowered = min(19, psutil.Process().nice() + NICENESS)
    assert new_pool().run(os.nice, 0) == lowered


def test_ctrl_c_is_left_to_the_parent(new_pool: NewPool) -> None:
    """Ctrl-C, which a terminal sends to all, ends no worker: its parent does."""
    pool = new_pool()
    raise_it = "import signal; signal.raise_signal(signal.SIGINT)"
    pool.run(exec, raise_it)
    assert pool.run(abs, -1) == 1


def test_a_new_worker_has_loaded_the_standard_library_alone(
    new_pool: NewPool,
) -> None:
    """Before its first job a worker has loaded nothing that anybody installed."""
    loaded = top_level(new_pool().run(eval, LOADED_MODULES))
    installed = {
        "PIL",
        "numpy",
        "torch",
        "fastapi",
        "cocoindex",
        "qdrant_client",
    }
    assert not loaded & (installed | {"pydantic", "pillow_heif"})
    # The last are made by setuptools, for the packages of a checkout.
    others = (
        loaded - sys.stdlib_module_names - {"image_search", "_distutils_hack"}
    )
    assert not {name for name in others if not name.startswith("__")}


def test_a_decoder_loads_nothing_but_decoders(new_pool: NewPool) -> None:
    """A worker that has decoded a photo has loaded no model, server or store."""
    pool = new_pool()
    pool.run(read_pixels, (PHOTOS / "cat.png").read_bytes(), 32)
    loaded = top_level(pool.run(eval, LOADED_MODULES))
    assert loaded >= {"PIL", "numpy", "pillow_heif"}
    stores = {"cocoindex", "qdrant_client", "qdrant_edge"}
    assert not loaded & (
        stores | {"torch", "transformers", "fastapi", "pydantic"}
    )


def test_a_decoder_is_small(new_pool: NewPool) -> None:
    """A worker that is ready to decode takes at most 42 MiB, with one thread of numpy's."""
    pool = new_pool(**DECODER_ENVIRONMENT)
    pool.run(exec, LOAD_PHOTOS)
    worker = psutil.Process(pool.workers()[0])
    assert worker.memory_info().rss <= 42 * 2**20
    assert worker.num_threads() == 2  # one works, one waits for jobs


# --- The end --------------------------------------------------------------------


def test_a_closed_pool_has_no_workers(new_pool: NewPool) -> None:
    """Close ends workers amid their jobs, whose callers are told, as are later ones."""
    pool = new_pool(2)
    pool.run(abs, -1)
    with ThreadPoolExecutor() as callers:
        hanging = [callers.submit(pool.run, exec, HANG) for _ in range(3)]
        eventually(lambda: len(pool.workers()) == 2)
        pids = pool.workers()
        pool.close()
        for job in hanging:  # the third was still waiting for a worker
            assert isinstance(job.exception(30), PoolClosed)
    assert not any(map(is_running, pids))
    assert pool.workers() == []
    with pytest.raises(PoolClosed):
        pool.run(abs, -1)
    pool.close()  # again, without effect


def test_a_pool_closes_none_but_its_own(new_pool: NewPool) -> None:
    """To close one pool leaves the workers of another at their work."""
    one, other = new_pool(), new_pool()
    [pid] = [other.run(os.getpid)]
    one.run(abs, -1)
    one.close()
    assert other.run(os.getpid) == pid


PARENT = """
import sys
from image_search.workers import WorkerPool
pool = WorkerPool(1, float(sys.argv[2]))
pool.run(abs, -1)
print(pool.workers()[0], flush=True)
pool.run(exec, "print('at work', flush=True); " + sys.argv[1])
"""


@pytest.mark.parametrize(
    ("job", "seconds"),
    [(HANG, 60), (SPIN, 60), (HANG_ALONE, 3)],
    ids=["hangs", "spins", "hangs-alone"],
)
def test_a_worker_never_outlives_its_parent(job: str, seconds: float) -> None:
    """Killed -9, an app leaves no worker behind, even amid a job that never ends.

    One that lets no other thread run ends when its time is over.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, job, str(seconds)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert parent.stdout.readline() == "at work\n"
        if job != HANG:  # until it is in the midst of it
            process = psutil.Process(worker)
            before = process.cpu_times().user
            eventually(lambda: process.cpu_times().user > before + 0.1)
        parent.kill()
    eventually(lambda: not is_running(worker), within=20)


def test_a_worker_starts_from_anywhere(tmp_path: Path) -> None:
    """A worker finds this package from whatever folder the app is started."""
    code = (
        "from image_search.workers import WorkerPool; pool = WorkerPool(1, 60);"
        " print(pool.run(abs, -1)); pool.close()"
    )
    output = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert output == "1\n"
