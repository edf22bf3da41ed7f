"""The scan of a run finds what is planted, wherever it stands, and keeps what processes write that tests start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gateway.telemetry.log import Log
from tests.scanning.keeping import FOLDER
from tests.scanning.scan import OF_THE_WORLD, found, planted
from tests.world import new_subject


def test_each_planted_text_is_found_in_a_log_in_a_metric_and_among_bytes(tmp_path: Path) -> None:
    (tmp_path / "clean.log").write_text('{"event":"started","shard":"1"}\n')
    assert list(found(tmp_path)) == []
    for number, each in enumerate(planted()):
        file = tmp_path / f"{number}.log"
        file.write_bytes(b'\xff{"event":"a"}\nmetric{of="' + each.encode() + b'"} 1\n{"event":"b"}\n')
        shown = f'metric{{of="{each}"}} 1'
        assert f"{file.name}: `{each}` in {shown!r}" in list(found(tmp_path))
        file.unlink()
    assert new_subject().value.startswith(OF_THE_WORLD)


def test_identifiers_names_cases_and_officials_are_planted() -> None:
    kinds = ("MR-2026-0101", "m.ivanova", OF_THE_WORLD)
    assert set(kinds) <= set(planted())
    assert len(planted()) > 30
    assert min(map(len, planted())) >= 5


def test_what_a_process_that_serves_writes_is_kept_and_what_others_write_is_not(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    environ = {**os.environ, FOLDER: str(kept)}
    for words in (["-m", "gateway.cli", "serve"], ["-m", "gateway.cli", "check"]):
        command = [sys.executable, *words, "--config", str(tmp_path / "missing.yaml")]
        assert subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 1
    (file,) = kept.iterdir()
    assert "missing.yaml" in file.read_text("utf-8")


def test_what_gateways_within_the_tests_log_is_kept(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        Log(stream).state("a-line-of-the-scans-own-test")
    file = Path(os.environ[FOLDER]) / f"own-{os.getpid()}"
    assert "a-line-of-the-scans-own-test" in file.read_text("utf-8")
