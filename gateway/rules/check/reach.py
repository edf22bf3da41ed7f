"""Grants that no rule can ever permit anything to, and rules that no grant can ever reach.

Neither opens anything, so a start does not refuse them; but each is a mistake, or a leftover that misleads whoever
reads the policies. `dutybound check` and `dutybound rules check` tell both, with file, line and column.

A grant reaches a dataset where some field of it is permitted under some flags that can occur. A permit is reached where
it determines a permit of some grant. A forbid is there for what might come, so it is reached where it holds for some
grant under any value of the catalogue's facts and of what purposes demand: `special-categories` guards against what no
dataset is, `step-up-missing` for a purpose yet to be registered. Grants that have ended are not judged, but they still
reach rules: nothing here goes wrong by itself with the years. Cedar decides every question; it is asked again, flag by
flag, only about what is still unreached.
"""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gateway import documents
from gateway.catalogue.model import Catalogue, Dataset
from gateway.errors import Problem
from gateway.rules.decide import vocabulary
from gateway.rules.decide.engine import Question
from gateway.rules.decide.vocabulary import FLAGS, FOLLOWING
from gateway.rules.files import requesters, tokens
from gateway.rules.files.purposes import KINDS
from gateway.rules.files.rule import Rule
from gateway.rules.model import PORTAL, Flag, Grant, RequesterEntry
from gateway.rules.ruleset import RuleSet

_CHUNK = 512
_FACTS = tuple(fact for fact in vocabulary.ATTRIBUTES["resource"] if fact != "department")
_AS_IT_IS: Mapping[str, bool] = {}
_MOST = 4096  # hypothetical catalogues and purposes that one forbid is tried against


def check(rule_set: RuleSet, policies_dir: Path, today: datetime.date) -> list[Problem]:
    """Every grant and every rule that can have no effect, in file and line order; none where all can."""
    cedar = Cedar(rule_set)
    questions = list(all_questions(rule_set))
    permitted, reached = _permits(cedar, rule_set, questions)
    reached |= _forbids(cedar, rule_set, questions)
    problems = [_rule_problem(rule) for rule in rule_set.rules.values() if rule.id not in reached]
    places = _Places(policies_dir)
    for entry in rule_set.policies.requesters.values():
        for grant in entry.grants:
            if grant.valid_until >= today:
                problems += _grant_problems(rule_set, entry, grant, permitted, places)
    return sorted(problems)


class _Asked(NamedTuple):
    """A question before its flags are known, and the flags that can occur for it."""

    question: Question
    possible: Flag

    def under(self, flags: Flag) -> Question:
        return self.question._replace(flags=flags)


class Cedar:
    """Cedar, asked which rules determine an answer, or which hold whatever the others decide."""

    def __init__(self, rule_set: RuleSet) -> None:
        import cedarpy

        self._cedar = cedarpy
        policies = rule_set.policies
        self._catalogue, self._who = policies.catalogue, rule_set.requesters
        self.words = vocabulary.of(policies.catalogue, policies.purposes, self._who)
        self._schema = cedarpy.Schema.from_str(self.words.schema)
        self.entities = self.supposing({})
        self._rules = dict(rule_set.rules)
        self.all = self._set(self._rules)

    def holding(self, rules: Iterable[Rule]) -> Any:
        """A policy set in which each rule permits: so all that hold are listed, not only those that determine."""
        return self._set({rule.id: rule for rule in rules}, effect="permit")

    def _set(self, rules: Mapping[str, Rule], **changed: str) -> Any:
        static = {name: {**rule.policy, **changed} for name, rule in rules.items()}
        return self._cedar.PolicySet.from_json_str(
            json.dumps({"templates": {}, "templateLinks": [], "staticPolicies": static})
        )

    def supposing(self, facts: Mapping[str, str]) -> Any:
        """The entities as if every dataset had these facts."""
        found = json.loads(vocabulary.entities(self._catalogue, self._who))
        for entity in found:
            if entity["uid"]["type"] == "Field":
                for name, value in facts.items():
                    entity["attrs"][name] = {"__entity": {"type": name.capitalize(), "id": value}}
        return self._cedar.Entities.from_json_str(json.dumps(found), self._schema)

    def determining(
        self, questions: Iterable[Question], policies: Any, entities: Any, supposed: Mapping[str, bool] = _AS_IT_IS
    ) -> Iterator[tuple[Question, frozenset[str]]]:
        """The permitted questions, with the rules that permit them; `supposed` replaces booleans of the context."""
        remaining = iter(questions)
        while chunk := list(itertools.islice(remaining, _CHUNK)):
            requests = [vocabulary.request(*question) for question in chunk]
            for request in requests:
                request["context"].update(supposed)
            answers = self._cedar.is_authorized_batch(requests, policies, entities, self._schema)
            for question, answer in zip(chunk, answers, strict=True):
                if answer.decision is self._cedar.Decision.Allow and not answer.diagnostics.errors:
                    yield question, frozenset(answer.diagnostics.reasons)


