"""The clocks of what subjects filed: reminders, two working days before the last day and on it, then oversight.

What is overdue is oversight's to see, and so is the correction that an upheld objection is to be followed by.

Each of these is an act of the gateway's own, made exactly once: `told` of the matter's row says how far it is, and only
who finds it behind moves it, in the transaction of the entry. So every process looks, and a start makes good what was
due meanwhile, once: only the latest is told. A deadline that was provisional is counted again, from the same moment, at
a start with another calendar; one that is over stays.
"""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from gateway.acts.matters.filing import FILED, OBJECTION, about_of, moved
from gateway.acts.matters.over_bounds import OverBounds
from gateway.acts.office import Office
from gateway.errors import Refusal
from gateway.ledger.acting.planned import Actor, Changes, Made, Planned, Row, Seen, new_fact
from gateway.ledger.entry import entries
from gateway.rules import deadlines
from gateway.rules.deadlines import Deadline, deadline
from gateway.saying import in_words
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import UPHELD, WAITS, Act, Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import moment

EVERY = 5.0
"""Seconds between two looks. What is due is due on a day."""
_AT_ONCE = 64

REMINDED = "reminded"
COUNTED = "deadline-counted"

_BEFORE, _ON, _OVER = 1, 2, 3
"""How far a clock is told."""

Told = Callable[[str, str, str], object]
"""Hears of a department, the id of its matter, and what was entered of it."""


class _NothingToDo(Exception):
    """Another process did it, or somebody decided meanwhile."""


class Clocks:
    """The clocks, in one process. `told` hears what was entered, `heard` why they stand still, or go on."""

    def __init__(self, office: Office, told: Told, heard: Callable[[str, str | None], None]) -> None:
        self._office, self._told, self._heard = office, told, heard
        self._counted: str | None = None
        self._running: tuple[tuple[str, datetime.date], ColumnElement[bool]] | None = None
        self._over = OverBounds(office)

    async def run(self, every: float = EVERY) -> None:
        """Look again and again, until it is cancelled."""
        fault: str | None = None
        while True:
            try:
                await self.turn()
                now = None
            except Exception as error:  # whatever it is, the clocks go on once it is over
                now = None if self._in_doubt() else f"the clocks of matters stand still ({in_words(error)})"
            if now != fault:
                fault = now
                self._heard("", fault)
            await asyncio.sleep(every * random.uniform(0.8, 1.2))  # noqa: S311 - so that processes take turns

    def _in_doubt(self) -> bool:
        """Whether the time is in doubt: then nothing is due, and that is told by the clock's own name."""
        try:
            self._office.now()
        except Refusal:
            return True
        return False

    async def turn(self) -> None:
        """Do all that is due now. Raises `LedgerUnavailable`, `Refusal`."""
        if self._counted != (digest := self._office.calendar.digest):
            await self._all(_uncounted(self._office), self._counting)
            self._counted = digest
        await self._all(self._behind(), self._telling)
        await self._over.turn()

    def _behind(self) -> ColumnElement[bool]:
        """`_behind`, made once a day and calendar: that costs more than the look for it."""
        of = (self._office.calendar.digest, self._office.today())
        if self._running is None or self._running[0] != of:
            self._running = (of, _behind(self._office, of[1]))
        return self._running[1]

    async def _all(self, condition: ColumnElement[bool], act: Callable[[Matter], Planned]) -> None:
        after: tuple[int, str] | None = None
        while found := await asyncio.to_thread(self._some, condition, after):
            await asyncio.gather(*(self._one(act(row)) for row in found))
            after = (found[-1].filed, found[-1].id)

    def _some(self, condition: ColumnElement[bool], after: tuple[int, str] | None) -> list[Matter]:
        later = [] if after is None else [rows.after(*after)]
        with self._office.reading() as connection:
            return rows.matters(connection, condition, *later, first=_AT_ONCE)

    async def _one(self, planned: Planned) -> None:
        try:
            department, id_, what = (await self._office.writer.act(planned)).value
        except _NothingToDo:
            return
        self._told(department, id_, what)

    def _telling(self, row: Matter) -> Planned:
        def make(seen: Seen) -> Made:
            now = _again(seen, row, _behind(self._office, seen.today))
            far = _far(now, seen.today)
            if far == _OVER:
                what = "correction-overdue" if now.second_due is not None else f"{now.kind}-overdue"
            else:
                what = REMINDED
            return self._made(seen, now, what, [moved(now, told=far)], _day(now))

        return self._planned(row, make)

    def _counting(self, row: Matter) -> Planned:
        def make(seen: Seen) -> Made:
            now = _again(seen, row, _uncounted(self._office, seen.today))
            last = self._recounted(now)
            day = {("due" if now.second_due is None else "second_due"): last.due.isoformat()}
            values: dict[str, Any] = {**day, "provisional": int(last.provisional), "calendar": last.calendar}
            changes: list[Changes] = []
            if now.fact is not None and now.second_due is None and last.due.isoformat() != now.due:
                # A fact is never changed: one ends, and another goes on, so that no moment is without it.
                of = {"dataset": now.dataset or "", "record": now.record or "", "until": last.due.isoformat()}
                begun = new_fact(seen, OBJECTION, (now.scheme or "", now.value or ""), of, 2)
                ended = facts.ending(now.fact, OBJECTION, seen.now, seen.change + 1, outcome="counted-again")
                changes += [ended, Row(fact, begun)]
                values["fact"] = begun["id"]
            taken = len(changes)
            changes.append(moved(now, **values))
            made = self._made(seen, now, COUNTED, changes, last, tuple(range(seen.change + 1, seen.change + 1 + taken)))
            return made._replace(facts=taken)

        return self._planned(row, make)

    def _recounted(self, row: Matter) -> Deadline:
        """The deadline of the clock that runs, by the calendar of now."""
        terms = self._office.calendar.terms
        if row.second_due is not None:
            return deadline(self._office.calendar, moment(row.decided or row.filed), terms.correction)
        term = terms.objection if row.kind == OBJECTION else terms.restoration
        return deadline(self._office.calendar, moment(row.filed), term)

    def _planned(self, row: Matter, make: Callable[[Seen], Made]) -> Planned:
        actor = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)
        touches = frozenset([("matter", row.id), (row.scheme, row.value)])
        return Planned(actor, touches, (), make, _never, bulk=True)

    def _made(
        self, seen: Seen, row: Matter, what: str, changes: list[Changes], last: Deadline,
        numbers: tuple[int, ...] = (),
    ) -> Made:  # fmt: skip
        told = entries.Acted(
            entries.VERSION, seen.id, seen.now, entries.OWN, what, due=last.due, provisional=last.provisional,
            calendar=last.calendar, scheme=row.scheme, value=row.value, matter=row.id, changes=numbers,
            recipient=entries.Who("", "", row.department or ""), rule_set=self._office.rules.digest,
            to=entries.Who("", "", row.department or "") if what.endswith("-overdue") else None,
            **about_of(row).members,
        )  # fmt: skip
        oversight = entries.Oversight(entries.VERSION, facts=seen.change)
        return Made(told, oversight, changes, row.id, (row.department or "", row.id, what))


