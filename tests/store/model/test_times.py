from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.model import format_time, parse_time
from mlstore.model.times import is_time


@given(st.integers(0, 253_402_300_799))  # to the end of the year 9999
def test_a_moment_survives(seconds: int) -> None:
    text = format_time(seconds)
    assert is_time(text)
    assert parse_time(text) == seconds


def test_fractions_of_a_second_are_dropped() -> None:
    assert format_time(1768577088.999) == "2026-01-16T15:24:48Z"


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-16", "2026-01-16T15:24:48z", "2026-01-16T15:24:48.0Z", "2026-00-01T00:00:00Z", "x" * 20],
)
def test_any_other_form_is_no_time(text: str) -> None:
    assert not is_time(text)
    with pytest.raises(ValueError):  # noqa: PT011
        parse_time(text)


def test_a_leap_second_is_not_a_moment_that_we_write() -> None:
    assert not is_time("2026-01-16T15:24:62Z")


def test_exactly_the_days_of_the_calendar_are_allowed() -> None:
    """Held against the standard library, which knows leap years by other code than ours."""
    for year in (0, 1, 4, 100, 400, 1900, 2000, 2023, 2024, 2026, 9999):
        for month in range(14):
            for day in range(33):
                try:
                    dt.date(year, month, day)  # raises for what is no day
                    known = True
                except ValueError:
                    known = False
                assert is_time(f"{year:04}-{month:02}-{day:02}T00:00:00Z") is known


@pytest.mark.parametrize(
    ("clock", "known"),
    [("23:59:59", True), ("24:00:00", False), ("00:60:00", False), ("00:00:60", False), ("00:00:00", True)],
)
def test_the_clock_goes_to_the_last_second_and_no_further(clock: str, known: bool) -> None:
    assert is_time(f"2026-01-16T{clock}Z") is known
