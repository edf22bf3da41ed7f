"""Periods: what parses, and calendar arithmetic at the ends of months and of time."""

from __future__ import annotations

import calendar
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.model import Period
from gateway.catalogue.periods import may_exceed, parse

DATES = st.dates()
MONTHS = st.integers(0, 2400)
DAYS = st.integers(0, 4000)


@pytest.mark.parametrize(
    ("text", "months", "days"),
    [("P3M", 3, 0), ("P3Y", 36, 0), ("P1Y6M", 18, 0), ("P90D", 0, 90), ("P2W", 0, 14), ("P1Y2M3W4D", 14, 25)],
)
def test_a_period_is_calendar_months_and_days(text: str, months: int, days: int) -> None:
    assert parse(text) == Period(text, months, days)


@pytest.mark.parametrize(
    "text",
    ["", "P", "3M", "p3m", "P3", "PT3M", "P-3M", "P3M ", " P3M", "P0D", "P0Y0M", "P1.5Y", "P3M2Y", "P٣M", "P99999M"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("P1M", "2026-01-31", "2026-02-28"),
        ("P1M", "2028-01-31", "2028-02-29"),
        ("P3Y", "2024-02-29", "2027-02-28"),
        ("P1M", "2026-11-30", "2026-12-30"),
        ("P3M", "2026-11-30", "2027-02-28"),
        ("P12M", "2026-12-31", "2027-12-31"),
        ("P1M1D", "2026-01-31", "2026-03-01"),
        ("P3M", "9999-11-01", "9999-12-31"),
        ("P1D", "9999-12-31", "9999-12-31"),
        ("P999Y", "9500-01-01", "9999-12-31"),
    ],
)
def test_a_missing_day_is_the_months_last_and_time_ends_with_the_calendar(text: str, start: str, end: str) -> None:
    assert parse(text).after(datetime.date.fromisoformat(start)).isoformat() == end


@given(DATES, MONTHS)
def test_months_keep_the_day_or_take_the_months_last(start: datetime.date, months: int) -> None:
    end = Period("", months, 0).after(start)
    year, month0 = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > datetime.MAXYEAR:
        assert end == datetime.date.max
    else:
        assert (end.year, end.month) == (year, month0 + 1)
        assert end.day == min(start.day, calendar.monthrange(end.year, end.month)[1])


@given(DATES, MONTHS, DAYS)
def test_a_period_never_goes_back_and_a_longer_one_never_ends_before(
    start: datetime.date, months: int, days: int
) -> None:
    period = Period("", months, days)
    assert period.after(start) >= start
    assert Period("", months + 1, days).after(start) >= period.after(start)
    assert Period("", months, days + 1).after(start) >= period.after(start)


@pytest.mark.parametrize(
    ("one", "other", "exceeds"),
    [
        ("P36M", "P3Y", False),
        ("P37M", "P3Y", True),
        ("P3Y1D", "P3Y", True),
        ("P1095D", "P3Y", False),
        ("P1096D", "P3Y", True),
        ("P3M", "P89D", True),
        ("P3M", "P92D", False),
        ("P31D", "P1M", True),
    ],
)
def test_one_period_may_exceed_another_where_any_first_day_makes_it_longer(one: str, other: str, exceeds: bool) -> None:
    assert may_exceed(parse(one), parse(other)) is exceeds


@given(
    st.integers(0, 60),
    st.integers(0, 800),
    st.integers(0, 60),
    st.integers(0, 800),
    st.dates(max_value=datetime.date(9000, 1, 1)),
)
def test_what_may_not_exceed_never_does(
    months: int, days: int, other_months: int, other_days: int, start: datetime.date
) -> None:
    one, other = Period("", months, days), Period("", other_months, other_days)
    if not may_exceed(one, other):
        assert one.after(start) <= other.after(start)
