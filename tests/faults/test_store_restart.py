"""Few rounds of `tests.faults.store_restart`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.store_restart import run


def test_a_store_that_is_stopped_and_started_costs_no_entry(tmp_path: Path) -> None:
    counts = run(2, tmp_path, seed=1)
    assert counts.sound, counts
    assert counts.kills == 2
    assert counts.answers > 0
