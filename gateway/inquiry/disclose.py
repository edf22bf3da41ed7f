"""Step 9, disclose: one durable entry that commits to the answer's bytes, and its receipt (Arts. 28(3)-(6), 42, 43).

Invariants: an answer's bytes may leave only after `disclose` or `refuse` returned (3); the entry names exactly what
leaves: fields, record versions in order, and a salted digest of the `data` bytes (contract, "Answers"). What the
requester is told says nothing of withheld records: those, the official and the denials are oversight's part. Released
records decide what is told, so "unknown", "no records" and "all withheld" read alike (5).

Left to others: which bytes those are (`render`), making the entry durable (`gateway.ledger`), the road here (`answer`).
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import msgspec
from sqlalchemy.sql import ClauseElement

from connectors.base import Failure, Subject
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry.types import (
    Caution,
    Decision,
    Declaration,
    Obligation,
    Outcome,
    Requester,
    SubjectDecision,
    Withheld,
)
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import EntryParts, SubjectParts, split
from gateway.ledger.proof.leaf import SALT_SIZE, data_digest
from gateway.ledger.proof.tlog_proof import Receipt


class LedgerPort(Protocol):
    """What disclosing needs of the ledger: durable when it returns; raises `LedgerUnavailable`."""

    async def append(
        self,
        told: bytes,
        oversight: bytes,
        at: datetime.datetime,
        by: tuple[str, str] = ("", ""),
        changes: tuple[ClauseElement, ...] = (),
        subjects: tuple[SubjectParts, ...] = (),
    ) -> Receipt: ...


class Change(Protocol):
    """The review that an emergency opens: a change to the store that stands if and only if the answer's entry does.

    `at` is when it was opened. `entered` is told where the entry stands: its shard's name, and its index there.
    """

    @property
    def at(self) -> datetime.datetime: ...
    @property
    def statement(self) -> ClauseElement: ...
    @property
    def entered(self) -> Callable[[str, int], Awaitable[None]]: ...


class Entry(msgspec.Struct):
    """What becomes one entry, filled as the inquiry proceeds; a refusal enters what was known by then.

    `id` is random; `rule_set` is the digest of the rules in force; `facts` the change number that was decided from.
    `change` comes with an answer's entry, never with a refusal's. `tried`: the ledger was asked to enter it, so that it
    may be there even where the ledger did not say so.
    """

    id: str
    requester: Requester
    rule_set: str
    declaration: Declaration | None = None
    subjects: tuple[Subject, ...] = ()
    facts: int | None = None
    decision: Decision | None = None
    obligations: Sequence[Obligation] = ()
    cautions: Sequence[Caution] = ()
    withheld: Sequence[Withheld] = ()
    consents: Sequence[tuple[Subject, str]] = ()
    secret_until: datetime.datetime | None = None
    change: Change | None = None
    tried: bool = False

    @property
    def declared(self) -> Declaration:
        """What was declared; an answer comes after it."""
        if self.declaration is None:
            raise AssertionError("an answer comes after its declaration")
        return self.declaration


class _Extension(msgspec.Struct, rename="camel"):
    """`extensions.inquiry` of the contract."""

    id: str
    receipt: str | msgspec.Raw | msgspec.UnsetType
    obligations: Sequence[Obligation]
    cautions: Sequence[Caution]
    rule_set: str


_encode_extension = msgspec.json.Encoder().encode


def extension(entry: Entry, receipt: Receipt) -> bytes:
    """The JSON of `extensions.inquiry` for an entry and its receipt.

    What answers a subject's own token has no receipt: whoever held one could prove to others what is held about the
    subject, and nobody may be made to show that (Art. 43).
    """
    proof = msgspec.UNSET if entry.requester.is_subject else _as_json(receipt)
    return _encode_extension(_Extension(entry.id, proof, entry.obligations, entry.cautions, entry.rule_set))


def _as_json(receipt: Receipt) -> str | msgspec.Raw:
    """A receipt's text for the encoder: of what JSON escapes, it has the ends of lines, and quotes only in names."""
    note = receipt.note
    if b'"' in note or b"\\" in note:
        return receipt.text
    return msgspec.Raw(b'"%b"' % note.replace(b"\n", b"\\n"))


