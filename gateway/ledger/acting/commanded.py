"""What a person does by a command, as an act like any other: by the one writer, in the shard that commands append to.

A command lives for one act, so what became of it is found out here: where its answer was lost on the way, the row that
stands in its transaction says that it was done, and its receipt is made again.
"""

from __future__ import annotations

import asyncio
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.ledger.acting.planned import Actor, Changes, Made, Planned, Seen
from gateway.ledger.acting.receipts import receipt_at
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry import entries
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, now
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.saying import in_words
from gateway.storage.port import Store
from gateway.storage.subjects.acts import Act, act

_PERSON = Actor(CLIENT.issuer, CLIENT.client, CLIENT.department)
_ZONE = zoneinfo.ZoneInfo("UTC")
"""Of a bound on acts per day; commands have none."""


class Commanded(NamedTuple):
    """An act that stands: its value, and the receipt of its entry."""

    value: Any
    receipt: Receipt


def said(told: entries.Done, account: str, changes: Sequence[Changes], moved: str, value: Any) -> Made:
    """An act whose entry names, for oversight, the operating system's account of who did it."""
    return Made(told, entries.Oversight(entries.VERSION, official=account), changes, moved, value)


async def done(ledger: Ledger, make: Callable[[Seen], Made]) -> Commanded:
    """Have a person's act made. Its changes hold only where what it saw still does (`Planned.guarded`).

    Raises what `make` does, `ActRefused` where others acted at the same moment too often, `LedgerUnavailable`.
    """
    tried: dict[str, Made] = {}

    def noted(seen: Seen) -> Made:
        try:
            made = tried[seen.id] = make(seen)
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the store cannot be read ({in_words(error)})") from error
        return made

    writer = Writer(ledger, lambda: now(ledger), _ZONE)
    try:
        made = await writer.act(Planned(_PERSON, frozenset(), (), noted, _never, guarded=True))
    except Refusal as refusal:
        if refusal.code is Code.CONFLICT:
            raise ActRefused("somebody acted at the same moment, again and again; run the command again") from refusal
        if not isinstance(refusal.__cause__, LedgerUnavailable):
            raise
        found = await _found(ledger.store, tried)
        if found is None:
            raise refusal.__cause__ from refusal
        return found
    assert made.receipt is not None, "an act that is made now has its receipt"
    return Commanded(made.value, made.receipt)


async def _found(store: Store, tried: dict[str, Made]) -> Commanded | None:
    """The one of these acts that stands, though the ledger could not say so."""

    def look() -> tuple[str, int] | None:
        try:
            with store.engine.connect() as connection:
                row = connection.execute(select(act.c.id, act.c.entry).where(act.c.id.in_(tried))).first()
        except SQLAlchemyError:
            return None
        return None if row is None else (row.id, row.entry)

    row = await asyncio.to_thread(look)
    try:
        receipt = None if row is None else await receipt_at(store, row[1])
    except LedgerUnavailable:
        return None
    return None if row is None or receipt is None else Commanded(tried[row[0]].value, receipt)


def _never(_seen: Seen, _past: Act) -> Any:
    raise AssertionError("what a command does has no reference")
