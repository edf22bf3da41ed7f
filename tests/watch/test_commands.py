"""`dutybound watch`, as it is typed by an operator: from entries to a finding, and the list of what was found."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.proof import key_files
from gateway.storage.store import open_store
from gateway.storage.watch import findings as kept
from tests import configured
from tests.ledger.support import ORIGIN
from tests.ledgers import ledger_on
from tests.stores import store_at
from tests.watch.looks import POLICIES, minutes
from tests.watch.month import append
from tests.watch.test_follow import NIGHT, asked

ID = "out-of-hours-1-4"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store with six inquiries of one night, and its configuration."""
    private = key_files.generate(tmp_path / "ledger.key")
    store = store_at(tmp_path / "ledger.db")
    ledger = ledger_on(store, private, ORIGIN)
    await ledger.start()
    for number in range(6):
        each = asked(100 * number, NIGHT + minutes(number))
        await append(ledger, each, number)
    await ledger.close()
    store.close()
    configured.write(tmp_path, policies=str(POLICIES))
    return tmp_path


class Run:
    """Runs one command of `watch`; `out` and `err` are what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config, self._capsys = folder / "gateway.yaml", capsys

    def __call__(self, command: str, *arguments: str) -> int:
        status = cli.main(["watch", command, "--config", str(self._config), *arguments])
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return status


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(folder, capsys)


def test_from_the_ledger_to_what_was_found(run: Run, folder: Path) -> None:
    assert run("findings") == 0
    assert run.out == "nothing waits for a review\n"
    assert run("follow", "--once") == 0
    assert run.out == "6 entries read; 1 finding for review\n"
    assert run("findings") == 0
    assert run.out.startswith(
        f"{ID}   2026-09-15 20:05 UTC   Art. 28(1), TENDER_QUALIFICATION, 6 entries\n  `m.ivanova`"
    )
    with (
        contextlib.closing(open_store(f"sqlite:///{folder / 'ledger.db'}")) as store,
        store.engine.begin() as connection,
    ):
        connection.execute(kept.deciding(ID, "R. Reviewer", "improper", "monthly review", 0))  # type: ignore[call-overload]
    assert run("findings") == 0
    assert run.out == "nothing waits for a review\n"
    assert run("findings", "--all") == 0
    assert "\n  improper, by R. Reviewer on " in run.out
    assert run.out.endswith(": monthly review\n")