async def disclose(
    ledger: LedgerPort,
    entry: Entry,
    got: Mapping[tuple[Subject, str], Outcome],
    data: bytes,
    codes: tuple[str, ...],
    at: datetime.datetime,
) -> Receipt:
    """Enter an answer: `data` is its `data` member as it will be sent, `codes` the distinct codes beside it.

    Raises `Refusal` (`LEDGER_UNAVAILABLE`): then the answer must not leave.
    """
    parts = answer_parts(entry, got, data, codes, os.urandom(SALT_SIZE), at)
    if entry.change is None:
        return await _append(ledger, entry, parts, at)
    receipt = await _append(ledger, entry, parts, at, (entry.change.statement,))
    await entry.change.entered(receipt.shard, receipt.index)
    return receipt


async def refuse(ledger: LedgerPort, entry: Entry, refusal: Refusal, at: datetime.datetime) -> Receipt:
    """Enter a refusal of the whole operation; raises `Refusal` (`LEDGER_UNAVAILABLE`) where that is impossible."""
    return await _append(ledger, entry, refusal_parts(entry, refusal, at), at)


async def _append(
    ledger: LedgerPort, entry: Entry, parts: EntryParts, at: datetime.datetime, changes: tuple[ClauseElement, ...] = ()
) -> Receipt:
    by = (entry.requester.issuer, entry.requester.client)
    entry.tried = True
    try:
        return await ledger.append(parts.told, parts.oversight, at, by, changes, parts.subjects)
    except LedgerUnavailable as error:
        raise Refusal(
            Code.LEDGER_UNAVAILABLE,
            "the ledger takes no entries now, so nothing was disclosed; ask again later",
            retryable=True,
        ) from error


def answer_parts(
    entry: Entry,
    got: Mapping[tuple[Subject, str], Outcome],
    data: bytes,
    codes: tuple[str, ...],
    salt: bytes,
    at: datetime.datetime,
) -> EntryParts:
    """The parts of an answered inquiry. Pure: `salt` is 32 random bytes, `at` the time of the answer."""
    decision, declaration = entry.decision, entry.declaration
    if decision is None or declaration is None:
        raise AssertionError("an answer comes after its declaration and its decision")
    told = entries.Inquiry(
        v=entries.VERSION,
        id=entry.id,
        at=at,
        requester=_who(entry.requester),
        grant=decision.grant.id if decision.grant else None,
        declaration=_declared(declaration),
        rule_set=entry.rule_set,
        obligations=list(entry.obligations),
        disclosed=[_disclosed(subject, decision.subjects[subject], got) for subject in entry.subjects],
        data=entries.Data(salt, data_digest(salt, data)),
        cautions=list(entry.cautions),
        errors=codes,
    )
    return split(told, _oversight(entry, None if entry.change is None else entry.change.at, answered=True))


_QUOTING = frozenset({Code.IDENTIFIER_INVALID, Code.GRAPHQL_VALIDATION_FAILED, Code.GRAPHQL_VARIABLES_INVALID})
"""Their messages may quote an identifier that was not understood as one."""


def refusal_parts(entry: Entry, refusal: Refusal, at: datetime.datetime) -> EntryParts:
    """The parts of a refused operation. Pure.

    Where no subject is known, nothing of the entry can be erased with it: a message that may quote one is left out.
    """
    decision, declaration = entry.decision, entry.declaration
    told = entries.Refused(
        v=entries.VERSION,
        id=entry.id,
        at=at,
        requester=_who(entry.requester),
        rule_set=entry.rule_set,
        code=refusal.code.value,
        message=refusal.message if entry.subjects or refusal.code not in _QUOTING else "",
        grant=decision.grant.id if decision and decision.grant else None,
        declaration=_declared(declaration) if declaration else None,
        subjects=[entries.Named(*subject) for subject in entry.subjects],
        retryable=refusal.extensions.get("retryable") is True,
    )
    return split(told, _oversight(entry))


def _who(requester: Requester) -> entries.Who:
    return entries.Who(requester.issuer, requester.client, requester.department)


def _declared(declaration: Declaration) -> entries.Declared:
    return entries.Declared(
        declaration.purpose,
        declaration.case,
        declaration.document,
        declaration.consent,
        declaration.reference,
        declaration.request,
        declaration.recall,
    )


