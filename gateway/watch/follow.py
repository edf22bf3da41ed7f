"""Follows the ledger behind it: entries to looks, looks to findings, both kept with how far was read.

It runs in a process of its own (`dutybound watch follow`), so that no inquiry waits for it, and may be stopped and
started at any time: what it has found is stored with what it has read, in one transaction. Its memory is nowhere but in
the process: a start shows the detectors the past again, as far back as they look, without telling its findings anew.

Two on one store do no harm: whoever is second starts again from what the first has stored. Entries are taken in the
order of their times, over all shards. An erased entry, or one of a kind this version does not know, is passed over.
"""

from __future__ import annotations

import contextlib
import datetime
import heapq
import operator
import secrets
from collections.abc import Collection, Iterator

import msgspec

from gateway.errors import VerificationFailed
from gateway.ledger.entry.unknown import Unknown
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.rules.files.calendar import Calendar
from gateway.rules.files.thresholds import Thresholds
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS, micros
from gateway.storage.watch import findings as kept
from gateway.storage.watch.findings import Found
from gateway.watch.detectors import Watch, detectors
from gateway.watch.model import Finding
from gateway.watch.project import Names, Projection

BATCH = 2_000
"""Entries of one shard that are read, and kept as read, at a time."""

_Cursors = dict[int, int]


class Follower:
    """One watcher of a store. Blocks, so it is for a thread or a process of its own; `ignored` as for `Projection`."""

    def __init__(
        self, store: Store, thresholds: Thresholds, calendar: Calendar, ignored: Collection[str], batch: int = BATCH
    ) -> None:
        self._store, self._thresholds, self._calendar = store, thresholds, calendar
        self._ignored, self._batch = ignored, batch
        self._version = -1
        self._cursors: _Cursors = {}
        self._projection: Projection
        self._watch: Watch
        self.passed_over = 0
        """Entries that could not be read since the start: erased, or of a kind that this version does not know."""

    def turn(self) -> int:
        """Take up to a batch of each shard's new entries; gives how many, 0 where there are none or another was first.

        Raises `VerificationFailed` where an entry was damaged, `StoreUnavailable` or SQLAlchemy's errors where the
        store is out of reach; then nothing was kept, and a later turn takes the same entries again.
        """
        version, cursors = kept.read_cursors(self._store.engine)
        with contextlib.closing(self._store.reader()) as reader:
            heads = read.heads(reader)
            if version != self._version:
                self._remember(reader, heads, cursors)
                self._version, self._cursors = version, cursors
            taken, cursors = self._new(reader, heads)
            if not taken:
                return 0
            self._version = -1  # unless all goes well, what the detectors now remember is ahead of what is stored
            found: dict[str, Finding] = {}
            for entry in taken:
                self._see(entry, found)
        if kept.advance(self._store.engine, version, cursors, map(_found, found.values())):
            self._version, self._cursors = version + 1, self._cursors | cursors
        return len(taken)

    def _see(self, entry: StoredEntry, found: dict[str, Finding] | None) -> None:
        if entry.told is None or entry.oversight is None:
            self.passed_over += 1
            return
        try:
            place = (entry.shard << SHARD_BITS) + entry.index
            told, oversight = entry.read_told(), entry.read_oversight()
        except ValueError:
            self.passed_over += 1
            return
        self.passed_over += isinstance(told, Unknown)
        look = self._projection.look(place, told, oversight)
        if look is not None:
            for finding in self._watch.see(look):
                if found is not None:
                    before = found.get(finding.id)
                    entries = tuple(dict.fromkeys((*(before.entries if before else ()), *finding.entries)))
                    found[finding.id] = msgspec.structs.replace(finding, entries=entries)

    def _remember(self, reader: Reader, heads: list[Head], cursors: _Cursors) -> None:
        """Begin with new detectors under a new secret, and show them what they would remember."""
        sequence = self._thresholds.sequence
        names = Names(secrets.token_bytes(32), sequence.numbers if sequence else {})
        self._projection = Projection(names, self._ignored)
        self._watch = Watch(detectors(self._thresholds, self._calendar, names.blind))
        latest = max((head.floor for head in heads), default=0)
        since = latest - self._thresholds.longest // datetime.timedelta(microseconds=1)
        past = []
        for head in heads:
            first, last = read.first_since(reader, head, since), cursors.get(head.id, 0)
            past.append(read.read_entries(reader, head.id, first, max(0, last - first)))
        for entry in heapq.merge(*past, key=operator.attrgetter("at")):
            self._see(entry, None)
        self.passed_over = 0

    def _new(self, reader: Reader, heads: list[Head]) -> tuple[list[StoredEntry], _Cursors]:
        """What stands behind the cursors, by time, and the cursors after it. What might be overtaken is left out."""
        batches, until = [], None
        for head in heads:
            first = self._cursors.get(head.id, 0)
            batch = list(read.read_entries(reader, head.id, first, min(self._batch, head.size - first)))
            if len(batch) < min(self._batch, head.size - first):
                raise VerificationFailed(f"shard `{head.name}`: entry {first + len(batch)} is missing")
            if batch and first + len(batch) < head.size:
                until = min(until or batch[-1].at, batch[-1].at)
            batches.append(batch)
        merged = heapq.merge(*batches, key=operator.attrgetter("at"))
        taken = [entry for entry in merged if until is None or entry.at <= until]
        return taken, {entry.shard: entry.index + 1 for entry in taken}


def _found(finding: Finding) -> Found:
    actor = finding.actor
    return Found(
        pattern=finding.id,
        detector=finding.detector,
        article=finding.article,
        at=micros(finding.at),
        issuer=actor.issuer,
        client=actor.client,
        official=actor.official,
        purpose=finding.purpose,
        words=finding.words,
        entries=finding.entries,
    )


def turns(follower: Follower) -> Iterator[int]:
    """Turn until there is nothing new; how many entries each took."""
    while taken := follower.turn():
        yield taken
