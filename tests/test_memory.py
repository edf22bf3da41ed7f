"""Files go to memory only where they fit and where programs run, and never where somebody said another place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory


class About:
    """What `os.statvfs` tells of a folder."""

    f_frsize = 4096

    def __init__(self, free: int, flags: int = 0) -> None:
        self.f_bavail, self.f_flag = free // self.f_frsize, flags


@pytest.mark.parametrize(
    ("about", "fits"),
    [
        (About(memory.ENOUGH), True),
        (About(memory.ENOUGH - 4096), False),
        (About(memory.ENOUGH, os.ST_NOEXEC), False),
    ],
)
def test_only_where_files_fit_and_programs_run(
    about: About, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    monkeypatch.setattr(os, "statvfs", lambda _: about)
    environment: dict[str, str] = {}
    memory.use(environment, tmp_path)
    assert environment == ({"TMPDIR": str(tmp_path)} if fits else {})


def test_where_there_is_none_or_another_was_named_nothing_changes(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    memory.use(environment, tmp_path / "none")
    assert environment == {}
    named = {"TMPDIR": "/var/tmp"}
    memory.use(named, tmp_path)
    assert named == {"TMPDIR": "/var/tmp"}
