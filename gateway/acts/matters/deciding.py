"""What stewards do with what was filed: they decide it, with reasons, and a second one confirms a restoration.

A steward moves the matters of its own department alone; another's are as good as not there. Nobody decides what they
filed, or what a subject filed for whom they have acted. A decision against the subject names what can be done about it
(`remedy` in the department's catalogue file). An upheld objection cleans nothing: its record stays disputed, under a
clock of its own, until a correction or withdrawal of it is confirmed (`upheld`). An upheld restoration hides a record,
so it counts only once another human has confirmed it; where one declines that, the application is open again, under
the clock that it had.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Any

from sqlalchemy import select

from gateway.acts import inputs, shown
from gateway.acts.called import Acted, Called
from gateway.acts.matters.filing import FILED, OBJECTION, RESTORATION, about_of, cleared, moved, numbers, shown_again
from gateway.acts.matters.upheld import corrected_since
from gateway.acts.office import Office
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import same_human
from gateway.ledger.acting.planned import Actor, Changes, Made, Row, Seen, invalid, new_fact, not_found, recalled
from gateway.rules.deadlines import deadline
from gateway.rules.model import PORTAL
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import Act, Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import micros

STEWARD = "steward"
"""The scope of those who answer for their department's data."""


class Deciding:
    """The acts of deciding."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def objection(self, requester: Requester, called: Called) -> Acted:
        """`decideObjection`."""
        return await self._decide(requester, called, OBJECTION)

    async def restoration(self, requester: Requester, called: Called) -> Acted:
        """`decideRestoration`."""
        return await self._decide(requester, called, RESTORATION)

    async def _decide(self, requester: Requester, called: Called, kind: str) -> Acted:
        office, given = self._office, called.arguments
        actor = steward(office, requester)
        outcome, reason = str(given["outcome"]).lower(), inputs.text(given["reason"], "reason")
        id_ = str(given["id"])

        def make(seen: Seen) -> Made:
            row = own(seen, actor, id_)
            if row.kind != kind:
                raise inputs.wrong(f"this is no {kind}: decide it by the mutation of its own kind")
            if row.state != "open":
                raise invalid("STATE", "it was decided, or withdrawn, already")
            _fit(office, seen, actor, row)
            return self._decided(seen, actor, row, outcome, reason)

        touched = await touching(office, id_)
        done = await office.done(office.planned(called.field, actor, None, given, touched, make, self._again))
        if done.value["state"] == "DECIDED":
            office.tell_portals(id_)
        return done

    def _decided(self, seen: Seen, actor: Actor, row: Matter, outcome: str, reason: str) -> Made:
        office = self._office
        values: dict[str, Any] = {
            "state": "decided", "decided": micros(seen.now), "decided_by": seen.keyed.people(actor.people),
            "outcome": outcome, "told": row.told,
        }  # fmt: skip
        general: dict[str, Any] = {}
        changes: list[Changes] = []
        upheld = outcome != "refused"
        if row.kind == RESTORATION and upheld:
            values["state"] = "awaits-confirmation"
        elif row.fact is not None and upheld and not corrected_since(seen, row):
            last = deadline(office.calendar, seen.now, office.calendar.terms.correction)
            values |= {"second_due": last.due.isoformat(), "told": 0}
            values |= {"provisional": int(last.provisional), "calendar": last.calendar}
            general = {"due": last.due, "provisional": last.provisional, "calendar": last.calendar}
        elif row.fact is not None:
            changes += [
                facts.ending(row.fact, OBJECTION, seen.now, seen.change + 1, outcome=outcome),
                cleared(seen, row),
            ]
        remedy = "" if outcome == "upheld" else office.remedy(row.department)
        told = office.told(
            seen, actor, f"{row.kind}-decided", scheme=row.scheme, value=row.value, matter=row.id, outcome=outcome,
            reason=reason, remedy=remedy, **general, **about_of(row).members, **numbers(seen, bool(changes)),
        )  # fmt: skip
        ended = int(bool(changes))
        changes.append(moved(row, "decided_in", **values))
        filed = shown.filed(office, row)
        value = shown.matter(office, row._replace(**values), filed, told, seen.today, inside=True)
        return Made(told, office.oversight(seen, actor), changes, row.id, value, facts=ended)

    def confirm(self, seen: Seen, actor: Actor, row: Matter) -> Made:
        """Confirm a restoration that another steward upheld; the record is withheld from now on."""
        office = self._office
        self._waiting(seen, actor, row)
        if same_human(row.decided_by, seen.keyed.people(actor.people)):
            raise invalid("SECOND_PERSON", "you decided it; another steward has to confirm it")
        subject = (row.scheme or "", row.value or "")
        changes: list[Changes] = []
        id_ = _restored(seen, row)
        if id_ is None:
            of = {"dataset": row.dataset or "", "record": row.record or ""}
            begun = new_fact(seen, "restoration", subject, of)
            changes += [Row(fact, begun), recalled(seen, "restored", subject, **of)]
            id_ = str(begun["id"])
        told = office.told(
            seen, actor, "restoration-confirmed", scheme=row.scheme, value=row.value, matter=row.id,
            outcome=row.outcome or "", **about_of(row).members, **numbers(seen, bool(changes)),
        )  # fmt: skip
        began = int(bool(changes))
        values: dict[str, Any] = {"state": "decided", "fact": id_}
        changes.append(moved(row, **values))
        [value] = shown.matters(office, [row._replace(**values)], seen.today, inside=True)
        return Made(told, office.oversight(seen, actor), changes, row.id, {"__typename": "Matter", **value}, began)

    def decline(self, seen: Seen, actor: Actor, row: Matter, reason: str) -> Made:
        """Turn down that a steward upheld a restoration, whoever did: it must be decided again."""
        self._waiting(seen, actor, row)
        told = self._office.told(
            seen, actor, "restoration-confirmation-declined", scheme=row.scheme, value=row.value, matter=row.id,
            outcome=row.outcome or "", reason=reason, **about_of(row).members,
        )  # fmt: skip
        values: dict[str, Any] = {"state": "open", **dict.fromkeys(("decided", "decided_by", "outcome"))}
        filed = shown.filed(self._office, row)
        now = row._replace(**values)
        value = shown.matter(self._office, now, filed, told, seen.today, inside=True)
        oversight = self._office.oversight(seen, actor)
        return Made(told, oversight, [moved(row, "decided_in", **values)], row.id, {"__typename": "Matter", **value})

    def _waiting(self, seen: Seen, actor: Actor, row: Matter) -> None:
        """Raises `Refusal` where nothing waits for a second person, or not for this one."""
        _fit(self._office, seen, actor, row)
        if row.state != "awaits-confirmation":
            raise invalid("STATE", "nothing of it waits for a second person")

    def confirmed(self, seen: Seen, past: Act) -> Any:
        """What a repeat of a confirmation is shown."""
        return {"__typename": "Matter", **self._again(seen, past)}

    def _again(self, seen: Seen, past: Act) -> Any:
        [value] = shown_again(self._office, seen, past, inside=True)
        return value


def steward(office: Office, requester: Requester) -> Actor:
    """The requester as a steward: an official, of a department's client. Raises `Refusal`."""
    if STEWARD not in requester.scopes or requester.is_subject or requester.official is None:
        raise Refusal(Code.FORBIDDEN, "this is for a department's stewards: an official's token, with `steward`")
    return office.actor(requester)


