"""The short form of `tests.faults.matrix`, and of `tests.faults.soak`; the whole of both is `make trials`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import matrix, soak
from tests.faults.kinds import HTTP, KINDS, faults

SHORT = {
    **dict.fromkeys(HTTP, ("garbage", "10 MB", "another subject", "503", "endless", "slow")),
    "sqlite": ("no table", "not UTF-8", "100 MB", "two contents", "endless"),
    "postgresql": ("infinity", "a division by zero", "100 MB", "endless", "silent"),
}
PATIENCE = 60.0
"""Seconds past a deadline on a machine that does other things beside; `make trials` allows what it says."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_costs_its_own_department_and_nothing_else(kind: str) -> None:
    assert set(SHORT[kind]) <= set(faults(kind))
    rows = list(matrix.run([kind], SHORT[kind], slack=PATIENCE))
    assert len(rows) == 2 * len(SHORT[kind]) + 1
    assert [str(row) for row in rows if row.wrong] == []
    assert all(row.whole for row in rows)


def test_a_soak_checks_every_answer(tmp_path: Path) -> None:
    found = soak.soak(tmp_path / "soak", 6.0, 2.0)
    assert found.answers > 20
    assert (found.wrong, found.without_entry) == (0, 0)
    assert len(found.memory) >= 3
    assert soak.Found([1, 1, 1], 5).sound
    for unsound in (
        soak.Found([1, 1], 0),
        soak.Found([1], 5, 1),
        soak.Found([1], 5, 0, 1),
        soak.Found([1, 2, 2, 3], 5),
    ):
        assert not unsound.sound
