"""What an entry says: typed, versioned, canonical JSON. Pure.

Each entry has two sides. `told` is what the requester was told and may show to others with its receipt; `oversight` is
what only oversight may open. Since version 2 each side is written in parts, one for each subject (`parts`), and the
structs here are what the parts make together. Canonical means: UTF-8, no white space, members in the order of the
structs, absent where they have their default. The committed bytes are what counts: nothing is ever encoded again to be
checked.

Formats only grow: a member may be added with a default, none is renamed, removed or given another meaning. A reader
ignores members that it does not know, so an old verifier reads a newer entry of the same version.

Times are RFC 3339 in UTC. Salts and digests are base64. A record is named `<dataset>/<record id>@<version>`.
"""

from __future__ import annotations

import datetime
from typing import TypeVar

import msgspec

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
    Reviewed,
    ShardChange,
    View,
    Who,
)
from gateway.ledger.entry.rights import (
    Acknowledgement,
    Activation,
    Change,
    Consent,
    Decided,
    Matter,
    Objection,
    OptOut,
    Recall,
    Restoration,
)

__all__ = [
    "ERASED",
    "NOTHING",
    "OWN",
    "VERSION",
    "VERSIONS",
    "Acknowledgement",
    "Act",
    "Activation",
    "Change",
    "Consent",
    "Data",
    "Dataset",
    "Decided",
    "Declared",
    "DeniedField",
    "DeniedFields",
    "Disclosed",
    "Duty",
    "Erasure",
    "ErasureRequest",
    "Gap",
    "Hold",
    "Inquiry",
    "Looked",
    "Matter",
    "Named",
    "NotReleased",
    "Notice",
    "Objection",
    "OfLedger",
    "Operation",
    "OptOut",
    "Oversight",
    "Recall",
    "Refused",
    "Restoration",
    "Reviewed",
    "ShardChange",
    "Told",
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


class Declared(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the operation declared of itself.

    `request` is a keyed digest of its document and variables, where it has a reference: it tells a retry from another
    question, and nobody without the ledger's key can find what was asked by trying.
    """

    purpose: str
    case: str | None = None
    document: str | None = None
    consent: str | None = None
    reference: str | None = None
    request: bytes = b""


class Named(msgspec.Struct, frozen=True):
    """A subject that the operation named; without a name, one that was erased."""

    kind: str
    scheme: str
    value: str


class Dataset(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was disclosed of one dataset: fields, and record versions in order; or the code of what kept it away."""

    dataset: str
    fields: tuple[str, ...]
    records: list[str] = []
    failure: str | None = None


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
    """Told: an inquiry that was answered. `errors` are the distinct codes that stood beside the data."""

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
        """Whether it counts: it could fetch."""
        return any(each.datasets for each in self.disclosed)


class Refused(Entered, frozen=True, tag="refusal"):
    """Told: an operation that was refused as a whole; nothing was disclosed.

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
    """A record that a restraint held back. `subject` is the position of the subject in what was told.

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


class Oversight(msgspec.Struct, frozen=True, omit_defaults=True):
    """The other part, of both kinds.

    `facts` is the change number of the facts that were decided from. `actors` acted before the official (RFC 8693).
    `consents` are the subjects' consents that the requester's permits rest on (Arts. 23-25), and `consents_of` the
    position of each one's subject, which version 1 does not tell. `secret_until` is when the subject may be told that
    it was made, where its purpose's law lets that be later (`gateway.ledger.entry.secrecy`). `keys` is of the ids of
    its subjects' keys (`leaf.keys_digest`), so that nothing is passed off as erased by the erasure of another.
    `by_subject`: a subject's own token asked; `broke_glass`: it is an emergency's, and opened a review at that time.
    Entries from before these members do not tell.
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


NOTHING = Oversight(VERSION)
"""The other side of what only says what was told."""

ERASED = Disclosed("", "", "", [])

Operation = Inquiry | Refused
"""What was asked of the gateway; everything else is an act, or what the ledger says of itself."""

Act = OnLedger | Matter
"""What was done beside inquiries."""

Told = Operation | Act | OfLedger

_Side = TypeVar("_Side", Told, Oversight)

_TOLD: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_OVERSIGHT: msgspec.json.Decoder[Oversight] = msgspec.json.Decoder(Oversight)

encode = msgspec.json.Encoder(order="deterministic").encode


def read_told(told: bytes) -> Told:
    """Read the general part of what was told; raises `ValueError` for a kind or version that is not known here."""
    return _known(_TOLD, told)


def read_oversight(oversight: bytes) -> Oversight:
    """Read the general part of the other side; raises `ValueError` as `read_told` does."""
    return _known(_OVERSIGHT, oversight)


def _known(decoder: msgspec.json.Decoder[_Side], part: bytes) -> _Side:
    try:
        found = decoder.decode(part)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the entry is of a kind that this version does not know ({error})") from error
    if found.v not in VERSIONS:
        raise ValueError(f"the entry is of version {found.v}; this version reads {' and '.join(map(str, VERSIONS))}")
    return found
