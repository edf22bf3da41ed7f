"""What the projections take from an answered inquiry, read without the rest of it: nearly every entry is one.

Of its parts only those members are decoded that something is taken from. It gives what `seen.seen_of` gives of the same
entry opened whole (`tests/ledger/projections/test_quick.py`), or nothing: of another kind, of one that was erased in
part, and of one that does not open or is not of that form. Whoever reads these whole finds out what is wrong. What is
wrong in a member that nothing is taken from is for `ledger verify` to find.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.projections.extract import Given
from gateway.ledger.stored.encryption import OVERSIGHT, TOLD, Segment, told_of_subject, unseal
from gateway.ledger.stored.read import SubjectKey
from gateway.storage.tables import SHARD_BITS

_INQUIRY = b'{"kind":"inquiry",'
"""How each begins, as it is written."""


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What the projections take from one entry; nothing else of it is kept while a batch is read.

    `by` is the requester (issuer, client), None where its period's key was destroyed; `looked` are the subjects that it
    names, and `visible` when they are shown it; `taken_back` says that an earlier answer was not released; `others`
    that others than the subject itself were told.
    """

    id: int
    at: int
    keys: tuple[int, ...]
    looked: Sequence[int]
    by: tuple[str, str] | None
    facts: int | None
    given: Sequence[extract.Given]
    purpose: str | None
    official: str | None
    taken_back: entries.NotReleased | None
    counts: extract.Count | None
    visible: int | None
    named: int | None
    others: bool = False


class _Who(msgspec.Struct, frozen=True, gc=False):
    issuer: str
    client: str


class _Declared(msgspec.Struct, frozen=True, gc=False):
    purpose: str


class _Inquiry(msgspec.Struct, frozen=True, tag_field="kind", tag="inquiry"):
    """The general part of `entries.Inquiry`, as far as anything is taken from it."""

    v: int
    id: str
    at: datetime.datetime
    requester: _Who
    declaration: _Declared


class _Dataset(msgspec.Struct, frozen=True):
    """An `entries.Dataset`, its fields as they are written."""

    dataset: str
    fields: msgspec.Raw
    records: list[str] = []
    until: list[int | None] = []
    since: list[int | None] = []


class _Subject(msgspec.Struct, frozen=True):
    """A subject's part, as far as anything is taken from it; its datasets as they are written."""

    scheme: str
    value: str
    case: str | None = None
    reference: str | None = None
    request: bytes = b""
    recall: str | None = None
    datasets: msgspec.Raw = msgspec.Raw(b"[]")


_INQUIRIES = msgspec.json.Decoder(_Inquiry)
_SUBJECTS = msgspec.json.Decoder(_Subject)
_DATASETS = msgspec.json.Decoder(list[_Dataset])
_checked = functools.lru_cache(maxsize=1024)(msgspec.json.Decoder(tuple[str, ...]).decode)
"""Fields of a dataset, which are the same again and again."""


class Quick:
    """Reads entries of one snapshot. `keys` are those of subjects that are there, by their ids."""

    def __init__(self, keys: dict[int, SubjectKey], ciphers: dict[int, AESGCM]) -> None:
        self._keys, self._ciphers = keys, ciphers
        self._disclosed: dict[bytes, tuple[bytes, bool]] = {}

    def seen(self, row: tuple[Any, ...], laid: Sequence[Segment] | None) -> Seen | None:
        """What is taken from the entry of a row (`statements.ENTRIES`), whose segments are `laid`; None: read it
        whole."""
        if not laid or row[8] is None or row[9] != row[0] >> SHARD_BITS:
            return None
        try:
            return self._seen(row, laid)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def _seen(self, row: tuple[Any, ...], laid: Sequence[Segment]) -> Seen | None:
        id_, at, _, period, sealed, of_oversight, _, _, secret, _ = row
        cipher = self._ciphers.get(period) or self._ciphers.setdefault(period, AESGCM(secret))
        general = unseal(cipher, sealed, TOLD, id_).body
        if not general.startswith(_INQUIRY):
            return None
        told = _INQUIRIES.decode(general)
        oversight = entries.read_oversight(unseal(cipher, of_oversight, OVERSIGHT, id_).body)
        if told.v not in entries.VERSIONS:
            return None
        parts = [
            _SUBJECTS.decode(told_of_subject(self._keys[segment.key][0], segment, id_, place))
            for place, segment in enumerate(laid)
        ]
        if "" in [part.value for part in parts]:
            return None
        by, declared = told.requester, parts[0]
        disclosed = [self._shares(bytes(part.datasets)) for part in parts]
        named = [(place, part.scheme, part.value) for place, part in enumerate(parts)]
        to_somebody = by.issuer != entries.EVERYBODY
        given = [Given(*of, shares) for of, (shares, _) in zip(named, disclosed, strict=True) if shares and to_somebody]
        counts = to_somebody and declared.recall is None and True in [several for _, several in disclosed]
        keys = [segment.key for segment in laid]
        return Seen(
            *(id_, at, tuple(keys), keys if len(keys) == 1 else sorted(set(keys)), (by.issuer, by.client)),
            *(oversight.facts, given, told.declaration.purpose, extract.asked_by(oversight), None),
            extract.count_of(told, declared, oversight, named) if counts else None,
            *(extract.visible_to_it(oversight, at), extract.digest(told.id), not oversight.by_subject),
        )

    def _shares(self, datasets: bytes) -> tuple[bytes, bool]:
        """What a part gives `received`, and whether it has any dataset; read once where entries disclosed the same."""
        found = self._disclosed.get(datasets)
        if found is None:
            several = _DATASETS.decode(datasets)
            for each in several:
                _checked(bytes(each.fields))
            found = self._disclosed[datasets] = extract.shares_of(several), bool(several)
        return found
