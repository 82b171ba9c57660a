"""The clock that files are stamped with."""

from __future__ import annotations

import sys
import time

_CLOCK_REALTIME_COARSE = 5  # Linux's; the time module has no name for it


def clock() -> int:
    """Give the clock that the kernel stamps files with, in ns: its ticks are milliseconds apart."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
    else:  # noqa: RET505 - the checker knows which of the two is for this system
        return time.time_ns() - 20_000_000
