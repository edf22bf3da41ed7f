"""The rows of acts, checked against the entries of acts: each entry has its row, and each row its entry.

Acts are numbered without a gap over all shards, in the order in which they stand; so within a shard their numbers rise
with its entries. What a person did by a command is an act of this kind since its entry's id has no hyphen: before that
its rows alone were changed with the entry. A kind that is not known here may be an act too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam as p
from sqlalchemy import func, select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.subjects.acts import act, act_head
from gateway.storage.tables import SHARD_BITS, micros

COMMANDED = (entries.Hold, entries.ErasureRequest, entries.Erasure, entries.Reviewed)
"""What people did by commands before there were acts, in a transaction of their own."""

_ROWS = Statement(
    select(act.c.entry, act.c.id, act.c.number, act.c.at, act.c.matter)
    .where(act.c.entry >= p("first"), act.c.entry < p("last"))
    .order_by(act.c.entry),
    *("first", "last"),
)
_ALL = Statement(select(func.count(), func.count(act.c.number.distinct()), func.max(act.c.number)).select_from(act))
_HEAD = Statement(select(act_head.c.number))


class Entry(NamedTuple):
    """An entry that is noted: its place, its contents, and whether its subject was erased.

    `facts` is the change of facts behind which it happened, where it says so.
    """

    place: int
    told: entries.Told
    facts: int | None
    erased: bool


class Standing(NamedTuple):
    """An act that stands: its number, and its entry's members."""

    number: int
    place: int
    told: entries.Told
    facts: int | None
    erased: bool


def is_act(told: entries.Told) -> bool:
    """Whether an entry is of an act that has a row."""
    return isinstance(told, entries.Acted) or (isinstance(told, COMMANDED) and "-" not in told.id)


class ActRows:
    """Takes entries in, a batch at a time, in the snapshot that it is from. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._found = 0
        self._last: dict[int, int] = {}

    def take(self, reader: Reader, first: int, last: int, batch: Sequence[Entry]) -> list[Standing]:
        """Check the acts among the entries from one place up to another, of one shard; gives those that stand."""
        several = reader.rows(_ROWS, first, last)
        rows = {row[0]: row[1:] for row in several}
        if len(rows) != len(several):
            raise VerificationFailed("two rows of `act` name one entry: one was made up")
        standing = []
        for place, told, facts, erased in batch:
            row = rows.pop(place, None)
            if row is None:
                if is_act(told):
                    raise VerificationFailed(f"{_named(place)}: it is of an act, and the row of that in `act` is gone")
                continue
            if not is_act(told) and not isinstance(told, entries.Unknown):
                raise VerificationFailed(f"act `{row[0]}`: {_named(place)} is not of it: its row was made up")
            self._check(place, told, *row)
            standing.append(Standing(row[1], place, told, facts, erased))
        if rows:
            place, (id_, *_) = rows.popitem()
            raise VerificationFailed(f"act `{id_}`: {_named(place)} is not of it, or not there: its row was made up")
        self._found += len(standing)
        return standing

    def _check(self, place: int, told: entries.Told, id_: str, number: int, at: int, moved: str | None) -> None:
        if (id_, at) != (told.id, micros(told.at)) or not _moves(told, moved):
            raise VerificationFailed(f"act `{told.id}`: its row is not what its entry records: it was altered")
        if number <= self._last.get(place >> SHARD_BITS, 0):
            raise VerificationFailed(f"act `{told.id}`: its number is not after those before it: it was altered")
        self._last[place >> SHARD_BITS] = number

    def check(self, reader: Reader) -> None:
        """Check that no act is missing among all of a snapshot, whose entries were all taken in."""
        ((count, distinct, highest),) = reader.rows(_ALL)
        ((number,),) = reader.rows(_HEAD)
        if count != self._found:
            raise VerificationFailed(f"acts: {count} have rows, and {self._found} have entries: rows were made up")
        if (distinct, highest or 0) != (count, count) or number != count:
            raise VerificationFailed(f"acts: {number} were counted, and {count} stand: one was removed, or made up")


def _moves(told: entries.Told, moved: str | None) -> bool:
    """Whether an act moved what its row says; an erased entry does not tell."""
    match told:
        case entries.Hold():
            return moved == told.hold
        case entries.ErasureRequest() | entries.Erasure():
            return moved == told.erasure
        case entries.Reviewed():
            return moved == told.finding
        case entries.Acted():
            return not told.matter or bool(told.recall) or moved == told.matter
    return True


def _named(place: int) -> str:
    return f"entry {place & (1 << SHARD_BITS) - 1}"
