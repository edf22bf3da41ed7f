"""The working days of a matter's term, laid out as a picture: a row per week, gone, today and still to come. Pure."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from gateway.rules.deadlines import DAY
from gateway.rules.files.calendar import Calendar

MOST = 60
"""Working days that are drawn; a longer term is told in its sentence only."""
WIDTH, HEIGHT = 40, 24
"""Units of a day's place in the picture."""
_WEEK = 5 * WIDTH  # at least so wide, or one day alone would be drawn as large as five


class Drawn(NamedTuple):
    """One working day: its place, and whether it is `used`, `today` or `left`."""

    day: datetime.date
    x: int
    y: int
    state: str


class Term(NamedTuple):
    """A term's working days; `width` and `height` are the picture's."""

    days: list[Drawn]
    width: int
    height: int

    @property
    def used(self) -> int:
        """The days that are gone."""
        return sum(each.state == "used" for each in self.days)

    @property
    def left(self) -> int:
        """The days after today."""
        return sum(each.state == "left" for each in self.days)

    @property
    def weekdays(self) -> list[tuple[int, int]]:
        """The days of the week (1 for Monday) that are drawn, and where."""
        return sorted({(each.day.isoweekday(), each.x) for each in self.days})


def term(calendar: Calendar, filed: datetime.datetime, due: datetime.date, now: datetime.datetime) -> Term | None:
    """The working days from the one after filing to the last; None where there are none, or too many to draw."""
    today = calendar.local(now).date()
    first = calendar.local(filed).date() + DAY
    monday = first - first.weekday() * DAY
    found: list[Drawn] = []
    day = first
    while day <= due and len(found) <= MOST:
        if calendar.worked(day) or day == due:
            state = "used" if day < today else "today" if day == today else "left"
            x, y = day.weekday() * WIDTH, ((day - monday).days // 7) * HEIGHT
            found.append(Drawn(day, x, y, state))
        day += DAY
    if not found or len(found) > MOST:
        return None
    row = min(each.y for each in found)
    days = [each._replace(y=each.y - row) for each in found]
    return Term(days, max(_WEEK, *(each.x + WIDTH for each in days)), max(each.y for each in days) + HEIGHT)


def written(calendar: Calendar, filed: str, due: str, now: float) -> Term | None:
    """The same, of moments as the API writes them; `now` is in seconds since the epoch."""
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return term(calendar, datetime.datetime.fromisoformat(filed), datetime.date.fromisoformat(due[:10]), at)


def is_day(text: str) -> bool:
    """Whether a text is a day as forms have it, and the API takes it."""
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
