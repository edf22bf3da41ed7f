"""Who may ask for what, and why: the values that a rule set is made of. No I/O here."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from typing import Literal

import msgspec

from connectors.base import SubjectKind
from gateway.catalogue.model import Basis, Catalogue, Period

PORTAL = "portal"
"""The role of clients through which subjects act for themselves: none other may use the scope `self`."""


class Reason(enum.StrEnum):
    """Why a field is denied; it depends on the caller's own grant, token, case and consent only (invariant 16)."""

    PURPOSE_NOT_PERMITTED = "PURPOSE_NOT_PERMITTED"
    SCOPE_MISSING = "SCOPE_MISSING"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    SUBJECT_KIND_NOT_PERMITTED = "SUBJECT_KIND_NOT_PERMITTED"
    GRANT_INACTIVE = "GRANT_INACTIVE"
    TOKEN_NARROWED = "TOKEN_NARROWED"
    OFFICIAL_REQUIRED = "OFFICIAL_REQUIRED"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    NO_RULE = "NO_RULE"


class Flag(enum.IntFlag):
    """The booleans of a decision's key; a rule sees them as `context.<name in lower case>`."""

    SCOPE = 1  # a scope of the token covers the dataset
    CONSENT = 2  # a consent in force covers requester, purpose, dataset and field
    CASE = 4  # the case was verified for this subject and official
    OFFICIAL = 8  # a human official stands behind the request
    STEP_UP = 16  # the token's acr meets what the purpose demands
    BREAK_GLASS = 32  # the inquiry is a break-glass one


class Cell(msgspec.Struct, frozen=True):
    """One cell of the decision table: the answer for a grant, subject kind, coordinate and flags.

    A permit names the rules that gave it. A denial has a reason, the rule that determined it (`None` for `NO_RULE`),
    the articles it rests on and advice for the refused; `needs` lists what else it would take, in words.
    """

    permitted: bool
    reason: Reason | None = None
    rule: str | None = None
    articles: tuple[str, ...] = ()
    advice: str = ""
    rules: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class PurposeFields(msgspec.Struct, frozen=True):
    """What a purpose may see of one dataset, and why it is necessary (mandatory for adverse datasets)."""

    names: frozenset[str]
    because: str | None = None
    basis: tuple[Basis, ...] = ()


class Frequency(msgspec.Struct, frozen=True):
    """At most `max` inquiries of one requester about one subject (and case) within `per`; `unlimited`: any number."""

    max: int
    per: Period
    unlimited: bool = False


class Quota(msgspec.Struct, frozen=True):
    """At most so many distinct subjects within any hour, and within any day (86,400 seconds)."""

    hour: int
    day: int


class Quotas(msgspec.Struct, frozen=True):
    """How many subjects may be asked about for one purpose: by one official, and by all of one requester's together."""

    official: Quota = Quota(1_000, 5_000)
    requester: Quota = Quota(10_000, 50_000)


class BreakGlassTerms(msgspec.Struct, frozen=True):
    """What an emergency purpose costs: a review of each use within so many working days."""

    review_within: int


class Purpose(msgspec.Struct, frozen=True):
    """A registered reason to ask: an upper bound on fields, subject kinds, frequency and lifetime.

    `scope` is what the token must carry: `inquire` (or `inquire:<dataset>`), or `self`, the subject's own token;
    `step_up` is the authentication class (`acr`) that it must carry. `quotas` is None where anybody may ask about all.
    `suspension_exempt` is the law that keeps a grant for it from being suspended, where a recall is not answered.
    `forward` is what departments may be sent that they did not ask for: the case, the official.
    """

    name: str
    title: str
    articles: tuple[str, ...]
    basis: tuple[Basis, ...]
    dpv: str
    subjects: tuple[SubjectKind, ...]
    fields: Mapping[str, PurposeFields]
    frequency: Frequency
    delete_after: Period
    case_required: bool = False
    case_registry: str | None = None
    official_required: bool = False
    step_up: str | None = None
    scope: Literal["inquire", "self"] = "inquire"
    overdue_objection: Literal["withhold", "flag"] = "withhold"
    secrecy_max: Period | None = None
    quotas: Quotas | None = Quotas()
    break_glass: BreakGlassTerms | None = None
    suspension_exempt: Basis | None = None
    forward: frozenset[str] = frozenset()


class Grant(msgspec.Struct, frozen=True):
    """The registered agreement that lets one requester ask for one purpose, from and until a day (both included)."""

    id: str
    purpose: str
    datasets: frozenset[str]
    valid_from: datetime.date
    valid_until: datetime.date
    agreed_by: str
    suspended: bool = False


class Notices(msgspec.Struct, frozen=True):
    """Where a portal is notified that something waits, and which file, as it is written, has the secrets to sign
    that."""

    url: str
    secret_file: str


class Recalls(msgspec.Struct, frozen=True):
    """Where a recipient is notified of recalls, if anywhere, and how long it has to answer one.

    Without a `term` these are the working days of `calendar.yaml`. Who is told nowhere looks into its inbox.
    """

    url: str = ""
    secret_file: str = ""
    term: datetime.timedelta | None = None


class RequesterEntry(msgspec.Struct, frozen=True):
    """A department's registered client system. `registry` names the case registry that verifies its cases.

    `reports_changes`: it says, without an official, that its own department's records changed. `succeeds` are the
    clients (issuer, client) that are gone and whose recalls it answers.
    """

    issuer: str
    client: str
    title: str
    department: str
    roles: frozenset[str]
    grants: tuple[Grant, ...]
    registry: str | None = None
    reports_changes: bool = False
    notices: Notices | None = None
    recalls: Recalls = Recalls()
    succeeds: frozenset[tuple[str, str]] = frozenset()


class Policies(msgspec.Struct, frozen=True):
    """Everything under `policies/` as loaded: the catalogue, purposes, requesters; and one digest of all with rules."""

    catalogue: Catalogue
    purposes: Mapping[str, Purpose]
    requesters: Mapping[tuple[str, str], RequesterEntry]
    time_zone: str
    digest: str
