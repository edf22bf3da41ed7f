"""The base rules must be there, and what they forbid stays denied even where one is weakened."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rules.decide import base
from gateway.rules.decide.engine import Question
from gateway.rules.load import load
from gateway.rules.model import Cell, Flag
from tests.rules import policies

ALL = Flag(63)


@pytest.mark.parametrize("name", sorted(base.BASE))
def test_a_base_rule_that_is_missing_is_told(name: str, tmp_path: Path) -> None:
    directory = policies.copy(tmp_path)
    (directory / "rules" / f"{name}.cedar").unlink()
    (problem,) = policies.problems(directory)
    assert f"`{name}` is missing" in problem.message


def test_a_base_rule_is_a_forbid_on_everything(tmp_path: Path) -> None:
    scope = 'forbid (principal, action == Action::"OPEN_RECORD", resource)'
    directory = policies.edited(tmp_path, "rules/consent-missing.cedar", "forbid (principal, action, resource)", scope)
    (problem,) = policies.problems(directory)
    assert "for everybody and everything" in problem.message
    assert problem.file.endswith("consent-missing.cedar")


@pytest.mark.parametrize(
    ("name", "before", "client", "kind", "flags", "coordinate"),
    [
        ("consent-missing", "!context.consent", "labour-office", "person", ALL & ~Flag.CONSENT,
         ("income-statements", "year")),
        ("scope-missing", "!context.scope ", "market-regulator", "organisation", ALL & ~Flag.SCOPE,
         ("tax-arrears", "amount")),
    ],
)  # fmt: skip
def test_a_weakened_base_rule_opens_nothing(
    name: str, before: str, client: str, kind: str, flags: Flag, coordinate: tuple[str, str], tmp_path: Path
) -> None:
    directory = policies.edited(tmp_path, f"rules/{name}.cedar", before.strip(), "false")
    rules = load(directory)
    grant = policies.entry(client, rules).grants[0]
    permitted = rules.cells(grant, kind, ALL)[coordinate]  # type: ignore[arg-type]
    assert permitted.permitted
    cell = rules.cells(grant, kind, flags)[coordinate]  # type: ignore[arg-type]
    assert not cell.permitted
    assert cell.rule == name
    assert f"`{name}` no longer forbids" in cell.advice


def test_the_shipped_rules_and_the_code_behind_them_agree() -> None:
    """The code takes nothing away that the shipped base rules leave: no cell of theirs is explained by it."""
    rules = policies.shipped()
    for entry in rules.policies.requesters.values():
        for grant in entry.grants:
            for kind in ("organisation", "person"):
                for flags in (ALL, Flag(0), ALL & ~Flag.CONSENT, ALL & ~Flag.CASE):
                    cells = rules.cells(grant, kind, flags)  # type: ignore[arg-type]
                    assert not [cell for cell in cells.values() if "no longer forbids" in cell.advice]


def test_a_permit_is_kept_just_where_no_base_rule_forbids() -> None:
    rules = policies.shipped()
    seen: set[str] = set()
    for entry in rules.policies.requesters.values():
        for grant in entry.grants:
            purpose = rules.policies.purposes[grant.purpose]
            for dataset in rules.policies.catalogue.datasets.values():
                for flags in (ALL, *(ALL & ~flag for flag in Flag)):
                    asked = Question(grant, purpose, "person", dataset, next(iter(dataset.fields)), flags)
                    forbidding = [name for name, forbids in base.BASE.items() if forbids(asked)]
                    seen.update(forbidding)
                    assert base.held(asked, Cell(True)).permitted is (not forbidding)
    # No shipped dataset is of a special category, and no shipped purpose demands a step-up: that is the point of both.
    assert seen == set(base.BASE) - {"special-categories", "step-up-missing"}
