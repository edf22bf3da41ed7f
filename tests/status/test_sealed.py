"""`dutybound status` reads a store whose rows are sealed by a key outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import cli
from gateway.config import settings
from gateway.storage.store import open_configured


def test_a_first_folder_s_sealed_store_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "--yes"]) == 0
    found = settings.load(Path("gateway.yaml"), {})
    assert found.store_key is not None
    open_configured(found).close()
    capsys.readouterr()
    assert cli.main(["status"]) == 1
    shown = capsys.readouterr().out
    assert "no rule set was activated yet" in shown
    assert "cannot be read" not in shown
