"""Recalls that are not done with, and suspensions, as oversight and the operator see them: which, whose, since when.

A row names a recall by its id, its recipient and its dataset, and neither a subject nor a record. Which inquiry it is
about can be found by its id, so whoever lists leaves a view in the ledger first (invariant 17).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, select, tuple_

from gateway.errors import CommandRefused, printable
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.operator import CLIENT, Workplace
from gateway.storage.facts import fact
from gateway.storage.recalls import OPEN, recall, work
from gateway.storage.tables import moment

_NO_WORK = ~exists().where(work.c.kind == "deliver", work.c.what == recall.c.id)
STATES: Mapping[str, ColumnElement[bool]] = {
    "open": recall.c.state == "open",
    "overdue": recall.c.state == "overdue",
    "refused": recall.c.outcome == "refused",
    "undeliverable": and_(recall.c.delivered.is_(None), _NO_WORK),
}
"""What a list can be narrowed to: each of recalls that were not answered as done."""

SUSPENSION = "suspension"
"""The kind of fact by which a grant is suspended; what it is about stands where a subject does (ADR 25)."""

_CURSOR = re.compile("([0-9a-f]{1,16})-([0-9a-f]{32})")


class Listed(NamedTuple):
    """One page: its lines, and the cursor behind it where there are more."""

    lines: list[str]
    after: str | None


def enter(place: Workplace, state: str | None, client: str | None) -> str:
    """Enter that somebody looks at the list; where the entry stands, in words. Raises `LedgerUnavailable`."""
    narrowed = [f"{name} `{given}`" for name, given in (("state", state), ("client", client)) if given is not None]
    reason = "recalls that are not done with" + (f", of {' and '.join(narrowed)}" if narrowed else "")

    async def view(ledger: Any) -> str:
        said = (operator.account(), reason, entries.Looked(), (), "recalls")
        told = entries.View(entries.VERSION, str(uuid.uuid4()), operator.now(ledger), CLIENT, *said)
        return operator.place_of(place, await operator.enter(ledger, told, operator.account(), ()))

    return place.run(view)


def recalls(place: Workplace, state: str | None, client: str | None, first: int, after: str | None) -> Listed:
    """A page of recalls, those that are due first first; raises `CommandRefused` for a cursor that is none."""
    columns = (
        recall.c.id, recall.c.sequence, recall.c.client, recall.c.dataset, recall.c.action, recall.c.at, recall.c.due,
        recall.c.state, recall.c.outcome, recall.c.delivered, _NO_WORK.label("given_up"),
    )  # fmt: skip
    query = select(*columns).where(OPEN).order_by(recall.c.due, recall.c.id).limit(first + 1)
    if state is not None:
        query = query.where(STATES[state])
    if client is not None:
        query = query.where(recall.c.client == client)
    if after is not None:
        query = query.where(tuple_(recall.c.due, recall.c.id) > _place(after))
    with place.store.engine.connect() as connection:
        found = connection.execute(query).all()
    more = f"{found[first - 1].due:x}-{found[first - 1].id}" if len(found) > first else None
    return Listed([line for row in found[:first] for line in _lines(row)], more)


def suspensions(place: Workplace, client: str | None) -> list[str]:
    """The grants that are suspended, by client, dataset and purpose."""
    query = select(fact).where(fact.c.kind == SUSPENSION, fact.c.ended.is_(None))
    if client is not None:
        query = query.where(fact.c.value == client)
    with place.store.engine.connect() as connection:
        found = connection.execute(query.order_by(fact.c.value, fact.c.dataset, fact.c.purpose)).all()
    return [
        printable(
            f"{row.value}   {row.dataset} for {row.purpose}   suspended since {_time(row.at)}, until recall"
            f" {row.record or 'of it'} is acknowledged or oversight ends it"
        )
        for row in found
    ]


def _lines(row: Any) -> Iterator[str]:
    yield printable(f"{row.id}   {row.client}   {row.action} in {row.dataset}, number {row.sequence} of this client's")
    due = f"overdue since {_time(row.due)}" if row.state == "overdue" else f"due {_time(row.due)}"
    said = [f"sent {_time(row.at)}", due]
    if row.outcome == "refused":
        said.append("refused")
    if row.delivered is not None:
        said.append(f"delivered {_time(row.delivered)}")
    else:
        said.append("not delivered, and not tried again" if row.given_up else "not delivered yet")
    yield f"  {', '.join(said)}"


def _time(micros: int) -> str:
    return f"{moment(micros):%Y-%m-%d %H:%M} UTC"


def _place(cursor: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None or (due := int(found[1], 16)) >= 2**63:
        raise CommandRefused("`--after` is no cursor of this list; take the one at the end of the page before")
    return due, found[2]