def _again(seen: Seen, row: Matter, condition: ColumnElement[bool]) -> Matter:
    """The matter as it is now, if there is still something to do of it."""
    found = rows.matters(seen.connection, matter.c.id == row.id, condition)
    if not found:
        raise _NothingToDo
    return found[0]


def _never(seen: Seen, past: Act) -> Any:
    raise AssertionError("the gateway's own acts have no reference")


def _day(row: Matter) -> Deadline:
    day = datetime.date.fromisoformat(row.second_due or row.due or "")
    return Deadline(day, bool(row.provisional), row.calendar or "")


def _far(row: Matter, today: datetime.date) -> int:
    """How far a clock ought to be told on a day."""
    due = _day(row).due
    if due < today:
        return _OVER
    return _ON if due == today else _BEFORE


def _behind(office: Office, day: datetime.date | None = None) -> ColumnElement[bool]:
    """What has not been told as far as it ought to be, of the clocks that run."""
    today = day or office.today()
    soon = today
    while deadlines.before(office.calendar, soon + deadlines.DAY) <= today:
        soon += deadlines.DAY
    found = []
    for of, running in _running():
        over = and_(of < today.isoformat(), matter.c.told < _OVER)
        on = and_(of == today.isoformat(), matter.c.told < _ON)
        before = and_(of > today.isoformat(), matter.c.told < _BEFORE)
        found.append(and_(running, of <= soon.isoformat(), or_(over, on, before)))
    return or_(*found)


def _uncounted(office: Office, day: datetime.date | None = None) -> ColumnElement[bool]:
    """What was counted provisionally by another calendar, and is not over."""
    today = (day or office.today()).isoformat()
    other = and_(matter.c.provisional == 1, matter.c.calendar != office.calendar.digest)
    return and_(other, or_(*(and_(running, of >= today) for of, running in _running())))


def _running() -> list[tuple[ColumnElement[str], ColumnElement[bool]]]:
    """The clocks: the day of each, and whether it runs."""
    filed = and_(WAITS, matter.c.kind.in_(FILED), matter.c.value.is_not(None))
    return [(matter.c.due, filed), (matter.c.second_due, and_(UPHELD))]
