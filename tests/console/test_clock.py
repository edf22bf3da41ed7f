"""The picture of a matter's term has the working days that the law counts, and no others."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.console.clock import HEIGHT, MOST, WIDTH, term, written
from gateway.rules.deadlines import deadline
from gateway.rules.files.calendar import Calendar

MOMENT = datetime.datetime(2026, 11, 19, 9, 0, tzinfo=datetime.UTC)  # a Thursday
HOLIDAY = datetime.date(2026, 11, 24)
CALENDAR = Calendar(holidays=frozenset([HOLIDAY, datetime.date(2027, 1, 1)]))


def days(after: int) -> datetime.timedelta:
    return datetime.timedelta(after)


def test_the_days_of_a_week_stand_in_a_row_and_holidays_leave_a_gap() -> None:
    due = deadline(CALENDAR, MOMENT, 7).due
    found = term(CALENDAR, MOMENT, due, MOMENT + days(6))
    assert found is not None
    assert [(each.day.day, each.x // WIDTH, each.y // HEIGHT, each.state) for each in found.days] == [
        (20, 4, 0, "used"),
        (23, 0, 1, "used"),
        (25, 2, 1, "today"),
        (26, 3, 1, "left"),
        (27, 4, 1, "left"),
        (30, 0, 2, "left"),
        (1, 1, 2, "left"),
    ]
    assert (found.used, found.left) == (2, 4)
    assert (found.width, found.height) == (5 * WIDTH, 3 * HEIGHT)
    assert found.weekdays == [(1, 0), (2, 40), (3, 80), (4, 120), (5, 160)]


def test_it_is_had_from_what_the_api_writes() -> None:
    found = written(CALENDAR, "2026-11-19T09:00:00Z", "2026-11-20", MOMENT.timestamp())
    assert found is not None
    assert [(each.day.day, each.state) for each in found.days] == [(20, "left")]


def test_a_term_that_is_too_long_is_not_drawn() -> None:
    assert term(CALENDAR, MOMENT, MOMENT.date() + days(2 * MOST), MOMENT) is None
    assert term(CALENDAR, MOMENT, MOMENT.date(), MOMENT) is None


@given(st.integers(0, 400), st.integers(1, MOST), st.integers(0, 100))
def test_it_has_as_many_days_as_the_term(start: int, count: int, since: int) -> None:
    filed = MOMENT + days(start % 300)
    due = deadline(CALENDAR, filed, count).due
    found = term(CALENDAR, filed, due, filed + days(since))
    assert found is not None
    assert len(found.days) == count
    assert found.days[-1].day == due
    assert len({(each.x, each.y) for each in found.days}) == count
    assert found.used + found.left + any(each.state == "today" for each in found.days) == count
