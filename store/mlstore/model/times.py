"""Times as they stand in commits: UTC, whole seconds, ``2026-01-16T15:24:48Z``."""

from __future__ import annotations

import time

from mlstore._lazy import LazyPattern

_TIME = LazyPattern(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")
_PATTERN = "%Y-%m-%dT%H:%M:%SZ"
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def format_time(seconds: float) -> str:
    """Give seconds since 1970 (UTC) as text."""
    return time.strftime(_PATTERN, time.gmtime(seconds))


def is_time(text: str) -> bool:
    """Whether *text* is a moment in the one form that is allowed."""
    # By hand: time.strptime loads five modules, and every commit that is read asks this.
    found = _TIME.match(text)
    if found is None:
        return False
    year, month, day, hour, minute, second = map(int, found.groups())
    if not 1 <= month <= 12 or year < 1:
        return False
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= day <= _DAYS[month - 1] + leap and hour < 24 and minute < 60 and second < 60


def parse_time(text: str) -> int:
    """Give text in the allowed form as seconds since 1970; raises ``ValueError``."""
    import calendar

    if not is_time(text):
        raise ValueError(f"'{text}' is not a time")
    return calendar.timegm(tuple(map(int, _TIME.match(text).groups())))  # type: ignore[union-attr]
