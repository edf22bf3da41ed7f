"""Deadlines in working days, counted by a calendar. Pure.

A term begins on the day after filing, as the clocks of the jurisdiction show it, and ends with the end of its last
working day. A holiday of a year that is not listed yet is not known, so its days count as worked: a deadline is never
later than the law's. It is provisional then, and counted again, from the same filing, once that year is listed. Where
there are make-up days, any day off of such a year may become one, so that it counts too.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from gateway.rules.files.calendar import Calendar

DAY = datetime.timedelta(days=1)
_INSTANT = datetime.timedelta(microseconds=1)

REMIND_BEFORE = 2
"""So many working days before its last day a matter is reminded of."""

WARN_BEFORE = datetime.timedelta(days=90)
"""So long before the list of holidays ends somebody is told."""


class Deadline(NamedTuple):
    """The last day of a term. `provisional`: a year within it is not listed. `calendar` is the calendar's digest."""

    due: datetime.date
    provisional: bool
    calendar: str


def deadline(calendar: Calendar, filed_at: datetime.datetime, term: int) -> Deadline:
    """The deadline of what was filed at an aware moment, with a term of so many working days."""
    day = calendar.local(filed_at).date()
    left, provisional = term, False
    while left > 0:
        day += DAY
        listed = day.year in calendar.listed
        provisional = provisional or not listed
        left -= calendar.worked(day) or (bool(calendar.make_up) and not listed)
    return Deadline(day, provisional, calendar.digest)


def end(calendar: Calendar, due: datetime.date) -> datetime.datetime:
    """The moment, in UTC, at which a day is over: the first that is not in time any more."""
    midnight = datetime.datetime.combine(due + DAY, datetime.time(), calendar.zone)
    both = (midnight.replace(fold=fold).astimezone(datetime.UTC) for fold in (0, 1))
    # Where the clocks are changed there is no such midnight, or there are two: the last that still ends this day.
    return max(each for each in both if calendar.local(each - _INSTANT).date() <= due)


def overdue(calendar: Calendar, due: datetime.date, now: datetime.datetime) -> bool:
    """Whether a day is over at an aware moment."""
    return now >= end(calendar, due)


def before(calendar: Calendar, due: datetime.date, days: int = REMIND_BEFORE) -> datetime.date:
    """The day that is so many working days before another."""
    while days > 0:
        due -= DAY
        days -= calendar.worked(due)
    return due


def list_end(calendar: Calendar) -> float:
    """When the list of holidays ends, in seconds since the epoch; 0 where none is listed."""
    return end(calendar, calendar.ends).timestamp() if calendar.ends is not None else 0.0


def ending(calendar: Calendar, today: datetime.date) -> str:
    """What is wrong with a list of holidays that ends soon, and the fix; nothing where it does not."""
    last = calendar.ends
    if last is not None and last - today > WARN_BEFORE:
        return ""
    years = f"{last.year + 1}-{last.year + 4}" if last is not None else f"{today.year}-{today.year + 3}"
    told = f"the holidays are listed until {last}" if last is not None else "no holiday is listed"
    return (
        f"{told}: days beyond count as worked, and deadlines there are provisional; list the next year "
        f"(`dutybound rules calendar --country <code> --years {years}` proposes it)"
    )
