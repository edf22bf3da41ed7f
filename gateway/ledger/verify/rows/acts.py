"""The rows of what people did (holds, erasures, reviews) and of facts, checked against their entries.

A row changes in the transaction of its entry, so each is what the entries say together: a hold that was removed would
let an erasure through, one that was made up would keep it away. What is kept in memory meanwhile is as much as people
did by hand.

Facts are numbered without a gap, each change once, and entries say how far the numbers were: so none was removed, and
none that ended is in force again. What they say is checked against the entries of acts (`effects`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.subjects.erasure import Hold, Request, erasure, hold
from gateway.storage.subjects.facts import fact, fact_head
from gateway.storage.tables import SHARD_BITS, micros
from gateway.storage.watch.findings import finding_entry, verdict

_HOLDS, _REQUESTS, _VERDICTS = (Statement(select(table)) for table in (hold, erasure, verdict))
_BEHIND = Statement(
    select(finding_entry.c.finding, finding_entry.c.entry)
    .join(verdict, verdict.c.finding == finding_entry.c.finding)
    .order_by(finding_entry.c.finding, finding_entry.c.entry)
)
_LAST = Statement(select(fact_head.c.change))
_NUMBERED = Statement(
    select(
        func.count(fact.c.change),
        func.count(fact.c.ended),
        func.count(fact.c.ended.distinct()),
        func.min(fact.c.change),
        func.max(fact.c.change),
        func.min(fact.c.ended),
        func.max(fact.c.ended),
    )
)
_other = aliased(fact)
_TWICE = Statement(select(func.count()).select_from(fact).join(_other, _other.c.ended == fact.c.change))

_T = TypeVar("_T")


class _Verdict(NamedTuple):
    finding: str
    at: int
    by: str
    verdict: str
    reason: str
    behind: tuple[str, ...]


class Acts:
    """Takes entries in, in any order of shards; `check` then looks at the rows."""

    def __init__(self) -> None:
        self._placed: dict[str, entries.Hold] = {}
        self._lifted: dict[str, entries.Hold] = {}
        self._asked: dict[str, tuple[entries.ErasureRequest, str]] = {}
        self._withdrawn: dict[str, entries.ErasureRequest] = {}
        self._erased: dict[str, entries.Erasure] = {}
        self._reviewed: dict[str, entries.Reviewed] = {}
        self._facts = 0

    def behind(self, facts: int) -> None:
        """Take in the highest change of facts behind which any of some entries happened."""
        self._facts = max(self._facts, facts)

    def note(self, told: entries.Told, oversight: entries.Oversight) -> None:
        """Take an entry in."""
        self.behind(oversight.facts or 0)
        match told:
            case entries.Hold():
                (self._placed if told.event == "placed" else self._lifted)[told.hold] = told
            case entries.ErasureRequest(event="requested"):
                self._asked[told.erasure] = told, oversight.official or ""
            case entries.ErasureRequest():
                self._withdrawn[told.erasure] = told
            case entries.Erasure():
                before = self._erased.get(told.erasure)
                self._erased[told.erasure] = told if before is None or before.at <= told.at else before
            case entries.Reviewed():
                self._reviewed[told.finding] = told

    def check(self, reader: Reader) -> None:
        """Raises `VerificationFailed` that names a row that is not what the entries record, or is not there."""
        holds = {row[0]: Hold._make(row) for row in reader.rows(_HOLDS)}
        _check("hold", holds, {id_: self._hold(told, holds.get(id_)) for id_, told in self._placed.items()})
        requests = {row[0]: Request._make(row) for row in reader.rows(_REQUESTS)}
        ids = self._asked.keys() | self._erased.keys()
        _check("erasure", requests, {id_: self._request(id_, requests.get(id_)) for id_ in ids})
        _check("review of finding", _verdicts(reader), {id_: _said(told) for id_, told in self._reviewed.items()})
        self._check_facts(reader)

    def _hold(self, placed: entries.Hold, row: Hold | None) -> Hold:
        """The row that a hold should have."""
        lifted = self._lifted.get(placed.hold)
        at, by, reason = micros(placed.at), placed.by, placed.reason
        if lifted is not None:
            return Hold(placed.hold, None, None, at, by, reason, micros(lifted.at), lifted.by)
        if placed.value is None and row is not None:  # erased by `erase again`, which no hold forbids
            return Hold(placed.hold, row.scheme, row.value, at, by, reason, None, None)
        return Hold(placed.hold, placed.scheme, placed.value, at, by, reason, None, None)

    def _request(self, id_: str, row: Request | None) -> Request:
        """The row that a request should have; what only a lost entry said is taken from the row."""
        asked, account = self._asked.get(id_, (None, ""))
        done, taken_back = self._erased.get(id_), self._withdrawn.get(id_)
        if asked is not None:
            made = (micros(asked.at), asked.by, account, asked.reason)
        else:
            made = (row.at, row.by, row.account, row.reason) if row is not None else (0, "", "", "")
        if done is not None:
            if row is not None and row.reason.endswith(made[3]):  # one that was carried out again says so before it
                made = (*made[:3], row.reason)
            return Request(id_, None, None, *made, "done", micros(done.at), done.by)
        assert asked is not None, "it was asked for, or carried out"
        if taken_back is not None:
            return Request(id_, None, None, *made, "withdrawn", micros(taken_back.at), taken_back.by)
        if asked.value is None and row is not None:
            return Request(id_, row.scheme, row.value, *made, "requested", None, None)
        return Request(id_, asked.scheme, asked.value, *made, "requested", None, None)

    def _check_facts(self, reader: Reader) -> None:
        heads = reader.rows(_LAST)
        last = heads[0][0] if heads else 0
        ((made, ended, distinct, *span),) = reader.rows(_NUMBERED)
        ((twice,),) = reader.rows(_TWICE)
        inside = all(1 <= number <= last for number in span if number is not None)
        if made + ended != last or distinct != ended or twice or not inside:
            raise VerificationFailed(
                f"facts: {last} changes were numbered, and {made + ended} stand in the table `fact`: a fact was"
                " removed, made up, or had its end altered"
            )
        if self._facts > last:
            raise VerificationFailed(
                f"facts: an entry was decided from those of change {self._facts}, and the table `fact` ends at {last}:"
                " facts were removed, or the table is an older copy"
            )


def _check(what: str, rows: Mapping[str, _T], said: Mapping[str, _T]) -> None:
    for id_, expected in said.items():
        if id_ not in rows:
            raise VerificationFailed(f"{what} `{id_}`: entries record it, but its row was removed")
        if rows[id_] != expected:
            raise VerificationFailed(f"{what} `{id_}`: its row is not what its entries record: it was altered")
    for id_ in rows:
        if id_ not in said:
            raise VerificationFailed(f"{what} `{id_}`: it has a row, but no entry records it: it was made up")


def _verdicts(reader: Reader) -> dict[str, _Verdict]:
    behind: dict[str, list[str]] = {}
    for finding, entry in reader.rows(_BEHIND):
        behind.setdefault(finding, []).append(f"{entry >> SHARD_BITS}-{entry & (1 << SHARD_BITS) - 1}")
    return {row[0]: _Verdict._make((*row, tuple(behind.get(row[0], ())))) for row in reader.rows(_VERDICTS)}


def _said(told: entries.Reviewed) -> _Verdict:
    return _Verdict(told.finding, micros(told.at), told.by, told.verdict, told.reason, told.entries)
