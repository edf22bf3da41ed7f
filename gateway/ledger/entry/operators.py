"""What entries beside inquiries record: acts of people on the ledger, and the ledger's own events. Pure.

Formats and versions are those of `entries`, which has these kinds among its own.
"""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec


class Who(msgspec.Struct, frozen=True, omit_defaults=True):
    """The requester: a client of an issuer, and the department that it belongs to."""

    issuer: str
    client: str
    department: str = ""


class Entered(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind"):
    """What every kind of entry begins with: its version, its id, when it was made, and who asked."""

    v: int
    id: str
    at: datetime.datetime
    requester: Who


class Looked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was looked at: the entries that fit all of what is set; `until` is the first moment after them.

    `finding` names a finding of the watch, whose entries were opened. `candidate` is the digest of the rule set by
    which inquiries were decided again, to count what it would change.
    """

    scheme: str | None = None
    value: str | None = None
    case: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    finding: str | None = None
    candidate: str | None = None


class View(Entered, frozen=True, tag="view"):
    """Entered: somebody looked into the ledger itself, outside any inquiry; entered before anything was opened.

    `requester` is the client that was used; the operator's own command line has no issuer. `by` is the person,
    `parts` are the parts of the entries that were opened, and `format` is what they were written as.
    """

    by: str
    reason: str
    looked: Looked
    parts: tuple[str, ...]
    format: str
    rule_set: str = ""


class Reviewed(Entered, frozen=True, tag="review"):
    """Entered: a person's verdict on the inquiries behind a finding of the watch; it is about inquiries, never a
    subject.

    `requester` is as in a view, `by` the person; `entries` are the inquiries' places, `<shard>-<index>`. The official
    whose inquiries they were stands in oversight's part.
    """

    by: str
    finding: str
    detector: str
    verdict: str
    reason: str
    entries: tuple[str, ...]
    rule_set: str = ""


class Hold(Entered, frozen=True, tag="hold"):
    """Entered: a person had what the ledger has about a subject kept for some matter (`placed`), or let that end
    (`lifted`).

    `hold` is its number; `requester` is as in a view. The subject stands in a part of its own.
    """

    event: Literal["placed", "lifted"]
    hold: str
    by: str
    reason: str
    scheme: str | None = None
    value: str | None = None
    rule_set: str = ""


class ErasureRequest(Entered, frozen=True, tag="erasure-request"):
    """Entered: a person requested the erasure of what the ledger has about a subject (`requested`), or took that back.

    `erasure` is its number; otherwise as in a hold.
    """

    event: Literal["requested", "withdrawn"]
    erasure: str
    by: str
    reason: str
    scheme: str | None = None
    value: str | None = None
    rule_set: str = ""


class Erasure(Entered, frozen=True, tag="erasure"):
    """Entered: a second person approved an erasure, and it was carried out with this entry; it names nobody.

    `keys` are the ids of the subject's keys that were destroyed, each in 16 hexadecimal digits; what they sealed stays
    unreadable, and what their entries commit to stays proved. `requested_by` asked, `by` approved. Copies of the keys
    may be in backups until the end of `backups_until`.
    """

    erasure: str
    requested_by: str
    by: str
    reason: str
    keys: tuple[str, ...]
    backups_until: datetime.date
    rule_set: str = ""


class Pruned(Entered, frozen=True, tag="prune"):
    """Entered: a person made the contents of entries from before a day (`before`) unreadable, at the end of their
    retention.

    `below` is, for each shard by its name, the index up to which entries were; what people did before it stays
    readable, and what is kept of them for some matter. `retention` is how long entries are kept (`P10Y`). Copies
    of the keys may be in backups until the end of `backups_until`.
    """

    by: str
    reason: str
    before: datetime.date
    retention: str
    below: dict[str, int]
    backups_until: datetime.date
    rule_set: str = ""


class Gap(Entered, frozen=True, tag="gap"):
    """Entered: the store came back with less of a shard than is remembered outside, so that shard was sealed.

    The first entry of the shard that goes on instead. `shard` is the sealed one's origin; `size` and `root` are what
    the store had of it, `remembered` the signed checkpoint that it should have had, `by` who remembered that.
    """

    shard: str
    size: int
    root: bytes
    remembered: str
    by: str
    reason: str = ""
    rule_set: str = ""


class ShardChange(Entered, frozen=True, tag="shard"):
    """Entered in the root shard: a shard was `opened`, its key `rotated`, or it was `sealed`, at `size` and `root`.

    `shard` is its origin, `key` the verifier key that signs it from there on. `handover` is a signed note
    (`gateway.ledger.entry.registry`) by the key before and the new one, where it was rotated.
    """

    event: Literal["opened", "rotated", "sealed"]
    shard: str
    key: str
    size: int
    root: bytes
    handover: str = ""
    by: str = ""
    reason: str = ""
    rule_set: str = ""


class NotReleased(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="not-released"):
    """Entered: what an inquiry's entry has as disclosed of a subject did not leave; nobody received it.

    `requester` is the inquiry's, `inquiry` its id, `entry` its place, `<shard>-<index>`. `reason`: the `token` expired,
    a permit or a display `ended`, or facts changed, the entry came too `late`, the `clock` was in doubt by then, or the
    answer was `undelivered`: nobody waited any more.
    """

    v: int
    id: str
    at: datetime.datetime
    requester: Who
    reason: str
    scheme: str | None = None
    value: str | None = None
    inquiry: str = ""
    entry: str = ""
    rule_set: str = ""


OfLedger = Gap | ShardChange | NotReleased
"""What the ledger says of itself: nobody did it."""

OnLedger = View | Reviewed | Hold | ErasureRequest | Erasure | Pruned
"""What people did to the ledger, or had done."""

OWN = Who("", "ledger")
"""The requester of what the ledger says of itself."""
