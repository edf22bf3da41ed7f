"""A rule that could fail when it is evaluated is refused where it is loaded, at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.rules.check import total
from gateway.rules.files import rule
from tests.rules.policies import SHIPPED, position, problems, with_rule

RULE = """@id("planted")
@article("19")
@advice("Tell somebody.")
@reason("NO_RULE")
forbid (principal, action, resource)
when {{ context.scope && ({}) }};
"""


def told(condition: str) -> list[Problem]:
    found: list[Problem] = []
    read = rule.parse(RULE.format(condition), "planted.cedar", found)
    assert (read is not None, found) == (True, [])
    assert read is not None
    total.check([read], found)
    return found


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("9223372036854775807 + 1 == 0", "+"),
        ("9223372036854775807 * 2 == 0", "*"),
        ("(if context.case then 1 else 0) - 1 == 0", "-"),
        ('decimal("922337203685477.5807").lessThan(decimal("1.0"))', "lessThan"),
        ('Field::"tax-arrears.amount".status == Status::"published"', "status"),
        ('Requester::"market-regulator" has roles', "roles"),
        ('Field::"tax-arrears.amount" in Dataset::"tax-arrears"', '"tax-arrears.amount"'),
        ("[1 + 1].contains(2)", "+"),
    ],
)
def test_what_could_fail_is_told_at_its_place(condition: str, word: str) -> None:
    (problem,) = told(condition)
    line = RULE.format(condition).splitlines()[5]
    assert (problem.line, problem.column, problem.path) == (6, line.index(word) + 1, "@id planted")


@pytest.mark.parametrize(
    "condition",
    [
        'principal.roles.containsAny([Role::"court"])', "principal.roles.isEmpty()", "principal is Requester",
        'resource in [Dataset::"tax-arrears"]', "resource has nature", '"abc" like "a*"', "1 < 2",
        'if context.case then resource == Field::"tax-arrears.amount" else !context.official',
    ],
)  # fmt: skip
def test_what_cannot_fail_is_taken(condition: str) -> None:
    assert told(condition) == []


def test_no_shipped_rule_could_fail() -> None:
    found: list[Problem] = []
    shipped = [rule.read(path, found) for path in sorted((SHIPPED / "rules").glob("*.cedar"))]
    total.check([each for each in shipped if each is not None], found)
    assert found == []


def test_policies_with_such_a_rule_do_not_load(tmp_path: Path) -> None:
    directory = with_rule(tmp_path, RULE.format("9223372036854775807 + 1 == 0"))
    (problem,) = problems(directory)
    assert (problem.line, problem.column) == position(directory, "rules/planted.cedar", "+ 1")
    assert "nothing is permitted while a rule fails; leave it out" in problem.message
