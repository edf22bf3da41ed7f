"""What an entry records: typed, versioned, canonical JSON. Pure.

Each entry has two sides. `told` is what the requester was told and may show to others with its receipt; `oversight` is
what only oversight may open. Since version 2 each side is written in parts, one for each subject (`parts`), and the
structs here are what the parts make together. Canonical means: UTF-8, no white space, members in the order of the
structs, absent where they have their default. The committed bytes are what counts: nothing is ever encoded again to be
checked.

Formats only grow: a member may be added with a default, none is renamed, removed or given another meaning. A reader
ignores members that it does not know, so an old verifier reads a newer entry of the same version; of a kind that it
does not know it reads what all kinds have (`unknown`).

Times are RFC 3339 in UTC. Salts and digests are base64. A record is named `<dataset>/<record id>@<version>`.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar, get_args

import msgspec

from gateway.ledger.entry.acts import Acted, Paper
from gateway.ledger.entry.operators import (
    OWN,
    Entered,
    Erasure,
    ErasureRequest,
    Gap,
    Hold,
    Looked,
    NotReleased,
    OfLedger,
    OnLedger,
    Pruned,
    Reviewed,
    ShardChange,
    View,
    Who,
)
from gateway.ledger.entry.unknown import Unknown
from gateway.ledger.entry.unknown import read as read_unknown

__all__ = [
    "ERASED",
    "EXPIRED",
    "NOTHING",
    "OWN",
    "VERSION",
    "VERSIONS",
    "Acted",
    "Data",
    "Dataset",
    "DecidedOn",
    "Declared",
    "DeniedField",
    "DeniedFields",
    "Disclosed",
    "Done",
    "Duty",
    "Erasure",
    "ErasureRequest",
    "Gap",
    "Hold",
    "Inquiry",
    "Known",
    "Looked",
    "Named",
    "NotReleased",
    "Notice",
    "OfLedger",
    "Operation",
    "Oversight",
    "Paper",
    "Pruned",
    "Refused",
    "Reviewed",
    "ShardChange",
    "Told",
    "Unknown",
    "View",
    "Who",
    "WithheldRecord",
    "encode",
    "read_oversight",
    "read_told",
]

VERSION = 2
VERSIONS = (1, 2)
"""What can be read."""
EVERYBODY = "public"
"""Whose inquiries need no token: the issuer of their requester, which no issuer of tokens may be called."""


class Declared(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the operation declared of itself.

    `request` is a keyed digest of its document and variables, where it has a reference: it tells a retry from another
    question, and nobody without the ledger's key can find what was asked by trying. `recall` is the id of the one whose
    correction was fetched.
    """

    purpose: str
    case: str | None = None
    document: str | None = None
    consent: str | None = None
    reference: str | None = None
    request: bytes = b""
    recall: str | None = None


class Named(msgspec.Struct, frozen=True):
    """A subject that the operation named; without a name, one that was erased."""

    kind: str
    scheme: str
    value: str


