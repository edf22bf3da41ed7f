"""Step 4: permit or deny every field for every subject. Pure.

A permit is the table and the guards; admission comes after. The table (`rule_set.cells`) answers a grant, a kind of
subject and flags; the flags come from the token and the facts, per subject. The guards are looked at each time: the
grant's days and suspension, the datasets that it is suspended for until a recall is answered, the token's expiry, and
what its `authorization_details` narrow. Each only takes away
(invariant 1). What is missing is denied (invariant 8): a requester that the rule set does not know, a grant, a
subject's facts. A reason depends on the caller's own grant, token, case and consent, never on records (invariant 16).

Equal decisions are one object, kept by all that can change them: flags, never identifiers, so nothing about a subject
is kept. The memo is emptied when it is full.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from connectors.base import Subject, SubjectKind
from gateway.catalogue.model import IdentifierScheme
from gateway.inquiry.types import (
    Basis,
    Decision,
    Declaration,
    Facts,
    Narrowing,
    Permit,
    Requester,
    Selected,
    SubjectDecision,
    Wanted,
)
from gateway.rules.decide import guards
from gateway.rules.model import Cell, Flag, Grant, Policies, Purpose
from gateway.storage.subjects.kinds import NOTHING, Consent, SubjectFacts

Coverage = frozenset[tuple[str, frozenset[str] | None]]
"""What consents in force cover: datasets, and of each its fields, or all (`None`)."""

Named = tuple[str, str]
"""An identifier: its scheme and value."""

_NO_COVERAGE: Coverage = frozenset()
_NOT_SUSPENDED: frozenset[tuple[str, str]] = frozenset()
_KEPT = 2048
_new = tuple.__new__  # a named tuple is made by a frame of Python

_memo: dict[tuple[object, ...], SubjectDecision] = {}


class RuleSet(Protocol):
    """What a rule set is to this step."""

    digest: str
    policies: Policies

    def cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]: ...


def decide(
    selected: Selected | Mapping[Subject, Selected],
    requester: Requester,
    declaration: Declaration,
    rule_set: RuleSet,
    facts: Facts,
    subjects: Sequence[Subject],
    now: datetime.datetime,
) -> Decision:
    """The decision for each subject, and all that may be fetched.

    `selected` is what is asked of every subject, or of each its own.
    `now` is an aware moment; days are those of the policies' time zone. The grant is the requester's for the declared
    purpose that holds today, else the one that ends last, else `None`.
    """
    policies = rule_set.policies
    today = guards.day(now, policies.time_zone)
    name = declaration.purpose
    grant = guards.grant_for(policies.requesters.get((requester.issuer, requester.client)), name, today)
    purpose = policies.purposes.get(name)
    alive = now.timestamp() < requester.expires
    self_only = purpose is not None and purpose.scope == "self"
    step_up = purpose is not None and (purpose.step_up is None or purpose.step_up == requester.acr)
    schemes = policies.catalogue.schemes
    oneself = canonical(requester.identifier, schemes) if self_only else None
    narrowing = [(part, canonical(part.identifier, schemes)) for part in requester.narrowing]
    suspended = _suspended(facts, declaration) if facts.suspended else _NOT_SUSPENDED
    of_all, of_each = (selected, {}) if isinstance(selected, Selected) else (None, selected)
    asks = (
        rule_set.digest, name, grant.id if grant is not None else None, today, alive, requester.scopes,
        requester.official is not None, step_up, facts.break_glass, suspended,
    )  # fmt: skip
    decisions: dict[Subject, SubjectDecision] = {}
    permits: list[Permit] = []
    for subject in subjects:
        if subject in decisions:
            continue
        known = facts.subjects.get(subject, NOTHING)
        coverage = _coverage(known.consents, requester, declaration, today) if known.consents else _NO_COVERAGE
        opened = open_to(narrowing, declaration, subject[1:]) if narrowing else None
        own = oneself == (subject.scheme, subject.value) if self_only else None
        wanted = of_all or of_each[subject]
        key = (wanted, *asks, subject.kind, known.case_verified, coverage, opened, own)
        decision = _memo.get(key)
        if decision is None:
            flags = _flags(requester, known, facts, step_up=step_up)
            basis = _basis(
                wanted.kinds.get(subject.kind, {}), requester, flags, own, coverage, opened, suspended, alive=alive
            )
            decision = _Frame(rule_set, purpose, name, grant, today).decide(subject.kind, basis)
            if len(_memo) >= _KEPT:
                _memo.clear()
            _memo[key] = decision
        decisions[subject] = decision
        permits += [_new(Permit, (subject, dataset, fields)) for dataset, fields in decision.fetch]
    return Decision(grant, decisions, tuple(permits))


def replay(
    rule_set: RuleSet, requester: Named, name: str, kind: SubjectKind, basis: Basis, at: datetime.datetime
) -> SubjectDecision:
    """The decision that a rule set makes for a requester (issuer, client) and a purpose of what an entry of `at` kept.

    With the rule set of the entry it is the one that was made then.
    """
    policies = rule_set.policies
    today = guards.day(at, policies.time_zone)
    grant = guards.grant_for(policies.requesters.get(requester), name, today)
    return _Frame(rule_set, policies.purposes.get(name), name, grant, today).decide(kind, basis)


def _flags(requester: Requester, known: SubjectFacts, facts: Facts, *, step_up: bool) -> Flag:
    """What holds for all of a subject; scope and consent are looked at for each dataset."""
    return guards.flags(
        scope=False,
        consent=False,
        case=known.case_verified,
        official=requester.official is not None,
        step_up=step_up,
        break_glass=facts.break_glass,
    )


def _basis(
    asked: Mapping[str, Wanted],
    requester: Requester,
    flags: Flag,
    own: bool | None,
    coverage: Coverage,
    opened: frozenset[str] | None,
    suspended: frozenset[tuple[str, str]],
    *,
    alive: bool,
) -> Basis:
    """What a subject's decision rests on. `own`, of a purpose of the subject alone: whether it is the token's own."""
    scopes, datasets = requester.scopes, frozenset(asked)
    if own is None:
        unscoped = frozenset(dataset for dataset in asked if not guards.scope_covers(scopes, dataset))
    else:
        unscoped = frozenset() if own and "self" in scopes else datasets
    narrowed = frozenset() if opened is None else datasets - opened
    consented = {dataset: fields for dataset, fields in coverage if dataset in asked}
    stopped = {dataset: recall for dataset, recall in suspended if dataset in asked}
    return Basis(asked, flags, alive, unscoped, narrowed, consented, stopped)


class _Frame:
    """All of an inquiry that is the same for each of its subjects, and for whoever makes its decisions again."""

    def __init__(
        self, rule_set: RuleSet, purpose: Purpose | None, name: str, grant: Grant | None, today: datetime.date
    ) -> None:
        self.rule_set, self.purpose, self.name, self.grant, self.today = rule_set, purpose, name, grant, today

    def decide(self, kind: SubjectKind, basis: Basis) -> SubjectDecision:
        published = self.rule_set.policies.catalogue.published
        blocked = self._blocked(basis)
        cells: dict[tuple[str, str], Cell] = {}
        permitted: dict[str, frozenset[str]] = {}
        fetch: list[tuple[str, tuple[str, ...]]] = []
        denied: list[tuple[str, str]] = []
        for dataset, wanted in basis.selected.items():
            if dataset not in published:
                permitted[dataset] = frozenset()
                cells.update({(dataset, field): guards.unknown(dataset) for field in wanted.fields})
                denied += [(dataset, field) for field in sorted(wanted.fields)]
                continue
            leave = set()
            for field in published[dataset].fields:
                cell = blocked or self._cell(kind, dataset, field, basis)
                cells[dataset, field] = cell
                if cell.permitted:
                    leave.add(field)
            permitted[dataset] = frozenset(leave)
            asked = _asked(wanted, leave)
            nothing = wanted.bare and not leave
            denied += [
                (dataset, f) for f in published[dataset].fields if f not in leave and (nothing or f in wanted.fields)
            ]
            if asked is not None:
                fetch.append((dataset, asked))
        return SubjectDecision(cells, permitted, tuple(fetch), tuple(denied), basis)

    def _blocked(self, basis: Basis) -> Cell | None:
        """The denial of everything, whatever the dataset; `None` where each dataset is looked at."""
        if self.purpose is None or self.grant is None:
            return guards.no_grant(self.name)
        if self.purpose.break_glass is not None and Flag.BREAK_GLASS not in basis.flags:
            return guards.glass_whole(self.name)
        return guards.inactive(self.grant, self.today) or (None if basis.alive else guards.EXPIRED)

    def _cell(self, kind: SubjectKind, dataset: str, field: str, basis: Basis) -> Cell:
        """The table's answer, and where it permits, the token's narrowing."""
        if self.purpose is None or self.grant is None:
            return guards.no_grant(self.name)
        if dataset in basis.suspended:
            return guards.suspended(self.grant, dataset, basis.suspended[dataset])
        flags = basis.flags
        if self.purpose.break_glass is None:
            flags &= ~Flag.BREAK_GLASS
        if dataset not in basis.unscoped:
            flags |= Flag.SCOPE
        if dataset in basis.consented and ((fields := basis.consented[dataset]) is None or field in fields):
            flags |= Flag.CONSENT
        cell = self.rule_set.cells(self.grant, kind, flags).get((dataset, field)) or guards.unknown(dataset)
        if cell.permitted and dataset in basis.narrowed:
            return guards.narrowed(dataset)
        return cell


def _suspended(facts: Facts, declaration: Declaration) -> frozenset[tuple[str, str]]:
    """The datasets for which the grant for this purpose is suspended, and why; fetching what a recall tells is no use
    of it, and needed to answer that."""
    if declaration.recall is not None:
        return _NOT_SUSPENDED
    return frozenset(
        (dataset, recall) for (purpose, dataset), recall in facts.suspended.items() if purpose == declaration.purpose
    )


def _asked(wanted: Wanted, leave: set[str]) -> tuple[str, ...] | None:
    """What to fetch of a dataset: the permitted selected fields; `None` where there is nothing to fetch."""
    asked = tuple(sorted(wanted.fields & leave))
    return asked if asked or (wanted.bare and leave) else None


def _coverage(
    consents: Iterable[Consent], requester: Requester, declaration: Declaration, today: datetime.date
) -> Coverage:
    """What the consents cover that name this requester and purpose and hold today; a declared consent narrows to it."""
    covered: dict[str, frozenset[str] | None] = {}
    for consent in consents:
        if (
            consent.purpose != declaration.purpose
            or consent.client != requester.client
            or consent.issuer != requester.issuer
            or consent.until < today
            or (declaration.consent is not None and consent.id != declaration.consent)
        ):
            continue
        for dataset, fields in consent.datasets.items():
            before = covered.get(dataset, frozenset())
            covered[dataset] = None if fields is None or before is None else before | fields
    return frozenset(covered.items())


def relied_on(
    requester: Requester, declaration: Declaration, facts: Facts, today: datetime.date
) -> tuple[tuple[Subject, str], ...]:
    """The consents in force to this requester for this purpose: what permits on non-public datasets rest on."""
    return tuple(
        (subject, consent.id)
        for subject, known in facts.subjects.items()
        for consent in known.consents
        if (consent.issuer, consent.client, consent.purpose)
        == (requester.issuer, requester.client, declaration.purpose)
        and consent.until >= today
        and declaration.consent in (None, consent.id)
    )


def canonical(named: Named | None, schemes: Mapping[str, IdentifierScheme]) -> Named | None:
    """An identifier that a token names, as subjects are named. A wrong one is left as it stands, which is nobody's."""
    if named is None or named[0] not in schemes:
        return named
    try:
        return named[0], schemes[named[0]].canonical(named[1])
    except ValueError:
        return named


def open_to(
    narrowing: Iterable[tuple[Narrowing, Named | None]], declaration: Declaration, subject: Named
) -> frozenset[str] | None:
    """The datasets that a narrowed token leaves open for this purpose, case and subject; `None` for all of them."""
    datasets: set[str] = set()
    for part, identifier in narrowing:
        if (
            part.purpose not in (None, declaration.purpose)
            or part.case not in (None, declaration.case)
            or identifier not in (None, subject)
        ):
            continue
        if part.datasets is None:
            return None
        datasets |= part.datasets
    return frozenset(datasets)
