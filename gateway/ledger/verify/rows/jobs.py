"""What is to be recalled, checked against its acts: each act has its job, and each job its act.

An act that takes something out of use inserts a job in its own transaction; whoever removes that, or alters what it is
about, keeps recipients from being told. A job is about what its act is about, from the facts before that. How far its
selection is no entry says. Of an erased subject only the act of a job is left.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam as p
from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.verify.rows.acted import Standing
from gateway.storage.port import Reader
from gateway.storage.recall.recalls import Job, recall_job
from gateway.storage.statement import Statement
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import SHARD_BITS, micros

_PAGE = 256
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_NEXT = Statement(
    select(recall_job)
    .where(recall_job.c.id > p("after"))
    .order_by(recall_job.c.id)
    .limit(p("count"))
    .offset(p("skip")),
    *("after", "count", "skip"),
)
_WIDENED = Statement(
    select(recall_job.c.id)
    .join(fact, fact.c.id == recall_job.c.consent)
    .where(recall_job.c.fields != fact.c.fields, recall_job.c.value.is_not(None))
)

_CLEARING = frozenset(["change-reported", "change-confirmed"])
"""Acts that end objections beside what they are about: each of these has a job of its own."""
_ALWAYS: Mapping[str, str] = {"unreported-found": "unreported", "opt-out-set": "opted-out"}
_CHANGING: Mapping[str, str] = {
    "consent-revoked": "revoked",
    "objection-filed": "disputed",
    "matter-withdrawn": "cleared",
    "objection-decided": "cleared",
    "restoration-confirmed": "restored",
}
_ENDING = ("display-ended", "display-shortened")
_REPORTED = ("corrected", "withdrawn")


def cause(told: entries.Told) -> str:
    """Why recipients of what an act is about are notified; nothing where it takes nothing from anybody, or is
    erased."""
    if isinstance(told, entries.ErasureRequest):
        return "erased" if told.event == "requested" else ""
    if not isinstance(told, entries.Acted):
        return ""
    if told.what in _CLEARING:
        return told.outcome if told.changes and told.outcome in _REPORTED else ""
    return _ALWAYS.get(told.what, _CHANGING.get(told.what, "") if told.changes else "")


class Jobs:
    """Takes acts in as they stand in a snapshot. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._wanted: set[int] = set()

    def take(self, standing: Sequence[Standing]) -> None:
        """Note which of these acts has a job."""
        for each in standing:
            told = each.told
            if cause(told) and isinstance(told, entries.Acted | entries.ErasureRequest) and told.value is not None:
                self._wanted.add(each.place)

    def check(self, reader: Reader, *, erased: bool) -> None:
        """Check every job, in a snapshot whose acts were all taken; `erased`: subjects were."""
        after = ""
        while page := [Job._make(row) for row in reader.rows(_NEXT, after, _PAGE, 0)]:
            after = page[-1].id
            found = read.read_at(reader, sorted({row.filed_in for row in page}))
            for row in page:
                entry = found.get(row.filed_in)
                told = entry.read_told() if entry is not None and entry.told is not None else None
                emptied = row.value is None and (not erased or getattr(told, "value", None) is not None)
                if told is None or emptied or not _from(row, told):
                    raise VerificationFailed(f"recall job `{row.id}`: no act records it: it was altered or made up")
                if row.cause == cause(told):
                    self._wanted.discard(row.filed_in)
        for (id_,) in reader.rows(_WIDENED):
            raise VerificationFailed(f"recall job `{id_}`: its consent gave other fields: it was altered")
        for place in sorted(self._wanted):
            where = f"entry {place & (1 << SHARD_BITS) - 1} of shard {place >> SHARD_BITS}"
            raise VerificationFailed(f"recall job: {where} notifies those who received something, but its job is gone")


def _from(row: Job, told: entries.Told) -> bool:
    """Whether an act inserted a job, as it is."""
    if row.at != micros(told.at):
        return False
    if isinstance(told, entries.ErasureRequest):
        return cause(told) == row.cause and _same((row.scheme, told.scheme), (row.value, told.value))
    if not isinstance(told, entries.Acted):
        return isinstance(told, entries.Unknown)
    if told.what in _ENDING:  # of whatever subject
        days = (row.day, row.since) == (_day(told.due), _day(told.since))
        same = told.what == "display-ended" or row.dataset == told.dataset
        return row.cause == "expired" and told.due is not None and days and same
    own = told.value is None or row.cause == cause(told) or (row.cause == "cleared" and told.what in _CLEARING)
    right = own and _same(
        (row.scheme, told.scheme), (row.value, told.value), (row.dataset, told.dataset), (row.record, told.record)
    )
    right = right and (row.change is None or not told.changes or row.change == told.changes[0])
    if row.value is None or told.value is None:
        return right
    right = right and (row.change is None) == (row.cause == "unreported") and row.version is None
    if row.cause in ("corrected", "unreported"):
        right = right and (row.new_version or "") == told.new_version
    else:
        right = right and row.new_version is None
    if row.cause != "revoked":
        return right and (row.consent, row.issuer, row.client, row.purpose, row.fields) == (None,) * 5
    to = told.recipient or entries.Who("", "")
    of = (told.matter, to.issuer, to.client, told.purpose)
    return right and row.fields is not None and (row.consent, row.issuer, row.client, row.purpose) == of


def _day(of: datetime.date | None) -> int | None:
    return None if of is None else of.toordinal() - _EPOCH


def _same(*pairs: tuple[str | None, str | None]) -> bool:
    """Whether these are alike, as far as neither is erased; what an act is not about, its job is not about either."""
    erased = any(each is None for pair in pairs[:2] for each in pair)
    return erased or all((one or "") == (other or "") for one, other in pairs)
