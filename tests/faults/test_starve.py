"""One hostile client holds up nobody: the short form of `python -m tests.faults.starve`."""

from __future__ import annotations

from pathlib import Path

from tests.faults import starve


def test_a_hostile_client_holds_up_nobody(tmp_path: Path) -> None:
    """Of each kind of load, another client is refused nothing and readiness answers. How long that took is measured by
    the command: a machine that runs other tests says nothing of it."""
    waited = starve.measured_all(0.5, tmp_path, again=False)
    assert {kind: each.refused for kind, each in waited.items()} == {kind: {} for kind in waited}
    assert all(each.answers for each in waited.values())
