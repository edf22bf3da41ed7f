"""What acts changed, checked against their entries: the facts whose numbers they name, and the matters that they moved.

A fact begins and ends at the numbers that entries name, at their time, and is what they say; one that an act began ends
by an act. A matter is there, is no older than the last act about it, and is as that left it. So a restraint that was
lifted in the database is found, and a decision that was taken back. Facts that no entry names are let be: erased
entries name none, and an installation may have written some before there were acts.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam as p
from sqlalchemy import or_, select, text

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.verify.rows.acted import Standing
from gateway.ledger.verify.rows.batches import AT_ONCE, chunks
from gateway.ledger.verify.rows.moved import FILED, MOVES, allowed, begins, ends
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.subjects.acts import Matter, act, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import SHARD_BITS, micros

_OF_NOBODY = text("'suspension'")
"""The kind of matter that is about no subject, but about a client."""
_PAGE = 256
_MARKS = [f"mark{number}" for number in range(AT_ONCE)]
_TWICE = [*_MARKS, *(f"other{number}" for number in range(AT_ONCE))]
_FACTS = Statement(
    select(fact).where(
        or_(fact.c.change.in_([p(each) for each in _MARKS]), fact.c.ended.in_([p(each) for each in _TWICE[AT_ONCE:]]))
    ),
    *_TWICE,
)
_MATTERS = Statement(select(matter).where(matter.c.id.in_([p(each) for each in _MARKS])), *_MARKS)
_NUMBERS = Statement(select(act.c.entry, act.c.number).where(act.c.entry.in_([p(each) for each in _MARKS])), *_MARKS)
_NEXT = Statement(
    select(matter)
    .where(matter.c.id > p("after"), or_(matter.c.value.is_not(None), matter.c.kind == _OF_NOBODY))
    .order_by(matter.c.id)
    .limit(p("count"))
    .offset(p("skip")),
    *("after", "count", "skip"),
)

_Fact = Mapping[str, Any]
_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "matter-withdrawn": ("withdrawn",),
    "deadline-counted": ("counted-again",),
    "change-reported": ("upheld", "partly"),
    "change-confirmed": ("upheld", "partly"),
}
"""How an act ends an objection's fact, other than by its own outcome."""


