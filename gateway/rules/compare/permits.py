"""The disclosure matrix as sets: under which flags each grant is permitted each field.

A combination of flags is a number from 0 to 63, and a set of combinations one of 64 bits: so what opens between two
rule sets is `after & ~before`. Only combinations that can occur are in a set: no case is verified without a registry,
only a portal brings a subject's own token, and break-glass is there exactly where the purpose is an emergency's. A
grant's days and its suspension are no part of it; they are compared beside.

Cedar is asked once for all that no rule tells apart: two fields of one dataset, two datasets with equal facts, or two
requesters with equal roles, where no rule names one of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from connectors.base import SubjectKind
from gateway.catalogue.model import Dataset
from gateway.rules.decide.engine import Question
from gateway.rules.decide.vocabulary import ATTRIBUTES, requester_id
from gateway.rules.files.purposes import KINDS
from gateway.rules.model import PORTAL, Flag, Grant, Purpose, RequesterEntry
from gateway.rules.ruleset import RuleSet

Coordinate = tuple[SubjectKind, str, str]
"""A kind of subject, a dataset and a field of it."""

COMBINATIONS = tuple(Flag(number) for number in range(64))
_CHUNK = 4096
_ALWAYS = ("information", "category")  # what the base looks at, whatever the rules do


class Permit(NamedTuple):
    """The set of combinations of flags that a field is permitted under, and the rules that permit it."""

    under: int
    rules: frozenset[str]


NOTHING = Permit(0, frozenset())
Permits = Mapping[str, Mapping[Coordinate, Permit]]
"""By the grant's id; what is never permitted is left out."""


@lru_cache(maxsize=4)
def permits(rule_set: RuleSet) -> Permits:
    """What every grant of a rule set is ever permitted."""
    policies, alike = rule_set.policies, _Alike(rule_set)
    cells: dict[tuple[str, Coordinate], Hashable] = {}
    questions: dict[Hashable, list[Question]] = {}
    for entry in policies.requesters.values():
        for grant in entry.grants:
            purpose = policies.purposes[grant.purpose]
            occurring = possible(entry, purpose)
            for kind, dataset, field in _open(rule_set, grant, purpose):
                asked = Question(grant, purpose, kind, dataset, field, Flag(0))
                key: Hashable = (alike.key(entry, asked), occurring)
                cells[grant.id, (kind, dataset.id, field)] = key
                if key not in questions:
                    combinations = (flags for flags in COMBINATIONS if occurring >> int(flags) & 1)
                    questions[key] = [asked._replace(flags=flags) for flags in combinations]
    decided = _decided(rule_set, questions)
    found: dict[str, dict[Coordinate, Permit]] = {}
    for (name, at), key in cells.items():
        if decided[key].under:
            found.setdefault(name, {})[at] = decided[key]
    return found


def _decided(rule_set: RuleSet, questions: Mapping[Hashable, list[Question]]) -> dict[Hashable, Permit]:
    found = dict.fromkeys(questions, NOTHING)
    asked = ((key, question) for key, several in questions.items() for question in several)
    while chunk := list(itertools.islice(asked, _CHUNK)):
        for (key, question), rules in zip(chunk, rule_set.permitting([each for _, each in chunk]), strict=True):
            if rules:
                found[key] = Permit(found[key].under | 1 << int(question.flags), found[key].rules | rules)
    return found


def possible(entry: RequesterEntry, purpose: Purpose) -> int:
    """The set of combinations that can occur at an inquiry of a requester for a purpose."""
    never = Flag(0) if purpose.case_registry or entry.registry else Flag.CASE
    if purpose.scope == "self" and PORTAL not in entry.roles:
        never |= Flag.SCOPE
    glass = Flag.BREAK_GLASS if purpose.break_glass is not None else Flag(0)
    return sum(1 << int(flags) for flags in COMBINATIONS if not flags & never and flags & Flag.BREAK_GLASS == glass)


def _open(rule_set: RuleSet, grant: Grant, purpose: Purpose) -> Iterator[tuple[SubjectKind, Dataset, str]]:
    """What published datasets, purpose and grant have in common: nothing else is ever permitted."""
    for name, dataset in rule_set.policies.catalogue.published.items():
        bound = purpose.fields.get(name)
        if bound is not None and name in grant.datasets:
            for kind in KINDS:
                if kind in purpose.subjects and kind in dataset.subjects:
                    yield from ((kind, dataset, field) for field in dataset.fields if field in bound.names)


class _Alike:
    """Tells which questions rules cannot tell apart: by what they name, and which attributes they look at."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._named, self._looked = set[tuple[str, str]](), set(_ALWAYS)
        for rule in rule_set.rules.values():
            self._read(rule.policy)

    def _read(self, node: Any) -> None:
        if isinstance(node, list):
            for child in node:
                self._read(child)
        elif isinstance(node, Mapping):
            kind, name, attribute = node.get("type"), node.get("id"), node.get("attr")
            if isinstance(kind, str) and isinstance(name, str):
                self._named.add((kind, name))
            if isinstance(attribute, str):
                self._looked.add(attribute)
            for child in node.values():
                self._read(child)

    def key(self, entry: RequesterEntry, asked: Question) -> Hashable:
        """The same for two questions of what is open that Cedar answers alike under every combination of flags."""
        purpose, dataset = asked.purpose, asked.dataset
        demands = (purpose.case_required, purpose.official_required, purpose.step_up is not None, purpose.scope)
        names = (
            ("Requester", requester_id(asked.grant)),
            ("Action", purpose.name),
            ("Dataset", dataset.id),
            ("Field", f"{dataset.id}.{asked.field}"),
        )
        facts = ((name, getattr(dataset, name)) for name in ATTRIBUTES["resource"] if name in self._looked)
        held = ((name, getattr(entry, name)) for name in ATTRIBUTES["principal"] if name in self._looked)
        named = (each for each in names if each in self._named)
        return (asked.kind, demands, tuple(named), tuple(facts), tuple(held))
