"""Base rules that forbid less than they must are told, whatever they were weakened by."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gateway.rules.check import weakened
from gateway.rules.decide import base
from gateway.rules.decide.engine import Question
from gateway.rules.load import load
from gateway.rules.model import Flag
from tests.rules.policies import copy, position, shipped
from tests.rules.test_commands import run


def test_the_shipped_base_rules_forbid_all_that_they_must() -> None:
    assert weakened.check(shipped()) == []


@pytest.mark.parametrize("more", ["unless { context.break_glass };", "when { !context.case };"])
@pytest.mark.parametrize("name", sorted(base.BASE))
def test_a_base_rule_with_one_more_condition_is_told(name: str, more: str, tmp_path: Path) -> None:
    directory = copy(tmp_path)
    path = directory / "rules" / f"{name}.cedar"
    path.write_text(path.read_text().rstrip().removesuffix(";") + f"\n{more}\n")
    rules = load(directory)
    if name == "case-missing" and "case" in more.removeprefix("when"):
        assert weakened.check(rules) == []  # it forbids without a case only, as before
        return
    (problem,) = weakened.check(rules)
    assert (problem.line, problem.column) == position(directory, f"rules/{name}.cedar", "forbid (")
    assert (Path(problem.file).name, problem.path) == (path.name, f"@id {name}")
    assert "no longer forbids what it must" in problem.message


@pytest.mark.parametrize(
    ("name", "spared"),
    [
        ("scope-missing", 'resource == Field::"tax-arrears.currency"'),
        ("outside-purpose", 'resource == Field::"income-statements.taxableIncome"'),
        ("special-categories", 'resource == Field::"wage-arrears.currency"'),
        ("unpublished", 'resource in Dataset::"wage-arrears"'),
        ("special-categories", 'principal == Requester::"labour-office"'),
        ("unpublished", 'resource.department == Department::"labour"'),
        ("case-missing", 'resource == Field::"tax-arrears.currency"'),
    ],
)
def test_a_base_rule_that_spares_one_name_is_told(name: str, spared: str, tmp_path: Path) -> None:
    directory = copy(tmp_path)
    path = directory / "rules" / f"{name}.cedar"
    path.write_text(path.read_text().rstrip().removesuffix(";") + f"\nunless {{ {spared} }};\n")
    (problem,) = weakened.check(load(directory))
    assert (Path(problem.file).name, problem.path) == (path.name, f"@id {name}")


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
