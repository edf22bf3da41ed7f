"""Every kind of connector keeps the one contract, on a real system of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract.checks import CHECKS, run
from connectors.contract.model import Result
from connectors.kinds import KINDS
from tests.connectors.contract.systems import NOT_TRIED, SYSTEMS


@pytest.mark.parametrize("name", SYSTEMS)
async def test_a_kind_keeps_the_contract(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    async with SYSTEMS[name](tmp_path, pytestconfig) as system:
        found = [each async for each in run(system)]
    assert [each for each in found if each.result is Result.FAILED] == []
    assert {each.check for each in found if each.result is Result.NOT_TRIED} == NOT_TRIED.get(name, frozenset())
    assert [each.check for each in found] == list(CHECKS)


def test_every_kind_has_a_system() -> None:
    assert {name.partition(",")[0] for name in SYSTEMS} == set(KINDS)
