"""The embedded Postgres comes up after whatever end, two dozen of them one after the other."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.postgres_starts import begin_start, is_kept, make_data, starts

MOMENTS = 12


def kill_amid_start(folder: Path, seconds: float) -> None:
    """Begin a start, and kill its whole process group after a while."""
    app = begin_start(folder)
    time.sleep(seconds)
    os.killpg(app.pid, signal.SIGKILL)
    app.communicate()


@pytest.mark.parametrize("first", [True, False])
def test_killed_at_any_moment_it_starts_again(
    tmp_path: Path, *, first: bool
) -> None:
    """Kill -9 to all at any moment, of the first start or of a later one: the next comes up."""
    folder = tmp_path / "data" / "postgres"
    folder.parent.mkdir()
    if not first:
        make_data(folder, "CREATE TABLE kept AS SELECT 1")
    began = time.monotonic()
    starts(folder)
    whole = time.monotonic() - began
    for number in range(MOMENTS):
        if first:
            shutil.rmtree(folder)
        kill_amid_start(folder, whole * (number + random.random()) / MOMENTS)
        assert starts(folder) == ""
        assert [path.name for path in folder.parent.iterdir()] == ["postgres"]
    assert is_kept(folder) is not first
