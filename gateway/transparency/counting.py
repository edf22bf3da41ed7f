"""Counts what the ledger's entries record, behind it and some at a time, and closes months once all of them was
counted.

Invariants: each entry is counted once, in the transaction that says how far its shard was counted; a month is closed
only where every shard was counted past its end, with the checkpoints that this rests on, and changes no more.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.storage.port import Store
from gateway.storage.projections import transparency as kept
from gateway.storage.projections.transparency import Key, Month, Place
from gateway.storage.recall.recalls import recall
from gateway.storage.tables import micros, moment
from gateway.transparency import brief, counted
from gateway.transparency.counted import Counted, More

EVERY = 10.0
"""Seconds until the next look, where no more wait than one turn counts: a month is closed an hour after its end."""
AT_ONCE = 2000
"""Entries that one turn counts."""
SETTLED = datetime.timedelta(hours=1)
"""How long after its end a month is closed: no inquiry takes so long."""

_NOWHERE = Place(0, 0)


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
                    found = read.read_entries(reader, head.id, place.next, last - place.next)
                    if not self._count(head, place, last, found):
                        return True
                    left -= last - place.next
            return not left
        finally:
            reader.close()

    def _count(self, head: Head, place: Place, last: int, found: Iterable[StoredEntry]) -> bool:
        """Count these entries; False where another was first."""
        more: list[tuple[datetime.datetime, More]] = []
        at, expected = moment(place.at), place.next
        for each in found:
            if each.index != expected:
                break
            at, expected = each.at, expected + 1
            more += [(at, one) for one in self._of(each)]
        if expected != last:
            raise VerificationFailed(f"an entry of shard `{head.name}` is missing after {place.next}")
        sent = self._sent(one.recall for _, one in more if one.counted.what == counted.DONE)
        counts: dict[Key, tuple[int, int]] = {}
        for when, one in more:
            key, took = self._placed(one, sent), 0
            if one.counted.what == counted.DONE and one.recall in sent:
                took = max(0, micros(when) - sent[one.recall][0]) // 1_000_000
            had = counts.get(key, (0, 0))
            counts[key] = (had[0] + 1, had[1] + took)
        return kept.add(self._store.engine, head.id, place.next, Place(last, micros(at)), counts)

    def _of(self, entry: StoredEntry) -> Iterable[More]:
        """What an entry counts; nothing where it cannot be read any more, or is of a kind that is not known."""
        of_told, of_oversight = entry.told, entry.oversight
        if of_told is None or of_oversight is None:
            return ()
        asked = brief.read(of_told.general.body, of_oversight.general.body, of_oversight.bodies or ())
        if asked is not None:
            return counted.of(asked, self._months)
        try:
            told = entry.read_told()
            if isinstance(told, entries.Operation):
                return counted.of(brief.of(told, entry.read_oversight()), self._months)
        except ValueError:
            return ()
        return counted.of(told, self._months) if isinstance(told, entries.Acted) else ()

    def _placed(self, one: More, sent: Mapping[str, tuple[int, str]]) -> Counted:
        if one.held:
            return one.counted._replace(month=kept.held(one.counted.month))
        if one.dataset:
            return one.counted._replace(department=self._department_of(one.dataset) or counted.NOT_KNOWN)
        if one.recall in sent:
            return one.counted._replace(purpose=sent[one.recall][1])
        return one.counted

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
