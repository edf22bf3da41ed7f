"""What an entry says: typed, versioned, canonical JSON. Pure.

Each entry has two parts. `told` is what the requester was told and may show to others with its receipt; `oversight` is
what only oversight may open. Canonical means: UTF-8, no white space, members in the order of the structs below, absent
where they have their default. The committed bytes are what counts: nothing is ever encoded again to be checked.

Formats only grow: a member may be added with a default, none is renamed, removed or given another meaning. A reader
ignores members that it does not know, so an old verifier reads a newer entry of the same version.

Times are RFC 3339 in UTC. Salts and digests are base64. A record is named `<dataset>/<record id>@<version>`.
"""

from __future__ import annotations

import datetime
from typing import Literal, TypeVar

import msgspec

VERSION = 1


class Who(msgspec.Struct, frozen=True, omit_defaults=True):
    """The requester: a client of an issuer, and the department that it belongs to."""

    issuer: str
    client: str
    department: str = ""


class Declared(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the operation declared of itself."""

    purpose: str
    case: str | None = None
    document: str | None = None
    consent: str | None = None
    reference: str | None = None


class Named(msgspec.Struct, frozen=True):
    """A subject that the operation named."""

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
    """What was disclosed about one subject."""

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
    """The answer's `data` member: `leaf.data_digest(salt, bytes)`."""

    salt: bytes
    sha256: bytes


class Inquiry(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="inquiry"):
    """Told: an inquiry that was answered. `errors` are the distinct codes that stood beside the data."""

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    grant: str | None
    declaration: Declared
    rule_set: str
    obligations: list[Duty]
    disclosed: list[Disclosed]
    data: Data
    cautions: list[Notice] = []
    errors: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="refusal"):
    """Told: an operation that was refused as a whole; nothing was disclosed.

    `retryable` where it was not the inquiry that was at fault: a case registry out of reach.
    """

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    rule_set: str
    code: str
    message: str
    grant: str | None = None
    declaration: Declared | None = None
    subjects: list[Named] = []
    retryable: bool = False


class Looked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was looked at: the entries that fit all of what is set; `until` is the first moment after them.

    `finding` names a finding of the watch, whose entries were opened.
    """

    scheme: str | None = None
    value: str | None = None
    case: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    finding: str | None = None


class View(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="view"):
    """Told: somebody looked into the ledger itself, outside any inquiry; entered before anything was opened.

    `requester` is the client that was used; the operator's own command line has no issuer. `by` is the person,
    `parts` are the parts of the entries that were opened, and `format` is what they were written as.
    """

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    by: str
    reason: str
    looked: Looked
    parts: tuple[str, ...]
    format: str
    rule_set: str = ""


class Reviewed(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="review"):
    """Told: a person's verdict on the inquiries behind a finding of the watch; it is about inquiries, never a subject.

    `requester` is as in a view, `by` the person; `entries` are the inquiries' places, `<shard>-<index>`. The official
    whose inquiries they were stands in oversight's part.
    """

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    by: str
    finding: str
    detector: str
    verdict: str
    reason: str
    entries: tuple[str, ...]
    rule_set: str = ""


class Gap(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="gap"):
    """Told: the store came back with less of a shard than is remembered outside, so that shard was sealed.

    The first entry of the shard that goes on instead. `shard` is the sealed one's origin; `size` and `root` are what
    the store had of it, `remembered` the signed checkpoint that it should have had, `by` who remembered that.
    """

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    shard: str
    size: int
    root: bytes
    remembered: str
    by: str
    reason: str = ""
    rule_set: str = ""


class ShardChange(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="shard"):
    """Told, in the root shard: a shard was `opened`, its key `rotated`, or it was `sealed`, at `size` and `root`.

    `shard` is its origin, `key` the verifier key that signs it from there on. `handover` is a signed note
    (`gateway.ledger.registry`) by the key before and the new one, where it was rotated.
    """

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    event: Literal["opened", "rotated", "sealed"]
    shard: str
    key: str
    size: int
    root: bytes
    handover: str = ""
    by: str = ""
    reason: str = ""
    rule_set: str = ""


class WithheldRecord(msgspec.Struct, frozen=True):
    """A record that a restraint held back. `subject` is the position of the subject in what was told."""

    subject: int
    record: str
    restraint: str


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
    `consents` are the subjects' consents that the requester's permits rest on (Arts. 23-25). `secret_until` is when the
    subject may be told that it was made, where its purpose's law lets that be later (`gateway.ledger.secrecy`).
    """

    v: int
    official: str | None = None
    facts: int | None = None
    withheld: list[WithheldRecord] = []
    denied: list[DeniedFields] = []
    actors: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    secret_until: datetime.datetime | None = None


OfLedger = Gap | ShardChange
"""What the ledger says of itself: of no inquiry, and about nobody."""

OWN = Who("", "ledger")
"""The requester of what the ledger says of itself."""

Told = Inquiry | Refused | View | Reviewed | Gap | ShardChange

_Part = TypeVar("_Part", Told, Oversight)

_TOLD: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_OVERSIGHT: msgspec.json.Decoder[Oversight] = msgspec.json.Decoder(Oversight)

encode = msgspec.json.Encoder(order="deterministic").encode


def read_told(told: bytes) -> Told:
    """Read a told part; raises `ValueError` where it is of a kind or version that this reader does not know."""
    return _known(_TOLD, told)


def read_oversight(oversight: bytes) -> Oversight:
    """Read an oversight part; raises `ValueError` as `read_told` does."""
    return _known(_OVERSIGHT, oversight)


def _known(decoder: msgspec.json.Decoder[_Part], part: bytes) -> _Part:
    try:
        found = decoder.decode(part)
    except msgspec.MsgspecError as error:
        raise ValueError(f"the entry is of a kind that this version does not know ({error})") from error
    if found.v != VERSION:
        raise ValueError(f"the entry is of version {found.v}; this version reads {VERSION}")
    return found
