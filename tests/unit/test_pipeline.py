"""Of a worker's two jobs one is done while the next is made ready; neither harms the other."""

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from image_search.pipeline import Pipeline
from image_search.reasons import PhotoError
from image_search.workers import PoolClosed, PoolUnavailable, WorkerError
from tests.fake_device import (
    Arriving,
    begin,
    begin_beside,
    begin_broken,
    events,
    let_go,
    note,
    work_alone,
)
from tests.harness import eventually

DIE = "import os; os._exit(1)"
HANG = "import time; time.sleep(1000)"

NewPipeline = Callable[..., Pipeline]
Submit = Callable[..., "Future[Any]"]


@pytest.fixture
def new_pipeline() -> Iterator[NewPipeline]:
    """Make pipelines, which are closed in the end."""
    made = []

    def make(seconds: float = 60, **options: int) -> Pipeline:
        made.append(Pipeline(seconds, **options))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.close()


@pytest.fixture
def pipeline(new_pipeline: NewPipeline) -> Pipeline:
    return new_pipeline()


@pytest.fixture
def submit(pipeline: Pipeline, tmp_path: Path) -> Iterator[Submit]:
    """Have a job under way, on the folder of the test; its future comes back."""
    with ThreadPoolExecutor(8) as callers:

        def run(function: Any, name: str, **options: Any) -> "Future[Any]":
            return callers.submit(
                pipeline.run, function, tmp_path, name, **options
            )

        yield run
        let_go(tmp_path)


def wait_for(folder: Path, event: str) -> None:
    eventually(lambda: event in events(folder))


# --- Two under way ----------------------------------------------------------------


def test_a_job_is_done_in_one_worker(pipeline: Pipeline) -> None:
    """What a function returns or raises comes back from the same process each time."""
    assert pipeline.workers() == []
    assert pipeline.run(divmod, 7, 2) == (3, 1)
    [pid] = pipeline.workers()
    assert pipeline.run(os.getpid) == pid != os.getpid()
    with pytest.raises(ZeroDivisionError):
        pipeline.run(divmod, 1, 0)
    assert pipeline.workers() == [pid]


def test_the_next_is_made_ready_while_one_is_done(
    submit: Submit, tmp_path: Path
) -> None:
    """A job is ready before the one before it is done, and begun only then."""
    first = submit(begin, "a")
    wait_for(tmp_path, "begins a")
    second = submit(begin, "b")
    wait_for(tmp_path, "ready b")
    third = submit(begin, "c")
    assert "begins b" not in events(tmp_path)
    let_go(tmp_path, "a")
    assert first.result(60) == "a"
    wait_for(tmp_path, "ready c")
    let_go(tmp_path)
    assert [second.result(60), third.result(60)] == ["b", "c"]
    assert events(tmp_path) == [
        "ready a",
        "begins a",
        "ready b",
        "done a",
        "begins b",
        "ready c",
        "done b",
        "begins c",
        "done c",
    ]


def test_no_more_are_under_way_than_two(submit: Submit, tmp_path: Path) -> None:
    """A third job is made ready only once the first is answered: the memory is bounded."""
    submit(begin, "a")
    wait_for(tmp_path, "begins a")
    submit(begin, "b")
    wait_for(tmp_path, "ready b")
    submit(begin, Arriving(tmp_path / "c"))
    # What comes by the same pipe, and later.
    submit(begin, Arriving(tmp_path / "urgent"), urgent=True)
    wait_for(tmp_path, "comes urgent")
    assert "comes c" not in events(tmp_path)


def test_a_device_may_do_two_beside_each_other(
    new_pipeline: NewPipeline, tmp_path: Path
) -> None:
    """A third is made ready meanwhile, and begun once either of both is done."""
    pipeline = new_pipeline(depth=3)
    run = functools.partial(pipeline.run, begin_beside, tmp_path)
    with ThreadPoolExecutor() as threads:
        made = []
        for name in ("a", "b"):
            made.append(threads.submit(run, name))
            wait_for(tmp_path, f"begins {name}")
        made.append(threads.submit(run, "c"))
        wait_for(tmp_path, "ready c")
        assert "begins c" not in events(tmp_path)
        let_go(tmp_path, "b")
        wait_for(tmp_path, "begins c")
        assert made[1].result(60) == "b"
        assert "done a" not in events(tmp_path)
        let_go(tmp_path)
        assert [one.result(60) for one in made] == ["a", "b", "c"]


# --- What is urgent ---------------------------------------------------------------


def test_what_is_urgent_waits_for_one_job_alone(
    submit: Submit, tmp_path: Path
) -> None:
    """It is begun before a job that was made ready earlier, however many wait."""
    submit(begin, "a")
    wait_for(tmp_path, "begins a")
    submit(begin, "b")
    wait_for(tmp_path, "ready b")
    submit(begin, "c")
    urgent = submit(begin, Arriving(tmp_path / "urgent"), urgent=True)
    wait_for(tmp_path, "comes urgent")
    for name in ("urgent", "a"):
        let_go(tmp_path, name)
    assert urgent.result(60) == "urgent"
    wait_for(tmp_path, "begins b")
    begun = [one for one in events(tmp_path) if one.startswith("begins")]
    assert begun[:3] == ["begins a", "begins urgent", "begins b"]


