"""Starts programs, and tells what each took at most: of itself, and of nobody who started it.

The kernel counts the memory of whoever forks as the child's own, so this process stays small: it imports
nothing that is large. A line on stdin is a request, ``{"argv": [...], "cwd": ..., "cpu": SECONDS}``, and each
is answered by a line. A program that takes more than so many seconds of a processor, or waits for six times
as long, is killed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from typing import Any

WAITING = 6


def launch(argv: list[str], cwd: str, cpu: int) -> dict[str, Any]:
    """Run one program to its end; ``status`` is an exit status, or minus a signal, ``peak`` is in bytes."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.chdir(cwd)
                resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
                signal.alarm(WAITING * cpu)  # which outlives the exec
                os.execv(argv[0], argv)
            finally:
                os._exit(127)
        _, status, usage = os.wait4(pid, 0)
        for file in (out, err):
            file.seek(0)
        return {
            "status": os.waitstatus_to_exitcode(status),
            "out": out.read().decode("utf-8", "backslashreplace"),
            "err": err.read().decode("utf-8", "backslashreplace"),
            "peak": usage.ru_maxrss * 1024,
        }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(launch(**json.loads(line))) + "\n")
        sys.stdout.flush()
