"""Grants that no rule can ever permit anything to, and rules that no grant can ever reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.rules.check import reach
from gateway.rules.load import load
from tests.rules.policies import SHIPPED, TODAY, copy, edited, position, shipped
from tests.rules.test_commands import run

RULE = """
@id("{id}")
@article("19")
@advice("advice")
{annotation}
{effect} (principal, action{action}, resource)
when {{ {condition} }};
"""


def found(directory: Path) -> list[Problem]:
    return reach.check(load(directory), directory, TODAY)


def planted(to: Path, rules: Sequence[tuple[str, str, str]]) -> list[Problem]:
    """What is found where these rules are planted: the effect, the condition and the action of each."""
    directory = copy(to)
    for number, (effect, condition, action) in enumerate(rules):
        annotation = '@basis("law")' if effect == "permit" else '@reason("NO_RULE")'
        id_ = f"planted-{number}"
        text = RULE.format(id=id_, effect=effect, annotation=annotation, action=action, condition=condition)
        (directory / "rules" / f"{id_}.cedar").write_text(text.lstrip(), encoding="utf-8")
    return found(directory)


def test_the_shipped_policies_reach_and_are_reached() -> None:
    assert reach.check(shipped(), SHIPPED, TODAY) == []


def test_a_grant_that_no_rule_permits_anything_to_is_told_where_it_stands(tmp_path: Path) -> None:
    directory = edited(tmp_path, "rules/licence-renewal.cedar", 'Role::"department"', 'Role::"court"')
    problems = found(directory)
    grants = [problem for problem in problems if problem.file.endswith("requesters.yaml")]
    assert [problem.path for problem in grants] == ["requesters.0.grants.1", "requesters.1.grants.0"]
    first = position(directory, "requesters.yaml", "purpose: LICENCE_RENEWAL")
    assert (grants[0].line, grants[0].column) == first
    assert "this grant for LICENCE_RENEWAL can never permit anything" in grants[0].message
    (rule,) = [problem for problem in problems if problem.file.endswith("licence-renewal.cedar")]
    assert (rule.line, rule.column) == position(directory, "rules/licence-renewal.cedar", "permit (")
    assert "permits nothing to any grant" in rule.message


def test_a_case_that_no_registry_can_verify_never_comes(tmp_path: Path) -> None:
    directory = edited(tmp_path, "requesters.yaml", "    registry: courts\n", "")
    grant, rule = found(directory)
    assert "`civil-court` has no `registry` that could verify one" in grant.message
    assert rule.path == "@id court-enforcement"


def test_a_grant_for_ones_own_records_is_a_portals(tmp_path: Path) -> None:
    directory = edited(tmp_path, "requesters.yaml", "roles: [portal]", "roles: [department]")
    grant, rule = found(directory)
    assert "this grant for SUBJECT_ACCESS can never permit anything" in grant.message
    assert "`citizen-portal` has no role `portal`" in grant.message
    assert rule.path == "@id subject-access"


def test_one_dataset_of_a_grant_is_told_alone(tmp_path: Path) -> None:
    before, after = 'resource.nature == Nature::"adverse"', 'resource in Dataset::"volunteering"'
    directory = edited(tmp_path, "rules/subsidy-assessment.cedar", before, after)
    (problem,) = found(directory)
    assert problem.path == "requesters.2.grants.0.datasets.3"
    assert (problem.line, problem.column) == position(directory, "requesters.yaml", "volunteering]")
    assert "no field of `volunteering` can ever be permitted for SUBSIDY_ASSESSMENT" in problem.message


def test_a_grant_that_has_ended_is_not_judged(tmp_path: Path) -> None:
    directory = edited(tmp_path, "requesters.yaml", "until: 2025-12-31", "until: 2026-12-31")
    (problem,) = found(directory)
    assert "`labour-office` has no `registry`" in problem.message
    assert problem.path == "requesters.2.grants.1"


UNREACHED = [
    (
        "permit",
        'resource.nature == Nature::"adverse" && context.official && !context.official',
        ' == Action::"LICENCE_RENEWAL"',
    ),
    ("permit", 'resource.disclosure == Disclosure::"shared"', ' == Action::"OPEN_RECORD"'),
    ("permit", 'principal.roles.contains(Role::"public")', ' == Action::"COURT_ENFORCEMENT"'),
    ("permit", '!context.scope && principal.roles.contains(Role::"department")', ' == Action::"LICENCE_RENEWAL"'),
    (
        "permit",
        '!context.case && principal.roles.contains(Role::"department")',
        ' == Action::"TENDER_QUALIFICATION"',
    ),
    ("forbid", "context.case && !context.case", ""),
    ("forbid", 'resource.nature == Nature::"adverse" && resource.nature == Nature::"neutral"', ""),
    ("forbid", 'principal.roles.contains(Role::"portal")', ' == Action::"COURT_ENFORCEMENT"'),
]


def test_rules_that_no_grant_reaches_are_told(tmp_path: Path) -> None:
    problems = planted(tmp_path, UNREACHED)
    for number, ((effect, _, _), problem) in enumerate(zip(UNREACHED, problems, strict=True)):
        assert (problem.path, problem.line, problem.column) == (f"@id planted-{number}", 5, 1)
        assert ("permits nothing" if effect == "permit" else "never holds") in problem.message


REACHED = [
    (
        "permit",
        'context.break_glass && !context.official && resource.information == Information::"public"',
        ' == Action::"LICENCE_RENEWAL"',
    ),
    ("permit", 'resource == Field::"tax-arrears.amount"', ' == Action::"TENDER_QUALIFICATION"'),
    ("forbid", 'resource.category == Category::"health" && resource.nature == Nature::"favourable"', ""),
    ("forbid", "context.step_up_required && context.self_required && !context.consent", ""),
    ("forbid", 'resource == Field::"market-inspections.result"', ""),
]


def test_rules_that_some_inquiry_could_reach_are_not(tmp_path: Path) -> None:
    assert planted(tmp_path, REACHED) == []


def test_rules_check_tells_and_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = edited(tmp_path, "requesters.yaml", "    registry: courts\n", "")
    code, out, err = run(capsys, "check", policies=directory)
    assert (code, out) == (1, "")
    line, column = position(directory, "requesters.yaml", "purpose: COURT_ENFORCEMENT")
    assert f"requesters.yaml:{line}:{column}: requesters.4.grants.0: this grant for COURT_ENFORCEMENT" in err
    assert "2 problems; all rules load" in err