class Dataset(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was disclosed of one dataset: fields, and record versions in order; or the code of what kept it away.

    `until` has the last day of display of each record, in days since 1970-01-01; nothing where none of them ends.
    `since` has how many days before that the display of each began, and of a record without an end the day itself; one
    number where it is the same for all, nothing where no record has one. A period that is shortened later counts from
    there too.
    Entries from before these members do not tell.
    """

    dataset: str
    fields: tuple[str, ...]
    records: list[str] = []
    failure: str | None = None
    until: list[int | None] = []
    since: list[int | None] = []

    @property
    def displays(self) -> list[tuple[int | None, int | None]]:
        """Of each record, the last day of its display and the first, in days since 1970-01-01; None: it is not
        known."""
        return displays(len(self.records), self.until, self.since)


def displays(
    count: int, until: Sequence[int | None], since: Sequence[int | None]
) -> list[tuple[int | None, int | None]]:
    """Of so many records the last day of display and the first, by `Dataset.until` and `Dataset.since`."""
    none: Sequence[int | None] = [None] * count
    apart = [*since] * count if len(since) == 1 else since or none
    pairs = zip(until or none, apart, strict=False)
    return [(day, days if day is None or days is None else day - days) for day, days in pairs]


def began(until: Sequence[int | None], since: Sequence[int | None]) -> list[int | None]:
    """`Dataset.since`, of records that are displayed until these days and since those (in days since 1970-01-01)."""
    days: list[int | None]
    try:
        days = [*map(operator.sub, until, since)] if until else [*since]
    except TypeError:  # of some, a day is not known
        days = [day if day is None or end is None else end - day for end, day in zip(until, since, strict=True)]
    return days[:1] if len(set(days)) == 1 else days


class Disclosed(msgspec.Struct, frozen=True):
    """What was disclosed about one subject; `ERASED` in the place of one that was erased."""

    kind: str
    scheme: str
    value: str
    datasets: list[Dataset]


class Duty(msgspec.Struct, frozen=True):
    """An obligation on the answer."""

    id: str
    type: str
    properties: dict[str, str]


class Notice(msgspec.Struct, frozen=True):
    """A caution on the answer: a record that is disputed, or carries mitigation."""

    dataset: str
    record: str
    disputed: bool
    mitigation: str | None


class Data(msgspec.Struct, frozen=True):
    """The answer's `data` member: `leaf.data_digest(salt, bytes)`; empty where every subject was erased."""

    salt: bytes = b""
    sha256: bytes = b""


class Inquiry(Entered, frozen=True, tag="inquiry"):
    """Entered: an inquiry that was answered. `errors` are the distinct codes that stood beside the data."""

    grant: str | None
    declaration: Declared
    rule_set: str
    obligations: list[Duty]
    disclosed: list[Disclosed] = msgspec.field(default_factory=list)
    data: Data = Data()
    cautions: list[Notice] = msgspec.field(default_factory=list)
    errors: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether it counts: it could fetch, and was neither the fetch of a correction nor an open one."""
        if self.requester.issuer == EVERYBODY:
            return False
        return self.declaration.recall is None and any(each.datasets for each in self.disclosed)


class Refused(Entered, frozen=True, tag="refusal"):
    """Entered: an operation that was refused as a whole; nothing was disclosed.

    `retryable` where it was not the inquiry that was at fault: a case registry out of reach. `message` is empty where
    it was erased, or could quote an identifier that was not understood as one.
    """

    rule_set: str
    code: str
    message: str
    grant: str | None = None
    declaration: Declared | None = None
    subjects: list[Named] = msgspec.field(default_factory=list)
    retryable: bool = False


class WithheldRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that a restraint held back. `subject` is the position of the subject in what was disclosed.

    `faulty`: its department gave a value in it that cannot be used, which nobody else was told.
    """

    subject: int
    record: str
    restraint: str
    faulty: bool = False

    @property
    def why(self) -> str:
        """The restraint, in words for oversight."""
        return f"{self.restraint}; faulty" if self.faulty else self.restraint


class DeniedField(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field that was not permitted, and why."""

    dataset: str
    field: str
    reason: str | None
    rule: str | None = None


class DeniedFields(msgspec.Struct, frozen=True):
    """One subject's denied fields, of the datasets that the operation selects."""

    subject: int
    fields: list[DeniedField]


EXPIRED = 64
"""The flag of a token whose time had run out, beside those of a decision's key."""


class DecidedOn(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the decision for one subject rests on, beside the rule set, the requester, the purpose and the time.

    With the fields that were told and denied it is enough to decide again. `selected` has those that were selected,
    sorted, of each dataset of which the told and the denied ones together are not these. `bare` has a bit for each
    selected dataset, by name, from the lowest: whether `record` or the type was selected too. `flags` are those of a
    decision's key (`gateway.rules.model.Flag`) for all of the subject's datasets: 4 case, 8 official, 16 step-up, 32
    break-glass; and 64, the token had expired. No scope covers the datasets `unscoped`, the token's narrowing leaves
    out the `narrowed`, and consents cover the `consented`: these fields, or all (`null`). The grant is suspended for
    the `suspended`, until the recall that is named is answered.
    """

    subject: int
    flags: int
    bare: int = 0
    selected: dict[str, tuple[str, ...]] = {}
    unscoped: tuple[str, ...] = ()
    narrowed: tuple[str, ...] = ()
    consented: dict[str, tuple[str, ...] | None] = {}
    suspended: dict[str, str] = {}


class Oversight(msgspec.Struct, frozen=True, omit_defaults=True):
    """The other part, of both kinds.

    `facts` is the change number of the facts that were decided from. `actors` acted before the official (RFC 8693).
    `consents` are the subjects' consents that the requester's permits rest on (Arts. 23-25), and `consents_of` the
    position of each one's subject, which version 1 does not tell. `secret_until` is when the subject may be told that
    it was made, where its purpose's law lets that be later (`gateway.ledger.entry.secrecy`). `keys` is of the ids of
    its subjects' keys (`leaf.keys_digest`), so that nothing is passed off as erased by the erasure of another.
    `by_subject`: a subject's own token asked; `broke_glass`: it is an emergency's, and opened a review at that time.
    `decided` is what each subject's decision rests on, where one was made. `by` is the human who asked as the subject,
    or for an organisation. Entries from before these members do not tell.
    """

    v: int
    official: str | None = None
    facts: int | None = None
    withheld: list[WithheldRecord] = []
    denied: list[DeniedFields] = []
    actors: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    secret_until: datetime.datetime | None = None
    consents_of: tuple[int, ...] = ()
    keys: bytes = b""
    by_subject: bool = False
    broke_glass: datetime.datetime | None = None
    decided: list[DecidedOn] = []
    by: str = ""


NOTHING = Oversight(VERSION)
"""The other side of what only says what was told."""

ERASED = Disclosed("", "", "", [])

Operation = Inquiry | Refused
"""What was asked of the gateway; everything else was done, or is what the ledger says of itself."""

Done = OnLedger | Acted
"""What was done beside inquiries: to the ledger, or by an act."""

Known = Operation | Done | OfLedger
"""Every kind that this version writes or ever wrote."""

Told = Known | Unknown

_Read = TypeVar("_Read", bound=Told | Oversight)

_KINDS: dict[str, type[Any]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Known)}
_TOLD: msgspec.json.Decoder[Known] = msgspec.json.Decoder(Known)
_OVERSIGHT: msgspec.json.Decoder[Oversight] = msgspec.json.Decoder(Oversight)

encode = msgspec.json.Encoder(order="deterministic").encode


def read_told(told: bytes) -> Told:
    """Read the general part of a told side; raises `ValueError` for a version that is not known here, and damage."""
    try:
        return _of_version(_TOLD.decode(told))
    except (msgspec.MsgspecError, RecursionError) as error:
        unknown = read_unknown(told, _KINDS)
        return _of_version(unknown) if unknown is not None else _unread(error)


def read_oversight(oversight: bytes) -> Oversight:
    """Read the general part of the other side, of whatever kind; raises `ValueError` as `read_told` does."""
    try:
        return _of_version(_OVERSIGHT.decode(oversight))
    except (msgspec.MsgspecError, RecursionError) as error:
        return _unread(error)


def _of_version(found: _Read) -> _Read:
    if found.v not in VERSIONS:
        raise ValueError(f"the entry is of version {found.v}; this version reads {' and '.join(map(str, VERSIONS))}")
    return found


def _unread(error: Exception) -> NoReturn:
    raise ValueError(f"the entry is of a form that this version does not know ({error})") from error
