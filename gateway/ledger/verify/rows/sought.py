"""The rows that entries give the projections, looked for by their keys, in the snapshot the entries are read from.

What is found of some entries is a value (`Found`), so entries may be read in another process than the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, and_, column, select, values
from sqlalchemy import bindparam as p

from gateway.errors import VerificationFailed
from gateway.ledger.projections import displays
from gateway.ledger.projections.made import rows_of
from gateway.ledger.projections.seen import Seen
from gateway.ledger.stored.read import Head
from gateway.storage.port import Reader
from gateway.storage.projections.counted import Digests, counted
from gateway.storage.projections.projecting import Rows
from gateway.storage.projections.tables import WITHOUT_KEY, acted, asked, displayed, looked, not_released, received
from gateway.storage.recall.recalls import expiry_head
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, requester

TABLES = {table.name: table for table in (looked, received, asked, acted, counted)}
"""Whose rows are each of one entry."""
MOST_TAKEN_BACK = 10_000
"""Rows that may be gone until an entry is met that says why: it comes soon after the one whose answer did not leave."""
_AT_ONCE = 64
_UNKNOWN = -1

_REQUESTER = Statement(
    select(requester.c.id).where(requester.c.issuer == p("issuer"), requester.c.client == p("client")),
    *("issuer", "client"),
)


def _by_key(table: Table) -> Statement:
    """The rows of so many keys, whole."""
    key = list(table.primary_key.columns)
    marks = [tuple(p(f"{each.name}{number}", type_=each.type) for each in key) for number in range(_AT_ONCE)]
    wanted = values(*(column(each.name, each.type) for each in key), name="wanted").data(marks).cte("wanted")
    found = select(table).join_from(wanted, table, and_(*(each == wanted.c[each.name] for each in key)))
    return Statement(found, *(mark.key for row in marks for mark in row))


_ROWS = {table.name: _by_key(table) for table in (*TABLES.values(), displayed)}
_KEY = {
    name: itemgetter(*(list(table.c).index(each) for each in table.primary_key.columns))
    for name, table in (*TABLES.items(), (displayed.name, displayed))
}
_ENTRY = {name: list(table.c).index(table.c.entry) for name, table in TABLES.items()}
"""Where a row has its key, and its entry."""
_OVER = Statement(select(expiry_head.c.day))
_NOT_RELEASED = Statement(
    select(not_released.c.by).where(not_released.c.entry == p("entry"), not_released.c.by == p("by")), "entry", "by"
)


class Expected(NamedTuple):
    """Which rows have to stand there, read once at the start.

    `next_`: of each projection that is usable, the index in each shard (by id) up to which its rows count; `oldest`:
    the time (microseconds) of the oldest rows that each keeps; `secret`: what digests of counts are made with.
    """

    next_: Mapping[str, Mapping[int, int]]
    oldest: Mapping[str, int]
    secret: bytes


class Found(msgspec.Struct, frozen=True):
    """What was found of some entries: how many rows of each projection, and what answers did not leave.

    `taken_back` are rows of `received` that are gone, (subject's key, entry); `unreleased` those that may be.
    """

    rows: dict[str, int] = {}
    taken_back: list[tuple[int, int]] = []
    unreleased: list[tuple[int, int]] = []


def missing(name: str, entry: int) -> VerificationFailed:
    return VerificationFailed(
        f"entry {entry & ((1 << SHARD_BITS) - 1)}: it is missing from the projection `{name}`, or something else stands"
        " there: rows were removed or altered; run `dutybound ledger rebuild`"
    )


class Sought:
    """Looks for the rows of one store; every call raises `VerificationFailed`."""

    def __init__(self, expected: Expected) -> None:
        self._expected, self._digests = expected, Digests(expected.secret)
        self._requesters: dict[tuple[str, str], int] = {}

    def take(self, reader: Reader, head: Head, batch: Sequence[Seen]) -> Found:
        """Look for the rows that entries of a shard give, in the snapshot that they are read from."""
        made = rows_of(batch, lambda by: self._requester(reader, by), head.name, self._digests)
        counts: dict[str, int] = {}
        taken_back: list[tuple[int, int]] = []
        for name, of in self._expected.next_.items():
            end = (head.id << SHARD_BITS) + of.get(head.id, 0)
            if name == displayed.name:
                self._shown(reader, [each for each in batch if each.id < end])
                continue
            place = _ENTRY[name]
            expected = self._kept(made, name)
            if batch and batch[-1].id >= end:
                expected = [row for row in expected if row[place] < end]
            there = set(self._rows(reader, name, expected))
            gone = [row for row in expected if row not in there]
            counts[name] = len(expected)
            if gone and name == "counted":
                # Of entries without keys the rows go with their subject's erasure, and nothing in them says so.
                keyless = {row for row, key in zip(made.counted, made.counted_under, strict=True) if key == WITHOUT_KEY}
                counts[name] -= sum(row in keyless for row in gone)
                gone = [row for row in gone if row not in keyless]
            for row in gone:
                if name != "received" or len(taken_back) >= MOST_TAKEN_BACK:
                    raise missing(name, row[place])
                taken_back.append((row[0], row[place]))
        acted_to = (head.id << SHARD_BITS) + self._expected.next_.get("acted", {}).get(head.id, 0)
        for entry, by in made.not_released:
            if by < acted_to and not reader.rows(_NOT_RELEASED, entry, by):
                raise missing("acted", by)
        return Found(counts, taken_back, list(made.unreleased))

    def _shown(self, reader: Reader, batch: Sequence[Seen]) -> None:
        """Look for what entries give `displayed`: of days that are over and noted the rows may be gone."""
        expected: dict[displays.Row, int] = {}
        for (subject, shares), entry in displays.shares_of(batch).items():
            for row in displays.rows_of(subject, shares):
                expected.setdefault(row, entry)
        there = set(self._rows(reader, displayed.name, list(expected)))
        if gone := [row for row in expected if row not in there]:
            ((over,),) = reader.rows(_OVER)
            for row in gone:
                if row[0] >= over:
                    raise missing(displayed.name, expected[row])

    def _kept(self, made: Rows, name: str) -> Sequence[Any]:
        """The rows that have to stand there: of `counted`, those that are not old enough to be gone."""
        if name != "counted":
            of: Sequence[Any] = getattr(made, name)
            return of
        return [row for row in made.counted if row.at >= self._expected.oldest[name]]

    def _rows(self, reader: Reader, name: str, expected: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        key_of = _KEY[name]
        for start in range(0, len(expected), _AT_ONCE):
            some = list(expected[start : start + _AT_ONCE])
            some += [some[0]] * (_AT_ONCE - len(some))
            yield from reader.rows(_ROWS[name], *chain.from_iterable(map(key_of, some)))

    def _requester(self, reader: Reader, by: tuple[str, str]) -> int:
        if by not in self._requesters:
            rows = reader.rows(_REQUESTER, *by)
            self._requesters[by] = rows[0][0] if rows else _UNKNOWN
        return self._requesters[by]
