"""What an entry counts in the transparency report: of which department and purpose, and in which month. Pure.

An inquiry counts in the month in which it was made; one that its subject is told of later, in the month in which that
secrecy ends, so that no closed month says of it before, and it is held until that month is closed. Its recalls, and the
answers to them, count as it does. What comes out names no subject.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from gateway.ledger.entry import entries
from gateway.transparency.brief import Asked

ANSWERED, REFUSED, DENIED = "answered", "refused", "denied"
RECALLED, DONE = "recalled", "recall-answered"
OBJECTED, LATE = "objected", "objection-late"
MEASURES = (ANSWERED, REFUSED, DENIED, RECALLED, DONE, OBJECTED, LATE)
"""What is counted: inquiries answered; refused as a whole, by the error's code; answered with fields denied, by the
denial's reason; recalls sent, and answered as done; objections filed, and those whose term passed."""

NOT_KNOWN = "not known"


class Counted(NamedTuple):
    """What is counted by."""

    month: str
    department: str
    purpose: str
    what: str
    reason: str = ""


class More(NamedTuple):
    """One more of something. `recall` is, of an answer, the recall that it answers: the time that it took follows from
    it. `dataset` is, of an objection, what it is to: its department follows from it. `held` is, of what was secret,
    whether nothing of it may be published before its month is closed."""

    counted: Counted
    recall: str = ""
    dataset: str = ""
    held: bool = False


def month(at: datetime.datetime, zone: datetime.tzinfo) -> str:
    """The name of the month of a moment: `2026-11`."""
    return f"{at.astimezone(zone):%Y-%m}"


def after(name: str) -> str:
    """The month that follows."""
    year, number = int(name[:4]), int(name[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def ends(name: str, zone: datetime.tzinfo) -> datetime.datetime:
    """The first moment after a month."""
    following = after(name)
    return datetime.datetime(int(following[:4]), int(following[5:]), 1, tzinfo=zone)


class Months:
    """The months of moments in a time zone; that of the last one is remembered, for entries come in order."""

    def __init__(self, zone: datetime.tzinfo) -> None:
        self._zone = zone
        self._name, self._first, self._last = "", datetime.datetime.max, datetime.datetime.max

    def of(self, at: datetime.datetime) -> str:
        """As `month`."""
        plain = at.astimezone(datetime.UTC).replace(tzinfo=None)
        if not self._first <= plain < self._last:
            self._name = month(at, self._zone)
            self._last = ends(self._name, self._zone).astimezone(datetime.UTC).replace(tzinfo=None)
            self._first = plain
        return self._name


class Act(NamedTuple):
    """An act, and until when it is kept from its subject."""

    told: entries.Acted
    secret_until: datetime.datetime | None = None


def of(told: Asked | Act, months: Months) -> Iterator[More]:
    """What an entry counts."""
    when, held = _when(told, months)
    if isinstance(told, Act):
        yield from _act(told.told, when, held=held)
        return
    by = (when, told.department or NOT_KNOWN, told.purpose)
    if told.refused is not None:
        yield More(Counted(*by, REFUSED, told.refused), held=held)
        return
    yield More(Counted(*by, ANSWERED), held=held)
    for reason in sorted(told.denied):
        yield More(Counted(*by, DENIED, reason), held=held)


def _when(told: Asked | Act, months: Months) -> tuple[str, bool]:
    """In which month it counts, and whether it is held until that is closed."""
    at = told.told.at if isinstance(told, Act) else told.at
    secret = told.secret_until
    if secret is None or secret <= at:
        return months.of(at), False
    return months.of(secret), True


def _act(told: entries.Acted, when: str, *, held: bool) -> Iterator[More]:
    whose = told.to or told.recipient
    by = (when, (whose.department if whose is not None else "") or NOT_KNOWN)
    if told.what == "recalled":
        yield More(Counted(*by, told.purpose, RECALLED), recall=told.recall, held=held)
    elif told.what == "acknowledged" and told.outcome != "refused":
        yield More(Counted(*by, "", DONE), recall=told.recall, held=held)
    elif told.what == "objection-filed":
        yield More(Counted(*by, "", OBJECTED), dataset=told.dataset, held=held)
    elif told.what == "objection-overdue":
        yield More(Counted(*by, "", LATE), dataset=told.dataset, held=held)
