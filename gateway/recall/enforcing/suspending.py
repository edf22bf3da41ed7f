"""Suspensions: a grant is inactive for one dataset while its recipient leaves a recall unanswered (Art. 47(2), 48).

A suspension is a matter, and a fact about the client (`gateway.storage.subjects.kinds.SUSPENSION`), which the next
inquiry on any replica reads with the facts of its subjects. It rests on every recall that has its id, and names one of
them. It ends with the last of these that is applied, in the transaction of that, or by two people of oversight.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, update

from gateway.acts.matters.deciding import recipient_of
from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, AtEntry, Changes, Made, Row, Seen
from gateway.ledger.entry import entries
from gateway.recall.own import Who, named
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import Recall, recall
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import WAITING, Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.subjects.kinds import SUSPENSION
from gateway.storage.tables import micros

KIND = "suspension"
"""The kind of its matter."""


class Held(NamedTuple):
    """What is suspended: a client's grant for a purpose, for one dataset."""

    who: Who
    purpose: str
    dataset: str


def touched(who: Who) -> tuple[str, str, str]:
    """What every act touches that is about what a client has to answer."""
    return recipient_of(*who)


def in_force(connection: Connection, held: Held) -> Matter | None:
    """The suspension of that, where there is one."""
    mine = (matter.c.issuer == held.who[0], matter.c.client == held.who[1], matter.c.kind == KIND)
    of = (matter.c.purpose == held.purpose, matter.c.dataset == held.dataset)
    found = rows.matters(connection, *mine, *of, matter.c.state.in_(WAITING), first=1)
    return found[0] if found else None


def suspended(office: Office, seen: Seen, row: Recall, held: Held, actor: Actor) -> Made:
    """The act by which a grant is suspended, since a recall is not answered: from the next inquiry on."""
    id_ = secrets.token_hex(16)
    begun = _fact(seen, held, row.id, seen.change + 1)
    entry = office.rules.policies.requesters.get(held.who)
    values: dict[str, Any] = {
        "id": id_, "kind": KIND, "state": "open", "department": entry.department if entry else None,
        "dataset": held.dataset, "record": row.id, "issuer": held.who[0], "client": held.who[1],
        "purpose": held.purpose, "filed": micros(seen.now), "provisional": 0, "told": 0, "fact": begun["id"],
    }  # fmt: skip
    changes: list[Changes] = [Row(fact, begun), Row(matter, values, ("filed_in",)), _rests(row, id_)]
    told = _told(office, seen, actor, "suspended", held, id_, row.id, (seen.change + 1,))
    return Made(told, office.oversight(seen, actor), changes, id_, None, facts=1)


def rests(office: Office, seen: Seen, row: Recall, held: Held, on: Matter, actor: Actor) -> Made:
    """The act by which a suspension rests on one more recall."""
    told = _told(office, seen, actor, "suspension-held", held, on.id, row.id)
    return Made(told, office.oversight(seen, actor), [_rests(row, on.id)], on.id, None)


def after_answers(office: Office, seen: Seen, actor: Actor, answered: Sequence[Recall]) -> list[Made]:
    """What becomes of the suspensions that rest on recalls that are applied now: each with an entry of its own."""
    ids, made, taken = {row.id for row in answered}, list[Made](), 0
    for id_ in dict.fromkeys(row.suspension for row in answered if row.suspension is not None):
        on = rows.one(seen.connection, id_)
        if on is None or not on.waits:
            continue
        of = (recall.c.suspension == id_, recall.c.state == "overdue", recall.c.id.not_in(ids))
        left = recalls.several(seen.connection, *of, first=1)
        if not left:
            made.append(ended(office, seen, actor, on, "acknowledged", seen.change + taken + 1))
        elif on.record in ids:
            made.append(_goes_on(office, seen, actor, on, left[0], seen.change + taken + 1))
        taken += made[-1].facts if made else 0
    return made


def ended(office: Office, seen: Seen, actor: Actor, on: Matter, outcome: str, number: int, **more: Any) -> Made:
    """The end of a suspension; `number` is that of its change of facts. Its recalls lead to no other."""
    held = held_by(on)
    changes: list[Changes] = [
        facts.ending(on.fact or "", SUSPENSION.name, seen.now, number, outcome=outcome),
        AtEntry(
            lambda entry: (
                update(matter)
                .where(matter.c.id == on.id)
                .values(state="decided", outcome=outcome, decided=micros(seen.now), decided_in=entry, **more)
            )
        ),
    ]
    told = _told(office, seen, actor, "suspension-ended", held, on.id, on.record or "", (number,), outcome=outcome)
    return Made(_with_id(told), office.oversight(seen, actor), changes, on.id, None, facts=1)


def held_by(on: Matter) -> Held:
    """What a suspension is of."""
    return Held((on.issuer or "", on.client or ""), on.purpose or "", on.dataset or "")


def no_more(held: Held) -> Changes:
    """What keeps the recalls that are overdue now from leading to another suspension of the same."""
    mine = (recall.c.issuer == held.who[0], recall.c.client == held.who[1], recall.c.later.is_not(None))
    of = (recall.c.purpose == held.purpose, recall.c.dataset == held.dataset)
    return update(recall).where(*mine, *of).values(later=None)


def _goes_on(office: Office, seen: Seen, actor: Actor, on: Matter, row: Recall, number: int) -> Made:
    """A suspension names another recall, since the one that it named is answered. A fact is never changed: one ends,
    and another goes on, so that no moment is without it."""
    held = held_by(on)
    begun = _fact(seen, held, row.id, number + 1)
    moved = update(matter).where(matter.c.id == on.id)
    changes: list[Changes] = [
        facts.ending(on.fact or "", SUSPENSION.name, seen.now, number, outcome="goes-on"),
        Row(fact, begun),
        AtEntry(lambda entry: moved.values(fact=begun["id"], record=row.id, moved_in=entry)),
    ]
    told = _told(office, seen, actor, "suspension-goes-on", held, on.id, row.id, (number, number + 1))
    return Made(_with_id(told), office.oversight(seen, actor), changes, on.id, None, facts=2)


def _fact(seen: Seen, held: Held, recall_id: str, number: int) -> dict[str, object]:
    of = {"purpose": held.purpose, "dataset": held.dataset, "record": recall_id}
    return facts.row(SUSPENSION.name, held.who, seen.now, number, **of)


def _rests(row: Recall, id_: str) -> Changes:
    return update(recall).where(recall.c.id == row.id).values(later=None, suspension=id_)


def _told(
    office: Office, seen: Seen, actor: Actor, what: str, held: Held, id_: str, recall_id: str,
    numbers: tuple[int, ...] = (), **more: Any,
) -> entries.Acted:  # fmt: skip
    """What an entry says of a suspension: it is about nobody, so all of it stays."""
    to = named(office.rules, *held.who)
    return office.told(
        seen, actor, what, to=to, recall=recall_id, matter=id_, purpose=held.purpose, dataset=held.dataset,
        changes=numbers, **more,
    )  # fmt: skip


def _with_id(told: entries.Acted) -> entries.Acted:
    """An entry that is made beside an act's own."""
    return msgspec.structs.replace(told, id=secrets.token_hex(16))
