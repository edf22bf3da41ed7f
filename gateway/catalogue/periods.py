"""Calendar periods as policies write them: `P3M`, `P1Y6M`, `P90D`, `P2W` (ISO 8601, without times of day).

A period is a number of calendar months and of days; how it is added to a date is `Period.after`. Pure.
"""

from __future__ import annotations

import datetime
import re

from gateway.catalogue.model import Period

_PERIOD = re.compile(r"P(?=[0-9])(?:([0-9]{1,3})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?")

EXPECTED = "a period such as `P3M`, `P1Y6M` or `P90D`"
"""What a message says a period looks like."""


def parse(text: str) -> Period:
    """The period that `text` writes; raises `ValueError` for anything else, a period of nothing included."""
    match = _PERIOD.fullmatch(text)
    if not match:
        raise ValueError(f"`{text}` must be {EXPECTED}")
    years, months, weeks, days = (int(part or 0) for part in match.groups())
    period = Period(text, years * 12 + months, weeks * 7 + days)
    if not period.months and not period.days:
        raise ValueError(f"`{text}` must be longer than nothing")
    return period


def may_exceed(one: Period, other: Period) -> bool:
    """True where `one` ends after `other` for at least one first day: months differ in length."""
    if one.days == other.days:
        return one.months > other.months
    start = datetime.date(2000, 1, 1)  # four years hold every month length; further cycles repeat them
    return any(
        one.after(day) > other.after(day) for day in (start + datetime.timedelta(days=offset) for offset in range(1461))
    )


def last_start(period: Period, day: datetime.date) -> datetime.date | None:
    """The last first day from which a period ends before `day`; None where there is none."""
    low, high = datetime.date.min.toordinal() - 1, day.toordinal()
    while high - low > 1:  # a later first day never ends earlier
        middle = (low + high) // 2
        if period.after(datetime.date.fromordinal(middle)) < day:
            low = middle
        else:
            high = middle
    return datetime.date.fromordinal(low) if low else None