def test_what_is_urgent_comes_next_where_the_worker_does_it_all(
    submit: Submit, tmp_path: Path
) -> None:
    """On a CPU, too: after the job that is being done, before the one that waits."""
    submit(work_alone, "a")
    wait_for(tmp_path, "begins a")
    submit(work_alone, Arriving(tmp_path / "b"))
    wait_for(tmp_path, "comes b")
    submit(work_alone, Arriving(tmp_path / "urgent"), urgent=True)
    wait_for(tmp_path, "comes urgent")
    let_go(tmp_path)
    wait_for(tmp_path, "done b")
    begun = [one for one in events(tmp_path) if one.startswith("begins")]
    assert begun == ["begins a", "begins urgent", "begins b"]


# --- Faults -----------------------------------------------------------------------


def test_an_error_is_of_one_job(submit: Submit, tmp_path: Path) -> None:
    """A job that fails, before or while the device does it, leaves the others alone."""
    first = submit(begin_broken, "a")
    wait_for(tmp_path, "begins a")
    second = submit(begin, "b")
    wait_for(tmp_path, "ready b")
    let_go(tmp_path)
    with pytest.raises(ValueError, match="a"):
        first.result(60)
    assert second.result(60) == "b"
    third = submit(refuse, "c")
    fourth = submit(begin, "d")
    with pytest.raises(PhotoError, match="c"):
        third.result(60)
    assert fourth.result(60) == "d"


def refuse(_: Path, name: str) -> None:
    raise PhotoError(name)


def die_of_it(folder: Path, name: str) -> None:
    note(folder, f"dies {name}")
    os._exit(1)


def test_a_crash_is_the_fault_of_none_but_its_own_job(
    submit: Submit, pipeline: Pipeline, tmp_path: Path
) -> None:
    """What was under way beside a job that crashed is done again, though it has one try."""
    innocent = submit(begin, "a", tries=1)
    wait_for(tmp_path, "begins a")
    [pid] = pipeline.workers()
    guilty = submit(die_of_it, "b", tries=1)
    let_go(tmp_path)
    with pytest.raises(WorkerError, match="three times"):
        guilty.result(60)
    assert innocent.result(60) == "a"
    assert pipeline.run(os.getpid) != pid
    # Once beside the other, perhaps, and once by itself.
    assert 1 <= events(tmp_path).count("dies b") <= 2


@pytest.mark.parametrize(("job", "seconds"), [(DIE, 60), (HANG, 2)])
def test_a_job_is_given_up_after_its_tries(
    job: str, seconds: float, new_pipeline: NewPipeline
) -> None:
    """A job that crashes, or hangs, has three tries, and the next one is done."""
    pipeline = new_pipeline(seconds)
    with pytest.raises(WorkerError, match="three times"):
        pipeline.run(exec, job)
    assert pipeline.run(abs, -1) == 1
    assert len(pipeline.workers()) == 1


def test_a_worker_that_was_killed_is_replaced(pipeline: Pipeline) -> None:
    """One that the system kills while it is idle costs no job."""
    pid = pipeline.run(os.getpid)
    psutil.Process(pid).kill()
    assert pipeline.run(os.getpid, tries=1) != pid


def test_workers_that_are_all_killed_are_told_of(pipeline: Pipeline) -> None:
    """Where each of them is killed no job is to blame: there is no worker to be had."""
    kill_me = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    with pytest.raises(PoolUnavailable, match="killed again and again"):
        pipeline.run(exec, kill_me)
    assert "killed again and again" in pipeline.trouble
    assert pipeline.run(abs, -1) == 1
    assert pipeline.trouble == ""


def test_what_cannot_be_sent_is_an_error(pipeline: Pipeline) -> None:
    """Neither an argument nor a result that can't be pickled costs a worker."""
    with pytest.raises(RuntimeError, match="lambda"):
        pipeline.run(eval, "lambda: 0")
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        pipeline.run(abs, lambda: 0)
    assert pipeline.run(abs, -1) == 1


def test_a_closed_pipeline_has_no_worker(
    submit: Submit, pipeline: Pipeline, tmp_path: Path
) -> None:
    """Close ends it amid its jobs, whose callers are told, as are later ones."""
    jobs = [submit(begin, name) for name in "abc"]
    wait_for(tmp_path, "ready b")
    [pid] = pipeline.workers()
    pipeline.close()
    for job in jobs:
        assert isinstance(job.exception(60), PoolClosed)
    assert pipeline.workers() == []
    assert not psutil.pid_exists(pid)
    with pytest.raises(PoolClosed):
        pipeline.run(abs, -1)
