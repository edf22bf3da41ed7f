"""What the projections take from one entry. Pure.

`gateway.ledger.projections.projector` reads entries in order and keeps what this gives. A subject is the id of its key
in that entry's shard; in entries of version 1, which have no keys, every subject is `WITHOUT_KEY`.

An entry that was decided from facts older than a change may still become durable after it. `raced` finds those: the
changes, among facts that the projector reads after the entry, that concern what the entry disclosed and that its facts
did not know. Why that is enough stands in `gateway.ledger.projections.recipients`.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gateway.ledger.entry import describe, entries
from gateway.values import is_name

WITHOUT_KEY = 0
NEVER = 1 << 62
UNENDING, UNKNOWN = (1 << 31) - 1, -(1 << 31)
NO_OFFICIAL = ""
CHANGES = frozenset(["change-reported", "change-confirmed", "change-declined"])
"""The acts that a subject is shown among those who looked: what became of its records."""
RECALLS = frozenset(["recalled", "acknowledged"])
"""The acts by which a subject is shown who was told that what it received is to be used no more, and who answered."""
AT_COUNTER = frozenset(
    ["consent-granted", "consent-revoked", "consent-declined", "objection-filed", "restoration-filed",
     "matter-withdrawn", "opt-out-set", "opt-out-lifted"]
)  # fmt: skip
"""The acts that it is shown too where a department's counter did them for it; what it did itself it knows."""
_OPERATION = (entries.Inquiry, entries.Refused)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)

_terms: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, object])


class Share(NamedTuple):
    """What an answer disclosed of one dataset of a subject. `records` are `<record id>@<version>`.

    `until` and `since` say how long these may be displayed, as `entries.Dataset` has them.
    """

    dataset: str
    fields: tuple[str, ...]
    records: tuple[str, ...]
    until: tuple[int | None, ...] = ()
    since: tuple[int | None, ...] = ()

    @property
    def displays(self) -> list[tuple[int | None, int | None]]:
        """Of each record, the last day of its display and the first, in days since 1970-01-01; None: it is not
        known."""
        return entries.displays(len(self.records), self.until, self.since)


class Given(NamedTuple):
    """What an answer disclosed of the subject at `place`; `shares` as they are stored (`decode`)."""

    place: int
    scheme: str
    value: str
    shares: bytes


_encode = msgspec.json.Encoder().encode
_shares: msgspec.json.Decoder[list[Share]] = msgspec.json.Decoder(list[Share])


class Count(NamedTuple):
    """What an inquiry is counted by, with the places of its subjects. `at` is when it was answered, in microseconds."""

    id: str
    at: int
    purpose: str
    official: str | None
    case: str | None
    reference: str | None
    request: bytes
    subjects: Sequence[tuple[int, str, str]]


class Disclosing(Protocol):
    """What an answer disclosed of one dataset, as `entries.Dataset` has it, whose `fields` need only be encoded."""

    @property
    def dataset(self) -> str: ...
    @property
    def fields(self) -> object: ...
    @property
    def records(self) -> list[str]: ...
    @property
    def until(self) -> list[int | None]: ...
    @property
    def since(self) -> list[int | None]: ...


class Purposeful(Protocol):
    """Something with a purpose, as `entries.Declared`."""

    @property
    def purpose(self) -> str: ...


class Answered(Protocol):
    """An inquiry, as far as it is counted."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> datetime.datetime: ...
    @property
    def declaration(self) -> Purposeful: ...


class Declaring(Protocol):
    """What an inquiry declared of itself, as far as it is counted by that."""

    @property
    def case(self) -> str | None: ...
    @property
    def reference(self) -> str | None: ...
    @property
    def request(self) -> bytes: ...


class FactChange(Protocol):
    """A fact and the numbers of its changes, as `gateway.storage.projections.projecting.Changed` has it."""

    @property
    def change(self) -> int: ...
    @property
    def ended(self) -> int | None: ...
    @property
    def dataset(self) -> str | None: ...
    @property
    def record(self) -> str | None: ...
    @property
    def fields(self) -> str | None: ...


def subjects_of(told: entries.Told) -> set[tuple[str, str] | None]:
    """The subjects that an entry names, as (scheme, value)."""
    return set(describe.subjects(told))


def looked_at(told: entries.Told | None, keys: Sequence[int], erased: Sequence[int]) -> list[int]:
    """The subjects that an entry names, without those that were erased; `told` of version 2 need not be open."""
    if keys or told is None:
        return sorted(set(keys) - set(erased))
    return [WITHOUT_KEY] if subjects_of(told) - {None} else []


def visible(told: entries.Told | None, oversight: entries.Oversight | None, at: int) -> int | None:
    """From when (microseconds) the subjects of an entry of this time are shown it; None: at once; `NEVER`: not at all.

    What is shown is listed: inquiries, refusals, looks into what entries say, changes of records, their recalls, and
    what was done for it at a counter. What is secret is shown once its secrecy ends (Art. 42), whatever it is.
    """
    shown = isinstance(told, _OPERATION) or (isinstance(told, entries.View) and bool(told.parts))
    if isinstance(told, entries.Acted):
        shown = told.what in CHANGES or told.what in RECALLS or at_counter(told)
    return NEVER if oversight is None or not shown else visible_to_it(oversight, at)


def visible_to_it(oversight: entries.Oversight, at: int) -> int | None:
    """As `visible`, of an entry that is shown."""
    if oversight.secret_until is None:
        return None
    ends = (oversight.secret_until - _EPOCH) // _MICROSECOND
    return ends if ends > at else None


def at_counter(told: entries.Told | None) -> bool:
    """Whether a department's counter did it for the subject: then it records how the visitor was identified."""
    return isinstance(told, entries.Acted) and told.what in AT_COUNTER and bool(told.proof)


