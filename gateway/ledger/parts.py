"""An entry taken apart, so that what it says of one subject can be destroyed alone, and put together again. Pure.

What identifies a subject, or could lead to it, is in that subject's part: its name, what was disclosed or withheld and
of which records, the digest of the answer, the case, the papers, the caller's own words. The general part keeps who
asked, when, for which purpose, and what duties came with the answer. An entry that names no subject is all general.

Invariant: what was taken apart and put together says the same; what was erased is left out, its place kept.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import msgspec

from gateway.ledger import entries
from gateway.ledger.entries import Oversight, Told
from gateway.ledger.leaf import Side

_T = TypeVar("_T")


class SubjectParts(NamedTuple):
    """What an entry says of one subject, as the bytes that its leaf commits to."""

    scheme: str
    value: str
    told: bytes
    oversight: bytes


class Parts(NamedTuple):
    """An entry, as the bytes that its leaf commits to."""

    told: bytes
    oversight: bytes
    subjects: tuple[SubjectParts, ...] = ()


class ToldOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subject's part of what was told; each kind of entry has its own use for some of the members."""

    kind: str
    scheme: str
    value: str
    case: str | None = None
    document: str | None = None
    consent: str | None = None
    reference: str | None = None
    datasets: list[entries.Dataset] = []
    cautions: list[entries.Notice] = []
    data: entries.Data | None = None
    message: str = ""


class WithheldOf(msgspec.Struct, frozen=True):
    """A record of the subject that a restraint held back."""

    record: str
    restraint: str


class OversightOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subject's part of what only oversight may open."""

    withheld: list[WithheldOf] = []
    denied: list[entries.DeniedField] = []
    consents: tuple[str, ...] = ()


_TOLD_OF = msgspec.json.Decoder(ToldOf)
_OVERSIGHT_OF = msgspec.json.Decoder(OversightOf)
_EMPTY = entries.encode(OversightOf())


def split(told: Told, oversight: Oversight = entries.NOTHING) -> Parts:
    """The parts of an entry."""
    if isinstance(told, entries.Inquiry) and told.disclosed:
        return _inquiry(told, oversight)
    if isinstance(told, entries.Refused) and told.subjects:
        return _refusal(told, oversight)
    if isinstance(told, entries.View) and told.looked.value is not None:
        looked = told.looked
        rest = msgspec.structs.replace(looked, scheme=None, value=None, case=None)
        named = ToldOf("", looked.scheme or "", told.looked.value, case=looked.case)
        return Parts(
            entries.encode(msgspec.structs.replace(told, looked=rest)),
            entries.encode(oversight),
            (_parts(named, _EMPTY),),
        )
    if isinstance(told, entries.Hold | entries.ErasureRequest) and told.value is not None:
        general = msgspec.structs.replace(told, scheme=None, value=None)
        named = ToldOf("", told.scheme or "", told.value)
        return Parts(entries.encode(general), entries.encode(oversight), (_parts(named, _EMPTY),))
    return Parts(entries.encode(told), entries.encode(oversight))


def _inquiry(told: entries.Inquiry, oversight: Oversight) -> Parts:
    general = entries.Inquiry(
        told.v,
        told.id,
        told.at,
        told.requester,
        told.grant,
        entries.Declared(told.declaration.purpose),
        told.rule_set,
        told.obligations,
        errors=told.errors,
    )
    declared, alone = told.declaration, len(told.disclosed) == 1
    made = []
    for place, subject in enumerate(told.disclosed):
        cautions = told.cautions if alone else [each for each in told.cautions if _about(each, subject)]
        part = ToldOf(
            subject.kind,
            subject.scheme,
            subject.value,
            declared.case,
            declared.document,
            declared.consent,
            declared.reference,
            subject.datasets,
            cautions,
            told.data,
        )
        made.append(_parts(part, _oversight_of(oversight, place)))
    return Parts(entries.encode(general), _general(oversight), tuple(made))


