"""What the tests of the ledger's commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.commands import register
from gateway.ledger.proof import key_files
from tests import configured
from tests.ledger.exporting import WHO, Export
from tests.ledger.support import ORIGIN, disclosed, opened, refused, store_in


class Run:
    """Runs a command line through the real parser and functions; `out` and `err` are what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> int:
        parser = argparse.ArgumentParser(prog="dutybound")
        register.register(parser.add_subparsers(required=True), lambda _: lambda _, value: value)
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


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store with two inquiries and a refusal, in two shards, and its configuration."""
    private = key_files.generate(tmp_path / "ledger.key")
    key_files.write_verifiers(tmp_path / "ledger.pub", private, ORIGIN, ["1", "2", "3", "commands"])
    store = store_in(tmp_path)
    async with opened(store, private=private) as ledger:
        await disclosed(ledger, 1)
        await refused(ledger, 2)
        async with opened(store, private=private) as other:
            await disclosed(other, 3)
    store.close()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "purposes.yaml").write_text("purposes: {}\n")
    configured.write(tmp_path)
    return tmp_path


@pytest.fixture
def export(folder: Path, run: Run) -> Export:
    """Exports from that store."""

    def export(*arguments: object) -> int:
        return run("ledger", "export", "--config", folder / "gateway.yaml", *WHO, *arguments)

    return export
