"""Random rule sets and inquiries, and what entries tell of what one of those decides.

A rule set is the shipped one with few datasets and fields, so that its table is soon made, and some of it changed. An
inquiry is asked of it as the journey asks: the case is only verified where the purpose needs one, and an emergency is
only asked for where the purpose is one.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry import disclose
from gateway.inquiry.decide import decide
from gateway.inquiry.types import (
    Decision,
    Declaration,
    Facts,
    Narrowing,
    Released,
    Requester,
    Selected,
    SubjectDecision,
    Wanted,
)
from gateway.ledger.entry import entries, parts
from gateway.ledger.entry.entries import Oversight
from gateway.ledger.entry.parts import EntryParts
from gateway.ledger.proof.leaf import Part, Side
from gateway.rules.decide import base, guards
from gateway.rules.model import BreakGlassTerms, Purpose, PurposeFields
from gateway.rules.ruleset import RuleSet
from gateway.storage.subjects.kinds import Consent, SubjectFacts
from tests.inquiry.deciding import ORGANISATION, PERSON
from tests.rules.policies import TODAY, shipped

DAY = datetime.timedelta(days=1)
SUBJECTS = {"organisation": ORGANISATION, "person": PERSON}
KEPT = ("business-licences", "tax-arrears", "enforcement-cases", "income-statements", "volunteering")
FIELDS = 3


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@functools.cache
def small() -> RuleSet:
    """The shipped rule set, with some of its datasets and fields."""
    was = shipped()
    catalogue = was.policies.catalogue
    datasets = {
        name: msgspec.structs.replace(of, fields=dict(list(of.fields.items())[:FIELDS]))
        for name, of in catalogue.datasets.items()
        if name in KEPT
    }
    purposes = {name: _known(purpose, datasets) for name, purpose in was.policies.purposes.items()}
    fewer = msgspec.structs.replace(catalogue, datasets=datasets, digest=_digest(datasets))
    return RuleSet(fewer, purposes, was.requesters, list(was.rules.values()), was.calendar)


def _known(purpose: Purpose, datasets: Mapping[str, Any]) -> Purpose:
    fields = {
        name: msgspec.structs.replace(of, names=of.names & set(datasets[name].fields))
        for name, of in purpose.fields.items()
        if name in datasets
    }
    return msgspec.structs.replace(purpose, fields=fields)


GRANTED = sorted(
    (issuer, client, grant.purpose)
    for (issuer, client), entry in shipped().policies.requesters.items()
    for grant in entry.grants
)
CHANGES = ("fields", "case", "step_up", "official", "scope", "glass", "subjects", "grant", "dates", "rule", "dataset")


@functools.lru_cache(64)
def varied(seed: int, only: str | None = None) -> RuleSet:
    """The small rule set with up to four changes; none for the seed 0. With `only`, one of that kind for each grant."""
    if not seed:
        return small()
    chance, was = random.Random(seed), small()
    policies = was.policies
    catalogue, purposes, requesters = policies.catalogue, dict(policies.purposes), dict(policies.requesters)
    rules = dict(was.rules)
    for issuer, client, name in GRANTED if only else chance.sample(GRANTED, chance.randint(1, 4)):
        change = only or chance.choice(CHANGES)
        purpose, entry = purposes[name], requesters[issuer, client]
        if change == "grant":
            requesters[issuer, client] = _entry(entry, name, lambda of: _grant(chance, of))
        elif change == "dates":
            requesters[issuer, client] = _entry(entry, name, lambda of: _dated(chance, of))
        elif change == "rule":
            others = sorted(set(rules) - set(base.BASE))
            rules.pop(chance.choice(others)) if others else None
        elif change == "dataset":
            datasets = dict(catalogue.datasets)
            datasets.pop(chance.choice(sorted(datasets)) if len(datasets) > 2 else "", None)
            catalogue = msgspec.structs.replace(catalogue, datasets=datasets, digest=_digest(datasets))
        else:
            purposes[name] = _purpose(chance, purpose, change)
    known = {name: _known(purpose, catalogue.datasets) for name, purpose in purposes.items()}
    who = msgspec.structs.replace(was.requesters, entries=requesters, digest=_digest(requesters))
    return RuleSet(catalogue, known, who, list(rules.values()), was.calendar)


def _purpose(chance: random.Random, purpose: Purpose, change: str) -> Purpose:
    replace = functools.partial(msgspec.structs.replace, purpose)
    if change == "case":
        return replace(case_required=not purpose.case_required)
    if change == "step_up":
        return replace(step_up=chance.choice([None, "gold", "silver"]))
    if change == "official":
        return replace(official_required=not purpose.official_required)
    if change == "scope":
        return replace(scope="self" if purpose.scope == "inquire" else "inquire")
    if change == "glass":
        return replace(break_glass=None if purpose.break_glass else BreakGlassTerms(5))
    if change == "subjects":
        return replace(subjects=chance.choice([("organisation",), ("person",), ("organisation", "person")]))
    fields = dict(purpose.fields)
    name = chance.choice(sorted(fields) if chance.random() < 0.7 else sorted(small().policies.catalogue.published))
    there = sorted(small().policies.catalogue.published[name].fields)
    was = fields.get(name) or PurposeFields(frozenset())
    fields[name] = msgspec.structs.replace(was, names=frozenset(chance.sample(there, chance.randint(0, len(there)))))
    return replace(fields=fields)


def _entry(entry: Any, purpose: str, changed: Any) -> Any:
    grants = [changed(of) if of.purpose == purpose else of for of in entry.grants]
    return msgspec.structs.replace(entry, grants=tuple(of for of in grants if of is not None))


def _grant(chance: random.Random, grant: Any) -> Any:
    names = sorted(small().policies.catalogue.published)
    return chance.choice(
        [
            None,
            msgspec.structs.replace(grant, suspended=True),
            msgspec.structs.replace(grant, datasets=frozenset(chance.sample(names, chance.randint(0, len(names))))),
        ]
    )


def _dated(chance: random.Random, grant: Any) -> Any:
    if chance.random() < 0.5:
        return msgspec.structs.replace(grant, valid_from=TODAY + chance.randint(-1, 1) * DAY)
    return msgspec.structs.replace(grant, valid_until=TODAY + chance.randint(-1, 1) * DAY)


class Asked(NamedTuple):
    """An inquiry before anything is decided: all that it brings. `verified`: a registry would verify its case."""

    requester: Requester
    declaration: Declaration
    subjects: tuple[Subject, ...]
    selected: Selected
    known: Mapping[Subject, SubjectFacts]
    suspended: Mapping[tuple[str, str], str]
    verified: bool
    glass: bool
    refused: bool
    now: datetime.datetime


def asked(seed: int) -> Asked:
    """A random inquiry, mostly one that a shipped grant is for."""
    chance = random.Random(seed)
    issuer, client, purpose = chance.choice(GRANTED)
    now = (
        datetime.datetime.combine(TODAY, datetime.time(12, tzinfo=datetime.UTC)) + chance.choice([-1, 0, 0, 0, 1]) * DAY
    )
    now = now.replace(hour=chance.choice([12, 12, 12, 20, 21, 22]), minute=59 if chance.random() < 0.2 else 0)
    usual = ["self"] if purpose == "SUBJECT_ACCESS" else ["inquire"]
    scopes = chance.choice(4 * [usual] + [["inquire", "self"], ["inquire:tax-arrears", "inquire:volunteering"]])
    kinds = list(small().policies.purposes[purpose].subjects)
    if len(kinds) == 1 and chance.random() < 0.2:
        kinds = ["organisation", "person"]
    subjects = tuple(SUBJECTS[kind] for kind in kinds)
    whole = chance.random() < 0.3
    of_kinds: dict[Any, dict[str, Wanted]] = {"organisation": {}, "person": {}}
    for name, dataset in small().policies.catalogue.published.items():
        for kind in dataset.subjects:
            if whole or chance.random() < 0.6:
                some = [field for field in dataset.fields if whole or chance.random() < 0.6]
                of_kinds[kind][name] = Wanted(frozenset(some), chance.random() < 0.4 or not some)
    names = sorted(small().policies.catalogue.published)
    narrowing = (Narrowing(datasets=frozenset(chance.sample(names, 3))),) if chance.random() < 0.15 else ()
    consents = tuple(
        Consent(
            f"c-{number}", issuer, client, purpose, _covered(chance, names), TODAY + chance.choice([-1, 0, 1, 30]) * DAY
        )
        for number in range(chance.randint(0, 2))
    )
    case = chance.choice([None, "C-1", "C-1", "C-1"])
    return Asked(
        Requester(
            issuer,
            client,
            chance.choice(["o.fficial", "o.fficial", None]),
            frozenset(scopes),
            now.timestamp() + chance.choice([600] * 9 + [-1]),
            department=shipped().policies.requesters[issuer, client].department,
            acr=chance.choice([None, "gold", "silver"]),
            narrowing=narrowing,
            identifier=chance.choice([None, *4 * [subjects[0][1:]], subjects[-1][1:]]),
        ),
        Declaration(purpose, case=case, recall="re-1" if case is None and chance.random() < 0.2 else None),
        subjects,
        Selected(of_kinds),
        {subject: SubjectFacts(consents=consents) for subject in subjects},
        {(purpose, name): "re-7" for name in chance.sample(names, 2)} if chance.random() < 0.2 else {},
        chance.random() < 0.9,
        chance.random() < 0.7,
        chance.random() < 0.2,
        now,
    )


def _covered(chance: random.Random, names: list[str]) -> dict[str, frozenset[str] | None]:
    published = small().policies.catalogue.published
    found: dict[str, frozenset[str] | None] = {}
    for name in chance.sample(names, 3):
        fields = sorted(published[name].fields)
        found[name] = None if chance.random() < 0.5 else frozenset(fields[::2])
    return found


def decided(rules: RuleSet, of: Asked) -> Decision | None:
    """What a rule set decides, as the journey's third and fourth step do; None where it is refused before."""
    purpose = rules.policies.purposes[of.declaration.purpose]
    case = False
    if purpose.case_required and granted(rules, of):
        if of.declaration.recall is None and (of.declaration.case is None or not of.verified):
            return None
        case = True
    glass = purpose.break_glass is not None and of.glass
    facts = Facts(1, of.known, suspended=of.suspended).settled(case_verified=case, break_glass=glass)
    return decide(of.selected, of.requester, of.declaration, rules, facts, of.subjects, of.now)


