"""Counts what the ledger's entries record, behind it and some at a time, and closes months once all of them was
counted.

Invariants: each entry is counted once, in the transaction that says how far its shard was counted; a month is closed
only where every shard was counted past its end, with the checkpoints that this rests on, and changes no more.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.stored.partly import read_partly
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.storage.port import Reader, Store
from gateway.storage.projections import transparency as kept
from gateway.storage.projections.transparency import Key, Month, Place
from gateway.storage.recall.recalls import recall
from gateway.storage.tables import micros
from gateway.transparency import brief, counted
from gateway.transparency.brief import Asked
from gateway.transparency.counted import Act, Counted, More

EVERY = 10.0
"""Seconds until the next look, where no more wait than one turn counts: a month is closed an hour after its end."""
AT_ONCE = 2000
"""Entries that one turn counts."""
SETTLED = datetime.timedelta(hours=1)
"""How long after its end a month is closed: no inquiry takes so long."""

_NOWHERE = Place(0, 0)
_Countable = tuple[int, int, Asked | Act | None]
"""An entry's index and time (microseconds), and what is counted of it."""


class Counting:
    """Of one store; one turn at a time. `department_of` names the department of a dataset."""

    def __init__(
        self,
        store: Store,
        zone: datetime.tzinfo,
        now: Callable[[], datetime.datetime],
        department_of: Callable[[str], str],
        at_once: int = AT_ONCE,
    ) -> None:
        self._store, self._zone, self._now, self._at_once = store, zone, now, at_once
        self._department_of = department_of
        self._months = counted.Months(zone)

    async def turn(self) -> bool:
        """Count some, or close a month; False where no more waits than comes in until the next look. Raises as the
        store does."""
        return await asyncio.to_thread(self.work)

    def work(self) -> bool:
        """As `turn`; blocks."""
        reader = self._store.reader()
        try:
            heads, places = read.heads(reader), kept.places(self._store.engine)
            if self._close(heads, places):
                return True
            left = self._at_once
            for head in heads:
                place = places.get(head.id, _NOWHERE)
                if place.next < head.size and left:
                    last = min(head.size, place.next + left)
                    if not self._count(head, place, last, _looked_through(reader, head.id, place.next, last)):
                        return True
                    left -= last - place.next
            return not left
        finally:
            reader.close()

    def _count(self, head: Head, place: Place, last: int, found: Iterable[_Countable]) -> bool:
        """Count these entries; False where another was first."""
        more = collections.Counter[tuple[int, More]]()
        at, expected = place.at, place.next
        for index, at, told in found:
            if index != expected:
                break
            expected += 1
            if told is not None:
                # When it was matters where a recall is answered, and for nothing that there are many of.
                more.update([(at if one.recall else 0, one) for one in counted.of(told, self._months)])
        if expected != last:
            raise VerificationFailed(f"an entry of shard `{head.name}` is missing after {place.next}")
        sent = self._sent(one.recall for _, one in more if one.counted.what == counted.DONE)
        counts: dict[Key, tuple[int, int]] = {}
        for (when, one), many in more.items():
            key, took = self._placed(one, sent), 0
            if one.counted.what == counted.DONE and one.recall in sent:
                took = many * (max(0, when - sent[one.recall][0]) // 1_000_000)
            had = counts.get(key, (0, 0))
            counts[key] = (had[0] + many, had[1] + took)
        return kept.add(self._store.engine, head.id, place.next, Place(last, at), counts)

    def _placed(self, one: More, sent: Mapping[str, tuple[int, str]]) -> Counted:
        of = one.counted
        if one.dataset:
            of = of._replace(department=self._department_of(one.dataset) or counted.NOT_KNOWN)
        if one.recall in sent:
            of = of._replace(purpose=sent[one.recall][1])
        return of._replace(month=kept.held(of.month)) if one.held else of

    def _sent(self, ids: Iterable[str]) -> dict[str, tuple[int, str]]:
        """When recalls were sent (microseconds), and the purposes of what they recall."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        with self._store.engine.connect() as connection:
            rows: Any = connection.execute(
                select(recall.c.id, recall.c.at, recall.c.purpose).where(recall.c.id.in_(wanted))
            )
            return {row.id: (row.at, row.purpose) for row in rows}

    def _close(self, heads: list[Head], places: Mapping[int, Place]) -> bool:
        engine = self._store.engine
        closed = kept.months(engine)
        wanted = counted.after(closed[0].month) if closed else kept.first(engine)
        now = self._now()
        if wanted is None or now < (settled := counted.ends(wanted, self._zone) + SETTLED):
            return False
        at = {head.name: places.get(head.id, _NOWHERE) for head in heads}
        if any(at[head.name].next < head.size and at[head.name].at < micros(settled) for head in heads):
            return False
        told = [
            {"shard": head.name, "counted": at[head.name].next, "checkpoint": head.checkpoint}
            for head in heads
            if head.size
        ]
        kept.close(engine, Month(wanted, micros(now), msgspec.json.encode(told).decode()))
        return True


def whole(entry: StoredEntry) -> Asked | Act | None:
    """What is counted of an entry; None of one that cannot be read any more, or of a kind that is not known."""
    if entry.told is None or entry.oversight is None:
        return None
    asked = brief.read(entry.told.general.body, entry.oversight.general.body, entry.oversight.bodies or ())
    if asked is not None:
        return asked
    try:
        told = entry.read_told()
        if isinstance(told, entries.Operation):
            return brief.of(told, entry.read_oversight())
        if isinstance(told, entries.Acted):
            return Act(told, entry.read_oversight().secret_until)
    except ValueError:
        return None
    return None


def _looked_through(reader: Reader, shard: int, first: int, last: int) -> Iterator[_Countable]:
    return read_partly(reader, shard, first, last, brief.read, whole)
