"""Makes the projections from the ledger, behind it: a batch of one shard's entries at a time, in order.

It may be stopped at any moment, and started again: rows and position are one transaction, which swaps the position. A
batch is read from one snapshot, the facts that may have raced with it are read after that, and only then is anything
written; so the store's write lock is held for the rows alone. Whoever runs it says how often (`worker`).

An entry that does not open, is missing, or is of a kind that this version does not know ends the projecting of its
shard (`Stopped`), at that entry: nothing is ever passed over. What was destroyed on purpose is no such entry: it has no
rows, or fewer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.projections import extract, positions
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage import projections as kept
from gateway.storage.port import Reader, Store
from gateway.storage.projections import DROPPING, NAMES, WITHOUT_KEY, Changed, Rows
from gateway.storage.tables import SHARD_BITS, micros

BATCH = 32
"""Entries a transaction: two or three milliseconds of the write lock, on SQLite."""


class Stopped(NamedTuple):
    """Why a shard is not projected any more: an entry of it, by its index, cannot be read."""

    shard: str
    entry: int
    why: str


class Seen(NamedTuple):
    """One entry, read; `told` is None where its period's key was destroyed."""

    id: int
    at: int
    entry: StoredEntry
    told: entries.Told | None
    facts: int | None
    given: Sequence[extract.Given]
    official: str | None


class Work(NamedTuple):
    """The next entries to take: of which shard, into which projections, from where to where."""

    shard: int
    name: str
    names: tuple[str, ...]
    first: int
    last: int
    behind: int


