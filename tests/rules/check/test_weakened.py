"""Base rules that forbid less than they must are told, whatever they were weakened by."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.rules.check import weakened
from gateway.rules.decide import base
from gateway.rules.decide.engine import Question
from gateway.rules.load import load
from gateway.rules.model import Flag
from tests.rules.policies import copy, position, shipped
from tests.rules.test_commands import run


def test_the_shipped_base_rules_forbid_all_that_they_must() -> None:
    assert weakened.check(shipped()) == []


def changed(directory: Path, more: Mapping[str, str]) -> Sequence[Problem]:
    """What is found where each of these rules has one more clause; each is judged by itself."""
    for name, clause in more.items():
        path = directory / "rules" / f"{name}.cedar"
        path.write_text(path.read_text().rstrip().removesuffix(";") + f"\n{clause}\n")
    return weakened.check(load(directory))


@pytest.mark.parametrize("more", ["unless { context.break_glass };", "when { !context.case };"])
def test_base_rules_with_one_more_condition_are_told(more: str, tmp_path: Path) -> None:
    directory = copy(tmp_path)
    # `case-missing` forbids without a case only, as before.
    weaker = sorted(name for name in base.BASE if "case" not in more or name != "case-missing")
    problems = changed(directory, dict.fromkeys(base.BASE, more))
    assert [problem.path for problem in problems] == [f"@id {name}" for name in weaker]
    for name, problem in zip(weaker, problems, strict=True):
        assert (problem.line, problem.column) == position(directory, f"rules/{name}.cedar", "forbid (")
        assert Path(problem.file).name == f"{name}.cedar"
        assert "no longer forbids what it must" in problem.message


@pytest.mark.parametrize(
    "spared",
    [
        {
            "scope-missing": 'resource == Field::"tax-arrears.currency"',
            "outside-purpose": 'resource == Field::"income-statements.taxableIncome"',
            "special-categories": 'resource == Field::"wage-arrears.currency"',
            "unpublished": 'resource in Dataset::"wage-arrears"',
            "case-missing": 'resource == Field::"tax-arrears.currency"',
        },
        {
            "special-categories": 'principal == Requester::"labour-office"',
            "unpublished": 'resource.department == Department::"labour"',
        },
    ],
    ids=["fields", "others"],
)
def test_base_rules_that_spare_one_name_are_told(spared: Mapping[str, str], tmp_path: Path) -> None:
    problems = changed(copy(tmp_path), {name: f"unless {{ {one} }};" for name, one in spared.items()})
    assert [(Path(each.file).name, each.path) for each in problems] == [
        (f"{name}.cedar", f"@id {name}") for name in sorted(spared)
    ]


def test_the_command_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = copy(tmp_path)
    path = directory / "rules" / "consent-missing.cedar"
    text, weaker = path.read_text(), "!(context.consent || context.break_glass)"
    path.write_text(text.replace("!context.consent", weaker))
    assert weaker in path.read_text()
    status, _, said = run(capsys, "check", "--policies", str(directory))
    assert (status, "with break_glass; restore its condition" in said) == (1, True)


def test_where_a_flag_is_missing_the_code_forbids_no_less() -> None:
    """So that `weakened` may leave out the flags that a rule does not look at."""
    policies = shipped().policies
    dataset = next(each for each in policies.catalogue.published.values() if each.information == "non_public")
    for entry in policies.requesters.values():
        for grant, number, flag in itertools.product(entry.grants, range(64), Flag):
            purpose = policies.purposes[grant.purpose]
            asked = Question(grant, purpose, "person", dataset, next(iter(dataset.fields)), Flag(number) | flag)
            for forbids in base.BASE.values():
                assert forbids(asked._replace(flags=Flag(number) & ~flag)) or not forbids(asked)
