"""Makes the projections from the ledger, behind it: a batch of one shard's entries at a time, in order.

It may be stopped at any moment, and started again: rows and position are one transaction, which swaps the position. One
is of some projections (`TOGETHER`); the others follow, and one that ended in between is gone on from by the next. A
batch is read from one snapshot, the facts that may have raced with it are read after that, and only then is anything
written; so the store's write lock is held for the rows alone. Whoever runs it says how often (`worker`).

An entry that does not open, is missing, is of a version that is not known here, or gives a row that the store does not
take, ends the projecting of its shard (`Stopped`), at that entry: nothing is ever passed over, and the other shards go
on. What was destroyed on purpose is no such entry: it has no rows, or fewer. Nor is one of a kind that is not known
here, as a later version writes beside this one: it is kept as a look at the subjects whose keys it has.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.errors import RowsRefused, VerificationFailed
from gateway.ledger.projections import displays, made, positions
from gateway.ledger.projections.made import Changes
from gateway.ledger.projections.seen import Seen, seen_from
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head
from gateway.storage.port import Reader, Store
from gateway.storage.projections import counted as counts
from gateway.storage.projections import projecting as kept
from gateway.storage.projections.counted import Counting, Digests
from gateway.storage.projections.projecting import Changed, Rows
from gateway.storage.projections.tables import DROPPING, NAMES
from gateway.storage.tables import micros

_ROUND = 60.0
"""Seconds from when no row was left that counts no more until it is looked for some again."""
BATCH = 2048
"""The most entries that a turn takes."""
TOGETHER = (("looked", "asked", "acted"), ("received", "displayed"), ("counted",))
"""Which projections are taken further by one transaction: each of these about as much work as the others. Many entries
of few projections share more pages than few entries of all."""
MANY, FEW = 1024, 256
"""Entries per transaction, where more wait than one turn takes, and where not. Many cost less each, as they share
pages; few hold the write lock of SQLite for less long, and an inquiry that meets them waits no longer."""
_BREATH = 0.001
"""Seconds between two transactions, in which whoever waits for the write lock gets it."""


class Stopped(NamedTuple):
    """Why a shard is not projected any more: an entry of it, by its index, cannot be read, or its rows not kept."""

    shard: str
    entry: int
    why: str


class Work(NamedTuple):
    """The next entries to take: of which shard, into which projections, from where to where.

    `erasures` are those of every shard, by id, in the snapshot that they are read from.
    """

    shard: int
    name: str
    names: tuple[str, ...]
    first: int
    last: int
    behind: int
    erasures: tuple[tuple[int, int], ...] = ()


def _standing(heads: Sequence[Head], at: Mapping[tuple[str, int], int]) -> Iterator[tuple[Head, dict[str, int], int]]:
    """The shards of which something is not projected: how far each projection is there, and the least of it."""
    for head in heads:
        mine = {name: at[name, head.id] for name in NAMES if at.get((name, head.id), DROPPING) != DROPPING}
        first = min(mine.values(), default=head.size)
        if head.size > first:
            yield head, mine, first


class Projector:
    """Projects one store. Blocks, so it is for a thread or a process of its own; one call at a time."""

    def __init__(self, store: Store, batch: int = BATCH) -> None:
        self._store, self._batch = store, batch
        self._requesters: dict[tuple[str, str], int] = {}
        self._reader: Reader | None = None
        self._digests: Digests | None = None
        self._known = displays.Known()
        self._floor = 0
        self._forgotten, self._looked_through = -1, -_ROUND
        self._served = set[int]()
        self._dropping: list[str] = []
        self.stopped: dict[int, Stopped] = {}
        """By the shard's id, those that cannot go on."""
        self.behind = 0
        """How many entries of all shards that can go on were not taken yet, after the last turn."""
        self.waiting = False
        """Whether a shard waits that had no turn since the others had one: it has the next."""

    def turn(self) -> bool:
        """Do one piece of work; False where there is none.

        Raises `StoreUnavailable`, or SQLAlchemy's errors, where the store is out of reach: then nothing was kept, and a
        later turn does the same again.
        """
        taken = self.read()
        for name in self._dropping:
            kept.drop_some(self._store.engine, name)
        if taken is not None:
            self._write_some(*taken)
        self._forget()
        return taken is not None or bool(self._dropping)

    def read(self) -> tuple[Work, list[Seen]] | None:
        """The next entries, from one snapshot; None where there are none."""
        with self._reading() as reader:
            work = self._next(reader)
            taken = [] if work is None else self._take(reader, work)
        if work is None or not taken:
            return None
        self.behind -= len(taken)
        return work._replace(last=work.first + len(taken)), taken

    def look(self) -> int:
        """How many entries wait now, as `behind` has it after a turn; raises as `turn` does."""
        with self._reading() as reader:
            standing = _standing(read.heads(reader), positions.standing(reader))
            self.behind = sum(head.size - first for head, _, first in standing if head.id not in self.stopped)
        return self.behind

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Reader]:
        """A reader of one snapshot, which is not held longer."""
        try:
            reader = self._reader = self._reader or self._store.reader()
            reader.renew()
            yield reader
            reader.renew()
        except BaseException:
            with contextlib.suppress(Exception):  # its session may be what failed
                self.close()
            raise

    def _write_some(self, work: Work, taken: Sequence[Seen]) -> None:
        """Keep what these entries give, in several transactions."""
        changes = self._changes(work, taken)
        for number, (part, some) in enumerate(_parts(work, taken, MANY if self.behind else FEW)):
            if number:
                time.sleep(_BREATH)
            if not self._write(part, some, changes):
                return

    def write(self, work: Work, taken: Sequence[Seen]) -> bool:
        """Keep what these entries give, up to the first of which the store does not take it: then the shard is stopped.

        False where another was first.
        """
        changes = self._changes(work, taken)
        return all(self._write(part, some, changes) for part, some in _parts(work, taken, len(taken)))

    def _write(self, work: Work, taken: Sequence[Seen], changes: Changes) -> bool:
        """As `write`, in one transaction; up to the entry at which the shard is stopped, where it is."""
        if (stopped := self.stopped.get(work.shard)) is not None:
            work = work._replace(last=min(work.last, stopped.entry))
            taken = taken[: max(0, work.last - work.first)]
        if not taken:
            return True
        try:
            return self._keep(work, taken, changes)
        except RowsRefused as error:
            if len(taken) == 1:
                self.stopped[work.shard] = Stopped(work.name, work.first, f"entry {work.first}: {error}")
                return True
        # One by one, to know which it is.
        each = enumerate(taken, work.first)
        return all(self._write(work._replace(first=at, last=at + 1), [seen], changes) for at, seen in each)

    def _keep(self, work: Work, taken: Sequence[Seen], changes: Changes) -> bool:
        rows, fresh = self._rows(work, taken, changes), displays.Fresh([], set())
        if shows := "displayed" in work.names:
            fresh = self._known.fresh(work.shard, work.first, taken)
            rows = rows._replace(displayed=fresh.rows)
        if not kept.advance(self._store.engine, work.names, work.shard, work.first, work.last, rows):
            return False
        if shows:
            self._known.kept(work.shard, work.last, fresh.digests)
        return True

    def _forget(self) -> None:
        """Remove some of the rows that count no more, a day after they did: who counts them may be reading."""
        if self._forgotten == -1 and time.monotonic() < self._looked_through + _ROUND:
            return
        with self._store.engine.connect() as connection:
            counting = counts.current(connection)
        before = counting.oldest(micros(datetime.datetime.now(datetime.UTC)), self._floor) - counts.DAY
        last = counts.forget(self._store.engine, before, self._forgotten)
        self._forgotten = -1 if last is None else last
        if last is None:
            self._looked_through = time.monotonic()

    def close(self) -> None:
        """Give the reader back; a later turn has another."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _next(self, reader: Reader) -> Work | None:
        """What to take next: of one shard, for the projections that are most behind."""
        heads, at = read.heads(reader), positions.standing(reader)
        if fresh := [head.id for head in heads if any((name, head.id) not in at for name in NAMES)]:
            kept.begin(self._store.engine, fresh)
            reader.renew()
            heads, at = read.heads(reader), positions.standing(reader)
        self._dropping = sorted({name for (name, _), next_ in at.items() if next_ == DROPPING})
        self._floor = max((head.floor for head in heads), default=0)
        at |= self._passed_over(reader, heads, at)
        found: list[Work] = []
        erasures = tuple([(head.id, head.erasures) for head in heads])
        self.behind = 0
        for head, mine, first in _standing(heads, at):
            if head.id in self.stopped:
                continue
            self.behind += head.size - first
            names = tuple(name for name, next_ in mine.items() if next_ == first)
            last = min(head.size, first + self._batch, *(next_ for next_ in mine.values() if next_ > first))
            found.append(Work(head.id, head.name, names, first, last, head.size - first, erasures))
        return self._in_turn(found)

    def _in_turn(self, found: Sequence[Work]) -> Work | None:
        """The one that is most behind, of those that had no turn since the others had one: no shard waits for ever."""
        if not (left := [each for each in found if each.shard not in self._served]):
            self._served.clear()
            left = list(found)
        self.waiting = len(left) > 1
        if not left:
            return None
        taken = max(left, key=lambda each: each.behind)
        self._served.add(taken.shard)
        return taken

    def _passed_over(
        self, reader: Reader, heads: Sequence[Head], at: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], int]:
        """Where `counted` begins in shards of which it has nothing yet: with what would be kept."""
        begun = {}
        for head in heads:
            if at.get(("counted", head.id)) == 0 and head.size:
                ((_, days, generation),) = reader.rows(counts.COUNTING)
                oldest = Counting(b"", days, generation).oldest(self._floor, self._floor)
                with contextlib.suppress(VerificationFailed):  # then from its first entry on, to the one that fails
                    if first := read.first_since(reader, head, oldest):
                        kept.pass_over(self._store.engine, head.id, first)
                        begun["counted", head.id] = first
        return begun

    def _take(self, reader: Reader, work: Work) -> list[Seen]:
        """The entries of a piece of work, up to the first that cannot be read: then the shard is stopped."""
        try:
            return list(seen_from(reader, work.shard, work.first, work.last))
        except VerificationFailed:
            pass
        taken: list[Seen] = []
        for index in range(work.first, work.last):  # one by one, to know which it is
            try:
                taken += seen_from(reader, work.shard, index, index + 1)
            except VerificationFailed as error:
                self.stopped[work.shard] = Stopped(work.name, index, str(error))
                break
        return taken

    def _rows(self, work: Work, taken: Sequence[Seen], changes: Changes) -> Rows:
        if self._digests is None:
            with self._store.engine.connect() as connection:
                self._digests = Digests(counts.current(connection).secret)
        rows = made.rows_of(taken, self._requester, work.name, self._digests, work.names)
        raced = made.raced_of(taken, changes) if changes and "received" in work.names else ()
        return rows._replace(raced=raced, erasures=work.erasures)

    def _changes(self, work: Work, taken: Sequence[Seen]) -> Changes:
        """What changed, after the facts of these entries, about the subjects of which they disclosed records."""
        if "received" not in work.names:
            return {}
        disclosed = [seen for seen in taken if seen.given and seen.facts is not None]
        found: dict[tuple[str, str], list[Changed]] = {}
        if disclosed:
            low = min([seen.facts for seen in disclosed if seen.facts is not None])
            subjects = ((each.scheme, each.value) for seen in disclosed for each in seen.given)
            for each in kept.changes_since(self._store.engine, low, subjects):
                found.setdefault((each.scheme, each.value), []).append(each)
        return found

    def _requester(self, by: tuple[str, str]) -> int:
        found = self._requesters.get(by)
        if found is None:
            found = self._requesters[by] = kept.requester_id(self._store.engine, *by)
        return found


def _parts(work: Work, taken: Sequence[Seen], most: int) -> Iterator[tuple[Work, Sequence[Seen]]]:
    """What one transaction keeps, one after another: some projections, and at most so many entries."""
    for together in TOGETHER:
        if names := tuple([name for name in work.names if name in together]):
            for at in range(0, len(taken), most):
                some, first = taken[at : at + most], work.first + at
                yield work._replace(names=names, first=first, last=first + len(some)), some
