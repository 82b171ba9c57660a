"""A second process for half of the work, where the work is many short steps.

Threads do not help there: each would wait for Python's lock after every step.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

LOOK_UP_EVERY = 64
"""Steps after which a child looks whether it is still wanted."""

_waiting: list[int] = []  # in a child: the process that waits for it


def may_fork() -> bool:
    """Whether this process may be doubled: on Linux, where it has more than one core and one thread only."""
    if sys.platform != "linux":
        return False
    try:
        return len(os.sched_getaffinity(0)) > 1 and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def beside(theirs: Callable[[], bytes], ours: Callable[[], None]) -> bytes | None:
    """Call *theirs* in a child and *ours* here, at the same time; gives what *theirs* gave.

    None where the child did not end well, for whatever reason: then its work is to be done again here, where
    what goes wrong can be said. *theirs* may write to files that nobody else writes to; it is no place to
    print, to lock, or to begin anything that outlives it. Only where ``may_fork`` says so.
    """
    reader, writer = os.pipe()
    ourselves = os.getpid()
    child = os.fork()
    if child == 0:
        _waiting[:] = [ourselves]
        # No exit handler, no buffer of the parent's, and never back into its code.
        status = 1
        try:
            os.close(reader)
            gc.disable()  # it would touch, and so copy, every page that is shared with the parent
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(theirs())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    answer = b""
    try:
        with os.fdopen(reader, "rb") as pipe:
            ours()
            answer = pipe.read()
    finally:
        done = _ended_well(child)
    return answer if done else None


def stop_if_alone() -> None:
    """To be called now and then by what a child does: raises when nobody waits for it any more.

    It holds the parent's locks open, and the next command must not wait for it.
    """
    if _waiting and os.getppid() not in _waiting:
        raise RuntimeError("nobody waits for this any more")


def _ended_well(child: int) -> bool:
    try:
        return os.waitpid(child, 0)[1] == 0
    except ChildProcessError:  # the program that we are part of has told the system to forget its children
        return False
