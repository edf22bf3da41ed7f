"""A recall as an act: its entry, its row, its number among the recipient's and its row of work commit together."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select, text, update

from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, Changes, Made, Planned, Row, Seen
from gateway.ledger.entry import entries
from gateway.recall.selecting.touched import Answer, Told, left
from gateway.rules import deadlines
from gateway.rules.deadlines import Deadline, deadline
from gateway.rules.model import RequesterEntry
from gateway.storage.port import Guarded
from gateway.storage.recall.recalls import Action, Job, Recall, Recalled, recall, recall_count, recall_job, work
from gateway.storage.recall.work import to_deliver
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros

RECALLED = "recalled"
NOBODY = "nobody-answers"
"""The outcome of a recall whose recipient is gone, and whom nobody follows: oversight's to see."""

_OF_PLACE = (
    select(recall)
    .where(recall.c.place == bindparam("place_"), recall.c.dataset == bindparam("dataset_"))
    .order_by(recall.c.at, recall.c.sequence)
)
_LAST = select(recall_count.c.last).where(
    recall_count.c.issuer == bindparam("issuer_"), recall_count.c.client == bindparam("client_")
)
_SCHEME = select(recall_job.c.scheme).where(recall_job.c.id == bindparam("id_"))
_COUNTED = text("INSERT INTO recall_count (issuer, client, last) VALUES (:issuer, :client, 0) ON CONFLICT DO NOTHING")
_items: msgspec.json.Decoder[list[Recalled]] = msgspec.json.Decoder(list[Recalled])


class NothingToTell(Exception):
    """Another process did it, the subject was erased, or a recall in effect asks for as much."""


class Wanted(NamedTuple):
    """A recall that is to be made of a job: of which subject, answer and dataset, and of which records."""

    job: Job
    subject: tuple[str, str]
    place: int
    issuer: str
    client: str
    dataset: str
    items: Sequence[Recalled]
    answer: Answer


class Holder(NamedTuple):
    """Who answers a recall: the recipient, or who followed it; without an entry it is gone, and nobody did."""

    issuer: str
    client: str
    entry: RequesterEntry | None

    @property
    def who(self) -> tuple[str, str]:
        return self.issuer, self.client


def holder(requesters: Mapping[tuple[str, str], RequesterEntry], issuer: str, client: str) -> Holder:
    """Who answers for what a client received."""
    if (issuer, client) not in requesters:
        for (its, name), entry in requesters.items():
            if (issuer, client) in entry.succeeds:
                return Holder(its, name, entry)
    return Holder(issuer, client, requesters.get((issuer, client)))


def action_of(job: Job, holds: Holder, purpose: str, today: datetime.date) -> Action | None:
    """What its holder is asked to do. After a grant's end that is to delete, or nothing.

    An update cannot be fetched any more then, and what is wrong must not be used: it becomes a deletion.
    """
    grants = holds.entry.grants if holds.entry is not None else ()
    if job.action == "delete" or any(each.purpose == purpose and today <= each.valid_until for each in grants):
        return job.action
    return "delete" if job.action == "update" else None


def begin_counts(connection: Connection, holders: set[tuple[str, str]]) -> None:
    """Have a count of recalls for each of these clients."""
    for issuer, client in sorted(holders):
        connection.execute(_COUNTED, {"issuer": issuer, "client": client})


def told_of(rows: Sequence[Recall]) -> list[Told]:
    """Those of these recalls that are in effect: what was refused is not, and of what was erased it is not known."""
    return [
        Told(each.action, _items.decode(each.records))
        for each in rows
        if each.records is not None and each.outcome != "refused"
    ]