def _about(caution: entries.Notice, subject: entries.Disclosed) -> bool:
    """Whether a caution is about a record of this subject."""
    named = f"{caution.dataset}/{caution.record}@"
    return any(record.startswith(named) for each in subject.datasets for record in each.records)


def _refusal(told: entries.Refused, oversight: Oversight) -> Parts:
    declared = told.declaration
    general = msgspec.structs.replace(
        told, message="", declaration=entries.Declared(declared.purpose) if declared else None, subjects=[]
    )
    made = []
    for place, subject in enumerate(told.subjects):
        part = ToldOf(subject.kind, subject.scheme, subject.value, message=told.message)
        if declared is not None:
            part = msgspec.structs.replace(
                part,
                case=declared.case,
                document=declared.document,
                consent=declared.consent,
                reference=declared.reference,
            )
        made.append(_parts(part, _oversight_of(oversight, place)))
    return Parts(entries.encode(general), _general(oversight), tuple(made))


def _parts(told: ToldOf, oversight: bytes) -> SubjectParts:
    return SubjectParts(told.scheme, told.value, entries.encode(told), oversight)


def _general(oversight: Oversight) -> bytes:
    return entries.encode(
        Oversight(
            oversight.v,
            oversight.official,
            oversight.facts,
            actors=oversight.actors,
            secret_until=oversight.secret_until,
        )
    )


def _oversight_of(oversight: Oversight, place: int) -> bytes:
    withheld = [WithheldOf(each.record, each.restraint) for each in oversight.withheld if each.subject == place]
    denied = [field for each in oversight.denied if each.subject == place for field in each.fields]
    if not (withheld or denied or oversight.consents):
        return _EMPTY
    return entries.encode(OversightOf(withheld, denied, oversight.consents))


def read_told(side: Side) -> Told:
    """What a told side says; raises `ValueError` for a kind or version that this reader does not know."""
    told, bodies = entries.read_told(side.general.body), side.bodies
    if not bodies:
        return told
    parts = [_decoded(_TOLD_OF, body) for body in bodies]
    first = next(filter(None, parts), None)
    if isinstance(told, entries.Inquiry):
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
    if isinstance(told, entries.Refused):
        return msgspec.structs.replace(
            told,
            message=first.message if first else told.message,
            declaration=_declared(told.declaration, first) if told.declaration else None,
            subjects=[entries.Named(*(part.kind, part.scheme, part.value) if part else ("", "", "")) for part in parts],
        )
    if isinstance(told, entries.View) and first is not None:
        looked = msgspec.structs.replace(told.looked, scheme=first.scheme, value=first.value, case=first.case)
        return msgspec.structs.replace(told, looked=looked)
    if isinstance(told, entries.Hold | entries.ErasureRequest) and first is not None:
        return msgspec.structs.replace(told, scheme=first.scheme, value=first.value)
    return told


def read_oversight(side: Side) -> Oversight:
    """What an oversight side says; raises `ValueError` as `read_told` does."""
    oversight, bodies = entries.read_oversight(side.general.body), side.bodies
    if not bodies:
        return oversight
    withheld: list[entries.WithheldRecord] = []
    denied: list[entries.DeniedFields] = []
    consents: dict[str, None] = {}
    for place, part in enumerate(_decoded(_OVERSIGHT_OF, body) for body in bodies):
        if part is None:
            continue
        withheld += [entries.WithheldRecord(place, each.record, each.restraint) for each in part.withheld]
        if part.denied:
            denied.append(entries.DeniedFields(place, part.denied))
        consents |= dict.fromkeys(part.consents)
    if not (withheld or denied or consents):
        return oversight
    return msgspec.structs.replace(oversight, withheld=withheld, denied=denied, consents=tuple(consents))


def _declared(general: entries.Declared, part: ToldOf | None) -> entries.Declared:
    if part is None:
        return general
    return entries.Declared(general.purpose, part.case, part.document, part.consent, part.reference)


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes | None) -> _T | None:
    if body is None:
        return None
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"what it says of a subject is of a kind that this version does not know ({error})") from error
