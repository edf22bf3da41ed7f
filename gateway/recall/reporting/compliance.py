"""What is counted of recalls and late answers, for whom, and in which period (Arts. 48, 49). Pure.

A recall is counted in the period in which it was sent, for the department that has to answer, with what had become of
it when the ledger was read. Suspensions are counted when they began or ended, and late objections when they became
late, for the department that has to decide them. Figures are of departments: nobody is ranked, and no subject is named.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from gateway.ledger.entry import entries

RECALLED, DELIVERED, ACKNOWLEDGED, OVERDUE = "recalled", "delivered", "acknowledged", "recall-overdue"
SUSPENDED, RESUMED, LATE = "suspended", "suspension-ended", "objection-overdue"
OF_RECALLS = frozenset((RECALLED, DELIVERED, ACKNOWLEDGED, OVERDUE))
ALONE = frozenset((SUSPENDED, RESUMED, LATE))
"""What an act is called in its entry: of a recall's own history, and what is counted by itself."""

REFUSED, PASSED_ON = "refused", "passed-on"
NOT_KNOWN = "not known"
"""The department of what names none, or named it where it was erased since."""

By = Literal["month", "quarter", "year"]


class Figures(msgspec.Struct):
    """What is counted of one department and period, or of all.

    `acknowledged` were answered as done, `passed_on` of them with the names of others who have it; `refused` rest on
    a law, by the last answer. Of those sent, the rest is `unanswered`. `overdue` were not acknowledged by their term,
    whatever came later. `p50` and `p95` are microseconds from sending to the first acknowledgement, by nearest rank.
    """

    sent: int = 0
    delivered: int = 0
    acknowledged: int = 0
    passed_on: int = 0
    refused: int = 0
    unanswered: int = 0
    overdue: int = 0
    p50: int | None = None
    p95: int | None = None
    suspensions: int = 0
    suspensions_ended: int = 0
    late_objections: int = 0

    def add(self, fate: Fate) -> None:
        """Count one recall."""
        self.sent += 1
        self.delivered += fate.delivered
        self.acknowledged += fate.took is not None
        self.passed_on += fate.outcome == PASSED_ON
        self.refused += fate.outcome == REFUSED
        self.unanswered += fate.outcome == ""
        self.overdue += fate.overdue


class Event(NamedTuple):
    """One moment (microseconds) of a recall's history: what its entry records that counts."""

    what: str
    at: int
    department: str = ""
    term: int | None = None
    outcome: str = ""


class Fate(NamedTuple):
    """What became of one recall. `took`: microseconds to its first acknowledgement; None where it has none."""

    sent: int
    department: str
    delivered: bool
    outcome: str
    took: int | None
    overdue: bool


def fate(history: Iterable[Event], now: int) -> Fate | None:
    """What a recall's events, oldest first, come to at `now`; None where it was sent before they begin."""
    sent: Event | None = None
    delivered = late = False
    outcome, done = "", None
    for event in history:
        if event.what == RECALLED:
            sent = sent or event
        elif event.what == DELIVERED:
            delivered = True
        elif event.what == OVERDUE:
            late = True
        else:
            outcome = event.outcome
            if event.outcome != REFUSED and done is None:
                done = event.at
    if sent is None:
        return None
    if outcome == REFUSED:
        done = None
    if sent.term is not None:
        late = late or (now if done is None else done) > sent.term
    return Fate(sent.at, sent.department, delivered, outcome, None if done is None else done - sent.at, late)


def department(told: entries.Acted) -> str:
    """Whose an act is to answer: by its general part where that has it, which no erasure takes."""
    for who in (told.to, told.recipient):
        if who is not None and (who.department or who.client):
            return who.department or who.client
    return NOT_KNOWN


def period(at: datetime.datetime, by: By, zone: zoneinfo.ZoneInfo) -> str:
    """The name of the period that a moment is in, in the order of time: `2026-11`, `2026-Q4` or `2026`."""
    day = at.astimezone(zone).date()
    if by == "year":
        return f"{day.year:04}"
    return f"{day:%Y-%m}" if by == "month" else f"{day.year:04}-Q{(day.month + 2) // 3}"


def after(name: str) -> str:
    """The period that follows."""
    year, _, part = name.partition("-")
    if not part:
        return f"{int(year) + 1:04}"
    mark, last = ("Q", 4) if part[0] == "Q" else ("", 12)
    number = int(part.removeprefix("Q")) % last + 1
    return f"{int(year) + (number == 1):04}-{mark}{number:0{1 if mark else 2}}"


def between(first: str, last: str) -> Iterable[str]:
    """The periods from one to another, both included."""
    while first <= last:
        yield first
        first = after(first)
