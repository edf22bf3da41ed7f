"""What an entry says of rules, records and rights: rule sets, changes and recalls, and the subject's four levers. Pure.

Formats and versions are those of `entries`, which has these kinds among its own. In all of them `requester` is the
client that was used, and `by` the person, as its token names them; where the gateway acted by itself the requester is
`operators.OWN`, and `by` is empty. Members with a default that lead to the subject stand in the subject's part
(`parts.OF_SUBJECT`): where it was erased they have that default. Numbers lead to the subject too: whoever was written
to has them beside its name.
"""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from gateway.ledger.entry.operators import Entered, Who


class Activation(Entered, frozen=True, tag="activation"):
    """Told: a rule set was put in force (`activated`), or one of before was again (`rolled-back`) (Art. 27).

    `rule_set` is the digest of what is in force from here on, `before` of what was; `epoch` never falls. `by` proposed
    it, `approved_by` is another person. It names no subject.
    """

    event: Literal["activated", "rolled-back"]
    rule_set: str
    epoch: int
    by: str
    approved_by: str
    reason: str
    before: str | None = None


class Change(Entered, frozen=True, tag="change"):
    """Told: a steward reported that a record changed, or its display ended (`expired`) (Arts. 42, 44-47).

    `record` is its id in the dataset and `version` the one that holds from here on, where there is one. `change` is the
    facts' change number: an answer from facts before it did not know of it. An end of display changes no fact.
    """

    event: Literal["corrected", "withdrawn", "restored", "expired"]
    by: str = ""
    scheme: str | None = None
    value: str | None = None
    dataset: str = ""
    record: str = ""
    version: str | None = None
    change: int | None = None
    reason: str = ""
    rule_set: str = ""


class Recall(Entered, frozen=True, tag="recall"):
    """Told: a past recipient was told what became of records that it has; to be acknowledged by `due` (Art. 47).

    `recall` is its number; `records` are `<dataset>/<record id>@<version>`, as they were disclosed to `recipient`;
    `change` as in a change.
    """

    cause: Literal["corrected", "withdrawn", "restored", "expired", "disputed"]
    recipient: Who
    due: datetime.date
    scheme: str | None = None
    value: str | None = None
    recall: str = ""
    records: tuple[str, ...] = ()
    change: int | None = None
    rule_set: str = ""


class Acknowledgement(Entered, frozen=True, tag="acknowledgement"):
    """Told: the recipient of the recall of this number did what it asks (Art. 47(2))."""

    by: str = ""
    scheme: str | None = None
    value: str | None = None
    recall: str = ""
    rule_set: str = ""


class Objection(Entered, frozen=True, tag="objection"):
    """Told: a subject objected to a record; to be decided by the end of `due` (Art. 45). `objection` is its number."""

    due: datetime.date
    scheme: str | None = None
    value: str | None = None
    objection: str = ""
    dataset: str = ""
    record: str = ""
    by: str = ""
    reason: str = ""
    rule_set: str = ""


class Restoration(Entered, frozen=True, tag="restoration"):
    """Told: a subject applied for the restoration of a record (Art. 46). `restoration` is its number."""

    scheme: str | None = None
    value: str | None = None
    restoration: str = ""
    dataset: str = ""
    record: str = ""
    by: str = ""
    reason: str = ""
    rule_set: str = ""


class Decided(Entered, frozen=True, tag="decision"):
    """Told: a steward decided an objection, or an application for restoration, which `matter` has the number of.

    `due` is the last day that there was for it: lateness shows from what stays readable (Arts. 45, 48). `upheld` says
    that the subject was right, or that the record is restored.
    """

    on: Literal["objection", "restoration"]
    outcome: Literal["upheld", "partly", "refused"]
    by: str
    due: datetime.date | None = None
    scheme: str | None = None
    value: str | None = None
    matter: str = ""
    dataset: str = ""
    record: str = ""
    reason: str = ""
    rule_set: str = ""


class Consent(Entered, frozen=True, tag="consent"):
    """Told: a subject gave its consent to one recipient and purpose, through the end of `until`, or revoked it.

    Arts. 23-25, 42, 43. `consent` is its number; `fields` are those of each dataset, or all of it (`null`).
    """

    event: Literal["given", "revoked"]
    recipient: Who
    purpose: str
    until: datetime.date
    scheme: str | None = None
    value: str | None = None
    consent: str = ""
    fields: dict[str, tuple[str, ...] | None] = msgspec.field(default_factory=dict)
    by: str = ""
    rule_set: str = ""


class OptOut(Entered, frozen=True, tag="opt-out"):
    """Told: a subject had favourable information of a dataset kept back (`set`), or let that end (Art. 41(2))."""

    event: Literal["set", "lifted"]
    scheme: str | None = None
    value: str | None = None
    dataset: str = ""
    by: str = ""
    rule_set: str = ""


Matter = Activation | Change | Recall | Acknowledgement | Objection | Restoration | Decided | Consent | OptOut
"""What happened to rules, records and rights."""
