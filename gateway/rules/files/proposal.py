"""Holidays and make-up days of a country, as lines to paste into `calendar.yaml`; from the library `holidays`.

The library is no gazette: what it says of years to come is what the law says today. Somebody compares it before it is
pasted, and nothing at run time asks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from gateway.rules.files.calendar import Calendar
from gateway.values import suggest

MOST_YEARS = 20
_AT = 44
"""The column of the comments."""


class NotProposed(Exception):
    """What was asked for is not known; the text has what is."""


def years(text: str) -> range:
    """`2027` or `2027-2030`; raises `ValueError`."""
    given = re.fullmatch(r"([1-9][0-9]{3})(?:-([1-9][0-9]{3}))?", text)
    found = range(int(given[1]), int(given[2] or given[1]) + 1) if given else range(0)
    if not 1 <= len(found) <= MOST_YEARS:
        raise ValueError(f"`{text}` must be 1 to {MOST_YEARS} years, as `2027` or `2027-2030`")
    return found


def lines(country: str, wanted: range, calendar: Calendar) -> Iterator[str]:
    """YAML with the holidays that `calendar` would have worked, and the make-up days; raises `NotProposed`."""
    import holidays  # by far the largest import of all, and this command's alone

    code, _, part = country.partition("-")
    known: Mapping[str, list[str]] = holidays.list_supported_countries()
    if code not in known:
        raise NotProposed(f"unknown country `{code}`{suggest(code, known)}; write a code of ISO 3166, as `BG`")
    if part and part not in known[code]:
        raise NotProposed(f"`{code}` has no part `{part}`{suggest(part, known[code])}; {', '.join(known[code])}")
    # Where a name is translated. A year more on both sides: a holiday may be kept in the year before or after its own.
    found = holidays.country_holidays(
        code, subdiv=part or None, years=range(wanted[0] - 1, wanted[-1] + 2), language="en_US"
    )
    off = {
        day: name
        for day, name in sorted(found.items())
        if day.year in wanted and day.weekday() in calendar.working_days
    }
    make_up = [
        day
        for day in sorted(found.weekend_workdays)
        if day.year in wanted and day.weekday() not in calendar.working_days
    ]
    if missing := [str(year) for year in wanted if not any(day.year == year for day in off)]:
        raise NotProposed(f"the library `holidays` knows no holiday of `{country}` in {', '.join(missing)}")
    yield f"# {country}, by the library `holidays` {version('holidays')}: compare it with the gazette."
    yield "holidays:"
    for day, name in off.items():
        yield f"  - {day}".ljust(_AT) + f"# {' '.join(name.split())}"
    if make_up:
        yield "worked:"
        yield from (f"  - {day}" for day in make_up)
