"""The projections of a store, held to the entries that they were made of: no row is missing, and none made up.

Each row that an entry gives is looked for by its key, in the snapshot that the entry is read from, a batch at a time;
at the end the rows are counted. So nothing grows with the ledger. What was projected since the start is left for the
next time; a projection that is being built again counts for nothing, here as elsewhere. Rows of `counted` that are
older than they are kept may be gone, and are not counted.

Left out is `raced`: what it lacks depends on when the facts were read, and more than it needs does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, and_, case, func, literal_column, or_, select
from sqlalchemy import bindparam as p

from gateway.errors import VerificationFailed
from gateway.ledger.projections import positions
from gateway.ledger.projections.projector import Seen, rows_of
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head
from gateway.storage.port import Reader
from gateway.storage.projections.counted import COUNTING, Counting, Digests, counted
from gateway.storage.projections.projecting import Rows
from gateway.storage.projections.tables import (
    DROPPING,
    NAMES,
    WITHOUT_KEY,
    acted,
    asked,
    displayed,
    looked,
    not_released,
    received,
)
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, requester

_AT_ONCE = 32
_TABLES = {table.name: table for table in (looked, received, asked, acted, counted, displayed)}
_UNKNOWN = -1
_MOST_TAKEN_BACK = 10_000
"""Rows that may be gone until an entry is met that says why: it comes soon after the one whose answer did not leave."""

_REQUESTER = Statement(
    select(requester.c.id).where(requester.c.issuer == p("issuer"), requester.c.client == p("client")),
    *("issuer", "client"),
)


def _by_key(table: Table) -> Statement:
    """The rows of so many keys, whole."""
    keys = [[(column, f"{column.name}{number}") for column in table.primary_key.columns] for number in range(_AT_ONCE)]
    each = [and_(*(column == p(name) for column, name in key)) for key in keys]
    return Statement(select(table).where(or_(*each)), *(name for key in keys for _, name in key))


_ROWS = {name: _by_key(table) for name, table in _TABLES.items()}


def _counted(table: Table) -> Statement:
    """How many rows are of a shard's entries from `first` up to one place, and up to another."""
    of = [and_(table.c.entry >= p(f"first{place}"), table.c.entry < p(f"last{place}")) for place in (0, 1)]
    return Statement(
        select(*(func.count(case((each, literal_column("1")))) for each in of)).where(table.c.at >= p("oldest")),
        *("first0", "last0", "first1", "last1", "oldest"),
    )


_COUNTED = {name: _counted(table) for name, table in _TABLES.items()}
_ALL = {
    name: Statement(select(func.count()).select_from(table).where(table.c.at >= p("oldest")), "oldest")
    for name, table in _TABLES.items()
}
_NOT_RELEASED = Statement(
    select(not_released.c.by).where(not_released.c.entry == p("entry"), not_released.c.by == p("by")), "entry", "by"
)
_EVER = -(1 << 62)


def _missing(name: str, entry: int) -> VerificationFailed:
    return VerificationFailed(
        f"entry {entry & ((1 << SHARD_BITS) - 1)}: it is missing from the projection `{name}`, or something else stands"
        " there: rows were removed or altered; run `dutybound ledger rebuild`"
    )


