"""An inquiry or a refusal taken apart, and put together again: one part for each subject that it names. Pure.

Invariants: a subject's part says nothing of another subject; cautions keep the order of the answer. `parts` says what
is in a part, and why; it is the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.ledger.entry import entries
from gateway.ledger.entry.entries import Oversight


class SubjectParts(NamedTuple):
    """What an entry has about one subject, as the bytes that its leaf commits to."""

    scheme: str
    value: str
    told: bytes
    oversight: bytes


class EntryParts(NamedTuple):
    """An entry, as the bytes that its leaf commits to."""

    told: bytes
    oversight: bytes
    subjects: tuple[SubjectParts, ...] = ()


class ToldOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subject's part of a told side; a refusal has the message, an answer what was disclosed."""

    kind: str
    scheme: str
    value: str
    case: str | None = None
    document: str | None = None
    consent: str | None = None
    reference: str | None = None
    request: bytes = b""
    datasets: list[entries.Dataset] = []
    cautions: list[entries.Notice] = []
    data: entries.Data | None = None
    message: str = ""
    recall: str | None = None


class WithheldOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record of the subject that a restraint held back."""

    record: str
    restraint: str
    faulty: bool = False


class OversightOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subject's part of what only oversight may open; from `flags` on as in `entries.DecidedOn`."""

    withheld: list[WithheldOf] = []
    denied: list[entries.DeniedField] = []
    consents: tuple[str, ...] = ()
    flags: int | None = None
    bare: int = 0
    selected: dict[str, tuple[str, ...]] = {}
    unscoped: tuple[str, ...] = ()
    narrowed: tuple[str, ...] = ()
    consented: dict[str, tuple[str, ...] | None] = {}
    by: str = ""
    suspended: dict[str, str] = {}


EMPTY = entries.encode(OversightOf())
"""A subject's part where oversight has nothing more to see."""

_encode = entries.encode


def split_inquiry(told: entries.Inquiry, oversight: Oversight) -> EntryParts:
    """The parts of an answered inquiry that names a subject."""
    declared, disclosed = told.declaration, told.disclosed
    general = entries.Inquiry(
        told.v,
        told.id,
        told.at,
        told.requester,
        told.grant,
        entries.Declared(declared.purpose),
        told.rule_set,
        told.obligations,
        errors=told.errors,
    )
    cautions = [told.cautions] if len(disclosed) == 1 else _shared_out(told.cautions, disclosed)
    decided = {each.subject: each for each in oversight.decided}
    subjects = []
    for place, subject in enumerate(disclosed):
        part = ToldOf(
            subject.kind,
            subject.scheme,
            subject.value,
            declared.case,
            declared.document,
            declared.consent,
            declared.reference,
            declared.request,
            subject.datasets,
            cautions[place],
            told.data,
            recall=declared.recall,
        )
        other = _oversight_of(oversight, place, decided.get(place))
        subjects.append(SubjectParts(subject.scheme, subject.value, _encode(part), other))
    return EntryParts(_encode(general), _general(oversight), tuple(subjects))


def _shared_out(cautions: list[entries.Notice], disclosed: Sequence[entries.Disclosed]) -> list[list[entries.Notice]]:
    """Each subject's cautions. They stand in the order of the records that were disclosed, subject by subject."""
    shares, start = [], 0
    for subject in disclosed[:-1]:
        end = start
        for record in (record for dataset in subject.datasets for record in dataset.records):
            if end < len(cautions) and record.startswith(f"{cautions[end].dataset}/{cautions[end].record}@"):
                end += 1
        shares.append(cautions[start:end])
        start = end
    return [*shares, cautions[start:]]


def split_refusal(told: entries.Refused, oversight: Oversight) -> EntryParts:
    """The parts of a refusal that names a subject."""
    declared = told.declaration
    purpose = entries.Declared(declared.purpose) if declared else None
    general = msgspec.structs.replace(told, message="", declaration=purpose, subjects=[])
    said = declared or entries.Declared("")
    decided = {each.subject: each for each in oversight.decided}
    return EntryParts(
        _encode(general),
        _general(oversight),
        tuple(
            SubjectParts(
                named.scheme,
                named.value,
                _encode(
                    ToldOf(
                        named.kind,
                        named.scheme,
                        named.value,
                        said.case,
                        said.document,
                        said.consent,
                        said.reference,
                        said.request,
                        message=told.message,
                        recall=said.recall,
                    )
                ),
                _oversight_of(oversight, place, decided.get(place)),
            )
            for place, named in enumerate(told.subjects)
        ),
    )


