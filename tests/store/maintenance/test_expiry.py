from __future__ import annotations

import pytest

from mlstore.errors import UsageError
from mlstore.maintenance import parse_expiry

NOW = 1768577088.0  # 2026-01-16T15:24:48Z
DAY = 86400


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("now", 0),
        ("2.weeks.ago", 14 * DAY),
        ("2 weeks", 14 * DAY),
        ("1.day.ago", DAY),
        ("90.Days", 90 * DAY),
        ("30 seconds ago", 30),
        ("1 month", 30 * DAY),
        ("2026-01-16", 15 * 3600 + 24 * 60 + 48),
        ("2026-01-16T15:24:48Z", 0),
        ("2026-01-16T16:24:48+01:00", 0),
    ],
)
def test_a_time_is_read_as_git_reads_it(text: str, age: float) -> None:
    assert parse_expiry(text, NOW) == NOW - age


@pytest.mark.parametrize("text", ["never", "false", "NEVER"])
def test_never_is_no_moment(text: str) -> None:
    assert parse_expiry(text, NOW) is None


@pytest.mark.parametrize(
    "text", ["", "ago", "soon", "-1.days", "1e3 days", "٣ days", "2 fortnights", "2026-13-01"]
)
def test_what_is_no_time_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError, match="is no time to expire by") as caught:
        parse_expiry(text, NOW)
    assert caught.value.hint