def _disclosed(
    subject: Subject, decision: SubjectDecision, got: Mapping[tuple[Subject, str], Outcome]
) -> entries.Disclosed:
    datasets = []
    for dataset, fields in decision.fetch:
        outcome = got[subject, dataset]
        if isinstance(outcome, Failure):
            datasets.append(entries.Dataset(dataset, fields, [], outcome.fault.value))
        else:
            names = [f"{dataset}/{record.m_id}@{record.m_version}" for record in outcome.records]
            until = _days(outcome.display_until)
            began = entries.began(until, _days([record.m_effective for record in outcome.records]))
            datasets.append(entries.Dataset(dataset, fields, names, None, until, began))
    return entries.Disclosed(subject.kind, subject.scheme, subject.value, datasets)


_EPOCH = datetime.date(1970, 1, 1).toordinal()
_KEPT_DAYS = 4096


class _Numbers(dict[datetime.date | None, int | None]):
    """Days since 1970-01-01 by date; remembered, since nothing in it is about anybody."""

    def __missing__(self, day: datetime.date | None) -> int | None:
        if len(self) >= _KEPT_DAYS:
            self.clear()
        number = self[day] = None if day is None else day.toordinal() - _EPOCH
        return number


_number = _Numbers().__getitem__


def _days(several: Sequence[datetime.date | None]) -> list[int | None]:
    """Days of records as they are entered; nothing where there are none."""
    return list(map(_number, several)) if any(several) else []


def _oversight(
    entry: Entry, broke_glass: datetime.datetime | None = None, *, answered: bool = False
) -> entries.Oversight:
    withheld: list[entries.WithheldRecord] = []
    denied: list[entries.DeniedFields] = []
    rests: list[entries.DecidedOn] = []
    consents: tuple[str, ...] = ()
    consents_of: tuple[int, ...] = ()
    places: dict[Subject, int] = {}
    if entry.withheld or entry.consents:
        places = {subject: place for place, subject in enumerate(entry.subjects)}
    if entry.withheld:
        withheld = [
            entries.WithheldRecord(places[w.subject], f"{w.dataset}/{w.record}@{w.version}", w.restraint, w.faulty)
            for w in entry.withheld
        ]
    if entry.consents:
        consents = tuple([consent for _, consent in entry.consents])
        consents_of = tuple([places[subject] for subject, _ in entry.consents])
    if entry.decision is not None:
        for place, subject in enumerate(entry.subjects):
            decided = entry.decision.subjects.get(subject)
            if decided is None:
                continue
            if fields := _denied(decided):
                denied.append(entries.DeniedFields(place, fields))
            if (on := _decided_on(decided, place, answered=answered)) is not None:
                rests.append(on)
    who = entry.requester
    return entries.Oversight(
        entries.VERSION,
        who.official,
        entry.facts,
        withheld,
        denied,
        who.actors,
        consents,
        entry.secret_until,
        consents_of,
        by_subject=who.is_subject,
        broke_glass=broke_glass,
        decided=rests,
        # In the subject's part, which goes with it: a refusal that names nobody has none.
        by=(who.person or "") if who.is_subject and entry.subjects else "",
    )


@lru_cache(maxsize=1024)
def _decided_on(decision: SubjectDecision, place: int, *, answered: bool) -> entries.DecidedOn | None:
    """What a decision, which is interned, rests on, beside the fields that its entry tells and denies."""
    basis = decision.basis
    if basis is None:
        return None
    given: dict[str, set[str]] = {dataset: set(fields) for dataset, fields in decision.fetch} if answered else {}
    for dataset, field in decision.denied:
        given.setdefault(dataset, set()).add(field)
    selected = sorted(basis.selected.items())
    return entries.DecidedOn(
        place,
        int(basis.flags) | (0 if basis.alive else entries.EXPIRED),
        sum(wanted.bare << at for at, (_, wanted) in enumerate(selected)),
        {name: tuple(sorted(wanted.fields)) for name, wanted in selected if given.get(name) != set(wanted.fields)},
        tuple(sorted(basis.unscoped)),
        tuple(sorted(basis.narrowed)),
        {name: None if of is None else tuple(sorted(of)) for name, of in basis.consented.items()},
        dict(sorted(basis.suspended.items())),
    )


@lru_cache(maxsize=1024)
def _denied(decision: SubjectDecision) -> list[entries.DeniedField]:
    """Of a decision, which is interned: worked out once."""
    return [
        entries.DeniedField(dataset, field, cell.reason.value if cell.reason else None, cell.rule)
        for dataset, field in decision.denied
        for cell in (decision.cells[dataset, field],)
    ]
