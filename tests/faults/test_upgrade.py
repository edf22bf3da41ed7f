"""A short upgrade, and a version with other tables, which is none that can serve beside this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.upgrade import installed, run, version_before


def test_no_inquiry_fails_while_one_version_takes_the_others_place(tmp_path: Path) -> None:
    found = run(tmp_path, version_before(), 5)
    assert found.sound, found


def test_a_version_with_other_tables_is_not_tried(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="they never serve together"):
        installed(f"{version_before()}~1", tmp_path / "before")
