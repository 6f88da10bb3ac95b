"""What an app that was forked takes for Python; its workers that embed are lent to it.

In place of each there is this process, as long as the other one lives: who kills it kills that one,
and it ends as that one does. Whatever else is to be run is run by Python itself. It is a program
of its own, beside the socket of tests/fork_server.py, which starts it with no library.
"""

import json
import os
import resource
import signal
import socket
import sys


def open_files() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            os.fstat(int(name))
        except OSError:  # that by which the folder was listed
            continue
        found.append(int(name))
    return sorted(found)


def borrow(command: list[str]) -> None:
    """Have it run by a fork, and end as it ends."""
    files = open_files()
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120, pathlib takes its time
    lender = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lender.connect(os.path.join(folder, "socket"))  # noqa: PTH118
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wanted = {
        "command": command,
        "environment": dict(os.environ),
        "files": files,
    }
    socket.send_fds(lender, [json.dumps(wanted).encode()], files)
    for file in files:
        os.close(file)
    told = json.loads(lender.recv(1000) or b"{}")
    if "pid" in told:
        # The name by which it is found, of 15 characters at most.
        with open("/proc/self/comm", "w") as name:  # noqa: PTH123
            name.write(f"lent {told['pid']}")
        told = json.loads(lender.recv(1000) or b"{}")
    code = told.get("code", 1)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:2] == ["-m", "image_search.workers"] and words[-1] == "staged":
        borrow(words[1:])
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606
