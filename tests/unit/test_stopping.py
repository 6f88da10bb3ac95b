"""A signal ends a process at any moment, within three seconds and without a traceback."""

import signal
import subprocess
import sys
import time

import pytest

from image_search.stopping import end_at_once
from tests.harness import ROOT, environment

SOON = 3
BOTH = [signal.SIGINT, signal.SIGTERM]

IMPORTING = """
from image_search.stopping import end_at_once
end_at_once()
print("importing", flush=True)
import time
time.sleep(1000)
"""
# A server in small: its handler notes the signal, and it looks at it once it has started.
SERVER = """
import asyncio, functools, signal, sys, threading, time
from image_search.stopping import Stop

class Server:
    should_exit = False
    def handle_exit(self, number, frame):
        self.should_exit = True

said = functools.partial(print, flush=True)

async def serve(server):
    hang = threading.Event()
    told = asyncio.Event()
    stop = Stop(lambda: said("children ended"))
    with stop.listening():
        said("starting")
        if "hangs-starting" in sys.argv:
            await asyncio.to_thread(hang.wait)
        stop.has_started(told.set)
        said("started")
        await told.wait()
        said("told")
        if "hangs-stopping" in sys.argv:
            hang.wait()

server = Server()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, server.handle_exit)
if "asked-before" in sys.argv:
    signal.raise_signal(signal.SIGTERM)
asyncio.run(serve(server))
said("closed", server.should_exit)
"""


class Program:
    """A program that says where it is."""

    def __init__(self, code: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, line: str) -> None:
        assert self.process.stdout
        for said in self.process.stdout:
            if said.strip() == line:
                return
        pytest.fail(f"{line} was never said: {self.process.communicate()}")

    def end(self) -> tuple[int, list[str]]:
        """Its exit code, and what else it said; it takes no longer than it may."""
        began = time.monotonic()
        out, err = self.process.communicate(timeout=30)
        assert time.monotonic() - began < SOON
        assert err == ""
        return self.process.returncode, out.splitlines()


@pytest.mark.parametrize("how", BOTH)
def test_an_import_ends_at_once(how: signal.Signals) -> None:
    """While the app is imported a signal ends it as the system does, without a word."""
    program = Program(IMPORTING)
    program.wait_for("importing")
    program.process.send_signal(how)
    assert program.end() == (-how, [])


def test_handlers_are_restored() -> None:
    """An import leaves whoever imports the app its own handlers, and what it ignores."""
    before = [signal.getsignal(number) for number in BOTH]
    undo = end_at_once()
    assert {signal.getsignal(number) for number in BOTH} == {signal.SIG_DFL}
    undo()
    assert [signal.getsignal(number) for number in BOTH] == before
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        undo = end_at_once()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        undo()
    finally:
        signal.signal(signal.SIGINT, before[0])


@pytest.mark.parametrize("how", BOTH)
def test_a_start_that_waits_in_a_thread_ends(how: signal.Signals) -> None:
    """While it starts a signal ends the children, and then the process, whatever it waits for."""
    program = Program(SERVER, "hangs-starting")
    program.wait_for("starting")
    program.process.send_signal(how)
    assert program.end() == (128 + how, ["children ended"])


def test_a_signal_before_the_start_counts() -> None:
    """One that the server got before anybody listened ends the start too."""
    code, said = Program(SERVER, "hangs-starting", "asked-before").end()
    assert code == 128 + signal.SIGTERM
    assert said[-1] == "children ended"


def test_once_it_has_started_the_server_ends_it() -> None:
    """Then those who wait are told, and the server closes all in its own way."""
    program = Program(SERVER)
    program.wait_for("started")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == (0, ["told", "closed True"])


def test_what_takes_too_long_is_cut_off() -> None:
    """A stop that hangs ends all the same, children first."""
    program = Program(SERVER, "hangs-stopping")
    program.wait_for("started")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == (128 + signal.SIGTERM, ["told", "children ended"])


def test_a_second_ctrl_c_is_not_waited_for() -> None:
    """Ctrl-C, and again: it ends at once; a SIGTERM after it, as a reloader sends, does not."""
    program = Program(SERVER, "hangs-stopping")
    program.wait_for("started")
    began = time.monotonic()
    program.process.send_signal(signal.SIGINT)
    program.wait_for("told")
    program.process.send_signal(signal.SIGTERM)
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (128 + signal.SIGINT, ["children ended"])
    assert time.monotonic() - began < 1
