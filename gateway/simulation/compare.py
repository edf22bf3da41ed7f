"""One decision as it was made, compared with what a candidate makes of the same. Pure.

What was asked, and what the decision rests on, is all that is looked at: no record, and nothing that names anybody.
Guards are those of the inquiry's own time. What nobody can know is said to be not replayable, and never guessed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from connectors.base import SubjectKind
from gateway.inquiry.decide import replay
from gateway.inquiry.replay import Brought, carried
from gateway.inquiry.types import Basis, SubjectDecision
from gateway.rules.decide import guards
from gateway.rules.model import Cell, Purpose
from gateway.rules.ruleset import RuleSet

RECORD: Final = "record"
"""Stands for a dataset's records themselves (`record`, the type), where an inquiry selected them beside its fields."""

ERASED: Final = "erased"
UNDECIDED: Final = "undecided"
WITHOUT_FLAGS: Final = "without-flags"
UNKNOWN_KIND: Final = "unknown-kind"
ASKED_OTHERWISE: Final = "asked-otherwise"
NOT_REPLAYABLE: Mapping[str, str] = {
    ERASED: "the part about the subject was erased",
    UNDECIDED: "refused before anything was decided",
    WITHOUT_FLAGS: "answered by a version that did not keep what it decided from",
    UNKNOWN_KIND: "of a kind that this version does not know",
    ASKED_OTHERWISE: "the candidate's purpose asks for what the inquiry did not have to show",
}
"""Why a decision cannot be made again, in words."""

Coordinate = tuple[str, str]
"""A dataset, and a field of it or `RECORD`."""

Denial = tuple[str, str]
"""Why something is denied: the reason, and the rule; empty where none determined it."""

NO_DENIAL: Denial = ("", "")


class Made(NamedTuple):
    """A decision as it was made for one subject of an inquiry of `at`: who (issuer, client) asked, and what came of it.

    `was` is the purpose as it was then; None where that rule set is not at hand. `opened` says of each coordinate that
    was selected whether it was permitted, and `denied` why it was not.
    """

    who: tuple[str, str]
    purpose: str
    kind: SubjectKind
    at: datetime.datetime
    basis: Basis
    brought: Brought
    was: Purpose | None
    opened: Mapping[Coordinate, bool]
    denied: Mapping[Coordinate, Denial]


class Change(NamedTuple):
    """A coordinate that is not decided alike: as it was, by the active rule set now (None: nobody can know), by the
    candidate. `why` is the reason of the denial, whoever denies."""

    dataset: str
    field: str
    recorded: bool
    active: bool | None
    candidate: bool
    why: Denial


Outcome = tuple[Change, ...] | str
"""What is not decided alike; or why the decision cannot be made again, a key of `NOT_REPLAYABLE`."""


class Comparison:
    """Holds decisions against a candidate, and against what is active where that is another than decided them."""

    def __init__(self, candidate: RuleSet, active: RuleSet) -> None:
        self.candidate, self.active = candidate, active
        self._known = {each.digest: each.policies.purposes for each in (candidate, active)}

    def purpose(self, digest: str, name: str) -> Purpose | None:
        """A purpose as the rule set of a digest has it; None where that is not there."""
        return self._known.get(digest, {}).get(name)

    def days(self, at: datetime.datetime) -> tuple[datetime.date, ...]:
        """The days that a moment falls on, in the zones that guards use."""
        return tuple(guards.day(at, each.policies.time_zone) for each in (self.candidate, self.active))

    def of(self, made: Made, by_active: bool = True) -> Outcome:
        """What the candidate changes; unless `by_active`, what is active decided it, and is not asked again."""
        candidate = _again(self.candidate, made)
        if candidate is None:
            return ASKED_OTHERWISE
        active = _again(self.active, made) if by_active else None
        found = []
        for coordinate, recorded in made.opened.items():
            then = _opens(candidate, coordinate)
            now = recorded if not by_active else None if active is None else _opens(active, coordinate)
            if recorded != then or now not in (recorded, None):
                why = made.denied.get(coordinate, NO_DENIAL)
                if not then:
                    why = _why(candidate, coordinate)
                elif recorded and active is not None:
                    why = _why(active, coordinate)
                found.append(Change(*coordinate, recorded, now, then, why))
        return tuple(found)


def _again(rule_set: RuleSet, made: Made) -> SubjectDecision | None:
    """What a rule set decides of it; None where nobody can know. Without a grant that holds, nothing else counts."""
    policies, basis = rule_set.policies, made.basis
    entry, purpose = policies.requesters.get(made.who), policies.purposes.get(made.purpose)
    today = guards.day(made.at, policies.time_zone)
    if entry is not None and purpose is not None and guards.holds(entry.grants, made.purpose, today):
        known = carried(basis, made.brought, made.was, purpose)
        if known is None:
            return None
        basis = known
    return replay(rule_set, made.who, made.purpose, made.kind, basis, made.at)


def _opens(decision: SubjectDecision, coordinate: Coordinate) -> bool:
    dataset, field = coordinate
    return any(name == dataset and (field == RECORD or field in fields) for name, fields in decision.fetch)


def _why(decision: SubjectDecision, coordinate: Coordinate) -> Denial:
    """Why a decision denies what stands at a coordinate."""
    dataset, field = coordinate
    cell = decision.cells.get(coordinate)
    if field == RECORD and cell is None:
        cell = next((each for (name, _), each in decision.cells.items() if name == dataset), None)
    return denial(cell or guards.unknown(dataset))


def denial(cell: Cell) -> Denial:
    """Why a cell denies."""
    return (cell.reason.value if cell.reason else "", cell.rule or "")


def opened(
    basis: Basis, fetched: Mapping[str, Iterable[str]] | None, denied: Iterable[Coordinate]
) -> dict[Coordinate, bool]:
    """Of each coordinate that was selected, whether it was permitted.

    `fetched` are the fields of the datasets that could be fetched; None for a refusal, which does not say. There a
    dataset's records are left out where what was denied fits both.
    """
    shut = set(denied)
    found: dict[Coordinate, bool] = {}
    for dataset, wanted in sorted(basis.selected.items()):
        for field in sorted(wanted.fields):
            found[dataset, field] = (
                (dataset, field) not in shut if fetched is None else field in fetched.get(dataset, ())
            )
        if not wanted.bare:
            continue
        if fetched is not None:
            found[dataset, RECORD] = dataset in fetched
        else:
            of_it = {field for name, field in shut if name == dataset}
            if of_it != wanted.fields:
                found[dataset, RECORD] = of_it <= wanted.fields
    return found
