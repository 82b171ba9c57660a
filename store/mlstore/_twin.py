"""A second process for half of the work, where the work is many short steps.

Threads do not help there: each would wait for Python's lock after every step.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable


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
    what goes wrong can be said. *theirs* must only look at things: it is no place to write, print or lock.
    Only where ``may_fork`` says so.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
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


def _ended_well(child: int) -> bool:
    try:
        return os.waitpid(child, 0)[1] == 0
    except ChildProcessError:  # the program that we are part of has told the system to forget its children
        return False
