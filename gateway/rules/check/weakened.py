"""Base rules that forbid less than they must.

Code holds what no permit overcomes even where a base rule's file no longer says it (`base.held`): nothing opens, but
every decision that needs the rule fails. So each is tried by itself wherever the code forbids: for every grant, kind of
subject and dataset, as far as they are not too many, under whatever flags the rule looks at, and for catalogues and
purposes that might come; and for each field that the rule names, since it may spare that one alone. The code forbids
most where no flag is there, so that flags which a rule does not look at are left out. Cedar decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from gateway.catalogue.model import Status
from gateway.catalogue.words import SPECIAL
from gateway.errors import Problem
from gateway.rules.check.reach import Cedar, all_questions, mentioned, typical_questions
from gateway.rules.check.tautologies import names as named
from gateway.rules.decide.base import BASE
from gateway.rules.decide.engine import Question
from gateway.rules.decide.vocabulary import FLAGS
from gateway.rules.files import tokens
from gateway.rules.files.rule import Rule
from gateway.rules.model import Flag
from gateway.rules.ruleset import RuleSet

_SUPPOSED: tuple[Mapping[str, Any], ...] = (
    *({"category": category} for category in SPECIAL),
    *({"status": status} for status in Status if status is not Status.PUBLISHED),
    {"information": "non_public"},
)
_APART = {"Action", "Dataset", "Department", "Requester", "Role"}
"""Types of which a rule may name one, and spare what is of it."""
_STEP_UP = "stronger"
_MOST = 4096  # questions that one rule is tried by, of each catalogue; where there are more, some all over


def check(rule_set: RuleSet) -> list[Problem]:
    """Every base rule that does not hold where the code forbids, with the first such question; none where all do."""
    cedar = Cedar(rule_set)
    every = list(all_questions(rule_set))
    asked = [each.question for each in typical_questions(every)]
    first: dict[tuple[str, str], Question] = {}
    for each in asked:
        first.setdefault((each.grant.id, each.kind), each)
    few = list(first.values())
    worlds = [(facts, cedar.supposing({name: str(value) for name, value in facts.items()})) for facts in _SUPPOSED]

    def supposed(asked: list[Question], few: list[Question]) -> Iterator[tuple[Any, list[Question]]]:
        yield cedar.entities, asked
        yield cedar.entities, [_demanding(each) for each in few]
        for facts, entities in worlds:
            yield entities, [each._replace(dataset=replace(each.dataset, **facts)) for each in few]

    problems = []
    for name, forbids in BASE.items():
        rule = rule_set.rules.get(name)
        if rule is None:
            continue
        names = named(rule.policy)
        fields = names.get("Field", ())
        own = [each.question for each in every if f"{each.question.dataset.id}.{each.question.field}" in fields]
        # What a rule names may be all that it spares, so that nothing but that is tried in each world.
        others = asked if names.keys() & _APART else few
        tried = itertools.chain(supposed(own, own), supposed(asked, others))
        if (missed := next(_missed(cedar, rule, forbids, tried), None)) is not None:
            problems.append(_problem(rule, missed))
    return sorted(problems)


def _demanding(question: Question) -> Question:
    """A question of a purpose that demands everything."""
    purpose = question.purpose
    return question._replace(purpose=replace(purpose, case_required=True, official_required=True, step_up=_STEP_UP))


def _missed(
    cedar: Cedar, rule: Rule, forbids: Callable[[Question], bool], supposed: Iterable[tuple[Any, list[Question]]]
) -> Iterator[Question]:
    """The questions that the code forbids and the rule does not."""
    policies = cedar.holding([rule])
    flags = [FLAGS[name] for name in mentioned([rule], "context", FLAGS)]
    looked_at = [Flag(sum(each)) for size in range(len(flags) + 1) for each in itertools.combinations(flags, size)]
    for entities, all_ in supposed:
        some = all_[:: len(all_) * len(looked_at) // _MOST | 1]
        for combination in looked_at:
            wanted = [each for each in (one._replace(flags=combination) for one in some) if forbids(each)]
            held = {id(each) for each, _ in cedar.determining(wanted, policies, entities)}
            yield from (each for each in wanted if id(each) not in held)


def _problem(rule: Rule, missed: Question) -> Problem:
    line, column = tokens.place(rule.text, tokens.effects(rule.text)[0])
    given = " and ".join(name for name, flag in FLAGS.items() if missed.flags & flag) or "nothing"
    message = (
        f"no longer forbids what it must: `{missed.dataset.id}.{missed.field}` of a {missed.kind} for"
        f" {missed.purpose.name} to `{missed.grant.id}`, with {given}; restore its condition"
    )
    return Problem(rule.file, line, column, f"@id {rule.id}", message)