def all_questions(rule_set: RuleSet) -> Iterator[_Asked]:
    """All that grants could ask, of every dataset of the catalogue, published or not."""
    policies = rule_set.policies
    for entry in policies.requesters.values():
        for grant in entry.grants:
            purpose = policies.purposes[grant.purpose]
            possible = ~Flag(0) if purpose.case_registry or entry.registry else ~Flag.CASE
            if purpose.scope == "self" and PORTAL not in entry.roles:
                possible &= ~Flag.SCOPE
            for kind in KINDS:
                for dataset in policies.catalogue.datasets.values():
                    for field in dataset.fields:
                        yield _Asked(Question(grant, purpose, kind, dataset, field, Flag(0)), possible)


def _open(asked: _Asked) -> bool:
    """Whether purpose, grant and kind leave the question open, so that a permit may be hoped for."""
    grant, purpose, kind, dataset, field, _ = asked.question
    bound = purpose.fields.get(dataset.id)
    return (
        bound is not None
        and field in bound.names
        and dataset.id in grant.datasets
        and kind in purpose.subjects
        and kind in dataset.subjects
    )


def _combinations(names: Iterable[str]) -> list[Flag]:
    """Every combination of the named flags, beside all others set; the fullest first."""
    flags = [FLAGS[name] for name in names]
    rest = ~Flag(0)
    for flag in flags:
        rest &= ~flag
    sums = [
        sum(chosen, start=Flag(0)) for size in range(len(flags) + 1) for chosen in itertools.combinations(flags, size)
    ]
    return [rest | chosen for chosen in reversed(sums)]


def _permits(cedar: Cedar, rule_set: RuleSet, questions: Sequence[_Asked]) -> tuple[set[tuple[str, str]], set[str]]:
    """The (grant, dataset) pairs of which a field can be permitted, and the permits that any of them is owed to."""
    permitted: set[tuple[str, str]] = set()
    reached: set[str] = set()
    wanted = {rule.id for rule in rule_set.rules.values() if rule.effect == "permit"}
    published = rule_set.policies.catalogue.published
    hoped = [asked for asked in questions if _open(asked) and asked.question.dataset.id in published]
    flags = mentioned(rule_set.rules.values(), "context", FLAGS)
    for combination in _combinations(flags):
        if wanted <= reached:  # then only what is not permitted yet is still of interest
            hoped = [a for a in hoped if (a.question.grant.id, a.question.dataset.id) not in permitted]
        if not hoped:
            break
        asked = (each.under(combination & each.possible) for each in hoped)
        for question, rules in cedar.determining(asked, cedar.all, cedar.entities):
            permitted.add((question.grant.id, question.dataset.id))
            reached |= rules
    return permitted, reached


def _forbids(cedar: Cedar, rule_set: RuleSet, questions: Sequence[_Asked]) -> set[str]:
    """The forbids that hold for some question, under the catalogue as it is or as it might be."""
    left = {rule.id: rule for rule in rule_set.rules.values() if rule.effect == "forbid"}
    reached: set[str] = set()
    policies = cedar.holding(left.values())
    typical = typical_questions(questions)
    for flags in (~Flag(0), Flag(0)):
        asked = (each.under(flags & each.possible) for each in typical)
        for _, rules in cedar.determining(asked, policies, cedar.entities):
            reached |= rules
            if reached >= left.keys():
                return reached
    for name in left.keys() - reached:
        if _holds(cedar, left[name], questions if "Field::" in left[name].text else typical):
            reached.add(name)
    return reached


def typical_questions(questions: Iterable[_Asked]) -> list[_Asked]:
    """One question of each grant, kind and dataset inside and outside the purpose: fields differ in no more."""
    first: dict[tuple[str, str, str, bool], _Asked] = {}
    for asked in questions:
        question = asked.question
        bound = question.purpose.fields.get(question.dataset.id)
        inside = bound is not None and question.field in bound.names
        first.setdefault((question.grant.id, question.kind, question.dataset.id, inside), asked)
    return list(first.values())


def _holds(cedar: Cedar, rule: Rule, questions: Sequence[_Asked]) -> bool:
    """Whether a rule holds for some grant, whatever is supposed of what it looks at."""
    policies = cedar.holding([rule])
    facts = mentioned([rule], "resource", _FACTS)
    demands = mentioned([rule], "context", FOLLOWING)
    combinations = _combinations(mentioned([rule], "context", FLAGS))
    values = itertools.product(*(cedar.words.words[fact.capitalize()] for fact in facts))
    truths = list(itertools.product((True, False), repeat=len(demands)))
    for supposed, truth in itertools.islice(itertools.product(values, truths), _MOST):
        entities = cedar.supposing(dict(zip(facts, supposed, strict=True)))
        asked = (each.under(flags & each.possible) for flags in combinations for each in questions)
        context = dict(zip(demands, truth, strict=True))
        if next(cedar.determining(asked, policies, entities, context), None) is not None:
            return True
    return False


