"""A short upgrade, one with a step more, and a version that serves no other tables than its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.storage import schema
from gateway.storage.migrations import planning
from tests.faults.upgrade import before_it, first_of, run, version_before


def test_no_inquiry_fails_while_one_version_takes_the_others_place(tmp_path: Path) -> None:
    found = run(tmp_path, version_before(), 5)
    assert found.sound, found


def test_no_inquiry_fails_while_the_store_is_migrated_by_a_step_that_only_adds(tmp_path: Path) -> None:
    found = run(tmp_path, None, 5, step=True)
    assert found.sound, found
    assert (found.step, int(found.to)) == (schema.LATEST, int(schema.LATEST) + 1)


def test_a_version_that_serves_no_other_tables_is_not_tried(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="it serves no other than its own"):
        before_it(f"{first_of(planning.KEPT_SINCE)}~1", tmp_path / "before")
