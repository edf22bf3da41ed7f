"""What an entry records of an act: one state change, by a subject, a steward, a department's system or a clock. Pure.

There is one kind for all of them, and `what` says which it is. It is open: a later version acts in ways that this one
does not know, and its entries are read, shown and exported all the same. A member is only ever added, with a default.

Members that lead to the subject stand in the subject's part (`parts.OF_SUBJECT`): where it was erased they have their
default, and what stays is which act it was, its deadline and its outcome. Formats and versions are those of `entries`.
"""

from __future__ import annotations

import datetime

import msgspec

from gateway.ledger.entry.operators import Entered, Who


class Paper(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document that somebody rests on, by name: it is read at its issuer, and is not here."""

    issuer: str
    number: str
    date: datetime.date | None = None


class Simulated(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a simulation: inquiries from `since` on and before `until`, compared with rule set `active` too.

    `by` is who had it made, as they said. `decisions` are of one subject each, `changed` those that would be decided
    otherwise than was recorded, and `not_replayable` those that nobody can decide again. `result` is the SHA-256, in
    hexadecimal, of the whole result, as JSON.
    """

    by: str
    since: datetime.datetime
    until: datetime.datetime
    active: str
    inquiries: int
    decisions: int
    changed: int
    not_replayable: int
    result: str


class Acted(Entered, frozen=True, tag="act"):
    """Entered: somebody acted, or a clock did (`operators.OWN`).

    In general: `due` is the last day that there is for what the act began, or was for what it ended, counted by the
    calendar with the digest `calendar`, and `provisional` where that does not list its year yet; `outcome` is what was
    decided, or what became of a record, or how a recall was answered. `to` is who has to answer: a recall's recipient,
    or the department that is overdue. A recall's own are `recall` (its id), `action`, `sequence` (among those to it)
    and `term` (the moment by which to answer). Of a supplement of the catalogue, `days` is the term of its
    consultation in working days, and `department` whose it is, where another acts; what is about no subject stays in
    general: its `dataset`, `digest`, `matter` and `words`.
    What is found about a department's system has the finding's id as `matter`, its `department` and `dataset`, its kind
    as `outcome`, and in `words` what does not fit.
    An activation makes `rule_set` active from `epoch` on, in the place of
    `base`; `how` says by what, `proposal` is the matter that it came by, `approvers` are the officers who agreed, and
    `schema` is the digest of the GraphQL schema that clients see from then on. Of a proposal `digest` is the rule set,
    `base` and `epoch` are what was active, `officer` is who acts, as the base's officers or by a department, and `how`
    as what, `signature` an SSH signature over an approval; `widens` are the departments whose data of people, or not
    public, it opens; `simulated` is what recorded inquiries would have come to. `since` is the day that a display
    counts from, where a shortened period ended it.

    Of the subject: `matter` is the 128-bit id of what it is part of; `by` who acted as the subject or for it, by the
    token's `sub`, and `proof` how a counter knew whom it had before it, of the kind `proof_kind` that the policies
    take. An official stands in oversight's part instead.
    `dataset`, `record`, `version` and `new_version` are what it is about, or `access`, the id of a look. `recipient`,
    `purpose`, `digest` (of the purpose as it was shown), `fields` and `until` are a consent's. `reason`, `remedy` and
    `words` are texts of people, `changes` the numbers of the facts that it changed. `inquiry` is the answer that is
    recalled, `records` are of `dataset`, as `record@version`, and `passed_on` names those who have them from its
    recipient. Of nobody there is no such part.
    """

    what: str
    due: datetime.date | None = None
    outcome: str = ""
    calendar: str = ""
    provisional: bool = False
    scheme: str | None = None
    value: str | None = None
    matter: str = ""
    by: str = ""
    proof: str = ""
    dataset: str = ""
    record: str = ""
    version: str = ""
    new_version: str = ""
    access: str = ""
    recipient: Who | None = None
    purpose: str = ""
    digest: str = ""
    fields: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    until: datetime.date | None = None
    reason: str = ""
    remedy: str = ""
    papers: tuple[Paper, ...] = ()
    changes: tuple[int, ...] = ()
    words: str = ""
    rule_set: str = ""
    recall: str = ""
    to: Who | None = None
    action: str = ""
    sequence: int = 0
    term: datetime.datetime | None = None
    inquiry: str = ""
    records: tuple[str, ...] = ()
    passed_on: tuple[str, ...] = ()
    days: int = 0
    department: str = ""
    base: str = ""
    epoch: int = 0
    how: str = ""
    proposal: str = ""
    approvers: tuple[str, ...] = ()
    schema: str = ""
    officer: str = ""
    signature: str = ""
    widens: tuple[str, ...] = ()
    simulated: Simulated | None = None
    since: datetime.date | None = None
    proof_kind: str = ""
