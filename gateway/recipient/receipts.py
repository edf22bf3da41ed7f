"""The contents of a receipt: which records of whom an inquiry gave, for which purpose, and until when they may be
kept. Pure.

A receipt is text (c2sp.org/tlog-proof). Its second line, `extra`, holds what was told, in parts: a general one, and one
for each subject, which are JSON. How it is proven that the gateway signed it is not needed here, and is told in
`gateway/ledger/FORMAT.md`; `dutybound ledger verify-receipt` does it.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator
from typing import Any

import msgspec

HEADER = "c2sp.org/tlog-proof@v1"
_SIGNED = 68
"""The least bytes of a signature line: 4 that name the key, and an Ed25519 signature."""


class Record(msgspec.Struct, frozen=True):
    """A record that was received: the version of it, and which of its fields. Never a value."""

    kind: str
    scheme: str
    value: str
    dataset: str
    record: str
    version: str
    fields: tuple[str, ...]


class Received(msgspec.Struct, frozen=True):
    """What one inquiry gave; `delete_by` is the last day that its purpose lets it be kept."""

    inquiry: str
    at: datetime.datetime
    purpose: str
    delete_by: datetime.date | None
    records: tuple[Record, ...]


class _Declared(msgspec.Struct):
    purpose: str = ""


class _Duty(msgspec.Struct):
    type: str
    properties: dict[str, str] = {}


class _Dataset(msgspec.Struct):
    dataset: str
    fields: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


class _Subject(msgspec.Struct):
    kind: str = ""
    scheme: str = ""
    value: str = ""
    datasets: tuple[_Dataset, ...] = ()


class _General(msgspec.Struct):
    """Of version 1, whose only part has what version 2 has in its subjects' parts, `disclosed` as well."""

    kind: str
    id: str
    at: datetime.datetime
    declaration: _Declared | None = None
    obligations: tuple[_Duty, ...] = ()
    disclosed: tuple[_Subject, ...] = ()


def opened(text: str) -> Received | None:
    """What was received by a receipt; None for one that gave nothing (a refusal, an act).

    Raises `ValueError` that says what is wrong with it. A subject that was erased since is left out.
    """
    lines = text.split("\n", 2)
    if lines[0] != HEADER or len(lines) < 3 or not lines[1].startswith("extra "):
        raise ValueError(f"it is no receipt: it does not begin with `{HEADER}` and an `extra`")
    try:
        first, *others = _parts(base64.b64decode(lines[1][6:], validate=True))
        general = msgspec.json.decode(first, type=_General)
        if general.kind != "inquiry":
            return None
        subjects = general.disclosed or tuple(msgspec.json.decode(other, type=_Subject) for other in others)
        duties = [duty.properties.get("date", "") for duty in general.obligations if duty.type == "delete-by"]
        until = min(map(datetime.date.fromisoformat, filter(None, duties)), default=None)
        records = tuple(record for subject in subjects for record in _records(subject))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"it has what this client does not understand ({error})") from error
    declared = general.declaration or _Declared()
    return Received(general.id, general.at, declared.purpose, until, records)


def _parts(extra: bytes) -> Iterator[bytes]:
    """The open parts, the general one first; raises `ValueError`.

    Version 1 is `01 || salt (32) || digest (32) || the only part`. Version 2 is `02 || digest (32)`, then of each part
    `01 || salt (32) || length (4, big-endian) || bytes`, or, of a subject that was erased, `00 || digest (32)`.
    """
    if extra[:1] == b"\x01":
        yield extra[65:]
        return
    if extra[:1] != b"\x02":
        raise ValueError("it is of a version that this client does not know")
    at, opens = 33, False
    while at < len(extra):
        kind, at = extra[at], at + 33
        if kind == 1:
            end = at + 4 + int.from_bytes(extra[at : at + 4], "big")
            if end > len(extra):
                raise ValueError("it is cut short")
            yield extra[at + 4 : end]
            at, opens = end, True
        elif kind != 0 or not opens:
            raise ValueError("it has a part of an unknown kind")
    if at != len(extra) or not opens:
        raise ValueError("it is cut short")


def _records(subject: _Subject) -> Iterator[Record]:
    for dataset in subject.datasets:
        for name in dataset.records:
            before, at, version = name.rpartition("@")
            if not at or not before.startswith(f"{dataset.dataset}/"):
                raise ValueError("it names a record in a way that this client does not know")
            record = before.removeprefix(f"{dataset.dataset}/")
            yield Record(subject.kind, subject.scheme, subject.value, dataset.dataset, record, version, dataset.fields)


def within(text: str) -> str:
    """The receipt in a file: the file itself, an answer (`extensions.inquiry.receipt`) or its `extensions.inquiry`.

    Raises `ValueError`, also where the receipt's end is missing: it would prove nothing.
    """
    if text.startswith(HEADER):
        return _whole(text)
    try:
        found: Any = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("it is neither a receipt nor an answer") from error
    for name in ("extensions", "inquiry"):
        found = found.get(name, found) if isinstance(found, dict) else None
    receipt = found.get("receipt") if isinstance(found, dict) else None
    if not isinstance(receipt, str):
        raise ValueError("it has no `extensions.inquiry.receipt`")
    return _whole(receipt)


def _whole(receipt: str) -> str:
    """The receipt, whose last line is a signature: `— `, a name, and base64 of 4 bytes and what signs (64 or more)."""
    ends = receipt.rpartition("\n\n")[2].split("\n")[-2:]
    parts = ends[0].split(" ")
    try:
        signed = len(ends) == 2 and ends[1] == "" and parts[0] == "—" and len(parts) == 3
        if signed and len(base64.b64decode(parts[2], validate=True)) >= _SIGNED:
            return receipt
    except ValueError:
        pass
    raise ValueError("it is cut short: its last line is not a whole signature; get the receipt again")