def mentioned(rules: Iterable[Rule], variable: str, known: Iterable[str]) -> list[str]:
    """The attributes of one of Cedar's variables that rules look at."""
    found = {attribute for rule in rules for attribute in _attributes(rule.policy, variable)}
    return [name for name in known if name in found]


def _attributes(node: Any, variable: str) -> Iterator[str]:
    if isinstance(node, list):
        for child in node:
            yield from _attributes(child, variable)
    elif isinstance(node, Mapping):
        left = node.get("left")
        if isinstance(left, Mapping) and left.get("Var") == variable and isinstance(node.get("attr"), str):
            yield node["attr"]
        for child in node.values():
            yield from _attributes(child, variable)


def _rule_problem(rule: Rule) -> Problem:
    line, column = tokens.place(rule.text, tokens.effects(rule.text)[0])
    if rule.effect == "permit":
        message = "permits nothing to any grant, whatever an inquiry brings; mend its conditions, register a grant, or"
    else:
        message = "never holds for any grant, so it forbids nothing; mend its conditions, or"
    return Problem(rule.file, line, column, f"@id {rule.id}", f"{message} remove it")


def _grant_problems(
    rule_set: RuleSet, entry: RequesterEntry, grant: Grant, permitted: set[tuple[str, str]], places: _Places
) -> Iterator[Problem]:
    catalogue = rule_set.policies.catalogue
    published = [name for name in sorted(grant.datasets) if name in catalogue.published]
    empty = [name for name in published if (grant.id, name) not in permitted]
    if len(empty) == len(published):
        yield places.problem(grant.id, None, _nothing(rule_set, entry, grant, published))
        return
    for name in empty:
        message = (
            f"no field of `{name}` can ever be permitted for {grant.purpose}: {_why(rule_set, grant, catalogue, name)}"
        )
        yield places.problem(grant.id, name, message)


def _nothing(rule_set: RuleSet, entry: RequesterEntry, grant: Grant, published: Sequence[str]) -> str:
    purpose = rule_set.policies.purposes[grant.purpose]
    start = f"this grant for {grant.purpose} can never permit anything"
    if not published:
        return f"{start}: none of its datasets is published; publish one, or remove the grant"
    if purpose.case_required and not (purpose.case_registry or entry.registry):
        return (
            f"{start}: the purpose needs a case, and `{entry.client}` has no `registry` that could verify one; name it"
        )
    if purpose.scope == "self" and PORTAL not in entry.roles:
        return f"{start}: the purpose is for subjects themselves, and `{entry.client}` has no role `{PORTAL}`"
    return f"{start}, whatever an inquiry brings; write a rule that permits it, or remove the grant"


def _why(rule_set: RuleSet, grant: Grant, catalogue: Catalogue, name: str) -> str:
    dataset: Dataset = catalogue.datasets[name]
    if not set(dataset.subjects) & set(rule_set.policies.purposes[grant.purpose].subjects):
        return f"it is about {' and '.join(dataset.subjects)} only; take it out of the grant"
    return "write a rule that permits it, or take it out of the grant"


class _Places:
    """Where grants stand in `requesters.yaml`."""

    def __init__(self, policies_dir: Path) -> None:
        self._file = str(policies_dir / requesters.FILE)
        self._nodes: dict[str, documents.Node] = {}
        root = documents.read(policies_dir / requesters.FILE, [])
        for entry in root.at(["requesters"]).items() if root is not None else []:
            client, counts = entry.at(["client"]).plain(), dict[str, int]()
            for node in entry.at(["grants"]).items():
                purpose = str(node.at(["purpose"]).plain())
                counts[purpose] = counts.get(purpose, 0) + 1
                number = f"#{counts[purpose]}" if counts[purpose] > 1 else ""
                for prefix in (client, f"{entry.at(['issuer']).plain()}/{client}"):
                    self._nodes.setdefault(f"{prefix}/{purpose}{number}", node)

    def problem(self, grant: str, dataset: str | None, message: str) -> Problem:
        node = self._nodes.get(grant)
        if node is None:
            return Problem(self._file, 0, 0, grant, message)
        if dataset is not None:
            node = next((item for item in node.at(["datasets"]).items() if item.plain() == dataset), node)
        return Problem(node.file, node.line, node.column, node.path, message)