def granted(rules: RuleSet, of: Asked) -> bool:
    """Whether the requester holds a grant for the purpose."""
    entry = rules.policies.requesters.get(of.requester.who)
    today = guards.day(of.now, rules.policies.time_zone)
    return entry is not None and guards.holds(entry.grants, of.declaration.purpose, today)


def at_issuer(of: Asked, issuer: str) -> Asked:
    """The inquiry as of an issuer that a configuration names `login`."""
    issuer = issuer if of.requester.issuer == "login" else of.requester.issuer
    known = {
        subject: msgspec.structs.replace(
            facts, consents=tuple(msgspec.structs.replace(each, issuer=issuer) for each in facts.consents)
        )
        for subject, facts in of.known.items()
    }
    return of._replace(requester=msgspec.structs.replace(of.requester, issuer=issuer), known=known)


def entry_of(rules: RuleSet, of: Asked, id_: str = "i-1") -> EntryParts:
    """The entry that the inquiry leaves."""
    decision = decided(rules, of)
    made = disclose.Entry(id_, of.requester, rules.digest, of.declaration, of.subjects, decision=decision)
    if decision is None:
        return disclose.refusal_parts(made, Refusal(Code.CASE_NOT_VERIFIED, "no such case"), of.now)
    if of.refused:
        return disclose.refusal_parts(made, Refusal(Code.QUOTA_EXCEEDED, "enough"), of.now)
    got = {(permit.subject, permit.dataset): Released([], [], []) for permit in decision.permits}
    return disclose.answer_parts(made, got, b"{}", (), bytes(32), of.now)


def read(made: EntryParts) -> tuple[entries.Told, Oversight]:
    """What an entry says, out of its parts."""
    told = Side(Part(b"", made.told), tuple(Part(b"", each.told) for each in made.subjects) or None)
    oversight = Side(Part(b"", made.oversight), tuple(Part(b"", each.oversight) for each in made.subjects) or None)
    return parts.read_told(told), parts.read_oversight(oversight)


def permitted(decision: SubjectDecision) -> dict[str, set[str]]:
    """What a decision opens, of each dataset that could be fetched."""
    return {dataset: set(fields) for dataset, fields in decision.fetch}


seeds = st.integers(0, 2**32)
