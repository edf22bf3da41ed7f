"""The rows of recalls, checked against the entries of the acts that made, answered and missed them.

Each recall has the row that its entry says, and is answered as its last answer says; one is delivered, or overdue,
where an entry says so, and then leads to a suspension, or rests in one, until an entry ends that (`Late`). A row that
was removed or altered is named, and so are rows that were made up, and jobs that do not have their recalls. What the
row of an erased subject said of it is gone with that subject.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam as p
from sqlalchemy import func, select, text

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.verify.rows.acted import Standing
from gateway.ledger.verify.rows.batches import AT_ONCE, chunks
from gateway.ledger.verify.rows.late import Late
from gateway.nouns import counted
from gateway.storage.port import Reader
from gateway.storage.recall.recalls import Recall, Recalled, recall, recall_job
from gateway.storage.statement import Statement
from gateway.storage.subjects.acts import act
from gateway.storage.tables import micros

_ABOUT = ("recalled", "acknowledged", "recall-overdue", "delivered")
_MARKS = [f"mark{number}" for number in range(AT_ONCE)]
_ROWS = Statement(select(recall).where(recall.c.id.in_([p(each) for each in _MARKS])), *_MARKS)
_NUMBERS = Statement(select(act.c.number).where(act.c.entry == p("entry")), "entry")
_COUNT = Statement(select(func.count(), func.count(recall.c.moved_in)).select_from(recall))
_ANSWERED = Statement(select(recall.c.id).where(recall.c.moved_in.is_not(None)))
_OVERDUE = Statement(select(recall.c.id).where(text("state = 'overdue'")))
_DELIVERED = Statement(select(recall.c.id).where(recall.c.delivered.is_not(None)))
_ORPHAN = Statement(
    select(recall.c.id, recall.c.job)
    .join(recall_job, recall_job.c.id == recall.c.job, isouter=True)
    .where(recall_job.c.id.is_(None))
)
_found = select(func.count()).select_from(recall).where(recall.c.job == recall_job.c.id).scalar_subquery()
_MISCOUNTED = Statement(select(recall_job.c.id, recall_job.c.found).where(recall_job.c.found != _found))

_records: msgspec.json.Decoder[list[Recalled]] = msgspec.json.Decoder(list[Recalled])


class Recalls:
    """Takes acts in as they stand in a snapshot. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._made = 0
        self._answered: set[str] = set()
        self._overdue: set[str] = set()
        self._delivered: set[str] = set()
        self._late = Late()
        self._emptied = ""

    def take(self, reader: Reader, standing: Sequence[Standing]) -> None:
        """Check the recalls that these acts made, or moved."""
        about = [(each, each.told) for each in standing if isinstance(each.told, entries.Acted)]
        for each, told in about:
            self._late.note(each.number, told)
        about = [(each, told) for each, told in about if told.what in _ABOUT]
        wanted = {told.recall for _, told in about}
        rows = {row[0]: Recall._make(row) for some in chunks(wanted) for row in reader.rows(_ROWS, *some)}
        for each, told in about:
            row = rows.get(told.recall)
            if row is None:
                raise VerificationFailed(f"recall `{told.recall}`: act `{told.id}` is about it, and its row is gone")
            if told.what == "recalled":
                self._check_made(each.place, told, row)
            elif told.what == "acknowledged":
                self._check_answered(reader, each, told, row)
            elif told.what == "delivered":
                self._delivered.add(row.id)
                if row.delivered != micros(told.at):
                    raise _altered(row, "its entry records that it was delivered at another time")
            else:
                self._overdue.add(row.id)
                if row.state == "open":
                    raise _altered(row, "an entry records that it is overdue")

    def _check_made(self, place: int, told: entries.Acted, row: Recall) -> None:
        self._made += 1
        to = told.to or entries.Who("", "")
        general = (place, to.issuer, to.client, told.action, told.sequence, micros(told.at))
        if general != (row.filed_in, row.issuer, row.client, row.action, row.sequence, row.at):
            raise _altered(row, "its entry records otherwise")
        if told.term is not None and micros(told.term) != row.due:
            raise _altered(row, "its entry has another term")
        if row.value is None:
            self._emptied = self._emptied or (row.id if told.value is not None else "")
        elif told.value is not None and not _says(told, row):
            raise _altered(row, "its entry is about something else")
        if row.moved_in is None:
            right = (row.outcome, row.answered) == (None, None) and row.state in ("open", "overdue")
        else:
            right = row.state in (("open", "overdue") if row.outcome == "refused" else ("acknowledged",))
        if not right:
            raise _altered(row, "it was not answered so")

    def _check_answered(self, reader: Reader, each: Standing, told: entries.Acted, row: Recall) -> None:
        if row.moved_in == each.place:
            self._answered.add(row.id)
            if (row.outcome, row.answered) != (told.outcome, micros(told.at)):
                raise _altered(row, "its last answer records otherwise")
            return
        numbers = reader.rows(_NUMBERS, row.moved_in) if row.moved_in is not None else []
        if not numbers or numbers[0][0] < each.number:
            raise VerificationFailed(f"recall `{row.id}`: its row is from before act `{told.id}`: it was set back")

    def check(self, reader: Reader, *, erased: bool) -> None:
        """Check the rest in a snapshot whose acts were all taken; `erased`: subjects were."""
        if self._emptied and not erased:
            raise VerificationFailed(f"recall `{self._emptied}`: its subject was emptied, and none was erased: altered")
        ((made, answered),) = reader.rows(_COUNT)
        if made != self._made:
            raise VerificationFailed(f"recalls: {made} have rows, and {self._made} have entries: rows were made up")
        if answered != len(self._answered):
            for (id_,) in reader.rows(_ANSWERED):
                if id_ not in self._answered:
                    raise VerificationFailed(f"recall `{id_}`: no entry is of its answer: it was altered")
        for (id_,) in reader.rows(_OVERDUE):
            if id_ not in self._overdue:
                raise VerificationFailed(f"recall `{id_}`: no entry records that it is overdue: it was altered")
        for (id_,) in reader.rows(_DELIVERED):
            if id_ not in self._delivered:
                raise VerificationFailed(f"recall `{id_}`: no entry records that it was delivered: it was altered")
        self._late.check(reader)
        for id_, job in reader.rows(_ORPHAN):
            raise VerificationFailed(f"recall `{id_}`: its job `{job}` is gone: that was removed, or this altered")
        for id_, found in reader.rows(_MISCOUNTED):
            raise VerificationFailed(
                f"recall job `{id_}`: it does not have the {counted(found, 'recall')} that it counted: altered"
            )


def _says(told: entries.Acted, row: Recall) -> bool:
    """Whether a recall is about what its entry says."""
    own = (told.scheme, told.value, told.dataset, told.inquiry, told.purpose)
    try:
        several = _records.decode(row.records or "null")
    except msgspec.DecodeError:
        return False
    items = tuple(f"{each.record}@{each.version}" for each in several)
    fields = tuple(sorted({name for each in several for name in each.fields}))
    about = (row.scheme, row.value, row.dataset, row.inquiry, row.purpose)
    return own == about and items == told.records and fields == tuple(sorted(told.fields.get(told.dataset, ())))


def _altered(row: Recall, why: str) -> VerificationFailed:
    return VerificationFailed(f"recall `{row.id}`: its row is not what its entries record ({why}): it was altered")