class Projector:
    """Projects one store. Blocks, so it is for a thread or a process of its own; one call at a time."""

    def __init__(self, store: Store, batch: int = BATCH) -> None:
        self._store, self._batch = store, batch
        self._requesters: dict[tuple[str, str], int] = {}
        self._reader: Reader | None = None
        self.stopped: dict[int, Stopped] = {}
        """By the shard's id, those that cannot go on."""

    def turn(self) -> bool:
        """Do one piece of work; False where there is none.

        Raises `StoreUnavailable`, or SQLAlchemy's errors, where the store is out of reach: then nothing was kept, and a
        later turn does the same again.
        """
        dropping = {each.projection for each in kept.positions(self._store.engine) if each.next == DROPPING}
        for name in sorted(dropping):
            kept.drop_some(self._store.engine, name)
        taken = self.read()
        if taken is not None:
            self.write(*taken)
        return taken is not None or bool(dropping)

    def read(self) -> tuple[Work, list[Seen]] | None:
        """The next entries, from one snapshot; None where there are none."""
        try:
            reader = self._reader = self._reader or self._store.reader()
            reader.renew()
            work = self._next(reader)
            taken = [] if work is None else self._take(reader, work)
            reader.renew()  # no snapshot is held while nothing is read
        except BaseException:
            with contextlib.suppress(Exception):  # its session may be what failed
                self.close()
            raise
        if work is None or not taken:
            return None
        return work._replace(last=work.first + len(taken)), taken

    def write(self, work: Work, taken: Sequence[Seen]) -> bool:
        """Keep what these entries give; False where another was first."""
        rows = self._rows(work, taken)
        return kept.advance(self._store.engine, work.names, work.shard, work.first, work.last, rows)

    def close(self) -> None:
        """Give the reader back; a later turn has another."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _next(self, reader: Reader) -> Work | None:
        """What to take next: of the shard that is most behind, for the projections that are."""
        heads, at = read.heads(reader), positions.standing(reader)
        if fresh := [head.id for head in heads if any((name, head.id) not in at for name in NAMES)]:
            kept.begin(self._store.engine, fresh)
            reader.renew()
            heads, at = read.heads(reader), positions.standing(reader)
        found: Work | None = None
        for head in heads:
            mine = {name: at[name, head.id] for name in NAMES if at.get((name, head.id), DROPPING) != DROPPING}
            first = min(mine.values(), default=head.size)
            if head.id not in self.stopped and head.size - first > (found.behind if found else 0):
                names = tuple(name for name, next_ in mine.items() if next_ == first)
                last = min(head.size, first + self._batch, *(next_ for next_ in mine.values() if next_ > first))
                found = Work(head.id, head.name, names, first, last, head.size - first)
        return found

    def _take(self, reader: Reader, work: Work) -> list[Seen]:
        """The entries of a piece of work, up to the first that cannot be read: then the shard is stopped."""
        try:
            return list(_seen(reader, work.shard, work.first, work.last))
        except VerificationFailed:
            pass
        taken: list[Seen] = []
        for index in range(work.first, work.last):  # one by one, to know which it is
            try:
                taken += _seen(reader, work.shard, index, index + 1)
            except VerificationFailed as error:
                self.stopped[work.shard] = Stopped(work.name, index, str(error))
                break
        return taken

    def _rows(self, work: Work, taken: Sequence[Seen]) -> Rows:
        made = rows_of(taken, self._requester, work.name)
        return made._replace(raced=self._raced(taken)) if "received" in work.names else made

    def _raced(self, taken: Sequence[Seen]) -> list[tuple[int, int, int, str]]:
        raced: set[tuple[int, int, int, str]] = set()
        changes = self._changes(taken)
        for seen in taken:
            for each in seen.given:
                late = changes.get((each.scheme, each.value))
                if late and seen.facts is not None:
                    subject = seen.entry.keys[each.place] if seen.entry.keys else WITHOUT_KEY
                    for share in each.shares:
                        found = extract.raced(share, seen.facts, late)
                        raced |= {(change, seen.id, subject, share.dataset) for change in found}
        return sorted(raced)

    def _changes(self, taken: Sequence[Seen]) -> dict[tuple[str, str], list[Changed]]:
        """What changed, after the facts of these entries, about the subjects of which they disclosed records."""
        low: int | None = None
        subjects: set[tuple[str, str]] = set()
        for seen in taken:
            if seen.given and seen.facts is not None:
                low = seen.facts if low is None else min(low, seen.facts)
                subjects.update((each.scheme, each.value) for each in seen.given)
        found: dict[tuple[str, str], list[Changed]] = {}
        if low is not None:
            for each in kept.changes_since(self._store.engine, low, subjects):
                found.setdefault((each.scheme, each.value), []).append(each)
        return found

    def _requester(self, told: entries.Told) -> int:
        by = (told.requester.issuer, told.requester.client)
        found = self._requesters.get(by)
        if found is None:
            found = self._requesters[by] = kept.requester_id(self._store.engine, *by)
        return found


def rows_of(taken: Iterable[Seen], requester: Callable[[entries.Told], int], shard: str) -> Rows:
    """What entries of a shard give, by themselves: all but `raced`, which depends on the facts at the time."""
    looked, received, asked, acted, unreleased = [], [], [], [], []
    for seen in taken:
        keys, told = seen.entry.keys, seen.told
        looked += [(subject, seen.at, seen.id) for subject in extract.looked_at(told, keys, seen.entry.erased)]
        if told is None:
            continue
        for each in seen.given if keys else ():
            shares = extract.encode(each.shares)
            received.append((keys[each.place], seen.at, seen.id, requester(told), seen.facts, shares))
        wanted = extract.purpose(told)
        if wanted is not None:
            asked.append((requester(told), wanted, seen.at, seen.id))
        if seen.official is not None:
            acted.append((requester(told), seen.official, seen.at, seen.id))
        index = extract.not_released(told, shard)
        if index is not None and keys:
            unreleased.append((keys[0], (seen.id >> SHARD_BITS << SHARD_BITS) + index))
    return Rows(looked, received, asked, acted=acted, unreleased=unreleased)


def _seen(reader: Reader, shard: int, first: int, last: int) -> Iterator[Seen]:
    """The entries from `first` up to `last`; raises `VerificationFailed` at one that cannot be read."""
    expected = first
    for entry in read.read_entries(reader, shard, first, last - first):
        if entry.index != expected:
            break
        expected += 1
        told = oversight = None
        if entry.told is not None and entry.oversight is not None:
            try:
                told, oversight = entry.read_told(), entries.read_oversight(entry.oversight.general.body)
            except ValueError as error:
                raise VerificationFailed(f"entry {entry.index}: {error}") from error
        place, facts = (shard << SHARD_BITS) + entry.index, None if oversight is None else oversight.facts
        who = extract.official(told, oversight)
        yield Seen(place, micros(entry.at), entry, told, facts, extract.given(told), who)
    if expected < last:
        raise VerificationFailed(f"entry {expected} is missing")
