"""The clock of recalls: oversight is notified of what is not answered in time, then the recipient's grant is
suspended.

At its term a recall is overdue: an entry, which oversight sees. A working day later, or after as long again as a
shorter term, the grant for its purpose is suspended for its dataset, from the next inquiry on. Where a law keeps the
purpose from that (`suspension` in `purposes.yaml`) oversight is told instead. A refusal stops none of this.

Each step is an act of the gateway's own, made exactly once: only who finds the row as it was moves it, in the
transaction of the entry. So any process may look, and a start makes good what was due meanwhile.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, update

from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, Changes, Made, Planned, Seen
from gateway.ledger.entry import entries
from gateway.recall import shown
from gateway.recall.enforcing.suspending import Held, in_force, rests, suspended, touched
from gateway.recall.own import answers
from gateway.recall.shown import Past
from gateway.rules import deadlines
from gateway.rules.deadlines import deadline
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import FOLLOWS, UNTOLD, Recall, recall
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros, moment

AT_ONCE = 64
"""Recalls of one turn, of each kind."""
OWN = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)


class _NothingToDo(Exception):
    """Another process did it, or it was answered meanwhile."""


class Overdue:
    """The clock, in whichever process runs it."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def turn(self) -> bool:
        """Do what is due now; True: there may be more of it. Raises `Refusal`, `LedgerUnavailable`."""
        now = micros(self._office.now())
        late = await self._each(_late(now), self._telling)
        return await self._each(_following(now), self._suspending) or late

    async def _each(self, condition: ColumnElement[bool], act: Callable[[Seen, Recall], Made]) -> bool:
        found = await asyncio.to_thread(self._some, condition)
        done = await asyncio.gather(*(self._one(row, condition, act) for row in found), return_exceptions=True)
        for failed in done:
            if isinstance(failed, BaseException) and not isinstance(failed, _NothingToDo):
                raise failed
        return len(found) == AT_ONCE

    def _some(self, condition: ColumnElement[bool]) -> list[Recall]:
        with self._office.reading() as connection:
            return recalls.several(connection, condition, first=AT_ONCE)

    async def _one(self, row: Recall, condition: ColumnElement[bool], act: Callable[[Seen, Recall], Made]) -> None:
        def make(seen: Seen) -> Made:
            found = recalls.several(seen.connection, recall.c.id == row.id, condition)
            if not found:
                raise _NothingToDo
            return act(seen, found[0])

        who = answers(self._office.rules, (row.issuer, row.client))
        touches = frozenset([touched((row.issuer, row.client)), touched(who)])
        await self._office.writer.act(Planned(OWN, touches, (), make, _never, bulk=True))

    def _telling(self, seen: Seen, row: Recall) -> Made:
        later = micros(self._later(row))
        moved = update(recall).where(recall.c.id == row.id).values(state="overdue", later=later)
        return self._made(seen, row, "recall-overdue", [moved], outcome=row.outcome or "")

    def _suspending(self, seen: Seen, row: Recall) -> Made:
        office = self._office
        purpose = office.rules.policies.purposes.get(row.purpose)
        exempt = purpose.suspension_exempt if purpose is not None else None
        if exempt is not None:
            moved = update(recall).where(recall.c.id == row.id).values(later=None)
            law = f"{exempt.law} {exempt.article or ''}".strip()
            return self._made(seen, row, "suspension-exempt", [moved], outcome="exempt", words=law)
        held = Held(answers(office.rules, (row.issuer, row.client)), row.purpose, row.dataset)
        on = in_force(seen.connection, held)
        if on is not None:
            return rests(office, seen, row, held, on, OWN)
        return suspended(office, seen, row, held, OWN)

    def _later(self, row: Recall) -> datetime.datetime:
        """When the grant is suspended: a working day after the term, or as long again as a shorter one."""
        office, due = self._office, moment(row.due)
        day = deadlines.end(office.calendar, deadline(office.calendar, due, 1).due)
        return min(day, due + (due - moment(row.at)))

    def _made(self, seen: Seen, row: Recall, what: str, changes: list[Changes], **more: Any) -> Made:
        office = self._office
        told = office.told(seen, OWN, what, **more, **shown.members(office.rules, row))
        secret = Past(office.store, [row.filed_in]).secret_until(row.filed_in)
        oversight = msgspec.structs.replace(office.oversight(seen, OWN), secret_until=secret)
        return Made(told, oversight, changes, row.id, None)


def _late(now: int) -> ColumnElement[bool]:
    return and_(UNTOLD, recall.c.due <= now)


def _following(now: int) -> ColumnElement[bool]:
    return and_(FOLLOWS, recall.c.later <= now)


def _never(seen: Seen, past: Act) -> Any:
    raise AssertionError("the gateway's own acts have no reference")