class Projected:
    """Checks projections while their shards' entries go by. Every call raises `VerificationFailed`."""

    def __init__(self, reader: Reader) -> None:
        heads = read.heads(reader)
        sizes = {head.id: head.size for head in heads}
        self._shards = {head.id: head.name for head in heads}
        self._next = self._positions(reader, sizes)
        self._found = dict.fromkeys(self._next, 0)
        self._erasures = {head.id: head.erasures for head in heads}
        self._requesters: dict[tuple[str, str], int] = {}
        self._taken_back: set[tuple[int, int]] = set()
        self._excused = 0
        counting = Counting._make(reader.rows(COUNTING)[0])
        self._digests = Digests(counting.secret)
        floor = max((head.floor for head in heads), default=0)
        self._oldest = dict.fromkeys(NAMES, _EVER) | {"counted": counting.oldest(floor, floor)}

    def _positions(self, reader: Reader, sizes: Mapping[int, int]) -> dict[str, dict[int, int]]:
        """Of each projection that is usable, the index in each shard up to which its rows count."""
        found: dict[str, dict[int, int]] = {name: {} for name in NAMES}
        for (name, shard), next_ in positions.standing(reader).items():
            if next_ > sizes.get(shard, 0):
                where = self._shards.get(shard, shard)
                raise VerificationFailed(
                    f"the projection `{name}` says that it has {next_} entries of shard `{where}`, which has"
                    f" {sizes.get(shard, 0)}: its position was altered; run `dutybound ledger rebuild`"
                )
            found.get(name, {})[shard] = next_
        return {name: of for name, of in found.items() if DROPPING not in of.values()}

    def take(self, reader: Reader, head: Head, batch: Sequence[Seen]) -> None:
        """Look for the rows that entries of a shard give, in the snapshot that they are read from."""
        made = rows_of(batch, lambda by: self._requester(reader, by), head.name, self._digests)
        for name, of in self._next.items():
            end = (head.id << SHARD_BITS) + of.get(head.id, 0)
            table = _TABLES[name]
            place = list(table.c).index(table.c.entry)
            expected = [row for row in self._kept(made, name) if row[place] < end]
            there = set(self._rows(reader, table, expected))
            if name == "counted":
                # Of entries without keys the rows go with their subject's erasure, and nothing in them says so.
                keyless = {row for row, key in zip(made.counted, made.counted_under, strict=True) if key == WITHOUT_KEY}
                expected = [row for row in expected if row in there or row not in keyless]
            for row in expected:
                if row not in there and name == "received" and len(self._taken_back) < _MOST_TAKEN_BACK:
                    self._taken_back.add((row[0], row[place]))
                elif row not in there:
                    raise _missing(name, row[place])
            self._found[name] += len(expected)
        for subject, entry in made.unreleased:
            self.not_released(subject, entry)
        acted_to = (head.id << SHARD_BITS) + self._next.get("acted", {}).get(head.id, 0)
        for entry, by in made.not_released:
            if by < acted_to and not reader.rows(_NOT_RELEASED, entry, by):
                raise _missing("acted", by)

    def _kept(self, made: Rows, name: str) -> Sequence[Any]:
        """The rows that have to stand there: of `counted`, those that are not old enough to be gone."""
        if name != "counted":
            of: Sequence[Any] = getattr(made, name)
            return of
        return [row for row in made.counted if row.at >= self._oldest[name]]

    def not_released(self, subject: int, entry: int) -> None:
        """A later entry says that what an entry disclosed of a subject did not leave: its row is rightly gone."""
        if (subject, entry) in self._taken_back:
            self._taken_back.remove((subject, entry))
            if "received" in self._found:
                self._found["received"] -= 1
        else:
            self._excused += 1  # its row may go while we read

    def _rows(self, reader: Reader, table: Table, expected: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        columns = [list(table.c).index(column) for column in table.primary_key.columns]
        for start in range(0, len(expected), _AT_ONCE):
            some = list(expected[start : start + _AT_ONCE])
            some += [some[0]] * (_AT_ONCE - len(some))
            keys = [row[column] for row in some for column in columns]
            for row in reader.rows(_ROWS[table.name], *keys):
                yield tuple(bytes(each) if isinstance(each, memoryview) else each for each in row)

    def _requester(self, reader: Reader, by: tuple[str, str]) -> int:
        if by not in self._requesters:
            rows = reader.rows(_REQUESTER, *by)
            self._requesters[by] = rows[0][0] if rows else _UNKNOWN
        return self._requesters[by]

    def check(self, reader: Reader) -> None:
        """Nothing stands there that no entry gives, and nothing is gone that no entry took back."""
        for _, entry in self._taken_back:
            raise _missing("received", entry)
        heads = read.heads(reader)
        erased = any(self._erasures.get(head.id) != head.erasures for head in heads)
        now = self._positions(reader, {head.id: head.size for head in heads})
        for name, of in self._next.items():
            if name not in now or any(now[name].get(shard, 0) < next_ for shard, next_ in of.items()):
                continue  # it is being built again
            mine, known, said = 0, 0, self._found[name]
            for shard, next_ in now[name].items():
                base = shard << SHARD_BITS
                span = (base, base + of.get(shard, 0), base, base + next_)
                ((here, all_here),) = reader.rows(_COUNTED[name], *span, self._oldest[name])
                mine, known = mine + int(here), known + int(all_here)
            ((total,),) = reader.rows(_ALL[name], self._oldest[name])
            least = said - self._excused if name == "received" else said
            if total != known or mine > said or (mine < least and not erased):
                raise VerificationFailed(
                    f"the projection `{name}` holds {mine + total - known} rows, and its entries give {said}: rows were"
                    " made up or removed; run `dutybound ledger rebuild`"
                )
