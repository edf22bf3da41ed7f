"""Brings back the findings of break-glass that are not as their entries record them: removed, altered, or without
their entry.

A finding is opened in the transaction of its entry, so one that is missing was taken away: then nobody would review the
use, and nothing suspend the next. Which entries are to be looked at is known by purpose from the projection `asked`,
and behind it every entry is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator

from sqlalchemy import bindparam as p
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from gateway.ledger.stored import read
from gateway.ledger.stored.glass import used
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader, Store
from gateway.storage.projections.tables import asked, projected
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as kept
from gateway.storage.watch.findings import Glass
from gateway.watch.break_glass import BreakGlass

_ASKED = Statement(select(asked.c.entry).where(asked.c.purpose == p("purpose")).order_by(asked.c.entry), "purpose")
_PURPOSES = Statement(select(asked.c.purpose).distinct())
_PROJECTED = Statement(select(projected.c.projection, projected.c.shard, projected.c.next))


def brought_back(store: Store, glass: BreakGlass, others: Collection[str]) -> int:
    """Open again what is not as its entry records it; gives how many. `others` are the purposes that are no
    emergencies.

    Raises `VerificationFailed` where an entry was damaged.
    """
    count = 0
    with contextlib.closing(store.reader()) as reader:
        for entry in _candidates(reader, others):
            use = _use(entry)
            if use is not None:
                with contextlib.suppress(IntegrityError):  # its gateway is just putting it there
                    place = (entry.shard << SHARD_BITS) + entry.index
                    count += kept.open_again(store.engine, use, place, glass.words(use))
    return count


def _candidates(reader: Reader, others: Collection[str]) -> Iterator[StoredEntry]:
    at = {shard: max(0, next_) for name, shard, next_ in reader.rows(_PROJECTED) if name == "asked"}
    for head in read.heads(reader):
        first = at.get(head.id, 0)
        yield from read.read_entries(reader, head.id, first, head.size - first)
    for (purpose,) in reader.rows(_PURPOSES):
        if purpose not in others:
            for (id_,) in reader.rows(_ASKED, purpose):
                yield from read.read_entries(reader, id_ >> SHARD_BITS, id_ & ((1 << SHARD_BITS) - 1), 1)


def _use(entry: StoredEntry) -> Glass | None:
    """The use that an entry says it is; None where it is none, was erased, or is not understood."""
    try:
        told = None if entry.told is None else entry.read_told()
        oversight = None if entry.oversight is None else entry.read_oversight()
    except ValueError:
        return None
    return used(told, oversight) if told is not None and oversight is not None else None
