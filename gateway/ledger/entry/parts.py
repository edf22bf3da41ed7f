"""An entry taken apart, so that its part about one subject can be destroyed alone, and put together again. Pure.

What identifies a subject, or could lead to it, is in that subject's part: its name, what was disclosed or withheld and
of which records, the digest of the answer, the case, the papers, the caller's own words. The general part keeps who
asked, when, for which purpose, and what duties came with the answer. An entry that names no subject is all general.

Which members those are stands in `OF_SUBJECT`, a row for every kind. An inquiry and a refusal name several subjects,
and have what is about all of them in each one's part (`inquiry_parts`). Of every other kind, the subject's part is an
object of the members that are in its row, without those that have their default. Of every kind it names the subject by
`scheme` and `value`, so that a reader finds whom an entry is about even where it does not know its kind.

Invariant: what was taken apart and put together says the same; what was erased is left out, its place kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.ledger.entry import entries
from gateway.ledger.entry.entries import Known, Oversight, Told
from gateway.ledger.entry.inquiry_parts import (
    EMPTY,
    EntryParts,
    OversightOf,
    SubjectParts,
    ToldOf,
    merge_inquiry,
    merge_oversight,
    merge_refusal,
    split_inquiry,
    split_refusal,
)
from gateway.ledger.entry.unknown import whom
from gateway.ledger.proof.leaf import Side

__all__ = ["OF_SUBJECT", "EntryParts", "SubjectParts", "read_oversight", "read_told", "split"]

_T = TypeVar("_T")

_NAMED = ("scheme", "value")
_DECLARED = (
    "declaration.case", "declaration.document", "declaration.consent", "declaration.reference", "declaration.request",
    "declaration.recall",
)  # fmt: skip
_ACTED = (
    *_NAMED, "matter", "by", "proof", "dataset", "record", "version", "new_version", "access", "recipient", "purpose",
    "digest", "fields", "until", "reason", "remedy", "papers", "changes", "words",
    "inquiry", "records", "passed_on", "proof_kind",
)  # fmt: skip

OF_SUBJECT: dict[type[Known], tuple[str, ...]] = {
    entries.Inquiry: ("disclosed", "cautions", "data", *_DECLARED),
    entries.Refused: ("subjects", "message", *_DECLARED),
    entries.View: ("looked.scheme", "looked.value", "looked.case"),
    entries.Reviewed: (),
    entries.Hold: _NAMED,
    entries.ErasureRequest: _NAMED,
    entries.Erasure: (),
    entries.Pruned: (),
    entries.Acted: _ACTED,
    entries.Gap: (),
    entries.ShardChange: (),
    entries.NotReleased: (*_NAMED, "inquiry"),
}
"""Of each kind, the members that are in a subject's part. A member is only ever added: what was written in one part
stays there."""


class _Row(NamedTuple):
    """A row of an act, ready for use; `nothing` are the members' defaults, `said` reads them from an entry."""

    members: tuple[str, ...]
    nothing: tuple[Any, ...]
    said: attrgetter[tuple[Any, ...]]
    part: type[Any]
    decoder: msgspec.json.Decoder[Any]


def _row(kind: type[Known], members: tuple[str, ...]) -> _Row:
    found = [_field(kind, member) for member in members]
    fields = [(field.name, field.type, msgspec.field(**_default(field))) for field in found]
    part = msgspec.defstruct(f"{kind.__name__}Of", fields, frozen=True, omit_defaults=True)
    empty = part()
    nothing = tuple(getattr(empty, field.name) for field in found)
    return _Row(members, nothing, attrgetter(*members), part, msgspec.json.Decoder(part))


def _field(kind: type[Any], member: str) -> msgspec.structs.FieldInfo:
    head, _, rest = member.partition(".")
    field = next(field for field in msgspec.structs.fields(kind) if field.name == head)
    return _field(field.type, rest) if rest else field


def _default(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        return {"default_factory": field.default_factory}
    return {"default": field.default}


_ROWS = {
    kind: _row(kind, members)
    for kind, members in OF_SUBJECT.items()
    if members and kind not in (entries.Inquiry, entries.Refused)
}
_TOLD_OF = msgspec.json.Decoder(ToldOf)
_OVERSIGHT_OF = msgspec.json.Decoder(OversightOf)


def split(told: Known, oversight: Oversight = entries.NOTHING) -> EntryParts:
    """The parts of an entry."""
    if isinstance(told, entries.Inquiry) and told.disclosed:
        return split_inquiry(told, oversight)
    if isinstance(told, entries.Refused) and told.subjects:
        return split_refusal(told, oversight)
    row = _ROWS.get(type(told))
    if row is not None:
        part = row.part(*row.said(told))
        if part.value is not None:
            named = SubjectParts(part.scheme or "", part.value, entries.encode(part), EMPTY)
            general = _with(told, zip(row.members, row.nothing, strict=True))
            return EntryParts(entries.encode(general), entries.encode(oversight), (named,))
    return EntryParts(entries.encode(told), entries.encode(oversight))


def read_told(side: Side) -> Told:
    """The contents of a told side; raises `ValueError` for a version that this reader does not know, and damage."""
    told, bodies = entries.read_told(side.general.body), side.bodies
    if not bodies:
        return told
    if isinstance(told, entries.Unknown):
        return msgspec.structs.replace(told, subjects=whom(bodies))
    if isinstance(told, entries.Inquiry):
        return merge_inquiry(told, [_decoded(_TOLD_OF, body) for body in bodies])
    if isinstance(told, entries.Refused):
        return merge_refusal(told, [_decoded(_TOLD_OF, body) for body in bodies])
    row = _ROWS.get(type(told))
    part = _decoded(row.decoder, bodies[0]) if row else None
    if row is None or part is None:
        return told
    names = [member.rpartition(".")[2] for member in row.members]
    return _with(told, zip(row.members, [getattr(part, name) for name in names], strict=True))


def read_oversight(side: Side) -> Oversight:
    """The contents of an oversight side; raises `ValueError` as `read_told` does."""
    oversight, bodies = entries.read_oversight(side.general.body), side.bodies
    if not bodies:
        return oversight
    return merge_oversight(oversight, [_decoded(_OVERSIGHT_OF, body) for body in bodies])


def _with(struct: _T, values: Iterable[tuple[str, Any]]) -> _T:
    """The struct with these members; `a.b` is the member `b` of its member `a`."""
    own: dict[str, Any] = {}
    for member, value in values:
        head, _, rest = member.partition(".")
        own[head] = _with(own.get(head, getattr(struct, head)), [(rest, value)]) if rest else value
    replace: Any = msgspec.structs.replace
    made: _T = replace(struct, **own)
    return made


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes | None) -> _T | None:
    if body is None:
        return None
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"its part about a subject is of a form that this version does not know ({error})") from error