def own(seen: Seen, actor: Actor, id_: str) -> Matter:
    """A matter of one's own department that a subject filed; raises `Refusal`, the same for another's as for none."""
    row = rows.one(seen.connection, id_)
    if row is None or row.kind not in FILED or row.value is None or row.department != actor.department:
        raise not_found()
    return row


async def touching(office: Office, id_: str) -> frozenset[Hashable]:
    """What an act on a matter touches: all that is about its subject, or of nobody, what its client has to answer."""

    def look() -> frozenset[Hashable]:
        with office.reading() as connection:
            row = rows.one(connection, id_)
        if row is None:
            return frozenset([("matter", id_)])
        about = (row.scheme, row.value) if row.value is not None else recipient_of(row.issuer, row.client)
        return frozenset([("matter", id_), about])

    return await asyncio.to_thread(look)


def recipient_of(issuer: str | None, client: str | None) -> tuple[str, str, str]:
    """What every act touches that is about what a client has to answer."""
    return ("recipient", issuer or "", client or "")


def _fit(office: Office, seen: Seen, actor: Actor, row: Matter) -> None:
    """Whether it is theirs to decide: not what they filed, nor what is of a subject for whom they have acted."""
    if same_human(row.filed_by, seen.keyed.people(actor.people)):
        raise invalid("SECOND_PERSON", "you filed it; another steward has to answer it")
    no_representative(office, seen, actor, (row.scheme, row.value))


def no_representative(office: Office, seen: Seen, actor: Actor, subject: tuple[str | None, str | None]) -> None:
    """Raises `Refusal` where the human has acted for the subject (scheme, value) at a portal."""
    me = seen.keyed.people(actor.people)
    of_subject = (matter.c.scheme == subject[0], matter.c.value == subject[1], matter.c.kind.in_(FILED))
    for other in rows.matters(seen.connection, *of_subject):
        client = office.registered(other.issuer, other.client)
        if client is not None and PORTAL in client.roles and same_human(other.filed_by, me):
            raise invalid("SECOND_PERSON", "you have acted for this subject; another steward has to answer it")


def _restored(seen: Seen, row: Matter) -> str | None:
    """The fact by which the record is restored already."""
    of = (fact.c.kind == "restoration", fact.c.scheme == row.scheme, fact.c.value == row.value, fact.c.ended.is_(None))
    query = select(fact.c.id).where(*of, fact.c.dataset == row.dataset, fact.c.record == row.record)
    return seen.connection.execute(query).scalars().first()
