"""Why a cell is permitted otherwise than before: which of the things that it rests on changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from gateway.catalogue.model import Dataset
from gateway.rules.compare.shifts import Shift
from gateway.rules.files.rule import Rule
from gateway.rules.model import Grant, Purpose, RequesterEntry
from gateway.rules.ruleset import RuleSet

_DEMANDS = {"case_required": "a case", "official_required": "an official", "step_up": "the stronger sign-in"}


class _Side(NamedTuple):
    """What one rule set has of a cell."""

    entry: RequesterEntry | None
    grant: Grant | None
    purpose: Purpose | None
    dataset: Dataset | None


def causes(shift: Shift, before: RuleSet, after: RuleSet) -> tuple[str, ...]:
    """What changed, in words that follow `Because`; the rules, by name, where nothing else did."""
    sides = [_side(shift, rule_set, grant) for rule_set, grant in _grants(shift, before, after)]
    told = [text for text in _structure(shift, *sides) if text]
    if told:
        return tuple(told)
    told = list(_demands(*sides))
    if rules := rules_changed(before, after):
        told.append(f"the rule{'s' if len(rules) > 1 else ''} {', '.join(f'`{name}`' for name in rules)} changed")
    return tuple(told)


def _grants(shift: Shift, before: RuleSet, after: RuleSet) -> list[tuple[RuleSet, Grant | None]]:
    return [(before, shift.pair.before), (after, shift.pair.after)]


def _side(shift: Shift, rule_set: RuleSet, grant: Grant | None) -> _Side:
    policies = rule_set.policies
    entry = rule_set.holder(grant) if grant is not None else None
    return _Side(
        entry, grant, policies.purposes.get(shift.pair.purpose), policies.catalogue.published.get(shift.dataset)
    )


def _structure(shift: Shift, before: _Side, after: _Side) -> Iterator[str]:
    """The bounds that a permit is within, the widest first; only the widest that changed is told."""
    if before.purpose is None or after.purpose is None:
        yield f"the purpose is {_new(after.purpose)}"
    elif before.grant is None or after.grant is None:
        yield f"the grant is {_new(after.grant)}"
    elif before.dataset is None or after.dataset is None:
        yield "the dataset is published" if after.dataset is not None else "the dataset is not published any more"
    else:
        of_dataset, of_purpose = (before.dataset, after.dataset), (before.purpose, after.purpose)
        bounds = [purpose.fields.get(shift.dataset) for purpose in of_purpose]
        yield _both("the dataset has the field", [shift.field in each.fields for each in of_dataset])
        yield _both("the dataset is about them", [shift.kind in each.subjects for each in of_dataset])
        yield _both("the purpose covers them", [shift.kind in each.subjects for each in of_purpose])
        yield _both("the purpose lists the field", [each is not None and shift.field in each.names for each in bounds])
        grants = (before.grant, after.grant)
        yield _both("the grant lists the dataset", [shift.dataset in each.datasets for each in grants])


def _new(there: object) -> str:
    return "new" if there is not None else "gone"


def _both(text: str, holds: list[bool]) -> str:
    was, now = holds
    if was is now:
        return ""
    return f"{text} now" if now else f"{text} no more"


def _demands(before: _Side, after: _Side) -> Iterator[str]:
    """What of a purpose, a requester or a dataset conditions look at."""
    if before.purpose is not None and after.purpose is not None:
        for name, text in _DEMANDS.items():
            was, now = (bool(getattr(side, name)) for side in (before.purpose, after.purpose))
            if was is not now:
                yield f"the purpose {'demands' if now else 'no longer demands'} {text}"
        if before.purpose.scope != after.purpose.scope:
            yield f"the purpose's scope is `{after.purpose.scope}`"
        if before.purpose.case_registry != after.purpose.case_registry:
            yield "another registry verifies the purpose's cases"
    for name in ("roles", "registry"):
        if getattr(before.entry, name, None) != getattr(after.entry, name, None):
            yield f"the requester's {name} changed"
    if before.dataset is not None and after.dataset is not None:
        for name in ("information", "disclosure", "nature", "category", "department"):
            if getattr(before.dataset, name) != (now_ := getattr(after.dataset, name)):
                yield f"the dataset's {name} is `{now_}` now"


@lru_cache(maxsize=2)
def rules_changed(before: RuleSet, after: RuleSet) -> list[str]:
    """The rules that decide otherwise in themselves: new, gone, or with other conditions."""
    names = sorted(before.rules.keys() | after.rules.keys())
    return [name for name in names if _decides(before.rules.get(name)) != _decides(after.rules.get(name))]


def _decides(rule: Rule | None) -> Mapping[str, object] | None:
    return None if rule is None else {key: value for key, value in rule.policy.items() if key != "annotations"}
