"""The shipped policies with one thing deleted or widened: a rule, a purpose, a grant or a dataset."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from gateway.catalogue.model import Status
from gateway.rules.decide.conditions import ALL, SCOPE
from gateway.rules.files.purposes import KINDS
from gateway.rules.files.rule import Rule
from gateway.rules.model import PurposeFields
from gateway.rules.ruleset import RuleSet

DAY = datetime.timedelta(days=1)
EMERGENCY = {"kind": "unless", "body": {".": {"left": {"Var": "context"}, "attr": "break_glass"}}}


class Mutant(NamedTuple):
    """What was done, the words that tests which may notice have in them, and what came of it."""

    done: str
    near: str
    rule_set: RuleSet


def remade(rule_set: RuleSet, **changed: Any) -> RuleSet:
    """The rule set with other purposes, requesters, rules or catalogue."""
    return RuleSet(
        changed.get("catalogue", rule_set.policies.catalogue),
        changed.get("purposes", rule_set.policies.purposes),
        changed.get("requesters", rule_set.requesters),
        changed.get("rules", list(rule_set.rules.values())),
        rule_set.calendar,
        rule_set.officers,
    )


def of_rules(rule_set: RuleSet) -> Iterator[Mutant]:
    """Each rule deleted, without each clause, without each part of a condition, and for everybody and everything.

    What forbids is also made to spare emergencies.
    """
    for rule in rule_set.rules.values():
        others = [other for other in rule_set.rules.values() if other is not rule]
        yield Mutant(f"{rule.id} deleted", rule.id, remade(rule_set, rules=others))
        for done, policy in _policies(rule):
            changed = replace(rule, policy=policy, text=f"{rule.text}\n// {done}")
            yield Mutant(f"{rule.id}: {done}", rule.id, remade(rule_set, rules=[*others, changed]))


def _policies(rule: Rule) -> Iterator[tuple[str, Mapping[str, Any]]]:
    policy = rule.policy
    if policy["effect"] == "forbid":
        yield "not in an emergency", {**policy, "conditions": [*policy["conditions"], EMERGENCY]}
    for part in SCOPE:
        if policy[part] != ALL:
            yield f"any {part}", {**policy, part: ALL}
    for place, clause in enumerate(policy["conditions"]):
        left = [other for at, other in enumerate(policy["conditions"]) if at != place]
        yield f"no `{clause['kind']}` {place}", {**policy, "conditions": left}
        for path, node in _nodes(clause["body"], ()):
            for done, smaller in _smaller(node):
                changed = copy.deepcopy(policy)
                changed["conditions"][place]["body"] = _put(changed["conditions"][place]["body"], path, smaller)
                yield f"`{clause['kind']}` {place} at {'/'.join(map(str, path)) or 'top'}: {done}", changed


def _nodes(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from _nodes(child, (*path, key))


def _smaller(node: Any) -> Iterator[tuple[str, Any]]:
    """The left and the right of what `&&` and `||` join, and sets without each of their elements."""
    if isinstance(node, dict) and len(node) == 1:
        (operator, parts), *_ = node.items()
        if operator in ("&&", "||"):
            yield f"only the left of {operator}", parts["left"]
            yield f"only the right of {operator}", parts["right"]
        elif operator == "Set":
            for place in range(len(parts)):
                yield f"without element {place}", {"Set": parts[:place] + parts[place + 1 :]}


def _put(node: Any, path: tuple[Any, ...], smaller: Any) -> Any:
    if not path:
        return smaller
    node[path[0]] = _put(node[path[0]], path[1:], smaller)
    return node


def of_purposes(rule_set: RuleSet) -> Iterator[Mutant]:
    """Each purpose with each further field and kind of subject, and without each of its demands."""
    purposes = rule_set.policies.purposes
    for name, purpose in purposes.items():

        def mutant(done: str, name: str = name, purpose: Any = purpose, **changed: Any) -> Mutant:
            return Mutant(
                f"{name} {done}", name, remade(rule_set, purposes={**purposes, name: replace(purpose, **changed)})
            )

        for dataset in rule_set.policies.catalogue.published.values():
            bound = purpose.fields.get(dataset.id, PurposeFields(frozenset()))
            for field in dataset.fields.keys() - bound.names:
                fields = {**purpose.fields, dataset.id: replace(bound, names=bound.names | {field})}
                yield mutant(f"sees {dataset.id}.{field}", fields=fields)
        for kind in KINDS:
            if kind not in purpose.subjects:
                yield mutant(f"asks about a {kind}", subjects=KINDS)
        if purpose.case_required:
            yield mutant("needs no case", case_required=False)
        if purpose.official_required:
            yield mutant("needs no official", official_required=False)
        if purpose.scope == "self":
            yield mutant("is not for the subject alone", scope="inquire")


def of_grants(rule_set: RuleSet) -> Iterator[Mutant]:
    """Each grant with each further dataset, and a day longer at each end."""
    who = rule_set.requesters
    for key, entry in who.entries.items():
        for grant in entry.grants:
            wider = {f"gives {name}": {"datasets": grant.datasets | {name}} for name in _not_in(rule_set, grant)}
            wider["a day earlier"] = {"valid_from": grant.valid_from - DAY}
            wider["a day longer"] = {"valid_until": grant.valid_until + DAY}
            for done, changed in wider.items():
                grants = tuple(replace(each, **changed) if each is grant else each for each in entry.grants)
                entries = {**who.entries, key: replace(entry, grants=grants)}
                changed_who = replace(who, entries=entries, digest=f"{who.digest} {grant.id} {done}")
                yield Mutant(f"{grant.id} {done}", grant.purpose, remade(rule_set, requesters=changed_who))


def _not_in(rule_set: RuleSet, grant: Any) -> set[str]:
    return set(rule_set.policies.catalogue.published) - grant.datasets


def of_datasets(rule_set: RuleSet) -> Iterator[Mutant]:
    """Each draft published; each published dataset public, open, and about both kinds of subject, where it is not."""
    catalogue = rule_set.policies.catalogue
    wider = {"status": Status.PUBLISHED, "information": "public", "disclosure": "open", "subjects": KINDS}
    for name, dataset in catalogue.datasets.items():
        for fact, value in wider.items():
            if getattr(dataset, fact) != value and (fact == "status" or name in catalogue.published):
                datasets = {**catalogue.datasets, name: replace(dataset, **{fact: value})}
                changed = replace(catalogue, datasets=datasets, digest=f"{catalogue.digest} {name} {fact}")
                yield Mutant(f"{name} {fact} {value}", name, remade(rule_set, catalogue=changed))
