"""Times as they stand in commits: UTC, whole seconds, ``2026-01-16T15:24:48Z``."""

from __future__ import annotations

import re
import time

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)
_PATTERN = "%Y-%m-%dT%H:%M:%SZ"


def format_time(seconds: float) -> str:
    """Give seconds since 1970 (UTC) as text."""
    return time.strftime(_PATTERN, time.gmtime(seconds))


def is_time(text: str) -> bool:
    """Whether *text* is a moment in the one form that is allowed."""
    if not _TIME.match(text):
        return False
    try:
        time.strptime(text, _PATTERN)
    except ValueError:
        return False
    return True


def parse_time(text: str) -> int:
    """Give text in the allowed form as seconds since 1970; raises ``ValueError``."""
    import calendar

    if not _TIME.match(text):
        raise ValueError(f"'{text}' is not a time")
    return calendar.timegm(time.strptime(text, _PATTERN))
