"""A permit whose conditions hold whoever asks and of what is refused as one without conditions is."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.rules.check import tautologies
from gateway.rules.decide import vocabulary
from gateway.rules.files import rule
from tests.rules.policies import SHIPPED, position, problems, shipped, with_rule

RULE = """@id("planted")
@article("19")
@advice("Ask.")
@basis("An Act")
permit ({principal}, action in [Action::"LICENCE_RENEWAL", Action::"OPEN_RECORD"], {resource})
when {{ {condition} }};
"""


@functools.cache
def words() -> vocabulary.Vocabulary:
    policies = shipped().policies
    return vocabulary.of(policies.catalogue, policies.purposes, shipped().requesters)


def told(condition: str, principal: str = "principal", resource: str = "resource") -> list[Problem]:
    found: list[Problem] = []
    text = RULE.format(condition=condition, principal=principal, resource=resource)
    read = rule.parse(text, "planted.cedar", found)
    assert read is not None
    tautologies.check([read], words(), found)
    return found


ALWAYS = [
    "resource == resource", "principal == principal", "1 == 1 && resource == resource", "resource has nature",
    "principal.department == principal.department", "context.case && resource.nature == resource.nature",
    'resource.nature == Nature::"adverse" || resource.nature != Nature::"adverse"',
    'resource.information == Information::"public" || resource.information == Information::"non_public"',
    'principal.roles.contains(Role::"court") || !principal.roles.contains(Role::"court")',
    'resource == Field::"tax-arrears.amount" || resource != Field::"tax-arrears.amount"',
    'if principal.roles.contains(Role::"court") then context.case else context.case', "principal is Requester",
]  # fmt: skip
SOMETIMES = [
    'principal.roles.contains(Role::"department")', 'resource.information == Information::"public"',
    "principal.department == resource.department", 'resource in Dataset::"tax-arrears"',
    'resource == Field::"tax-arrears.amount"', 'principal == Requester::"market-regulator"',
    'principal.department != Department::"tax"', 'context.official && resource.nature != Nature::"adverse"',
    'resource != Field::"tax-arrears.amount" || resource.nature == Nature::"adverse"',
    'context.case || principal.roles.contains(Role::"court")',
]  # fmt: skip
"""Of these somebody, or something, is left out."""


@pytest.mark.parametrize("condition", ALWAYS)
def test_what_always_holds_is_told(condition: str) -> None:
    (problem,) = told(condition)
    assert (problem.line, problem.column, problem.path) == (5, 1, "@id planted")
    assert "its conditions hold whoever asks and of what" in problem.message


@pytest.mark.parametrize("condition", SOMETIMES)
def test_what_leaves_somebody_out_is_taken(condition: str) -> None:
    assert told(condition) == []


def test_a_scope_that_is_for_everybody_is_told_and_another_is_not() -> None:
    assert told("resource has nature", "principal is Requester", "resource is Field")
    assert told("true", 'principal == Requester::"market-regulator"') == []
    assert told("true", resource='resource in Dataset::"tax-arrears"') == []


def test_what_never_holds_is_of_no_concern_here() -> None:
    assert told("resource != resource") == []


def test_the_shipped_permits_leave_somebody_out() -> None:
    found: list[Problem] = []
    rules = [rule.read(path, found) for path in sorted((SHIPPED / "rules").glob("*.cedar"))]
    tautologies.check([each for each in rules if each is not None], words(), found)
    assert found == []


def test_policies_with_such_a_rule_do_not_load(tmp_path: Path) -> None:
    text = RULE.format(condition="resource == resource", principal="principal", resource="resource")
    directory = with_rule(tmp_path, text)
    (problem,) = problems(directory)
    assert (problem.line, problem.column) == position(directory, "rules/planted.cedar", "permit (")
    assert problem.message.startswith("permits to every requester all that its grant covers")
