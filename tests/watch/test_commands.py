"""`dutybound watch`, as it is typed: from entries to a finding, to its entries, to a verdict; each look stands in the
ledger before it, and each verdict with it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import watch as kept
from gateway.storage.store import open_copy, open_store
from tests import configured
from tests.ledger.support import ORIGIN
from tests.ledgers import ledger_on
from tests.stores import store_at
from tests.watch.looks import POLICIES, minutes
from tests.watch.month import append
from tests.watch.test_follow import NIGHT, asked

ID = "out-of-hours-1-4"
WHO = ("--by", "R. Reviewer", "--reason", "monthly review")


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


def told(folder: Path) -> list[entries.Told]:
    """What every entry tells, of all shards."""
    with contextlib.closing(open_copy(folder / "ledger.db")) as store, contextlib.closing(store.reader()) as reader:
        return [
            entry.read_told()
            for head in read.heads(reader)
            for entry in read.read_entries(reader, head.id, 0, head.size)
            if entry.told is not None
        ]


def test_from_the_ledger_to_a_verdict(run: Run, folder: Path) -> None:
    assert run("findings") == 0
    assert run.out == "nothing waits for a review\n"
    assert run("follow", "--once") == 0
    assert run.out == "6 entries read; 1 finding for review\n"
    assert run("findings") == 0
    assert run.out.startswith(
        f"{ID}   2026-09-15 20:05 UTC   Art. 28(1), TENDER_QUALIFICATION, 6 entries\n  `m.ivanova`"
    )

    assert run("open", ID, *WHO) == 0
    *opened, last = run.out.splitlines()
    assert [json.loads(line)["entry"] for line in opened] == [f"1-{index}" for index in range(6)]
    assert json.loads(opened[0])["oversight"]["official"] == "m.ivanova"
    assert last.startswith("entered: this view is entry ")
    (view,) = [each for each in told(folder) if isinstance(each, entries.View)]
    assert (view.by, view.reason, view.looked) == ("R. Reviewer", "monthly review", entries.Looked(finding=ID))

    assert run("review", ID, "--verdict", "improper", *WHO) == 0
    assert "entered: this verdict is entry " in run.out
    (review,) = [each for each in told(folder) if isinstance(each, entries.Reviewed)]
    assert (review.finding, review.verdict, review.by) == (ID, "improper", "R. Reviewer")
    assert review.entries == tuple(f"1-{index}" for index in range(6))
    assert run("findings") == 0
    assert run.out == "nothing waits for a review\n"
    assert run("findings", "--all") == 0
    assert "\n  improper, by R. Reviewer on " in run.out
    assert run.out.endswith(": monthly review\n")


def test_verdicts_and_views_are_entries_like_others(run: Run, folder: Path) -> None:
    assert run("follow", "--once") == 0
    assert run("open", ID, *WHO) == 0
    assert run("review", ID, "--verdict", "proper", *WHO) == 0
    assert run("follow", "--once") == 0
    assert run.out == "5 entries read; 0 findings for review\n", "three of them are the registry's"
    private = key_files.load(folder / "ledger.key")
    with contextlib.closing(open_copy(folder / "ledger.db")) as store:
        whole = verify_store(store, key_files.verifiers(private, ORIGIN, [*"123", ROOT]), lambda shard, done, of: None)
    assert sum(shard.size for shard in whole) == 11


def test_nobody_reviews_their_own_inquiries(run: Run, folder: Path) -> None:
    assert run("follow", "--once") == 0
    store = open_copy(folder / "ledger.db")
    (found,) = kept.findings(store.engine)
    store.close()
    assert found.official
    reason = ("--verdict", "proper", "--reason", "all in order")
    assert run("review", ID, "--by", f" {found.official.upper()} ", *reason) == 2
    assert "somebody else has to review them" in run.err
    assert run("review", ID, "--by", "somebody else", *reason) == 0


def test_a_finding_has_one_verdict(run: Run, folder: Path) -> None:
    run("follow", "--once")
    assert run("review", ID, "--verdict", "unclear", *WHO) == 0
    assert run("review", ID, "--verdict", "proper", *WHO) == 2
    assert run.err == f"`{ID}` was found unclear by R. Reviewer already; a verdict is not changed\n"
    assert len([each for each in told(folder) if isinstance(each, entries.Reviewed)]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("open", "nothing-1-1", *WHO), "there is no finding `nothing-1-1`"),
        (("review", "nothing-1-1", "--verdict", "proper", *WHO), "there is no finding `nothing-1-1`"),
        (("open", ID, "--by", " ", "--reason", "x"), "say who, and give a reason"),
        (("review", ID, "--verdict", "proper", "--by", "x", "--reason", " "), "say who, and give a reason"),
        (("review", ID, "--verdict", "proper", "--by", "x", "--reason", "x" * 5000), "over 4000 characters"),
    ],
)
def test_nothing_is_opened_or_entered_without_who_and_why(
    run: Run, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    run("follow", "--once")
    assert run(*arguments) == 2
    assert says in run.err
    assert run.out == ""
    assert len(told(folder)) == 6


def test_nothing_is_opened_where_the_look_cannot_be_entered(run: Run, folder: Path) -> None:
    run("follow", "--once")
    with (
        contextlib.closing(open_store(f"sqlite:///{folder / 'ledger.db'}")) as store,
        store.engine.begin() as connection,
    ):
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no more'); END"
        )
    for arguments in (("open", ID, *WHO), ("review", ID, "--verdict", "proper", *WHO)):
        assert run(*arguments) == 1
        assert run.out == ""
        assert "m.ivanova" not in run.err
    assert run("findings") == 0
    assert ID in run.out
