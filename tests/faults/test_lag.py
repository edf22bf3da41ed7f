"""The run that measures how far the projector falls behind, for seconds: it loads, and says what it saw."""

from __future__ import annotations

import os

import msgspec
import pytest

from tests.faults import lag


def test_a_short_run_projects_what_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert lag.main(["--minutes", "0.03"]) == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=lag.Lag)
    assert found.entries > 0
    assert found.last <= found.greatest < lag.MOST
    assert found.projected_per_s > 0


@pytest.mark.parametrize(("entries", "greatest", "sound"), [(9, 4_999, True), (9, 5_000, False), (0, 0, False)])
def test_it_fails_where_it_fell_behind_or_nothing_was_served(entries: int, greatest: int, sound: bool) -> None:
    assert lag.Lag(entries=entries, greatest=greatest).sound is sound


def test_the_projector_is_told_from_other_processes() -> None:
    assert lag.projector([os.getpid(), 1 << 30]) is None