def named(told: entries.Told | None) -> int | None:
    """A digest of an entry's id, to find it by among those about one subject."""
    return None if told is None else digest(told.id)


def digest(id_: str) -> int:
    """Of an entry's id: 63 bits."""
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=8).digest()) >> 1


def given(told: entries.Told | None) -> list[Given]:
    """What an answer disclosed, where it disclosed any record; nothing of a subject that was erased.

    Nor what was shown to everybody: nobody is its recipient, so that there is nobody to recall it from.
    """
    if not isinstance(told, entries.Inquiry) or told.requester.issuer == entries.EVERYBODY:
        return []
    found = []
    for place, subject in enumerate(told.disclosed):
        if shares := shares_of(subject.datasets):
            found.append(Given(place, subject.scheme, subject.value, shares))
    return found


def shares_of(datasets: Iterable[Disclosing]) -> bytes:
    """What was disclosed of a subject, as `decode` reads it; empty where no record was."""
    shares: list[tuple[object, ...]] = []  # as `Share`s are encoded
    for each in datasets:
        if each.records:
            start = len(each.dataset) + 1
            days = (each.until, each.since) if each.until or each.since else ()
            shares.append((each.dataset, each.fields, [record[start:] for record in each.records], *days))
    return _encode(shares) if shares else b""


def displays(shares: Iterable[Share]) -> Iterator[tuple[str, int, int]]:
    """How long what was disclosed may be displayed: dataset, last day and first, in days since 1970-01-01.

    `UNENDING` stands for a last day that there is not, `UNKNOWN` for a first that is not told.
    """
    for share in shares:
        for day, first in dict.fromkeys(share.displays):
            if day is not None or first is not None:
                yield share.dataset, UNENDING if day is None else day, UNKNOWN if first is None else first


def count(told: entries.Told | None, oversight: entries.Oversight | None) -> Count | None:
    """What an inquiry counts, of those of its subjects that were not erased; None where it does not count."""
    if not isinstance(told, entries.Inquiry) or oversight is None or not told.counted:
        return None
    named = [(place, each.scheme, each.value) for place, each in enumerate(told.disclosed) if each != entries.ERASED]
    return count_of(told, told.declaration, oversight, named)


def count_of(
    told: Answered, declared: Declaring, oversight: entries.Oversight, named: Iterable[tuple[int, str, str]]
) -> Count:
    """What an inquiry that counts is counted by; `named` are place, scheme and value of its subjects."""
    places = {(scheme, value): place for place, scheme, value in named}
    subjects = [(place, *subject) for subject, place in places.items()]
    return Count(
        *(told.id, (told.at - _EPOCH) // _MICROSECOND, told.declaration.purpose, oversight.official),
        *(declared.case, declared.reference, declared.request, subjects),
    )


def not_released(told: entries.Told | None, shard: str) -> int | None:
    """The index, in the shard of this name, of the entry whose disclosure did not leave, where this entry records
    that."""
    if not isinstance(told, entries.NotReleased):
        return None
    name, _, index = told.entry.rpartition("-")
    return int(index) if name == shard and index.isdecimal() else None


def decode(shares: bytes) -> list[Share]:
    """Shares, as they are stored, one for each dataset."""
    return _shares.decode(shares)


def purpose(told: entries.Told | None) -> str | None:
    """What was asked for; None where nothing was, or no purpose was declared."""
    if not isinstance(told, _OPERATION) or told.declaration is None:
        return None
    return told.declaration.purpose


def official(told: entries.Told | None, oversight: entries.Oversight | None) -> str | None:
    """Who asked for a requester, `NO_OFFICIAL` where nobody is named; None where a subject asked, or nobody did.

    Nor whom no token can name any more (`is_name`): nobody can ask for theirs, and a store may not take the name.
    """
    return None if oversight is None or not isinstance(told, _OPERATION) else asked_by(oversight)


def asked_by(oversight: entries.Oversight) -> str | None:
    """As `official`, of an inquiry."""
    if oversight.by_subject:
        return None
    named = oversight.official or NO_OFFICIAL
    return named if named == NO_OFFICIAL or is_name(named) else None


def is_of(record: str, id_: str, version: str | None = None) -> bool:
    """Whether `<record id>@<version>` is a record, in that version or in any.

    An id may have an `@` of its own: then more may fit than is meant, never less.
    """
    return record == f"{id_}@{version}" if version is not None else record.startswith(f"{id_}@")


def raced(share: Share, facts: int, changes: Iterable[FactChange]) -> set[int]:
    """The numbers of the changes about its subject that concern a share and are later than the facts it rests on."""
    found: set[int] = set()
    for each in changes:
        if _concerns(each, share):
            found |= {number for number in (each.change, each.ended) if number is not None and number > facts}
    return found


def _concerns(change: FactChange, share: Share) -> bool:
    if change.fields is not None:  # a consent
        return share.dataset in _terms.decode(change.fields)
    if change.dataset is not None and change.dataset != share.dataset:
        return False
    return change.record is None or any(is_of(record, change.record) for record in share.records)
