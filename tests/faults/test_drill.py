"""The drill on both stores, with few records."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.drill import run


@pytest.mark.long_cases("sqlite")
@pytest.mark.parametrize(("store", "key"), [("sqlite", "file"), ("postgresql", "service")])
def test_a_restore_loses_nothing_that_is_not_named(store: str, key: str, tmp_path: Path) -> None:
    found = run(store, tmp_path, corrected=3, key=key)
    assert found.sound, found
    assert found.recalls == 6
    assert found.missing > 0
