"""`suspensions`, `endSuspension`, and its confirmation: two people of oversight end what a recipient does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, or_, tuple_

from gateway.acts import inputs
from gateway.acts.called import Acted, Called
from gateway.acts.matters.deciding import touching
from gateway.acts.matters.filing import moved
from gateway.acts.office import Office
from gateway.acts.oversight.findings import overseer
from gateway.acts.pages import cursor_of, place_of
from gateway.acts.subject.words import acts_at
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import same_human
from gateway.ledger.acting.planned import Actor, Made, Seen, invalid, not_found
from gateway.ledger.entry import entries
from gateway.recall import shown
from gateway.recall.enforcing.suspending import KIND, ended, held_by, no_more
from gateway.recall.own import SCOPE, answered_by, named, recipient
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import Act, Matter, matter
from gateway.storage.tables import micros


class Suspensions:
    """The acts of oversight on suspensions, and their page."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def page(self, requester: Requester, called: Called) -> Acted:
        """`suspensions`: the caller's own, or for oversight those of all; the newest first."""
        office, given = self._office, called.arguments
        conditions: list[ColumnElement[bool]] = [matter.c.kind == KIND]
        if SCOPE in requester.scopes:
            recipient(office, requester)
            mine = sorted(answered_by(office.rules, requester.who))
            conditions.append(or_(*(tuple_(matter.c.issuer, matter.c.client) == each for each in mine)))
        else:
            overseer(office, requester)
        if (after := given.get("after")) is not None:
            conditions.append(tuple_(matter.c.filed, matter.c.id) < place_of(str(after)))
        await office.viewed(requester, "suspensions", "whose grant is suspended")
        return Acted(await asyncio.to_thread(self._page, conditions, given["first"], SCOPE not in requester.scopes))

    async def end(self, requester: Requester, called: Called) -> Acted:
        """`endSuspension`: the first of two people of oversight asks that it end."""
        office, given = self._office, called.arguments
        actor, id_ = overseer(office, requester), str(given["id"])
        reason = inputs.text(given["reason"], "reason")

        def make(seen: Seen) -> Made:
            row = _one(seen, id_)
            if row.state != "open":
                waits = "waits for a second person already" if row.waits else "has ended"
                raise invalid("STATE", f"this suspension {waits}")
            values = {"state": "awaits-confirmation", "decided_by": seen.keyed.people(actor.people)}
            told = self._told(seen, actor, "suspension-end-asked", row, reason)
            value = shown.suspension(office, row._replace(state="awaits-confirmation"), reason)
            changes = [moved(row, "decided_in", **values)]
            return Made(told, office.oversight(seen, actor), changes, row.id, value)

        touches = await touching(office, id_)
        return await office.done(office.planned(called.field, actor, None, given, touches, make, self.again))

    def confirm(self, seen: Seen, actor: Actor, row: Matter) -> Made:
        """The second person of oversight confirms it, so that it ends."""
        office, by = self._office, seen.keyed.people(actor.people)
        if row.state != "awaits-confirmation":
            raise invalid("STATE", "nobody asked for the end of this suspension, or it has ended")
        if same_human(row.decided_by, by):
            raise invalid("SECOND_PERSON", "you asked for its end; another person of oversight has to confirm it")
        made = ended(office, seen, actor, row, "oversight", seen.change + 1)
        value = shown.suspension(office, row._replace(state="decided", decided=micros(seen.now)))
        told = msgspec.structs.replace(made.told, id=seen.id)
        return made._replace(told=told, changes=[*made.changes, no_more(held_by(row))], value=value)

    def decline(self, seen: Seen, actor: Actor, row: Matter, reason: str) -> Made:
        """A person of oversight declines its end, or withdraws their own request: it continues."""
        if row.state != "awaits-confirmation":
            raise invalid("STATE", "nobody asked for the end of this suspension, or it has ended")
        told = self._told(seen, actor, "suspension-end-declined", row, reason)
        value = shown.suspension(self._office, row._replace(state="open"))
        changes = [moved(row, state="open", decided_by=None, decided_in=None)]
        return Made(told, self._office.oversight(seen, actor), changes, row.id, value)

    def again(self, seen: Seen, past: Act) -> dict[str, Any]:
        """What a repeat is shown: the suspension as it is now."""
        row = _one(seen, past.matter or "")
        return shown.suspension(self._office, row, self._asked([row]).get(row.id))

    def _told(self, seen: Seen, actor: Actor, what: str, row: Matter, reason: str) -> entries.Acted:
        held, rules = held_by(row), self._office.rules
        return self._office.told(
            seen, actor, what, to=named(rules, *held.who), recall=row.record or "", matter=row.id,
            purpose=held.purpose, dataset=held.dataset, reason=reason,
        )  # fmt: skip

    def _asked(self, found: Sequence[Matter]) -> dict[str, str]:
        """Why the end of these is asked for, of those of which it is; blocks. Raises `LedgerUnavailable`."""
        waiting = {row.id: row.decided_in for row in found if row.state == "awaits-confirmation"}
        words = acts_at(self._office.store, waiting.values()) if waiting else {}
        return {id_: words[place].reason for id_, place in waiting.items()}

    def _page(self, conditions: Sequence[ColumnElement[bool]], first: int, inside: bool) -> dict[str, Any]:
        with self._office.reading() as connection:
            found = rows.matters(connection, *conditions, first=first + 1, last=True)
        because = self._asked(found[:first]) if inside else {}
        items = [shown.suspension(self._office, row, because.get(row.id)) for row in found[:first]]
        more = cursor_of(found[first - 1].filed, found[first - 1].id) if len(found) > first else None
        return {"items": items, "next": more}


def _one(seen: Seen, id_: str) -> Matter:
    row = rows.one(seen.connection, id_)
    if row is None or row.kind != KIND:
        raise not_found()
    return row
