"""Cedar, asked for many cells at once: from a decision and its diagnostics to a `Cell` that explains itself.

A permit needs Cedar's `Allow` and no error in any rule: Cedar itself skips a `forbid` that errs, and so would permit.
A denial tells one reason, the first of `REASONS` among the rules that forbid; where none forbids, it is `NO_RULE`, and
the advice names the permit that came nearest and what it lacks. `needs` has all that it would take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.base import SubjectKind
from gateway.catalogue.model import Catalogue, Dataset
from gateway.rules.decide import vocabulary, words
from gateway.rules.decide.conditions import conjuncts, probe, scoped
from gateway.rules.files.requesters import Requesters
from gateway.rules.files.rule import REASONS, Rule, fill
from gateway.rules.model import Cell, Flag, Grant, Purpose, Reason

_PURPOSE_WEIGHT = 1000  # a permit for another purpose is no neighbour while there is one for this purpose


class _Piece(NamedTuple):
    """One condition of a permit: the id of its probe, its words, and how far from a permit it is to lack it.

    `otherwise` are the words where it is not so, of what no request can bring: what a dataset or a requester is.
    """

    probe: str
    words: str
    weight: int
    otherwise: str = ""


class Question(NamedTuple):
    """What one cell asks: a grant's purpose, a kind of subject, and a field of a dataset, under some flags."""

    grant: Grant
    purpose: Purpose
    kind: SubjectKind
    dataset: Dataset
    field: str
    flags: Flag


class Holding(NamedTuple):
    """The rules that hold of one question, each by itself, and those that fail; by their ids, sorted."""

    permits: tuple[str, ...]
    forbids: tuple[str, ...]
    failed: tuple[str, ...]


