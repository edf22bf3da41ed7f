"""What the tests of the ledger's commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger import commands


class Run:
    """Runs a command line through the real parser and functions; `out` and `err` are what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> int:
        parser = argparse.ArgumentParser(prog="dutybound")
        commands.register(parser.add_subparsers(required=True))
        parsed = parser.parse_args([str(argument) for argument in arguments])
        status: int = parsed.run(parsed)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return status


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Runs commands; what they remember between runs is this test's own."""
    with monkeypatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path / "state-home"))
        yield Run(capsys)