class Making:
    """Plans recalls. `make` is called in the writer's thread, with what stands when the recall does."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def planned(self, wanted: Wanted) -> Planned:
        """The act of one recall; it ends with `NothingToTell` where there is none to make."""
        actor = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)
        touches = frozenset([("recall", wanted.place, wanted.dataset)])
        return Planned(actor, touches, (), lambda seen: self._made(seen, wanted), never_again, bulk=True)

    def _made(self, seen: Seen, wanted: Wanted) -> Made:
        job, connection = wanted.job, seen.connection
        if connection.execute(_SCHEME, {"id_": job.id}).scalar_one() is None:
            raise NothingToTell
        requesters = self._office.rules.policies.requesters
        holds = holder(requesters, wanted.issuer, wanted.client)
        action = action_of(job, holds, wanted.answer.purpose, seen.today)
        of = {"place_": wanted.place, "dataset_": wanted.dataset}
        there = [Recall._make(row) for row in connection.execute(_OF_PLACE, of)]
        if action is None or any(each.job == job.id for each in there):
            raise NothingToTell
        disputed = {record for dataset, record in wanted.answer.disputed if dataset == wanted.dataset}
        mine = [each for each in there if (each.scheme, each.value) == wanted.subject]
        items = left(action, wanted.items, told_of(mine), disputed)
        if not items:
            raise NothingToTell
        id_, sequence = secrets.token_hex(16), _following(seen, holds)
        last, term = self._term(seen, holds)
        told = self._told(seen, wanted, holds, action, items, id_, sequence, last, term)
        row: dict[str, Any] = {
            "id": id_, "sequence": sequence, "job": job.id, "issuer": holds.issuer, "client": holds.client,
            "received_by": _received_by(wanted, holds), "place": wanted.place, "inquiry": wanted.answer.inquiry,
            "purpose": wanted.answer.purpose, "scheme": wanted.subject[0], "value": wanted.subject[1],
            "dataset": wanted.dataset, "records": msgspec.json.encode(items).decode(), "action": action,
            "at": micros(seen.now), "due": micros(term), "state": "open",
        }  # fmt: skip
        changes: list[Changes] = [_counting(holds, sequence), _found(job), Row(recall, row, ("filed_in",))]
        if holds.entry is not None and holds.entry.recalls.url:
            changes.append(Row(work, to_deliver(id_, *holds.who, micros(seen.now))))
        oversight = entries.Oversight(entries.VERSION, facts=seen.change, secret_until=wanted.answer.secret_until)
        return Made(told, oversight, changes, id_, id_)

    def _term(self, seen: Seen, holds: Holder) -> tuple[Deadline | None, datetime.datetime]:
        """Until when it is to be answered; the day too, where that is counted by the calendar."""
        if holds.entry is not None and holds.entry.recalls.term is not None:
            return None, seen.now + holds.entry.recalls.term
        last = deadline(self._office.calendar, seen.now, self._office.calendar.terms.recall)
        return last, deadlines.end(self._office.calendar, last.due)

    def _told(
        self, seen: Seen, wanted: Wanted, holds: Holder, action: Action, items: Sequence[Recalled],
        id_: str, sequence: int, last: Deadline | None, term: datetime.datetime,
    ) -> entries.Acted:  # fmt: skip
        department = holds.entry.department if holds.entry is not None else ""
        followed = holds.who != (wanted.issuer, wanted.client)
        fields = tuple(sorted({name for each in items for name in each.fields}))
        return entries.Acted(
            entries.VERSION, seen.id, seen.now, entries.OWN, RECALLED,
            due=None if last is None else last.due, provisional=last is not None and last.provisional,
            calendar="" if last is None else last.calendar, outcome="" if holds.entry is not None else NOBODY,
            scheme=wanted.subject[0], value=wanted.subject[1], matter=id_, dataset=wanted.dataset,
            recipient=entries.Who(wanted.issuer, wanted.client, "") if followed else None,
            purpose=wanted.answer.purpose, fields={wanted.dataset: fields}, rule_set=self._office.rules.digest,
            recall=id_, to=entries.Who(holds.issuer, holds.client, department), action=action, sequence=sequence,
            term=term, inquiry=wanted.answer.inquiry,
            records=tuple([f"{each.record}@{each.version}" for each in items]),
        )  # fmt: skip


def never_again(seen: Seen, past: Act) -> Any:
    """Nobody asks for a recall by a reference, so that none is ever repeated."""
    raise AssertionError("the gateway's own acts have no reference")


def _following(seen: Seen, holds: Holder) -> int:
    """The next number among the recalls of a client, those of this group among them."""
    of = ("recalls", *holds.who)
    if of not in seen.counted:
        row = seen.connection.execute(_LAST, {"issuer_": holds.issuer, "client_": holds.client})
        seen.counted[of] = int(row.scalar_one_or_none() or 0)
    seen.counted[of] += 1
    return seen.counted[of]


def _counting(holds: Holder, sequence: int) -> Guarded:
    mine = (recall_count.c.issuer == holds.issuer, recall_count.c.client == holds.client)
    return Guarded(update(recall_count).where(*mine, recall_count.c.last == sequence - 1).values(last=sequence))


def _found(job: Job) -> Guarded:
    """Counts one more of a job's; without a row where its subject was erased meanwhile."""
    mine = (recall_job.c.id == job.id, recall_job.c.scheme == job.scheme)
    return Guarded(update(recall_job).where(*mine).values(found=recall_job.c.found + 1))


def _received_by(wanted: Wanted, holds: Holder) -> str | None:
    of = (wanted.issuer, wanted.client)
    return None if holds.who == of else msgspec.json.encode(of).decode()
