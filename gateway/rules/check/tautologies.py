"""Permits that look at requester or data, but never mind what they see: `resource == resource`, `x || !x`.

Such a rule permits to everybody all that a grant covers, as one without a condition does (`legible`). Cedar decides:
the rule is asked of requesters and fields that need not exist, with every combination of what it looks at. It is too
wide where it permits, and no answer ever depends on who asks or of what. Where there are too many combinations, only
what was tried is known, and nothing is said.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.errors import Problem
from gateway.rules.check import legible
from gateway.rules.check.reach import mentioned
from gateway.rules.decide import vocabulary
from gateway.rules.decide.vocabulary import FLAGS, FOLLOWING, Vocabulary
from gateway.rules.files import tokens
from gateway.rules.files.rule import Rule

_MOST = 512  # worlds that one rule is tried in
_MOST_CONTEXTS = 256
_ANY, _OTHER = "?", "??"
"""Names that no rule has."""


class _Named(NamedTuple):
    """What a rule names, by type."""

    by: Mapping[str, tuple[str, ...]]

    def of(self, kind: str) -> tuple[str, ...]:
        return self.by.get(kind, ())


def check(rules: Sequence[Rule], words: Vocabulary, problems: list[Problem]) -> None:
    """Note every permit that no requester and no data is too much for. The rules have to be right otherwise."""
    for rule in rules:
        if rule.effect == "permit" and _always(rule, words):
            line, column = tokens.place(rule.text, tokens.effects(rule.text)[0])
            message = f"{legible.EVERYBODY}: its conditions hold whoever asks and of what; {legible.SAY_TO_WHOM}"
            problems.append(Problem(rule.file, line, column, f"@id {rule.id}", message))


def _always(rule: Rule, words: Vocabulary) -> bool:
    import cedarpy

    named = _Named(names(rule.policy))
    policies = cedarpy.PolicySet.from_json_str(
        json.dumps({"templates": {}, "templateLinks": [], "staticPolicies": {rule.id: dict(rule.policy)}})
    )
    cases = list(itertools.product(named.of("Action"), _contexts(rule, words)))
    found: list[set[bool]] = [set() for _ in cases]
    worlds = itertools.product(_principals(rule, named), _fields(rule, named, words))
    for number, (who, of) in enumerate(worlds):
        if number == _MOST:
            return False
        principals, fields = (_ANY, *named.of("Requester")), (_ANY, *named.of("Field"))
        entities = [*_entities("Requester", principals, who), *_entities("Field", fields, of)]
        for principal, field in itertools.product(principals, fields):
            requests = [
                {
                    "principal": _uid("Requester", principal),
                    "action": _uid("Action", action),
                    "resource": _uid("Field", field),
                    "context": context,
                }
                for action, context in cases
            ]
            answers = cedarpy.is_authorized_batch(requests, policies, entities)
            for seen, answer in zip(found, answers, strict=True):
                seen.add(answer.decision is cedarpy.Decision.Allow)
        if any(len(seen) > 1 for seen in found):
            return False
    return any(True in seen for seen in found)


def _principals(rule: Rule, named: _Named) -> Iterator[dict[str, Any]]:
    """Requesters of every kind that the rule can tell apart: an entity without its name."""
    roles = named.of("Role")
    several = dict.fromkeys([(), *((role,) for role in roles), roles])
    departments = _departments(named) if mentioned([rule], "principal", ["department"]) else [_ANY]
    for held, department in itertools.product(several, departments):
        attributes = {
            "department": _entity("Department", department),
            "roles": [_entity("Role", each) for each in held],
        }
        yield {"attrs": attributes, "parents": []}


def _fields(rule: Rule, named: _Named, words: Vocabulary) -> Iterator[dict[str, Any]]:
    """Fields of every kind that the rule can tell apart: an entity without its name."""
    looked_at = mentioned([rule], "resource", vocabulary.ATTRIBUTES["resource"])
    facts = vocabulary.ATTRIBUTES["resource"]
    kinds = {fact: fact.capitalize() for fact in facts}
    values = [
        (_departments(named) if fact == "department" else words.words[kinds[fact]]) if fact in looked_at else [_ANY]
        for fact in facts
    ]
    for dataset, *chosen in itertools.product((_ANY, *named.of("Dataset")), *values):
        attributes = {fact: _entity(kinds[fact], value) for fact, value in zip(facts, chosen, strict=True)}
        yield {"attrs": attributes, "parents": [_uid("Dataset", dataset)]}


def _contexts(rule: Rule, words: Vocabulary) -> list[dict[str, Any]]:
    """What an inquiry may bring, as far as the rule looks at it; all of it first."""
    flags = mentioned([rule], "context", (*FLAGS, *FOLLOWING))
    others = dict.fromkeys((*FLAGS, *FOLLOWING), True)
    truths = itertools.product((True, False), repeat=len(flags))
    every = itertools.product(truths, words.words["Subject"])
    return [
        {**others, **dict(zip(flags, truth, strict=True)), "subject": _entity("Subject", kind)}
        for truth, kind in itertools.islice(every, _MOST_CONTEXTS)
    ]


def _departments(named: _Named) -> list[str]:
    return [_ANY, _OTHER, *named.of("Department")]


def _entities(kind: str, names: Sequence[str], alike: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"uid": _uid(kind, name), **alike} for name in names]


def names(node: Any) -> dict[str, tuple[str, ...]]:
    """The entities that a policy names, by type."""
    found: dict[str, dict[str, None]] = {}

    def look(of: Any) -> None:
        if isinstance(of, Mapping):
            if set(of) == {"type", "id"}:
                found.setdefault(str(of["type"]), {})[str(of["id"])] = None
            for child in of.values():
                look(child)
        elif isinstance(of, list):
            for child in of:
                look(child)

    look(node)
    return {kind: tuple(names) for kind, names in found.items()}


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _entity(kind: str, name: str) -> dict[str, dict[str, str]]:
    return {"__entity": _uid(kind, name)}
