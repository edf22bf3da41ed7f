"""`dutybound rules simulate`: what it prints, that its look is entered first, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import fcntl
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.entry import describe
from gateway.ledger.log import taking
from gateway.ledger.proof import key_files
from gateway.rules.load import load
from gateway.simulation import commands, forms
from tests import configured
from tests.ledger.exporting import views
from tests.ledger.support import opened, store_in
from tests.rules.policies import SHIPPED, copy
from tests.simulation.varied import asked, at_issuer, entry_of

LOGIN = "http://127.0.0.1:9"
COUNT = 24
WHO = ("--by", "P. Officer", "--reason", "proposal 7")
PERIOD = ("--since", "2026-06-01", "--until", "2026-06-30")

Simulate = Callable[..., int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with inquiries that the shipped rules decided, and a candidate without one permit."""
    folder = tmp_path_factory.mktemp("made")
    copy(folder)
    private = key_files.generate(folder / "ledger.key")
    rules = load(SHIPPED, {"login": LOGIN})
    store = store_in(folder)

    async def enter() -> None:
        async with opened(store, private=private) as ledger:
            for of in sorted((at_issuer(asked(seed), LOGIN) for seed in range(COUNT)), key=lambda of: of.now):
                parts = entry_of(rules, of)
                await ledger.append(parts.told, parts.oversight, of.now, of.requester.who, (), parts.subjects)

    with contextlib.closing(store):
        asyncio.run(enter())
    configured.write(folder, oauth={"issuers": [{"issuer": LOGIN, "name": "login"}]})
    (folder / "candidate").mkdir()
    copy(folder / "candidate")
    (folder / "candidate" / "policies" / "rules" / "licence-renewal.cedar").unlink()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Its copy."""
    return shutil.copytree(made, tmp_path / "made")


@pytest.fixture
def simulate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Simulate:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state-home"))

    def run(*arguments: object, candidate: str = "candidate/policies") -> int:
        words = ["rules", "simulate", folder / candidate, "--config", folder / "gateway.yaml", *WHO, *arguments]
        return cli.main([str(word) for word in words])

    return run


def test_it_says_what_would_close(simulate: Simulate, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(*PERIOD) == 0
    told, err = capsys.readouterr()
    assert f"{COUNT} entries, {COUNT} of them inquiries" in told
    assert "Would close:" in told
    assert "Would open:" not in told
    assert "decides" not in told, "what is active decided them"
    [line, *_] = [line for line in told.splitlines() if "LICENCE_RENEWAL" in line]
    assert line.split()[1] in ("market", "environment")
    assert line.endswith("will be denied: NO_RULE")
    assert "refused before anything was decided (`undecided`)" in told
    assert "this view is entry 0 of gateway.example/ledger/commands" in err


def test_the_active_set_changes_nothing(simulate: Simulate, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(*PERIOD, candidate="policies") == 0
    told = capsys.readouterr().out
    assert "  0 would be decided differently from what was recorded" in told
    assert "Would" not in told


def test_csv_and_json_have_the_same_rows(simulate: Simulate, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(*PERIOD, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert simulate(*PERIOD, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert {row["purpose"] for row in rows} == {"LICENCE_RENEWAL"}
    assert {row["change"] for row in rows} == {"closes"}
    assert [(row["dataset"], row["field"], int(row["decisions"])) for row in rows] == [
        (row["dataset"], row["field"], row["decisions"]) for row in made["rows"]
    ]
    assert made["changed"] > 0


def test_a_cell_is_never_a_formula() -> None:
    assert forms._cell("=1+1") == "'=1+1"
    assert forms._cell("tax-arrears") == "tax-arrears"


def test_the_look_is_entered_before_anything_is_read(
    folder: Path, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(commands.Simulation, "run", fails)
    monkeypatch.setattr(cli.os, "dup2", lambda *arguments: None)
    assert simulate(*PERIOD) == 141
    [view] = views(folder)
    assert (view.by, view.reason, view.format) == ("P. Officer", "proposal 7", "simulation")
    assert view.parts == ("told", "oversight")
    digest = load(folder / "candidate" / "policies", {"login": LOGIN}).digest
    assert view.looked.candidate == digest
    assert describe.scope(view.looked) == (
        "from 2026-06-01 00:00:00+00:00, before 2026-07-01 00:00:00+00:00,"
        f" inquiries as rule set {digest[:12]} would decide them"
    )


def test_without_a_durable_entry_nothing_is_read(
    folder: Path, simulate: Simulate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(taking, "_PATIENCE", 0.1)
    with (folder / "ledger.db.shard-commands.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert simulate(*PERIOD) == 1
    told, err = capsys.readouterr()
    assert told == ""
    assert err == "shard `commands` is held by another process\n"
    assert views(folder) == []


def test_what_is_wrong_is_told(folder: Path, simulate: Simulate, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--since", "2026-06-30", "--until", "2026-06-01") == 2
    assert "there is no such period" in capsys.readouterr().err
    assert simulate("--since", "June", "--until", "2026-06-01") == 2
    assert "`June` is no day and no time" in capsys.readouterr().err
    rule = folder / "candidate" / "policies" / "rules" / "case-missing.cedar"
    rule.unlink()
    assert simulate(*PERIOD) == 1
    assert "the base rule `case-missing` is missing" in capsys.readouterr().err
    assert simulate(*PERIOD, candidate="nowhere") == 1
    assert "Traceback" not in capsys.readouterr().err
    assert views(folder) == [], "nobody looked"


def test_progress_is_told(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "_TELL_EVERY", 0.0)
    assert simulate(*PERIOD) == 0
    assert f"{COUNT} of {COUNT} entries, " in capsys.readouterr().err
