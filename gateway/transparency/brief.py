"""What the transparency report counts of an inquiry's entry, read without the rest of it. Pure.

Most entries are inquiries, and nearly all of what they hold is the records that were disclosed.

Invariant: it says the same of an entry as the whole of it does (tested). Of any other kind or version it says nothing,
and the whole is to be read.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec

from gateway.ledger.entry import entries

_Moment = Annotated[datetime.datetime, msgspec.Meta(tz=True)]


class Asked(NamedTuple):
    """An inquiry. `refused` is the code by which it was refused as a whole, None where it was answered.

    `denied` are the reasons of fields that were denied, each once.
    """

    at: datetime.datetime
    secret_until: datetime.datetime | None
    department: str
    purpose: str
    refused: str | None
    denied: frozenset[str]


class _Whose(msgspec.Struct):
    department: str = ""


class _For(msgspec.Struct):
    purpose: str


class _Answered(msgspec.Struct, tag_field="kind", tag="inquiry"):
    v: int
    at: _Moment
    requester: _Whose
    declaration: _For | None = None


class _Refused(msgspec.Struct, tag_field="kind", tag="refusal"):
    v: int
    at: _Moment
    requester: _Whose
    code: str
    declaration: _For | None = None


class _Denied(msgspec.Struct):
    reason: str | None = None


class _DeniedFields(msgspec.Struct):
    fields: list[_Denied]


class _Oversight(msgspec.Struct):
    v: int
    secret_until: _Moment | None = None
    denied: list[_DeniedFields] = []


class _OversightOf(msgspec.Struct):
    denied: list[_Denied] = []


_TOLD = msgspec.json.Decoder(_Answered | _Refused)
_OVERSIGHT = msgspec.json.Decoder(_Oversight)
_OVERSIGHT_OF = msgspec.json.Decoder(_OversightOf)


def read(told: bytes, oversight: bytes, of_subjects: Iterable[bytes | None]) -> Asked | None:
    """The inquiry of an entry's two general parts; None where it is no inquiry of this version.

    `of_subjects` is what oversight has of each subject, None of one that was erased.
    """
    try:
        asked, general = _TOLD.decode(told), _OVERSIGHT.decode(oversight)
        parts = [_OVERSIGHT_OF.decode(each).denied for each in of_subjects if each is not None]
    except (msgspec.MsgspecError, RecursionError):
        return None
    if asked.v != entries.VERSION or general.v != entries.VERSION:
        return None
    denied = [each.fields for each in general.denied] + parts
    return Asked(
        asked.at,
        general.secret_until,
        asked.requester.department,
        asked.declaration.purpose if asked.declaration is not None else "",
        asked.code if isinstance(asked, _Refused) else None,
        frozenset([field.reason for fields in denied for field in fields if field.reason]),
    )


def of(told: entries.Operation, oversight: entries.Oversight) -> Asked:
    """The same, of an inquiry's entry that was read whole."""
    return Asked(
        told.at,
        oversight.secret_until,
        told.requester.department,
        told.declaration.purpose if told.declaration is not None else "",
        told.code if isinstance(told, entries.Refused) else None,
        frozenset([each.reason for subject in oversight.denied for each in subject.fields if each.reason]),
    )
