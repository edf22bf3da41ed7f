"""What the ledger records of deliveries: each is an act of the gateway's own, in the transaction that moves its work.

An entry names the recall and who has to answer it, and no subject. Whoever lost the work meanwhile tells nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from sqlalchemy import select, update

from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, Changes, Made, Planned, Row, Seen
from gateway.ledger.entry import entries
from gateway.storage.port import Guarded
from gateway.storage.recall.recalls import Recall, Work, recall, work
from gateway.storage.recall.work import delivery_stop, finishing, putting_off
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros

DELIVERED, STOPPED, GIVEN_UP = "delivered", "delivery-stopped", "delivery-given-up"
_OWN = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)


class _Lost(Exception):
    """Somebody else has the work, or nobody needs it any more."""


class Telling:
    """Makes these acts, in bulk: they yield to what people do. Each raises `Refusal`."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def delivered(self, taken: Work, row: Recall) -> bool:
        """A recipient took its message; false where the work was lost meanwhile, and nothing is recorded."""

        def changes(seen: Seen) -> Sequence[Changes]:
            taking = update(recall).where(recall.c.id == row.id, recall.c.delivered.is_(None))
            return [Guarded(finishing(taken)), Guarded(taking.values(delivered=micros(seen.now)))]

        return await self._told(DELIVERED, taken, row, changes)

    async def stopped(self, taken: Work, row: Recall) -> bool:
        """A recipient wants nothing more: nothing is sent to it until a person resumes it."""

        def changes(seen: Seen) -> Sequence[Changes]:
            there = select(delivery_stop.c.lane).where(delivery_stop.c.lane == taken.lane)
            if seen.connection.execute(there).one_or_none() is not None:
                raise _Lost
            stop = {"lane": taken.lane, "at": micros(seen.now)}
            back = Guarded(putting_off(taken, micros(seen.now)))
            return [back, Row(delivery_stop, stop, ("filed_in",))]

        return await self._told(STOPPED, taken, row, changes)

    async def given_up(self, taken: Work, row: Recall) -> bool:
        """Nobody took it in all that time; oversight sees so."""
        return await self._told(GIVEN_UP, taken, row, lambda seen: [Guarded(finishing(taken))])

    async def _told(self, what: str, taken: Work, row: Recall, changes: Any) -> bool:
        def make(seen: Seen) -> Made:
            held = select(work.c.id).where(work.c.id == taken.id, work.c.fence == taken.fence)
            if seen.connection.execute(held).one_or_none() is None:
                raise _Lost
            registered = self._office.registered(row.issuer, row.client)
            to = entries.Who(row.issuer, row.client, registered.department if registered else "")
            members = {"recall": row.id, "to": to, "action": row.action, "sequence": row.sequence}
            told = self._office.told(seen, _OWN, what, **members)
            return Made(told, self._office.oversight(seen, _OWN), changes(seen), row.id, None)

        touches: set[Hashable] = {("recall", row.id)} | ({("lane", taken.lane)} if what == STOPPED else set())
        try:
            await self._office.writer.act(Planned(_OWN, frozenset(touches), (), make, _never, bulk=True))
        except _Lost:
            return False
        return True


def _never(seen: Seen, past: Act) -> Any:
    raise AssertionError("the gateway's own acts have no reference")
