"""What a process is made of: the connectors, as `sources.yaml` says that they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.kinds import KINDS
from gateway import sources
from gateway.errors import ConfigurationError, Problem
from gateway.served import Departments
from tests.test_sources import catalogue, shipped


def read(file: Path) -> sources.Sources:
    problems: list[Problem] = []
    found = sources.load(file, catalogue(), KINDS, problems)
    assert problems == []
    return found


async def test_what_was_written_meanwhile_is_read_by_the_next_exchange(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(shipped())
    first = read(file)
    file.write_text(shipped().replace("departments:", "departments:  # as of today\n", 1))
    departments = Departments(file, first, catalogue())
    second = departments.of(catalogue())
    assert (second is not first, second.digest) == (True, first.digest), "it says the same, and was written anew"
    assert second.connectors == first.connectors
    file.write_text(shipped().replace("/9", "/8", 1) + "\n# once more\n")
    departments.take(second, catalogue())
    assert departments.of(catalogue()) is not second, "what was written before it was taken is not passed over"
    file.write_text(shipped().replace("departments:", "departments:  # as of today\n", 1))
    assert departments.of(catalogue()) is second
    for each in first.connectors.values():
        await each.close()


async def test_whether_the_file_fits_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(shipped())
    first = read(file)
    departments = Departments(file, first, catalogue())
    await departments.fit(catalogue())
    file.write_text(shipped().replace("      wage-arrears:", "      wage-arrears-of-old:", 1))
    with pytest.raises(ConfigurationError, match="the published dataset `wage-arrears` has no source"):
        await departments.fit(catalogue())
    assert departments.now is first
    for each in first.connectors.values():
        await each.close()
