"""Open recalls, and suspensions, as oversight and the operator see them: which, whose, since when.

A row names a recall by its id, its recipient and its dataset, and neither a subject nor a record. Which inquiry it is
about can be found by its id, so whoever lists leaves a view in the ledger first (invariant 17).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, and_, exists, or_, select, tuple_

from gateway.errors import CommandRefused, printable
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.operator import CLIENT, Workplace
from gateway.rules.model import RequesterEntry
from gateway.storage.recall.recalls import OPEN, recall, work
from gateway.storage.recall.work import DELIVER, recipient_of, stopped
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import moment

STATES = ("open", "overdue", "refused", "undeliverable")
"""What a list can be narrowed to: each of recalls that were not answered as done."""

SUSPENSION = "suspension"
"""The kind of fact by which a grant is suspended; what it is about stands where a subject does (ADR 25)."""

_CURSOR = re.compile("([0-9a-f]{1,16})-([0-9a-f]{32})")


class Listed(NamedTuple):
    """One page: its lines, and the cursor behind it where there are more."""

    lines: list[str]
    after: str | None


class Asked(NamedTuple):
    """Which page of which recalls."""

    state: str | None
    client: str | None
    first: int
    after: str | None


def enter(place: Workplace, state: str | None, client: str | None) -> str:
    """Enter that somebody looks at the list; where the entry stands, in words. Raises `LedgerUnavailable`."""
    narrowed = [f"{name} `{given}`" for name, given in (("state", state), ("client", client)) if given is not None]
    reason = "open recalls" + (f", of {' and '.join(narrowed)}" if narrowed else "")

    async def view(ledger: Any) -> str:
        said = (operator.account(), reason, entries.Looked(), (), "recalls")
        told = entries.View(entries.VERSION, str(uuid.uuid4()), operator.now(ledger), CLIENT, *said)
        return operator.place_of(place, await operator.enter(ledger, told, operator.account(), ()))

    return place.run(view)


def recalls(engine: Engine, requesters: Mapping[tuple[str, str], RequesterEntry], asked: Asked) -> Listed:
    """A page of recalls, those that are due first first; raises `CommandRefused` for a cursor that is none."""
    with engine.connect() as connection:
        known = _Known(requesters, stopped(connection))
        columns = (
            recall.c.id, recall.c.sequence, recall.c.issuer, recall.c.client, recall.c.dataset, recall.c.action,
            recall.c.at, recall.c.due, recall.c.state, recall.c.outcome, recall.c.delivered,
            _WAITS.label("waits"),
        )  # fmt: skip
        query = select(*columns).where(OPEN).order_by(recall.c.due, recall.c.id).limit(asked.first + 1)
        if asked.state is not None:
            query = query.where(known.condition(asked.state))
        if asked.client is not None:
            query = query.where(recall.c.client == asked.client)
        if asked.after is not None:
            query = query.where(tuple_(recall.c.due, recall.c.id) > _place(asked.after))
        found = connection.execute(query).all()
    shown, more = found[: asked.first], None
    if len(found) > asked.first:
        more = f"{shown[-1].due:x}-{shown[-1].id}"
    return Listed([line for row in shown for line in _lines(row, known)], more)


_WAITS = exists().where(work.c.kind == DELIVER, work.c.what == recall.c.id)
_WHO = tuple_(recall.c.issuer, recall.c.client)


class _Known:
    """What is known of recipients: who is told by a webhook, to whom nothing is sent any more, and who answers."""

    def __init__(self, requesters: Mapping[tuple[str, str], RequesterEntry], lanes: Collection[str]) -> None:
        self.told = {who for who, entry in requesters.items() if entry.recalls.url}
        self.stopped = {recipient_of(lane) for lane in lanes}
        self.followed = {each for entry in requesters.values() for each in entry.succeeds} - {*requesters}
        self.answering = {*requesters, *self.followed}

    def condition(self, state: str) -> ColumnElement[bool]:
        """What a recall of a state, as `STATES` has them, fits."""
        if state == "refused":
            return recall.c.outcome == "refused"
        if state != "undeliverable":
            return recall.c.state == state
        tried_in_vain = and_(_WHO.in_(self.told), or_(~_WAITS, _WHO.in_(self.stopped)))
        return and_(recall.c.delivered.is_(None), or_(_WHO.not_in(self.answering), tried_in_vain))

    def delivery(self, row: Any) -> str:
        """How far the delivery of a recall is."""
        who = (row.issuer, row.client)
        if row.delivered is not None:
            return f"delivered {_time(row.delivered)}"
        if who not in self.answering:
            return "not delivered: its client is gone, and no other succeeds it (`succeeds` in requesters.yaml)"
        if who in self.followed:
            return "its client is gone, and another answers for it"
        if who not in self.told:
            return "its client asks for its recalls itself"
        if who in self.stopped:
            return "not delivered: its client wants no more messages"
        return "not delivered yet" if row.waits else "not delivered, and not tried again"


def suspensions(engine: Engine, client: str | None) -> list[str]:
    """The grants that are suspended, by client, dataset and purpose."""
    query = select(fact).where(fact.c.kind == SUSPENSION, fact.c.ended.is_(None))
    if client is not None:
        query = query.where(fact.c.value == client)
    with engine.connect() as connection:
        found = connection.execute(query).all()
    return [
        printable(
            f"{row.value}   {row.dataset} for {row.purpose}   suspended since {_time(row.at)}, until recall"
            f" {row.record or 'of it'} is acknowledged or oversight ends it"
        )
        for row in sorted(found, key=lambda each: (each.value, each.dataset, each.purpose))
    ]


def _lines(row: Any, known: _Known) -> Iterator[str]:
    yield printable(f"{row.id}   {row.client}   {row.action} in {row.dataset}, number {row.sequence} of this client's")
    due = f"overdue since {_time(row.due)}" if row.state == "overdue" else f"due {_time(row.due)}"
    refused = ["refused"] if row.outcome == "refused" else []
    yield f"  {', '.join((f'sent {_time(row.at)}', due, *refused, known.delivery(row)))}"


def _time(micros: int) -> str:
    return f"{moment(micros):%Y-%m-%d %H:%M} UTC"


def _place(cursor: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None or (due := int(found[1], 16)) >= 2**63:
        raise CommandRefused("`--after` is no cursor of this list; take the one at the end of the page before")
    return due, found[2]
