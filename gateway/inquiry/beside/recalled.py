"""`@inquiry(recall:)`: a correction that the requester was notified of is fetched, and nothing else (Art. 47(1)).

It is an inquiry like any other, but for two things: it needs no case, since the answer that it corrects had one, and
counts against no frequency. So it is kept to what that answer had: one dataset, its fields and the records that were
recalled, for the same purpose, to whom the recall is, until it is answered, and until the day by which that answer is
to be deleted, as what it gives is. It has a bound of its own, of each recall and day (`fetches`). Whoever names the
recall of another is told the same as for one that does not exist. It goes on while the grant is suspended: to fetch
what was corrected is how a recall is obeyed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Failure, Outcome, Subject
from gateway.errors import Code, Refusal, StoreUnavailable, VerificationFailed
from gateway.inquiry.admit import AdmissionPort
from gateway.inquiry.beside.fetches import Fetches
from gateway.inquiry.types import Declaration, Obligation, Requester, Selected
from gateway.ledger.entry.entries import Inquiry
from gateway.ledger.stored import read
from gateway.storage.port import Store
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import Recall, Recalled

Who = tuple[str, str]

_DELETE_BY = "delete-by"
_records = msgspec.json.Decoder(list[Recalled])


class Correction(NamedTuple):
    """What may be fetched for a recall: these fields and records of one dataset of its subject.

    `delete_by` is the last day of the answer that is corrected, and so of what is fetched in its place.
    """

    subject: Subject
    dataset: str
    fields: frozenset[str]
    records: frozenset[str]
    delete_by: datetime.date

    def of(self, fetched: Mapping[tuple[Subject, str], Outcome]) -> dict[tuple[Subject, str], Outcome]:
        """Of what was fetched, the records that were recalled; one that does not show which it is stays, and is
        reported as its department's fault."""
        return {
            key: outcome
            if isinstance(outcome, Failure)
            else [each for each in outcome if not each.m_id or each.m_id in self.records]
            for key, outcome in fetched.items()
        }

    def obligations(self, made: Sequence[Obligation]) -> Sequence[Obligation]:
        """These obligations of an answer, but that it is to be deleted with the one that it corrects."""
        day = self.delete_by.isoformat()
        return [
            Obligation(each.id, each.type, {**each.properties, "date": min(each.properties["date"], day)})
            if each.type == _DELETE_BY
            else each
            for each in made
        ]


class RecallsPort(AdmissionPort, Protocol):
    """Finds the recalls that a requester has to answer, and reserves a fetch of one; each raises `Refusal`."""

    async def find(self, who: Who, id_: str) -> Recall | None: ...
    async def delete_by(self, row: Recall) -> datetime.date | None: ...


class StoredRecalls:
    """Those of a store. `followed` gives the clients that are gone, whose recalls this one answers.

    `fetches` reserves: one for a process, whatever rules it goes by.
    """

    def __init__(self, store: Store, followed: Callable[[Who], Iterable[Who]], fetches: Fetches) -> None:
        self._store, self._followed = store, followed
        self.reserve = fetches.reserve

    async def find(self, who: Who, id_: str) -> Recall | None:
        """See the port."""
        if "\0" in id_:  # of which PostgreSQL cannot be asked
            return None
        try:
            row = await asyncio.to_thread(self._one, id_)
        except SQLAlchemyError as error:
            raise _unavailable() from error
        if row is None or (row.issuer, row.client) not in {who, *self._followed(who)}:
            return None
        return row

    async def delete_by(self, row: Recall) -> datetime.date | None:
        """The last day of the answer that is recalled; None where its entry does not open any more."""
        try:
            return await asyncio.to_thread(self._delete_by, row.place)
        except (VerificationFailed, StoreUnavailable, ValueError) as error:
            raise _unavailable() from error

    def _one(self, id_: str) -> Recall | None:
        with self._store.engine.connect() as connection:
            return recalls.one(connection, id_)

    def _delete_by(self, place: int) -> datetime.date | None:
        with contextlib.closing(self._store.reader()) as reader:
            entry = read.read_at(reader, [place]).get(place)
            told = None if entry is None or entry.told is None else entry.read_told()
        duties = told.obligations if isinstance(told, Inquiry) else []
        days = [datetime.date.fromisoformat(each.properties["date"]) for each in duties if each.type == _DELETE_BY]
        return min(days, default=None)


async def correction(
    port: RecallsPort | None,
    requester: Requester,
    declared: Declaration,
    subjects: tuple[Subject, ...],
    selected: Selected | Mapping[Subject, Selected],
    today: datetime.date,
) -> Correction | None:
    """What the recall lets be fetched that the declaration names; None where it names none.

    Raises `Refusal`: `INQUIRY_INVALID`, `DECISION_UNAVAILABLE`.
    """
    if declared.recall is None:
        return None
    if declared.case is not None:
        raise _invalid("a correction is fetched without a case: leave out `case`")
    row = None if port is None else await port.find(requester.who, declared.recall)
    named = [each[1:] for each in subjects]
    if (
        port is None
        or row is None
        or row.action != "update"
        or row.records is None
        or named != [(row.scheme, row.value)]
    ):
        raise _invalid("`recall` names no correction about this subject that you were notified of; see `recalls`")
    if row.purpose != declared.purpose:
        raise _invalid(f"the answer that is recalled was for `{row.purpose}`: declare that purpose")
    if row.state == "acknowledged":
        raise _invalid("you answered this recall already: make a new inquiry instead")
    if row.outcome == "refused":
        raise _invalid("you refused this recall: acknowledge it as applied or passed on once you obey it")
    last = await port.delete_by(row)
    if last is None or last < today:
        raise _invalid("the answer that was recalled is to be deleted by now: make a new inquiry instead")
    records = _records.decode(row.records)
    fields = frozenset.intersection(*(frozenset(each.fields) for each in records)) if records else frozenset()
    found = Correction(subjects[0], row.dataset, fields, frozenset(each.record for each in records), last)
    _within(found, selected if isinstance(selected, Selected) else selected[subjects[0]])
    return found


def _within(found: Correction, selected: Selected) -> None:
    """Raises `Refusal` where something else is selected than what was recalled."""
    for dataset, wanted in selected.kinds.get(found.subject.kind, {}).items():
        if dataset != found.dataset or not wanted.fields <= found.fields:
            listed = ", ".join(f"`{name}`" for name in sorted(found.fields))
            raise _invalid(f"this recall is of `{found.dataset}`: select {listed} of it, and nothing else")


def _unavailable() -> Refusal:
    message = "recalls cannot be read now, so nothing was disclosed; ask again later"
    return Refusal(Code.DECISION_UNAVAILABLE, message, retryable=True)


def _invalid(message: str) -> Refusal:
    return Refusal(Code.INQUIRY_INVALID, message)
