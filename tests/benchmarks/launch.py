"""Start one command, wait for it, and write what it used as JSON into a file.

    python -I -S launch.py REPORT TIMEOUT COMMAND [ARGUMENT]...

This is a process of its own, and imports next to nothing, because of what a kernel counts: a child's peak
memory begins with that of the process which started it, and the harness itself is large. It also adopts what
the command leaves running in the background (git packs its store there), waits for it after the clock has
stopped, and says how long that took: nothing may run beside the next measurement.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every process that our child leaves behind (Linux only; elsewhere nobody does)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans(timeout: float) -> None:
    """Wait until nothing that the command started is running, or until the time is over."""
    end = time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
    except ChildProcessError:
        return


def main(report: str, timeout: float, command: list[str]) -> None:
    adopt_orphans()
    child = 0
    late = False

    def stop(*_: object) -> None:
        nonlocal late
        late = True
        if child:
            os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    started = time.perf_counter()
    try:
        child = os.posix_spawnp(command[0], command, os.environ, setpgroup=0, setsigdef=[signal.SIGALRM])
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        result: dict[str, object] = {"status": 127}
    else:
        signal.setitimer(signal.ITIMER_REAL, timeout)
        _, status, used = os.wait4(child, 0)
        wall = time.perf_counter() - started
        signal.setitimer(signal.ITIMER_REAL, 0)
        wait_for_orphans(timeout)
        result = {
            "status": os.waitstatus_to_exitcode(status),
            "late": late,
            "wall": wall,
            "user": used.ru_utime,
            "system": used.ru_stime,
            "peak": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "background": time.perf_counter() - started - wall,
        }
    with open(report, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
