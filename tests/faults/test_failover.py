"""One failover of `tests.faults.failover`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.failover import run


def test_a_primary_that_is_killed_and_its_standby_promoted_cost_two_gateways_no_entry(tmp_path: Path) -> None:
    counts = run(tmp_path, seed=7)
    assert counts.sound, counts
    assert counts.kills == 1
    assert counts.answers > 0
    assert counts.quota_answered == counts.quota
