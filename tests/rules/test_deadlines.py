"""Deadlines in working days: counted by one sum here, and day by day in `gateway/rules/deadlines.py`.

The other way to count is a table of a calendar's worked days, as ordinal numbers, looked up by bisection; and the end
of a day is looked for minute by minute.
"""

from __future__ import annotations

import datetime
import zoneinfo
from bisect import bisect_right
from collections.abc import Callable

import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rules import deadlines
from gateway.rules.deadlines import Deadline, deadline, end
from gateway.rules.files.calendar import Calendar, Terms

YEARS = range(2020, 2030)
COUNTRIES = ("BG", "HU", "IL")
"""Days off by rule, with make-up days on Saturdays, and with another weekend."""
ZONES = ("Europe/Sofia", "America/Havana", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu")
TERMS = st.integers(1, 60)
DAY = datetime.timedelta(days=1)


def calendar_of(country: str, zone: str, years: range = YEARS) -> Calendar:
    known = holidays.country_holidays(country, years=YEARS)
    weekend = {4, 5} if country == "IL" else {5, 6}
    return Calendar(
        zone,
        frozenset(range(7)) - weekend,
        frozenset(day for day in known if day.year in years),
        frozenset(day for day in known.weekend_workdays if day.year in years),
    )


CALENDARS = {(country, zone): calendar_of(country, zone) for country in COUNTRIES for zone in ZONES}
MOMENTS = st.datetimes(
    datetime.datetime(YEARS[0], 1, 1), datetime.datetime(YEARS[-1], 9, 1), timezones=st.just(datetime.UTC)
)


def table(calendar: Calendar) -> list[int]:
    first, last = datetime.date(YEARS[0], 1, 1).toordinal(), datetime.date(YEARS[-1], 12, 31).toordinal()
    weekdays = {day for day in range(first, last + 1) if (day - 1) % 7 in calendar.working_days}
    off = {day.toordinal() for day in calendar.holidays}
    return sorted(weekdays - off | {day.toordinal() for day in calendar.make_up})


TABLES = {key: table(calendar) for key, calendar in CALENDARS.items()}


def counted(key: tuple[str, str], filed_at: datetime.datetime, term: int) -> datetime.date:
    """The deadline by the table: the `term`-th worked day behind the day of filing."""
    zone = zoneinfo.ZoneInfo(key[1])
    filed = (filed_at.replace(tzinfo=None) + (zone.utcoffset(filed_at.astimezone(zone)) or DAY)).toordinal()
    worked = TABLES[key]
    return datetime.date.fromordinal(worked[bisect_right(worked, filed) + term - 1])


Count = Callable[[Calendar, datetime.datetime, int], Deadline]


def compare(count: Count) -> None:
    @given(st.sampled_from(sorted(CALENDARS)), MOMENTS, TERMS)
    @settings(max_examples=500, deadline=None)
    def equal(key: tuple[str, str], filed_at: datetime.datetime, term: int) -> None:
        calendar = CALENDARS[key]
        assert count(calendar, filed_at, term) == (counted(key, filed_at, term), False, calendar.digest)

    equal()


def test_deadlines_equal_an_independent_count() -> None:
    compare(deadline)


def test_every_day_of_ten_years_equals_it() -> None:
    for key, calendar in CALENDARS.items():
        noon = datetime.datetime(YEARS[0], 1, 1, 12, tzinfo=calendar.zone)
        for number in range(0, 365 * len(YEARS) - 60):
            filed = noon + number * DAY
            assert deadline(calendar, filed, 7).due == counted(key, filed.astimezone(datetime.UTC), 7), (key, filed)


def _from_the_day_itself(calendar: Calendar, filed_at: datetime.datetime, term: int) -> Deadline:
    return deadline(calendar, filed_at - DAY, term)


def _by_utc(calendar: Calendar, filed_at: datetime.datetime, term: int) -> Deadline:
    there = deadline(calendar, filed_at.replace(tzinfo=calendar.zone), term)
    return there._replace(calendar=calendar.digest)


def _without_holidays(calendar: Calendar, filed_at: datetime.datetime, term: int) -> Deadline:
    plain = Calendar(calendar.time_zone, calendar.working_days, frozenset(), calendar.make_up)
    return deadline(plain, filed_at, term)._replace(provisional=False, calendar=calendar.digest)


def _without_make_up_days(calendar: Calendar, filed_at: datetime.datetime, term: int) -> Deadline:
    plain = Calendar(calendar.time_zone, calendar.working_days, calendar.holidays)
    return deadline(plain, filed_at, term)._replace(calendar=calendar.digest)


def _monday_to_friday(calendar: Calendar, filed_at: datetime.datetime, term: int) -> Deadline:
    plain = Calendar(calendar.time_zone, frozenset(range(5)), calendar.holidays, calendar.make_up)
    return deadline(plain, filed_at, term)._replace(calendar=calendar.digest)


@pytest.mark.parametrize(
    "fault", [_from_the_day_itself, _by_utc, _without_holidays, _without_make_up_days, _monday_to_friday]
)
def test_a_planted_fault_is_found(fault: Count) -> None:
    with pytest.raises(AssertionError):
        compare(fault)


@pytest.mark.parametrize("country", COUNTRIES)
def test_beyond_the_list_a_deadline_is_provisional_and_never_later(country: str) -> None:
    whole, known = calendar_of(country, "Europe/Sofia"), calendar_of(country, "Europe/Sofia", YEARS[:6])

    @given(MOMENTS, TERMS)
    @settings(max_examples=500, deadline=None)
    def never_later(filed_at: datetime.datetime, term: int) -> None:
        law, here = deadline(whole, filed_at, term), deadline(known, filed_at, term)
        assert here.due <= law.due
        assert here.provisional == (here.due.year > YEARS[5])
        if not here.provisional:
            assert here.due == law.due
        assert deadline(whole, filed_at, term) == law, "counted again, it is the law's"

    never_later()


@pytest.mark.parametrize("zone", [*ZONES, "America/St_Johns", "Asia/Beirut", "Pacific/Chatham", "UTC"])
def test_a_day_ends_with_its_last_moment(zone: str) -> None:
    """Also where the clocks jump over midnight, or pass it twice (in St John's: one minute after it, until 2011)."""
    calendar, minute = Calendar(zone), datetime.timedelta(minutes=1)
    years = (2010, 2011, 2024, 2025)
    offset = calendar.zone.utcoffset
    changes = [
        day
        for year in years
        for number in range(365)
        if offset(datetime.datetime(year, 1, 1, 12) + number * DAY)
        != offset(datetime.datetime(year, 1, 1, 12) + (number + 1) * DAY)
        for day in [datetime.date(year, 1, 1) + number * DAY]
    ]
    assert changes or zone in ("Asia/Kathmandu", "UTC")
    for change in [*changes, datetime.date(2025, 2, 28)]:
        for due in (change - DAY, change, change + DAY):
            at = datetime.datetime.combine(due, datetime.time(9), datetime.UTC)
            minutes = (at + number * minute for number in range(30 * 60))
            last = max(each for each in minutes if each.astimezone(calendar.zone).date() <= due)
            assert end(calendar, due) == last + minute, (zone, due)
            assert not deadlines.overdue(calendar, due, last)
            assert deadlines.overdue(calendar, due, last + minute)


def test_reminders_are_working_days() -> None:
    calendar = CALENDARS["HU", "Europe/Sofia"]
    for due, reminded in (("2024-08-21", "2024-08-15"), ("2024-12-16", "2024-12-13"), ("2024-12-30", "2024-12-20")):
        day, count = datetime.date.fromisoformat(due), 0
        back = deadlines.before(calendar, day)
        assert back.isoformat() == reminded
        while day > back:
            day -= DAY
            count += calendar.worked(day)
        assert count == 2
        assert calendar.worked(back)


def test_a_list_that_ends_soon_is_told_90_days_before() -> None:
    calendar = Calendar(holidays=frozenset({datetime.date(2027, 3, 3)}))
    assert deadlines.ending(calendar, datetime.date(2027, 10, 1)) == ""
    told = deadlines.ending(calendar, datetime.date(2027, 10, 2))
    assert "until 2027-12-31" in told
    assert "--years 2028-2031" in told
    assert "no holiday is listed" in deadlines.ending(Calendar(), datetime.date(2027, 1, 1))
    assert deadlines.list_end(calendar) == datetime.datetime(2028, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert deadlines.list_end(Calendar()) == 0


def test_the_digest_is_of_all_that_counts() -> None:
    day = datetime.date(2027, 3, 3)
    calendars = [
        Calendar(),
        Calendar("Europe/Sofia"),
        Calendar(working_days=frozenset(range(6))),
        Calendar(holidays=frozenset({day})),
        Calendar(make_up=frozenset({day})),
        Calendar(terms=Terms(recall=9)),
    ]
    assert len({each.digest for each in calendars}) == len(calendars)
    assert Calendar().digest == Calendar("UTC", frozenset([4, 3, 2, 1, 0])).digest