class Effects:
    """Takes acts in as they stand in a snapshot. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._wanted: dict[int, str] = {}  # numbers by which facts ended, until an act is met that names them
        self._named: set[int] = set()

    def take(self, reader: Reader, standing: Sequence[Standing]) -> None:
        """Check what these acts changed."""
        self._take_facts(reader, standing)
        about = [each for each in standing if isinstance(each.told, entries.Acted) and each.told.what in MOVES]
        wanted = {each.told.matter for each in about if isinstance(each.told, entries.Acted) and each.told.matter}
        rows = {row[0]: Matter._make(row) for some in chunks(wanted) for row in reader.rows(_MATTERS, *some)}
        numbers = _numbers(reader, rows.values())
        for number, told in ((each.number, each.told) for each in about):
            assert isinstance(told, entries.Acted), "they were chosen so"
            if not told.matter:
                continue  # its subject was erased
            row = rows.get(told.matter)
            if row is None:
                raise VerificationFailed(f"matter `{told.matter}`: act `{told.id}` is about it, and its row is gone")
            if number > max(numbers.get(place, 0) for place in _places(row)):
                raise VerificationFailed(f"matter `{row.id}`: its row is from before act `{told.id}`: it was set back")

    def _take_facts(self, reader: Reader, standing: Sequence[Standing]) -> None:
        acts = [each.told for each in standing if isinstance(each.told, entries.Acted) and each.told.changes]
        begun, over = _facts(reader, {number for told in acts for number in told.changes})
        for told in acts:
            for number in told.changes:
                self._take_change(told, number, begun.get(number), over.get(number))

    def _take_change(self, told: entries.Acted, number: int, first: _Fact | None, last: _Fact | None) -> None:
        """Check one change that an act made: the fact that begins by it, or the one that ends."""
        if first is None and last is None:
            raise VerificationFailed(f"fact: act `{told.id}` made change {number}, and its row is gone")
        if first is not None:
            if first["at"] != micros(told.at) or not _says(told, first):
                raise VerificationFailed(f"fact `{first['id']}`: act `{told.id}` records it otherwise: it was altered")
            self._ends(first["ended"], first["id"])
        if last is not None:
            if last["ended_at"] != micros(told.at) or not _over(told, last):
                raise VerificationFailed(f"fact `{last['id']}`: act `{told.id}` did not end it: it was altered")
            self._ended(number)

    def _ends(self, number: int | None, id_: str) -> None:
        if number is not None and number not in self._named:
            self._wanted[number] = id_
        self._named.discard(number or 0)

    def _ended(self, number: int) -> None:
        if self._wanted.pop(number, None) is None:
            self._named.add(number)

    def check(self, reader: Reader) -> None:
        """Check that facts ended by acts, and that every matter that names its subject is as its last act left it."""
        for number, id_ in self._wanted.items():
            raise VerificationFailed(f"fact `{id_}`: no act ended it by change {number}: its row was altered")
        after = ""
        while page := [Matter._make(row) for row in reader.rows(_NEXT, after, _PAGE, 0)]:
            after = page[-1].id
            numbers = _numbers(reader, page)
            last = {row.id: max(_places(row), key=lambda place: numbers.get(place, 0)) for row in page}
            found = read.read_at(reader, sorted({*last.values(), *(row.filed_in for row in page)}))
            for row in page:
                _check_filed(row, _told(found, row.filed_in, row.id))
                told = _told(found, last[row.id], row.id)
                if (told.value is not None or row.value is None) and not (allowed(row, told) and _decided(row, told)):
                    raise VerificationFailed(
                        f"matter `{row.id}`: its row is not what its last act records: it was altered"
                    )


def _facts(reader: Reader, wanted: Iterable[int]) -> tuple[dict[int, _Fact], dict[int, _Fact]]:
    """The facts that begin at these numbers, and those that end, by them."""
    begun, over = dict[int, _Fact](), dict[int, _Fact]()
    for some in chunks(wanted):
        for row in reader.rows(_FACTS, *some, *some):
            one = dict(zip(fact.c.keys(), row, strict=True))
            begun[one["change"]] = one
            if one["ended"] is not None:
                over[one["ended"]] = one
    return begun, over


def _about(told: entries.Acted, row: _Fact) -> bool:
    """Whether a fact is about what an act is about: the same subject, or client, the same record, and itself."""
    same = [told.value is None or (row["scheme"], row["value"]) == (told.scheme, told.value)]
    same += [not told.dataset or told.dataset == row["dataset"], not told.record or told.record == row["record"]]
    if row["kind"] in ("consent", "opt-out"):
        same.append(told.matter == row["id"])
    if row["kind"] == "suspension":
        to = told.to or entries.Who("", "")
        same.append((row["scheme"], row["value"], row["purpose"]) == (to.issuer, to.client, told.purpose))
    return all(same)


def _says(told: entries.Acted, row: _Fact) -> bool:
    """Whether a fact is what the act that made it says."""
    same = [_about(told, row), begins(told, row["kind"]), row["reason"] is None]
    if row["ended"] is None:
        same.append((row["ended_at"], row["outcome"]) == (None, None))
    if row["kind"] == "suspension":
        same.append(row["record"] == told.recall)
    if row["kind"] == "consent":
        of = told.recipient or entries.Who("", "")
        same += [(row["issuer"], row["client"], row["purpose"]) == (of.issuer, of.client, told.purpose)]
        same += [_fields(row["fields"]) == {name: list(each) for name, each in told.fields.items()}]
        same += [row["until"] == _day(told.until)]
    elif row["kind"] == "objection":
        same.append(row["until"] == _day(told.due))
    else:
        same.append(row["until"] is None)
    return all(same)


def _over(told: entries.Acted, row: _Fact) -> bool:
    """Whether a fact is one that an act ended, and as it ended that."""
    outcome: tuple[str | None, ...] = (None,)
    if row["kind"] == "suspension":
        outcome = ("goes-on" if told.what == "suspension-goes-on" else told.outcome,)
    elif row["kind"] == "objection":
        outcome = _OUTCOMES.get(told.what, (told.outcome,))
    return _about(told, row) and ends(told, row["kind"]) and row["outcome"] in outcome


def _fields(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text or "null", type=dict[str, list[str] | None] | None)
    except msgspec.MsgspecError:
        return None


def _day(day: datetime.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _check_filed(row: Matter, told: entries.Acted) -> None:
    """The first act of a matter says whose it is, and what it is about."""
    if told.value is None:
        return  # erased while it was open: what an erasure that is carried out again does
    says = (told.matter, told.scheme, told.value, told.dataset, told.record, told.version, told.access)
    of = (row.id, row.scheme, row.value, *(each or "" for each in (row.dataset, row.record, row.version, row.access)))
    right = says == of and FILED.get(told.what, row.kind) == row.kind and row.filed == micros(told.at)
    if row.kind == "change":
        right = right and (row.event, row.new_version or "") == (told.outcome, told.new_version)
    elif row.kind == "consent-request":
        to = told.recipient or entries.Who("", "")
        right = right and (row.issuer, row.client, row.purpose) == (to.issuer, to.client, told.purpose)
        right = right and _fields(row.fields) == {name: list(each) for name, each in told.fields.items()}
        right = right and row.until == _day(told.until)
    if not right:
        raise VerificationFailed(f"matter `{row.id}`: its row is not what it was filed as: it was altered or made up")


def _decided(row: Matter, told: entries.Acted) -> bool:
    """Whether a matter has the day that its last act gave it, and what that decided."""
    if told.matter != row.id or told.value is None:
        return True
    if told.what in ("objection-filed", "restoration-filed"):
        return (row.due, row.second_due, row.outcome) == (_day(told.due), None, None)
    if told.what == "deadline-counted":
        return _day(told.due) == (row.second_due or row.due)
    if told.what in ("objection-decided", "restoration-decided"):
        return (row.outcome, row.second_due, row.decided) == (told.outcome, _day(told.due), micros(told.at))
    return True


def _told(found: Mapping[int, read.StoredEntry], place: int, id_: str) -> entries.Acted:
    entry = found.get(place)
    told = entry.read_told() if entry is not None and entry.told is not None else None
    if not isinstance(told, entries.Acted):
        where = f"entry {place & (1 << SHARD_BITS) - 1} of shard {place >> SHARD_BITS}"
        raise VerificationFailed(f"matter `{id_}`: {where} is of no act: its row was altered, or made up")
    return told


def _places(row: Matter) -> list[int]:
    """The entries that a matter's row names."""
    return [place for place in (row.filed_in, row.moved_in, row.decided_in) if place is not None]


def _numbers(reader: Reader, rows: Iterable[Matter]) -> dict[int, int]:
    """The numbers of the acts that these rows name, by their places."""
    places = {place for row in rows for place in _places(row)}
    return {place: number for some in chunks(places) for place, number in reader.rows(_NUMBERS, *some)}
