"""`@inquiry(recall:)`: a correction that the requester was notified of is fetched, and nothing else (Art. 47(1)).

It is an inquiry like any other, but for two things: it needs no case, since the answer that it corrects had one, and
counts against no frequency. So it is kept to what that answer had: one dataset, its fields and the records that were
recalled, for the same purpose, to whom the recall is, until it is answered, and no longer than the answer may be kept.
Whoever names the recall of another is told the same as for one that does not exist. It goes on while the grant is
suspended: to fetch what was corrected is how a recall is obeyed.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Failure, Outcome, Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Declaration, Requester, Selected
from gateway.rules.model import Purpose
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import Recall, Recalled
from gateway.storage.tables import moment

Who = tuple[str, str]

_records = msgspec.json.Decoder(list[Recalled])


class Correction(NamedTuple):
    """What may be fetched for a recall: these fields and records of one dataset of its subject."""

    subject: Subject
    dataset: str
    fields: frozenset[str]
    records: frozenset[str]

    def of(self, fetched: Mapping[tuple[Subject, str], Outcome]) -> dict[tuple[Subject, str], Outcome]:
        """Of what was fetched, the records that were recalled; one that does not show which it is stays, and is
        reported as its department's fault."""
        return {
            key: outcome
            if isinstance(outcome, Failure)
            else [each for each in outcome if not each.m_id or each.m_id in self.records]
            for key, outcome in fetched.items()
        }


class RecallsPort(Protocol):
    """Finds the recalls that a requester has to answer; raises `Refusal`."""

    async def find(self, who: Who, id_: str) -> Recall | None: ...


class StoredRecalls:
    """Those of a store. `followed` gives the clients that are gone, whose recalls this one answers."""

    def __init__(self, engine: Engine, followed: Callable[[Who], Iterable[Who]]) -> None:
        self._engine, self._followed = engine, followed

    async def find(self, who: Who, id_: str) -> Recall | None:
        """See the port."""
        try:
            row = await asyncio.to_thread(self._one, id_)
        except SQLAlchemyError as error:
            message = "recalls cannot be read now, so nothing was disclosed; ask again later"
            raise Refusal(Code.DECISION_UNAVAILABLE, message, retryable=True) from error
        if row is None or (row.issuer, row.client) not in {who, *self._followed(who)}:
            return None
        return row

    def _one(self, id_: str) -> Recall | None:
        with self._engine.connect() as connection:
            return recalls.one(connection, id_)


async def correction(
    port: RecallsPort | None,
    requester: Requester,
    purpose: Purpose,
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
    if row is None or row.action != "update" or row.records is None or named != [(row.scheme, row.value)]:
        raise _invalid("`recall` names no correction about this subject that you were notified of; see `recalls`")
    if row.purpose != declared.purpose:
        raise _invalid(f"the answer that is recalled was for `{row.purpose}`: declare that purpose")
    if row.state == "acknowledged":
        raise _invalid("you answered this recall already: make a new inquiry instead")
    if row.outcome == "refused":
        raise _invalid("you refused this recall: acknowledge it as applied or passed on once you obey it")
    if purpose.delete_after.after(moment(row.at).date()) < today:
        raise _invalid("the answer that was recalled is to be deleted by now: make a new inquiry instead")
    records = _records.decode(row.records)
    fields = frozenset.intersection(*(frozenset(each.fields) for each in records)) if records else frozenset()
    found = Correction(subjects[0], row.dataset, fields, frozenset(each.record for each in records))
    _within(found, selected if isinstance(selected, Selected) else selected[subjects[0]])
    return found


def _within(found: Correction, selected: Selected) -> None:
    """Raises `Refusal` where something else is selected than what was recalled."""
    for dataset, wanted in selected.kinds.get(found.subject.kind, {}).items():
        if dataset != found.dataset or not wanted.fields <= found.fields:
            listed = ", ".join(f"`{name}`" for name in sorted(found.fields))
            raise _invalid(f"this recall is of `{found.dataset}`: select {listed} of it, and nothing else")


def _invalid(message: str) -> Refusal:
    return Refusal(Code.INQUIRY_INVALID, message)
