"""A period's inquiries decided again, from the flags that their entries keep, never from data.

Entries are read in slices, each checked against its leaf, the leaves against the shard's signed head. Equal decisions
are made once: what is left is to read and to decrypt. Whoever runs this has entered a `view` first (invariant 17),
which `looked` gives the subject of; and runs it off an event loop, slice by slice, with pauses where others wait.
"""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import held, read
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.simulation import compare
from gateway.simulation.compare import Comparison, Outcome
from gateway.simulation.recorded import Recorded, decisions
from gateway.simulation.result import Result, Tally
from gateway.storage.port import Reader
from gateway.storage.tables import micros

SLICE = 512
"""Entries between two moments at which progress is told, and the caller may pause or stop."""
_KEPT = 65_536

FORMAT = "simulation"
"""What the `view` entry of a simulation says that it was written as."""
PARTS = ("told", "oversight")


class Progress(NamedTuple):
    """Entries done, of how many; how many per second, and how many seconds are left at that rate."""

    done: int
    of: int
    rate: float
    left: float


def looked(candidate: str, since: datetime.datetime, until: datetime.datetime) -> entries.Looked:
    """What a simulation looks at, for its `view` entry."""
    return entries.Looked(since=since, until=until, candidate=candidate)


class Simulation:
    """Decides the inquiries entered from `since` on and before `until` again, and counts what `comparison` finds."""

    def __init__(self, comparison: Comparison, since: datetime.datetime, until: datetime.datetime) -> None:
        self._comparison, self._since, self._until = comparison, since, until
        self._tally = Tally()
        self._entries = self._inquiries = 0
        self._outcomes: dict[bytes, Outcome] = {}

    def run(self, reader: Reader) -> Iterator[Progress]:
        """Read and count, a slice each time that the next progress is asked for.

        Raises `VerificationFailed` where an entry does not open or was altered, and `StoreUnavailable`.
        """
        since, until = micros(self._since), micros(self._until)
        spans = [
            (head, read.first_since(reader, head, since), read.first_since(reader, head, until))
            for head in read.heads(reader)
        ]
        of, began = sum(last - first for _, first, last in spans), time.monotonic()
        yield Progress(0, of, 0.0, 0.0)
        for head, first, last in spans:
            if first == last:
                continue
            found = held.entries(reader, head, first, last=last, renew=True)
            while part := list(itertools.islice(found, SLICE)):
                for entry in part:
                    self._count(head, entry)
                rate = self._entries / max(time.monotonic() - began, 1e-9)
                yield Progress(self._entries, of, rate, (of - self._entries) / rate)

    def result(self) -> Result:
        """What was counted so far; of the whole period once `run` is through."""
        tally, comparison = self._tally, self._comparison
        return Result(
            comparison.candidate.digest,
            comparison.active.digest,
            self._since,
            self._until,
            self._entries,
            self._inquiries,
            tally.decisions,
            tally.changed,
            tally.moved,
            tally.reasons(),
            tally.rows(),
        )

    def _count(self, head: Head, entry: StoredEntry) -> None:
        self._entries += 1
        if entry.told is None or entry.oversight is None:
            self._tally.add("", "", compare.ERASED)
            return
        try:
            told, oversight = entry.read_told(), entry.read_oversight()
        except ValueError as error:
            raise VerificationFailed(f"entry {entry.index} of shard `{head.name}`: {error}") from error
        if isinstance(told, entries.Unknown):
            self._tally.add("", "", compare.UNKNOWN_KIND)
        elif isinstance(told, entries.Operation):
            self._inquiries += 1
            days = self._comparison.days(told.at)
            for each in decisions(told, oversight):
                if isinstance(each, str):
                    self._tally.add("", "", each)
                else:
                    outcome = self._outcome(each, days)
                    self._tally.add(told.requester.department, each.declared.purpose, outcome)

    def _outcome(self, recorded: Recorded, days: tuple[datetime.date, ...]) -> Outcome:
        key = recorded.key(days)
        outcome = self._outcomes.get(key)
        if outcome is None:
            if len(self._outcomes) >= _KEPT:
                self._outcomes.clear()
            outcome = self._outcomes[key] = self._comparison.of(recorded.made(self._comparison))
        return outcome