def _general(oversight: Oversight) -> bytes:
    if not (oversight.withheld or oversight.denied or oversight.consents or oversight.decided or oversight.by):
        return _encode(oversight)
    return _encode(
        Oversight(
            oversight.v,
            oversight.official,
            oversight.facts,
            actors=oversight.actors,
            secret_until=oversight.secret_until,
            by_subject=oversight.by_subject,
            broke_glass=oversight.broke_glass,
        )
    )


def _oversight_of(oversight: Oversight, place: int, on: entries.DecidedOn | None) -> bytes:
    """The part of the subject at this place; raises `ValueError` as `_relied_on`."""
    of = [each for each in oversight.withheld if each.subject == place]
    withheld = [WithheldOf(each.record, each.restraint, each.faulty) for each in of]
    denied = [field for each in oversight.denied if each.subject == place for field in each.fields]
    relied = _relied_on(oversight, place) if oversight.consents else ()
    by = oversight.by
    if on is None:
        there = withheld or denied or relied or by
        return _encode(OversightOf(withheld, denied, relied, by=by)) if there else EMPTY
    rests = (on.flags, on.bare, on.selected, on.unscoped, on.narrowed, on.consented)
    return _encode(OversightOf(withheld, denied, relied, *rests, by=by, suspended=on.suspended))


def _relied_on(oversight: Oversight, place: int) -> tuple[str, ...]:
    """A subject's consents; raises `ValueError` where it is not said whose each is."""
    consents, subjects = oversight.consents, oversight.consents_of
    if len(consents) != len(subjects):
        raise ValueError("it does not name whose consent each one is")
    return tuple([consents[at] for at, subject in enumerate(subjects) if subject == place])


def merge_inquiry(told: entries.Inquiry, parts: Sequence[ToldOf | None]) -> entries.Inquiry:
    """An answered inquiry, from its general part and the subjects'; None in the place of one that was erased."""
    first = _first(parts)
    return msgspec.structs.replace(
        told,
        declaration=_declared(told.declaration, first),
        disclosed=[
            entries.Disclosed(part.kind, part.scheme, part.value, part.datasets) if part else entries.ERASED
            for part in parts
        ],
        data=(first.data if first else None) or entries.Data(),
        cautions=[caution for part in parts if part for caution in part.cautions],
    )


def merge_refusal(told: entries.Refused, parts: Sequence[ToldOf | None]) -> entries.Refused:
    """A refusal, as `merge_inquiry`."""
    first = _first(parts)
    return msgspec.structs.replace(
        told,
        message=first.message if first else told.message,
        declaration=_declared(told.declaration, first) if told.declaration else None,
        subjects=[entries.Named(part.kind, part.scheme, part.value) if part else _NOBODY for part in parts],
    )


_NOBODY = entries.Named("", "", "")


def merge_oversight(oversight: Oversight, parts: Sequence[OversightOf | None]) -> Oversight:
    """The other side, as `merge_inquiry`."""
    withheld: list[entries.WithheldRecord] = []
    denied: list[entries.DeniedFields] = []
    consents: list[str] = []
    consents_of: list[int] = []
    decided: list[entries.DecidedOn] = []
    by = ""
    for place, part in enumerate(parts):
        if part is None:
            continue
        by = by or part.by
        withheld += [entries.WithheldRecord(place, each.record, each.restraint, each.faulty) for each in part.withheld]
        if part.denied:
            denied.append(entries.DeniedFields(place, part.denied))
        consents += part.consents
        consents_of += [place] * len(part.consents)
        if part.flags is not None:
            rests = (part.flags, part.bare, part.selected, part.unscoped, part.narrowed, part.consented, part.suspended)
            decided.append(entries.DecidedOn(place, *rests))
    if not (withheld or denied or consents or decided or by):
        return oversight
    return msgspec.structs.replace(
        oversight,
        withheld=withheld,
        denied=denied,
        consents=tuple(consents),
        consents_of=tuple(consents_of),
        decided=decided,
        by=by,
    )


def _first(parts: Sequence[ToldOf | None]) -> ToldOf | None:
    return next((part for part in parts if part is not None), None)


def _declared(general: entries.Declared, part: ToldOf | None) -> entries.Declared:
    if part is None:
        return general
    said = (part.case, part.document, part.consent, part.reference, part.request, part.recall)
    return entries.Declared(general.purpose, *said)
