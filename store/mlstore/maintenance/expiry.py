"""How old something must be to go: ``now``, ``never``, ``2.weeks.ago``, ``14 days``, ``2026-01-31``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from mlstore.errors import UsageError

_SECONDS: Final = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 7 * 86400,
    "month": 30 * 86400,
    "year": 365 * 86400,
}


def parse_expiry(text: str, now: float) -> float | None:
    """Give the moment (seconds since the epoch) before which things expire; None for never.

    As in git, spaces and dots are the same and ``ago`` may be left out. A date is the start of that day,
    UTC. Raises ``UsageError``.
    """
    words = text.lower().replace(".", " ").split()
    if words == ["now"]:
        return now
    if words in (["never"], ["false"]):
        return None
    if words[-1:] == ["ago"]:
        words.pop()
    if len(words) == 2 and re.fullmatch("[0-9]{1,6}", words[0]):
        unit = _SECONDS.get(words[1].removesuffix("s"))
        if unit is not None:
            return now - int(words[0]) * unit
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{text}' is no time to expire by",
            hint="write for instance 'now', 'never', '2.weeks.ago' or '2026-01-31'",
        ) from None
