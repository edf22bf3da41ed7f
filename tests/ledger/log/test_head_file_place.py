"""Where the head file is: beside the key unless it is named, and told by `check` where it could not be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import settings
from gateway.errors import ConfigurationError
from gateway.ledger.log.build import check_head_file
from gateway.ledger.proof import key_files
from tests import configured


def told(folder: Path, named: str | None) -> tuple[Path, list[tuple[str, str]]]:
    """The head file of a configuration, and what is wrong with it, by its place."""
    key_files.generate(folder / "ledger.key")
    config = configured.write(folder, ledger={"head_file": named} if named else {})
    found = settings.load(config, {})
    check_head_file(found.ledger, found.root)
    return found.ledger.head_file, [(each.path, each.message) for each in found.root.problems]


def test_it_is_beside_the_key_unless_it_is_named(tmp_path: Path) -> None:
    assert told(tmp_path, None) == (tmp_path / "ledger.heads.json", [])


def test_one_that_could_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ledger\.head_file: `elsewhere/heads\.json` would be in"):
        told(tmp_path, "elsewhere/heads.json")


def test_one_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "heads.json").write_text("{}")
    ((_, said),) = told(tmp_path, "heads.json")[1]
    assert "cannot be read" in said
