"""A short upgrade, by a step more, of the version before; and a version that serves no other tables than its own.

`make trials` has each of the two apart: another version of the same tables, and the same version with a step more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.storage import schema
from gateway.storage.migrations import planning
from tests.faults.upgrade import before_it, first_of, run, version_before


def test_no_inquiry_fails_while_a_version_takes_anothers_place_and_the_store_is_migrated(tmp_path: Path) -> None:
    found = run(tmp_path, version_before(), 3, step=True)
    assert found.sound, found
    assert int(found.step) <= int(schema.LATEST) < int(found.to)


def test_a_version_that_serves_no_other_tables_is_not_tried(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="it serves no other than its own"):
        before_it(f"{first_of(planning.KEPT_SINCE)}~1", tmp_path / "before")