class Engine:
    """The rules of one rule set, parsed once. Raises `ValueError` where Cedar refuses them."""

    def __init__(
        self, catalogue: Catalogue, purposes: Mapping[str, Purpose], requesters: Requesters, rules: Sequence[Rule]
    ) -> None:
        import cedarpy

        self._cedar = cedarpy
        self._rules = {rule.id: rule for rule in rules}
        self._schema = cedarpy.Schema.from_str(vocabulary.of(catalogue, purposes, requesters).schema)
        self._catalogue, self._requesters = catalogue, requesters
        entries = requesters.entries.values()
        self._holders = {vocabulary.requester_id(grant): entry for entry in entries for grant in entry.grants}
        self._everybody: Any = None
        self._policies = _policy_set({rule.id: rule.policy for rule in rules})
        self._each: Any = None
        self._pieces: dict[str, list[_Piece]] = {}
        probes: dict[str, Mapping[str, Any]] = {}
        for rule in rules:
            if rule.effect == "permit":
                self._pieces[rule.id] = pieces = []
                for variable in scoped(rule.policy):
                    name = f"{rule.id}/{variable}"
                    probes[name] = probe(rule.policy, variable=variable)
                    weight = _PURPOSE_WEIGHT if variable == "action" else 1
                    told = words.scope(rule.policy, variable)
                    pieces.append(_Piece(name, told, weight, f"it is not so that {told}"))
                for number, condition in enumerate(conjuncts(rule.policy)):
                    name = f"{rule.id}/{number}"
                    probes[name] = probe(rule.policy, condition)
                    otherwise = "" if _of_requests(condition) else words.condition(condition, true=False)
                    pieces.append(_Piece(name, words.condition(condition), 1, otherwise))
        self._probes = _policy_set(probes)

    def cells(self, questions: Sequence[Question]) -> list[Cell]:
        """The answers, in order; one batch for the decisions, one more to explain the denials."""
        requests = [vocabulary.request(*question) for question in questions]
        entities = self._about(questions)
        results = [_Result(raw) for raw in self._ask(requests, self._policies, entities)]
        denied = [index for index, result in enumerate(results) if not result.permits]
        probed = self._ask([requests[index] for index in denied], self._probes, entities)
        held = {index: frozenset(raw["reason"]) for index, raw in zip(denied, probed, strict=True)}
        return [
            self._denial(question, result, held[index]) if index in held else self._permit(result)
            for index, (question, result) in enumerate(zip(questions, results, strict=True))
        ]

    def holding(self, question: Question) -> Holding:
        """Which rules hold of a question, whatever the others decide."""
        if self._each is None:
            self._each = _policy_set({name: {**rule.policy, "effect": "permit"} for name, rule in self._rules.items()})
        [raw] = self._ask([vocabulary.request(*question)], self._each, self._about([question]))
        held = [self._rules[name] for name in sorted(raw["reason"])]
        return Holding(
            tuple(rule.id for rule in held if rule.effect == "permit"),
            tuple(rule.id for rule in held if rule.effect == "forbid"),
            _Result(raw).failed,
        )

    def permitting(self, questions: Sequence[Question]) -> list[frozenset[str]]:
        """The rules that permit each, in order; none where it is denied, which nothing explains here."""
        answers = self._ask(
            [vocabulary.request(*question) for question in questions], self._policies, self._about(questions)
        )
        results = map(_Result, answers)
        return [frozenset(result.rules) if result.permits else frozenset() for result in results]

    def _about(self, questions: Sequence[Question]) -> Any:
        """The entities that a rule can see of these: whoever asks, and what is asked about.

        All there are take Cedar long, and nothing else runs meanwhile: they are made where much is asked at once.
        """
        datasets = {question.dataset.id: question.dataset for question in questions}
        if len(datasets) > 1:
            if self._everybody is None:
                everybody = vocabulary.entities(self._catalogue, self._requesters)
                self._everybody = self._cedar.Entities.from_json_str(everybody, self._schema)
            return self._everybody
        names = {vocabulary.requester_id(question.grant) for question in questions}
        found = [
            each for name in names if name in self._holders for each in vocabulary.of_requester(self._holders[name])
        ]
        found += [each for dataset in datasets.values() for each in vocabulary.of_dataset(dataset)]
        return self._cedar.Entities.from_json_str(json.dumps(found), self._schema)

    def _ask(self, requests: list[dict[str, Any]], policies: Any, entities: Any) -> list[dict[str, Any]]:
        answers = self._cedar.is_authorized_batch(requests, policies, entities, self._schema)
        return [
            {
                "allow": answer.decision is self._cedar.Decision.Allow,
                "reason": answer.diagnostics.reasons,
                "errors": answer.diagnostics.errors,
            }
            for answer in answers
        ]

    def _permit(self, result: _Result) -> Cell:
        rules = sorted(result.rules)
        articles = dict.fromkeys(article for name in rules for article in self._rules[name].articles)
        return Cell(True, articles=tuple(articles), rules=tuple(rules))

    def _denial(self, question: Question, result: _Result, held: frozenset[str]) -> Cell:
        values = {
            "dataset": question.dataset.id,
            "field": question.field,
            "department": question.dataset.department_title,
            "purpose": question.purpose.name,
            "subject": question.kind,
            "requester": vocabulary.requester_id(question.grant),
        }
        forbidding = [] if result.allow else [self._rules[name] for name in result.rules]
        forbidding.sort(key=lambda rule: (REASONS.index(rule.reason), rule.id))
        needs = [fill(rule.needs, values) or words.rule(rule.policy) for rule in forbidding]
        needs += [f"rule `{name}` mended: it fails" for name in result.failed]
        nearest, lacking = self._nearest(held)
        if nearest is None or any(piece.weight == _PURPOSE_WEIGHT for piece in lacking):
            needs.append(f"a rule that permits {question.purpose.name}")
        else:
            needs += [piece.words for piece in lacking if not piece.otherwise]
            if others := [piece.otherwise for piece in lacking if piece.otherwise]:
                needs.append(f"a rule that permits {question.purpose.name} where {' and '.join(others)}")
        rules = tuple(rule.id for rule in forbidding)
        wanted = tuple(dict.fromkeys(needs))
        if forbidding:
            first = forbidding[0]
            return Cell(False, first.reason, first.id, first.articles, fill(first.advice, values), rules, wanted)
        if result.failed:
            failed = self._rules.get(result.failed[0])
            advice = (
                f"Rule `{result.failed[0]}` fails; while it does, nothing is permitted. Report it to the policy"
                " officer."
            )
            articles = failed.articles if failed else question.purpose.articles
            return Cell(False, Reason.NO_RULE, result.failed[0], articles, advice, result.failed, wanted)
        what = f"`{question.dataset.id}.{question.field}` for {question.purpose.name}"
        if nearest is None or any(piece.weight == _PURPOSE_WEIGHT for piece in lacking):
            advice = f"No rule permits {what}: no rule speaks of this purpose. A policy officer has to write one."
            return Cell(False, Reason.NO_RULE, None, question.purpose.articles, advice, (), wanted)
        lacks = " and that ".join(piece.words for piece in lacking)
        advice = f"No rule permits {what}. Nearest is rule `{nearest.id}`: it asks that {lacks}. "
        if any(piece.otherwise for piece in lacking):
            advice += "No request brings that about: a policy officer would have to write a rule."
        else:
            advice += fill(nearest.advice, values)
        return Cell(False, Reason.NO_RULE, None, nearest.articles, advice, (), wanted)

    def _nearest(self, held: frozenset[str]) -> tuple[Rule | None, list[_Piece]]:
        """The permit that lacks least, and what it lacks: nothing where it would permit but for what forbids."""
        ranked = []
        for name, pieces in self._pieces.items():
            lacking = [piece for piece in pieces if piece.probe not in held]
            ranked.append((sum(piece.weight for piece in lacking), name, lacking))
        if not ranked:
            return None, []
        _, name, lacking = min(ranked, key=lambda entry: entry[:2])
        return self._rules[name], lacking


class _Result:
    """Cedar's answer: what it decided, the rules that determined it, and the rules that failed."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.allow: bool = raw["allow"]
        self.rules: tuple[str, ...] = tuple(sorted(raw["reason"]))
        named = [re.search(r"policy `([^`]+)`", error) for error in raw["errors"]]
        self.failed: tuple[str, ...] = tuple(sorted({match[1] if match else "unknown" for match in named}))

    @property
    def permits(self) -> bool:
        return self.allow and not self.failed


def _of_requests(condition: Any) -> bool:
    """Whether a condition looks at nothing but what an inquiry brings."""
    if isinstance(condition, list):
        return all(map(_of_requests, condition))
    if not isinstance(condition, Mapping):
        return True
    if "Var" in condition:
        return False
    if set(condition) == {"."} and condition["."]["left"] == {"Var": "context"}:
        return condition["."]["attr"] in vocabulary.FLAGS
    return all(map(_of_requests, condition.values()))


def _policy_set(policies: Mapping[str, Mapping[str, Any]]) -> Any:
    import cedarpy

    whole = {"templates": {}, "templateLinks": [], "staticPolicies": dict(policies)}
    return cedarpy.PolicySet.from_json_str(json.dumps(whole))
