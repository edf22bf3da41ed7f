"""Decisions made again, from what entries keep of them: by the rule set of then, or by another. Pure.

An entry tells the fields that were selected and permitted, and to oversight those that were denied, and what the
decision rests on beside the rule set. Together that is all that `decide` looked at. Entries from before they kept it
give none, nor do subjects that were erased.

What an entry keeps was found for the purpose as it was then. Where another rule set's purpose asks for something else
to be shown, the same inquiry would have had to show that: `carried` says what is known of it, and never guesses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import msgspec

from connectors.base import SubjectKind
from gateway.inquiry.decide import RuleSet, replay
from gateway.inquiry.types import Basis, SubjectDecision, Wanted
from gateway.ledger.entry import entries
from gateway.rules.model import Flag, Purpose


class Replayed(NamedTuple):
    """The decision for the subject at `place`, made again from its `basis`."""

    place: int
    kind: SubjectKind
    basis: Basis
    decision: SubjectDecision


def replayed(told: entries.Operation, oversight: entries.Oversight, rule_set: RuleSet) -> Iterator[Replayed]:
    """The decisions of an entry, made again by a rule set, in the order of its subjects."""
    if told.declaration is None:
        return
    who, purpose = (told.requester.issuer, told.requester.client), told.declaration.purpose
    subjects = told.disclosed if isinstance(told, entries.Inquiry) else told.subjects
    for on in oversight.decided:
        kind = cast(SubjectKind, subjects[on.subject].kind)
        basis = basis_of(told, oversight, on)
        yield Replayed(on.subject, kind, basis, replay(rule_set, who, purpose, kind, basis, told.at))


def basis_of(told: entries.Operation, oversight: entries.Oversight, on: entries.DecidedOn) -> Basis:
    """What the decision for one of an entry's subjects rests on."""
    fields: dict[str, set[str]] = {}
    if isinstance(told, entries.Inquiry):
        fields |= {each.dataset: set(each.fields) for each in told.disclosed[on.subject].datasets}
    for each in oversight.denied:
        if each.subject == on.subject:
            for denied in each.fields:
                fields.setdefault(denied.dataset, set()).add(denied.field)
    fields |= {dataset: set(selected) for dataset, selected in on.selected.items()}
    return Basis(
        {
            dataset: Wanted(frozenset(fields[dataset]), bool(on.bare >> at & 1))
            for at, dataset in enumerate(sorted(fields))
        },
        Flag(on.flags & ~entries.EXPIRED),
        not on.flags & entries.EXPIRED,
        frozenset(on.unscoped),
        frozenset(on.narrowed),
        {dataset: None if of is None else frozenset(of) for dataset, of in on.consented.items()},
        on.suspended,
    )


class Brought(NamedTuple):
    """What an inquiry declared beside its basis: it declared a case, a recall; a subject's own token asked."""

    case: bool
    recall: bool
    by_subject: bool


def carried(basis: Basis, brought: Brought, was: Purpose | None, now: Purpose) -> Basis | None:
    """The basis that the inquiry would have had for the purpose as it is `now`; None where nobody can know.

    `was` is the purpose that it asked for; None where the rule set of then is not at hand. A case counts as verified,
    and an emergency as one, only where the purpose of then asked for it.
    """
    flags = basis.flags
    if not now.case_required:
        flags &= ~Flag.CASE
    elif brought.recall:
        flags |= Flag.CASE
    elif brought.case and (Flag.CASE not in flags or (was is not None and was.case_registry != now.case_registry)):
        return None
    if now.step_up is None:
        flags |= Flag.STEP_UP
    elif was is None or was.step_up is None:
        return None
    elif was.step_up != now.step_up:
        if Flag.STEP_UP not in flags:
            return None
        flags &= ~Flag.STEP_UP
    if (now.scope == "self") != (brought.by_subject if was is None else was.scope == "self"):
        return None
    if now.break_glass is not None and (Flag.BREAK_GLASS not in flags if was is None else was.break_glass is None):
        return None
    return basis if flags == basis.flags else msgspec.structs.replace(basis, flags=flags)
